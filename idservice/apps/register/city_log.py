"""A city's own log, opened to add to it: what is recorded, folded, and how one more entry gets in.

DESIGN, section 5. An entry is folded before it is logged, by the same fold that everybody uses;
one that would not count is not logged. The log decides: a command begins with what is recorded,
whatever an interrupted one before it believed. One process at a time has the log's folder. Which
entries there are is for `founding`, `announcing` and `road` to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crypto.errors import CryptoError
from crypto.log import cosignature, partial, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import VerifierKey
from crypto.log.tree import Hash
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import log
from idservice.apps.transparency.settings import read_log
from idservice.clock import Clock
from idservice.errors import ServiceError
from idservice.register import fold, wire
from idservice.register.entry import Entry
from idservice.register.fold import Register
from idservice.register.state import InForce
from idservice.transparency import model
from idservice.transparency.service import Log

FOLDER: Final = "log"

RECENT: Final = 60
"""Seconds for which cosignatures are as good as new, where no notice hangs on them."""

NO_ENVIRONMENT: Final[Mapping[str, str]] = {}
"""The database named there is an office's; the log of a city stands in its folder."""


class NotWitnessed(UnusableSettings):
    """Recorded for ever, and too few witnesses answered: the same command again goes on."""


class NotCounted(UnusableSettings):
    """It would not count, so it was not logged."""


class CityLog:
    """The log with what its entries mean."""

    def __init__(self, opened: Log, *, clock: Clock) -> None:
        self._log = opened
        self._clock = clock
        self._entries = list(opened.entries(0, opened.size()))
        self._leaves: list[Hash] = [tree.leaf_hash(each) for each in self._entries]
        self._register: Register | None = None
        if self._entries:
            begun = _begin(self._entries[0])
            self._register = _extended(begun, self._entries[1:], self._leaves)

    @property
    def is_founded(self) -> bool:
        """Say whether there is an entry 0."""
        return self._register is not None

    @property
    def register(self) -> Register:
        """Return everything that is recorded, folded.

        Raises:
            UnusableSettings: there is no entry 0.
        """
        if self._register is None:
            raise UnusableSettings("this log has no charter yet")
        return self._register

    @property
    def entries(self) -> Sequence[bytes]:
        """Return everything that is recorded."""
        return tuple(self._entries)

    def append(self, *entries: Entry) -> int:
        """Log entries in their order, all or none, and publish them; return the first number.

        Raises:
            NotCounted: one of them would change nothing; none was logged.
            NotWitnessed: recorded, and published as soon as enough witnesses answer.
            UnusableSettings: not done; whether it was recorded tells the next attempt.
        """
        octets = [wire.write(each) for each in entries]
        first = len(self._entries)
        after = self._folded(octets)
        try:
            with _told():
                self._log.append_all(octets, expected=first)
        except NotWitnessed:
            self._take_over(octets, after)
            raise
        self._take_over(octets, after)
        return first

    def cosigned(self, *, anew: bool) -> SignedCheckpoint:
        """Return the head of all that is recorded, with a quorum's cosignatures.

        Args:
            anew: have it cosigned at this moment even where it was a moment ago.

        Raises:
            NotWitnessed: too few witnesses answered.
            UnusableSettings: the log cannot be read or written.
        """
        found = None if anew else self._recent()
        if found is not None:
            return found
        with _told():
            self._log.refresh()
            found = self._log.published()
        if found is None or found.checkpoint.head.size != self.register.size:
            raise NotWitnessed("what is recorded is not published")
        return found

    def in_force(self) -> InForce:
        """Return what is in force now; raises as `cosigned`."""
        head = self.cosigned(anew=False)
        try:
            return self.register.in_force(head, now=self._clock.now())
        except CryptoError as error:
            raise NotWitnessed("too few of the charter's witnesses cosigned") from error

    def _recent(self) -> SignedCheckpoint | None:
        with _told():
            found = self._log.published()
        if found is None or found.checkpoint.head.size != self.register.size:
            return None
        policy, now = self.register.charter.witness_policy, self._clock.now()
        try:
            witnessed = cosignature.verify_quorum(found, policy=policy, now=now)
        except CryptoError:
            return None
        return found if abs(now - witnessed.current) <= RECENT else None

    def _folded(self, octets: Sequence[bytes]) -> Register:
        """Fold what is new and not recorded yet; it must count."""
        before, more = self._register, octets
        if before is None:
            before, more = _begin(octets[0]), octets[1:]
        leaves = self._leaves + [tree.leaf_hash(each) for each in octets]
        after = _extended(before, more, leaves)
        if len(after.refusals) > len(before.refusals):
            raise NotCounted(f"it would not count: {after.refusals[-1].reason.value}")
        return after

    def _take_over(self, octets: Sequence[bytes], after: Register) -> None:
        self._entries += octets
        self._leaves += [tree.leaf_hash(each) for each in octets]
        self._register = after


@contextmanager
def opened(folder: Path, *, clock: Clock) -> Iterator[CityLog]:
    """Open the log in a city's folder; what a crash interrupted is finished.

    Args:
        folder: the city's.
        clock: tells the time to a demonstration's own witnesses.

    Raises:
        UnusableSettings: there is none, another process has it, or its files are unusable.
    """
    settings = read_log(folder / FOLDER, environ=NO_ENVIRONMENT)
    try:
        parts = log.assemble(settings, clock=clock)
    except ServiceError as error:
        raise UnusableSettings("the log's database cannot be opened") from error
    try:
        yield CityLog(parts.log, clock=clock)
    finally:
        parts.close()


def public_key(folder: Path) -> VerifierKey:
    """Return the key of the log in a city's folder, as witnesses are told it.

    Raises:
        UnusableSettings: there is no log.
    """
    settings = read_log(folder / FOLDER, environ=NO_ENVIRONMENT)
    return log.public_key(settings)


def _begin(octets: bytes) -> Register:
    try:
        return fold.start(octets, pin=None)
    except CryptoError as error:
        raise UnusableSettings(f"entry 0 is refused: {error}") from error


def _extended(before: Register, octets: Sequence[bytes], leaves: Sequence[Hash]) -> Register:
    """Fold entries that follow on those before; `leaves` are those of all."""
    heads = partial.whole(leaves).head
    return before.extend(enumerate(octets, start=before.size), heads=heads)


@contextmanager
def _told() -> Iterator[None]:
    """Say what a log's refusal means to whoever runs a command."""
    try:
        yield
    except model.NotPublished as error:
        raise NotWitnessed("recorded, but too few witnesses answer; do the same again") from error
    except (model.LogError, ServiceError) as error:
        raise UnusableSettings("the log could not be written; look, then do it again") from error
