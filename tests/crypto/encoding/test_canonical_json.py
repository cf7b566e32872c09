import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.errors import Malformed

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=4), below, max_size=4
        )
    ),
    max_leaves=12,
)


@given(values)
def test_every_spelling_of_a_value_parses_to_the_value(value: Any) -> None:
    for text in (
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, indent=2),
        json.dumps(value, separators=(",", ":")),
    ):
        assert canonical_json.parse(text.encode()) == value


@given(values)
def test_the_canonical_spelling_is_read_back_and_written_the_same(value: Any) -> None:
    # A double that is a large integer is written as digits, which `parse` refuses.
    text = canonical_json.serialize({"v": value})
    try:
        again = canonical_json.parse_canonical(text)
    except Malformed:
        assert any(isinstance(leaf, float) and abs(leaf) >= 2**53 for leaf in _leaves(value))
        return
    assert again == {"v": value}
    assert canonical_json.serialize(again) == text


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555555", "333333333.3333333"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_sec3_2_2_3_numbers_are_written_as_appendix_b_lists_them(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json.serialize(value) == text.encode()


def test_sec3_2_3_members_are_sorted_by_utf16_units() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    text = canonical_json.serialize(dict.fromkeys(names))
    assert list(json.loads(text)) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


def test_sec3_2_2_2_strings_are_escaped_as_little_as_may_be() -> None:
    value = '\u20ac$\u000f\nA\'B"\\\\"/\x7f'
    expected = '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'.encode()
    assert canonical_json.serialize(value) == expected


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), "\ud800", object()]
)
def test_sec2_what_i_json_cannot_hold_is_our_own_mistake(value: Any) -> None:
    with pytest.raises(ValueError, match="I-JSON"):
        canonical_json.serialize(value)


REFUSED = {
    "nothing": b"",
    "not JSON": b"{'a':1}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "trailing object": b"{}{}",
    "trailing garbage": b"{}x",
    "trailing NUL": b"{}\0",
    "NaN": b"[NaN]",
    "infinity": b"[Infinity]",
    "double out of range": b"[1e400]",
    "very long integer": b"[1" + b"0" * 400 + b"]",
    "integer beyond 64 bits": b"[18446744073709551616]",
    "integer beyond 53 bits": b"[9007199254740993]",
    "negative beyond 53 bits": b"[-9007199254740992]",
    "beyond 53 bits, spaced": b"[ 9007199254740993 ]",
    "hexadecimal": b"[0x1F]",
    "underscore": b"[1_000]",
    "leading zero": b"[01]",
    "plus": b"[+1]",
    "invalid UTF-8": b'["\xff"]',
    "overlong UTF-8": b'["\xc0\x80"]',
    "surrogate in UTF-8": b'["\xed\xa0\x80"]',
    "lone high surrogate": b'["\\ud800"]',
    "lone low surrogate": b'["\\udc00"]',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "repeated member": b'{"a":1,"a":1}',
    "repeated member, escaped": b'{"a":1,"\\u0061":2}',
    "repeated member, deep": b'[{"x":{"b":1,"c":2,"b":3}}]',
    "raw control character": b'["\n"]',
    "17 levels": b"[" * 17 + b"]" * 17,
    "100000 levels": b"[" * 100_000,
    "100000 objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_text_with_more_than_one_meaning_or_none_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        canonical_json.parse(data)


def test_sixteen_levels_and_many_brackets_are_accepted() -> None:
    assert canonical_json.parse(b"[" * 16 + b"]" * 16) is not None
    assert canonical_json.parse(b'["[[[[[[[[[[[[[[[[[[[["]') == ["[" * 20]
    assert canonical_json.parse(b"[" + b"{}," * 20 + b"[]]") == [{}] * 20 + [[]]


def test_largest_integers_are_accepted_either_way_of_writing() -> None:
    numbers = [2**53 - 1, -(2**53) + 1]
    assert canonical_json.parse(json.dumps(numbers).encode()) == numbers
    assert canonical_json.parse(b"[9007199254740991,-9007199254740991]") == numbers


@pytest.mark.parametrize("data", [b"[]", b'"a"', b"1", b"null"])
def test_what_is_no_object_is_refused_where_an_object_belongs(data: bytes) -> None:
    with pytest.raises(Malformed):
        canonical_json.parse_object(data)


@pytest.mark.parametrize("data", [b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1.0}', b'{"a":"\\u0041"}'])
def test_another_spelling_is_refused_where_one_is_demanded(data: bytes) -> None:
    assert canonical_json.parse_object(data)
    with pytest.raises(Malformed):
        canonical_json.parse_canonical(data)
