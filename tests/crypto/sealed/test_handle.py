import hashlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Malformed, Refused
from crypto.sealed import box, handle

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
slips = st.integers(0, 2**130 - 1).map(lambda number: handle.Slip(number.to_bytes(17, "big")))


def fixed(length: int) -> bytes:
    return hashlib.shake_256(b"chance").digest(length)


SLIP = handle.new_slip(random_bytes=fixed)
HANDLE = handle.handle(SLIP)


def test_a_handle_from_elsewhere_is_a_key_to_which_something_can_be_sealed() -> None:
    assert handle.parse_handle(bytes(HANDLE)) == HANDLE
    for octets in (b"", HANDLE[:31], HANDLE + b"0"):
        with pytest.raises(Malformed):
            handle.parse_handle(octets)
    for octets in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(Refused):
            handle.parse_handle(octets)


def test_a_new_slip_has_130_bits_and_no_more() -> None:
    assert handle.new_slip(random_bytes=lambda length: b"\xff" * length) == b"\x03" + b"\xff" * 16
    assert handle.new_slip(random_bytes=bytes) == bytes(17)


@given(slips)
def test_written_slip_is_read_back(slip: handle.Slip) -> None:
    text = handle.write_slip(slip)
    assert len(text) == 27 + 8
    assert handle.parse_slip(text) == slip


@given(slips, st.data())
def test_slip_is_read_as_people_write_it(slip: handle.Slip, data: st.DataObject) -> None:
    written = []
    for symbol in handle.write_slip(slip).replace("-", ""):
        spelled = data.draw(st.sampled_from({"0": "0Oo", "1": "1IiLl"}.get(symbol, symbol)))
        written.append(data.draw(st.sampled_from([spelled, spelled.lower()])))
        written.append(data.draw(st.sampled_from(["", "-", " ", "\t"])))
    assert handle.parse_slip("".join(written)) == slip


def test_every_wrong_symbol_is_found() -> None:
    symbols = handle.write_slip(SLIP).replace("-", "")
    for position, right in enumerate(symbols):
        for wrong in ALPHABET:
            if wrong != right:
                with pytest.raises(Malformed):
                    handle.parse_slip(symbols[:position] + wrong + symbols[position + 1 :])


def test_every_exchange_of_two_symbols_is_found() -> None:
    symbols = handle.write_slip(SLIP).replace("-", "")
    for first, second in combinations(range(27), 2):
        swapped = list(symbols)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        if swapped != list(symbols):
            with pytest.raises(Malformed):
                handle.parse_slip("".join(swapped))


@pytest.mark.parametrize(
    "text",
    ["", "0" * 26, "0" * 28, "U" * 27, "*" * 27, "0" * 26 + "é", "-" * 200, "\u0660" * 27],
    ids=["empty", "short", "long", "U", "star", "accent", "dashes", "other digits"],
)
def test_text_that_is_no_slip_is_malformed(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        handle.parse_slip(text)
    assert not text or text not in str(caught.value)


def test_hashes_are_what_the_design_says() -> None:
    row = b"row" + HANDLE + (7).to_bytes(8, "big") + b"resident_sd_jwt"
    assert (
        handle.row_key(HANDLE, period=7, configuration="resident_sd_jwt")
        == hashlib.sha256(row).digest()
    )
    withdrawn = hashlib.sha256(b"withdrawn" + HANDLE).digest()
    assert handle.withdrawn_key(HANDLE) == withdrawn
    lock = hashlib.sha256(b"lock" + HANDLE).digest()[:8]
    assert handle.lock_id(HANDLE) == int.from_bytes(lock, "big", signed=True)


def test_row_mark_period_and_configuration_are_told_apart() -> None:
    names = {
        make(HANDLE, period=period, configuration=configuration)
        for make in (handle.row_key, handle.mark)
        for period in (-1, 0, 1)
        for configuration in ("a", "b")
    }
    assert len(names) == 12


def test_handle_of_another_length_is_malformed() -> None:
    with pytest.raises(Malformed):
        handle.withdrawn_key(handle.Handle(HANDLE + b"\0"))


@given(st.lists(st.integers(0, handle.PAD - 1), max_size=20))
def test_sealed_indices_open_with_the_slip(indices: list[int]) -> None:
    sealed = handle.seal_indices(HANDLE, indices=indices, random_bytes=fixed)
    assert len(sealed) == 80 + box.OVERHEAD
    assert handle.open_indices(sealed, slip=SLIP) == tuple(indices)


@pytest.mark.parametrize("indices", [[0] * 21, [-1], [handle.PAD]])
def test_indices_out_of_range_are_a_bug_of_the_caller(indices: list[int]) -> None:
    with pytest.raises(ValueError, match="at most 20"):
        handle.seal_indices(HANDLE, indices=indices, random_bytes=fixed)


def test_another_slip_does_not_open_the_indices() -> None:
    sealed = handle.seal_indices(HANDLE, indices=[1, 2], random_bytes=fixed)
    with pytest.raises(Refused):
        handle.open_indices(sealed, slip=handle.Slip(bytes(17)))


def test_box_with_other_content_is_malformed() -> None:
    sealed = box.seal(bytes(76), recipient=HANDLE, random_bytes=fixed)
    with pytest.raises(Malformed):
        handle.open_indices(sealed, slip=SLIP)
