"""Many presentations under one issuer key: their pairing equations are settled together.

Everything else about a presentation is checked for each alone (`jwp.claim`); what is left of n of
them is e(A_bar_i, W) = e(B_bar_i, BP2), and with random weights w_i all hold, but for a chance of
one in 2^128, if e(sum w_i A_bar_i, W) = e(sum w_i B_bar_i, BP2) does: the small exponents test of
Bellare, Garay and Rabin (1998), which draft-irtf-cfrg-bbs-signatures leaves to its users. All
points were checked to be in the group of prime order. Where the sum does not hold, halves are
tried until each bad one is found. Left out: presentations with a pseudonym, and several keys.
"""

from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from crypto.bbs import jwp
from crypto.bbs import proof as proofs
from crypto.bbs.jwp import Unverified
from crypto.bbs.proof import Settlement
from crypto.bbs.signature import PublicKey
from crypto.bls import curve
from crypto.entropy import RandomBytes
from crypto.errors import BadSignature, CryptoError

MAX_ITEMS: Final = 1_000

_WEIGHT = 16
"""Octets."""
_SHARE = 4
"""One check of several at once is allowed for so many items: halving stays worth while as long as
few are bad, and cannot be made to cost more than a quarter of checking each alone."""


class Item(NamedTuple):
    """An equation, whose it is, and what it counts."""

    place: int
    equation: Settlement
    weight: int


def most_checks(items: int) -> int:
    """Return how many pairing checks so many equations can cost, whatever is in them."""
    return items + _most_together(items)


def verify(
    unverified: Sequence[Unverified],
    *,
    public_key: PublicKey,
    hashed: AbstractSet[int],
    random_bytes: RandomBytes,
) -> tuple[CryptoError | None, ...]:
    """Verify many presentations, each of which is accepted exactly if `jwp.verify` accepts it.

    Args:
        unverified: from `jwp.parse`, at most `MAX_ITEMS`, none with a pseudonym.
        public_key: the announced issuer's, for all.
        hashed: as `jwp.issue`, for all.
        random_bytes: asked once, for 16 octets an item, after all items are fixed and checked.

    Returns:
        For each in order None, or the error that `jwp.verify` would raise.

    Raises:
        ValueError: more than `MAX_ITEMS`, or chance that repeats itself.

    Secret: the weights, until this returns: who knew them could make errors cancel.

    Not checked: as `jwp.verify`.
    """
    if len(unverified) > MAX_ITEMS:
        raise ValueError("more items than a batch may have")
    errors: list[CryptoError | None] = [None] * len(unverified)
    equations: list[tuple[int, Settlement]] = []
    for place, each in enumerate(unverified):
        try:
            equation = jwp.claim(each, public_key=public_key, nym_context=None, hashed=hashed)
        except CryptoError as error:
            errors[place] = error
        else:
            equations.append((place, equation))
    weights = _draw(len(equations), random_bytes)
    items = [Item(*each, weight) for each, weight in zip(equations, weights, strict=True)]
    for place, refused in _settle(items, public_key=public_key):
        errors[place] = refused
    return tuple(errors)


def _draw(count: int, random_bytes: RandomBytes) -> list[int]:
    """Draw weights that are not zero, all different.

    Two equal ones come up once in 2^109 batches; a generator that is stuck makes nothing else,
    and equal weights let two errors cancel.
    """
    drawn = random_bytes(_WEIGHT * count) if count else b""
    weights = [
        int.from_bytes(drawn[at : at + _WEIGHT], "big") for at in range(0, len(drawn), _WEIGHT)
    ]
    if len({*weights, 0}) != count + 1:
        raise ValueError("the chance that was lent is stuck")
    return weights


def _settle(items: Sequence[Item], *, public_key: PublicKey) -> list[tuple[int, BadSignature]]:
    """Find the items whose equation does not hold.

    The largest group comes first. Weights are kept when a group is halved: nobody who made a
    proof learns anything in between.
    """
    found: list[tuple[int, BadSignature]] = []
    left = _most_together(len(items))
    groups = deque([items] if items else [])
    while groups:
        group = groups.popleft()
        if len(group) == 1:
            try:
                proofs.settle(group[0].equation, public_key=public_key)
            except BadSignature as error:
                found.append((group[0].place, error))
        elif not left:
            groups.extend([each] for each in group)
        else:
            left -= 1
            if not _holds(group, public_key=public_key):
                middle = len(group) // 2
                groups += (group[:middle], group[middle:])
    return found


def _holds(group: Sequence[Item], *, public_key: PublicKey) -> bool:
    """Check the weighted sum of equations."""
    backend = curve.BACKEND
    weights = [each.weight for each in group]
    left, right = (
        backend.sum_of([each.equation[side] for each in group], weights, 8 * _WEIGHT)
        for side in (0, 1)
    )
    return backend.fits(left, right, public_key.key)


def _most_together(items: int) -> int:
    return 1 + items // _SHARE if items > 1 else 0
