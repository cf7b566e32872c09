"""Areas, intervals, rates and matchings, against slow and obvious ways to the same figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idservice.linkability import statistics

scores = st.lists(st.integers(0, 6), min_size=2, max_size=30)


@given(scores, scores)
def test_area_counts_pairs_and_half_of_the_ties(ones: list[int], others: list[int]) -> None:
    size = min(len(ones), len(others))
    positive, negative = (np.array(each[:size], dtype=float) for each in (ones, others))
    slow = np.mean([(a > b) + (a == b) / 2 for a in positive for b in negative])
    found = statistics.area(positive, negative)
    assert found.value == pytest.approx(slow)
    assert abs(found.influence.mean()) < 1e-9


def test_a_score_that_knows_nothing_is_worth_one_half_without_any_doubt() -> None:
    same = np.zeros(100)
    found = statistics.area(same, same)
    told = statistics.interval(found.value, [found.influence])
    assert (told.value, told.low, told.high) == (0.5, 0.5, 0.5)
    assert statistics.true_positive_rate(same, same, false_positive_rate=0.001) == pytest.approx(
        0.001
    )


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        found = statistics.area(chance.normal(size=300), chance.normal(size=300))
        told = statistics.interval(found.value, [found.influence])
        missed += not told.low <= 0.5 <= told.high
    assert missed <= 14  # 4 are expected


def test_halves_are_put_together_with_less_doubt_than_each_alone() -> None:
    chance = np.random.default_rng(2)
    parts = [statistics.area(chance.normal(size=500), chance.normal(size=500)) for _ in "ab"]
    both = statistics.interval(0.5, [each.influence for each in parts])
    alone = statistics.interval(0.5, [parts[0].influence])
    assert both.high - both.low == pytest.approx((alone.high - alone.low) / 2**0.5, rel=0.1)


def test_rates_are_read_from_the_curve() -> None:
    negative = np.arange(1000.0)
    positive = np.concatenate([np.full(30, 2000.0), np.arange(970.0)])
    rate = statistics.true_positive_rate(positive, negative, false_positive_rate=0.001)
    assert rate == pytest.approx(0.03, abs=0.001)
    assert statistics.true_positive_rate(positive, negative, false_positive_rate=1.0) == 1.0


def test_matching_takes_each_column_once_and_the_best_first() -> None:
    chosen = statistics.match(np.array([[9.0, 8.0, 1.0], [8.5, 2.0, 1.0], [0.0, 0.0, 0.0]]))
    assert chosen.tolist() == [0, 1, 2]
    assert sorted(statistics.match(np.zeros((5, 5))).tolist()) == list(range(5))


def test_within_asks_for_the_whole_interval_and_reaches_for_some_of_it() -> None:
    told = statistics.Interval(value=0.51, low=0.49, high=0.53)
    assert told.within(0.03, of=0.5)
    assert not told.within(0.02, of=0.5)
    assert told.reaches(0.02, of=0.55)
    assert told.reaches(0.02, of=0.47)
    assert not told.reaches(0.02, of=0.56)
    assert not told.reaches(0.02, of=0.46)
