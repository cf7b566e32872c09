"""What HTTP costs beside the verification itself: one worker on one core, wrk on another.

The in-process figure is taken in the same run, on the server's core, while the server is idle;
they take turns, and the ratio is made turn by turn. Presentations a second, by the clock on
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bbs_material, record, rounds
from benchmarks import material as materials
from benchmarks.bbs_material import Credentials
from benchmarks.bench_bbs import verify_presentations
from benchmarks.bench_sdjwt import everything
from benchmarks.material import Material
from benchmarks.rounds import Block
from idservice import clock
from idservice.verification import trust, verify
from idservice.verification.status import KeptLists
from idservice.verification.trust import TrustBundle

CONNECTIONS = 16
SECONDS = 1
WRK_SECONDS = 3
"""Long enough for what is open when it begins and ends not to matter."""
TURNS = 15
BBS_TURNS = 7
FEW_CONNECTIONS = 4
"""For batches that take so long that what waits at the end, and is not counted, would matter."""
BATCH = 100
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """A path of the server, and the same work without HTTP."""

    figure: str
    path: str
    bodies: Sequence[object]
    """What is sent, in turn."""
    each: int
    """Presentations in one body."""
    block: Block
    """In-process."""
    verified: int
    """Presentations that the block verifies."""
    connections: int = CONNECTIONS

    def keep(self, folder: Path) -> Path:
        """Write what wrk sends: one body a line, without white space, as most clients write it."""
        file = folder / f"{self.figure}.jsonl"
        file.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in self.bodies))
        return file


def batches(items: Sequence[object]) -> list[object]:
    """Put items into overlapping batches."""
    return [
        {"items": [items[(start + each) % len(items)] for each in range(BATCH)]}
        for start in range(0, len(items), BATCH // 4)
    ]


def sd_jwt_roads(material: Material) -> tuple[Road, Road]:
    items = [
        {
            "policy": material.policy.id,
            "presentation": presentation,
            "nonce": material.nonce,
            "audience": material.audience,
        }
        for presentation in material.presentations
    ]
    block, verified = everything(material), materials.PRESENTATIONS
    return (
        Road(
            figure="http.single_over_inprocess",
            path="/v1/verify",
            bodies=items,
            each=1,
            block=block,
            verified=verified,
        ),
        Road(
            figure="http.batch100_over_inprocess",
            path="/v1/verify/batch",
            bodies=batches(items),
            each=BATCH,
            block=block,
            verified=verified,
            connections=FEW_CONNECTIONS,
        ),
    )


def bbs_roads(credentials: Credentials, bundle: TrustBundle) -> tuple[Road, Road]:
    texts = [credentials.show(resident=number) for number in range(materials.PRESENTATIONS)]
    policy = bundle.policies[bbs_material.POLICY]
    items = [
        {
            "policy": policy.id,
            "presentation": text,
            "nonce": bbs_material.NONCE,
            "audience": bbs_material.AUDIENCE,
        }
        for text in texts
    ]
    together = [
        verify.Item(text, policy, bbs_material.AUDIENCE, bbs_material.NONCE)
        for text in texts[:BATCH]
    ]

    def block() -> None:
        answers = verify.verify_batch(
            together,
            trust=bundle,
            status=KeptLists(),
            now=clock.SystemClock().now(),
            random_bytes=os.urandom,
        )
        assert all(isinstance(each, verify.Accepted) for each in answers)

    return (
        Road(
            figure="bbs.http_single_over_inprocess",
            path="/v1/verify",
            bodies=items,
            each=1,
            block=verify_presentations(texts[:BATCH], bundle),
            verified=BATCH,
        ),
        Road(
            figure="bbs.http_batch100_over_inprocess",
            path="/v1/verify/batch",
            bodies=batches(items),
            each=BATCH,
            block=block,
            verified=BATCH,
            connections=FEW_CONNECTIONS,
        ),
    )


@contextmanager
def server(bundle: bytes, folder: Path, core: int) -> Iterator[str]:
    """Run one worker pinned to `core`; yields its base address."""
    file = folder / "bundle.json"
    file.write_bytes(bundle)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.server", str(file), str(core)]
        descriptor = listening.fileno()
        with subprocess.Popen(  # noqa: S603 - a fixed command
            [*command, str(descriptor)], cwd=HERE.parent, pass_fds=[descriptor]
        ) as process:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def check_answers(base: str, road: Road) -> None:
    """Make sure that what is measured is acceptance, before anything is measured."""
    request = urllib.request.Request(  # noqa: S310 - http on loopback
        base + road.path, orjson.dumps(road.bodies[0]), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        told = json.load(answer)
    results = {each["result"] for each in told.get("items", [told])}
    assert results == {"accepted"}, results


def let_finish(base: str) -> None:
    """Wait until the server is done with what wrk left behind: one worker answers in turn."""
    with urllib.request.urlopen(f"{base}/healthz", timeout=60) as answer:  # noqa: S310 - as above
        answer.read()


def wrk(url: str, file: Path, core: int, road: Road) -> float:
    """Return presentations a second."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{road.connections}"]
    output = subprocess.run(  # noqa: S603 - a fixed command
        [*command, f"-d{WRK_SECONDS}s", "--timeout", "20s", "-s", str(HERE / "post.lua"), url],
        env={**os.environ, "BODIES": str(file)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    found = _RATE.search(output)
    assert found is not None, output
    return float(found[1]) * road.each


def in_process(road: Road) -> float:
    """Return presentations a second, verified without HTTP."""
    began = time.perf_counter()
    done = 0
    while time.perf_counter() - began < SECONDS:
        road.block()
        done += road.verified
    return done / (time.perf_counter() - began)


def measure(
    benchmark: BenchmarkFixture, folder: Path, bundle: bytes, roads: Sequence[Road], *, turns: int
) -> None:
    """Let each road and its in-process twin take turns."""
    reason = why_impossible()
    if reason is not None:
        for road in roads:
            record.impossible(benchmark, road.figure, reason)
        return
    allowed = os.sched_getaffinity(0)
    core, other = sorted(allowed)[:2]
    files = {road.figure: road.keep(folder) for road in roads}
    here: dict[str, list[float]] = {road.figure: [] for road in roads}
    by_http: dict[str, list[float]] = {road.figure: [] for road in roads}
    with server(bundle, folder, core) as base:
        for road in roads:
            check_answers(base, road)
        os.sched_setaffinity(0, {core})
        try:
            for _ in range(turns):
                for road in roads:
                    here[road.figure].append(in_process(road))
                    rate = wrk(base + road.path, files[road.figure], other, road)
                    by_http[road.figure].append(rate)
                    let_finish(base)
        finally:
            os.sched_setaffinity(0, allowed)
    for name, found in by_http.items():
        record.figure(benchmark, name, rounds.ratio(found, here[name]))


def test_http_over_inprocess(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    material = materials.make()
    roads = sd_jwt_roads(material)
    measure(benchmark, tmp_path, material.bundle, roads, turns=TURNS)
    benchmark.pedantic(roads[0].block, rounds=1)


def test_bbs_over_http(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    credentials = bbs_material.make_credentials(bbs_material.make_issuer())
    bundle = bbs_material.bundle(credentials.issuer)
    parsed = trust.parse(bundle, root_fingerprint=None, at_least_version=None)
    roads = bbs_roads(credentials, parsed)
    measure(benchmark, tmp_path, bundle, roads, turns=BBS_TURNS)
    benchmark.pedantic(roads[0].block, rounds=1)
