"""A log's process that appends and writes down what it was told, to be killed at any step.

Entries bear the numbers from `first` on, so none is ever appended twice on purpose.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from crypto.log import checkpoint
from crypto.log.note import Note
from crypto.log.tree import Hash
from idservice.storage import engine, published, transparency
from idservice.storage.published import FolderLog, PublishedFolder
from idservice.storage.transparency import SqlLog
from idservice.transparency import monitor
from idservice.transparency.model import LogError
from idservice.transparency.monitor import Expected
from tests.fakes import log_office, notaries, trees
from tests.fakes.log_office import NOW, LogOffice

ACKNOWLEDGED = "acknowledged"
PUBLIC = "public"

_SET_PTRACER = 0x59616D61
"""Linux's PR_SET_PTRACER: let a process that is not our parent watch us."""


@contextmanager
def opened(folder: Path, url: str | None = None) -> Iterator[LogOffice]:
    """Put a log together on a database (SQLite in the folder, if no other) and open it."""
    file = folder / "lasting.db"
    if url is None:
        url = f"sqlite:///{file}"
        if not file.exists():
            engine.migrate(url, transparency.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    with closing(PublishedFolder(folder / PUBLIC)) as files:
        office = log_office.make(store=SqlLog(database), files=files)
        office.log.open()
        yield office
    engine.close(database)


def append(folder: Path, first: int, count: int, url: str | None = None) -> None:
    """Append entries, and write down each receipt once it is there."""
    kept = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with opened(folder, url) as office:
        for number in range(first, first + count):
            receipt = office.log.append(trees.entry(number), expected=None)
            head = receipt.checkpoint.checkpoint.head
            line = f"{number} {receipt.proof.index} {head.size} {head.root.hex()}\n"
            os.write(kept, line.encode())
    os.close(kept)


def victim(folder: str, first: int, count: int, told: Connection, url: str | None = None) -> None:
    """Wait until somebody watches, then append."""
    ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    told.send(os.getpid())
    told.recv()
    try:
        append(Path(folder), first, count, url)
    except LogError:
        os._exit(1)
    os._exit(0)


@dataclass(slots=True)
class Survivors:
    """What outsiders remember over all the crashes: it must never be contradicted."""

    folder: Path
    roots: dict[int, Hash]
    seen: Note | None = None
    url: str | None = None

    def look(self) -> list[bytes]:
        """Check the folder as an outsider who goes on from what was seen; return all entries."""
        public = self.folder / PUBLIC
        if published.read(public, published.CHECKPOINT) is None:
            assert self.seen is None
            return []
        expected = Expected(log=notaries.log_key(), policy=None, most_seconds=1)
        entries: list[bytes] = []
        for seen, visit in ((self.seen, _ignore), (None, lambda _n, each: entries.append(each))):
            checked = monitor.check(
                FolderLog(public), expected=expected, seen=seen, now=NOW, visit=visit
            )
        self.seen = checked.signed.note
        head = checked.signed.checkpoint.head
        assert self.roots.setdefault(head.size, head.root) == head.root, "two roots of one size"
        return entries

    def check(self) -> None:
        """Look at what the crash left, start anew, look again, and count what was promised."""
        self.look()
        with opened(self.folder, self.url) as office:
            recorded = office.log.size()
            newest = office.store.newest()
            assert newest is not None
            assert newest.note is not None
            checkpoint.verify(newest.note, log=notaries.log_key())
        entries = self.look()
        assert len(entries) == recorded, "everything that is recorded is published"
        assert len(set(entries)) == len(entries), "doubled"
        kept = self.folder / ACKNOWLEDGED
        for line in kept.read_text().splitlines() if kept.exists() else []:
            number, index, size, root = line.split(" ")
            assert entries[int(index)] == trees.entry(int(number)), "lost"
            assert self.roots.setdefault(int(size), Hash(bytes.fromhex(root))).hex() == root


def _ignore(_number: int, _entry: bytes) -> None:
    """Visit an entry."""
