"""The register's process dies at every step that writes while it enacts: before or after, once.

Kills are injected by strace, as in the log's own crash tests.
"""

import collections
import multiprocessing
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes import enact_victim, engines

WRITES = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate")
SOME = 8
"""Steps that are tried outside `make check-long`."""

PATIENCE = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([enact_victim.__name__])

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace, which injects faults, is not installed here"
)


def watched(folder: Path, trace: Path, *told: str) -> int:
    """Enact under the eyes of strace; return how the process ended."""
    here, there = FORKS.Pipe()
    told_all = (str(folder), there, enact_victim.LATER)
    process = FORKS.Process(target=enact_victim.victim, args=told_all)
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


def steps(ready: Path, folder: Path) -> list[tuple[str, int]]:
    """Name the steps of one undisturbed run."""
    shutil.copytree(ready, folder)
    trace = folder.parent / "trace"
    assert watched(folder, trace, "-e", f"trace={','.join(WRITES)}") == 0
    counted = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", trace.read_text(), re.MULTILINE))
    return [(name, number) for name in WRITES for number in range(1, counted[name] + 1)]


def kill_at(ready: Path, chosen: Sequence[tuple[str, int]]) -> None:
    """Kill at each; threads wake each other now and then, so a step may not come in every run."""
    killed = 0
    for name, number in chosen:
        folder = ready.parent / "victim"
        shutil.copytree(ready, folder)
        fault = f"inject={name}:signal=KILL:when={number}"
        code = watched(folder, ready.parent / "trace", "-e", fault)
        assert code in {-signal.SIGKILL, 0}, (name, number)
        killed += code != 0
        enact_victim.check(folder)
        shutil.rmtree(folder)
    assert 4 * killed >= 3 * len(chosen)


@needs_strace
def test_register_killed_at_some_writing_steps_has_enacted_once_or_not_yet() -> None:
    with engines.quick_folder() as folder:
        enact_victim.prepare(folder / "ready")
        every = steps(folder / "ready", folder / "count")
        kill_at(folder / "ready", every[:: -(-len(every) // SOME)])


@pytest.mark.long
@needs_strace
def test_register_killed_at_every_writing_step_has_enacted_once_or_not_yet() -> None:
    with engines.quick_folder() as folder:
        enact_victim.prepare(folder / "ready")
        kill_at(folder / "ready", steps(folder / "ready", folder / "count"))
