"""Ed25519 as logs, witnesses and seats use it: one key, one meaning, no second spelling.

RFC 8032, section 5.1, by libsodium, and stricter: a public key is a canonical point of the large
subgroup, so no key exists that fits many messages; S is below the group's order, so no signature
has a twin. Leaves out where private keys are kept: signing takes a callable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.signing

from crypto.errors import BadSignature, Malformed, Refused

Signer = Callable[[bytes], bytes]
"""Returns the signature, 64 octets, of a message; the key may live in hardware."""

KEY_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class PublicKey:
    """32 octets that are a usable public key; the point is checked once, here."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != KEY_LENGTH:
            raise Malformed("an Ed25519 public key has 32 octets (RFC 8032, 5.1.5)")
        if not nacl.bindings.crypto_core_ed25519_is_valid_point(self.octets):
            raise Refused("no canonical point of the large subgroup (RFC 8032, 5.1)")


def signer(seed: bytes) -> Signer:
    """Return what signs with a private key held in memory.

    Spec: RFC 8032, section 5.1.6.

    Args:
        seed: the private key of RFC 8032, 32 octets.

    Secret: `seed`; the run time does not depend on it.
    """
    key = nacl.signing.SigningKey(seed)
    return lambda message: key.sign(message).signature


def public_key(seed: bytes) -> PublicKey:
    """Return the public half of a private key.

    Spec: RFC 8032, section 5.1.5.

    Args:
        seed: the private key of RFC 8032, 32 octets.

    Secret: `seed`; the run time does not depend on it.
    """
    return PublicKey(bytes(nacl.signing.SigningKey(seed).verify_key))


def verify(*, message: bytes, signature: bytes, key: PublicKey) -> None:
    """Check a signature.

    Spec: RFC 8032, section 5.1.7, without the factor 8.

    Args:
        message: what was signed, any length.
        signature: R and S, 64 octets.
        key: parsed, so a point of the large subgroup.

    Raises:
        Malformed: the signature has not 64 octets.
        BadSignature: it is not this key's over this message, S is not below the group's order,
            or R is of small order.
    """
    if len(signature) != SIGNATURE_LENGTH:
        raise Malformed("an Ed25519 signature has 64 octets (RFC 8032, 5.1.6)")
    try:
        nacl.signing.VerifyKey(key.octets).verify(message, signature)
    except nacl.exceptions.BadSignatureError as error:
        raise BadSignature("not this key's signature (RFC 8032, 5.1.7)") from error
