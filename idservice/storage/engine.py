"""Databases: how they are opened, locked, wiped and brought up to date.

Carries out DESIGN section 2, "short-lived rows" and "lasting rows". Each office has its own
databases. Short-lived rows stand where nothing is write-ahead logged: SQLite with a rollback
journal, PostgreSQL in UNLOGGED tables (which the migrations make). SQLite is wiped by
`secure_delete` and by truncating its log; PostgreSQL by `rewrite`, because `xmin`, `ctid` and
row order date and group what stands in a table.

Which tables there are stands in `storage/OFFICE.py` and in `migrations/`; when to reap and
rewrite is for the office to say.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from idservice.errors import Code, ServiceError

TIMEOUT: Final = 5
"""Seconds after which a lock, a connection or a statement is given up."""

REWRITING: Final = 120
"""Seconds that the nightly rewriting of one table may take."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x1D5E_7A1C_E000_0001
_OWNER_ONLY: Final = stat.S_IRUSR | stat.S_IWUSR
_WRITES: Final = "idservice_writes"


def open_database(url: str, *, short_lived: bool) -> Engine:
    """Open a database of one office; no statement is run before the first unit of work.

    Parameters never stand in an error text or a log (`hide_parameters`).
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _open_sqlite(url, short_lived=short_lived)
    if make_url(url).get_backend_name() == "postgresql":
        options = f"-c lock_timeout={TIMEOUT}s -c statement_timeout={TIMEOUT}s"
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=TIMEOUT,
            connect_args={"connect_timeout": TIMEOUT, "options": options},
        )
    raise ValueError("a database address begins with sqlite:/// or postgresql+psycopg://")


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Run a unit of work that only reads."""
    with _unit(engine, writes=False) as connection:
        yield connection


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Run a unit of work that may write; commit at its end, roll back on any exception.

    On SQLite it begins IMMEDIATE: of all writers to the file one is inside at a time.
    """
    with _unit(engine, writes=True) as connection:
        yield connection


def lock(connection: Connection, number: int) -> None:
    """Wait until no other unit of work holds the lock with this signed 64-bit number.

    It is given back when the unit of work ends. On SQLite every writing unit has the whole
    file already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Begin an INSERT that may say what to do on conflict; both engines spell it alike."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def wipe(engine: Engine) -> None:
    """Leave no old page in SQLite's files beside the database.

    One small write replaces and removes a rollback journal that a killed process left behind;
    then the write-ahead log is brought into the file and emptied.
    """
    if engine.dialect.name == "sqlite":
        with _available(), engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.execute("PRAGMA user_version = 0").fetchall()
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def close(engine: Engine) -> None:
    """Wipe and close all connections."""
    wipe(engine)
    engine.dispose()


def rewrite(engine: Engine, table: Table) -> None:
    """Write a lasting table anew in key order, so that no row tells when or after which it came.

    One transaction: copy to a temporary table, `TRUNCATE` (which gives the old file back to
    the operating system at commit), `INSERT` in key order. One table at a time, so that it
    waits for units of work and none of them for it in a circle. SQLite needs none of it: its
    lasting tables are `WITHOUT ROWID`, ordered by key, and pages carry no transaction number.
    """
    if engine.dialect.name != "postgresql":
        return
    with write(engine) as connection:
        name = connection.dialect.identifier_preparer.format_table(table)
        order = ", ".join(column.name for column in table.primary_key)
        for statement in (
            f"SET LOCAL statement_timeout = '{REWRITING}s'",
            f"SET LOCAL lock_timeout = '{REWRITING}s'",
            f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
            f"CREATE TEMPORARY TABLE rewriting ON COMMIT DROP AS SELECT * FROM {name}",  # noqa: S608  # names come from our own metadata
            f"TRUNCATE {name}",
            f"INSERT INTO {name} SELECT * FROM rewriting ORDER BY {order}",  # noqa: S608  # names come from our own metadata
        ):
            connection.execute(text(statement))


def migrate(url: str, office: str, *, short_lived: bool) -> None:
    """Bring one database of an office to the newest schema.

    `office` is the folder in `migrations/`. Its Alembic branch is called `OFFICE_pending` for
    short-lived rows and `OFFICE_lasting` for the others; both may stand in one PostgreSQL
    database. An interrupted migration leaves the schema as it was.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = sorted(str(path.parent) for path in _MIGRATIONS.glob("*/__init__.py"))
    config.set_main_option("version_locations", "\n".join(folders).replace("%", "%%"))
    engine = open_database(url, short_lived=short_lived)
    try:
        with write(engine) as connection:
            lock(connection, _MIGRATION_LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, f"{office}_{'pending' if short_lived else 'lasting'}@head")
    finally:
        close(engine)


def _open_sqlite(url: str, *, short_lived: bool) -> Engine:
    path = make_url(url).database
    if not path or path == ":memory:":
        raise ValueError("a SQLite address names a file: sqlite:////folder/name.db")
    Path(path).touch(mode=_OWNER_ONLY, exist_ok=True)
    engine = create_engine(
        url, hide_parameters=True, pool_timeout=TIMEOUT, connect_args={"timeout": TIMEOUT}
    )
    pragmas = (
        f"journal_mode={'DELETE' if short_lived else 'WAL'}",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "trusted_schema=OFF",
    )

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: object) -> None:  # the driver's own connection
        raw.isolation_level = None  # transactions begin below, not behind our back
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _unit(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    with _available(), engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: writes})
        with connection.begin():
            yield connection


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, sqlite3.OperationalError) as error:
        raise ServiceError(Code.UNAVAILABLE) from error
