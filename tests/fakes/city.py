"""A whole city in memory: root, keys, announced values, policies, verifiers, a status list.

Everything is made by the project's own functions from fixed keys, so it is the same in every
run; a test that wants something wrong changes one thing, by `dataclasses.replace` or by signing
with `certificates`.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from crypto.bbs import ciphersuite, jwp, signature
from crypto.bbs.signature import SecretKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import issue
from crypto.sdjwt.issue import Frame
from crypto.status import reference, status_token
from crypto.status.bits import StatusBits
from crypto.status.reference import Reference
from crypto.status.status_token import StatusToken
from crypto.x509 import issue as certificates
from crypto.x509 import x5c
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, period
from idservice.issuer import metadata
from idservice.issuer.claims import parse_portrait
from idservice.period import Period
from idservice.verification import policy, trust
from idservice.verification.policy import Policy
from idservice.verification.trust import Announced, AnnouncedBbs, AnnouncedStatus, TrustBundle
from tests.fakes import city_verifiers
from tests.fakes.certificates import der, ed, p256
from tests.fakes.city_register import CityRegister
from tests.fakes.city_verifiers import FakeVerifier

NOW = UnixSeconds(1_800_000_000)
"""2027-01-15 08:00 UTC."""
ISSUER = "https://issuer.example"
FRAME = Frame(disclosable=frozenset(tuple(name.split(".")) for name in catalogue.CLAIMS))

RESIDENT: Mapping[str, JsonValue] = MappingProxyType(
    {
        "given_name": "Ada",
        "family_name": "Okonkwo",
        "birth_date": "1990-04-12",
        "age_over_13": True,
        "age_over_16": True,
        "age_over_18": True,
        "age_over_21": True,
        "age_over_62": False,
        "age_over_65": False,
        "resident": True,
        "locality": "Exampleton",
        "gender": None,
        "portrait": None,
        "address.care_of": None,
        "address.street_address": "Quay 7",
        "address.postal_code": "1234",
        "address.locality": "Exampleton",
        "renewal_handle": base64url.encode(hashlib.sha256(b"handle").digest()),
        "enrolled_until": "2031-01-01",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCity:
    """What its offices hold, all in one place, as no real city has it."""

    now: UnixSeconds
    issuer: str
    root: Authority
    root_key: ed25519.Ed25519PrivateKey
    issuer_keys: Mapping[Period, ec.EllipticCurvePrivateKey]
    bbs_keys: Mapping[Period, SecretKey]
    status_key: ec.EllipticCurvePrivateKey
    status_x5c: list[JsonValue]
    metadata_key: ec.EllipticCurvePrivateKey
    metadata_x5c: list[JsonValue]
    verifiers: Mapping[str, FakeVerifier]
    """`library`, `bar` and `bank`."""
    payload: JsonObject
    plain: bytes
    """What the root signed, without the register."""
    trust: TrustBundle
    register: CityRegister
    random_bytes: RandomBytes

    @property
    def bundle(self) -> bytes:
        """What the city publishes: with the register."""
        return self.register.bundled(self.plain)

    @property
    def period(self) -> Period:
        """The present one."""
        return period.of(self.now)

    @property
    def announced(self) -> Announced:
        """What is announced for the present period."""
        found = self.trust.find(configuration=catalogue.CONFIGURATION, period=self.period)
        assert found is not None
        return found

    @property
    def announced_bbs(self) -> AnnouncedBbs:
        """What is announced for the present period's BBS credentials."""
        found = self.trust.find_bbs(configuration=catalogue.BBS_CONFIGURATION, period=self.period)
        assert found is not None
        return found

    @property
    def status_uri(self) -> str:
        """The list of the present period."""
        return self.announced.status.uri

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By id: `library-card`, `bar-entry`, `bank-account`."""
        return self.trust.policies

    def issue(
        self,
        claims: Mapping[str, JsonValue],
        holder: ec.EllipticCurvePublicKey,
        index: int,
        *,
        announced: Announced | None = None,
        changes: Mapping[str, JsonValue] = MappingProxyType({}),
        header: Mapping[str, JsonValue] = MappingProxyType({}),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        """Issue a credential; claims by their dotted names, null where not given.

        `changes` replaces always-visible values, `header` members of the header, `key` the key.
        """
        announced = announced or self.announced
        payload: JsonObject = {
            "iss": self.issuer,
            "vct": announced.vct,
            "vct#integrity": announced.vct_integrity,
            "nbf": announced.nbf,
            "exp": announced.exp,
            "status": reference.claim(Reference(uri=announced.status.uri, index=index)),
            **_nested(claims),
            **changes,
        }
        signing_key = key or self.issuer_keys[announced.period]
        return issue.issue(
            header={
                "alg": "ES256",
                "typ": "dc+sd-jwt",
                "x5c": [*announced.x5c_text],
                **header,
            },
            claims=payload,
            frame=FRAME,
            holder=holder,
            signer=jws.es256_signer(signing_key),
            random_bytes=self.random_bytes,
        )

    def issue_bbs(
        self,
        claims: Mapping[str, JsonValue],
        commitment: bytes,
        *,
        announced: AnnouncedBbs | None = None,
        header: bytes | None = None,
        key: SecretKey | None = None,
        entropy: bytes = b"e" * 32,
    ) -> str:
        """Issue a BBS credential; claims by their dotted names, null where not given.

        `header` replaces the issuer header, `key` the key.
        """
        announced = announced or self.announced_bbs
        key = key or self.bbs_keys[announced.period]
        return jwp.issue(
            header=announced.header if header is None else header,
            payloads=[_payload(name, claims.get(name)) for name in announced.slots],
            hashed=announced.hashed,
            commitment_with_proof=commitment,
            secret_key=key,
            public_key=key.public,
            nym_entropy=entropy,
        )

    def status_token(
        self,
        withdrawn: Collection[int] = (),
        *,
        iat: int | None = None,
        announced: Announced | None = None,
    ) -> str:
        """Sign the status list of a period, as of `iat` (the last 02:00 UTC, if not given)."""
        announced = announced or self.announced
        if iat is None:
            iat = (self.now - 7200) // period.DAY * period.DAY + 7200
        lst = StatusBits.empty(bits=announced.status.bits, size=announced.status.size)
        token = StatusToken(
            uri=announced.status.uri,
            iat=UnixSeconds(iat),
            exp=UnixSeconds(iat + 7 * period.DAY),
            ttl=period.DAY,
            bits=lst.with_statuses(dict.fromkeys(withdrawn, 1)),
        )
        return status_token.sign(
            token,
            header={"x5c": self.status_x5c},
            signer=jws.es256_signer(self.status_key),
        )

    def saying(self, payload: JsonObject) -> "FakeCity":
        """Return the city with another bundle."""
        plain = self.sign_plain(payload)
        known = trust.parse(plain, root_fingerprint=None, at_least_version=None)
        return dataclasses.replace(self, payload=payload, plain=plain, trust=known)

    def sign_bundle(self, payload: JsonObject) -> bytes:
        """Sign another bundle with the root's key; what is new in it the board decides before."""
        return self.register.bundled(self.sign_plain(payload))

    def sign_plain(self, payload: JsonObject) -> bytes:
        """Sign another bundle with the root's key, without the register."""
        return trust.write(payload, root_der=der(self.root.certificate), sign=self.root_key.sign)


def chance(seed: str = "chance") -> RandomBytes:
    """Return a source that is the same in every run, and never repeats itself in one.

    Nor does it repeat another seed's: without the blank, "victim 1" would draw from the 40th time
    on what "victim 14" draws from the first.
    """
    counter = itertools.count()

    def random_bytes(length: int) -> bytes:
        return hashlib.shake_256(f"{seed} {next(counter)}".encode()).digest(length)

    return random_bytes


def holder_key(label: str = "holder") -> ec.EllipticCurvePrivateKey:
    """Return a holder's key."""
    return p256(label)


@functools.cache
def bbs_key(label: str) -> SecretKey:
    """Return a BBS key that follows from its label."""
    material = hashlib.sha256(label.encode()).digest()
    return signature.derive_key(ciphersuite.SHA_256, material=material)


def make(*, now: UnixSeconds = NOW, issuer: str = ISSUER, demonstration: bool = False) -> FakeCity:
    """Make a city whose root, keys and policies are valid at `now`."""
    root_key, status_key = ed("city root"), p256("status key")
    lasting = Validity(
        not_before=UnixSeconds(now - 400 * period.DAY),
        not_after=UnixSeconds(now + 4000 * period.DAY),
    )
    root = Authority(
        certificate=certificates.root_certificate(
            key=root_key, common_name="Exampleton city root", validity=lasting, serial=1
        ),
        key=root_key,
    )
    periods = [Period(period.of(now) + ahead) for ahead in (-1, 0, 1, 2)]
    issuer_keys = {each: p256(f"issuer key {each}") for each in periods}
    bbs_keys = {each: bbs_key(f"issuer key {each}") for each in periods}
    announced: list[JsonValue] = [
        *(trust.announce(_announced(root, issuer, each, issuer_keys[each])) for each in periods),
        *(trust.announce_bbs(_announced_bbs(issuer, each, bbs_keys[each])) for each in periods),
    ]
    metadata_key = p256("metadata key")
    status_leaf, metadata_leaf = (
        certificates.leaf_certificate(
            role=role,
            public_key=key.public_key(),
            authority=root,
            common_name=f"Exampleton {role.value}",
            names=Names(uris=(issuer,)),
            validity=lasting,
            serial=serial,
        )
        for role, key, serial in (
            (Role.STATUS, status_key, 100),
            (Role.METADATA, metadata_key, 101),
        )
    )
    vct = metadata.vct(issuer)
    verifiers = {
        name: city_verifiers.make(root, lasting, name=name, serial=200 + place, vct=vct)
        for place, name in enumerate(city_verifiers.ASKING)
    }
    payload: JsonObject = {
        "type": trust.TYPE,
        "version": 7,
        "day": period.day(now).isoformat(),
        "city": "Exampleton",
        "demonstration": demonstration,
        "languages": ["en"],
        "issuer": issuer,
        "announced": announced,
        "policies": [policy.write(each.policy) for each in verifiers.values()],
    }
    plain = trust.write(payload, root_der=der(root.certificate), sign=root_key.sign)
    return FakeCity(
        now=now,
        issuer=issuer,
        root=root,
        root_key=root_key,
        issuer_keys=MappingProxyType(issuer_keys),
        bbs_keys=MappingProxyType(bbs_keys),
        status_key=status_key,
        status_x5c=x5c.encode([status_leaf]),
        metadata_key=metadata_key,
        metadata_x5c=x5c.encode([metadata_leaf]),
        verifiers=MappingProxyType(verifiers),
        payload=payload,
        plain=plain,
        trust=trust.parse(plain, root_fingerprint=None, at_least_version=None),
        register=CityRegister(
            payload,
            root=root_key,
            certificate=der(root.certificate),
            policies=[each.policy for each in verifiers.values()],
            now=now,
        ),
        random_bytes=chance(),
    )


def _announced(
    root: Authority, issuer: str, number: Period, key: ec.EllipticCurvePrivateKey
) -> Announced:
    nbf, exp = period.not_before(number), period.expires(number)
    leaf = certificates.leaf_certificate(
        role=Role.ISSUER,
        public_key=key.public_key(),
        authority=root,
        common_name=f"Exampleton issuer, period {number}",
        names=Names(uris=(issuer,)),
        validity=Validity(not_before=nbf, not_after=exp),
        serial=1000 + number,
    )
    return Announced(
        configuration=catalogue.CONFIGURATION,
        format=catalogue.FORMAT,
        vct=metadata.vct(issuer),
        vct_integrity=metadata.integrity(metadata.type_metadata(issuer)),
        period=number,
        nbf=nbf,
        exp=exp,
        x5c=(der(leaf),),
        x5c_text=tuple(map(str, x5c.encode([leaf]))),
        status=AnnouncedStatus(
            uri=f"{issuer}/v1/status/{catalogue.CONFIGURATION}/{number}",
            size=trust.SMALLEST_LIST,
            bits=1,
        ),
        digests=15,
        address_digests=len(catalogue.ADDRESS_MEMBERS),
    )


def _announced_bbs(issuer: str, number: Period, key: SecretKey) -> AnnouncedBbs:
    nbf, exp = period.not_before(number), period.expires_bbs(number)
    vct, schema = metadata.vct(issuer), catalogue.BBS_SCHEMA
    return AnnouncedBbs(
        configuration=catalogue.BBS_CONFIGURATION,
        format=catalogue.BBS_FORMAT,
        vct=vct,
        schema=schema,
        period=number,
        nbf=nbf,
        exp=exp,
        public_key=key.public.octets,
        header=trust.bbs_header(
            issuer=issuer, vct=vct, schema=schema, period=number, nbf=nbf, exp=exp
        ),
        slots=catalogue.BBS_SLOTS,
    )


def _payload(name: str, value: JsonValue) -> bytes:
    """Write what stands in a slot: a portrait is 32 octets of salt, then the JPEG."""
    if value is None:
        return jwp.ABSENT
    if name == "portrait":
        return hashlib.sha256(b"salt").digest() + parse_portrait(value)
    return canonical_json.serialize(value)


def _nested(claims: Mapping[str, JsonValue]) -> JsonObject:
    """Every claim of the catalogue, null where not given."""
    address: JsonObject = {
        name: claims.get(f"address.{name}") for name in catalogue.ADDRESS_MEMBERS
    }
    flat: JsonObject = {name: claims.get(name) for name in catalogue.CLAIMS if "." not in name}
    return {**flat, "address": address}
