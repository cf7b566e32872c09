"""RFC 4648, section 4: one spelling per value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64
from crypto.errors import Malformed


@given(st.binary())
def test_what_is_written_is_read_back(data: bytes) -> None:
    assert base64.decode(base64.encode(data)) == data


@given(st.text(max_size=12))
def test_what_is_accepted_is_written_back(text: str) -> None:
    try:
        data = base64.decode(text)
    except Malformed:
        return
    assert base64.encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AA===",
        "AB==",
        "AAB=",
        "AA==AA==",
        "AA\n==",
        " AA==",
        "-_==",
        "é===",
    ],
)
def test_another_spelling_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        base64.decode(text)
