"""Laws of BBS: what is signed can be shown in every part, and nothing else passes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.bbs import ciphersuite, generators, proof, signature
from crypto.bbs.generators import Interface
from crypto.bls import curve
from crypto.bls.arkworks import Arkworks
from crypto.bls.group import Backend
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Refused

BASE = Interface(ciphersuite.SHA_256, signature.BASE)
MESSAGES = [b"", b"true", b'"Ada"', bytes(100)]
HEADER, QUESTION = b"header", b"question"
KEY = signature.derive_key(ciphersuite.SHA_256, material=bytes(range(32)))
SIGNATURE = signature.sign(BASE, secret_key=KEY, header=HEADER, messages=MESSAGES)
SUBSETS = list(chain.from_iterable(combinations(range(4), size) for size in range(5)))


def chances(seed: int = 0) -> RandomBytes:
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed} {drawn}".encode()).digest(length)

    return draw


def show(places: tuple[int, ...], *, seed: int = 0) -> bytes:
    return proof.prove(
        BASE,
        public_key=KEY.public,
        signature=SIGNATURE,
        header=HEADER,
        presentation_header=QUESTION,
        messages=MESSAGES,
        disclosed=places,
        random_bytes=chances(seed),
    )


def check(octets: bytes, places: tuple[int, ...]) -> None:
    proof.verify(
        BASE,
        public_key=signature.load_public_key(KEY.public.octets),
        proof=octets,
        header=HEADER,
        presentation_header=QUESTION,
        disclosed={place: MESSAGES[place] for place in places},
    )


@contextmanager
def backend(other: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let another library verify."""
    with monkeypatch.context() as patched:
        patched.setattr(curve, "BACKEND", other)
        generators._create.cache_clear()
        yield
    generators._create.cache_clear()


@pytest.mark.parametrize("places", SUBSETS)
def test_every_subset_can_be_shown(places: tuple[int, ...]) -> None:
    shown = show(places)
    assert len(shown) == proof.length(len(MESSAGES) - len(places))
    check(shown, places)


PROOF = show((0, 2))
BITS = 8 * len(PROOF)


@given(st.integers(0, BITS - 1))
def test_every_changed_bit_is_refused(bit: int) -> None:
    changed = bytearray(PROOF)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CryptoError):
        check(bytes(changed), (0, 2))


@pytest.mark.long
def test_all_changed_bits_are_refused() -> None:
    for bit in range(BITS):
        changed = bytearray(PROOF)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CryptoError):
            check(bytes(changed), (0, 2))


@given(st.integers(0, 8 * signature.LENGTH - 1))
def test_every_changed_bit_of_a_signature_is_refused(bit: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CryptoError):
        signature.verify(
            BASE,
            public_key=KEY.public,
            signature=bytes(changed),
            header=HEADER,
            messages=MESSAGES,
        )


def test_both_libraries_accept_and_refuse_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with backend(Arkworks(), monkeypatch):
        for places in SUBSETS:
            check(show_with_blst(places), places)
        for place in range(0, len(PROOF), 7):
            changed = bytearray(PROOF)
            changed[place] ^= 1
            with pytest.raises(CryptoError):
                check(bytes(changed), (0, 2))


SHOWN = {places: show(places) for places in SUBSETS}


def show_with_blst(places: tuple[int, ...]) -> bytes:
    return SHOWN[places]


def test_two_proofs_of_one_credential_share_nothing_that_was_drawn() -> None:
    first, second = show((1,), seed=1), show((1,), seed=2)
    pieces = [
        {text[:48], text[48:96], text[96:144]}
        | {text[start : start + 32] for start in range(144, len(text), 32)}
        for text in (first, second)
    ]
    assert not pieces[0] & pieces[1]


@pytest.mark.parametrize("places", [(0, 0), (4,), (-1,), (2**31,), (2**64,)])
def test_places_that_are_none_are_refused(places: tuple[int, ...]) -> None:
    with pytest.raises(Refused):
        show(places)


def test_a_key_needs_enough_material() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        signature.derive_key(ciphersuite.SHA_256, material=bytes(31))
    assert signature.new_key(random_bytes=chances()) != KEY
