import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.errors import Malformed


@given(st.binary(max_size=200))
def test_what_is_written_is_what_rfc7515_appendix_c_writes(data: bytes) -> None:
    text = base64url.encode(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert base64url.decode(text) == data
    assert base64url.decode(text.encode()) == data


@given(st.text(alphabet="ABYZabyz0189-_+/= \n.~é", max_size=12))
def test_what_is_accepted_is_written_back_as_the_very_same_text(text: str) -> None:
    try:
        data = base64url.decode(text)
    except Malformed:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAAAA",
        "QQ=",
        "QQ==",
        "QUI=",
        "QR",
        "QUJ",
        "+A",
        "/w",
        "QUJD+A",
        " QQ",
        "QQ ",
        "QQ\n",
        "Q\0",
        "QQ.QQ",
        "QQé",
        "QQ\udc80",
        "\uff21",
        b"QQ\xff",
        b"QQ==",
    ],
)
def test_sec2_foreign_characters_padding_and_stray_bits_are_refused(text: str | bytes) -> None:
    with pytest.raises(Malformed):
        base64url.decode(text)


def test_sec2_nothing_is_the_empty_text() -> None:
    assert base64url.decode("") == b""
    assert base64url.encode(b"") == ""
