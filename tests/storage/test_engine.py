"""How databases are opened, locked, wiped and brought up to date."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text

from idservice.errors import Code, ServiceError
from idservice.storage import engine, issuer, issuer_pending
from tests.fakes import engines, postgres
from tests.fakes.engines import Databases

CANARY = b"canary-of-a-row-that-was-deleted"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Databases]:
    with engines.sqlite_databases(tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    if request.param == "sqlite":
        with engines.sqlite_databases(tmp_path) as made:
            yield made
    else:
        with engines.postgres_databases(request.getfixturevalue("postgres_server")) as made:
            yield made


def pragma(url: str, name: str, *, short_lived: bool) -> object:
    opened = engine.open_database(url, short_lived=short_lived)
    with engine.read(opened) as connection:
        value: object = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
    opened.dispose()
    return value


@pytest.mark.parametrize(
    ("name", "lasting", "pending"),
    [
        ("journal_mode", "wal", "delete"),
        ("synchronous", 2, 2),
        ("secure_delete", 1, 1),
        ("foreign_keys", 1, 1),
        ("temp_store", 2, 2),
        ("trusted_schema", 0, 0),
    ],
)
def test_sqlite_is_opened_so_that_nothing_is_left_behind(
    files: Databases, name: str, lasting: object, pending: object
) -> None:
    assert pragma(files.lasting_url, name, short_lived=False) == lasting
    assert pragma(files.pending_url, name, short_lived=True) == pending


def test_sqlite_files_are_their_owners_only(files: Databases, tmp_path: Path) -> None:
    files.lasting.lay_out(engines_period(), "resident_sd_jwt", size=64)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def engines_period() -> issuer.Period:
    return issuer.Period(11)


@pytest.mark.attack("STORE-004")
@pytest.mark.threat("T29")
def test_deleted_row_is_gone_from_every_file(files: Databases, tmp_path: Path) -> None:
    key = b"\x07" * 32
    files.pending.add_offer(key, sealed=CANARY * 200, slot=10)
    with files.lasting.serialised(1) as unit:
        unit.add_index_row(key, period=engines_period(), sealed=CANARY)
    assert any(CANARY in path.read_bytes() for path in tmp_path.iterdir())
    with files.lasting.serialised(1) as unit:
        unit.remove_index_row(key)
    files.pending.reap(slot=10)
    files.lasting.reap(period=engines_period(), quarter=0)
    for path in tmp_path.iterdir():
        assert CANARY not in path.read_bytes()
        assert key not in path.read_bytes()


@pytest.mark.usefixtures("files")
def test_lasting_tables_have_no_row_number(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "lasting.db")) as connection:
        for table in issuer.metadata.sorted_tables:
            with pytest.raises(sqlite3.OperationalError, match="no such column"):
                connection.execute(f"SELECT rowid FROM {table.name}")  # noqa: S608


def test_short_lived_tables_of_postgresql_are_not_logged(
    postgres_server: postgres.Server,
) -> None:
    with engines.postgres_databases(postgres_server) as made:
        opened = engine.open_database(made.pending_url, short_lived=True)
        with engine.read(opened) as connection:
            query = text("SELECT relname, relpersistence FROM pg_class WHERE relkind = 'r'")
            kinds = {row.relname: row.relpersistence for row in connection.execute(query)}
        opened.dispose()
    for table in issuer_pending.metadata.sorted_tables:
        assert kinds[table.name] in ("u", b"u")
    for table in issuer.metadata.sorted_tables:
        assert kinds[table.name] in ("p", b"p")


@pytest.mark.threat("T30")
def test_rewriting_puts_rows_in_key_order_under_one_transaction(
    postgres_server: postgres.Server,
) -> None:
    with engines.postgres_databases(postgres_server) as made:
        for number in (9, 3, 7, 1, 5):
            with made.lasting.serialised(number) as unit:
                unit.mark(bytes([number]) * 32, period=engines_period())
        made.lasting.rewrite()
        opened = engine.open_database(made.lasting_url, short_lived=False)
        with engine.read(opened) as connection:
            rows = connection.execute(text("SELECT key, xmin::text FROM marks ORDER BY ctid"))
            found = [(bytes(row.key)[0], row.xmin) for row in rows]
        opened.dispose()
    assert [key for key, _ in found] == [1, 3, 5, 7, 9]
    assert len({xmin for _, xmin in found}) == 1


def test_migrations_make_what_the_tables_say(databases: Databases) -> None:
    for url, short_lived, metadata in (
        (databases.lasting_url, False, issuer.metadata),
        (databases.pending_url, True, issuer_pending.metadata),
    ):
        opened = engine.open_database(url, short_lived=short_lived)
        with engine.read(opened) as connection:
            context = MigrationContext.configure(connection)
            differences = compare_metadata(context, _both(metadata, databases))
        opened.dispose()
        assert differences == []


def _both(metadata: MetaData, databases: Databases) -> MetaData:
    """One PostgreSQL database holds both kinds of tables."""
    if databases.lasting_url != databases.pending_url:
        return metadata
    merged = MetaData()
    for each in (issuer.metadata, issuer_pending.metadata):
        for table in each.sorted_tables:
            table.to_metadata(merged)
    return merged


def test_migrating_twice_changes_nothing(databases: Databases) -> None:
    key = b"\x01" * 32
    databases.pending.add_offer(key, sealed=b"kept", slot=10)
    engine.migrate(databases.pending_url, "issuer", short_lived=True)
    engine.migrate(databases.lasting_url, "issuer", short_lived=False)
    assert databases.pending.has_offer(key, tries=5, slot=9)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        engine.open_database(url, short_lived=False)


def test_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    opened = engine.open_database(f"sqlite:///{tmp_path}/new.db", short_lived=False)
    store = issuer.SqlLasting(opened)
    assert not store.ready()
    with pytest.raises(ServiceError, match=Code.UNAVAILABLE):
        store.counts()
    opened.dispose()
    away = engine.open_database(
        f"postgresql+psycopg://nobody@/none?host={tmp_path}", short_lived=True
    )
    with pytest.raises(ServiceError, match=Code.UNAVAILABLE):
        issuer_pending.SqlPending(away).has_offer(b"", tries=5, slot=0)
    away.dispose()


def test_clerk_may_add_and_do_nothing_else(postgres_server: postgres.Server) -> None:
    folder = Path(engine.__file__).parent / "migrations" / "issuer"
    with engines.postgres_databases(postgres_server) as made:
        owner = engine.open_database(made.lasting_url, short_lived=False)
        with engine.write(owner) as connection:
            connection.execute(text("DROP ROLE IF EXISTS clerk"))
            connection.execute(text("CREATE ROLE clerk LOGIN"))
            connection.execute(text("GRANT SELECT ON index_rows, offers, tokens TO clerk"))
            for name in ("clerk_lasting.sql", "clerk_pending.sql"):
                for statement in _statements(folder / name):
                    connection.exec_driver_sql(statement)
            connection.execute(text("GRANT SELECT ON offers, tokens, renewals TO clerk"))
            for statement in _statements(folder / "clerk_pending.sql"):
                connection.exec_driver_sql(statement)
        url = made.lasting_url.replace("tester@", "clerk@")
        clerk = engine.open_database(url, short_lived=False)
        pending, lasting = issuer_pending.SqlPending(clerk), issuer.SqlLasting(clerk)
        key = b"\x01" * 32
        pending.add_offer(key, sealed=b"sealed", slot=10)
        lasting.add_index_row(key, period=engines_period(), sealed=b"sealed")
        tables = (*issuer.metadata.sorted_tables, *issuer_pending.metadata.sorted_tables)
        for table in tables:
            refused = [f"SELECT * FROM {table.name}", f"DELETE FROM {table.name}"]  # noqa: S608
            if table.name not in ("offers", "index_rows"):
                refused.append(f"INSERT INTO {table.name} DEFAULT VALUES")
            for statement in refused:
                with pytest.raises(Exception, match="permission denied"), clerk.begin() as work:
                    work.exec_driver_sql(statement)
        clerk.dispose()
        with engine.write(owner) as connection:
            connection.execute(text("DROP OWNED BY clerk"))
            connection.execute(text("DROP ROLE clerk"))
        engine.close(owner)


def _statements(path: Path) -> list[str]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("--")]
    return [
        statement.strip().replace(':"clerk"', "clerk")
        for statement in "\n".join(lines).split(";")
        if statement.strip()
    ]
