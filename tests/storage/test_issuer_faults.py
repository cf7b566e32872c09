"""The database dies, a commit's answer is lost, a process is killed: what was promised holds."""

import multiprocessing
import multiprocessing.synchronize
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from crypto.sealed import offer
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.issuer.ports import Unit
from idservice.storage.issuer import SqlLasting
from tests.fakes import city as cities
from tests.fakes import engines, postgres
from tests.fakes import issuer_office as offices
from tests.fakes.engines import Databases
from tests.fakes.issuer_office import Office


@pytest.mark.attack("STORE-012")
def test_postgresql_that_crashes_costs_pending_work_only() -> None:
    reason = postgres.absent()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as server, engines.postgres_databases(server) as made:
        office = offices.make(pending=made.pending, lasting=made.lasting)
        resident, enrolment = office.enrol()
        resident.take(enrolment, count=1)
        _, pending = office.enrol()
        server.kill()
        with pytest.raises(ServiceError, match=Code.UNAVAILABLE):
            office.issuer.token(offices.token_request(pending))
        assert not made.lasting.ready()
        server.start()
        assert made.lasting.ready()
        with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
            office.issuer.token(offices.token_request(pending))
        office.issuer.withdraw(offices.slip_of(enrolment))
        assert office.withdrawn() == tuple(resident.indices())
        neighbour, other = office.enrol()
        neighbour.take(other, count=1, label="after")


class Ambiguous(SqlLasting):
    """Commits, and loses the answer, when told to."""

    loses = False

    @contextmanager
    def serialised(self, lock: int) -> Iterator[Unit]:
        with super().serialised(lock) as unit:
            yield unit
        if self.loses:
            self.loses = False
            raise ServiceError(Code.UNAVAILABLE)


@pytest.mark.attack("STORE-014")
def test_commit_whose_answer_was_lost_is_resolved_by_the_retry(tmp_path: Path) -> None:
    with engines.sqlite_databases(tmp_path) as made:
        lasting = Ambiguous(made.lasting._engine)
        office = offices.make(pending=made.pending, lasting=lasting)
        resident, enrolment = office.enrol()
        token = office.issuer.token(offices.token_request(enrolment))
        lasting.loses = True
        with pytest.raises(ServiceError, match=Code.UNAVAILABLE):
            resident.issue(token, count=1)
        resident.issue(token, count=1)
        assert len(office.withdrawn()) == 1
        assert resident.indices()[0] not in office.withdrawn()
        assert [number for _, _, number in lasting.counts()] == [1]


@pytest.mark.attack("STORE-014")
def test_bbs_commit_whose_answer_was_lost_is_resolved_by_the_retry(tmp_path: Path) -> None:
    with engines.sqlite_databases(tmp_path) as made:
        lasting = Ambiguous(made.lasting._engine)
        office = offices.make(pending=made.pending, lasting=lasting)
        resident, enrolment = office.enrol_bbs()
        token = office.issuer.token(offices.token_request(enrolment))
        lasting.loses = True
        with pytest.raises(ServiceError, match=Code.UNAVAILABLE):
            resident.issue(token)
        credential = resident.issue(token)
        assert resident.issue(token) == credential
        assert [number for _, _, number in lasting.counts()] == [1]


@pytest.mark.attack("STORE-002", "STORE-003")
def test_a_dump_names_rows_by_hash_and_holds_no_secret(tmp_path: Path) -> None:
    with engines.sqlite_databases(tmp_path) as made:
        office = offices.make(pending=made.pending, lasting=made.lasting)
        _, enrolment = office.enrol()
        request = offices.token_request(enrolment)
        with closing(sqlite3.connect(tmp_path / "pending.db")) as connection:
            (key,) = connection.execute("SELECT key FROM offers").fetchone()
        assert key == offer.row_key(request.code)
        token = office.issuer.token(request)
        dump = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert offer.row_key(token) in dump
        for secret in (request.code, token, enrolment.transaction_code.encode() + b'"'):
            assert secret not in dump


@pytest.mark.attack("STORE-019")
@pytest.mark.parametrize("jump", [-86_400, -300, 300, 86_400])
def test_replica_with_another_clock_accepts_nothing_expired(jump: int) -> None:
    office = offices.make()
    other = offices.make(pending=office.stores.pending, lasting=office.stores.lasting)
    other.clock.forward(jump)
    resident, enrolment = office.enrol()
    request = offices.token_request(enrolment)
    if jump >= 900:
        with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
            other.issuer.token(request)
    token = office.issuer.token(request)
    body = offices.credential_body(office, [offices.p256("key 0")])
    if jump > 0:
        with pytest.raises(ServiceError):
            other.issuer.credential(token, body)
    resident.issue(token, count=1)
    office.clock.forward(900)
    with pytest.raises(ServiceError, match=Code.INVALID_TOKEN):
        office.issuer.credential(token, body)


def _issue_for_ever(folder: str, seed: int, ready: multiprocessing.synchronize.Event) -> None:
    """Enrol and issue until killed, writing down what was handed over."""
    with engines.sqlite_databases(Path(folder) / "db") as made:
        office = _office(made, f"victim {seed}")
        log = os.open(f"{folder}/handed-over", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        number = 0
        while True:
            resident, enrolment = office.enrol({"resident": True})
            ready.set()
            resident.take(enrolment, count=1, label=f"{seed} {number}")
            line = f"{enrolment.slip} {resident.indices()[0]}\n"
            os.write(log, line.encode())
            number += 1


def _office(made: Databases, seed: str) -> Office:
    return offices.make(
        pending=made.pending, lasting=made.lasting, random_bytes=cities.chance(seed)
    )


def kill_and_look(folder: Path, *, rounds: int) -> None:
    # Each victim is forked from a server that has read every module once and has no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fakes.issuer_office", "tests.fakes.engines"])
    for seed in range(rounds):
        ready = context.Event()
        process = context.Process(target=_issue_for_ever, args=(str(folder), seed, ready))
        process.start()
        assert ready.wait(60)
        process.join(0.01 * (seed * 7 % 23))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    lines = [line.split(" ") for line in (folder / "handed-over").read_text().splitlines()]
    handed_over = [(slip, int(index)) for slip, index in lines]
    assert len({index for _, index in handed_over}) == len(handed_over)
    with closing(sqlite3.connect(folder / "db" / "lasting.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with engines.sqlite_databases(folder / "db") as made:
        office = _office(made, "survivor")
        for slip, index in handed_over:
            office.issuer.withdraw(offices.handle.parse_slip(slip))
            assert index in office.withdrawn()
        assert len(office.withdrawn()) == len(handed_over)
        with made.lasting.serialised(0) as unit:
            found = unit.status_list(office.city.period, catalogue.CONFIGURATION)
            assert found is not None
            given_out = sum(byte.bit_count() for byte in found.allocated)
            assert len(handed_over) <= given_out <= len(handed_over) + rounds
    # The journal that a kill left behind was rolled back and is gone, the log too.
    assert {path.name for path in (folder / "db").iterdir()} == {"lasting.db", "pending.db"}


@pytest.mark.attack("STORE-010", "STORE-005")
def test_process_killed_while_issuing_hands_over_no_index_twice(tmp_path: Path) -> None:
    kill_and_look(tmp_path, rounds=2)


@pytest.mark.long
@pytest.mark.attack("STORE-010", "STORE-005")
def test_process_killed_two_hundred_times_hands_over_no_index_twice(tmp_path: Path) -> None:
    kill_and_look(tmp_path, rounds=200)
