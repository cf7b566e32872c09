"""The game: adversaries score pairs in the real world and in an ideal one, and bars are held.

Each resident has one pair of one person and one pair of two persons with equal facts. A
classifier is fixed on one half of the residents and judges the other half, and the other way
round. The ideal world is the same simulation with every proof replaced by random octets of its
length, drawn several times. Its lengths are the real ones, so the area itself has a bar too. How
scores come about stands in `scores.py`, what the figures mean in `docs/linkability.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from idservice.linkability import scores, statistics, worlds
from idservice.linkability.city.formats import Format
from idservice.linkability.city.population import Population
from idservice.linkability.city.simulation import Seen
from idservice.linkability.meetings import Meetings
from idservice.linkability.scores import Evidence, Pairs
from idservice.linkability.statistics import Area, Floats, Integers, Interval

BOUND: Final = 0.02
GUESSING: Final = 0.5
"""Area of whoever knows nothing."""
FALSE_POSITIVES: Final = 0.001
TRUE_POSITIVES: Final = 0.003
DEVIATIONS: Final = 3.0
LINKED: Final = 0.99
IDEALS: Final = 3
"""Times that the ideal world is drawn."""
STEPS: Final = 2 * (IDEALS + 1)
"""Of `play`, for whoever waits."""

TWO_SHOWINGS: Final = "two showings"
ISSUANCE: Final = "showing and issuance"
MARKED: Final = "two showings, 2 % marked"

_BLOCK = 100
_BLOCKS = 10
_SMALLEST_GROUP = 50
_RATES = np.concatenate([[0.0], np.logspace(-4, 0, 41)])
_HALVES = (0, 1)


class Adversary(StrEnum):
    """Who has what."""

    VERIFIERS = "V"
    """All verifiers, with all they were shown and the public lists."""
    SEIZED = "D"
    """They, with the issuer's stores and all keys."""
    RECORDING = "M"
    """They, with an issuer that recorded every issuance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How many of so many were assigned rightly, one to one."""

    right: int
    ideal: float
    deviation: float
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Residents with something unusual hidden."""

    name: str
    size: int
    area: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one adversary achieves."""

    format: str
    adversary: Adversary
    links: str
    residents: int
    area: Interval
    ideal: float
    difference: Interval
    true_positives: float
    ideal_true_positives: float
    matching: Matching
    worst: Group | None
    curve: tuple[tuple[float, float, float], ...]
    """False positive rate, true positive rate, the same in the ideal world."""

    @property
    def unlinkable(self) -> Mapping[str, bool]:
        """Return the bars of a world in which nothing may be linked, and whether each holds."""
        limit = self.matching.ideal + DEVIATIONS * self.matching.deviation
        return {
            "area": self.area.within(BOUND, of=GUESSING),
            "difference": self.difference.within(BOUND, of=0),
            "true_positives": self.true_positives <= TRUE_POSITIVES,
            "matching": self.matching.right <= limit,
        }


def play(
    seen: Seen,
    population: Population,
    chosen: Format,
    *,
    seed: int,
    progress: Callable[[int], None],
) -> list[Row]:
    """Play all adversaries against one format."""
    chance = np.random.default_rng([seed, 2])
    known, held = worlds.with_public_lists(seen, chosen), worlds.Holdings.of(seen)
    compared = []
    for number in range(IDEALS + 1):
        here = worlds.ideal(known, chosen, chance=chance) if number else known
        compared.append(worlds.joined(here, held, chosen))
        progress(1)
    table = _Table(population, chance)
    showings, issuance = [], []
    for world in compared:
        ways = (
            (world.strings,),
            (world.strings, world.store),
            (world.strings, world.store, world.record),
        )
        showings.append(table.judge(world.showings, ways))
        issuance += table.judge(world.issuance, ((world.issued, world.recorded),))
        progress(1)
    rows = [
        table.row(
            [each[place] for each in showings],
            format_id=chosen.id,
            adversary=adversary,
            links=TWO_SHOWINGS,
        )
        for place, adversary in enumerate(Adversary)
    ]
    rows.append(
        table.row(
            issuance,
            format_id=chosen.id,
            adversary=Adversary.RECORDING,
            links=ISSUANCE,
        )
    )
    return rows


def play_planted(seen: Seen, population: Population, chosen: Format, *, seed: int) -> Row:
    """Let the verifiers play against showings in which some residents carry a planted mark."""
    chance = np.random.default_rng([seed, 3])
    known = worlds.with_public_lists(seen, chosen)
    compared = [
        worlds.planted(known, chosen, chance=chance),
        *(worlds.ideal(known, chosen, chance=chance) for _ in range(IDEALS)),
    ]
    table = _Table(population, chance)
    results = []
    for world in compared:
        joins = (worlds.strings(world.first, world.second),)
        results += table.judge(worlds.showings(world.first, world.second), (joins,))
    return table.row(results, format_id=chosen.id, adversary=Adversary.VERIFIERS, links=MARKED)


@dataclass(slots=True)
class _Judged:
    """Scores of one world, by half judged, of each resident's two pairs."""

    positive: list[Floats]
    negative: list[Floats]
    right: int
    """Residents of the blocks that were assigned rightly."""


class _Table:
    """Who is compared with whom, the same in every world."""

    def __init__(self, population: Population, chance: np.random.Generator) -> None:
        everybody = np.arange(len(population.residents))
        self._population = population
        self._members = [everybody[population.half == half] for half in _HALVES]
        self._positive = [Pairs(left=these, right=these) for these in self._members]
        self._negative = [
            Pairs(left=these, right=population.partner[these]) for these in self._members
        ]
        self._blocks = [self._drawn_blocks(these, chance) for these in self._members]

    def _drawn_blocks(
        self, members: Integers, chance: np.random.Generator
    ) -> list[tuple[Integers, Integers]]:
        """Draw blocks of residents with equal facts, and shuffle both sides of each."""
        facts = self._population.facts[members]
        blocks: list[tuple[Integers, Integers]] = []
        for number in np.argsort(-np.bincount(facts), kind="stable"):
            these = chance.permutation(members[facts == number])
            size = min(_BLOCK, max(len(these), 1))
            for at in range(0, len(these) - size + 1, size):
                block = these[at : at + size]
                blocks.append((chance.permutation(block), chance.permutation(block)))
                if len(blocks) == _BLOCKS:
                    return blocks
        return blocks

    def judge(self, evidence: Evidence, ways: Sequence[Sequence[Meetings]]) -> list[_Judged]:
        """Fix a classifier on each half and let it score the other, for each way of joining."""
        judged = [_Judged([], [], 0) for _ in ways]
        for train, test in ((0, 1), (1, 0)):
            chosen = scores.choose(evidence, self._positive[train], self._negative[train])
            used = [
                *(self._positive[half] for half in (train, test)),
                *(self._negative[half] for half in (train, test)),
                *(_all_pairs(left, right) for left, right in self._blocks[test]),
            ]
            common = [scores.columns(evidence, pairs, chosen) for pairs in used]
            for place, joins in enumerate(ways):
                known = [
                    np.column_stack([scores.met(joins, pairs), rest])
                    for pairs, rest in zip(used, common, strict=True)
                ]
                classifier = scores.train(known[0], known[2])
                judged[place].positive.append(classifier.score(known[1]))
                judged[place].negative.append(classifier.score(known[3]))
                for (left, right), columns in zip(self._blocks[test], known[4:], strict=True):
                    matched = statistics.match(
                        classifier.score(columns).reshape(len(left), len(right))
                    )
                    judged[place].right += int((right[matched] == left).sum())
        return judged

    def row(
        self, results: Sequence[_Judged], *, format_id: str, adversary: Adversary, links: str
    ) -> Row:
        """Compare the first world with the others."""
        real, ideals = results[0], results[1:]
        areas = [_areas(result) for result in results]
        ideal = [statistics.mean([each[half] for each in areas[1:]]) for half in _HALVES]
        value = float(np.mean([each.value for each in areas[0]]))
        ideal_value = float(np.mean([each.value for each in ideal]))
        apart = [
            one.influence - other.influence for one, other in zip(areas[0], ideal, strict=True)
        ]
        curves = np.stack([_curve(real), np.mean([_curve(each) for each in ideals], axis=0)])
        return Row(
            format=format_id,
            adversary=adversary,
            links=links,
            residents=len(self._population.residents),
            area=statistics.interval(value, [each.influence for each in areas[0]]),
            ideal=ideal_value,
            difference=statistics.interval(value - ideal_value, apart),
            true_positives=_rate(real, FALSE_POSITIVES),
            ideal_true_positives=float(np.mean([_rate(each, FALSE_POSITIVES) for each in ideals])),
            matching=self._matching(real, ideals),
            worst=self._worst(real),
            curve=tuple(
                (float(rate), float(one), float(other))
                for rate, one, other in zip(_RATES, *curves, strict=True)
            ),
        )

    def _matching(self, real: _Judged, ideals: Sequence[_Judged]) -> Matching:
        """Compare right assignments; by chance each block has one, with variance one."""
        blocks = sum(len(each) for each in self._blocks)
        return Matching(
            right=real.right,
            ideal=float(np.mean([each.right for each in ideals])),
            deviation=float(np.sqrt(blocks * (1 + 1 / len(ideals)))),
            of=sum(len(left) for each in self._blocks for left, _ in each),
        )

    def _worst(self, real: _Judged) -> Group | None:
        """Return the group whose pairs are told apart best."""
        groups: list[Group] = []
        names = sorted({name for each in self._population.residents for name in each.groups})
        order = np.concatenate([self._members[1], self._members[0]])
        positive, negative = np.concatenate(real.positive), np.concatenate(real.negative)
        for name in names:
            inside = np.array([name in self._population.residents[n].groups for n in order])
            if inside.sum() >= _SMALLEST_GROUP:
                area = statistics.area(positive[inside], negative[inside])
                groups.append(
                    Group(
                        name=name,
                        size=int(inside.sum()),
                        area=statistics.interval(area.value, [area.influence]),
                    )
                )
        return max(groups, key=lambda each: abs(each.area.value - GUESSING), default=None)


def _all_pairs(left: Integers, right: Integers) -> Pairs:
    return Pairs(left=np.repeat(left, len(right)), right=np.tile(right, len(left)))


def _areas(judged: _Judged) -> list[Area]:
    return [
        statistics.area(positive, negative)
        for positive, negative in zip(judged.positive, judged.negative, strict=True)
    ]


def _rate(judged: _Judged, false_positives: float) -> float:
    rates = [
        statistics.true_positive_rate(positive, negative, false_positive_rate=false_positives)
        for positive, negative in zip(judged.positive, judged.negative, strict=True)
    ]
    return float(np.mean(rates))


def _curve(judged: _Judged) -> Floats:
    return np.array([_rate(judged, float(rate)) for rate in _RATES])
