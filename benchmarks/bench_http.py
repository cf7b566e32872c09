"""What HTTP costs beside the verification itself: one worker on one core, wrk on another.

The in-process figure is taken in the same run, on the server's core, while the server is idle;
the three take turns, and the ratio is made turn by turn. Presentations a second, by the clock on
the wall, because that is what somebody at a counter waits for.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import material as materials
from benchmarks import record, rounds
from benchmarks.bench_sdjwt import everything
from benchmarks.material import Material

CONNECTIONS = 16
SECONDS = 1
TURNS = 21
BATCH = 100
FIGURES = ("http.single_over_inprocess", "http.batch100_over_inprocess")
HERE = Path(__file__).parent
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")


def why_impossible() -> str | None:
    """Say why this machine cannot measure it, if it cannot."""
    if shutil.which("wrk") is None:
        return "wrk is not installed on this machine"
    if not hasattr(os, "sched_setaffinity"):
        return "processes cannot be pinned to a core on this system"
    if len(os.sched_getaffinity(0)) < 2:
        return "there are no two cores for server and load"
    return None


def bodies(material: Material, folder: Path) -> dict[str, Path]:
    """Write what wrk sends: one body a line, without white space, as most clients write it."""
    items = [
        {
            "policy": material.policy.id,
            "presentation": presentation,
            "nonce": material.nonce,
            "audience": material.audience,
        }
        for presentation in material.presentations
    ]
    batches = [
        {"items": [items[(start + each) % len(items)] for each in range(BATCH)]}
        for start in range(0, len(items), BATCH // 4)
    ]
    single, batch = folder / "single.jsonl", folder / "batch.jsonl"
    single.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in items))
    batch.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in batches))
    return {"/v1/verify": single, "/v1/verify/batch": batch}


@contextmanager
def server(material: Material, folder: Path, core: int) -> Iterator[str]:
    """Run one worker pinned to `core`; yields its base address."""
    bundle = folder / "bundle.json"
    bundle.write_bytes(material.bundle)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.server", str(bundle), str(core)]
        descriptor = listening.fileno()
        with subprocess.Popen(  # noqa: S603 - a fixed command
            [*command, str(descriptor)], cwd=HERE.parent, pass_fds=[descriptor]
        ) as process:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def check_answers(base: str, files: Mapping[str, Path]) -> None:
    """Make sure that what is measured is acceptance, before anything is measured."""
    for path, file in files.items():
        body = file.read_text("utf-8").partition("\n")[0].encode()
        request = urllib.request.Request(  # noqa: S310 - http on loopback
            base + path, body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            told = json.load(answer)
        results = {each["result"] for each in told.get("items", [told])}
        assert results == {"accepted"}, results


def wrk(url: str, file: Path, core: int) -> float:
    """Return requests a second."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    output = subprocess.run(  # noqa: S603 - a fixed command
        [*command, "--timeout", "20s", "-s", str(HERE / "post.lua"), url],
        env={**os.environ, "BODIES": str(file)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    found = _RATE.search(output)
    assert found is not None, output
    return float(found[1])


def in_process(block: Callable[[], object]) -> float:
    """Return presentations a second, verified without HTTP."""
    began = time.perf_counter()
    done = 0
    while time.perf_counter() - began < SECONDS:
        block()
        done += materials.PRESENTATIONS
    return done / (time.perf_counter() - began)


def test_http_over_inprocess(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    reason = why_impossible()
    material = materials.make()
    if reason is not None:
        for name in FIGURES:
            record.impossible(benchmark, name, reason)
        benchmark.pedantic(everything(material), rounds=1)
        return
    allowed = os.sched_getaffinity(0)
    core, other = sorted(allowed)[:2]
    files = bodies(material, tmp_path)
    taken: dict[str, list[float]] = {"in-process": [], **{path: [] for path in files}}
    with server(material, tmp_path, core) as base:
        check_answers(base, files)
        os.sched_setaffinity(0, {core})
        try:
            for _ in range(TURNS):
                taken["in-process"].append(in_process(everything(material)))
                for path, file in files.items():
                    taken[path].append(wrk(base + path, file, other))
        finally:
            os.sched_setaffinity(0, allowed)
    batched = [each * BATCH for each in taken["/v1/verify/batch"]]
    record.figure(benchmark, FIGURES[0], rounds.ratio(taken["/v1/verify"], taken["in-process"]))
    record.figure(benchmark, FIGURES[1], rounds.ratio(batched, taken["in-process"]))
    benchmark.pedantic(everything(material), rounds=1)
