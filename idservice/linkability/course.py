"""A whole run: each format played in a city and in a town, the controls, and which bars hold.

The bars are those of RELIABILITY P2: what must be unlinkable differs from its ideal world by no
more than the bounds of `game.py`; what is known to be linkable must be found so, and a planted
leak found, for otherwise the game would see nothing. How a run is written down stands in
`report.py`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from idservice import catalogue, period
from idservice.linkability import game
from idservice.linkability.city import formats, offices, population, simulation, tagging
from idservice.linkability.city.formats import Format
from idservice.linkability.city.tagging import Attempt
from idservice.linkability.game import Adversary, Row

CITY: Final = 16_000
"""Residents of a usual run; with far fewer an interval is wider than its bound."""
TOWN: Final = 500
SMALLEST: Final = 40

LINKED_BY: Final = {
    catalogue.FORMAT: frozenset({Adversary.RECORDING}),
    catalogue.BBS_FORMAT: frozenset(),
}
"""Who is known to link showings in a format: the design says so, and the game must find it."""


class Progress(Protocol):
    """Is told what is being done, and how far it is."""

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Announce a stretch of work; call what is returned with each number of steps done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be run."""

    residents: int = CITY
    town: int = TOWN
    seed: int = 1
    formats: tuple[str, ...] = tuple(formats.FORMATS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One thing that must be so."""

    what: str
    holds: bool
    figure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything that a run found out."""

    wish: Wish
    city: tuple[Row, ...]
    town: tuple[Row, ...]
    planted: tuple[Row, ...]
    attempts: tuple[Attempt, ...]
    bars: tuple[Bar, ...]

    @property
    def holds(self) -> bool:
        """Say whether every bar holds."""
        return all(bar.holds for bar in self.bars)


def run(wish: Wish, progress: Progress) -> Result:
    """Play everything.

    Raises:
        ValueError: a format that is not known, or too few residents.
    """
    if min(wish.residents, wish.town) < SMALLEST or not wish.formats:
        raise ValueError(f"the game needs a format and at least {SMALLEST} residents")
    unknown = set(wish.formats) - set(formats.FORMATS)
    if unknown:
        raise ValueError("a format that is not in the game")
    city: list[Row] = []
    town: list[Row] = []
    planted: list[Row] = []
    for name in wish.formats:
        chosen = formats.FORMATS[name]
        found, mark = _play(chosen, wish, wish.residents, progress)
        city += found
        planted.append(mark)
        found, _ = _play(chosen, wish, wish.town, progress)
        town += found
    with _founded(wish, wish.town) as folder:
        attempts = [
            attempt
            for name in wish.formats
            if name in tagging.FORMATS
            for attempt in tagging.attempts(folder, name, seed=wish.seed)
        ]
    return Result(
        wish=wish,
        city=tuple(city),
        town=tuple(town),
        planted=tuple(planted),
        attempts=tuple(attempts),
        bars=tuple(_bars(city, planted, attempts)),
    )


@contextmanager
def _founded(wish: Wish, residents: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="idservice-linkability-") as folder:
        yield offices.found(Path(folder) / "city", residents=residents, seed=wish.seed)


def _play(chosen: Format, wish: Wish, residents: int, progress: Progress) -> tuple[list[Row], Row]:
    """Play one format in a place of one size."""
    people = population.make(residents, today=period.day(offices.NOW), seed=wish.seed)
    with _founded(wish, residents) as folder:
        step = progress.begin(f"{chosen.id}: {residents:,} residents", residents)
        seen = simulation.run(folder, people, format_id=chosen.id, seed=wish.seed, progress=step)
    judging = progress.begin(f"{chosen.id}: adversaries", game.STEPS + 1)
    rows = game.play(seen, people, chosen, seed=wish.seed, progress=judging)
    planted = game.play_planted(seen, people, chosen, seed=wish.seed)
    judging(1)
    return rows, planted


def _bars(
    city: Sequence[Row], planted: Sequence[Row], attempts: Sequence[Attempt]
) -> Iterator[Bar]:
    for row in city:
        who = f"{row.format}, {row.adversary.value}, {row.links}"
        if row.adversary in LINKED_BY[row.format]:
            yield Bar(
                what=f"{who}: linked, as the design says",
                holds=row.area.value >= game.LINKED,
                figure=f"AUC {row.area.value:.3f} >= {game.LINKED}",
            )
            continue
        yield from _unlinkable(row, who)
    for row in planted:
        yield Bar(
            what=f"{row.format}: a leak planted in 2 % of residents is found",
            holds=not row.unlinkable["true_positives"],
            figure=f"TPR {row.true_positives:.2%} > {game.TRUE_POSITIVES:.1%}",
        )
    for name in dict.fromkeys(attempt.format for attempt in attempts):
        these = [attempt for attempt in attempts if attempt.format == name]
        noticed = sum(attempt.as_it_should for attempt in these)
        yield Bar(
            what=f"{name}: wallets notice an issuer that tags",
            holds=noticed == len(these),
            figure=f"{noticed} of {len(these)} as they should",
        )


def _unlinkable(row: Row, who: str) -> Iterator[Bar]:
    held, apart, matching = row.unlinkable, row.difference, row.matching
    yield Bar(
        what=f"{who}: difference of AUC",
        holds=held["difference"],
        figure=f"{apart.low:+.4f} to {apart.high:+.4f}, within {game.BOUND}",
    )
    yield Bar(
        what=f"{who}: TPR at 0.1 % FPR",
        holds=held["true_positives"],
        figure=f"{row.true_positives:.2%} <= {game.TRUE_POSITIVES:.1%}",
    )
    most = matching.ideal + game.DEVIATIONS * matching.deviation
    yield Bar(
        what=f"{who}: one-to-one matching",
        holds=held["matching"],
        figure=f"{matching.right} of {matching.of:,}, at most {most:.0f}",
    )
