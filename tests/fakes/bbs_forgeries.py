"""Showings by somebody without a signature, which answer their challenge honestly.

Who knows `e` and `r1` with B_bar = D * r1 - A_bar * e can prove it for any A_bar: only the pairing
equation says that no issuer signed. With -r1 in place of r1 both points change their sign, so two
such showings have errors that cancel when their equations are simply added up.
"""

from dataclasses import replace

from crypto.bbs.jwp import Issued
from crypto.bls.group import ORDER, UNIFORM_LENGTH
from crypto.entropy import RandomBytes
from tests.fakes import bbs_credentials as city

MADE_UP: Issued = replace(city.ISSUED, payloads=(b'"Mallory"', *city.PAYLOADS[1:]), B=None)
"""What the signature is not over."""


def cancelling(seed: bytes = b"") -> tuple[str, str]:
    """Forge two showings whose errors cancel under equal weights."""
    r1, r2 = (int.from_bytes(city.chance(seed + name)(32), "big") for name in (b"r1", b"r2"))
    first, second = (
        city.show(issued=MADE_UP, random_bytes=drawn(r1 * sign % ORDER, r2, seed=seed + name))
        for sign, name in ((1, b"first"), (-1, b"second"))
    )
    return first, second


def proofs(count: int) -> list[str]:
    """Forge so many showings, two and two of which cancel."""
    return [each for pair in range(count // 2) for each in cancelling(bytes([pair]))]


def drawn(*scalars: int, seed: bytes) -> RandomBytes:
    """Lend these first, then what follows from the seed."""
    first, rest = iter(scalars), city.chance(seed)

    def draw(length: int) -> bytes:
        drawn = next(first, None)
        return rest(length) if drawn is None else drawn.to_bytes(UNIFORM_LENGTH, "big")

    return draw
