"""The log's office without a disk and without a network: stores and witnesses in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock

from crypto.instant import UnixSeconds
from crypto.log import edge, note, tile
from crypto.log.cosignature import Policy
from crypto.log.edge import Edge, Growth
from crypto.log.note import Note
from crypto.log.tile import Bundle, Tile
from crypto.log.tree import Hash, TreeHead
from idservice.transparency import ports
from idservice.transparency.collection import Collector
from idservice.transparency.model import Identity, Publication, RecordedHead
from idservice.transparency.ports import Absent, LogStore, Raced, Unit, Witness
from idservice.transparency.service import Log
from idservice.transparency.witness import WitnessDesk
from tests.fakes import notaries

NOW = UnixSeconds(1_800_000_000)


@dataclass(slots=True)
class MovedClock:
    """A clock that stands until it is moved."""

    time: int = NOW

    def now(self) -> UnixSeconds:
        return UnixSeconds(self.time)


class MemoryUnit:
    """What is added is there when the unit of work ends, or not at all."""

    def __init__(self, store: "MemoryLog") -> None:
        self._store = store
        self.added: list[tuple[Sequence[bytes], Growth]] = []

    def edge(self) -> Edge:
        size = max(self._store.heads, default=0)
        return edge.read(size=size, read_tile=lambda name: self._store.tiles([name])[name])

    def add(self, entries: Sequence[bytes], *, growth: Growth) -> None:
        if growth.edge.size in self._store.heads:
            raise Raced
        self.added.append((entries, growth))


class MemoryLog:
    """The log's rows in dictionaries."""

    def __init__(self) -> None:
        self.heads: dict[int, RecordedHead] = {}
        self.rows: dict[int, bytes] = {}
        self.hashes: dict[tuple[int, int], tuple[Hash, ...]] = {}
        self.seen: Publication | None = None
        self._lock = RLock()

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        with self._lock:
            unit = MemoryUnit(self)
            yield unit
            for entries, growth in unit.added:
                head = growth.edge.head()
                self.heads[head.size] = RecordedHead(head=head, note=None)
                self.rows.update(enumerate(entries, start=head.size - len(entries)))
                for name, hashes in growth.tiles.items():
                    self.hashes[name.level, name.index] = hashes

    def newest(self) -> RecordedHead | None:
        return self.heads[max(self.heads)] if self.heads else None

    def keep_signature(self, signed: Note, *, size: int) -> None:
        if self.heads[size].note is None:
            self.heads[size] = RecordedHead(head=self.heads[size].head, note=signed)

    def publication(self) -> Publication | None:
        return self.seen

    def publish(self, publication: Publication) -> bool:
        if self.seen is not None and self.seen.size > publication.size:
            return False
        self.seen = publication
        return True

    def tiles(self, names: Sequence[Tile]) -> Mapping[Tile, tuple[Hash, ...]]:
        return {name: self.hashes[name.level, name.index][: name.width] for name in names}

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        return [self.rows[number] for number in range(begin, end) if number in self.rows]


class MemoryFiles:
    """Files in a dictionary; each checkpoint that was ever seen is remembered."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.shown: list[bytes] = []

    def write(self, path: str, octets: bytes) -> None:
        assert self.files.get(path, octets) == octets, "a file never changes"
        self.files[path] = octets

    def replace_checkpoint(self, octets: bytes) -> None:
        self.files["checkpoint"] = octets
        self.shown.append(octets)

    def checkpoint(self) -> bytes | None:
        return self.files.get("checkpoint")

    def drop_partial(self, path: str) -> None:
        for name in [name for name in self.files if name.startswith(f"{path}.p/")]:
            del self.files[name]

    def read(self, name: str, limit: int) -> bytes:
        """Answer as whoever serves the files would."""
        if name not in self.files or len(self.files[name]) > limit:
            raise Absent
        return self.files[name]


class MemoryWitnesses:
    """A witness's rows in a dictionary."""

    def __init__(self) -> None:
        self.heads: dict[str, TreeHead] = {}

    def head(self, origin: str) -> TreeHead | None:
        return self.heads.get(origin)

    def advance(self, origin: str, *, old: TreeHead | None, new: TreeHead) -> bool:
        if self.heads.get(origin) != old:
            return False
        self.heads[origin] = new
        return True


@dataclass(slots=True)
class Neighbour:
    """A witness next door, which can be switched off, or made to answer something else."""

    desk: WitnessDesk
    away: bool = False
    says: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    def add_checkpoint(self, body: bytes) -> bytes:
        self.asked.append(body)
        if self.away:
            raise Absent
        answer = self.desk.add_checkpoint(body)
        return answer if self.says is None else self.says


def witness(name: str, *, clock: MovedClock, store: ports.WitnessStore | None = None) -> Neighbour:
    desk = WitnessDesk(
        key=notaries.witness_key(name),
        signer=notaries.signer(name),
        logs=(notaries.log_key(),),
        store=store or MemoryWitnesses(),
        clock=clock,
    )
    return Neighbour(desk)


@dataclass(slots=True, kw_only=True)
class LogOffice:
    """A log with what it needs."""

    log: Log
    store: LogStore
    files: ports.Files
    clock: MovedClock
    witnesses: dict[str, Neighbour]
    policy: Policy | None

    def reopened(self, *, files: ports.Files | None = None) -> "LogOffice":
        """Start the process anew on what is kept."""
        return make(
            store=self.store,
            files=files or self.files,
            clock=self.clock,
            witnesses=self.witnesses,
            threshold=0 if self.policy is None else self.policy.threshold,
        )


def identity(policy: Policy | None) -> Identity:
    return Identity(key=notaries.log_key(), signer=notaries.signer(), policy=policy)


def make(
    *,
    store: LogStore | None = None,
    files: ports.Files | None = None,
    clock: MovedClock | None = None,
    witnesses: dict[str, Neighbour] | None = None,
    threshold: int = 0,
) -> LogOffice:
    """Put a log together; it is not opened yet."""
    clock = clock or MovedClock()
    found = witnesses if witnesses is not None else {}
    policy, collector = None, None
    if threshold:
        keys = {notaries.witness_key(name): each for name, each in found.items()}
        policy = Policy(witnesses=tuple(keys), threshold=threshold)
        asked: dict[note.VerifierKey, Witness] = {**keys}
        collector = Collector(policy, witnesses=asked, clock=clock)
    store, files = store or MemoryLog(), files or MemoryFiles()
    log = Log(identity(policy), store=store, files=files, collector=collector)
    return LogOffice(log=log, store=store, files=files, clock=clock, witnesses=found, policy=policy)


def witnessed(*names: str, threshold: int) -> LogOffice:
    """Put a log with witnesses together, and open it."""
    clock = MovedClock()
    office = make(
        clock=clock,
        witnesses={name: witness(name, clock=clock) for name in names},
        threshold=threshold,
    )
    office.log.open()
    return office


def read_all(read: Callable[[str, int], bytes], size: int) -> list[bytes]:
    """Read every entry as an outsider does."""
    found: list[bytes] = []
    for bundle in tile.bundles_between(old=0, new=size):
        octets = read(Bundle(index=bundle.index, width=bundle.width).path, tile.LONGEST_BUNDLE)
        found.extend(tile.parse_entries(octets, width=bundle.width))
    return found
