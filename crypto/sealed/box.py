"""Bytes sealed to a public key by a sender who keeps no key of its own.

The format is libsodium's sealed box (X25519, XSalsa20, Poly1305): the sender's passing public
key, then the box, whose nonce is BLAKE2b over both public keys. It is put together here, and not
by `nacl.public.SealedBox`, because that one draws the passing key itself; PyNaCl opens what is
sealed here and the other way round. Who may hold the private half is the caller's affair.
"""

import hashlib
from typing import Final

import nacl.exceptions
import nacl.public

from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused

KEY_LENGTH: Final = 32
OVERHEAD: Final = 48
"""Octets that a box is longer than its content."""

_NONCE_LENGTH = 24


def public_key(private_key: bytes) -> bytes:
    """Return the X25519 public key, 32 octets, of a private key of 32 octets.

    Spec: RFC 7748, section 6.1.

    Secret: `private_key`; the run time does not depend on it.
    """
    return bytes(nacl.public.PrivateKey(private_key).public_key)


def seal(plaintext: bytes, *, recipient: bytes, random_bytes: RandomBytes) -> bytes:
    """Seal `plaintext` so that only the holder of the recipient's private key opens it.

    Spec: libsodium documentation, "Sealed boxes".

    Args:
        plaintext: any octets; their number shows from outside.
        recipient: the X25519 public key, 32 octets.
        random_bytes: asked for 32 octets, the passing private key.

    Returns:
        `OVERHEAD` octets more than the plaintext.

    Raises:
        Malformed: the recipient's key is not 32 octets.
        Refused: the recipient's key is a point of low order, to which anybody could read.

    Secret: `plaintext` and the octets drawn; the run time depends on the length only.
    """
    passing = nacl.public.PrivateKey(random_bytes(KEY_LENGTH))
    shared = _agree(passing, recipient)
    passing_public = bytes(passing.public_key)
    nonce = _nonce(passing_public, recipient)
    return passing_public + shared.encrypt(plaintext, nonce).ciphertext


def unseal(sealed: bytes, *, private_key: bytes) -> bytes:
    """Open what was sealed to the public half of `private_key`.

    Spec: libsodium documentation, "Sealed boxes".

    Args:
        sealed: at least `OVERHEAD` octets.
        private_key: the X25519 private key, 32 octets.

    Raises:
        Malformed: too short to be a sealed box.
        Refused: sealed to another key, or changed.

    Secret: `private_key` and the answer; the run time depends on the length only.
    """
    if len(sealed) < OVERHEAD:
        raise Malformed("shorter than a sealed box")
    try:
        return nacl.public.SealedBox(nacl.public.PrivateKey(private_key)).decrypt(sealed)
    except nacl.exceptions.CryptoError as error:
        raise Refused("sealed to another key, or changed") from error


def check_recipient(key: bytes) -> None:
    """Check that something can be sealed to a public key that comes from elsewhere.

    Raises:
        Malformed: it is not 32 octets.
        Refused: it is a point of low order, to which anybody could read.
    """
    _agree(nacl.public.PrivateKey(bytes(KEY_LENGTH)), key)


def _agree(passing: nacl.public.PrivateKey, recipient: bytes) -> nacl.public.Box:
    if len(recipient) != KEY_LENGTH:
        raise Malformed("an X25519 public key has 32 octets (RFC 7748, 5)")
    try:
        return nacl.public.Box(passing, nacl.public.PublicKey(recipient))
    except nacl.exceptions.CryptoError as error:
        raise Refused("public key of low order (RFC 7748, 6.1)") from error


def _nonce(passing: bytes, recipient: bytes) -> bytes:
    return hashlib.blake2b(passing + recipient, digest_size=_NONCE_LENGTH).digest()
