"""The log's process dies at every step that writes: what is published is never contradicted.

Killed and failing system calls are injected by strace; without it only the random kills run.
"""

import collections
import multiprocessing
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from idservice.storage import engine, transparency
from tests.fakes import engines, log_victim, postgres, trees
from tests.fakes.log_victim import Survivors

WRITES = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate")
SYNCS = ("fsync", "fdatasync")
SOME = 16
"""Steps that are tried outside `make check-long`."""

COUNT = 3
PATIENCE = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([log_victim.__name__])

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace, which injects faults, is not installed here"
)


def prepared(folder: Path, url: str | None = None) -> Survivors:
    """Begin in the middle of a tile, with some entries published."""
    folder.mkdir()
    log_victim.append(folder, 0, 4, url)
    survivors = Survivors(folder=folder, roots={}, url=url)
    survivors.look()
    return survivors


def watched(folder: Path, trace: Path, *told: str) -> int:
    """Append under the eyes of strace; return how the process ended."""
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=log_victim.victim, args=(str(folder), 100, COUNT, there))
    process.start()
    there.close()
    with here:
        arguments = ["strace", "-f", "-o", str(trace), "-p", str(here.recv()), *told]
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            said = strace.stderr.readline()
            if "attached" not in said:
                process.kill()
                process.join()
                pytest.skip("strace may not watch other processes here")
            here.send("go")
            process.join(PATIENCE)
    assert process.exitcode is not None
    return process.exitcode


def steps(folder: Path, names: Sequence[str]) -> list[tuple[str, int]]:
    """Name the steps of one undisturbed run."""
    prepared(folder)
    trace = folder.parent / "trace"
    assert watched(folder, trace, "-e", f"trace={','.join(WRITES)}") == 0
    counted = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", trace.read_text(), re.MULTILINE))
    return [(name, number) for name in names for number in range(1, counted[name] + 1)]


def some(every: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    return every[:: -(-len(every) // SOME)]


def kill_at(folder: Path, chosen: Sequence[tuple[str, int]]) -> None:
    for place, (name, number) in enumerate(chosen):
        survivors = prepared(folder / str(place))
        fault = f"inject={name}:signal=KILL:when={number}"
        code = watched(survivors.folder, folder / "trace", "-e", fault)
        assert code == -signal.SIGKILL, (name, number)
        survivors.check()
        shutil.rmtree(survivors.folder)


def fail_at(folder: Path, chosen: Sequence[tuple[str, int]]) -> None:
    for place, (name, number) in enumerate(chosen):
        survivors = prepared(folder / str(place))
        fault = f"inject={name}:error=EIO:when={number}"
        code = watched(survivors.folder, folder / "trace", "-e", fault)
        kept = survivors.folder / log_victim.ACKNOWLEDGED
        acknowledged = len(kept.read_text().splitlines()) - 4
        # where all is acknowledged, the sync that failed was one of a closing database
        assert code == 1 or acknowledged == COUNT, (name, number)
        survivors.check()
        shutil.rmtree(survivors.folder)


@needs_strace
@pytest.mark.attack("TLOG-004")
def test_log_killed_at_some_writing_steps_contradicts_nothing() -> None:
    with engines.quick_folder() as folder:
        kill_at(folder, some(steps(folder / "count", WRITES)))


@needs_strace
@pytest.mark.attack("TLOG-006")
def test_log_whose_disk_fails_ends_and_publishes_nothing_that_may_be_lost() -> None:
    with engines.quick_folder() as folder:
        fail_at(folder, some(steps(folder / "count", SYNCS)))


@pytest.mark.long
@needs_strace
@pytest.mark.attack("TLOG-004")
def test_log_killed_at_every_writing_step_contradicts_nothing() -> None:
    with engines.quick_folder() as folder:
        kill_at(folder, steps(folder / "count", WRITES))


@pytest.mark.long
@needs_strace
@pytest.mark.attack("TLOG-006")
def test_log_whose_disk_fails_at_every_sync_publishes_nothing_that_may_be_lost() -> None:
    with engines.quick_folder() as folder:
        fail_at(folder, steps(folder / "count", SYNCS))


def kill_again_and_again(folder: Path, rounds: int, url: str | None = None) -> None:
    survivors = prepared(folder / "log", url)
    kept = survivors.folder / log_victim.ACKNOWLEDGED
    for number in range(1, rounds + 1):
        first, before = 10_000 * number, len(kept.read_bytes())
        here, there = FORKS.Pipe()
        arguments = (str(survivors.folder), first, 10_000, there, url)
        process = FORKS.Process(target=log_victim.victim, args=arguments)
        process.start()
        there.close()
        with here:
            here.recv()
            here.send("go")
            while len(kept.read_bytes()) == before:  # until the first receipt is there
                assert process.is_alive()
            process.join(0.002 * (number * 7 % 23))
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        survivors.check()
    assert trees.entry(10_000 * rounds) in survivors.look()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    reason = postgres.absent()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as server:
        address = server.database("killed")
        engine.migrate(address, transparency.OFFICE, short_lived=False)
        yield address


@pytest.mark.attack("TLOG-004")
def test_log_killed_now_and_then_loses_and_doubles_nothing(url: str | None) -> None:
    with engines.quick_folder() as folder:
        kill_again_and_again(folder, 5, url)


@pytest.mark.long
@pytest.mark.attack("TLOG-004")
def test_log_killed_two_hundred_times_loses_and_doubles_nothing(url: str | None) -> None:
    with engines.quick_folder() as folder:
        kill_again_and_again(folder, 200, url)
