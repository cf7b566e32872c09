"""What the log does on this machine: entries a second, how soon they are published, a full check.

On SQLite or PostgreSQL and a folder on disk, where each step is synced; without witnesses, whose
answers cost what the network costs. Unlike the other figures these are absolute: a disk has no peer
to be compared with.
"""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import record
from benchmarks.rounds import Ratio
from crypto.log import ed25519, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note, SignatureType, VerifierKey
from idservice import clock
from idservice.storage import engine, transparency
from idservice.storage.published import FolderLog, PublishedFolder
from idservice.storage.transparency import SqlLog
from idservice.transparency import monitor
from idservice.transparency.model import Identity
from idservice.transparency.monitor import Expected
from idservice.transparency.service import Log
from tests.fakes import postgres

SEED = bytes(range(32))
KEY = VerifierKey("bench.example/log", SignatureType.ED25519, ed25519.public_key(SEED))
ENTRY_OCTETS = 600
CALLERS = 64
ENTRIES = 2000
RATE = 250
"""Entries a second that callers bring at a steady rate, more than the bar demands."""

HISTORY = 100_000
MORE = 10
CHECKS = 3


FIGURES = {
    "sqlite": ("log.append_per_s", "log.included_p99_ms"),
    "postgresql": ("log.append_postgresql_per_s", "log.included_postgresql_p99_ms"),
}


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Log]:
    """Lend a log on a database, published in a folder."""
    engine.migrate(url, transparency.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    identity = Identity(key=KEY, signer=ed25519.signer(SEED), policy=None)
    with closing(PublishedFolder(folder)) as files:
        made = Log(identity, store=SqlLog(database), files=files, collector=None)
        made.open()
        yield made
    engine.close(database)


@contextmanager
def a_log(kind: str, folder: Path) -> Iterator[Log]:
    """Lend a log on a database of this kind."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'lasting.db'}"
        if kind == "postgresql":
            url = stack.enter_context(postgres.running()).database("log")
        yield stack.enter_context(opened(url, folder / "public"))


def lacking(kind: str) -> str | None:
    """Say why this machine cannot measure it, if it cannot."""
    return postgres.absent() if kind == "postgresql" else None


def entry(number: int) -> bytes:
    return b"%d " % number + bytes(ENTRY_OCTETS)


def keep(benchmark: BenchmarkFixture, name: str, values: list[float]) -> None:
    ordered = sorted(values)
    figure = Ratio(
        median=statistics.median(ordered), low=ordered[0], high=ordered[-1], rounds=len(ordered)
    )
    record.figure(benchmark, name, figure)


@pytest.mark.parametrize("kind", FIGURES)
def test_appending(benchmark: BenchmarkFixture, tmp_path: Path, kind: str) -> None:
    """First as fast as 64 callers can; then at a steady rate, whoever was answered by then."""
    append, included = FIGURES[kind]
    reason = lacking(kind)
    if reason is not None:
        record.impossible(benchmark, append, reason)
        record.impossible(benchmark, included, reason)
        return
    with a_log(kind, tmp_path) as log:
        keep(benchmark, append, [at_once(log) for _ in range(CHECKS)])
        keep(benchmark, included, [steadily(log) for _ in range(CHECKS)])
        benchmark.pedantic(lambda: log.append(b"", expected=None), rounds=1)


def at_once(log: Log) -> float:
    """Return entries a second."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda number: log.append(entry(number), expected=None), range(ENTRIES)))
    return ENTRIES / (time.perf_counter() - begin)


def steadily(log: Log) -> float:
    """Return the milliseconds within which 99 of 100 stand in a published checkpoint."""
    begin = time.perf_counter()

    def append(number: int) -> float:
        due = begin + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        log.append(entry(number), expected=None)
        return time.perf_counter() - due

    with ThreadPoolExecutor(CALLERS) as pool:
        waited = sorted(pool.map(append, range(ENTRIES)))
    return 1000 * waited[int(0.99 * ENTRIES)]


def test_a_full_check(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    entries = [entry(number) for number in range(HISTORY)]
    with a_log("sqlite", tmp_path) as log:
        with log._store.unit() as unit:  # noqa: SLF001 - 100,000 turns would measure the disk
            growth = unit.edge().extend(map(tree.leaf_hash, entries))
            unit.add(entries, growth=growth)
        log.refresh()
        whole = [checked(tmp_path, seen=None) for _ in range(CHECKS)]
        keep(benchmark, "log.full_check_100k_s", [seconds for _, seconds in whole])
        for number in range(MORE):
            log.append(entry(number), expected=None)
    before = whole[-1][0]
    assert before.checkpoint.head.size == HISTORY
    since = [checked(tmp_path, seen=before.note) for _ in range(CHECKS)]
    assert since[-1][0].checkpoint.head.size == HISTORY + MORE
    keep(benchmark, "log.check_10_more_s", [seconds for _, seconds in since])
    benchmark.pedantic(lambda: checked(tmp_path, seen=None), rounds=1)


def checked(folder: Path, *, seen: Note | None) -> tuple[SignedCheckpoint, float]:
    """Check what is published as an outsider; return its checkpoint, and how long that took."""
    begin = time.perf_counter()
    found = monitor.check(
        FolderLog(folder / "public"),
        expected=Expected(log=KEY, policy=None, most_seconds=1),
        seen=seen,
        now=clock.SystemClock().now(),
        visit=lambda _number, _entry: None,
    )
    return found.signed, time.perf_counter() - begin
