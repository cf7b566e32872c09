import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.secret import SecretBox

from crypto.errors import Malformed, Refused
from crypto.sealed import offer


def fixed(length: int) -> bytes:
    return hashlib.shake_256(b"chance").digest(length)


REFERENCE = offer.new_reference(random_bytes=fixed)
CODE = offer.code(REFERENCE)


@given(st.binary(max_size=500))
def test_what_is_sealed_under_a_code_opens_with_it(plaintext: bytes) -> None:
    sealed = offer.seal(plaintext, secret=CODE, random_bytes=fixed)
    assert offer.unseal(sealed, secret=CODE) == plaintext


@pytest.mark.parametrize("length", [0, 1, 1000, offer.PADDED_LENGTH - 4])
def test_size_of_a_row_does_not_tell_the_size_of_its_content(length: int) -> None:
    sealed = offer.seal(bytes(length), secret=CODE, random_bytes=fixed)
    assert len(sealed) == offer.PADDED_LENGTH + 40


def test_longer_content_takes_another_block() -> None:
    content = bytes(offer.PADDED_LENGTH - 3)
    sealed = offer.seal(content, secret=CODE, random_bytes=fixed)
    assert len(sealed) == 2 * offer.PADDED_LENGTH + 40
    assert offer.unseal(sealed, secret=CODE) == content


def test_code_and_row_key_are_what_the_design_says() -> None:
    # RFC 5869 by hand: no salt is 32 zero octets
    pseudorandom = _hmac(bytes(32), REFERENCE)
    assert _hmac(pseudorandom, b"code\x01") == CODE
    assert offer.row_key(CODE) == hashlib.sha256(CODE).digest()


def test_row_key_does_not_open_the_row() -> None:
    sealed = offer.seal(b"claims", secret=CODE, random_bytes=fixed)
    with pytest.raises(Refused):
        offer.unseal(sealed, secret=offer.Secret(offer.row_key(CODE)))


@pytest.mark.threat("T28")
def test_resealed_under_a_token_the_code_no_longer_opens() -> None:
    token = offer.new_token(random_bytes=lambda length: b"t" * length)
    content = offer.unseal(offer.seal(b"c", secret=CODE, random_bytes=fixed), secret=CODE)
    resealed = offer.seal(content, secret=token, random_bytes=fixed)
    assert offer.unseal(resealed, secret=token) == b"c"
    with pytest.raises(Refused):
        offer.unseal(resealed, secret=CODE)


@pytest.mark.parametrize("position", [0, 23, 24, 39, 40, 50, -1])
def test_changed_byte_is_refused(position: int) -> None:
    changed = bytearray(offer.seal(b"claims", secret=CODE, random_bytes=fixed))
    changed[position] ^= 1
    with pytest.raises(Refused):
        offer.unseal(bytes(changed), secret=CODE)


@pytest.mark.parametrize("sealed", [b"", bytes(23), bytes(39)], ids=["empty", "short", "no tag"])
def test_too_short_a_row_is_refused(sealed: bytes) -> None:
    with pytest.raises(Refused):
        offer.unseal(sealed, secret=CODE)


@pytest.mark.parametrize("padded", [b"", b"\0\0\0", b"\0\0\0\x02x", b"\xff" * 8])
def test_content_that_was_not_framed_here_is_malformed(padded: bytes) -> None:
    key = _hmac(_hmac(bytes(32), CODE), b"seal\x01")
    with pytest.raises(Malformed):
        offer.unseal(bytes(SecretBox(key).encrypt(padded, bytes(24))), secret=CODE)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_secret_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        offer.code(offer.Reference(bytes(length)))
    with pytest.raises(Malformed):
        offer.unseal(bytes(100), secret=offer.Secret(bytes(length)))


def _hmac(key: bytes, message: bytes) -> bytes:
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()
