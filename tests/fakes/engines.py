"""SQLite files and PostgreSQL databases for tests, migrated and thrown away."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.storage.issuer_pending import SqlPending
from tests.fakes import postgres

_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The issuer's two databases and their addresses."""

    lasting_url: str
    pending_url: str
    lasting: SqlLasting
    pending: SqlPending


def server_or_skip() -> Iterator[postgres.Server]:
    """Start PostgreSQL for a fixture, or skip with the reason."""
    reason = postgres.absent()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as server:
        yield server


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Lend a folder in memory where the system has one: thousands of commits wait for no disk."""
    memory = Path("/dev/shm")  # noqa: S108, Linux's file system in memory
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def sqlite_databases(folder: Path) -> Iterator[Databases]:
    """Make two files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    urls = f"sqlite:///{folder}/lasting.db", f"sqlite:///{folder}/pending.db"
    with _opened(*urls) as databases:
        yield databases


@contextmanager
def postgres_databases(server: postgres.Server) -> Iterator[Databases]:
    """Make one database for both kinds of rows, as a small city would."""
    name = f"issuer{next(_numbers)}"
    url = server.database(name)
    try:
        with _opened(url, url) as databases:
            yield databases
    finally:
        server.drop(name)


@contextmanager
def _opened(lasting_url: str, pending_url: str) -> Iterator[Databases]:
    engine.migrate(lasting_url, "issuer", short_lived=False)
    engine.migrate(pending_url, "issuer", short_lived=True)
    lasting = engine.open_database(lasting_url, short_lived=False)
    pending = engine.open_database(pending_url, short_lived=True)
    try:
        yield Databases(
            lasting_url=lasting_url,
            pending_url=pending_url,
            lasting=SqlLasting(lasting),
            pending=SqlPending(pending),
        )
    finally:
        engine.close(lasting)
        engine.close(pending)
