"""Claims sealed under a secret that only the resident holds, until they are picked up.

DESIGN, "Sealed offers": a reference of 256 bits is in the resident's QR code and nowhere else.
From it comes the pre-authorized code; the code's hash names the row, and a key drawn from the
code opens it. At the token call the row is sealed again, under the access token. Here is only
how that is computed. The transaction code, its tries and the 15 minutes are the issuer's.

The content is padded, so that the size of a row does not tell whether there is a portrait.
"""

import hashlib
from typing import Final, NewType

import nacl.exceptions
import nacl.secret
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused

SECRET_LENGTH: Final = 32
PADDED_LENGTH: Final = 40 * 1024
"""Contents are filled up to a multiple of this: the largest portrait and everything beside it."""

Reference = NewType("Reference", bytes)
"""32 random octets, the `ref` of an offer. Secret."""

Secret = NewType("Secret", bytes)
"""32 octets that name and open one row: a pre-authorized code or an access token."""

_NONCE_LENGTH = 24
_PREFIX_LENGTH = 4


def new_reference(*, random_bytes: RandomBytes) -> Reference:
    """Draw the reference of a new offer."""
    return Reference(random_bytes(SECRET_LENGTH))


def new_token(*, random_bytes: RandomBytes) -> Secret:
    """Draw an access token."""
    return Secret(random_bytes(SECRET_LENGTH))


def code(reference: Reference) -> Secret:
    """Derive the pre-authorized code of an offer.

    Spec: RFC 5869 with SHA-256, no salt, info "code"; OpenID4VCI 1.0, section 4.1.1.

    Secret: `reference` and the answer; the run time does not depend on them.
    """
    return Secret(_derive(reference, b"code"))


def row_key(secret: Secret) -> bytes:
    """Name the row that belongs to a code or token: SHA-256, 32 octets."""
    return hashlib.sha256(secret).digest()


def seal(plaintext: bytes, *, secret: Secret, random_bytes: RandomBytes) -> bytes:
    """Seal `plaintext` under a code or token, its length hidden.

    Spec: DESIGN, "Sealed offers"; libsodium secretbox under HKDF-SHA-256 with info "seal".

    Args:
        plaintext: less than 2^32 octets.
        secret: 32 octets.
        random_bytes: asked for the 24 octets of the nonce.

    Returns:
        Nonce and box; a multiple of `PADDED_LENGTH` plus 40 octets.

    Secret: `plaintext` and `secret`; the run time depends on the padded length only.
    """
    framed = len(plaintext).to_bytes(_PREFIX_LENGTH, "big") + plaintext
    padded = framed + bytes(-len(framed) % PADDED_LENGTH)
    box = nacl.secret.SecretBox(_derive(secret, b"seal"))
    return bytes(box.encrypt(padded, random_bytes(_NONCE_LENGTH)))


def unseal(sealed: bytes, *, secret: Secret) -> bytes:
    """Open what `seal` made under the same secret.

    Raises:
        Malformed: it opens, but was not made by `seal`.
        Refused: sealed under another secret, or changed.

    Secret: `secret` and the answer; the run time depends on the length only.
    """
    box = nacl.secret.SecretBox(_derive(secret, b"seal"))
    try:
        padded = box.decrypt(sealed)
    except nacl.exceptions.CryptoError as error:
        raise Refused("sealed under another secret, or changed") from error
    length = int.from_bytes(padded[:_PREFIX_LENGTH], "big")
    content = padded[_PREFIX_LENGTH : _PREFIX_LENGTH + length]
    if len(padded) < _PREFIX_LENGTH or len(content) != length:
        raise Malformed("the length inside the seal does not fit")
    return content


def derive(secret: Secret, *, info: bytes) -> bytes:
    """Derive octets that follow from a token, for what must come out the same when asked again.

    Spec: RFC 5869 with SHA-256, no salt.

    Args:
        secret: 32 octets.
        info: what they are for; other than `code` and `seal`, which are taken.

    Returns:
        32 octets.

    Raises:
        ValueError: an `info` that is taken.

    Secret: `secret` and the answer; the run time does not depend on them.
    """
    if info in {b"code", b"seal"}:
        raise ValueError("a secret for two purposes")
    return _derive(secret, info)


def _derive(secret: bytes, info: bytes) -> bytes:
    if len(secret) != SECRET_LENGTH:
        raise Malformed("references, codes and tokens have 32 octets")
    hkdf = HKDF(algorithm=hashes.SHA256(), length=SECRET_LENGTH, salt=None, info=info)
    return hkdf.derive(secret)
