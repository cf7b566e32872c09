"""The shipped inventory against what the migrations really make."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from idservice.apps import issuer as issuer_office
from idservice.apps import verifier as verifier_office
from idservice.apps.settings import UnusableSettings
from idservice.auditor import comparison, inventory, schema
from idservice.auditor import folder as folders
from idservice.auditor.model import Kind, Trouble
from idservice.storage import engine, wallet
from tests.fakes import asgi, city, engines, issuer_app, postgres, verifier_folder
from tests.fakes.seizure import MovingClock

LISTED = inventory.load()
DATABASES = [("issuer", False), ("issuer", True), ("verifier", True)]


def place(office: str, *, short_lived: bool) -> str:
    return f"{office}.{'pending' if short_lived else 'lasting'}"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    yield from engines.server_or_skip()


@pytest.mark.threat("T38")
@pytest.mark.threat("T47")
@pytest.mark.parametrize(("office", "short_lived"), DATABASES)
def test_what_sqlite_holds_is_what_is_listed(
    tmp_path: Path, office: str, *, short_lived: bool
) -> None:
    url = f"sqlite:///{tmp_path}/rows.db"
    engine.migrate(url, office, short_lived=short_lived)
    opened = schema.open_for_reading(url)
    found = schema.columns(opened)
    opened.dispose()
    assert len(found) > 4
    assert schema.check_schema(found, LISTED, place(office, short_lived=short_lived)) == ()


@pytest.mark.threat("T47")
@pytest.mark.parametrize("office", ["issuer", "verifier"])
def test_what_postgresql_holds_is_what_is_listed(server: postgres.Server, office: str) -> None:
    places = [each for each in DATABASES if each[0] == office]
    url = server.database(f"audit_{office}")
    for _, short_lived in places:
        engine.migrate(url, office, short_lived=short_lived)
    opened = schema.open_for_reading(url)
    found = schema.columns(opened)
    opened.dispose()
    names = [place(office, short_lived=short_lived) for _, short_lived in places]
    assert schema.check_schema(found, LISTED, *names) == ()


@pytest.mark.threat("T47")
@pytest.mark.parametrize(
    ("statements", "column"),
    [
        (["CREATE SCHEMA pgother", "CREATE TABLE pgother.seen (who TEXT)"], "pgother.seen.who"),
        (["CREATE MATERIALIZED VIEW seen AS SELECT key AS who FROM requests"], "seen.who"),
        (
            [
                "CREATE FOREIGN DATA WRAPPER elsewhere",
                "CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere",
                "CREATE FOREIGN TABLE seen (who TEXT) SERVER elsewhere",
            ],
            "seen.who",
        ),
        (["CREATE TABLE seen (who TEXT) PARTITION BY LIST (who)"], "seen.who"),
    ],
    ids=["schema", "materialised", "foreign", "partitioned"],
)
def test_nothing_in_a_postgresql_database_is_out_of_sight(
    server: postgres.Server, statements: list[str], column: str, request: pytest.FixtureRequest
) -> None:
    url = server.database(request.node.callspec.id)
    engine.migrate(url, "verifier", short_lived=True)
    opened = engine.open_database(url, short_lived=True)
    with opened.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    findings = schema.check_schema(schema.columns(opened), LISTED, "verifier.pending")
    opened.dispose()
    assert [finding.name for finding in findings] == [column]


def test_a_schema_may_have_any_name(server: postgres.Server) -> None:
    url = server.database("cased")
    owner = engine.open_database(url, short_lived=True)
    with owner.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "The City"')
        connection.exec_driver_sql('ALTER DATABASE cased SET search_path TO "The City"')
    owner.dispose()
    engine.migrate(url, "verifier", short_lived=True)
    opened = engine.open_database(url, short_lived=True)
    assert schema.check_schema(schema.columns(opened), LISTED, "verifier.pending") == ()
    opened.dispose()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[issuer_app.RunningIssuer]:
    with issuer_app.running(tmp_path_factory.mktemp("city") / "exampleton") as running:
        yield running


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return verifier_folder.write(tmp_path_factory.mktemp("verifier") / "library", city.make())


@pytest.mark.threat("T47")
@pytest.mark.parametrize("stem", ["lasting", "pending"])
def test_the_issuer_does_not_start_on_an_unlisted_column(tmp_path: Path, stem: str) -> None:
    told = issuer_app.found(tmp_path / "exampleton")
    clock, chance = MovingClock(city.NOW), city.chance("start")
    issuer_office.create_app(told, clock=clock, random_bytes=chance)  # makes the databases
    add_column(tmp_path / "exampleton" / "issuer" / f"{stem}.db")
    with pytest.raises(UnusableSettings, match="last_seen"):
        issuer_office.create_app(told, clock=clock, random_bytes=chance)


@pytest.mark.threat("T47")
def test_a_verifier_does_not_start_on_an_unlisted_column(library: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(library, tmp_path / "library")
    told = verifier_folder.read(folder)
    clock, chance = MovingClock(city.NOW), city.chance("start")
    verifier_office.create_app(told, clock=clock, random_bytes=chance)
    add_column(folder / "pending.db")
    with pytest.raises(UnusableSettings, match="last_seen"):
        verifier_office.create_app(told, clock=clock, random_bytes=chance)


def add_column(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'alembic_version'"
        ((table,), *_) = database.execute(tables).fetchall()
        database.execute(f"ALTER TABLE {table} ADD COLUMN last_seen INTEGER")
        database.commit()


def headers(ask: Callable[[str, str], httpx.Response], paths: Iterable[str]) -> set[str]:
    """Return the names of all headers of answers, right and wrong ones."""
    found: set[str] = set()
    for path in (*paths, "/absent", "/metrics", "/docs"):
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            found |= {name.lower() for name in ask(method, path).headers}
    return found


@pytest.mark.threat("T32")
def test_the_issuers_answers_have_the_listed_headers_only(issuer: issuer_app.RunningIssuer) -> None:
    paths = issuer.client.get("/openapi.json").json()["paths"]
    found = headers(issuer.client.ask, paths)
    assert comparison.compare(found, LISTED, kind=Kind.HEADER, places=("http",)) == ()
    assert issuer.client.get("/metrics").status_code == 404


@pytest.mark.threat("T32")
def test_a_verifiers_answers_have_the_listed_headers_only(library: Path, tmp_path: Path) -> None:
    told = verifier_folder.read(shutil.copytree(library, tmp_path / "library"))
    app = verifier_office.create_app(
        told, clock=MovingClock(city.NOW), random_bytes=city.chance("headers")
    )
    client = asgi.Client(app=app)
    paths = client.get("/openapi.json").json()["paths"]
    found = headers(client.request, paths)
    unlisted = [
        finding
        for finding in comparison.compare(found, LISTED, kind=Kind.HEADER, places=("http",))
        if finding.trouble is Trouble.UNLISTED
    ]
    assert unlisted == []


@pytest.mark.threat("T38")
def test_a_citys_folder_holds_the_listed_files(issuer: issuer_app.RunningIssuer) -> None:
    issuer.enrol()
    parts = folders.parts(issuer.settings.folder.parent)
    assert [part.place for part in parts] == ["city", "issuer", "transparency"]
    for part in parts:
        findings = comparison.compare(part.files, LISTED, kind=Kind.FILE, places=(part.place,))
        assert findings == ()


@pytest.mark.threat("T38")
def test_a_verifiers_folder_holds_the_listed_files(library: Path) -> None:
    (part,) = folders.parts(library)
    assert comparison.compare(part.files, LISTED, kind=Kind.FILE, places=("verifier",)) == ()


@pytest.mark.threat("T43")
def test_the_issuer_has_no_way_in_for_applications_or_papers(
    issuer: issuer_app.RunningIssuer,
) -> None:
    """A closed list: an address that is added must be added here by somebody who means it."""
    document = issuer.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/.well-known/jwt-vc-issuer",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-credential-issuer",
        "/credential",
        "/healthz",
        "/nonce",
        "/offers/{configuration}/{reference}",
        "/readyz",
        "/token",
        "/v1/bundle",
        "/v1/renew",
        "/v1/status/{configuration}/{period}",
        "/v1/withdraw",
        "/vct/resident/1",
    }
    assert "multipart/form-data" not in str(document)


@pytest.mark.threat("T06")
@pytest.mark.threat("T20")
def test_public_documents_are_the_same_bytes_for_everybody(
    issuer: issuer_app.RunningIssuer,
) -> None:
    number = issuer.keys.announced()[0].announced.period
    for path in ("/v1/bundle", f"/v1/status/resident_sd_jwt/{number}", "/vct/resident/1"):
        answers = [
            issuer.client.get(path, headers=told, params=asked)
            for told in (
                {},
                {"User-Agent": "other", "Cookie": "a=b", "X-Forwarded-For": "10.1.2.3"},
            )
            for asked in ({}, {"who": "me"})
        ]
        assert {answer.status_code for answer in answers if answer.status_code == 200} == {200}
        assert len({answer.content for answer in answers if answer.status_code == 200}) == 1


def test_only_listed_headers_of_requests_are_read() -> None:
    """No address, agent, cookie, trace or forwarded header is looked at by any counter."""
    root = Path(__file__).parents[3] / "idservice"
    found: set[str] = set()
    for path in (*root.glob("*/web.py"), *root.glob("web/*.py")):
        text = path.read_text()
        found |= set(re.findall(r'request\.headers(?:\.get(?:list)?\(|\[)"([a-z-]+)"', text))
        found |= set(re.findall(r'headers\.get\(b"([a-z-]+)"', text))
        found |= set(re.findall(r'b"([a-z-]+)" in headers', text))
    listed = {item.name for item in LISTED.of(Kind.HEADER, "http.request")}
    assert found == listed


@pytest.mark.threat("T38")
def test_a_wallets_folder_holds_the_listed_files(tmp_path: Path) -> None:
    cheap = wallet.Cost(passes=1, memory=8 * 1024 * 1024)
    chance = city.chance("wallet")
    with wallet.opened(
        tmp_path, passphrase=b"eight octets", random_bytes=chance, cost=cheap
    ) as file:
        file.save(file.load())
    (part,) = folders.parts(tmp_path)
    assert part.place == "wallet"
    assert comparison.compare(part.files, LISTED, kind=Kind.FILE, places=("wallet",)) == ()
