"""Both libraries behind the curve agree, refuse the same, and the probe finds what is wrong."""

import ckzg  # type: ignore[import-not-found]  # an extension module without types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.bls import blst, curve
from crypto.bls.arkworks import Arkworks
from crypto.bls.blst import Blst
from crypto.bls.group import (
    FIELD,
    ORDER,
    Backend,
    Scalar,
    SigningUnavailable,
    int_of,
    ints_of,
    octets_of,
)
from crypto.errors import Malformed

BLST = curve.secret()
ARKWORKS = Arkworks()
BOTH: list[Backend] = [BLST, ARKWORKS]
P1 = bytes.fromhex(
    "a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd22"
    "5e7c59698588e70d11406d161b4e28c9"
)
KEY = BLST.public_key(octets_of(5))
SCALARS = st.integers(min_value=0, max_value=ORDER - 1)


def outside_the_subgroup() -> bytes:
    """A point of the curve whose order is not r: most x have one."""
    for x in range(1, 50):
        square = (pow(x, 3, FIELD) + 4) % FIELD
        if pow(square, (FIELD - 1) // 2, FIELD) == 1:
            return bytes([0x80]) + x.to_bytes(47, "big")
    raise AssertionError


BAD_POINTS = {
    "identity": bytes([0xC0]) + bytes(47),
    "not compressed": bytes([P1[0] & 0x7F]) + P1[1:],
    "short": P1[:-1],
    "long": P1 + b"\0",
    "empty": b"",
    "x not below p": bytes([0x80 | FIELD >> 376]) + (FIELD % (1 << 376)).to_bytes(47, "big"),
    "not on the curve": bytes([0x80]) + bytes(46) + b"\1",
    "outside the subgroup": outside_the_subgroup(),
    "infinity with a sign": bytes([0xE0]) + bytes(47),
}


@pytest.mark.parametrize("backend", BOTH, ids=["blst", "arkworks"])
@pytest.mark.parametrize("octets", BAD_POINTS.values(), ids=BAD_POINTS.keys())
def test_what_is_no_point_of_g1_is_malformed(backend: Backend, octets: bytes) -> None:
    with pytest.raises(Malformed):
        backend.decode(octets)


BAD_KEYS = {
    "identity": bytes([0xC0]) + bytes(95),
    "not compressed": bytes([KEY[0] & 0x7F]) + KEY[1:],
    "short": KEY[:-1],
    "a point of G1": P1,
    "not on the curve": bytes([0x80]) + bytes(94) + b"\1",
    "outside the subgroup": bytes([0x80]) + bytes(94) + b"\2",
}


@pytest.mark.parametrize("backend", BOTH, ids=["blst", "arkworks"])
@pytest.mark.parametrize("octets", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_what_is_no_point_of_g2_is_malformed(backend: Backend, octets: bytes) -> None:
    with pytest.raises(Malformed):
        backend.load_key(octets)


@given(st.lists(SCALARS, min_size=1, max_size=5), st.integers(1, ORDER - 1))
def test_both_libraries_compute_the_same_sums(scalars: list[int], base: int) -> None:
    encoded = set()
    for backend in BOTH:
        first = backend.decode(P1)
        points = [backend.sum_of([first], [base + place]) for place in range(len(scalars))]
        encoded.add(backend.encode([backend.sum_of(points, scalars)]))
        encoded.add(backend.encode([backend.table(points).sum(scalars)]))
    assert len(encoded) == 1


@pytest.mark.parametrize("count", [1, 2, 17, 65, 70])
def test_both_libraries_add_up_few_and_many_points(count: int) -> None:
    """Each size takes another way through blst: one multiple, small tables, wide ones, buckets."""
    scalars = [pow(7, place, ORDER) for place in range(count - 1)] + [0]
    encoded = set()
    for backend in BOTH:
        first = backend.decode(P1)
        points = [backend.sum_of([first], [3 + place]) for place in range(count)]
        table = backend.table(points)
        twice = table.sum(scalars, points, scalars)
        encoded.add(
            backend.encode([backend.sum_of(points, [2 * each % ORDER for each in scalars])])
        )
        encoded.add(backend.encode([twice]))
        with pytest.raises(ValueError, match="as many"):
            table.sum(scalars, points, scalars[1:])
    assert len(encoded) == 1


@pytest.mark.parametrize("backend", BOTH, ids=["blst", "arkworks"])
def test_a_sum_may_be_the_neutral_element(backend: Backend) -> None:
    point = backend.decode(P1)
    nothing = backend.table([point]).sum([ORDER - 1], [point], [1])
    assert backend.is_identity(nothing)
    assert backend.is_identity(backend.sum_of([point, point], [0, 0]))
    assert backend.encode([backend.add([nothing, point])]) == P1
    assert backend.encode([nothing]) == bytes([0xC0]) + bytes(47)


@given(st.binary(min_size=48, max_size=48))
def test_both_libraries_read_the_same_points(octets: bytes) -> None:
    read = []
    for backend in BOTH:
        try:
            read.append(backend.encode([backend.decode(octets)]))
        except Malformed:
            read.append(b"")
    assert read[0] == read[1]
    assert read[0] in {b"", octets}


@given(SCALARS, SCALARS)
def test_the_scalar_field_is_the_integers_modulo_the_order(a: int, b: int) -> None:
    x, y = octets_of(a), octets_of(b)
    assert BLST.field("add", x, y) == octets_of(a + b)
    assert BLST.field("sub", x, y) == octets_of(a - b)
    assert BLST.field("mul", x, y) == octets_of(a * b)
    if a:
        assert BLST.field("mul", BLST.field("inverse", x), x) == octets_of(1)


@given(st.binary(min_size=48, max_size=48))
def test_uniform_octets_are_reduced(octets: bytes) -> None:
    assert BLST.reduce(octets) == octets_of(int.from_bytes(octets, "big"))


@given(st.integers(1, ORDER - 1))
def test_a_secret_multiple_is_the_public_one(scalar: int) -> None:
    point = BLST.decode(P1)
    multiple = BLST.multiply(point, octets_of(scalar))
    assert BLST.encode([multiple]) == BLST.encode([BLST.sum_of([point], [scalar])])


@pytest.mark.parametrize("backend", BOTH, ids=["blst", "arkworks"])
def test_a_pairing_fits_its_key_and_no_other(backend: Backend) -> None:
    key, point = backend.load_key(KEY), backend.decode(P1)
    five = backend.sum_of([point], [5])
    assert backend.fits(point, five, key)
    assert not backend.fits(five, point, key)
    assert not backend.fits(point, backend.negative(five), key)
    assert backend.is_identity(backend.add([five, backend.negative(five)]))
    assert not backend.is_identity(five)


@pytest.mark.parametrize("backend", BOTH, ids=["blst", "arkworks"])
def test_as_many_scalars_as_points(backend: Backend) -> None:
    point = backend.decode(P1)
    with pytest.raises(ValueError, match="as many"):
        backend.sum_of([point, point], [1])
    with pytest.raises(ValueError, match="as many"):
        backend.table([point]).sum([1, 2])


@pytest.mark.parametrize("value", [0, ORDER, ORDER + 1, (1 << 256) - 1])
def test_a_scalar_outside_its_range_is_malformed(value: int) -> None:
    octets = value.to_bytes(32, "big")
    with pytest.raises(Malformed):
        int_of(octets)
    for row in (octets, octets_of(1) + octets, octets + octets_of(1)):
        with pytest.raises(Malformed):
            ints_of(row)


def test_a_scalar_of_another_length_is_malformed() -> None:
    for octets in (b"", b"\1", b"\1" * 31, b"\1" * 33):
        with pytest.raises(Malformed):
            int_of(octets)
        with pytest.raises(Malformed):
            ints_of(octets)


@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=5))
def test_scalars_in_a_row_are_read_like_each_alone(scalars: list[int]) -> None:
    row = b"".join(map(octets_of, scalars))
    assert ints_of(row) == scalars
    assert [int_of(octets_of(each)) for each in scalars] == scalars


def test_blst_is_found_where_its_symbols_are() -> None:
    assert isinstance(blst.find(ckzg.__file__), Blst)
    assert curve.BACKEND is BLST


def test_a_library_without_the_symbols_is_not_taken() -> None:
    assert blst.find("/nowhere/at/all.so") is None
    assert blst.find("libc.so.6") is None


def test_a_library_with_structures_of_another_size_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(blst._SIZES, "blst_fp12_sizeof", 577)
    assert blst.find(ckzg.__file__) is None


class Faulty(Blst):
    """A library that computes, and computes wrongly."""

    def reduce(self, uniform: bytes) -> Scalar:
        return octets_of(int.from_bytes(super().reduce(uniform), "big") + 1)


def test_a_library_with_a_wrong_answer_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blst, "Blst", Faulty)
    assert blst.find(ckzg.__file__) is None


def test_without_blst_nothing_secret_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "_BLST", None)
    with pytest.raises(SigningUnavailable, match="verifying still works"):
        curve.secret()


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_sums_of_short_scalars_are_the_same_sums(count: int) -> None:
    scalars = [(1 << 128) - 1 - 7**each for each in range(count)]
    for backend in (BLST, ARKWORKS):
        points = [backend.decode(P1)] * count
        short, whole = (backend.sum_of(points, scalars, bits) for bits in (128, 255))
        assert backend.encode([short]) == backend.encode([whole])
        with pytest.raises(OverflowError):
            backend.sum_of(points, [*scalars[:-1], 1 << 128], 128)
