"""blst, by ctypes: the symbols that the `ckzg` extension module exports, each typed and tried.

Buffers have fixed sizes, scratch memory is kept per thread. `blst_p1_mult`, `blst_p2_mult` and
the scalar field run in constant time; the sums of many multiples do not, and are for public
scalars. Only what BBS needs is named. Where a symbol is missing or a known answer is wrong,
`find` returns nothing, and `curve` falls back to what can only verify.
"""

import ctypes
import threading
from collections.abc import Sequence
from typing import Any, Final, Literal, cast

from crypto.bls.group import (
    KEY_LENGTH,
    ORDER_BITS,
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
_IDENTITY: Final = bytes(_AFFINE1)
_SLICES, _SLICE = 8, 32
"""A table cuts each scalar into slices of 32 bits, each with multiples of its own: an eighth of the
doublings, and scalars laid out one after another are their slices laid out."""
_WINDOW, _NARROW, _FEW = 7, 4, 64
"""Bits of a table's window, 48 KiB a point; with more points than a few, 6 KiB a point."""
_AT_ONCE = 16
"""Up to so many points that are seen once are quicker with a small table than with buckets."""
_SMALL = 4
"""Bits of that table's window."""

_SIZES: Final = {
    "blst_p1_affine_sizeof": _AFFINE1,
    "blst_p1_sizeof": _JACOBIAN1,
    "blst_p2_affine_sizeof": _AFFINE2,
    "blst_p2_sizeof": _JACOBIAN2,
    "blst_fp12_sizeof": _FP12,
}
"""What the library says of its structures, and what is reserved for them here."""

_FUNCTIONS: Final[dict[str, tuple[Any, str]]] = {
    **dict.fromkeys(_SIZES, (ctypes.c_size_t, "")),
    "blst_p1_uncompress": (ctypes.c_int, "pp"),
    "blst_p1_affine_in_g1": (ctypes.c_bool, "p"),
    "blst_p1_affine_compress": (None, "pp"),
    "blst_p1_from_affine": (None, "pp"),
    "blst_p1_to_affine": (None, "pp"),
    "blst_p1_add_or_double": (None, "ppp"),
    "blst_p1_add_or_double_affine": (None, "ppp"),
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
    "blst_fp12_finalverify": (ctypes.c_bool, "pp"),
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


_Affine1 = ctypes.c_char * _AFFINE1
_Affine2 = ctypes.c_char * _AFFINE2
_Jacobian1 = ctypes.c_char * _JACOBIAN1
_Jacobian2 = ctypes.c_char * _JACOBIAN2
_Compressed1 = ctypes.c_char * POINT_LENGTH
_Compressed2 = ctypes.c_char * KEY_LENGTH
_Fp = ctypes.c_char * _FP
_Fr = ctypes.c_char * _FR
_Fp12 = ctypes.c_char * _FP12
_Lines = ctypes.c_char * _LINES
_SmallTable = ctypes.c_char * (_AT_ONCE * _AFFINE1 << _SMALL - 1)
_Run = ctypes.c_char_p * 2
"""Points at items that follow each other: the first address, then none."""


def _packed(scalars: Sequence[int], count: int, length: int = SCALAR_LENGTH) -> bytes:
    """Lay scalars out little-endian; one too few would let blst read past the end."""
    if len(scalars) != count:
        raise ValueError("as many scalars as points")
    return b"".join([each.to_bytes(length, "little") for each in scalars])


class Blst:
    """The library, by the symbols of a shared object.

    A point is its 96 octets as blst keeps it, Z = 1: what sums and pairings take as it is.
    """

    name = "blst"

    def __init__(self, library: str) -> None:
        """Look every symbol up; `OSError` or `AttributeError` where one is missing or other."""
        self._c: Any = ctypes.CDLL(library)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._c, name)
            function.restype = result
            function.argtypes = [_TYPES[each] for each in arguments]
        for name, size in _SIZES.items():
            if getattr(self._c, name)() != size:
                raise AttributeError(name)
        self._mine = threading.local()
        self._base = self._lines(self._c.blst_p2_affine_generator())

    def decode(self, octets: bytes) -> Point:
        """Read a point, checked to be in the subgroup."""
        check_prefix(octets, POINT_LENGTH)
        affine = _Affine1()
        if self._c.blst_p1_uncompress(affine, octets) or not self._c.blst_p1_affine_in_g1(affine):
            raise Malformed("not a point of G1")
        return Point(affine.raw)

    def encode(self, points: Sequence[Point]) -> bytes:
        """Write points compressed, one after another."""
        compressed, octets = _Compressed1(), b""
        for point in points:
            self._c.blst_p1_affine_compress(compressed, point)
            octets += compressed.raw
        return octets

    def is_identity(self, point: Point) -> bool:
        """Say whether it is the neutral element."""
        return cast("bytes", point) == _IDENTITY

    def map_to_curve(self, first: int, second: int) -> Point:
        """Map two field elements and add."""
        elements = (_Fp(), _Fp())
        for element, value in zip(elements, (first, second), strict=True):
            self._c.blst_fp_from_bendian(element, value.to_bytes(_FP, "big"))
        point = _Jacobian1()
        self._c.blst_map_to_g1(point, *elements)
        return self.affine(point)

    def table(self, points: Sequence[Point]) -> Table:
        """Lay points out for sums."""
        return _BlstTable(self, self._c, points)

    def sum_of(
        self, points: Sequence[Point], scalars: Sequence[int], bits: int = ORDER_BITS
    ) -> Point:
        """Return a sum over points seen once; not in constant time."""
        total = _Jacobian1()
        self.sum_into(total, points, scalars, bits)
        return self.affine(total)

    def sum_into(
        self, total: Any, points: Sequence[Any], scalars: Sequence[int], bits: int = ORDER_BITS
    ) -> None:
        """Write such a sum as blst keeps it while it adds."""
        c, count = self._c, len(points)
        packed = _packed(scalars, count, -(-bits // 8))
        if count == 1:
            c.blst_p1_from_affine(total, points[0])
            c.blst_p1_mult(total, total, packed, bits)
            return
        run, those = _Run(b"".join(points), None), _Run(packed, None)
        if count <= _AT_ONCE:
            table = _SmallTable()
            scratch = self.scratch("blst_p1s_mult_wbits_scratch_sizeof", _AT_ONCE)
            c.blst_p1s_mult_wbits_precompute(table, _SMALL, run, count)
            c.blst_p1s_mult_wbits(total, table, _SMALL, count, those, bits, scratch)
        else:
            scratch = self.scratch("blst_p1s_mult_pippenger_scratch_sizeof", count)
            c.blst_p1s_mult_pippenger(total, run, count, those, bits, scratch)

    def add(self, points: Sequence[Point]) -> Point:
        """Return the sum of points."""
        total = _Jacobian1()
        for point in points:
            self._c.blst_p1_add_or_double_affine(total, total, point)
        return self.affine(total)

    def negative(self, point: Point) -> Point:
        """Return the point with its sign changed."""
        turned = _Jacobian1()
        self._c.blst_p1_from_affine(turned, point)
        self._c.blst_p1_cneg(turned, True)  # noqa: FBT003, the C function's flag
        return self.affine(turned)

    def multiply(self, point: Point, scalar: Scalar) -> Point:
        """Return a multiple, in constant time."""
        multiple = _Jacobian1()
        self._c.blst_p1_from_affine(multiple, point)
        self._c.blst_p1_mult(multiple, multiple, scalar[::-1], ORDER_BITS)
        return self.affine(multiple)

    def load_key(self, octets: bytes) -> Key:
        """Read a key, checked to be in the subgroup, and lay its pairing out."""
        check_prefix(octets, KEY_LENGTH)
        affine = _Affine2()
        if self._c.blst_p2_uncompress(affine, octets) or not self._c.blst_p2_affine_in_g2(affine):
            raise Malformed("not a point of G2")
        return Key(self._lines(affine))

    def fits(self, left: Point, right: Point, key: Key) -> bool:
        """Compare two pairings: two Miller loops over laid out lines, one final exponentiation."""
        first, second = _Fp12(), _Fp12()
        self._c.blst_miller_loop_lines(first, key, left)
        self._c.blst_miller_loop_lines(second, self._base, right)
        return bool(self._c.blst_fp12_finalverify(first, second))

    def public_key(self, secret: Scalar) -> bytes:
        """Return a multiple of the base point of G2, compressed; in constant time."""
        point, octets = _Jacobian2(), _Compressed2()
        self._c.blst_p2_mult(point, self._c.blst_p2_generator(), secret[::-1], ORDER_BITS)
        self._c.blst_p2_compress(octets, point)
        found: bytes = octets.raw
        return found

    def reduce(self, uniform: bytes) -> Scalar:
        """Return octets, big-endian, modulo the order; in constant time."""
        found = _Fr()
        self._c.blst_scalar_from_be_bytes(found, uniform, len(uniform))
        return Scalar(found.raw[::-1])

    def field(
        self, operation: Literal["add", "sub", "mul", "inverse"], *operands: Scalar
    ) -> Scalar:
        """Compute in the scalar field, in constant time."""
        elements = [_Fr() for _ in operands]
        for element, operand in zip(elements, operands, strict=True):
            self._c.blst_fr_from_scalar(element, operand[::-1])
        result = _Fr()
        getattr(self._c, f"blst_fr_{operation}")(result, *elements)
        self._c.blst_scalar_from_fr(result, result)
        return Scalar(result.raw[::-1])

    def scratch(self, sizeof: str, count: int) -> Any:
        """Return this thread's scratch memory for a sum of so many points."""
        kept = self._mine.__dict__
        name = f"{sizeof} {count}"
        if name not in kept:
            # Sums of many lengths share a handful of sizes: a batch must not make memory grow.
            size = getattr(self._c, sizeof)(count)
            kept[name] = kept.setdefault(f"of {size}", ctypes.create_string_buffer(size))
        return kept[name]

    def affine(self, jacobian: Any) -> Point:
        """Return a point with Z = 1."""
        affine = _Affine1()
        self._c.blst_p1_to_affine(affine, jacobian)
        return Point(affine.raw)

    def _lines(self, affine: Any) -> Any:
        lines = _Lines()
        self._c.blst_precompute_lines(lines, affine)
        return lines


class _BlstTable:
    """Multiples of points, computed once."""

    def __init__(self, blst: Blst, c: Any, points: Sequence[Point]) -> None:
        self._blst, self._c, self._points = blst, c, len(points)
        self._count = self._points * _SLICES
        self._window = _WINDOW if self._points <= _FEW else _NARROW
        shifted: list[Any] = []
        step, multiple = (1 << _SLICE).to_bytes(_SLICE // 8 + 1, "little"), _Jacobian1()
        for point in points:
            shifted.append(point)
            c.blst_p1_from_affine(multiple, point)
            for _ in range(_SLICES - 1):
                c.blst_p1_mult(multiple, multiple, step, _SLICE + 1)
                shifted.append(blst.affine(multiple))
        size = c.blst_p1s_mult_wbits_precompute_sizeof(self._window, self._count)
        self._table = ctypes.create_string_buffer(size)
        run = _Run(b"".join(shifted), None)
        c.blst_p1s_mult_wbits_precompute(self._table, self._window, run, self._count)

    def sum(
        self, scalars: Sequence[int], points: Sequence[Point] = (), more: Sequence[int] = ()
    ) -> Point:
        c, total = self._c, _Jacobian1()
        packed = _Run(_packed(scalars, self._points), None)
        scratch = self._blst.scratch("blst_p1s_mult_wbits_scratch_sizeof", self._count)
        c.blst_p1s_mult_wbits(
            total, self._table, self._window, self._count, packed, _SLICE, scratch
        )
        if points:
            rest = _Jacobian1()
            self._blst.sum_into(rest, points, more)
            c.blst_p1_add_or_double(total, total, rest)
        return self._blst.affine(total)


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
