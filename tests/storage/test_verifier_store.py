"""One contract for the verifier's store: in memory, on SQLite, on PostgreSQL."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from idservice.storage import engine
from idservice.storage import verifier as storage
from idservice.verifier.ports import Store
from tests.fakes import postgres
from tests.fakes.verifier_store import MemoryStore

KEY = b"k" * 32
PLACE = b"a" * 32
ENGINES = ("memory", "sqlite", "postgresql")


@pytest.fixture(scope="module")
def postgresql(postgres_server: postgres.Server) -> Iterator[Engine]:
    yield from opened(postgres_server.database("verifier"))


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    yield from opened(f"sqlite:///{tmp_path_factory.mktemp('store') / 'pending.db'}")


def opened(url: str) -> Iterator[Engine]:
    engine.migrate(url, storage.OFFICE, short_lived=True)
    database = engine.open_database(url, short_lived=True)
    yield database
    engine.close(database)


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    store = storage.SqlStore(request.getfixturevalue(request.param))
    yield store
    store.reap(slot=1000)


def ask(store: Store, *, slot: int = 10) -> None:
    store.open(
        request_key=KEY,
        request=b"sealed request",
        request_slot=slot,
        answer_key=PLACE,
        place=b"nothing yet",
        answer_slot=slot,
    )


def answer(store: Store, *, slot: int = 10) -> bool:
    return store.conclude(KEY, answer_key=PLACE, sealed=b"sealed answer", answer_slot=slot)


def test_an_open_request_is_found_until_it_is_answered(store: Store) -> None:
    assert store.request(KEY) is None
    ask(store)
    assert store.request(KEY) == b"sealed request"
    assert store.answer(PLACE) == (b"nothing yet", False)
    assert answer(store)
    assert store.request(KEY) is None
    assert store.answer(PLACE) == (b"sealed answer", True)


def test_a_row_is_replaced_only_by_whoever_saw_it_last(store: Store) -> None:
    assert not store.replace(KEY, old=b"sealed request", new=b"longer")
    ask(store)
    assert store.replace(KEY, old=b"sealed request", new=b"longer")
    assert not store.replace(KEY, old=b"sealed request", new=b"another")
    assert store.request(KEY) == b"longer"
    assert answer(store)
    assert not store.replace(KEY, old=b"longer", new=b"after the answer")
    assert store.request(KEY) is None


def test_a_replaced_row_goes_in_its_own_time(store: Store) -> None:
    ask(store, slot=10)
    store.replace(KEY, old=b"sealed request", new=b"longer")
    store.reap(slot=9)
    assert store.request(KEY) == b"longer"
    store.reap(slot=10)
    assert store.request(KEY) is None


def test_a_request_is_concluded_once(store: Store) -> None:
    ask(store)
    assert answer(store)
    assert not store.conclude(KEY, answer_key=PLACE, sealed=b"second", answer_slot=10)
    assert store.answer(PLACE) == (b"sealed answer", True)


def test_an_unknown_request_concludes_nothing(store: Store) -> None:
    ask(store)
    assert not store.conclude(b"x" * 32, answer_key=PLACE, sealed=b"other", answer_slot=10)
    assert store.answer(PLACE) == (b"nothing yet", False)


def test_an_answer_is_taken_once_and_never_before_it_is_there(store: Store) -> None:
    ask(store)
    assert not store.take(PLACE)
    assert store.answer(PLACE) is not None
    assert answer(store)
    assert store.take(PLACE)
    assert not store.take(PLACE)
    assert store.answer(PLACE) is None


def test_reaping_deletes_what_is_reached_and_nothing_else(store: Store) -> None:
    ask(store, slot=10)
    store.reap(slot=9)
    assert store.request(KEY) is not None
    store.reap(slot=10)
    assert store.request(KEY) is None
    assert store.answer(PLACE) is None


def test_an_answer_goes_in_its_own_slot(store: Store) -> None:
    ask(store, slot=10)
    assert answer(store, slot=3)
    store.reap(slot=3)
    assert store.answer(PLACE) is None


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(1000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_of_three_racing_answers_one_wins(store: Store, rounds: int) -> None:
    for _ in range(rounds):
        ask(store)
        won: list[bool] = []
        barrier = threading.Barrier(3)

        def race(won: list[bool] = won, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            won.append(answer(store))

        threads = [threading.Thread(target=race) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, True]
        assert store.take(PLACE)


def test_sqlite_keeps_no_byte_of_an_answer_that_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "pending.db"
    url = f"sqlite:///{path}"
    engine.migrate(url, storage.OFFICE, short_lived=True)
    database = engine.open_database(url, short_lived=True)
    store = storage.SqlStore(database)
    canary = b"canary" * 700
    ask(store)
    store.conclude(KEY, answer_key=PLACE, sealed=canary, answer_slot=10)
    assert b"canary" in path.read_bytes()
    store.take(PLACE)
    engine.close(database)
    left = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"canary" not in left


def test_postgresql_tables_are_not_write_ahead_logged(postgresql: Engine) -> None:
    with engine.read(postgresql) as connection:
        found = connection.exec_driver_sql(
            "SELECT relname, relpersistence FROM pg_class WHERE relname IN ('requests', 'answers')"
        ).all()
    assert sorted(map(tuple, found)) == [("answers", "u"), ("requests", "u")]
