"""A copy of a city's folder with a clock of its own, in which anything may be tried.

DESIGN, section 5. The copy has the city's keys, so it lies in a folder that only its owner can
enter, and is deleted at the end; databases with residents' rows are left out. Nothing in it
reaches the city: its log, board and witnesses are copies too, and no address is asked. What is
played stands in the drills; here is what they share.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import city_folder, founding, issuer, settings
from idservice.apps.drills import cards
from idservice.apps.drills.cards import Card
from idservice.apps.founding import Chances
from idservice.apps.register import board, city_log, publication
from idservice.apps.register.board import ENOUGH, Voters
from idservice.apps.register.city_log import NotCounted
from idservice.apps.register.publication import Publisher
from idservice.apps.register.road import Road
from idservice.apps.settings import UnusableSettings
from idservice.clock import SetClock
from idservice.period import DAY
from idservice.register.bundle import Loaded
from idservice.register.change import Change
from idservice.register.state import Enacted

_LEFT_OUT: Final = shutil.ignore_patterns("pending.db*", "samples")
_RESIDENTS: Final = "lasting.db*"


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was looked at."""

    day: str
    said: str
    holds: bool


@dataclass(kw_only=True)
class Rehearsal:
    """The copy, its clock, and what was seen in it so far."""

    folder: Path
    clock: SetClock
    random_bytes: RandomBytes = field(repr=False)
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)

    @property
    def now(self) -> UnixSeconds:
        """Return the drill's time."""
        return self.clock.now()

    def say(self, said: str) -> None:
        """Tell what is done."""
        self.must(said, holds=True)

    def must(self, said: str, *, holds: bool) -> None:
        """Tell what must hold, and whether it does."""
        step = Step(day=period.day(self.now).isoformat(), said=said, holds=holds)
        self.steps.append(step)
        self.tell(step)

    def wait(self, seconds: int) -> None:
        """Move the clock."""
        self.clock.set(UnixSeconds(self.now + seconds))

    def move_to(self, now: UnixSeconds) -> None:
        """Move the clock to a moment, never back."""
        self.clock.set(max(now, self.now))

    def decide(
        self, *changes: Change, by: Voters = ENOUGH, meanwhile: Callable[[], None] = _nothing
    ) -> Sequence[Enacted]:
        """Let the board decide, with the notice that it takes; publish.

        Args:
            changes: that are decided together.
            by: who votes.
            meanwhile: is done when the notice has passed, before anybody votes.
        """

        def wait(seconds: int) -> None:
            self.wait(seconds)
            meanwhile()

        with self._road() as road:
            enacted = replace(road, wait=wait).decide(*changes, by=by)
        self.publish()
        return enacted

    def confirm(self, decided: Change) -> Enacted:
        """Let the board confirm what its emergency quorum has done; publish."""
        with self._road() as road:
            courses = road.held.register.courses.values()
            digest = next(each.digest for each in courses if each.proposal.change == decided)
            (enacted,) = road.enact([digest], c1=None, by=ENOUGH)
        self.publish()
        return enacted

    def refused(self, *changes: Change, by: Voters) -> bool:
        """Say whether these votes are not enough for that."""
        try:
            self.decide(*changes, by=by)
        except NotCounted:
            return True
        return False

    def publish(self) -> Loaded:
        """Publish what is in force, vouched for at this moment."""
        root = city_folder.read_root(self.folder)
        city = settings.issuer(self.folder / "issuer", environ={}).city
        publisher = Publisher(city=city, root=root)
        with city_log.opened(self.folder, clock=self.clock) as held:
            return publication.publish(self.folder, held, publisher, now=self.now)

    def announce(self) -> Loaded:
        """Announce what is missing, as `idservice init announce` does, and publish."""
        chances = Chances(now=self.now, random_bytes=self.random_bytes)
        founding.announce(self.folder, residents=None, chances=chances)
        return self.published()

    def published(self) -> Loaded:
        """Read the bundle as somebody who has none."""
        return publication.read(self.folder, now=self.now)

    def issue(self) -> Card | None:
        """Ask the issuer for a card."""
        return cards.issue(self.folder, clock=self.clock, random_bytes=self.random_bytes)

    def issuer_starts(self) -> bool:
        """Put the issuer's process together, as if it had been stopped."""
        told = settings.issuer(self.folder / "issuer", environ={})
        try:
            parts = issuer.assemble(told, clock=self.clock, random_bytes=self.random_bytes)
        except UnusableSettings:
            return False
        parts.close()
        return True

    def verifies(self, card: Card) -> bool:
        """Show a card to a verifier with the newest bundle."""
        return card.verifies(trust=self.published().trust, now=self.now)

    @contextmanager
    def _road(self) -> Iterator[Road]:
        seats = board.read(self.folder)
        if seats is None:
            raise UnusableSettings("the board's keys are not in this folder")
        with city_log.opened(self.folder, clock=self.clock) as held:
            yield Road(held=held, board=seats, clock=self.clock, wait=self.wait)


@contextmanager
def of(
    folder: Path, *, now: UnixSeconds, random_bytes: RandomBytes, tell: Callable[[Step], None]
) -> Iterator[Rehearsal]:
    """Copy a city's folder for a drill; the copy is deleted at the end.

    Args:
        folder: the city's; nothing in it is changed.
        now: with which the drill's clock begins.
        random_bytes: for new keys and cards.
        tell: is given each step as it happens.

    Raises:
        UnusableSettings: it is no city's, or the keys of its board or root are not in it: then a
            drill could only pretend. Found a demonstration with the same charter's terms for it.
    """
    if board.read(folder) is None or not (folder / "root" / "root.key").exists():
        raise UnusableSettings("a drill needs the keys of board and root: use a demonstration")
    with tempfile.TemporaryDirectory(prefix="idservice-drill-") as name:
        copy = Path(name) / "city"
        with city_folder.alone(folder):
            shutil.copytree(folder, copy, ignore=_ignored(folder))
        clock = SetClock(now)
        yield Rehearsal(folder=copy, clock=clock, random_bytes=random_bytes, tell=tell)


def days(number: int) -> int:
    """Return so many days in seconds."""
    return number * DAY


def _ignored(folder: Path) -> Callable[[str, list[str]], set[str]]:
    """Leave out what the issuer keeps of residents; the log's rows are public."""
    issuers = shutil.ignore_patterns(_RESIDENTS)

    def ignore(where: str, names: list[str]) -> set[str]:
        found = set(_LEFT_OUT(where, names))
        return found | set(issuers(where, names)) if Path(where) == folder / "issuer" else found

    return ignore
