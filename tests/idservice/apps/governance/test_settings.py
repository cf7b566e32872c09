"""The register's folder: what is refused at its founding and at each start."""

import json
from pathlib import Path

import pytest

from idservice.apps.governance import settings
from idservice.apps.settings import UnusableSettings
from idservice.register import wire
from idservice.register.entry import CharterEntry, Founding
from tests.fakes import enact_victim, register_folder, registers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return register_folder.make(tmp_path / "city").path


def first(folder: Path) -> CharterEntry:
    found = wire.parse((folder / "charter.json").read_bytes())
    assert isinstance(found, CharterEntry)
    return found


def test_what_was_founded_is_read_back(folder: Path) -> None:
    told = settings.read(folder, environ={})
    assert told.charter == (folder / "charter.json").read_bytes()
    assert settings.charter(told).city == "Sampleton"
    assert told.database.endswith("beside.db")
    elsewhere = {"IDSERVICE_PENDING_DATABASE": "sqlite:////elsewhere.db"}
    assert settings.read(folder, environ=elsewhere).database == "sqlite:////elsewhere.db"
    settings.check_offset(told, 60)
    with pytest.raises(UnusableSettings, match="ten years"):
        settings.check_offset(told, 1 << 60)


def found(folder: Path, entry: CharterEntry, base_url: str = "http://127.0.0.1:1") -> bytes:
    return settings.found(folder, first=entry, base_url=base_url, desk_keys=[])


def test_a_register_is_founded_once_on_its_own_log(folder: Path) -> None:
    charter = first(folder)
    with pytest.raises(UnusableSettings):
        found(folder, charter)
    (folder / "register.json").unlink()
    with pytest.raises(UnusableSettings):
        found(folder, charter, "http://register.example")
    with pytest.raises(UnusableSettings):
        found(folder, CharterEntry(charter=registers.board(), founding=()))
    drop = registers.change.Drop(subject="policy:x")
    outliving = Founding(change=drop, in_force_until=charter.charter.sunset)
    with pytest.raises(UnusableSettings):
        found(folder, CharterEntry(charter=charter.charter, founding=(outliving,)))
    found(folder, charter)


def test_a_charter_is_taken_from_a_log_that_has_published_one(folder: Path) -> None:
    with pytest.raises(UnusableSettings):
        settings.logged_first(folder)
    with enact_victim.opened(folder, time=enact_victim.BEGIN):
        pass
    assert settings.logged_first(folder) == first(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"charter": "zz"},
        {"charter": "00"},
        {"desk_keys": ["zz"]},
        {"desk_keys": ["00"]},
        {"base_url": "http://register.example"},
        {"base_url": 7},
        {"more": 1},
    ],
)
def test_settings_that_somebody_changed_are_refused(
    folder: Path, changes: dict[str, object]
) -> None:
    path = folder / "register.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UnusableSettings):
        settings.read(folder, environ={})


@pytest.mark.parametrize("octets", [b"", b'{"type":"comment"}', b"\xff"])
def test_a_charter_that_is_none_is_refused(folder: Path, octets: bytes) -> None:
    (folder / "charter.json").write_bytes(octets)
    with pytest.raises(UnusableSettings):
        settings.charter(settings.read(folder, environ={}))
