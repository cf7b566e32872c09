import gzip
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.errors import Malformed, Refused
from crypto.status import bits
from crypto.status.bits import StatusBits

VECTORS = Path(__file__).parents[2] / "vectors" / "token-status-list"
widths = st.sampled_from(bits.WIDTHS)


@pytest.mark.parametrize("name", ["appendix-C1-1bit.json", "appendix-C3-4bit.json"])
def test_appendix_c_lists_hold_the_printed_statuses_and_no_others(name: str) -> None:
    vector = json.loads((VECTORS / name).read_bytes())
    width, size = vector["bits"], vector["size"]
    lst = bits.decode(vector["json"]["lst"], bits=width, max_entries=size)
    statuses = {int(index): status for index, status in vector["statuses"].items()}
    assert lst.size == size
    assert {index: lst.get(index) for index in statuses} == statuses
    assert lst == StatusBits.empty(bits=width, size=size).with_statuses(statuses)
    assert bits.decode(bits.encode(lst), bits=width, max_entries=size) == lst


def test_sec4_2_examples_are_packed_as_printed() -> None:
    for example in json.loads((VECTORS / "short-encodings.json").read_bytes())["examples"]:
        statuses = dict(enumerate(example["statuses"]))
        width = example["bits"]
        packed = bytes.fromhex(example["byte_array_hex"])
        size = len(packed) * 8 // width
        lst = StatusBits.empty(bits=width, size=size).with_statuses(statuses)
        assert lst.data == packed
        assert bits.decode(example["json_lst"], bits=width, max_entries=size) == lst
        assert bits.encode(lst) == example["json_lst"]


@given(widths, st.data())
def test_what_is_set_is_read_and_nothing_else_changes(width: int, data: st.DataObject) -> None:
    before = StatusBits(bits=width, data=data.draw(st.binary(min_size=1, max_size=64)))
    indices = st.integers(0, before.size - 1)
    changes = data.draw(st.dictionaries(indices, st.integers(0, (1 << width) - 1)))
    after = before.with_statuses(changes)
    for index in range(before.size):
        assert after.get(index) == changes.get(index, before.get(index))


@given(widths, st.binary(max_size=300))
def test_a_compressed_list_is_inflated_to_itself(width: int, data: bytes) -> None:
    lst = StatusBits(bits=width, data=data)
    assert bits.inflate(bits.compress(lst), bits=width, max_entries=lst.size) == lst


@given(widths, st.binary(min_size=1, max_size=300))
def test_a_list_longer_than_expected_is_refused(width: int, data: bytes) -> None:
    lst = StatusBits(bits=width, data=data)
    with pytest.raises(Malformed):
        bits.inflate(bits.compress(lst), bits=width, max_entries=lst.size - 8 // width)


@given(st.binary(max_size=60))
def test_any_octets_inflate_within_the_limit_or_are_malformed(data: bytes) -> None:
    try:
        lst = bits.inflate(data, bits=1, max_entries=64)
    except Malformed:
        return
    assert lst.size <= 64


@given(st.binary(min_size=1, max_size=64), st.data())
def test_every_changed_byte_of_a_stream_is_seen(data: bytes, draw: st.DataObject) -> None:
    """Another header octet may spell the same stream; what comes out is never another list."""
    compressed = bytearray(zlib.compress(data, 9))
    compressed[draw.draw(st.integers(0, len(compressed) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        lst = bits.inflate(bytes(compressed), bits=1, max_entries=8 * len(data))
    except Malformed:
        return
    assert lst.data == data


STREAM = zlib.compress(bytes(16), 9)


def _raw() -> bytes:
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    return raw.compress(bytes(16)) + raw.flush()


def _preset() -> bytes:
    preset = zlib.compressobj(9, zlib.DEFLATED, 15, zdict=bytes(16))
    return preset.compress(bytes(16)) + preset.flush()


@pytest.mark.attack("TSL-002")
@pytest.mark.parametrize(
    "stream",
    [
        b"",
        STREAM[:1],
        STREAM[:-5],
        STREAM[:-1],
        STREAM[:-1] + bytes([STREAM[-1] ^ 1]),
        STREAM + b"\0",
        STREAM + STREAM,
        _raw(),
        gzip.compress(bytes(16)),
        _preset(),
    ],
    ids=[
        "empty",
        "one octet",
        "no checksum",
        "half a checksum",
        "bad checksum",
        "trailing octet",
        "two streams",
        "raw deflate",
        "gzip",
        "preset dictionary",
    ],
)
def test_what_is_not_exactly_one_zlib_stream_is_refused(stream: bytes) -> None:
    assert bits.inflate(STREAM, bits=1, max_entries=128).size == 128
    with pytest.raises(Malformed):
        bits.inflate(stream, bits=1, max_entries=128)


@pytest.mark.parametrize("index", [-1, 128, 2**63])
def test_an_index_outside_the_list_is_refused(index: int) -> None:
    with pytest.raises(Refused):
        StatusBits(bits=1, data=bytes(16)).get(index)


@pytest.mark.parametrize("width", [-1, 0, 3, 5, 16])
def test_another_width_is_malformed(width: int) -> None:
    with pytest.raises(Malformed):
        bits.inflate(STREAM, bits=width, max_entries=128)
    with pytest.raises(Malformed):
        StatusBits(bits=width, data=b"")


@pytest.mark.parametrize("changes", [{-1: 0}, {64: 0}, {0: 4}, {0: -1}])
def test_setting_what_does_not_fit_is_a_bug_of_the_caller(changes: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        StatusBits.empty(bits=2, size=64).with_statuses(changes)


@pytest.mark.parametrize(("width", "size"), [(1, -8), (1, 7), (3, 8)])
def test_a_list_that_cannot_be_is_a_bug_of_the_caller(width: int, size: int) -> None:
    with pytest.raises(ValueError, match="whole octets"):
        StatusBits.empty(bits=width, size=size)


def test_text_that_is_not_base64url_is_malformed() -> None:
    with pytest.raises(Malformed):
        bits.decode(base64url.encode(STREAM) + "=", bits=1, max_entries=128)
