"""The two ciphersuites of BBS: how octets are expanded, and the fixed point P1.

draft-irtf-cfrg-bbs-signatures-09, section 7.2; RFC 9380, sections 5.3.1 and 5.3.2 (expanding), 5.2
(field elements) and 3 (`hash_to_curve`). The curve's arithmetic is `crypto.bls`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crypto.bls import curve
from crypto.bls.group import FIELD, ORDER, UNIFORM_LENGTH, Point

_HASH = 32
_EMPTY_BLOCK: Final = bytes(64)
_ELEMENT = 64
"""Octets for one field element: its 381 bits and 128 more (RFC 9380, section 5.1)."""
_LONGEST_DST = 255

Expand = Callable[[bytes, bytes, int], bytes]
"""Message, domain separation tag and length to so many uniform octets."""


def expand_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """Expand with SHA-256.

    Spec: RFC 9380, section 5.3.1.

    Args:
        message: any octets.
        dst: at most 255 octets.
        length: octets wanted, at most 255 x 32.
    """
    suffix = _suffix(dst)
    blocks = -(-length // _HASH)
    if blocks > _LONGEST_DST:
        raise ValueError("longer than can be expanded")
    first = hashlib.sha256(
        _EMPTY_BLOCK + message + length.to_bytes(2, "big") + b"\0" + suffix
    ).digest()
    number = int.from_bytes(first, "big")
    block = hashlib.sha256(first + b"\1" + suffix).digest()
    expanded = block
    for place in range(2, blocks + 1):
        mixed = (number ^ int.from_bytes(block, "big")).to_bytes(_HASH, "big")
        block = hashlib.sha256(mixed + place.to_bytes(1, "big") + suffix).digest()
        expanded += block
    return expanded[:length]


def expand_xof(message: bytes, dst: bytes, length: int) -> bytes:
    """Expand with SHAKE-256.

    Spec: RFC 9380, section 5.3.2.
    """
    return hashlib.shake_256(message + length.to_bytes(2, "big") + _suffix(dst)).digest(length)


def _suffix(dst: bytes) -> bytes:
    if len(dst) > _LONGEST_DST:
        raise ValueError("a domain separation tag has at most 255 octets")
    return dst + bytes((len(dst),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphersuite:
    """One of the two suites; octets of one mean nothing to the other."""

    id: bytes
    expand: Expand
    p1: bytes
    """The fixed point P1, compressed."""

    def hash_to_scalar(self, message: bytes, dst: bytes) -> int:
        """Hash a public message to a scalar (section 4.2.2)."""
        return int.from_bytes(self.expand(message, dst, UNIFORM_LENGTH), "big") % ORDER

    def hash_to_curve(self, message: bytes, dst: bytes) -> Point:
        """Hash to a point of G1 (RFC 9380, section 3); its logarithm is known to nobody."""
        uniform = self.expand(message, dst, 2 * _ELEMENT)
        first, second = (
            int.from_bytes(half, "big") % FIELD for half in (uniform[:_ELEMENT], uniform[_ELEMENT:])
        )
        return curve.BACKEND.map_to_curve(first, second)


SHA_256: Final = Ciphersuite(
    id=b"BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_",
    expand=expand_xmd,
    p1=bytes.fromhex(
        "a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd22"
        "5e7c59698588e70d11406d161b4e28c9"
    ),
)
SHAKE_256: Final = Ciphersuite(
    id=b"BBS_BLS12381G1_XOF:SHAKE-256_SSWU_RO_",
    expand=expand_xof,
    p1=bytes.fromhex(
        "8929dfbc7e6642c4ed9cba0856e493f8b9d7d5fcb0c31ef8fdcd34d50648a56c"
        "795e106e9eada6e0bda386b414150755"
    ),
)
