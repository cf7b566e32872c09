"""What is verified: 256 distinct presentations, and what a verifier has in hand.

Ten claims, three of them shown; `x5c`, status and key binding as in a real credential; a holder
key, salts and a status index of its own for each. All of it made anew for every run, by the code
that issues and presents.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import issue, key_binding, present, sd_jwt
from crypto.sdjwt.issue import Frame
from crypto.status.bits import StatusBits
from crypto.x509 import issue as certificates
from crypto.x509 import x5c
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, clock, period
from idservice.verification import trust
from idservice.verification.policy import Policy
from idservice.verification.status import KeptLists, VerifiedList
from idservice.verification.trust import TrustBundle

PRESENTATIONS: Final = 256
LIST_SIZE: Final = 1 << 17
BASE: Final = "https://id.exampleton.example"
VCT: Final = f"{BASE}/vct/resident/1"
AUDIENCE: Final = "x509_san_dns:library.exampleton.example"
NONCE: Final = "bench-nonce-of-22-chars"
CLAIMS: Final[JsonObject] = {
    "given_name": "Zoë",
    "family_name": "Example-Wójcik",
    "birth_date": "1987-11-02",
    "age_over_18": True,
    "age_over_21": True,
    "age_over_65": False,
    "resident": True,
    "locality": "Exampleton",
    "gender": None,
    "enrolled_until": "2029-01-01",
}
SHOWN: Final = (("resident",), ("given_name",), ("locality",))
POLICY: Final[JsonObject] = {
    "id": "library-card",
    "verifier": "Exampleton Library",
    "client_ids": [AUDIENCE],
    "purpose": "library_membership",
    "place": "Main Street",
    "vct": VCT,
    "formats": [catalogue.FORMAT],
    "required": ["resident"],
    "optional": ["given_name", "locality"],
    "retention": "none",
    "erase": None,
    "notice": {"en": "You join the library."},
    "expires": "2099-12-31",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that a block needs, made before the clock starts."""

    presentations: tuple[str, ...]
    holders: tuple[ec.EllipticCurvePublicKey, ...]
    issuer_key: ec.EllipticCurvePublicKey
    audience: str
    nonce: str
    vct: str
    policy: Policy
    trust: TrustBundle
    bundle: bytes
    lists: KeptLists
    now: UnixSeconds

    @property
    def issuer_jwk(self) -> dict[str, str]:
        """The issuer's key as the peers want it."""
        return jwk.public_jwk(self.issuer_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A city with one period."""

    key: ec.EllipticCurvePrivateKey
    header: JsonObject
    visible: JsonObject
    """The payload without claims, status and holder."""
    list_uri: str
    bundle: bytes
    city: Authority
    """The root and its key."""


def make_issuer(
    now: UnixSeconds, *, announced: Sequence[JsonObject] = (), policies: Sequence[JsonObject] = ()
) -> Issuer:
    """Make a city root, an issuer under it, and the bundle that announces it.

    Args:
        now: in the period that is announced.
        announced: what else the bundle announces.
        policies: the further ones in it.
    """
    this = period.of(now)
    nbf, exp = period.not_before(this), period.expires(this)
    validity = Validity(not_before=nbf, not_after=exp)
    root_key = ed25519.Ed25519PrivateKey.generate()
    root = certificates.root_certificate(
        key=root_key, common_name="Exampleton", validity=validity, serial=1
    )
    key = jwk.generate(random_bytes=os.urandom)
    leaf = certificates.leaf_certificate(
        role=Role.ISSUER,
        public_key=key.public_key(),
        authority=Authority(certificate=root, key=root_key),
        common_name="Exampleton issuer",
        names=Names(uris=(BASE,)),
        validity=validity,
        serial=2,
    )
    path = x5c.encode([leaf])
    list_uri = f"{BASE}/v1/status/{catalogue.CONFIGURATION}/{this}"
    integrity = "sha256-" + "A" * 43 + "="
    payload: JsonObject = {
        "type": trust.TYPE,
        "version": 1,
        "day": period.day(now).isoformat(),
        "city": "Exampleton",
        "demonstration": True,
        "languages": ["en"],
        "issuer": BASE,
        "announced": [
            {
                "configuration": catalogue.CONFIGURATION,
                "format": catalogue.FORMAT,
                "vct": VCT,
                "vct_integrity": integrity,
                "period": this,
                "nbf": nbf,
                "exp": exp,
                "x5c": path,
                "status": {"uri": list_uri, "size": LIST_SIZE, "bits": 1},
                "digests": len(CLAIMS),
                "address_digests": 0,
            },
            *announced,
        ],
        "policies": [POLICY, *policies],
    }
    return Issuer(
        key=key,
        header={"alg": "ES256", "typ": "dc+sd-jwt", "x5c": path},
        visible={"iss": BASE, "vct": VCT, "vct#integrity": integrity, "nbf": nbf, "exp": exp},
        list_uri=list_uri,
        bundle=trust.write(payload, root_der=root.public_bytes(Encoding.DER), sign=root_key.sign),
        city=Authority(certificate=root, key=root_key),
    )


def make(*, audience: str = AUDIENCE) -> Material:
    """Issue and present everything once."""
    now = clock.SystemClock().now()
    issuer = make_issuer(now)
    shown = [_show(issuer, audience=audience, now=now) for _ in range(PRESENTATIONS)]
    bundle = trust.parse(issuer.bundle, root_fingerprint=None, at_least_version=None)
    return Material(
        presentations=tuple(text for text, _ in shown),
        holders=tuple(holder for _, holder in shown),
        issuer_key=issuer.key.public_key(),
        audience=audience,
        nonce=NONCE,
        vct=VCT,
        policy=bundle.policies["library-card"],
        trust=bundle,
        bundle=issuer.bundle,
        lists=lists_of(bundle, now),
        now=now,
    )


def lists_of(bundle: TrustBundle, now: UnixSeconds) -> KeptLists:
    """Keep an hour-old list, with nobody withdrawn, for each one announced."""
    lists = KeptLists()
    for announced in bundle.announced:
        shape = announced.status
        lists.keep(
            VerifiedList(
                uri=shape.uri,
                iat=UnixSeconds(now - 3600),
                exp=UnixSeconds(now + 7 * period.DAY),
                ttl=None,
                bits=StatusBits.empty(bits=shape.bits, size=shape.size),
            )
        )
    return lists


def _show(
    issuer: Issuer, *, audience: str, now: UnixSeconds
) -> tuple[str, ec.EllipticCurvePublicKey]:
    holder = jwk.generate(random_bytes=os.urandom)
    index = int.from_bytes(os.urandom(4), "big") % LIST_SIZE
    credential = issue.issue(
        header=issuer.header,
        claims={
            **issuer.visible,
            "status": {"status_list": {"idx": index, "uri": issuer.list_uri}},
            **CLAIMS,
        },
        frame=Frame(disclosable=frozenset((name,) for name in CLAIMS)),
        holder=holder.public_key(),
        signer=jws.es256_signer(issuer.key),
        random_bytes=os.urandom,
    )
    parsed = sd_jwt.parse(credential)
    assert isinstance(parsed, sd_jwt.SdJwt)
    text = key_binding.sign(
        present.present(parsed, paths=SHOWN),
        nonce=NONCE,
        audience=audience,
        now=now,
        signer=jws.es256_signer(holder),
    )
    return text, holder.public_key()
