"""Whoever gets hold of a store, a log, a copy or a crashed process: what is in it.

Crashes of the running issuer and of its database are played in `tests/journeys/test_crash.py`,
races and single rows beside the stores in `tests/storage`.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import yaml

from crypto.encoding import base64url
from crypto.errors import CryptoError
from crypto.sealed import handle, offer
from idservice.demonstration import ledger
from idservice.errors import Code, ServiceError
from idservice.storage import engine
from tests.fakes import engines, postgres, seizure
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_office import Office
from tests.fakes.seizure import SeizedCity

ROOT = Path(__file__).parents[2]
CANARY = "Canary7f3a91"


def shipped_settings() -> list[str]:
    """Read how `docker-compose.yml` starts a database."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    first, *rest = compose["services"]["issuer-database"]["command"]
    assert first == "postgres"
    assert set(rest[::2]) == {"-c"}
    return list(rest[1::2])


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    reason = postgres.absent()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running(*shipped_settings()) as started:
        yield started


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def holders(paths: Sequence[Path], values: Sequence[str | bytes]) -> list[str]:
    """Name the files in which one of the values stands, in any spelling."""
    needles = [spelling for value in values for spelling in ledger.spellings(value)]
    found = []
    for path in paths:
        content = path.read_bytes()
        if any(needle in content for needle in needles):
            found.append(path.name)
    return found


def everything_secret(office: Office) -> Iterator[str | bytes]:
    """Let two people pick up and a third wait; return all that must not be written down."""
    for number in range(2):
        record = seizure.record(number)
        resident, enrolment = office.enrol(record)
        request = offices.token_request(enrolment)
        token = office.issuer.token(request)
        resident.issue(token, count=1, label=f"person {number}")
        slip = offices.slip_of(enrolment)
        yield from (request.code, token, slip, handle.handle(slip))
        yield from (str(record["given_name"]), str(record["birth_date"]))
        yield resident.credentials[0].split("~")[0].rsplit(".", 1)[1]
    record = seizure.record(77)
    office.enrol(record)
    yield str(record["given_name"])


@pytest.mark.attack("STORE-007")
@pytest.mark.threat("T29")
def test_postgresql_as_shipped_writes_nobody_down(server: postgres.Server) -> None:
    """Server log, write-ahead log, and every file of the cluster."""
    with engines.postgres_databases(server) as made:
        office = offices.make(pending=made.pending, lasting=made.lasting)
        secrets = list(everything_secret(office))
        fail_with(made.pending_url, CANARY)
        with administrator(server, made.pending_url) as connection:
            connection.execute("CHECKPOINT")
            (waiting,) = connection.execute("SELECT key FROM offers").fetchall()
            marks = connection.execute("SELECT key FROM marks").fetchall()
        everything = files(server.folder)
        assert holders(everything, [*secrets, CANARY]) == []
        assert "division by zero" in (server.folder / "log").read_text()
        log_ahead = [path for path in everything if path.parent.name == "pg_wal"]
        assert holders(log_ahead, [bytes(waiting[0])]) == []
        assert holders(log_ahead, [bytes(marks[0][0])]), "the search would find a row"


def fail_with(url: str, told: str) -> None:
    """Let a statement fail that carries a value."""
    failing = sa.text("SELECT 1 / (length(CAST(:told AS text)) - :length)")
    opened = engine.open_database(url, short_lived=True)
    with opened.connect() as connection, pytest.raises(sa.exc.DataError) as caught:
        connection.execute(failing, {"told": told, "length": len(told)})
    opened.dispose()
    assert told not in str(caught.value)


@pytest.mark.attack("STORE-007")
def test_postgresql_as_shipped_shows_no_statement_and_sends_no_log(
    server: postgres.Server,
) -> None:
    asked = {
        "SELECT coalesce(query, '') FROM pg_stat_activity": {("",)},
        "SELECT count(*) FROM pg_replication_slots": {(0,)},
        "SELECT extname FROM pg_extension": {("plpgsql",)},
        "SHOW shared_preload_libraries": {("",)},
        "SHOW archive_mode": {("off",)},
    }
    with administrator(server) as connection:
        for statement, answer in asked.items():
            assert set(connection.execute(statement.encode()).fetchall()) == answer, statement


def administrator(
    server: postgres.Server, url: str | None = None
) -> psycopg.Connection[tuple[Any, ...]]:
    name = sa.make_url(url).database if url else "postgres"
    return psycopg.connect(host=str(server.folder), user=server.user, dbname=name, autocommit=True)


@pytest.mark.attack("STORE-007")
def test_postgresql_that_was_told_to_log_would_write_everybody_down(
    server: postgres.Server,
) -> None:
    """The positive twin: the same statement, by somebody who turns the settings round."""
    canary = f"twin of {CANARY}"
    with administrator(server) as connection:
        connection.execute("SET log_statement = 'all'")
        connection.execute("SET log_parameter_max_length = -1")
        connection.execute("SELECT length(%s::text)", [canary])
    assert holders([server.folder / "log"], [canary]) == ["log"]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[SeizedCity]:
    with seizure.opened(tmp_path / "issuer") as opened:
        yield opened


def offers_in(path: Path) -> list[tuple[bytes, bytes]]:
    with closing(sa.create_engine(f"sqlite:///{path}").raw_connection()) as connection:
        return list(connection.cursor().execute("SELECT key, sealed FROM offers"))


@pytest.mark.attack("STORE-008")
@pytest.mark.threat("T28")
def test_an_old_copy_opens_nothing(city: SeizedCity, tmp_path: Path) -> None:
    """The keys to what waits are in residents' QR codes, and nowhere beside the copy."""
    record = seizure.record(5)
    enrolment = city.enrol(record)
    copy = Path(shutil.copyfile(city.folder / "pending.db", tmp_path / "copy.db"))
    city.pick_up(enrolment, record)
    city.clock.time += 3600
    city.schedule.reap()
    ((_, sealed),) = offers_in(copy)
    told = [str(record["given_name"]), str(record["family_name"]), str(record["birth_date"])]
    assert holders([copy], told) == []
    for secret in candidates(city):
        with pytest.raises(CryptoError):
            offer.unseal(sealed, secret=offer.Secret(secret))
    opened = offer.unseal(sealed, secret=offer.Secret(bytes(seizure.code_of(enrolment))))
    assert record["given_name"] in opened.decode()


def candidates(city: SeizedCity) -> Iterator[bytes]:
    """Make a key of everything that the issuer has: its nonce key and every value of every row."""
    yield seizure.NONCE_KEY
    for stem in ("lasting", "pending"):
        for rows in city.rows(stem).values():
            for value in (value for row in rows for value in row if isinstance(value, bytes)):
                yield hashlib.sha256(value).digest()
                yield value[:32].ljust(32, b"\0")


@pytest.mark.attack("STORE-008")
def test_a_copy_that_is_put_back_issues_nothing_twice(city: SeizedCity) -> None:
    record = seizure.record(6)
    enrolment = city.enrol(record)
    copy = shutil.copyfile(city.folder / "pending.db", city.folder.parent / "copy.db")
    city.pick_up(enrolment, record)
    before = city.rows("lasting")
    shutil.copyfile(copy, city.folder / "pending.db")
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        city.pick_up(enrolment, record)
    assert city.rows("lasting") == before
    shutil.copyfile(copy, city.folder / "pending.db")
    city.clock.time += 1200
    with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
        city.pick_up(enrolment, record)
    other = city.resident(seizure.record(7))
    assert len(other.credentials) == 20


def wheel(folder: Path, content: bytes) -> Path:
    """Make the smallest distribution that pip takes."""
    path = folder / "canary_distribution-1.0-py3-none-any.whl"
    info = "canary_distribution-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("canary_distribution.py", content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: canary-distribution\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def install(folder: Path, lock: str) -> subprocess.CompletedProcess[str]:
    """Let pip try what the Makefile lets it do, from a folder instead of an index."""
    (folder / "lock").write_text(lock)
    pip = ("-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir", "install")
    options = ("--no-index", "--no-deps", "--dry-run", "--require-hashes", "--find-links", folder)
    return subprocess.run(
        [sys.executable, *pip, *map(str, options), "-r", str(folder / "lock")],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.attack("STORE-025")
def test_a_distribution_that_was_tampered_with_is_not_installed(tmp_path: Path) -> None:
    path = wheel(tmp_path, b"honest = True\n")
    name = "canary-distribution==1.0"
    lock = f"{name} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    assert install(tmp_path, lock).returncode == 0
    wheel(tmp_path, b"honest = False\n")
    tampered = install(tmp_path, lock)
    assert (tampered.returncode, "DO NOT MATCH" in tampered.stderr) == (1, True)


@pytest.mark.attack("STORE-025")
def test_every_installation_demands_hashes_and_every_line_has_one() -> None:
    for name in ("Makefile", "Dockerfile"):
        lines = (ROOT / name).read_text().splitlines()
        installing = [line for line in lines if " install " in line and "pip" in line.lower()]
        assert installing
        for line in installing:
            assert "--require-hashes" in line or "--no-build-isolation --no-deps" in line
    for lock in ROOT.glob("requirements*.lock"):
        entries = lock.read_text().replace("\\\n", " ").splitlines()
        for entry in (line for line in entries if line.strip() and not line.startswith((" ", "#"))):
            assert "==" in entry
            assert "--hash=sha256:" in entry
    for lock in (ROOT / "tests/clients", ROOT / "benchmarks/node"):
        packages = json.loads((lock / "package-lock.json").read_text())["packages"]
        assert all("integrity" in package for place, package in packages.items() if place)


def test_the_search_finds_each_spelling(tmp_path: Path) -> None:
    """The search of this file finds what is there."""
    for number, spelling in enumerate((CANARY, CANARY.encode().hex(), base64url.encode(b"x" * 9))):
        (tmp_path / str(number)).write_text(f"xx{spelling}yy")
    assert sorted(holders(files(tmp_path), [CANARY, b"x" * 9])) == ["0", "1", "2"]
