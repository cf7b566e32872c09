"""A private PostgreSQL for one test session: a temporary folder, a Unix socket, nothing else.

PostgreSQL refuses to run as root, so as root it is started as `postgres` or `nobody`.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; every test gets a database of its own."""

    folder: Path
    user: str
    settings: tuple[str, ...] = ()
    """Of the server, as `name=value`."""

    def database(self, name: str, *, user: str | None = None) -> str:
        """Make the database where it is missing and return its SQLAlchemy address."""
        with psycopg.connect(
            host=str(self.folder), user=self.user, dbname="postgres", autocommit=True
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{user or self.user}@/{name}?host={self.folder}"

    def kill(self) -> None:
        """Stop it as a crash does: no checkpoint, connections cut."""
        _run(_account(), "pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", "immediate")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=60"
        options += "".join(f" -c {setting}" for setting in self.settings)
        log, data = str(self.folder / "log"), str(self.folder / "data")
        _run(_account(), "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options)

    def dump(self, name: str) -> bytes:
        """Write the database out as whoever takes a logical dump does."""
        program = _program("pg_dump")
        assert program is not None
        address = ("-h", str(self.folder), "-U", self.user)
        return subprocess.run([program, *address, name], check=True, capture_output=True).stdout

    def drop(self, name: str) -> None:
        """Drop the database, whoever is connected."""
        with psycopg.connect(
            host=str(self.folder), user=self.user, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def absent() -> str | None:
    """Say why no server can be started here, or nothing."""
    for program in ("initdb", "pg_ctl"):
        if _program(program) is None:
            return f"PostgreSQL is not installed here: there is no {program}"
    return None


def _program(name: str) -> str | None:
    """Find a program on the path, or where Debian puts what only the server needs."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name) or next(
        (found for folder in reversed(versions) if (found := shutil.which(name, path=folder))), None
    )


@contextlib.contextmanager
def running(*settings: str) -> Iterator[Server]:
    """Start a server, and stop and delete it."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        user = "tester"
        data = folder / "data"
        _run(account, "initdb", "-D", str(data), "-U", user, "-A", "trust", "-E", "UTF8", "-N")
        server = Server(folder=folder, user=user, settings=settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("running as root, and there is neither postgres nor nobody")


def _run(account: pwd.struct_passwd | None, *arguments: str) -> None:
    program = _program(arguments[0])
    if program is None:
        raise RuntimeError(arguments[0])
    done = subprocess.run(
        [program, *arguments[1:]],
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed: {done.stderr}")
