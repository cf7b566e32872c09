"""The classifier finds each kind of leak by itself, and nothing where there is nothing."""

from collections.abc import Mapping

import numpy as np
import pytest

from idservice.linkability import scores, statistics
from idservice.linkability.scores import Evidence, Pairs
from idservice.linkability.traces import Traces

PEOPLE = 2000


def side(chance: np.random.Generator, **changes: np.ndarray) -> Traces:
    octets = {"proof": chance.integers(0, 256, (PEOPLE, 40), dtype=np.uint8)}
    numbers: Mapping[str, np.ndarray] = {"length": chance.integers(0, 1000, PEOPLE).astype(float)}
    for name, change in changes.items():
        (octets if change.ndim == 2 else numbers)[name] = change
    return Traces(
        count=PEOPLE,
        octets=octets,
        lengths={path: np.full(PEOPLE, rows.shape[1]) for path, rows in octets.items()},
        numbers=numbers,
        digests=np.zeros((PEOPLE, 0), dtype=np.uint64),
    )


def judged(left: Traces, right: Traces, *, crossed: bool = False) -> float:
    """Train on the first half of the people, judge the second."""
    evidence = Evidence(
        left=left, right=right, aligned=scores.aligned_paths(left, right), crossed=crossed
    )
    halves = np.split(np.arange(PEOPLE), 2)
    pairs = [
        (Pairs(left=these, right=these), Pairs(left=these, right=np.roll(these, 1)))
        for these in halves
    ]
    chosen = scores.choose(evidence, *pairs[0])
    known = [[scores.columns(evidence, each, chosen) for each in half] for half in pairs]
    classifier = scores.train(*known[0])
    return statistics.area(*(classifier.score(each) for each in known[1])).value


def test_nothing_is_found_where_there_is_nothing() -> None:
    chance = np.random.default_rng(1)
    assert judged(side(chance), side(chance)) == pytest.approx(0.5, abs=0.04)
    assert judged(side(chance), side(chance), crossed=True) == pytest.approx(0.5, abs=0.04)


def test_one_bit_that_follows_a_person_is_found() -> None:
    chance = np.random.default_rng(2)
    one, other = side(chance), side(chance)
    person = chance.integers(0, 2, PEOPLE, dtype=np.uint8)
    for each in (one, other):
        rows = each.octets["proof"]
        rows[:, 7] = rows[:, 7] & 0b1110_1111 | person << 4
    assert judged(one, other) == pytest.approx(0.75, abs=0.04)


def test_lengths_that_are_alike_are_found() -> None:
    chance = np.random.default_rng(3)
    lengths = chance.normal(1000, 100, PEOPLE)
    one, other = (side(chance, length=lengths + chance.normal(0, 10, PEOPLE)) for _ in "ab")
    assert judged(one, other) > 0.9


def test_an_equal_leaf_in_some_is_found() -> None:
    chance = np.random.default_rng(4)
    rows = chance.integers(0, 256, (PEOPLE, 8), dtype=np.uint8)
    mixed = np.where(
        chance.random(PEOPLE)[:, None] < 0.2,
        rows,
        chance.integers(0, 256, rows.shape, dtype=np.uint8),
    )
    found = judged(side(chance, mark=rows), side(chance, mark=mixed))
    assert found == pytest.approx(0.6, abs=0.04)


def test_a_length_that_follows_another_number_is_found_across() -> None:
    chance = np.random.default_rng(5)
    order = chance.random(PEOPLE)
    found = judged(side(chance, order=order), side(chance, length=order * 90), crossed=True)
    assert found > 0.7


def test_too_few_residents_allow_no_features() -> None:
    chance = np.random.default_rng(6)
    few = Pairs(left=np.arange(20), right=np.arange(20))
    one, other = side(chance), side(chance)
    evidence = Evidence(left=one, right=other, aligned=(("proof", "proof"),), crossed=False)
    assert scores.choose(evidence, few, Pairs(left=few.left, right=np.roll(few.left, 1))) == ()
