"""arkworks, the verify-only fallback and the oracle of tests; nothing in it is constant-time.

`py_arkworks_bls12381` cuts the longer of two lists in a sum without a word and accepts the
identity; both are refused here before it is called. It does nothing with a secret.
"""

from collections.abc import Sequence
from typing import Any

import py_arkworks_bls12381 as arkworks

from crypto.bls.group import (
    KEY_LENGTH,
    ORDER_BITS,
    POINT_LENGTH,
    Key,
    Point,
    Table,
    check_prefix,
    octets_of,
)
from crypto.errors import Malformed


class Arkworks:
    """The library, verify-only."""

    name = "arkworks, verify-only"

    def decode(self, octets: bytes) -> Point:
        """Read a point, checked to be in the subgroup."""
        check_prefix(octets, POINT_LENGTH)
        try:
            point = arkworks.G1Point.from_compressed_bytes(octets)
        except ValueError as error:
            raise Malformed("not a point of G1") from error
        if bytes(point.to_compressed_bytes()) != octets:
            raise Malformed("another spelling of a point")
        return Point(point)

    def encode(self, points: Sequence[Any]) -> bytes:
        """Write points compressed, one after another."""
        return b"".join(bytes(point.to_compressed_bytes()) for point in points)

    def is_identity(self, point: Point) -> bool:
        """Say whether it is the neutral element."""
        return bool(point == arkworks.G1Point.identity())

    def map_to_curve(self, first: int, second: int) -> Point:
        """Map two field elements and add."""
        mapped = [
            arkworks.G1Point.map_from_fp_be(each.to_bytes(POINT_LENGTH, "big"))
            for each in (first, second)
        ]
        return Point(mapped[0] + mapped[1])

    def table(self, points: Sequence[Point]) -> Table:
        """Keep the points; nothing is laid out here."""
        return _ArkworksTable(self, points)

    def sum_of(
        self, points: Sequence[Any], scalars: Sequence[int], bits: int = ORDER_BITS
    ) -> Point:
        """Return a sum of multiples; shorter scalars save nothing here."""
        if any(each >> bits for each in scalars):
            raise OverflowError("a scalar is longer than was said")
        if len(points) != len(scalars):  # the library would leave the rest out
            raise ValueError("as many scalars as points")
        values = [arkworks.Scalar.from_be_bytes(octets_of(each)) for each in scalars]
        return Point(arkworks.G1Point.multiexp_unchecked([*points], values))

    def add(self, points: Sequence[Any]) -> Point:
        """Return the sum of points."""
        return Point(sum(points, start=arkworks.G1Point.identity()))

    def negative(self, point: Any) -> Point:
        """Return the point with its sign changed."""
        return Point(-point)

    def load_key(self, octets: bytes) -> Key:
        """Read a key, checked to be in the subgroup."""
        check_prefix(octets, KEY_LENGTH)
        try:
            point = arkworks.G2Point.from_compressed_bytes(octets)
        except ValueError as error:
            raise Malformed("not a point of G2") from error
        if bytes(point.to_compressed_bytes()) != octets:
            raise Malformed("another spelling of a point")
        return Key(point)

    def fits(self, left: Any, right: Any, key: Any) -> bool:
        """Compare two pairings."""
        return bool(arkworks.GT.pairing_check([left, -right], [key, arkworks.G2Point()]))


class _ArkworksTable:
    """Points as they are."""

    def __init__(self, backend: Arkworks, points: Sequence[Point]) -> None:
        self._backend, self._points = backend, points

    def sum(
        self, scalars: Sequence[int], points: Sequence[Point] = (), more: Sequence[int] = ()
    ) -> Point:
        if len(points) != len(more):
            raise ValueError("as many scalars as points")
        return self._backend.sum_of([*self._points, *points], [*scalars, *more])
