"""blst, by ctypes: the symbols that the `ckzg` extension module exports, each typed and tried.

Buffers have fixed sizes, scratch memory is kept per thread. `blst_p1_mult`, `blst_p2_mult` and
the scalar field run in constant time; the sums of many multiples do not, and are for public
scalars. Only what BBS needs is named. Where a symbol is missing or a known answer is wrong,
`find` returns nothing, and `curve` falls back to what can only verify.
"""

import ctypes
import threading
from collections.abc import Sequence
from typing import Any, Final, Literal

from crypto.bls.group import (
    KEY_LENGTH,
    POINT_LENGTH,
    SCALAR_LENGTH,
    UNIFORM_LENGTH,
    Key,
    Point,
    Scalar,
    Table,
    check_prefix,
    octets_of,
)
from crypto.errors import Malformed

_AFFINE1, _JACOBIAN1, _AFFINE2, _JACOBIAN2 = 96, 144, 192, 288
_FR, _FP, _FP12, _LINES = 32, 48, 576, 68 * 288
_BITS = 255
_WINDOW = 8
"""Bits of the window of a table: 12 KiB a point, and little faster beyond."""

_FUNCTIONS: Final[dict[str, tuple[Any, str]]] = {
    "blst_p1_uncompress": (ctypes.c_int, "pp"),
    "blst_p1_affine_in_g1": (ctypes.c_bool, "p"),
    "blst_p1_compress": (None, "pp"),
    "blst_p1_from_affine": (None, "pp"),
    "blst_p1_to_affine": (None, "pp"),
    "blst_p1_is_inf": (ctypes.c_bool, "p"),
    "blst_p1_add_or_double": (None, "ppp"),
    "blst_p1_cneg": (None, "pb"),
    "blst_p1_mult": (None, "pppn"),
    "blst_map_to_g1": (None, "ppp"),
    "blst_fp_from_bendian": (None, "pp"),
    "blst_p1s_mult_wbits_precompute_sizeof": (ctypes.c_size_t, "nn"),
    "blst_p1s_mult_wbits_precompute": (None, "pnpn"),
    "blst_p1s_mult_wbits_scratch_sizeof": (ctypes.c_size_t, "n"),
    "blst_p1s_mult_wbits": (None, "ppnnpnp"),
    "blst_p1s_mult_pippenger_scratch_sizeof": (ctypes.c_size_t, "n"),
    "blst_p1s_mult_pippenger": (None, "ppnpnp"),
    "blst_p2_uncompress": (ctypes.c_int, "pp"),
    "blst_p2_affine_in_g2": (ctypes.c_bool, "p"),
    "blst_p2_generator": (ctypes.c_void_p, ""),
    "blst_p2_affine_generator": (ctypes.c_void_p, ""),
    "blst_p2_mult": (None, "pppn"),
    "blst_p2_compress": (None, "pp"),
    "blst_precompute_lines": (None, "pp"),
    "blst_miller_loop_lines": (None, "ppp"),
    "blst_fp12_mul": (None, "ppp"),
    "blst_final_exp": (None, "pp"),
    "blst_fp12_is_one": (ctypes.c_bool, "p"),
    "blst_scalar_from_be_bytes": (ctypes.c_bool, "ppn"),
    "blst_fr_from_scalar": (None, "pp"),
    "blst_scalar_from_fr": (None, "pp"),
    "blst_fr_add": (None, "ppp"),
    "blst_fr_sub": (None, "ppp"),
    "blst_fr_mul": (None, "ppp"),
    "blst_fr_inverse": (None, "pp"),
}
"""Each function's result and arguments: p a buffer, n a size, b a flag."""
_TYPES: Final[dict[str, Any]] = {
    "p": ctypes.c_void_p,
    "n": ctypes.c_size_t,
    "b": ctypes.c_bool,
}


def _buffer(length: int) -> Any:
    return ctypes.create_string_buffer(length)


def _pointers(contiguous: Any) -> Any:
    """Point at an array whose items follow each other: the first address, then none."""
    return (ctypes.c_void_p * 2)(ctypes.addressof(contiguous), None)


def _packed(scalars: Sequence[int], count: int) -> Any:
    """Lay scalars out little-endian; one too few would let blst read past the end."""
    if len(scalars) != count:
        raise ValueError("as many scalars as points")
    joined = b"".join([each.to_bytes(SCALAR_LENGTH, "little") for each in scalars])
    return ctypes.create_string_buffer(joined, SCALAR_LENGTH * count)


class Blst:
    """The library, by the symbols of a shared object."""

    name = "blst"

    def __init__(self, library: str) -> None:
        """Look every symbol up; `OSError` or `AttributeError` where one is missing."""
        self._c: Any = ctypes.CDLL(library)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._c, name)
            function.restype = result
            function.argtypes = [_TYPES[each] for each in arguments]
        self._mine = threading.local()
        self._base = self._lines(self._c.blst_p2_affine_generator())

    def decode(self, octets: bytes) -> Point:
        """Read a point, checked to be in the subgroup."""
        check_prefix(octets, POINT_LENGTH)
        affine, point = _buffer(_AFFINE1), _buffer(_JACOBIAN1)
        if self._c.blst_p1_uncompress(affine, octets) or not self._c.blst_p1_affine_in_g1(affine):
            raise Malformed("not a point of G1")
        self._c.blst_p1_from_affine(point, affine)
        return Point(point)

    def encode(self, points: Sequence[Point]) -> bytes:
        """Write points compressed, one after another."""
        octets = _buffer(POINT_LENGTH * len(points))
        for place, point in enumerate(points):
            self._c.blst_p1_compress(ctypes.addressof(octets) + POINT_LENGTH * place, point)
        found: bytes = octets.raw
        return found

    def is_identity(self, point: Point) -> bool:
        """Say whether it is the neutral element."""
        return bool(self._c.blst_p1_is_inf(point))

    def map_to_curve(self, first: int, second: int) -> Point:
        """Map two field elements and add."""
        elements = [_buffer(_FP), _buffer(_FP)]
        for element, value in zip(elements, (first, second), strict=True):
            self._c.blst_fp_from_bendian(element, value.to_bytes(_FP, "big"))
        point = _buffer(_JACOBIAN1)
        self._c.blst_map_to_g1(point, *elements)
        return Point(point)

    def table(self, points: Sequence[Point]) -> Table:
        """Lay points out for sums."""
        return _BlstTable(self, self._c, points)

    def sum_of(self, points: Sequence[Point], scalars: Sequence[int]) -> Point:
        """Return a sum over points seen once; not in constant time."""
        count = len(points)
        if count == 1 == len(scalars):  # for one, blst's sum is slower than its multiple
            return self.multiply(points[0], octets_of(scalars[0]))
        affine, packed, total = self.affine(points), _packed(scalars, count), _buffer(_JACOBIAN1)
        scratch = self.scratch("blst_p1s_mult_pippenger_scratch_sizeof", count)
        self._c.blst_p1s_mult_pippenger(
            total, _pointers(affine), count, _pointers(packed), _BITS, scratch
        )
        return Point(total)

    def add(self, points: Sequence[Point]) -> Point:
        """Return the sum of points."""
        total = _buffer(_JACOBIAN1)
        for point in points:
            self._c.blst_p1_add_or_double(total, total, point)
        return Point(total)

    def negative(self, point: Point) -> Point:
        """Return the point with its sign changed."""
        turned = _buffer(_JACOBIAN1)
        self._c.blst_p1_add_or_double(turned, turned, point)
        self._c.blst_p1_cneg(turned, True)  # noqa: FBT003, the C function's flag
        return Point(turned)

    def multiply(self, point: Point, scalar: Scalar) -> Point:
        """Return a multiple, in constant time."""
        multiple = _buffer(_JACOBIAN1)
        self._c.blst_p1_mult(multiple, point, scalar[::-1], _BITS)
        return Point(multiple)

    def load_key(self, octets: bytes) -> Key:
        """Read a key, checked to be in the subgroup, and lay its pairing out."""
        check_prefix(octets, KEY_LENGTH)
        affine = _buffer(_AFFINE2)
        if self._c.blst_p2_uncompress(affine, octets) or not self._c.blst_p2_affine_in_g2(affine):
            raise Malformed("not a point of G2")
        return Key(self._lines(affine))

    def fits(self, left: Point, right: Point, key: Key) -> bool:
        """Compare two pairings: two Miller loops over laid out lines, one final exponentiation."""
        affine = self.affine([left, self.negative(right)])
        first, second = _buffer(_FP12), _buffer(_FP12)
        where = ctypes.addressof(affine)
        self._c.blst_miller_loop_lines(first, key, where)
        self._c.blst_miller_loop_lines(second, self._base, where + _AFFINE1)
        self._c.blst_fp12_mul(first, first, second)
        self._c.blst_final_exp(first, first)
        return bool(self._c.blst_fp12_is_one(first))

    def public_key(self, secret: Scalar) -> bytes:
        """Return a multiple of the base point of G2, compressed; in constant time."""
        point, octets = _buffer(_JACOBIAN2), _buffer(KEY_LENGTH)
        self._c.blst_p2_mult(point, self._c.blst_p2_generator(), secret[::-1], _BITS)
        self._c.blst_p2_compress(octets, point)
        found: bytes = octets.raw
        return found

    def reduce(self, uniform: bytes) -> Scalar:
        """Return octets, big-endian, modulo the order; in constant time."""
        found = _buffer(_FR)
        self._c.blst_scalar_from_be_bytes(found, uniform, len(uniform))
        return Scalar(found.raw[::-1])

    def field(
        self, operation: Literal["add", "sub", "mul", "inverse"], *operands: Scalar
    ) -> Scalar:
        """Compute in the scalar field, in constant time."""
        elements = [_buffer(_FR) for _ in operands]
        for element, operand in zip(elements, operands, strict=True):
            self._c.blst_fr_from_scalar(element, operand[::-1])
        result = _buffer(_FR)
        getattr(self._c, f"blst_fr_{operation}")(result, *elements)
        self._c.blst_scalar_from_fr(result, result)
        return Scalar(result.raw[::-1])

    def affine(self, points: Sequence[Point]) -> Any:
        """Return points one after another with Z = 1, as sums and pairings take them."""
        affine = _buffer(_AFFINE1 * len(points))
        for place, point in enumerate(points):
            self._c.blst_p1_to_affine(ctypes.addressof(affine) + _AFFINE1 * place, point)
        return affine

    def scratch(self, sizeof: str, count: int) -> Any:
        """Return this thread's scratch memory for a sum of so many points."""
        kept = self._mine.__dict__
        name = f"{sizeof} {count}"
        if name not in kept:
            kept[name] = _buffer(getattr(self._c, sizeof)(count))
        return kept[name]

    def _lines(self, affine: Any) -> Any:
        lines = _buffer(_LINES)
        self._c.blst_precompute_lines(lines, affine)
        return lines


class _BlstTable:
    """Multiples of points, computed once."""

    def __init__(self, blst: Blst, c: Any, points: Sequence[Point]) -> None:
        self._blst, self._c, self._count = blst, c, len(points)
        self._table = _buffer(c.blst_p1s_mult_wbits_precompute_sizeof(_WINDOW, self._count))
        affine = blst.affine(points)
        c.blst_p1s_mult_wbits_precompute(self._table, _WINDOW, _pointers(affine), self._count)

    def sum(self, scalars: Sequence[int]) -> Point:
        packed, total = _packed(scalars, self._count), _buffer(_JACOBIAN1)
        scratch = self._blst.scratch("blst_p1s_mult_wbits_scratch_sizeof", self._count)
        self._c.blst_p1s_mult_wbits(
            total, self._table, _WINDOW, self._count, _pointers(packed), _BITS, scratch
        )
        return Point(total)


def find(library: str) -> Blst | None:
    """Return blst from a shared library; nothing where a symbol or a known answer is missing."""
    try:
        found = Blst(library)
    except (OSError, AttributeError):
        return None
    return found if _answers(found) else None


_SECRET: Final = Scalar(
    bytes.fromhex("60e55110f76883a13d030b2f6bd11883422d5abde717569fc0731f51237169fc")
)
_KEY: Final = bytes.fromhex(
    "a820f230f6ae38503b86c70dc50b61c58a77e45c39ab25c0652bbaa8fa136f28"
    "51bd4781c9dcde39fc9d1d52c9e60268061e7d7632171d91aa8d460acee0e96f"
    "1e7c4cfb12d3ff9ab5d5dc91c277db75c845d649ef3c4f63aebc364cd55ded0c"
)
"""A key pair of the draft's appendix, for tests only."""
_POINT: Final = bytes.fromhex(
    "a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd22"
    "5e7c59698588e70d11406d161b4e28c9"
)


def _answers(blst: Blst) -> bool:
    """Try the functions on known answers: a key, its pairing, both kinds of sum, the field."""
    if blst.public_key(_SECRET) != _KEY:
        return False
    key, point = blst.load_key(_KEY), blst.decode(_POINT)
    multiple, number = blst.multiply(point, _SECRET), int.from_bytes(_SECRET, "big")
    encoded = {
        blst.encode([each])
        for each in (multiple, blst.table([point]).sum([number]), blst.sum_of([point], [number]))
    }
    one = blst.field("mul", blst.field("inverse", _SECRET), _SECRET)
    return (
        len(encoded) == 1
        and blst.encode([point]) == _POINT
        and blst.fits(point, blst.negative(multiple), key) is False
        and blst.fits(point, multiple, key)
        and one == octets_of(1)
        and blst.reduce(octets_of(7).rjust(UNIFORM_LENGTH, b"\0")) == octets_of(7)
    )
