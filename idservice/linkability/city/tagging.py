"""An issuer that marks one person, and what that person's wallet says at receipt.

Whatever is always visible in a credential is announced for everybody; here the issuer changes one
such value for one person, signs it with the announced key (or with one of its own), and the
wallet's own receipt checks are called. What an issuer may choose freely, salts and indices of
SD-JWT or the entropy in BBS, is no mark that a wallet could see: that is adversary M in `game.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp, signature
from crypto.bbs.signature import SecretKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws, web_proof
from crypto.sealed import handle, offer
from crypto.x509 import issue as certificates
from crypto.x509 import x5c
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, period
from idservice.apps import city_folder, keys
from idservice.issuer import formats as issuing
from idservice.issuer.claims import Person
from idservice.issuer.model import Entitlement, IssuingKey
from idservice.linkability.city import offices
from idservice.wallet import announced
from idservice.wallet.model import Declined
from idservice.wallet.receipt import bbs

HONEST: Final = "no mark"

_ENTROPY: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to mark, and whether the wallet kept the credential."""

    format: str
    mark: str
    kept: bool
    said: str
    """The wallet's sentence; empty where it kept the credential."""

    @property
    def as_it_should(self) -> bool:
        """Say whether the honest credential was kept and the marked one was not."""
        return self.kept is (self.mark == HONEST)


def attempts(folder: Path, format_id: str, *, seed: int) -> list[Attempt]:
    """Mark one person in each way.

    Args:
        folder: of a founded city.
        format_id: the credential format.
        seed: of keys and salts.
    """
    return _ATTEMPTS[format_id](folder, seed)


def _sd_jwt(folder: Path, seed: int) -> list[Attempt]:
    loaded = keys.load(folder / "issuer", issuer=offices.ISSUER)
    key = loaded.issuing(period.of(offices.NOW), catalogue.CONFIGURATION)
    if key is None:
        raise ValueError("the city has no key for the present period")
    random_bytes = offices.chance(seed, "tagging")
    holder = jwk.generate(random_bytes=random_bytes)
    own = jwk.generate(random_bytes=random_bytes)
    entitlement = _entitlement(catalogue.CONFIGURATION, random_bytes)
    today = period.day(offices.NOW)

    def issued(signing: IssuingKey = key) -> str:
        (credential,) = issuing.issue_sd_jwt(
            signing,
            entitlement,
            ((holder.public_key(), 4711),),
            on=today,
            random_bytes=random_bytes,
        )
        return credential

    announced_values = key.announced
    own_key = replace(key, sign=jws.es256_signer(own))
    own_chain = replace(own_key, announced=replace(announced_values, x5c_text=_chain(folder, own)))
    longer = replace(
        key, announced=replace(announced_values, exp=UnixSeconds(announced_values.exp + 1))
    )
    marked = {
        HONEST: issued(),
        "a header of its own": _changed(issued(), key, header=_add({"kid": "ada"})),
        "a key of its own, announced chain": issued(own_key),
        "a key of its own, certified by the city": issued(own_chain),
        "one digest more": _changed(issued(), key, payload=_one_digest_more),
        "one second more": issued(longer),
        "one member more": _changed(issued(), key, payload=_add({"iat": offices.NOW})),
        "another spelling": _changed(issued(), key, spelling=lambda data: data + b" "),
        "a list of its own": _changed(issued(), key, payload=_own_list),
    }

    def receive(credential: str) -> None:
        announced.check(
            [credential],
            keys=[holder],
            announced=announced.find(
                loaded.trust.announced,
                credential,
                configuration=catalogue.CONFIGURATION,
                periods=(key.announced.period,),
            ),
            issuer=loaded.trust.issuer,
            root=loaded.trust.root,
            now=offices.NOW,
        )

    return [
        _attempt(catalogue.FORMAT, mark, receive, credential) for mark, credential in marked.items()
    ]


def _bbs(folder: Path, seed: int) -> list[Attempt]:
    loaded = keys.load(folder / "issuer", issuer=offices.ISSUER)
    key = loaded.issuing_bbs(period.of(offices.NOW), catalogue.BBS_CONFIGURATION)
    if key is None:
        raise ValueError("the city has no key for the present period")
    random_bytes = offices.chance(seed, "tagging")
    own = signature.new_key(random_bytes=random_bytes)
    secret, commitment = jwp.request(random_bytes=random_bytes)
    honest = issuing.issue_bbs(
        key,
        _entitlement(catalogue.BBS_CONFIGURATION, random_bytes),
        commitment,
        on=period.day(offices.NOW),
        token=offer.new_token(random_bytes=random_bytes),
    )
    payloads = tuple(web_proof.parse(honest, headers=web_proof.ISSUED).payloads.values())
    header = canonical_json.parse_object(key.announced.header)

    def issued(
        *,
        header: bytes = key.announced.header,
        payloads: Sequence[bytes] = payloads,
        signing: SecretKey = key.secret_key,
    ) -> str:
        return jwp.issue(
            header=header,
            payloads=payloads,
            hashed=key.announced.hashed,
            commitment_with_proof=commitment,
            secret_key=signing,
            nym_entropy=random_bytes(_ENTROPY),
            public_key=signing.public,
        )

    def said(name: str, payload: bytes) -> tuple[bytes, ...]:
        slot = catalogue.BBS_SLOTS.index(name)
        return (*payloads[:slot], payload, *payloads[slot + 1 :])

    marked = {
        HONEST: honest,
        "a header of its own": issued(header=canonical_json.serialize({**header, "kid": "ada"})),
        "one second more": issued(
            header=canonical_json.serialize({**header, "exp": key.announced.exp + 1})
        ),
        "another spelling of the header": issued(header=key.announced.header + b" "),
        "a key of its own": issued(signing=own),
        "one slot more": issued(payloads=(*payloads, jwp.ABSENT)),
        "another spelling of a claim": issued(payloads=said("given_name", b'"\\u0041da"')),
        "a claim in another shape": issued(payloads=said("age_over_18", b"0")),
    }

    def receive(credential: str) -> None:
        bbs.check(
            credential,
            secret=secret,
            entries=loaded.trust.announced_bbs,
            configuration=catalogue.BBS_CONFIGURATION,
            periods=(key.announced.period,),
        )

    return [
        _attempt(catalogue.BBS_FORMAT, mark, receive, credential)
        for mark, credential in marked.items()
    ]


def _entitlement(configuration: str, random_bytes: RandomBytes) -> Entitlement:
    return Entitlement(
        person=Person(given_name="Ada"),
        handle=handle.handle(handle.new_slip(random_bytes=random_bytes)),
        enrolled_until=period.day(UnixSeconds(offices.NOW + period.LENGTH)),
        period=period.of(offices.NOW),
        configuration=configuration,
        renewal=False,
    )


def _attempt(
    format_id: str, mark: str, receive: Callable[[str], object], credential: str
) -> Attempt:
    """Hand a credential to what the wallet calls when one arrives."""
    said = ""
    try:
        receive(credential)
    except Declined as error:
        said = str(error)
    return Attempt(format=format_id, mark=mark, kept=not said, said=said)


_Change = Callable[[JsonObject], JsonObject]


def _same(content: JsonObject) -> JsonObject:
    return content


def _changed(
    credential: str,
    key: IssuingKey,
    *,
    header: _Change = _same,
    payload: _Change = _same,
    spelling: Callable[[bytes], bytes] = bytes,
) -> str:
    """Change what an issued credential says, and sign it again."""
    token, _, disclosures = credential.partition("~")
    head, body, _ = token.split(".")
    parts = (
        canonical_json.serialize(header(canonical_json.parse_object(base64url.decode(head)))),
        spelling(
            canonical_json.serialize(payload(canonical_json.parse_object(base64url.decode(body))))
        ),
    )
    signing_input = ".".join(base64url.encode(part) for part in parts)
    signature = base64url.encode(key.sign(signing_input.encode()))
    return f"{signing_input}.{signature}~{disclosures}"


def _add(members: JsonObject) -> _Change:
    return lambda content: {**content, **members}


def _one_digest_more(content: JsonObject) -> JsonObject:
    digests = content["_sd"]
    more = (
        sorted([*map(str, digests), base64url.encode(bytes(32))])
        if isinstance(digests, list)
        else []
    )
    return {**content, "_sd": [*more]}


def _own_list(content: JsonObject) -> JsonObject:
    listed: JsonObject = {"idx": 4711, "uri": f"{offices.ISSUER}/v1/status/ada"}
    return {**content, "status": {"status_list": listed}}


def _chain(folder: Path, own: ec.EllipticCurvePrivateKey) -> tuple[str, ...]:
    """Certify another key, as whoever holds the root can."""
    root = city_folder.read_root(folder)
    leaf = certificates.leaf_certificate(
        role=Role.ISSUER,
        public_key=own.public_key(),
        authority=root.authority,
        common_name="Exampleville issuer",
        names=Names(uris=(offices.ISSUER,)),
        validity=Validity(
            not_before=period.not_before(period.of(offices.NOW)),
            not_after=period.expires(period.of(offices.NOW)),
        ),
        serial=4711,
    )
    return tuple(map(str, x5c.encode([leaf])))


_ATTEMPTS: Final[Mapping[str, Callable[[Path, int], list[Attempt]]]] = MappingProxyType(
    {catalogue.FORMAT: _sd_jwt, catalogue.BBS_FORMAT: _bbs}
)
