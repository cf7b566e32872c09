"""One contract for the log's and a witness's rows: in memory, on SQLite, on PostgreSQL."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from crypto.log import edge, tile, tree
from crypto.log.edge import Edge
from crypto.log.tile import Tile
from crypto.log.tree import TreeHead
from idservice.auditor import schema
from idservice.storage import engine, transparency, witness
from idservice.storage.transparency import SqlLog
from idservice.storage.witness import SqlWitness
from idservice.transparency.model import Publication
from idservice.transparency.ports import LogStore, Raced, WitnessStore
from tests.fakes import log_office, notaries, postgres, trees

ENGINES = ("memory", "sqlite", "postgresql")
OFFICES = (transparency, witness)


def opened(url: str) -> Iterator[sa.Engine]:
    for office in OFFICES:
        engine.migrate(url, office.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    yield database
    with engine.write(database) as connection:
        for office in OFFICES:
            for table in office.METADATA.sorted_tables:
                connection.execute(sa.delete(table))
    engine.close(database)


@pytest.fixture
def postgresql(postgres_server: postgres.Server) -> Iterator[sa.Engine]:
    yield from opened(postgres_server.database("log"))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    yield from opened(f"sqlite:///{tmp_path / 'lasting.db'}")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest) -> LogStore:
    if request.param == "memory":
        return log_office.MemoryLog()
    return SqlLog(request.getfixturevalue(request.param))


@pytest.fixture(params=ENGINES)
def heads(request: pytest.FixtureRequest) -> WitnessStore:
    if request.param == "memory":
        return log_office.MemoryWitnesses()
    return SqlWitness(request.getfixturevalue(request.param))


@pytest.fixture(params=ENGINES[1:])
def database(request: pytest.FixtureRequest) -> sa.Engine:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, sa.Engine)
    return found


def add(store: LogStore, begin: int, end: int, *, before: Edge | None = None) -> None:
    with store.unit() as unit:
        start = before or unit.edge()
        growth = start.extend(trees.leaf(number) for number in range(begin, end))
        unit.add([trees.entry(number) for number in range(begin, end)], growth=growth)


def test_what_is_recorded_is_read_back(store: LogStore) -> None:
    assert store.newest() is None
    with store.unit() as unit:
        assert unit.edge() == edge.EMPTY
        unit.add((), growth=edge.EMPTY.extend(()))
    for begin, end in ((0, 1), (1, 255), (255, 257), (257, 600)):
        add(store, begin, end)
        newest = store.newest()
        assert newest is not None
        assert (newest.head, newest.note) == (trees.head(end), None)
    assert list(store.entries(254, 258)) == [trees.entry(number) for number in range(254, 258)]
    assert list(store.entries(598, 700)) == [trees.entry(598), trees.entry(599)]
    names = list(tile.tiles_between(old=0, new=600))
    found = store.tiles([*names, Tile(level=0, index=2, width=3)])
    assert set(found) == {*names, Tile(level=0, index=2, width=3)}
    assert tile.head_from_tiles(size=600, read=lambda name: store.tiles([name])[name]).root == (
        trees.head(600).root
    )


def test_a_unit_that_fails_leaves_nothing(store: LogStore) -> None:
    add(store, 0, 3)

    def fail() -> None:
        with store.unit() as unit:
            unit.add([b"lost"], growth=unit.edge().extend([tree.leaf_hash(b"lost")]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    newest = store.newest()
    assert newest is not None
    assert newest.head == trees.head(3)
    assert list(store.entries(3, 4)) == []


def test_a_number_is_given_once(store: LogStore) -> None:
    add(store, 0, 3)
    with store.unit() as unit:
        stale = unit.edge()
    add(store, 3, 5)
    with pytest.raises(Raced):
        add(store, 3, 5, before=stale)
    assert list(store.entries(0, 9)) == [trees.entry(number) for number in range(5)]


def test_a_signature_is_kept_once(store: LogStore) -> None:
    add(store, 0, 3)
    signed = notaries.signed(trees.head(3)).note
    store.keep_signature(signed, size=3)
    store.keep_signature(notaries.signed(trees.head(3), name="other").note, size=3)
    newest = store.newest()
    assert newest is not None
    assert newest.note == signed


def test_what_is_to_be_seen_never_shrinks(store: LogStore) -> None:
    assert store.publication() is None

    def publication(size: int, *by: tuple[str, int]) -> Publication:
        signed = notaries.cosigned(notaries.signed(trees.head(size)), *by)
        return Publication(size=size, note=signed.note)

    for published in (publication(3), publication(3, ("first", 1)), publication(7)):
        assert store.publish(published)
        assert store.publication() == published
    assert not store.publish(publication(6))
    assert store.publication() == publication(7)


def test_of_many_sequencers_each_number_goes_to_one(store: LogStore) -> None:
    barrier = threading.Barrier(4)
    taken: list[int] = []

    def sequence(_sequencer: int) -> None:
        barrier.wait()
        for _ in range(10):
            with store.unit() as unit:
                before = unit.edge()
                number = before.size
                unit.add([trees.entry(number)], growth=before.extend([trees.leaf(number)]))
            taken.append(number)

    threads = [threading.Thread(target=sequence, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(40))
    newest = store.newest()
    assert newest is not None
    assert newest.head == trees.head(40)


def test_a_witness_advances_from_what_it_knows(heads: WitnessStore) -> None:
    origin, other = notaries.ORIGIN, TreeHead(size=3, root=trees.mth(1, 4))
    assert heads.head(origin) is None
    assert not heads.advance(origin, old=trees.head(2), new=trees.head(3))
    assert heads.head(origin) is None
    assert heads.advance(origin, old=None, new=trees.head(3))
    assert not heads.advance(origin, old=None, new=trees.head(4))
    assert not heads.advance(origin, old=trees.head(2), new=trees.head(4))
    assert not heads.advance(origin, old=other, new=trees.head(4))
    assert heads.head(origin) == trees.head(3)
    assert heads.advance(origin, old=trees.head(3), new=trees.head(3))
    assert heads.advance(origin, old=trees.head(3), new=trees.head(4))
    assert heads.head("other") is None


@pytest.mark.parametrize(
    ("name", "metadata"),
    [(office.OFFICE, office.METADATA) for office in OFFICES],
    ids=["transparency", "witness"],
)
def test_the_migrations_make_the_tables_and_the_inventory_lists_them(
    name: str, metadata: sa.MetaData, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'lasting.db'}"
    for _ in range(2):
        engine.migrate(url, name, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    with engine.read(database) as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, *_: name != "alembic_version"}
        )
        assert compare_metadata(context, metadata) == []
    schema.check_at_start(database, name)
    engine.close(database)
