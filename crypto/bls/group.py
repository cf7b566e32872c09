"""Points of G1, keys in G2 and scalars of BLS12-381, and what a library must do with them.

draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1 and appendix C (compressed points). Secret
scalars meet `multiply` and the scalar field of `blst` only; `Table.sum` and `sum_of` are for
scalars that everybody may know. The libraries are `blst` and `arkworks`; which one is in use is
decided in `curve`.
"""

import struct
from collections.abc import Sequence
from typing import Final, NewType, Protocol

from crypto.errors import Malformed

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Of G1 and G2; the drafts' r."""
ORDER_BITS: Final = 255
FIELD: Final = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
    "1eabfffeb153ffffb9feffffffffaaab",
    16,
)
"""Of the coordinates; the drafts' p."""
POINT_LENGTH: Final = 48
KEY_LENGTH: Final = 96
SCALAR_LENGTH: Final = 32
UNIFORM_LENGTH: Final = 48
"""Uniform octets that are reduced to one scalar."""

Point = NewType("Point", object)
"""A point of G1; it belongs to the backend that made it."""
Scalar = NewType("Scalar", bytes)
"""32 octets, big-endian, below `ORDER`; a secret one never becomes an int."""
Key = NewType("Key", object)
"""A point of G2 that was checked, ready for pairings."""

_COMPRESSED, _INFINITY = 0x80, 0x40
_ONE_SCALAR: Final = struct.Struct(f"{SCALAR_LENGTH}s")
_ZERO_OCTETS: Final = bytes(SCALAR_LENGTH)
_ORDER_OCTETS: Final = ORDER.to_bytes(SCALAR_LENGTH, "big")

UNAVAILABLE: Final = (
    "BBS signing and proving need blst's constant-time curve code (package ckzg), which is not"
    " usable here; verifying still works."
)


class SigningUnavailable(RuntimeError):
    """There is no constant-time curve library here; the text is for people."""


class Table(Protocol):
    """Points that many sums have in common."""

    def sum(
        self, scalars: Sequence[int], points: Sequence[Point] = (), more: Sequence[int] = ()
    ) -> Point:
        """Return the sum of `scalars[i]` times the i-th point; public scalars only.

        Args:
            scalars: one for each point of the table.
            points: further points, seen once.
            more: one for each of those.
        """


class Backend(Protocol):
    """What a library must do for us."""

    name: str

    def decode(self, octets: bytes) -> Point:
        """Read a compressed point of G1 other than the identity, or raise `Malformed`."""

    def encode(self, points: Sequence[Point]) -> bytes:
        """Write points compressed, one after another."""

    def is_identity(self, point: Point) -> bool:
        """Say whether it is the neutral element."""

    def map_to_curve(self, first: int, second: int) -> Point:
        """Map two field elements to G1 and add them (RFC 9380, section 3)."""

    def table(self, points: Sequence[Point]) -> Table:
        """Lay points out for sums."""

    def sum_of(
        self, points: Sequence[Point], scalars: Sequence[int], bits: int = ORDER_BITS
    ) -> Point:
        """Return a sum over points seen once; public scalars only, none longer than `bits`."""

    def add(self, points: Sequence[Point]) -> Point:
        """Return the sum of points."""

    def negative(self, point: Point) -> Point:
        """Return the point with its sign changed."""

    def load_key(self, octets: bytes) -> Key:
        """Read a compressed point of G2 other than the identity, or raise `Malformed`."""

    def fits(self, left: Point, right: Point, key: Key) -> bool:
        """Say whether e(left, key) equals e(right, base point of G2)."""


def int_of(octets: bytes) -> int:
    """Read a public scalar.

    Raises:
        Malformed: not 32 octets, zero, or not below the order.
    """
    found = int.from_bytes(octets, "big")
    if len(octets) != SCALAR_LENGTH or not 0 < found < ORDER:
        raise Malformed("a scalar is 32 octets, above zero and below the order")
    return found


def ints_of(octets: bytes) -> list[int]:
    """Read public scalars that stand one after another.

    Raises:
        Malformed: nothing, no whole number of them, or one that `int_of` refuses.
    """
    if not octets or len(octets) % SCALAR_LENGTH:
        raise Malformed("scalars have 32 octets each")
    scalars = [scalar for (scalar,) in _ONE_SCALAR.iter_unpack(octets)]
    # Octets compare like the numbers that they spell, and sooner.
    if _ZERO_OCTETS in scalars or max(scalars) >= _ORDER_OCTETS:
        raise Malformed("a scalar is above zero and below the order")
    return [int.from_bytes(scalar, "big") for scalar in scalars]


def octets_of(scalar: int) -> Scalar:
    """Write a public scalar, reduced."""
    return Scalar((scalar % ORDER).to_bytes(SCALAR_LENGTH, "big"))


def check_prefix(octets: bytes, length: int) -> None:
    """Check length and flags of a compressed point.

    Raises:
        Malformed: another length, not compressed, or the identity.
    """
    if len(octets) != length:
        raise Malformed("a compressed point has 48 octets in G1 and 96 in G2")
    if not octets[0] & _COMPRESSED or octets[0] & _INFINITY:
        raise Malformed("not compressed, or the identity")
