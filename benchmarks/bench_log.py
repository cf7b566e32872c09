"""What the log does on this machine: entries a second, how soon they are published, a full check.

On SQLite and a folder on disk, where each step is synced; without witnesses, whose answers cost
what the network costs. Unlike the other figures these are absolute: a disk has no peer to be
compared with.
"""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import record
from benchmarks.rounds import Ratio
from crypto.log import ed25519, tree
from crypto.log.note import SignatureType, VerifierKey
from idservice import clock
from idservice.storage import engine, transparency
from idservice.storage.published import FolderLog, PublishedFolder
from idservice.storage.transparency import SqlLog
from idservice.transparency import monitor
from idservice.transparency.model import Identity
from idservice.transparency.monitor import Expected
from idservice.transparency.service import Log

SEED = bytes(range(32))
KEY = VerifierKey("bench.example/log", SignatureType.ED25519, ed25519.public_key(SEED))
ENTRY_OCTETS = 600
CALLERS = 64
ENTRIES = 2000
RATE = 250
"""Entries a second that callers bring for `included_p99_ms`, more than the bar demands."""

HISTORY = 100_000
CHECKS = 3


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    url = f"sqlite:///{tmp_path / 'lasting.db'}"
    engine.migrate(url, transparency.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    identity = Identity(key=KEY, signer=ed25519.signer(SEED), policy=None)
    with closing(PublishedFolder(tmp_path / "public")) as files:
        made = Log(identity, store=SqlLog(database), files=files, collector=None)
        made.open()
        yield made
    engine.close(database)


def entry(number: int) -> bytes:
    return b"%d " % number + bytes(ENTRY_OCTETS)


def keep(benchmark: BenchmarkFixture, name: str, values: list[float]) -> None:
    ordered = sorted(values)
    figure = Ratio(
        median=statistics.median(ordered), low=ordered[0], high=ordered[-1], rounds=len(ordered)
    )
    record.figure(benchmark, name, figure)


def test_appending(benchmark: BenchmarkFixture, log: Log) -> None:
    def append(number: int) -> None:
        log.append(entry(number), expected=None)

    def round_() -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(append, range(ENTRIES)))
        return ENTRIES / (time.perf_counter() - begin)

    keep(benchmark, "log.append_per_s", [round_() for _ in range(CHECKS)])
    benchmark.pedantic(append, args=(0,), rounds=1)


def test_being_included(benchmark: BenchmarkFixture, log: Log) -> None:
    """Callers come at a steady rate, whether or not the log has answered the ones before."""

    def round_() -> float:
        begin = time.perf_counter()

        def append(number: int) -> float:
            due = begin + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            log.append(entry(number), expected=None)
            return time.perf_counter() - due

        with ThreadPoolExecutor(CALLERS) as pool:
            waited = sorted(pool.map(append, range(ENTRIES)))
        return 1000 * waited[int(0.99 * ENTRIES)]

    keep(benchmark, "log.included_p99_ms", [round_() for _ in range(CHECKS)])
    benchmark.pedantic(lambda: log.append(b"", expected=None), rounds=1)


def test_a_full_check(benchmark: BenchmarkFixture, log: Log, tmp_path: Path) -> None:
    entries = [entry(number) for number in range(HISTORY)]
    with log._store.unit() as unit:  # noqa: SLF001 - a hundred thousand turns would measure the disk
        growth = unit.edge().extend(map(tree.leaf_hash, entries))
        unit.add(entries, growth=growth)
    log.refresh()
    expected = Expected(log=KEY, policy=None, most_seconds=1)

    def check() -> float:
        begin = time.perf_counter()
        checked = monitor.check(
            FolderLog(tmp_path / "public"),
            expected=expected,
            seen=None,
            now=clock.SystemClock().now(),
            visit=lambda _number, _entry: None,
        )
        assert checked.signed.checkpoint.head.size == HISTORY
        return time.perf_counter() - begin

    keep(benchmark, "log.full_check_100k_s", [check() for _ in range(CHECKS)])
    benchmark.pedantic(check, rounds=1)
