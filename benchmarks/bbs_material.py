"""What the BBS benchmarks sign and show: base BBS of 10 and of 30 messages, and the credential.

The credential has every slot of the schema, the announced issuer header and the presentation
headers that `POST /v1/verify` asks for, all written by the service's own functions. Everything is
made anew for every run.
"""

import os
from dataclasses import dataclass
from typing import Final

from benchmarks import material
from crypto.bbs import jwp, proof, signature
from crypto.bbs.ciphersuite import SHA_256
from crypto.bbs.generators import Interface
from crypto.bbs.jwp import Issued
from crypto.bbs.signature import SecretKey
from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from idservice import catalogue, clock, period
from idservice.verification import showing, trust
from idservice.verification.trust import AnnouncedBbs

BASE: Final = Interface(SHA_256, signature.BASE)
PROOFS: Final = 16
"""Distinct proofs in a block of base BBS."""
RESIDENTS: Final = 20
SHOWINGS: Final = 1000
"""Distinct showings of the credential, by all residents in turn."""
DISCLOSED: Final = (0, 1, 2)
SHOWN: Final = ("resident", "given_name", "locality")
"""What the library asks for."""
PLACES: Final = tuple(catalogue.BBS_SLOTS.index(name) for name in SHOWN)
HASHED: Final = frozenset(
    place for place, name in enumerate(catalogue.BBS_SLOTS) if name in catalogue.HASHED_CLAIMS
)
PORTRAIT: Final = 16 * 1024
"""Octets of the picture, of at most `catalogue.PORTRAIT_LIMIT`."""
POLICY: Final = "library-unlinked"
NONCE: Final = material.NONCE
AUDIENCE: Final = material.AUDIENCE
_HEADER: Final = b"a header, as long as most"
_PRESENTATION_HEADER: Final = b"a presentation header, as long as most are in practice"
CLAIMS: Final[JsonObject] = {
    **material.CLAIMS,
    "age_over_13": True,
    "age_over_16": True,
    "age_over_62": False,
    "address.street_address": "Quay 7",
    "address.postal_code": "12345",
    "address.locality": "Exampleton",
    "renewal_handle": "A" * 107,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Messages, a signature over them, and proofs that show the first three."""

    key: SecretKey
    messages: tuple[bytes, ...]
    signature: bytes
    proofs: tuple[bytes, ...]
    header: bytes = _HEADER
    presentation_header: bytes = _PRESENTATION_HEADER

    @property
    def disclosed(self) -> dict[int, bytes]:
        """What is shown, by its place."""
        return {place: self.messages[place] for place in DISCLOSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The key of this period, and the header of everybody's credential."""

    key: SecretKey
    header: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Credentials of some residents."""

    issuer: Issuer
    texts: tuple[str, ...]
    """As the issuer sent them."""
    issued: tuple[Issued, ...]

    def show(
        self,
        *,
        resident: int = 0,
        places: tuple[int, ...] = PLACES,
        nym_context: bytes | None = None,
    ) -> str:
        """Show what the library asks for, or other slots."""
        request_hash = showing.direct_request_hash(nonce=NONCE, policy=POLICY)
        return jwp.present(
            self.issued[resident % len(self.issued)],
            disclosed=places,
            presentation_header=showing.presentation_header(
                audience=AUDIENCE, nonce=NONCE, request_hash=request_hash, nym_context=nym_context
            ),
            nym_context=nym_context,
            public_key=self.issuer.key.public,
            hashed=HASHED,
            random_bytes=os.urandom,
        )


def make_base(count: int) -> Base:
    """Sign so many messages and prove it."""
    key = signature.new_key(random_bytes=os.urandom)
    messages = tuple(os.urandom(20) for _ in range(count))
    signed = signature.sign(BASE, secret_key=key, header=_HEADER, messages=messages)
    made = Base(key=key, messages=messages, signature=signed, proofs=())
    return Base(
        key=key,
        messages=messages,
        signature=signed,
        proofs=tuple(prove(made) for _ in range(PROOFS)),
    )


def prove(base: Base) -> bytes:
    """Make one proof."""
    return proof.prove(
        BASE,
        public_key=base.key.public,
        signature=base.signature,
        header=base.header,
        presentation_header=base.presentation_header,
        messages=base.messages,
        disclosed=DISCLOSED,
        random_bytes=os.urandom,
    )


def make_issuer() -> Issuer:
    """Make the key and the header of this period."""
    this = period.of(clock.SystemClock().now())
    header = trust.bbs_header(
        issuer=material.BASE,
        vct=material.VCT,
        schema=catalogue.BBS_SCHEMA,
        period=this,
        nbf=period.not_before(this),
        exp=period.expires_bbs(this),
    )
    return Issuer(key=signature.new_key(random_bytes=os.urandom), header=header)


def payloads() -> tuple[bytes, ...]:
    """Return what is signed in each slot, the portrait behind its salt."""
    found = [
        canonical_json.serialize(CLAIMS[name]) if name in CLAIMS else jwp.ABSENT
        for name in catalogue.BBS_SLOTS
    ]
    for place in HASHED:
        found[place] = os.urandom(32 + PORTRAIT)
    return tuple(found)


def issue(issuer: Issuer, commitment: bytes, content: tuple[bytes, ...]) -> str:
    """Issue one credential."""
    return jwp.issue(
        header=issuer.header,
        payloads=content,
        hashed=HASHED,
        commitment_with_proof=commitment,
        secret_key=issuer.key,
        public_key=issuer.key.public,
        nym_entropy=os.urandom(32),
    )


def make_credentials(issuer: Issuer, *, residents: int = RESIDENTS) -> Credentials:
    """Issue credentials and receive them."""
    texts, issued = [], []
    for _ in range(residents):
        secret, commitment = jwp.request(random_bytes=os.urandom)
        text = issue(issuer, commitment, payloads())
        texts.append(text)
        issued.append(jwp.receive(text, secret=secret, public_key=issuer.key.public, hashed=HASHED))
    return Credentials(issuer=issuer, texts=tuple(texts), issued=tuple(issued))


def bundle(issuer: Issuer) -> bytes:
    """Sign a trust bundle that announces the issuer's key and lists the library's policy."""
    now = clock.SystemClock().now()
    this = period.of(now)
    announced = AnnouncedBbs(
        configuration=catalogue.BBS_CONFIGURATION,
        format=catalogue.BBS_FORMAT,
        vct=material.VCT,
        schema=catalogue.BBS_SCHEMA,
        period=this,
        nbf=period.not_before(this),
        exp=period.expires_bbs(this),
        public_key=issuer.key.public.octets,
        header=issuer.header,
        slots=catalogue.BBS_SLOTS,
    )
    policy: JsonObject = {
        **material.POLICY,
        "id": POLICY,
        "formats": [catalogue.BBS_FORMAT],
        "status_max_age_s": None,
    }
    made = material.make_issuer(now, announced=[trust.announce_bbs(announced)], policies=[policy])
    return made.bundle
