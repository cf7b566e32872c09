"""A whole run: each format played in a city and in a town, the controls, and which bars hold.

What must be unlinkable differs from its ideal world by no more than the bounds of `game.py`; what
is known to be linkable must be found so, and a planted leak found, for otherwise the game would
see nothing. How a run is written down stands in `report.py`.
"""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from idservice import catalogue, period
from idservice.linkability import game
from idservice.linkability.city import (
    formats,
    offices,
    population,
    processes,
    simulation,
    tagging,
    town,
)
from idservice.linkability.city.formats import Format
from idservice.linkability.city.population import Population
from idservice.linkability.city.processes import Progress
from idservice.linkability.city.simulation import Seen
from idservice.linkability.city.tagging import Attempt
from idservice.linkability.game import Adversary, Row

CITY: Final = 16_000
"""Residents of a usual run; with far fewer an interval is wider than its bound."""
TOWN: Final = 500
SMALLEST: Final = 24
"""Residents of either: among fewer somebody may find nobody with equal facts."""

LINKED_BY: Final = {
    catalogue.FORMAT: frozenset({Adversary.RECORDING}),
    catalogue.BBS_FORMAT: frozenset(),
}
"""Who is known to link showings in a format: the design says so, and the game must find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be run.

    Raises:
        ValueError: what cannot be run, in a sentence.
    """

    residents: int = CITY
    town: int = TOWN
    seed: int = 1
    formats: tuple[str, ...] = tuple(formats.FORMATS)

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.residents < SMALLEST or not SMALLEST <= self.town <= town.MOST:
            raise ValueError(
                f"the game needs {SMALLEST} residents or more, and in the town {town.MOST} at most"
            )
        if self.seed < 0:
            raise ValueError("the game needs a seed of 0 or more")
        if not self.formats or not set(self.formats) <= set(formats.FORMATS):
            raise ValueError(f"the game is for {' and '.join(formats.FORMATS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One thing that must be so."""

    what: str
    holds: bool
    figure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """What a run found out about one format."""

    city: list[Row]
    town: list[Row]
    planted: Row
    attempts: list[Attempt]


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
    """Play everything, each format in a process of its own.

    Raises:
        Failed: a process ended without its result.
    """
    with _emptied() as folder:
        parts = [(wish, formats.FORMATS[name].id, folder) for name in dict.fromkeys(wish.formats)]
        played = processes.side_by_side(_play, parts, progress)
    return Result(
        wish=wish,
        city=tuple(row for each in played for row in each.city),
        town=tuple(row for each in played for row in each.town),
        planted=tuple(each.planted for each in played),
        attempts=tuple(attempt for each in played for attempt in each.attempts),
        bars=tuple(bar for each in played for bar in _bars(each)),
    )


@contextmanager
def _emptied() -> Iterator[Path]:
    """Lend a folder that goes however the run ends: its cities have keys.

    It is this process's, so that the others can be killed.
    """
    told = (signal.SIGTERM, signal.SIGHUP)
    # nohup has one ignored, and so it stays
    endings = [each for each in told if signal.getsignal(each) is signal.SIG_DFL]
    for ending in endings:
        signal.signal(ending, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="idservice-linkability-") as folder:
            yield Path(folder)
    finally:
        for ending in endings:
            signal.signal(ending, signal.SIG_DFL)


def _play(part: tuple[Wish, str, Path], progress: Progress) -> _Played:
    """Play one format in the city and in the town."""
    wish, name, folder = part
    chosen = formats.FORMATS[name]
    seen, people = _simulated(chosen, wish, folder, progress, in_town=False)
    judging = progress.begin(f"{name}: adversaries in the city", game.STEPS + 1)
    in_city = game.play(seen, people, chosen, seed=wish.seed, progress=judging)
    planted = game.play_planted(seen, people, chosen, seed=wish.seed)
    judging(1)
    seen, people = _simulated(chosen, wish, folder, progress, in_town=True)
    judging = progress.begin(f"{name}: adversaries in the town", game.STEPS)
    in_town = game.play(seen, people, chosen, seed=wish.seed, progress=judging)
    with _founded(wish, wish.town, folder) as town_folder:
        attempts = tagging.attempts(town_folder, name, seed=wish.seed)
    return _Played(city=in_city, town=in_town, planted=planted, attempts=attempts)


@contextmanager
def _founded(wish: Wish, residents: int, folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        yield offices.found(Path(own) / "city", residents=residents, seed=wish.seed)


def _simulated(
    chosen: Format, wish: Wish, folder: Path, progress: Progress, *, in_town: bool
) -> tuple[Seen, Population]:
    """Let everybody in the city, or in the town, be issued and show."""
    residents = wish.town if in_town else wish.residents
    people = population.make(residents, today=period.day(offices.NOW), seed=wish.seed)
    where = "town" if in_town else "city"
    step = progress.begin(f"{chosen.id}: a {where} of {residents:,}", residents)
    with _founded(wish, residents, folder) as city_folder:
        seen = simulation.run(
            city_folder,
            people,
            chosen,
            in_town=in_town,
            seed=wish.seed,
            progress=step,
        )
    return seen, people


def _bars(played: _Played) -> Iterator[Bar]:
    for where, rows, bars in (
        ("", played.city, _unlinkable),
        (", in the town", played.town, _unlinkable_in_town),
    ):
        for row in rows:
            who = f"{row.format}, {row.adversary.value}, {row.links}{where}"
            if row.adversary in LINKED_BY[row.format]:
                yield Bar(
                    what=f"{who}: linked, as the design says",
                    holds=row.area.value >= game.LINKED,
                    figure=f"AUC {row.area.value:.3f} >= {game.LINKED}",
                )
            else:
                yield from bars(row, who)
    mark = played.planted
    yield Bar(
        what=f"{mark.format}: a leak planted in 2 % of residents is found",
        holds=not mark.unlinkable["true_positives"],
        figure=f"TPR {mark.true_positives:.2%} > {game.TRUE_POSITIVES:.1%}",
    )
    noticed = sum(attempt.as_it_should for attempt in played.attempts)
    yield Bar(
        what=f"{mark.format}: wallets notice an issuer that tags",
        holds=noticed == len(played.attempts),
        figure=f"{noticed} of {len(played.attempts)} as they should",
    )


def _unlinkable(row: Row, who: str) -> Iterator[Bar]:
    held, area, apart, matching = row.unlinkable, row.area, row.difference, row.matching
    yield Bar(
        what=f"{who}: AUC",
        holds=held["area"],
        figure=f"{area.low:.4f} to {area.high:.4f}, within {game.BOUND} of {game.GUESSING}",
    )
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


def _unlinkable_in_town(row: Row, who: str) -> Iterator[Bar]:
    """Ask what so few people can answer: that no leak is plain to see."""
    area, apart = row.area, row.difference
    yield Bar(
        what=f"{who}: AUC",
        holds=area.reaches(game.BOUND, of=game.GUESSING),
        figure=f"{area.low:.4f} to {area.high:.4f}, reaches {game.BOUND} of {game.GUESSING}",
    )
    yield Bar(
        what=f"{who}: difference of AUC",
        holds=apart.reaches(game.BOUND, of=0),
        figure=f"{apart.low:+.4f} to {apart.high:+.4f}, reaches {game.BOUND} of 0",
    )
