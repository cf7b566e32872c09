"""Replicas that act on one handle, one code or one list at the same time, on both engines."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crypto.bbs import jwp
from idservice.errors import Code, ServiceError
from idservice.issuer.protocol import TokenRequest
from idservice.period import Period
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.storage.issuer_pending import SqlPending
from tests.fakes import city as cities
from tests.fakes import engines
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.engines import Databases
from tests.fakes.issuer_office import Office, Resident

REFUSALS = {Code.CREDENTIAL_REQUEST_DENIED, Code.INVALID_GRANT}


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    if request.param == "sqlite":
        with engines.sqlite_databases(tmp_path) as made:
            yield made
    else:
        with engines.postgres_databases(request.getfixturevalue("postgres_server")) as made:
            yield made


@pytest.fixture
def replicas(databases: Databases) -> Iterator[list[Office]]:
    """Three offices on one pair of databases, each with connections of its own."""
    opened = []
    made = [offices.make(pending=databases.pending, lasting=databases.lasting)]
    for number in (1, 2):
        lasting = engine.open_database(databases.lasting_url, short_lived=False)
        pending = engine.open_database(databases.pending_url, short_lived=True)
        opened += [lasting, pending]
        made.append(
            offices.make(
                pending=SqlPending(pending),
                lasting=SqlLasting(lasting),
                random_bytes=cities.chance(f"replica {number}"),
            )
        )
    yield made
    for each in opened:
        engine.close(each)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Start all acts behind one barrier; a refusal is an answer, anything else is not."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except ServiceError as error:
            return error.code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def race_for_one_code(replicas: list[Office], clients: int) -> None:
    _, enrolment = replicas[0].enrol()
    request = offices.token_request(enrolment)
    acts = [
        lambda office=replicas[number % 3]: office.issuer.token(request)
        for number in range(clients)
    ]
    answers = at_once(*acts)
    assert sum(isinstance(answer, bytes) for answer in answers) == 1
    assert {answer for answer in answers if not isinstance(answer, bytes)} <= REFUSALS


@pytest.mark.attack("OID4VCI-002")
def test_code_used_by_many_clients_on_three_replicas_gives_one_token(
    replicas: list[Office],
) -> None:
    for _ in range(3):
        race_for_one_code(replicas, 12)


@pytest.mark.long
@pytest.mark.attack("OID4VCI-002")
def test_code_used_by_fifty_clients_on_three_replicas_gives_one_token(
    replicas: list[Office],
) -> None:
    for _ in range(100):
        race_for_one_code(replicas, 50)


def guess_at_once(replicas: list[Office]) -> None:
    _, enrolment = replicas[0].enrol()
    right = offices.token_request(enrolment)
    wrong = [
        TokenRequest(code=right.code, transaction_code=f"{guess:06}")
        for guess in range(12)
        if f"{guess:06}" != enrolment.transaction_code
    ]
    at_once(
        *(
            lambda request=request, office=replicas[number % 3]: office.issuer.token(request)
            for number, request in enumerate(wrong)
        )
    )
    with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
        replicas[0].issuer.token(right)


@pytest.mark.attack("OID4VCI-004")
@pytest.mark.threat("T56")
def test_transaction_code_is_guessed_five_times_over_all_replicas(replicas: list[Office]) -> None:
    guess_at_once(replicas)


def race_for_one_token(replicas: list[Office]) -> None:
    """Two wallets with one token and different keys: one wins; with the same keys both do."""
    _, enrolment = replicas[0].enrol()
    token = replicas[0].issuer.token(offices.token_request(enrolment))
    bodies = [offices.credential_body(replicas[0], [p256(f"rival {n % 2}")]) for n in range(6)]
    answers = at_once(
        *(
            lambda body=body, office=replicas[number % 3]: office.issuer.credential(token, body)
            for number, body in enumerate(bodies)
        )
    )
    issued = [answer for answer in answers if isinstance(answer, tuple)]
    assert 1 <= len(issued) <= 3
    keys = {str(offices.read(replicas[0], answer[0])["cnf"]) for answer in issued}
    assert len(keys) == 1
    indices = [offices.index_of(offices.read(replicas[0], answer[0])) for answer in issued]
    assert len(set(indices)) == len(indices)
    assert len(set(replicas[0].withdrawn()) & set(indices)) == len(indices) - 1


@pytest.mark.attack("STORE-013")
def test_token_raced_with_two_commitments_issues_one_bbs_credential(
    replicas: list[Office],
) -> None:
    """Whoever asks with the commitment that won gets the same octets, on any replica."""
    _, enrolment = replicas[0].enrol_bbs()
    token = replicas[0].issuer.token(offices.token_request(enrolment))
    rivals = [jwp.request(random_bytes=cities.chance(f"rival {n}"))[1] for n in range(2)]
    bodies = [offices.bbs_body(rivals[n % 2]) for n in range(6)]
    answers = at_once(
        *(
            lambda body=body, office=replicas[number % 3]: office.issuer.credential(token, body)
            for number, body in enumerate(bodies)
        )
    )
    issued = {answer for answer in answers if isinstance(answer, tuple)}
    assert len(issued) == 1
    assert sum(isinstance(answer, tuple) for answer in answers) == 3
    assert set(answers) - issued == {Code.CREDENTIAL_REQUEST_DENIED}
    assert [number for _, _, number in replicas[0].stores.lasting.counts()] == [1]


@pytest.mark.attack("STORE-013")
def test_token_raced_with_two_key_sets_issues_to_one(replicas: list[Office]) -> None:
    for _ in range(3):
        race_for_one_token(replicas)


def race_withdrawal(replicas: list[Office]) -> None:
    """Withdraw while a renewal is asked for and another one is being issued."""
    for office in replicas:
        office.clock.time = cities.NOW
    resident, enrolment = replicas[0].enrol()
    resident.take(enrolment, count=1, label="first")
    for office in replicas:
        office.late()
    pending = resident.renew()
    token = replicas[0].issuer.token(
        TokenRequest(code=offices.code_of(pending), transaction_code=None)
    )
    thief = Resident(office=replicas[1])
    shown = resident.present()
    slip = offices.slip_of(enrolment)
    issued, renewed, _ = at_once(
        lambda: thief.issue(token, count=1, label="thief"),
        lambda: replicas[2].issuer.renew(shown),
        lambda: replicas[0].issuer.withdraw(slip),
    )
    period = replicas[0].city.period
    assert resident.indices()[0] in replicas[0].withdrawn(period)
    if isinstance(issued, list):
        assert thief.indices()[0] in replicas[0].withdrawn(Period(period + 1))
    else:
        assert issued is Code.CREDENTIAL_REQUEST_DENIED
    if isinstance(renewed, dict):
        with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
            Resident(office=replicas[0]).take_renewal(renewed, label="late")
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        thief.issue(token, count=1, label="thief")
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()


@pytest.mark.threat("T55")
@pytest.mark.attack("STORE-013")
def test_withdrawal_raced_against_issuing_and_renewing_leaves_nothing_valid(
    replicas: list[Office],
) -> None:
    for _ in range(8):
        race_withdrawal(replicas)


@pytest.mark.long
@pytest.mark.attack("STORE-013")
def test_withdrawal_raced_a_thousand_times_leaves_nothing_valid(replicas: list[Office]) -> None:
    for _ in range(1000):
        race_withdrawal(replicas)


def test_lists_are_published_once_by_three_replicas(replicas: list[Office]) -> None:
    for office in replicas:
        office.clock.forward(86_400)
    signed = at_once(*(office.schedule.publish for office in replicas))
    assert all(answer in (True, False) for answer in signed)
    texts = {
        office.stores.lasting.published(office.city.period, "resident_sd_jwt")
        for office in replicas
    }
    assert len(texts) == 1
