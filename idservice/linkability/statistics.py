"""How well a score tells pairs of one person from pairs of two: area, interval, rates, matching.

Exact with ties: a score that knows nothing is worth exactly one half. The
interval of a difference between two worlds is DeLong's, clustered by resident, because a
resident's two pairs share a message and both worlds share their residents. What is scored stands
in `scores.py`, what the figures must be in `game.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NORMAL_99: Final = 2.5758293035489004
"""Standard deviations of a two-sided 99 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The area under the curve, and what each resident contributed to it (mean 0)."""

    value: float
    influence: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its two-sided 99 % interval."""

    value: float
    low: float
    high: float

    def within(self, bound: float, *, of: float) -> bool:
        """Say whether the whole interval lies within plus and minus `bound` of a value."""
        return of - bound <= self.low and self.high <= of + bound

    def reaches(self, bound: float, *, of: float) -> bool:
        """Say whether some of it does."""
        return self.low <= of + bound and self.high >= of - bound


def area(positive: Floats, negative: Floats) -> Area:
    """Compute the area under the curve by ranks, ties counted half.

    Args:
        positive: score of each resident's pair of one person.
        negative: score of the same resident's pair of two persons, in the same order.
    """
    above = _beaten(positive, negative)
    below = 1.0 - _beaten(negative, positive)
    value = float(above.mean())
    return Area(value=value, influence=(above - value) + (below - value))


def mean(areas: Sequence[Area]) -> Area:
    """Average areas over the same residents, or repetitions of one world."""
    return Area(
        value=float(np.mean([each.value for each in areas])),
        influence=np.asarray(np.mean([each.influence for each in areas], axis=0)),
    )


def interval(value: float, parts: Sequence[Floats]) -> Interval:
    """Return the 99 % interval of a mean over independent parts of equal weight.

    Args:
        value: the estimate.
        parts: for each part, the influence of each resident in it.
    """
    variance = sum(float(part.var()) / len(part) for part in parts) / len(parts) ** 2
    half = NORMAL_99 * variance**0.5
    return Interval(value=value, low=value - half, high=value + half)


def true_positive_rate(positive: Floats, negative: Floats, *, false_positive_rate: float) -> float:
    """Read the curve at one false positive rate; between two scores it is a straight line."""
    levels = np.unique(np.concatenate([positive, negative]))[::-1]
    highest_first = -levels
    false = np.searchsorted(np.sort(-negative), highest_first, side="right") / len(negative)
    true = np.searchsorted(np.sort(-positive), highest_first, side="right") / len(positive)
    false, true = np.concatenate([[0.0], false]), np.concatenate([[0.0], true])
    place = int(np.searchsorted(false, false_positive_rate, side="right")) - 1
    if place + 1 == len(false):
        return 1.0
    step = (false_positive_rate - false[place]) / (false[place + 1] - false[place])
    return float(true[place] + step * (true[place + 1] - true[place]))


def match(scores: Floats) -> Integers:
    """Assign each row one column, the highest score first, and no column twice.

    Among equal scores the first row and column win: whoever calls this shuffles them before.
    """
    left = scores.astype(np.float64, copy=True)
    chosen = np.empty(len(left), dtype=np.int64)
    for _ in range(len(left)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        chosen[row] = column
        left[row, :] = -np.inf
        left[:, column] = -np.inf
    return chosen


def midranks(values: Floats) -> Floats:
    """Return the rank of each value between 0 and 1, equal values sharing theirs."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return (first + last) / (2.0 * max(len(values), 1))


def _beaten(these: Floats, those: Floats) -> Floats:
    """Return for each of these the share of those that lie below it, equal ones counted half."""
    ordered = np.sort(those)
    lower = np.searchsorted(ordered, these, side="left")
    upper = np.searchsorted(ordered, these, side="right")
    return (lower + upper) / (2.0 * len(those))
