"""The reader for hot paths is as strict as the other one, where its caller kept its part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.errors import Malformed


@given(st.binary(max_size=80))
def test_law_it_reads_what_is_written(data: bytes) -> None:
    assert base64url.decode_native(base64url.encode(data).encode()) == data


@given(st.text(alphabet="ABEQgwx019-_", max_size=12))
def test_law_it_reads_what_the_other_reads_and_nothing_else(text: str) -> None:
    try:
        expected = base64url.decode(text)
    except Malformed:
        with pytest.raises((Malformed, ValueError)):
            base64url.decode_native(text.encode())
    else:
        assert base64url.decode_native(text.encode()) == expected


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA A", "AA\n", "AA.A", "AA~A"])
def test_stray_bits_lengths_and_other_characters_are_refused(text: str) -> None:
    with pytest.raises((Malformed, ValueError)):
        base64url.decode_native(text.encode())
