"""A BBS credential of six slots, and showings of it, for tests of the container and of batches."""

import hashlib
from collections.abc import Collection
from typing import Final

from crypto.bbs import jwp, signature
from crypto.bbs.ciphersuite import SHA_256
from crypto.bbs.jwp import Issued
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes

PORTRAIT: Final = bytes(range(32)) + b"\xff\xd8 a small picture"
PAYLOADS: Final = (b'"Ada"', b'"Lovelace"', b"true", b"false", jwp.ABSENT, PORTRAIT)
HASHED: Final = frozenset({5})
HEADER: Final = canonical_json.serialize({"alg": jwp.ALG, "iss": "https://city.example"})
ENTROPY: Final = bytes(range(32))


def chance(seed: bytes = b"") -> RandomBytes:
    """Lend octets that follow from a seed."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(seed + drawn.to_bytes(8, "big")).digest(length)

    return draw


KEY: Final = signature.derive_key(SHA_256, material=bytes(range(32)))
OTHER_KEY: Final = signature.derive_key(SHA_256, material=bytes(32))
SECRET, COMMITMENT = jwp.request(random_bytes=chance(b"holder"))
ISSUING: Final = {
    "header": HEADER,
    "payloads": PAYLOADS,
    "hashed": HASHED,
    "commitment_with_proof": COMMITMENT,
    "secret_key": KEY,
    "public_key": KEY.public,
    "nym_entropy": ENTROPY,
}
CREDENTIAL: Final = jwp.issue(
    header=HEADER,
    payloads=PAYLOADS,
    hashed=HASHED,
    commitment_with_proof=COMMITMENT,
    secret_key=KEY,
    public_key=KEY.public,
    nym_entropy=ENTROPY,
)
ISSUED: Final = jwp.receive(CREDENTIAL, secret=SECRET, public_key=KEY.public, hashed=HASHED)


def question(nonce: str = "n-1", *, context: bytes | None = None) -> bytes:
    """Write a presentation header."""
    header: JsonObject = {"alg": jwp.ALG, "aud": "x509_san_dns:library.example", "nonce": nonce}
    if context is not None:
        header["nym_context"] = base64url.encode(context)
    return canonical_json.serialize(header)


def show(
    disclosed: Collection[int] = (0, 2),
    *,
    issued: Issued = ISSUED,
    nonce: str = "n-1",
    context: bytes | None = None,
    seed: bytes = b"",
    random_bytes: RandomBytes | None = None,
) -> str:
    """Show some slots."""
    return jwp.present(
        issued,
        disclosed=disclosed,
        presentation_header=question(nonce, context=context),
        nym_context=context,
        public_key=KEY.public,
        hashed=HASHED,
        random_bytes=random_bytes or chance(b"show" + seed),
    )


def check(text: str, *, context: bytes | None = None) -> jwp.Unverified:
    """Parse and verify, as a verifier with the issuer's key does."""
    found = jwp.parse(text)
    jwp.verify(found, public_key=KEY.public, nym_context=context, hashed=HASHED)
    return found
