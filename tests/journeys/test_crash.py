"""The issuer, its database or its disk fail in the middle of issuing: it goes on where it was."""

import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from idservice import catalogue
from idservice.demonstration import ledger, stage, town
from idservice.demonstration.town import Town
from idservice.storage import engine
from tests.fakes import engines, pickups, postgres, towns
from tests.fakes.pickups import PickUp

CROWD = 4
"""Residents who are being served when the process is killed."""
SEARCHED = 1000
"""Values that are searched for at the end; the long run has too many for all files."""
RECOVERY = 10.0
"""Seconds after which an issuer works again, once its database is back."""


@dataclass(slots=True)
class Tally:
    """What residents hold after everything that happened."""

    valid: dict[int, PickUp] = field(default_factory=dict)
    """The indices of instances that their holders go on using."""
    canaries: list[str | bytes] = field(default_factory=list)
    served: list[PickUp] = field(default_factory=list)
    interrupted: int = 0

    def keep(self, one: PickUp, issued: list[str]) -> None:
        """Count what a resident goes on using."""
        self.served.append(one)
        self.canaries += one.canaries(issued)
        for index in pickups.indices(issued):
            assert index not in self.valid, "one index was handed over twice"
            self.valid[index] = one


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with towns.running(tmp_path_factory.mktemp("town"), verifiers=()) as found:
        yield found


@pytest.fixture(scope="module")
def tally() -> Tally:
    """What was issued by the issuer of this module."""
    return Tally()


def issue_and_kill(issuer: Town, crowd: Sequence[PickUp], *, after: float, tally: Tally) -> None:
    """Kill the process `after` seconds of their requests; then do what wallets do: ask again."""
    for one in crowd:
        assert one.ask_token().is_success
    bodies = [one.body() for one in crowd]
    with ThreadPoolExecutor(len(crowd)) as pool:
        asked = [pool.submit(one.ask, body) for one, body in zip(crowd, bodies, strict=True)]
        time.sleep(after)
        issuer.stage.kill("issuer")
        left = files(issuer.issuer_folder, issuer.stage.folder / "copy")
        issuer.start(names=["issuer"])
        first = [one.result() for one in asked]
    assert hits(left, [value for one in crowd for value in one.canaries()]) == []
    for one, answer in zip(crowd, first, strict=True):
        if answer is None:
            tally.interrupted += 1
            answer = one.ask(one.body())  # noqa: PLW2901, the second answer is the one that counts
        assert answer is not None
        tally.keep(one, pickups.credentials(answer))


def files(folder: Path, copy: Path) -> dict[str, bytes]:
    """Take every file of a folder, journals included.

    Another process copies them: reading a database's file in a process that has it open takes
    the locks of SQLite away, and then the next process to open it spoils it.
    """
    subprocess.run(["cp", "-r", str(folder), str(copy)], check=True)
    taken = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    shutil.rmtree(copy)
    return taken


def hits(found: dict[str, bytes], values: Sequence[str | bytes]) -> list[str]:
    """Name the files in which one of the values stands, in any spelling."""
    needles = [spelling for value in values for spelling in ledger.spellings(value)]
    return [name for name, content in found.items() if any(each in content for each in needles)]


def lists(folder: Path) -> tuple[set[int], set[int]]:
    """Read which indices are taken and which are withdrawn, over all periods."""
    with closing(sqlite3.connect(folder / "lasting.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = database.execute("SELECT allocated, statuses FROM lists").fetchall()
    allocated = [bits(taken) for taken, _ in rows]
    withdrawn = [bits(set_) for _, set_ in rows]
    assert sum(map(bool, allocated)) == 1, "one period was served"
    return set().union(*allocated), set().union(*withdrawn)


def bits(octets: bytes) -> set[int]:
    set_octets = [(8 * place, octet) for place, octet in enumerate(octets) if octet]
    return {first + bit for first, octet in set_octets for bit in range(8) if octet >> bit & 1}


def count(folder: Path, table: str) -> int:
    return next(one.count for one in ledger.tables(folder) if one.table == table)


def check_nothing_is_lost(issuer: Town, tally: Tally) -> None:
    """Every instance that is used has its index, alone, unset, and its slip ends it."""
    folder = issuer.issuer_folder
    allocated, withdrawn = lists(folder)
    assert set(tally.valid) <= allocated
    assert not set(tally.valid) & withdrawn
    assert len(allocated) <= catalogue.BATCH * (len(tally.served) + tally.interrupted)
    with closing(sqlite3.connect(folder / "lasting.db")) as database:
        issued = database.execute("SELECT sum(number) FROM counts WHERE act = 'issued'")
        assert issued.fetchone() == (len(tally.served),)
    assert count(folder, "marks") == len(tally.served)
    for one in tally.served[-2:]:
        mine = {index for index, owner in tally.valid.items() if owner is one}
        assert one.withdraw().is_success
        assert mine == lists(folder)[1] - withdrawn
        withdrawn |= mine
        tally.valid = {index: owner for index, owner in tally.valid.items() if owner is not one}


def kill_while_issuing(issuer: Town, tally: Tally, *, rounds: int) -> None:
    with pickups.desk(issuer) as clerk:
        unharmed = clerk.enrol(CROWD * rounds)
        assert unharmed.ask_token().is_success
        body, begin = unharmed.body(), time.monotonic()
        answer = unharmed.ask(body)
        usual = time.monotonic() - begin
        assert answer is not None
        tally.keep(unharmed, pickups.credentials(answer))
        for number in range(rounds):
            crowd = [clerk.enrol(CROWD * number + place) for place in range(CROWD)]
            after = CROWD * usual * (1 + number * 7 % 23) / 23
            issue_and_kill(issuer, crowd, after=after, tally=tally)
        assert tally.interrupted
        check_nothing_is_lost(issuer, tally)
    towns.reap_later(issuer, offset=1200)
    assert ledger.search([issuer.stage.folder], tally.canaries[-SEARCHED:]) == []
    assert (count(issuer.issuer_folder, "offers"), count(issuer.issuer_folder, "tokens")) == (0, 0)
    assert not (issuer.issuer_folder / "pending.db-journal").exists()
    assert issuer.stage.log("issuer") == ""


def process_of(issuer: Town) -> subprocess.Popen[bytes]:
    process = issuer.stage._offices["issuer"].process
    assert process is not None
    return process


@contextmanager
def full_disk(issuer: Town) -> Iterator[None]:
    """Let the kernel refuse every octet that the process would write to a file."""
    process = process_of(issuer).pid
    _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
    usual = resource.prlimit(process, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, usual)


@pytest.mark.attack("STORE-015")
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits are set by Linux only")
def test_full_disk_is_unavailable_and_loses_nothing(issuer: Town, tally: Tally) -> None:
    with pickups.desk(issuer) as clerk:
        one = clerk.enrol(999)
        with full_disk(issuer):
            assert one.ask_token().status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert httpx.get(f"{issuer.issuer}/healthz").is_success
        assert one.ask_token().is_success
        with full_disk(issuer):
            refused = one.ask(one.body())
        assert refused is not None
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        answer = one.ask(one.body())
        assert answer is not None
        tally.keep(one, pickups.credentials(answer))
        check_nothing_is_lost(issuer, tally)
    assert issuer.stage.log("issuer") == ""


@pytest.mark.attack("STORE-009")
@pytest.mark.threat("T34")
@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits are read from /proc")
def test_served_process_may_leave_no_core(issuer: Town) -> None:
    process = process_of(issuer)
    limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


@pytest.mark.attack("STORE-004")
@pytest.mark.attack("STORE-005")
@pytest.mark.attack("STORE-010")
@pytest.mark.threat("T29")
def test_issuer_killed_again_and_again_loses_and_leaves_nothing(issuer: Town, tally: Tally) -> None:
    kill_while_issuing(issuer, tally, rounds=4)


@pytest.mark.long
@pytest.mark.attack("STORE-005")
@pytest.mark.attack("STORE-010")
def test_issuer_killed_two_hundred_times_loses_and_leaves_nothing(tmp_path: Path) -> None:
    with towns.running(tmp_path, verifiers=()) as found:
        kill_while_issuing(found, Tally(), rounds=200)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    yield from engines.server_or_skip()


@pytest.mark.attack("STORE-012")
def test_issuer_outlives_its_database(server: postgres.Server, tmp_path: Path) -> None:
    url = server.database("city")
    environ = {"IDSERVICE_DATABASE": url, "IDSERVICE_PENDING_DATABASE": url}
    with stage.opened(tmp_path, **environ) as opened:
        found = town.found(opened, verifiers=())
        for short_lived in (False, True):
            engine.migrate(url, "issuer", short_lived=short_lived)
        found.start()
        with pickups.desk(found, environ) as clerk:
            before, waiting = clerk.enrol(0), clerk.enrol(1)
            issued = before.receive()
            assert waiting.ask_token().is_success
            body = waiting.body()
            server.kill()
            for answer in (waiting.ask(body), httpx.get(f"{found.issuer}/readyz")):
                assert answer is not None
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            server.start()
            begin = time.monotonic()
            opened.ready("issuer")
            after = clerk.enrol(2)
            anew = after.receive()
            assert time.monotonic() - begin < RECOVERY
            lost = waiting.ask(waiting.body())
            assert lost is not None
            assert lost.status_code == httpx.codes.UNAUTHORIZED
            assert not set(pickups.indices(issued)) & set(pickups.indices(anew))
            assert before.withdraw().is_success
        assert opened.log("issuer") == ""
