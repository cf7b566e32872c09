"""The log dies before or after any act, with witnesses: the next start contradicts nothing.

Kills of a real process on a real disk are played in `tests/journeys/test_log_crash.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from crypto.log import checkpoint, cosignature, note
from crypto.log.cosignature import Policy
from crypto.log.note import Note
from crypto.log.tile import Tile
from crypto.log.tree import Hash
from idservice.transparency import model, monitor
from idservice.transparency.model import Publication, RecordedHead
from idservice.transparency.monitor import Expected
from idservice.transparency.ports import Absent, Unit
from tests.fakes import log_office, notaries, trees
from tests.fakes.log_office import LogOffice, MemoryFiles, MemoryLog, MovedClock, Neighbour

ENTRIES = 3
BEFORE = 254
"""Entries that are there already, so that a tile becomes full."""


class Killed(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Fate:
    """Counts acts, and ends the process at one of them, before or after it is done."""

    at: int = -1
    after: bool = False
    acts: int = 0

    @contextmanager
    def act(self) -> Iterator[None]:
        self.acts += 1
        mine = self.acts == self.at
        if mine and not self.after:
            raise Killed
        yield
        if mine:
            raise Killed


class MortalLog:
    """The log's rows; the process may die at each act that writes."""

    def __init__(self, kept: MemoryLog, fate: Fate) -> None:
        self._kept = kept
        self._fate = fate

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        with self._fate.act(), self._kept.unit() as unit:
            yield unit

    def newest(self) -> RecordedHead | None:
        return self._kept.newest()

    def keep_signature(self, signed: Note, *, size: int) -> None:
        with self._fate.act():
            self._kept.keep_signature(signed, size=size)

    def publication(self) -> Publication | None:
        return self._kept.publication()

    def publish(self, publication: Publication) -> bool:
        with self._fate.act():
            return self._kept.publish(publication)

    def tiles(self, names: Sequence[Tile]) -> Mapping[Tile, tuple[Hash, ...]]:
        return self._kept.tiles(names)

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        return self._kept.entries(begin, end)


class MortalFiles:
    """The published files; the process may die at each write."""

    def __init__(self, kept: MemoryFiles, fate: Fate) -> None:
        self._kept = kept
        self._fate = fate

    def write(self, path: str, octets: bytes) -> None:
        with self._fate.act():
            self._kept.write(path, octets)

    def replace_checkpoint(self, octets: bytes) -> None:
        with self._fate.act():
            self._kept.replace_checkpoint(octets)

    def checkpoint(self) -> bytes | None:
        return self._kept.checkpoint()

    def drop_partial(self, path: str) -> None:
        with self._fate.act():
            self._kept.drop_partial(path)


@dataclass(slots=True)
class World:
    """What outlives the process."""

    rows: MemoryLog
    files: MemoryFiles
    clock: MovedClock
    witnesses: dict[str, Neighbour]

    def office(self, fate: Fate) -> LogOffice:
        return log_office.make(
            store=MortalLog(self.rows, fate),
            files=MortalFiles(self.files, fate),
            clock=self.clock,
            witnesses=self.witnesses,
            threshold=2,
        )


def world() -> World:
    clock = MovedClock()
    witnesses = {name: log_office.witness(name, clock=clock) for name in ("a", "b", "c")}
    made = World(rows=MemoryLog(), files=MemoryFiles(), clock=clock, witnesses=witnesses)
    office = made.office(Fate())
    office.log.open()
    with made.rows.unit() as unit:
        grown = unit.edge().extend(trees.leaf(number) for number in range(BEFORE))
        unit.add([trees.entry(number) for number in range(BEFORE)], growth=grown)
    office.log.refresh()
    return made


def live(made: World, fate: Fate) -> int:
    """Start, append, and say how many receipts came before the process died."""
    received = 0
    try:
        office = made.office(fate)
        office.log.open()
        for number in range(BEFORE, BEFORE + ENTRIES):
            office.log.append(trees.entry(number), expected=number)
            received += 1
    except Killed:
        pass
    return received


def check(made: World, received: int) -> None:
    """Look as an outsider before and after the next start."""
    policy = Policy(
        witnesses=tuple(notaries.witness_key(name) for name in made.witnesses), threshold=2
    )
    expected = Expected(log=notaries.log_key(), policy=policy, most_seconds=3600)
    seen: Note | None = None
    for _ in range(2):
        checked = monitor.check(
            made.files.read,
            expected=expected,
            seen=seen,
            now=made.clock.now(),
            visit=lambda _number, _entry: None,
        )
        seen = checked.signed.note
        assert checked.signed.checkpoint.head.size >= BEFORE + received
        made.office(Fate()).log.open()
    newest = made.rows.newest()
    assert newest is not None
    assert checked.signed.checkpoint.head == newest.head == trees.head(newest.head.size)
    assert log_office.read_all(made.files.read, newest.head.size) == [
        trees.entry(number) for number in range(newest.head.size)
    ]
    for octets in made.files.shown:
        head = checkpoint.parse(note.parse(octets).text).head
        assert head == trees.head(head.size), "two roots of one size"


@pytest.mark.attack("TLOG-004")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_log_may_die_at_any_act(*, after: bool) -> None:
    undisturbed = Fate()
    assert live(world(), undisturbed) == ENTRIES
    assert undisturbed.acts > 20
    for at in range(1, undisturbed.acts + 1):
        made = world()
        received = live(made, Fate(at=at, after=after))
        check(made, received)


def test_whoever_was_cut_off_looks_and_knows() -> None:
    """A caller ties its entry to the size it knew: so a second attempt is never a second entry."""
    for at in range(1, 12):
        made = world()
        received = live(made, Fate(at=at, after=True))
        office = made.office(Fate())
        office.log.open()
        while office.log.size() < BEFORE + ENTRIES:
            number = office.log.size()
            office.log.append(trees.entry(number), expected=number)
        with pytest.raises(model.Overtaken):
            office.log.append(trees.entry(BEFORE + received), expected=BEFORE + received)
        check(made, ENTRIES)


@dataclass(slots=True)
class Mute(Neighbour):
    """A witness whose answer is lost after it has recorded and signed."""

    loses: int = 0

    def add_checkpoint(self, body: bytes) -> bytes:
        answer = Neighbour.add_checkpoint(self, body)
        if self.loses:
            self.loses -= 1
            raise Absent
        return answer


def test_a_witness_whose_answer_was_lost_is_asked_again() -> None:
    clock = MovedClock()
    mute = Mute(log_office.witness("a", clock=clock).desk, loses=1)
    office = log_office.make(clock=clock, witnesses={"a": mute}, threshold=1)
    with pytest.raises(model.NotPublished):
        office.log.open()
    office.log.open()
    mute.loses = 1
    with pytest.raises(model.NotPublished):
        office.log.append(b"entry", expected=0)
    office.log.refresh()
    published = office.log.published()
    assert published is not None
    assert office.policy is not None
    cosignature.verify_quorum(published, policy=office.policy, now=clock.now())
    assert published.checkpoint.head.size == 1
