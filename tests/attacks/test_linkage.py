"""Insiders with every file: what joins a person to what the person did. Found: nothing.

A city with one verifier runs with every switch thrown that somebody might hope for; residents
are enrolled, pick up and show; then the databases of both offices are laid side by side.
"""

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import typer
from typer.main import get_command

from crypto.encoding import base64url
from crypto.jose import jwk
from crypto.sdjwt import sd_jwt
from idservice.apps import settings
from idservice.apps.settings import UnusableSettings
from idservice.cli import serve
from idservice.demonstration import household, ledger, stage, town
from idservice.demonstration.household import Holder
from idservice.demonstration.town import Town
from idservice.wallet.model import Card
from idservice.wallet.question import Question
from tests.fakes import pickups, towns, verifier_office
from tests.fakes.pickups import PickUp
from tests.fakes.verifier_office import Office

SWITCHES = {
    **dict.fromkeys(("DEBUG", "VERBOSE", "TRACE", "FASTAPI_DEBUG", "STARLETTE_DEBUG"), "1"),
    **dict.fromkeys(("LOG_LEVEL", "LOGLEVEL", "LOGGING_LEVEL", "UVICORN_LOG_LEVEL"), "debug"),
    **dict.fromkeys(("IDSERVICE_DEBUG", "IDSERVICE_TRACE", "IDSERVICE_KEEP"), "1"),
    **dict.fromkeys(("IDSERVICE_LOG_LEVEL", "IDSERVICE_LOG"), "debug"),
    **dict.fromkeys(("UVICORN_ACCESS_LOG", "ACCESS_LOG", "IDSERVICE_ACCESS_LOG"), "1"),
    **dict.fromkeys(("SQLALCHEMY_ECHO", "SQLALCHEMY_ECHO_POOL", "SQLALCHEMY_DEBUG"), "debug"),
    **dict.fromkeys(("HTTPX_LOG_LEVEL", "PYTHONASYNCIODEBUG", "PYTHONFAULTHANDLER"), "1"),
}
"""What operators set when they want to see more."""

PEOPLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one resident has, as nobody else does."""

    enrolled: PickUp
    holder: Holder
    card: Card

    def canaries(self) -> list[str | bytes]:
        """Return everything that must stand in no office's file."""
        found = self.enrolled.canaries()
        for one in self.card.instances:
            public = jwk.public_jwk(one.key.public_key())
            found += [base64url.decode(public["x"]), base64url.decode(public["y"])]
            found.append(sd_jwt.parse(one.credential).issuer.signature)
        return found


@pytest.fixture(scope="module")
def open_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with stage.opened(tmp_path_factory.mktemp("town"), **SWITCHES) as opened:
        found = town.found(opened, verifiers=("library",))
        found.start()
        yield found


@pytest.fixture(scope="module")
def people(open_town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Residents with cards, each of whom has shown one."""
    folder = tmp_path_factory.mktemp("wallets")
    with household.opened(folder) as wallets:
        arrived = [
            arrive(open_town, number, wallets.open(f"person {number}")) for number in range(PEOPLE)
        ]
        for person in arrived:
            show(open_town, person)
        yield arrived


def arrive(open_town: Town, number: int, holder: Holder) -> Person:
    """Enrol, and pick up with the reference wallet."""
    with pickups.desk(open_town) as clerk:
        enrolled = clerk.enrol(number, instances=0)
    handed = enrolled.enrolment
    root = bytes.fromhex(open_town.root_fingerprint.replace(" ", ""))
    holder.service.pin(open_town.bundle.read_bytes(), root_fingerprint=root)
    card = holder.service.receive(handed.offer, transaction_code=lambda: handed.transaction_code)
    return Person(enrolled=enrolled, holder=holder, card=card)


def show(open_town: Town, person: Person) -> dict[str, object]:
    """Let the library ask, and let the person answer with everything it may have."""
    started = towns.start_request(open_town.counters["library"])
    asked = person.holder.service.ask(str(started["authorization_request"]))
    assert isinstance(asked, Question)
    person.holder.service.answer(asked, shared=("given_name",), reuse=False)
    return started


class Insider:
    """Somebody with every database of the city and of a verifier, and SQL."""

    def __init__(self, issuer: Path, verifier: Path) -> None:
        self.sql = sqlite3.connect(":memory:")
        self.columns: list[tuple[str, str]] = []
        for name, path in {
            "lasting": issuer / "lasting.db",
            "pending": issuer / "pending.db",
            "library": verifier / "pending.db",
        }.items():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
                self._copy(name, source)

    def _copy(self, name: str, source: sqlite3.Connection) -> None:
        self.sql.execute("ATTACH ':memory:' AS ?", [name])
        query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        for (table,) in source.execute(query).fetchall():
            if table == "alembic_version":
                continue
            cursor = source.execute(f"SELECT * FROM {table}")  # noqa: S608, the file's own names
            columns = [column[0] for column in cursor.description]
            self.sql.execute(f"CREATE TABLE {name}.{table} ({', '.join(columns)})")
            places = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {name}.{table} VALUES ({places})"  # noqa: S608
            self.sql.executemany(insert, cursor.fetchall())
            self.columns += [(f"{name}.{table}", column) for column in columns]

    def rows(self, table: str) -> int:
        (number,) = self.sql.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(number)

    def joins(self) -> list[str]:
        """Try every column of every table on every other: equal, or one inside the other."""
        found = []
        for (one, left), (other, right) in itertools.permutations(self.columns, 2):
            query = (
                f"SELECT count(*) FROM {one} a, {other} b WHERE length(a.{left}) >= 8"  # noqa: S608
                f" AND typeof(a.{left}) IN ('blob', 'text')"
                f" AND instr(CAST(b.{right} AS BLOB), CAST(a.{left} AS BLOB)) > 0"
            )
            if self.sql.execute(query).fetchone() != (0,):
                found.append(f"{one}.{left} in {other}.{right}")
        return found

    def groups(self) -> list[str]:
        """Look for a value that two rows of one table share: it would group them."""
        found = []
        for table, column in self.columns:
            query = (
                f"SELECT count(*) FROM {table} WHERE length({column}) >= 8"  # noqa: S608
                f" AND typeof({column}) IN ('blob', 'text') GROUP BY {column} HAVING count(*) > 1"
            )
            if self.sql.execute(query).fetchall():
                found.append(f"{table}.{column}")
        return found


SAME_FOR_EVERYBODY = {
    "lasting.lists.configuration",
    "lasting.lists.allocated",  # empty lists of coming periods
    "lasting.lists.statuses",
    "lasting.published.configuration",
}
"""Columns of rows that stand for a period of the whole city."""


@pytest.mark.attack("PRIV-015")
@pytest.mark.attack("PRIV-022")
@pytest.mark.threat("T27")
def test_no_query_over_all_databases_joins_a_person_to_an_act(
    open_town: Town, people: list[Person]
) -> None:
    library = open_town.counters["library"]
    with pickups.desk(open_town) as clerk:
        clerk.enrol(PEOPLE, instances=1).ask_token()
        clerk.enrol(PEOPLE + 1)
    show(open_town, people[1])
    towns.start_request(library)
    insider = Insider(open_town.issuer_folder, library.folder)
    tables = {table for table, _ in insider.columns}
    # nobody lost a card here, and renewing has its own days
    empty = {"lasting.withdrawn", "pending.renewals"}
    assert {table for table in tables if insider.rows(table)} >= tables - empty
    known = {each.rsplit(".", 1)[0] for each in SAME_FOR_EVERYBODY}
    assert [join for join in insider.joins() if not is_public(join, known)] == []
    assert set(insider.groups()) <= SAME_FOR_EVERYBODY
    insider.sql.execute("CREATE TABLE library.journal AS SELECT key AS who FROM lasting.marks")
    insider.columns.append(("library.journal", "who"))
    assert "lasting.marks.key in library.journal.who" in insider.joins()


def is_public(join: str, known: set[str]) -> bool:
    """Say whether both sides stand for the whole city."""
    return all(side.rsplit(".", 1)[0] in known for side in join.split(" in "))


@pytest.mark.attack("PRIV-015")
@pytest.mark.threat("T03")
def test_nothing_that_a_person_holds_or_showed_finds_a_row_of_a_verifier(
    open_town: Town, people: list[Person]
) -> None:
    """'All verifications of person Y': asked with Y's name, keys, credentials and slip."""
    values = [value for person in people for value in person.canaries()]
    assert len(values) > PEOPLE * 60
    assert ledger.search([open_town.stage.folder], values) == []
    planted = open_town.counters["library"].folder / "planted"
    planted.write_bytes(b"xx" + bytes(people[0].canaries()[-1]) + b"yy")  # type: ignore[arg-type]
    assert ledger.search([open_town.stage.folder], values) == [
        str(planted.relative_to(open_town.stage.folder.parent))
    ]
    planted.unlink()


@pytest.mark.attack("PRIV-023")
@pytest.mark.usefixtures("people")
def test_no_switch_of_the_environment_makes_an_office_say_anything(open_town: Town) -> None:
    for base_url in (open_town.issuer, open_town.counters["library"].base_url):
        assert httpx.get(f"{base_url}/nothing").status_code == httpx.codes.NOT_FOUND
        assert httpx.post(f"{base_url}/token", content=b"{").status_code < 500
    assert open_town.stage.log("issuer") == ""
    assert open_town.stage.log("library") == ""


@pytest.mark.attack("PRIV-023")
def test_no_option_of_an_office_turns_anything_on() -> None:
    """A closed list: an option that is added must be added here by somebody who means it."""
    group = get_command(serve.app)
    assert isinstance(group, typer.core.TyperGroup)
    for command in group.commands.values():
        options = {name for parameter in command.params for name in parameter.opts}
        assert options <= {"--folder", "--host", "--port", "--fd", "--clock-offset"}


@pytest.mark.attack("PRIV-023")
def test_no_setting_of_an_office_turns_anything_on(open_town: Town, tmp_path: Path) -> None:
    read: dict[str, Callable[[Path], object]] = {
        "city.json": lambda folder: settings.issuer(folder / "issuer", environ=SWITCHES),
        "verifier.json": lambda folder: settings.verifier(folder, environ=SWITCHES),
    }
    original = {
        "city.json": open_town.city / "city.json",
        "verifier.json": open_town.counters["library"].folder / "verifier.json",
    }
    for name, path in original.items():
        content = json.loads(path.read_text())
        (tmp_path / name).write_text(json.dumps(content))
        read[name](tmp_path)
        for member in ("debug", "log_level", "log", "trace", "keep", "retention"):
            (tmp_path / name).write_text(json.dumps({**content, member: True}))
            with pytest.raises(UnusableSettings, match=member):
                read[name](tmp_path)


@pytest.mark.attack("PRIV-017")
@pytest.mark.threat("T29")
def test_who_asks_to_be_deleted_is_in_no_file_within_minutes(
    open_town: Town, people: list[Person]
) -> None:
    person, library = people[0], open_town.counters["library"]
    show(open_town, person)
    waiting = Insider(open_town.issuer_folder, library.folder)
    index_rows = waiting.rows("lasting.index_rows")
    asked = [f"SELECT sealed FROM {table}" for table in ("pending.tokens", "library.answers")]  # noqa: S608
    sealed = [bytes(value)[-48:] for query in asked for (value,) in waiting.sql.execute(query)]
    assert sealed
    person.holder.service.withdraw(person.enrolled.enrolment.slip)
    towns.reap_later(open_town, offset=1200)
    left = Insider(open_town.issuer_folder, library.folder)
    for table in ("pending.offers", "pending.tokens", "library.requests", "library.answers"):
        assert left.rows(table) == 0
    assert left.rows("lasting.index_rows") == index_rows - 1
    assert ledger.search([open_town.stage.folder], [*person.canaries(), *sealed]) == []


NONCE = "n-0S6_WzA2Mj"


def asked(office: Office) -> dict[str, object]:
    """Check one presentation at the counter."""
    presentation = verifier_office.show(
        verifier_office.credential(office.city),
        nonce=NONCE,
        audience=office.client_id,
        now=office.clock.time,
    )
    return {
        "policy": office.policy,
        "presentation": presentation,
        "nonce": NONCE,
        "audience": office.client_id,
    }


@pytest.mark.attack("PRIV-014")
def test_withdrawn_and_expired_are_one_answer_over_http() -> None:
    office = verifier_office.make()
    client = office.client()

    def answers() -> list[tuple[int, bytes, dict[str, str]]]:
        single = client.post("/v1/verify", json=asked(office))
        batch = client.post("/v1/verify/batch", json={"items": [asked(office)]})
        return [(one.status_code, one.content, dict(one.headers)) for one in (single, batch)]

    good = answers()
    office.knowledge.learn(office.city, withdrawn=[77])
    withdrawn = answers()
    office.knowledge.learn(office.city)
    office.clock.time = office.city.announced.exp + 100
    expired = answers()
    assert withdrawn == expired
    assert json.loads(withdrawn[0][1]) == {"result": "refused", "code": "not_valid"}
    assert all(b"not_valid" in content for _, content, _ in withdrawn)
    assert all(b"accepted" in content for _, content, _ in good)
