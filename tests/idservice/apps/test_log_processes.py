"""The log's process and a witness's, put together: what they refuse, and what they live through."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from crypto.log.note import VerifierKey
from idservice import clock
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import log as log_office
from idservice.apps.transparency import settings
from idservice.apps.transparency import witness as witness_office
from idservice.errors import ServiceError
from idservice.storage import engine
from idservice.transparency import model
from tests.fakes import engines, notaries, postgres, trees
from tests.fakes import log_office as offices
from tests.fakes.asgi import Client
from tests.fakes.log_office import MemoryFiles

CLOCK = clock.SystemClock()
WITNESS = notaries.witness_key("first").text
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found(tmp_path)
    return tmp_path


def found(folder: Path, **witnesses: str) -> VerifierKey:
    return log_office.found(
        folder,
        origin=notaries.ORIGIN,
        witnesses=witnesses,
        quorum=len(witnesses),
        random_bytes=os.urandom,
    )


def assemble(folder: Path, **environ: str) -> log_office.Parts:
    return log_office.assemble(settings.read_log(folder, environ=environ), clock=CLOCK)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"origin": ""}, "name"),
        ({"quorum": 1}, "quorum"),
        ({"more": 1}, "more"),
        ({"witnesses": [{"key": "no key", "address": NOWHERE}]}, "verifier key"),
        ({"witnesses": [{"key": WITNESS, "address": NOWHERE}]}, "quorum"),
        ({"witnesses": [{"key": WITNESS, "address": "http://w.example"}], "quorum": 1}, "https"),
        (
            {"witnesses": [{"key": notaries.log_key().text, "address": NOWHERE}], "quorum": 1},
            "0x04",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    folder: Path, change: dict[str, object], word: str
) -> None:
    told = json.loads((folder / "log.json").read_text())
    (folder / "log.json").write_text(json.dumps({**told, **change}))
    with pytest.raises(UnusableSettings, match=word):
        assemble(folder)


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    (folder / "log.key").chmod(0o644)
    with pytest.raises(UnusableSettings, match="0600"):
        assemble(folder)


def test_a_folder_that_nobody_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings):
        settings.read_log(tmp_path, environ={})
    with pytest.raises(UnusableSettings):
        settings.read_witness(tmp_path, environ={})


def test_a_column_that_is_not_in_the_inventory_is_refused(folder: Path, tmp_path: Path) -> None:
    assemble(folder).close()
    witness = tmp_path / "witness"
    witness_office.found(witness, name="w", logs=[notaries.log_key()], random_bytes=os.urandom)
    told = settings.read_witness(witness, environ={})
    witness_office.create_app(told, clock=CLOCK)
    for place, table in ((folder, "entries"), (witness, "witnessed")):
        database = sa.create_engine(f"sqlite:///{place / 'lasting.db'}")
        with database.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN who TEXT"))
        database.dispose()
    with pytest.raises(UnusableSettings, match="who"):
        assemble(folder)
    with pytest.raises(UnusableSettings, match="who"):
        witness_office.create_app(told, clock=CLOCK)


def test_two_keys_of_one_log_are_refused_by_a_witness(tmp_path: Path) -> None:
    logs = [notaries.log_key(), notaries.log_key()]
    with pytest.raises(UnusableSettings, match="two keys"):
        witness_office.found(tmp_path, name="w", logs=logs, random_bytes=os.urandom)
    assert list(tmp_path.iterdir()) == []


def test_a_log_whose_witnesses_are_away_starts_and_publishes_nothing(tmp_path: Path) -> None:
    found(tmp_path, **{WITNESS: NOWHERE})
    with closing(assemble(tmp_path)) as parts:
        with pytest.raises(model.NotPublished):
            parts.log.append(b"waits", expected=0)
        assert parts.log.published() is None
    app = log_office.create_app(settings.read_log(tmp_path, environ={}), clock=CLOCK)
    assert Client(app=app).get("/readyz").status_code == 503
    assert Client(app=app).get("/checkpoint").status_code == 404


def test_files_that_cannot_be_written_stop_the_start(folder: Path) -> None:
    (folder / "public").mkdir()
    (folder / "public" / "checkpoint").mkdir()
    with pytest.raises(UnusableSettings, match="cannot be written"):
        assemble(folder)


def test_a_failed_write_ends_the_process() -> None:
    class Failing(MemoryFiles):
        fails = False

        def replace_checkpoint(self, octets: bytes) -> None:
            if self.fails:
                raise OSError
            super().replace_checkpoint(octets)

    files = Failing()
    office = offices.make(files=files)
    office.log.open()
    files.fails = True
    with pytest.raises(model.Broken):
        office.log.append(b"entry", expected=None)
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    try:
        asyncio.run(log_office.keep_current(office.log))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [signal.SIGTERM]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    yield from engines.server_or_skip()


def test_a_log_on_postgresql_outlives_its_database(server: postgres.Server, folder: Path) -> None:
    url = server.database("log")
    engine.migrate(url, "transparency", short_lived=False)
    with closing(assemble(folder, IDSERVICE_DATABASE=url)) as parts:
        for number in range(3):
            parts.log.append(trees.entry(number), expected=number)
        server.kill()
        with pytest.raises(ServiceError):
            parts.log.append(b"lost", expected=3)
        server.start()
        receipt = parts.log.append(trees.entry(3), expected=3)
        assert receipt.checkpoint.checkpoint.head.root == trees.head(4).root
