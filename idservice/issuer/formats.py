"""Credential format -> how an instance is made, and how a shown one is read at renewal.

Carries out DESIGN section 3. Everything that is always visible comes from what the trust bundle
announces for the period; only index, salts, digests, holder key and signature differ between two
instances. `iat` is left out. Every claim of the catalogue is there, `null` where a person has
none, so that not even the number of digests tells anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Expired, Malformed, NotYetValid, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.sdjwt import issue, sd_jwt, verify
from crypto.sdjwt.issue import Frame
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding
from crypto.sealed.handle import Handle
from crypto.status import reference
from crypto.status.reference import Reference
from idservice import catalogue, period
from idservice.issuer import claims
from idservice.issuer.claims import Person
from idservice.issuer.model import Entitlement, IssuingKey
from idservice.verification.trust import Announced

CLOCK_SKEW: Final = 60

_FRAME: Final = Frame(disclosable=frozenset(tuple(name.split(".")) for name in catalogue.CLAIMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a credential said when its holder showed the issuer all of it."""

    person: Person = field(repr=False)
    handle: Handle = field(repr=False)
    enrolled_until: date = field(repr=False)
    announced: Announced
    index: int


Holder = tuple[ec.EllipticCurvePublicKey, int]
"""The key and the status index of one instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a shown credential must answer."""

    audience: str
    check_nonce: Callable[[str], None]
    now: UnixSeconds


class Issue(Protocol):
    """Makes one instance for each holder key and status index."""

    def __call__(  # noqa: D102, the class says it
        self,
        key: IssuingKey,
        entitlement: Entitlement,
        holders: Sequence[Holder],
        *,
        on: date,
        random_bytes: RandomBytes,
    ) -> tuple[str, ...]: ...


def issue_sd_jwt(
    key: IssuingKey,
    entitlement: Entitlement,
    holders: Sequence[Holder],
    *,
    on: date,
    random_bytes: RandomBytes,
) -> tuple[str, ...]:
    """Sign one SD-JWT VC for each holder key and its status index; ages are as `on` that day."""
    announced = key.announced
    header: JsonObject = {"alg": "ES256", "typ": verify.TYP, "x5c": [*announced.x5c_text]}
    content: JsonObject = {
        **entitlement.person.claims(on=on),
        "iss": key.issuer,
        "vct": announced.vct,
        "vct#integrity": announced.vct_integrity,
        "nbf": announced.nbf,
        "exp": announced.exp,
        "renewal_handle": base64url.encode(entitlement.handle),
        "enrolled_until": entitlement.enrolled_until.isoformat(),
    }
    return tuple(
        issue.issue(
            header=header,
            claims={**content, "status": _status(announced.status.uri, index)},
            frame=_FRAME,
            holder=holder,
            signer=key.sign,
            random_bytes=random_bytes,
        )
        for holder, index in holders
    )


ISSUE: Final[Mapping[str, Issue]] = MappingProxyType({catalogue.CONFIGURATION: issue_sd_jwt})
"""Credential configuration to how it is made."""


def read_sd_jwt(presentation: str, *, keys: Sequence[IssuingKey], question: Question) -> Shown:
    """Read an instance that its holder shows us with everything in it.

    Raises:
        CryptoError: it is not one of ours, not valid now, not shown by its holder to us, or
            something is held back.
        ServiceError: `invalid_nonce`.
    """
    shown = sd_jwt.parse(presentation)
    if not isinstance(shown, SdJwtWithKeyBinding):
        raise Malformed("no key binding")
    chain = shown.sd_jwt.issuer.header.get("x5c")
    key = next((each for each in keys if [*each.announced.x5c_text] == chain), None)
    if key is None:
        raise Untrusted("not signed by an announced key")
    nonce = _nonce(shown)
    question.check_nonce(nonce)
    verified = verify.verify(
        shown,
        issuer_key=jwk.parse_public(key.public_jwk),
        audience=question.audience,
        nonce=nonce,
        now=question.now,
    )
    content = verified.claims
    _check_validity(content, key, question.now)
    return _shown(content, key.announced, question.now)


def _shown(content: JsonObject, announced: Announced, now: UnixSeconds) -> Shown:
    if not all(_has(content, name) for name in catalogue.CLAIMS):
        raise Refused("not everything is disclosed")
    handle, until = content["renewal_handle"], content["enrolled_until"]
    if not isinstance(handle, str) or not isinstance(until, str):
        raise Malformed("renewal_handle and enrolled_until are texts")
    listed = reference.parse(content)
    if listed.uri != announced.status.uri:
        raise Refused("the list of another period")
    return Shown(
        person=claims.from_claims(content, today=period.day(now)),
        handle=Handle(base64url.decode(handle)),
        enrolled_until=date.fromisoformat(until),
        announced=announced,
        index=listed.index,
    )


def _check_validity(content: JsonObject, key: IssuingKey, now: UnixSeconds) -> None:
    announced = key.announced
    expected = {
        "iss": key.issuer,
        "vct": announced.vct,
        "nbf": announced.nbf,
        "exp": announced.exp,
    }
    if any(content.get(name) != value for name, value in expected.items()):
        raise Refused("not as announced")
    if now < announced.nbf - CLOCK_SKEW:
        raise NotYetValid("its period has not begun")
    if now >= announced.exp:
        raise Expired("its period is over")


def _nonce(shown: SdJwtWithKeyBinding) -> str:
    """Return the nonce that the holder claims to answer; `verify` checks that it is signed."""
    nonce = canonical_json.parse_object(shown.key_binding.payload).get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise Malformed("no nonce")
    return nonce


def _has(content: JsonObject, name: str) -> bool:
    here: JsonValue = content
    for step in name.split("."):
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def _status(uri: str, index: int) -> JsonObject:
    return reference.claim(Reference(uri=uri, index=index))
