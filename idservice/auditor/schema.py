"""The columns of a live database against the inventory.

An office calls `check_at_start`: a column that nobody wrote down is a column
that nobody has to answer for. The auditor opens databases for reading only.
"""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from idservice.auditor import comparison, folder, inventory
from idservice.auditor.model import Finding, Inventory, Kind, Trouble

_EVERYWHERE: Final = text("""
    SELECT CASE nspname WHEN current_schema() THEN '' ELSE nspname || '.' END
        || relname || '.' || attname
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f')
        AND nspname !~ '^pg_' AND nspname <> 'information_schema'
""")
"""PostgreSQL's tables, partitioned and foreign ones, and views, materialised ones too."""

_FILE_FORMAT: Final = slice(18, 20)
_WRITE_AHEAD: Final = b"\x02\x02"


class Unlisted(Exception):
    """A database holds columns that the inventory does not list, or it cannot be told."""


def columns(engine: Engine) -> frozenset[str]:
    """Return every column of every table and view, as `table.column`.

    On PostgreSQL, what stands in another schema than the office's is `schema.table.column`.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            return frozenset(connection.execute(_EVERYWHERE).scalars())
    seen = inspect(engine)
    tables = [*seen.get_table_names(), *seen.get_view_names()]
    return frozenset(
        f"{table}.{column['name']}" for table in tables for column in seen.get_columns(table)
    )


def check_schema(found: frozenset[str], listed: Inventory, *places: str) -> tuple[Finding, ...]:
    """Return what the inventory does not list, and what it lists and is absent."""
    return comparison.compare(found, listed, kind=Kind.COLUMN, places=places)


def refuse_unlisted(engine: Engine, listed: Inventory, *places: str) -> None:
    """Stop an office that would run on a schema which the inventory does not list.

    Raises:
        Unlisted: with the names of the columns.
    """
    findings = check_schema(columns(engine), listed, *places)
    names = [ascii(item.name) for item in findings if item.trouble is Trouble.UNLISTED]
    if names:
        raise Unlisted(f"columns that {' and '.join(places)} may not have: {', '.join(names)}")


def check_at_start(engine: Engine, office: str) -> None:
    """Compare one database of an office with the shipped inventory.

    Both kinds of rows may stand in one PostgreSQL database, so either may stand here.

    Raises:
        Unlisted: a column is not listed, the database cannot be read, or there is no inventory.
    """
    places = [f"{office}.{stem}" for stem in folder.DATABASES[office]]
    try:
        refuse_unlisted(engine, inventory.load(), *places)
    except (SQLAlchemyError, inventory.UnusableInventory) as error:
        raise Unlisted("the schema cannot be compared with the data inventory") from error


def open_for_reading(url: str) -> Engine:
    """Open a database so that looking at it changes nothing."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "").resolve()
        mode = "mode=ro&immutable=1" if _is_at_rest(path) else "mode=ro"
        return create_engine(
            f"sqlite:///file:{quote(str(path))}?{mode}&uri=true", hide_parameters=True
        )
    return create_engine(address, hide_parameters=True).execution_options(postgresql_readonly=True)


def _is_at_rest(path: Path) -> bool:
    """Say whether nobody has this file open, so that to read it would begin a log beside it."""
    try:
        with path.open("rb") as file:
            written_ahead = file.read(_FILE_FORMAT.stop)[_FILE_FORMAT] == _WRITE_AHEAD
    except OSError:
        return False
    return written_ahead and not path.with_name(f"{path.name}-wal").exists()
