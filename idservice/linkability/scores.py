"""What two things are compared by, and the small classifier that weighs it.

Each feature is a number for a pair: do two leaves agree, in how many octets, in one bit; are two
numbers equal, how far apart are they; how many rare strings stand in both. All are looked at on
the training half; those that tell most there are weighed by a ridge logistic regression, which
judges the other half.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

import numpy as np

from idservice.linkability import statistics
from idservice.linkability.meetings import Meetings
from idservice.linkability.statistics import Floats, Integers
from idservice.linkability.traces import Octets, Traces

MOST: Final = 24
"""Features that the classifier may weigh, chosen on its training half."""
RESIDENTS_A_FEATURE: Final = 40
"""Of the training half: fewer would let it learn chance by heart."""
BITS: Final = 16
"""Single bits that are candidates for that, for each leaf."""
RIDGE: Final = 4.0
STEPS: Final = 6
_CHUNK: Final = 20_000
_WIDEST_BITS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Left and right things by their numbers."""

    left: Integers
    right: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Two kinds of things that are to be linked, and what joins them."""

    left: Traces
    right: Traces
    aligned: tuple[tuple[str, str], ...]
    """Paths whose octets are compared place by place."""
    crossed: bool
    """Whether every number of the left is weighed against every number of the right."""
    _ranks: dict[str, Floats] = field(default_factory=dict, repr=False)

    def rank(self, side: str, name: str) -> Floats:
        """Return the ranks of a number within its side, one half where there is none."""
        key = f"{side} {name}"
        if key not in self._ranks:
            column = (self.left if side == "left" else self.right).numbers[name]
            known = ~np.isnan(column)
            ranks = np.full(len(column), 0.5)
            ranks[known] = statistics.midranks(column[known])
            self._ranks[key] = ranks
        return self._ranks[key]


class Kind(StrEnum):
    """What a feature says of a pair."""

    SAME_NUMBER = "same number"
    DISTANCE = "distance of two numbers"
    PRODUCT = "product of two numbers"
    SAME_LEAF = "same leaf"
    SAME_OCTETS = "octets that are the same"
    SAME_BIT = "same bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing that two things are compared by."""

    kind: Kind
    left: str
    """Path or name on the left."""
    right: str
    octet: int = 0
    mask: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Weights that were fixed on a training half."""

    centre: Floats
    scale: Floats
    weights: Floats

    def score(self, known: Floats) -> Floats:
        """Score pairs by their features; higher says more surely that both are one person's."""
        return np.asarray(((known - self.centre) / self.scale) @ self.weights)


def aligned_paths(left: Traces, right: Traces) -> tuple[tuple[str, str], ...]:
    """Return the paths that both sides have."""
    return tuple((path, path) for path in left.octets if path in right.octets)


def columns(evidence: Evidence, pairs: Pairs, chosen: Sequence[Feature]) -> Floats:
    """Compute features of pairs, a row for each pair."""
    found = np.zeros((len(pairs.left), len(chosen)))
    for place, feature in enumerate(chosen):
        found[:, place] = _column(evidence, pairs, feature)
    return found


def _column(evidence: Evidence, pairs: Pairs, feature: Feature) -> Floats | Integers:
    match feature.kind:
        case Kind.SAME_NUMBER | Kind.DISTANCE | Kind.PRODUCT:
            return _of_numbers(evidence, pairs, feature)
        case Kind.SAME_BIT:
            here = evidence.left.octets[feature.left][pairs.left, feature.octet]
            there = evidence.right.octets[feature.right][pairs.right, feature.octet]
            return np.asarray(((here ^ there) & feature.mask) == 0, dtype=np.float64)
        case Kind.SAME_LEAF | Kind.SAME_OCTETS:
            return _of_leaves(evidence, pairs, feature)
        case _:
            assert_never(feature.kind)


def _of_numbers(evidence: Evidence, pairs: Pairs, feature: Feature) -> Floats:
    if feature.kind is Kind.SAME_NUMBER:
        here, there = evidence.left.numbers[feature.left], evidence.right.numbers[feature.right]
        return np.asarray(here[pairs.left] == there[pairs.right], dtype=np.float64)
    one = evidence.rank("left", feature.left)[pairs.left]
    other = evidence.rank("right", feature.right)[pairs.right]
    if feature.kind is Kind.DISTANCE:
        return -np.abs(one - other)
    return (one - 0.5) * (other - 0.5)


def _of_leaves(evidence: Evidence, pairs: Pairs, feature: Feature) -> Floats | Integers:
    here, there = evidence.left.octets[feature.left], evidence.right.octets[feature.right]
    width = min(here.shape[1], there.shape[1])
    same = np.concatenate(
        [
            (
                here[pairs.left[at : at + _CHUNK], :width]
                == there[pairs.right[at : at + _CHUNK], :width]
            ).sum(axis=1)
            for at in range(0, len(pairs.left), _CHUNK)
        ]
    )
    if feature.kind is Kind.SAME_OCTETS:
        return same
    lengths = (
        evidence.left.lengths[feature.left][pairs.left],
        evidence.right.lengths[feature.right][pairs.right],
    )
    whole = (same == width) & (lengths[0] == lengths[1]) & (lengths[0] > 0)
    return np.asarray(whole, dtype=np.float64)


def choose(evidence: Evidence, positive: Pairs, negative: Pairs) -> tuple[Feature, ...]:
    """Choose the features that tell most on a training half, by the distance of their means."""
    many = len(positive.left)
    most = min(MOST, many // RESIDENTS_A_FEATURE)
    if not most:
        return ()
    found = _bits(evidence, positive, negative)
    for feature in _candidates(evidence):
        one = _column(evidence, positive, feature)
        other = _column(evidence, negative, feature)
        spread = np.sqrt(max((one.var() + other.var()) / many, 1e-12))
        found.append((float(abs(one.mean() - other.mean()) / spread), feature))
    found.sort(key=lambda each: -each[0])
    return tuple(feature for strength, feature in found[:most] if strength > 0)


def _candidates(evidence: Evidence) -> list[Feature]:
    ours, theirs = evidence.left.numbers, evidence.right.numbers
    if evidence.crossed:
        found = [
            Feature(kind=Kind.PRODUCT, left=one, right=other) for one in ours for other in theirs
        ]
    else:
        found = [
            Feature(kind=kind, left=name, right=name)
            for name in ours
            if name in theirs
            for kind in (Kind.SAME_NUMBER, Kind.DISTANCE)
        ]
    return found + [
        Feature(kind=kind, left=one, right=other)
        for one, other in evidence.aligned
        for kind in (Kind.SAME_LEAF, Kind.SAME_OCTETS)
    ]


def _bits(evidence: Evidence, positive: Pairs, negative: Pairs) -> list[tuple[float, Feature]]:
    """Return for each leaf the bits whose agreement tells most."""
    found: list[tuple[float, Feature]] = []
    for one, other in evidence.aligned:
        here, there = evidence.left.octets[one], evidence.right.octets[other]
        width = min(here.shape[1], there.shape[1], _WIDEST_BITS)
        agree = _agreement(here, there, positive, width)
        differ = _agreement(here, there, negative, width)
        both = (agree + differ) / 2
        spread = np.sqrt(np.maximum(both * (1 - both) * 2 / len(positive.left), 1e-12))
        strength = np.abs(agree - differ) / spread
        for place in np.argsort(-strength, kind="stable")[:BITS]:
            octet, shift = divmod(int(place), 8)
            bit = Feature(
                kind=Kind.SAME_BIT, left=one, right=other, octet=octet, mask=0x80 >> shift
            )
            found.append((float(strength[place]), bit))
    return found


def _agreement(here: Octets, there: Octets, pairs: Pairs, width: int) -> Floats:
    total = np.zeros(width * 8)
    for at in range(0, len(pairs.left), _CHUNK):
        one = here[pairs.left[at : at + _CHUNK], :width]
        other = there[pairs.right[at : at + _CHUNK], :width]
        total += np.unpackbits(~(one ^ other), axis=1).sum(axis=0, dtype=np.int64)
    return np.asarray(total / len(pairs.left))


def met(meetings: Sequence[Meetings], pairs: Pairs) -> Floats:
    """Say for each pair how many rare strings join it, in each of several ways."""
    found = [np.log1p(each.of(pairs.left, pairs.right)) for each in meetings]
    return np.column_stack(found)


def train(positive: Floats, negative: Floats) -> Classifier:
    """Fix a classifier on the features of pairs of one person and of as many pairs of two."""
    both = np.concatenate([positive, negative])
    centre, scale = both.mean(axis=0), both.std(axis=0)
    scale[scale == 0] = 1.0
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    weights = _logistic((both - centre) / scale, labels)
    return Classifier(centre=centre, scale=scale, weights=weights)


def _logistic(known: Floats, labels: Floats) -> Floats:
    """Fit by Newton's method; both classes are equally many, so there is no constant."""
    weights = np.zeros(known.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30)))
        gradient = known.T @ (labels - chance) - RIDGE * weights
        curvature = (known * (chance * (1 - chance))[:, None]).T @ known
        curvature[np.diag_indices_from(curvature)] += RIDGE
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights
