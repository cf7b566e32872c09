"""One contract for what the register may erase: in memory, on SQLite, on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from idservice.auditor import schema
from idservice.governance.model import Comment, ComplaintKey
from idservice.governance.ports import ErasableStore
from idservice.storage import engine, governance
from idservice.storage.governance import SqlErasable
from tests.fakes import postgres
from tests.fakes.erasable_store import MemoryErasable

ENGINES = ("memory", "sqlite", "postgresql")
CANARY = "Canary-words-nobody-else-writes"
COMPLAINT = ComplaintKey(
    quarter="2027-Q1", verifier="The Bar", policy="bar-entry", excess="facts: birth_date"
)


def comment(text: str = CANARY, salt: int = 7) -> Comment:
    return Comment(salt=bytes([salt]) * 32, text=text)


def opened(url: str) -> Iterator[sa.Engine]:
    engine.migrate(url, governance.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    yield database
    with engine.write(database) as connection:
        for table in governance.METADATA.sorted_tables:
            connection.execute(sa.delete(table))
    engine.close(database)


@pytest.fixture
def postgresql(postgres_server: postgres.Server) -> Iterator[sa.Engine]:
    yield from opened(postgres_server.database("governance"))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    yield from opened(f"sqlite:///{tmp_path / 'erasable.db'}")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest) -> ErasableStore:
    if request.param == "memory":
        return MemoryErasable()
    return SqlErasable(request.getfixturevalue(request.param))


@pytest.fixture(params=ENGINES[1:])
def database(request: pytest.FixtureRequest) -> sa.Engine:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, sa.Engine)
    return found


def test_a_comment_is_kept_once_and_found_by_its_digest(store: ErasableStore) -> None:
    first, second = comment(), comment("Line one\nline two", salt=8)
    for each in (first, second, first):
        store.keep(each)
    assert store.digests() == {first.digest, second.digest}
    unknown = comment("never kept").digest
    assert store.comments([first.digest, unknown]) == {first.digest: first}
    assert store.comments([]) == {}


def test_what_is_erased_is_gone_and_the_rest_stays(store: ErasableStore) -> None:
    first, second = comment(), comment("stays")
    store.keep(first)
    store.keep(second)
    store.erase([first.digest])
    store.erase([first.digest])
    assert store.comments([first.digest, second.digest]) == {second.digest: second}


def test_complaints_are_counted_by_what_is_published(store: ErasableStore) -> None:
    later = ComplaintKey(
        quarter="2027-Q2", verifier="The Bar", policy="bar-entry", excess="no_policy"
    )
    for each in (COMPLAINT, later, COMPLAINT):
        store.count(each)
    found = [(each.key, each.number) for each in store.complaints()]
    assert found == [(later, 1), (COMPLAINT, 2)]


def test_the_tables_are_those_of_the_migration_and_the_inventory(database: sa.Engine) -> None:
    with database.connect() as connection:
        context = MigrationContext.configure(connection)
        changes = [
            change
            for change in compare_metadata(context, governance.METADATA)
            if "alembic_version" not in str(change)
        ]
    assert changes == []
    schema.check_at_start(database, governance.OFFICE)
    found = SqlErasable(database)
    assert found.ready()
    found.keep(comment())
    found.count(COMPLAINT)
    found.rewrite()
    assert (found.digests(), len(found.complaints())) == ({comment().digest}, 1)


def test_an_erased_text_is_in_no_file_of_sqlite(tmp_path: Path) -> None:
    for database in opened(f"sqlite:///{tmp_path / 'erasable.db'}"):
        store = SqlErasable(database)
        store.keep(comment())
        store.keep(comment("stays", salt=8))
        assert CANARY.encode() in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        store.erase([comment().digest])
        left = b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert CANARY.encode() not in left
        assert comment().salt not in left
        assert b"stays" in left


def test_an_erased_text_is_in_no_table_file_of_postgresql(
    postgresql: sa.Engine, postgres_server: postgres.Server
) -> None:
    store = SqlErasable(postgresql)
    store.keep(comment())
    store.erase([comment().digest])
    with postgresql.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("CHECKPOINT"))
    tables = (postgres_server.folder / "data" / "base").rglob("*")
    assert not any(CANARY.encode() in each.read_bytes() for each in tables if each.is_file())


def test_a_database_that_is_away_is_not_ready(tmp_path: Path) -> None:
    empty = engine.open_database(f"sqlite:///{tmp_path / 'empty.db'}", short_lived=False)
    assert not SqlErasable(empty).ready()
    engine.close(empty)
