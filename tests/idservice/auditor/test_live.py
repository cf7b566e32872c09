"""The shipped inventory against what the migrations really make."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idservice.auditor import inventory, schema
from idservice.storage import engine
from tests.fakes import engines, postgres

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
