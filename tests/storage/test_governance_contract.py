"""One contract for what stands beside the log: in memory, on SQLite, on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from idservice.auditor import schema
from idservice.governance.model import Comment, ComplaintKey, document_digest
from idservice.governance.ports import RegisterStore
from idservice.storage import engine, governance
from idservice.storage.governance import SqlRegister
from tests.fakes import notaries, postgres, trees
from tests.fakes.register_store import MemoryRegister

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
def store(request: pytest.FixtureRequest) -> RegisterStore:
    if request.param == "memory":
        return MemoryRegister()
    return SqlRegister(request.getfixturevalue(request.param))


@pytest.fixture(params=ENGINES[1:])
def database(request: pytest.FixtureRequest) -> sa.Engine:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, sa.Engine)
    return found


def test_a_comment_is_kept_once_and_found_by_its_digest(store: RegisterStore) -> None:
    first, second = comment(), comment("Line one\nline two", salt=8)
    for each in (first, second, first):
        store.keep(each)
    assert store.comments() == {first.digest: first, second.digest: second}
    assert store.comment(second.digest) == second


def test_what_is_erased_is_gone_and_the_rest_stays(store: RegisterStore) -> None:
    first, second = comment(), comment("stays")
    store.keep(first)
    store.keep(second)
    store.erase([first.digest])
    store.erase([first.digest])
    assert store.comments() == {second.digest: second}
    assert store.comment(first.digest) is None


def test_official_texts_are_kept_by_their_digest(store: RegisterStore) -> None:
    first, second = store.keep_document("Minutes"), store.keep_document("An answer")
    assert store.keep_document("Minutes") == first == document_digest("Minutes")
    assert store.documents() == {first: "Minutes", second: "An answer"}
    store.drop_documents([first])
    assert store.documents() == {second: "An answer"}


def test_checkpoints_are_kept_each_once_and_read_back_octet_by_octet(
    store: RegisterStore,
) -> None:
    notes = {size: notaries.signed(trees.head(size)).note for size in (9, 2, 300)}
    for size, each in (*notes.items(), (2, notes[2])):
        store.keep_checkpoint(each, size=size)
    assert list(store.checkpoints()) == [notes[2], notes[9], notes[300]]


def test_complaints_are_counted_by_what_is_published(store: RegisterStore) -> None:
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
    found = SqlRegister(database)
    assert found.ready()
    found.keep(comment())
    found.count(COMPLAINT)
    found.rewrite()
    assert (set(found.comments()), len(found.complaints())) == ({comment().digest}, 1)


def test_an_erased_text_is_in_no_file_of_sqlite(tmp_path: Path) -> None:
    for database in opened(f"sqlite:///{tmp_path / 'erasable.db'}"):
        store = SqlRegister(database)
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
    store = SqlRegister(postgresql)
    store.keep(comment())
    store.erase([comment().digest])
    with postgresql.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("CHECKPOINT"))
    tables = (postgres_server.folder / "data" / "base").rglob("*")
    assert not any(CANARY.encode() in each.read_bytes() for each in tables if each.is_file())


def test_a_database_that_is_away_is_not_ready(tmp_path: Path) -> None:
    empty = engine.open_database(f"sqlite:///{tmp_path / 'empty.db'}", short_lived=False)
    assert not SqlRegister(empty).ready()
    engine.close(empty)
