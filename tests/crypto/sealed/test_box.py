import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey, PublicKey, SealedBox

from crypto.errors import Malformed, Refused
from crypto.sealed import box

PRIVATE = hashlib.sha256(b"test key").digest()
PUBLIC = box.public_key(PRIVATE)


def fixed(length: int) -> bytes:
    return hashlib.shake_256(b"chance").digest(length)


@given(st.binary(max_size=200))
def test_libsodium_opens_what_is_sealed_here(plaintext: bytes) -> None:
    sealed = box.seal(plaintext, recipient=PUBLIC, random_bytes=fixed)
    assert len(sealed) == len(plaintext) + box.OVERHEAD
    assert SealedBox(PrivateKey(PRIVATE)).decrypt(sealed) == plaintext


@given(st.binary(max_size=200))
def test_what_libsodium_seals_is_opened_here(plaintext: bytes) -> None:
    sealed = SealedBox(PublicKey(PUBLIC)).encrypt(plaintext)
    assert box.unseal(sealed, private_key=PRIVATE) == plaintext


def test_same_chance_gives_the_same_bytes() -> None:
    first = box.seal(b"x", recipient=PUBLIC, random_bytes=fixed)
    assert first == box.seal(b"x", recipient=PUBLIC, random_bytes=fixed)


def test_every_changed_byte_is_refused() -> None:
    sealed = box.seal(b"facts", recipient=PUBLIC, random_bytes=fixed)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(Refused):
            box.unseal(bytes(changed), private_key=PRIVATE)


def test_another_key_is_refused() -> None:
    sealed = box.seal(b"facts", recipient=PUBLIC, random_bytes=fixed)
    with pytest.raises(Refused):
        box.unseal(sealed, private_key=hashlib.sha256(b"other").digest())


def test_too_short_a_box_is_malformed() -> None:
    with pytest.raises(Malformed):
        box.unseal(bytes(box.OVERHEAD - 1), private_key=PRIVATE)


def test_recipient_of_wrong_length_is_malformed() -> None:
    with pytest.raises(Malformed):
        box.seal(b"x", recipient=PUBLIC[:-1], random_bytes=fixed)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_recipient_of_low_order_is_refused(point: bytes) -> None:
    with pytest.raises(Refused):
        box.seal(b"x", recipient=point, random_bytes=fixed)
