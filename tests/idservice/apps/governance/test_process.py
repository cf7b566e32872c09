"""The register's process: the bundle that it holds complaints against, and its log as a port."""

import json
from pathlib import Path

import pytest

from crypto.encoding import canonical_json
from crypto.errors import Refused
from crypto.instant import UnixSeconds
from idservice.apps.governance import process
from idservice.apps.governance import settings as folder_settings
from idservice.apps.governance.book import Book
from idservice.apps.governance.process import CityFolder
from idservice.apps.settings import UnusableSettings
from idservice.clock import SystemClock
from idservice.errors import ServiceError
from idservice.governance import ports
from idservice.register import entry
from idservice.transparency import model
from tests.fakes import city as cities
from tests.fakes import log_office, notaries, register_folder, registers, trees
from tests.fakes.log_office import MovedClock


def test_a_bundle_is_believed_by_its_register_alone(tmp_path: Path) -> None:
    made = cities.make()
    city = registers.of_city(made)
    path = tmp_path / "bundle.json"
    folder = CityFolder(path, pin=entry.entry_digest(city.entries[0]), clock=MovedClock(made.now))
    assert folder.trust() is None
    path.write_bytes(registers.bundled(made, city))
    found = folder.trust()
    assert found is not None
    assert found.version == made.trust.version
    assert folder.trust() is found
    signed_alone = canonical_json.parse_object(registers.bundled(made, city))
    del signed_alone["register"]
    for octets in (canonical_json.serialize(signed_alone), made.bundle, b"none"):
        path.write_bytes(octets)
        assert folder.trust() is None


def test_the_log_is_a_book_of_the_register() -> None:
    office = log_office.witnessed("north", threshold=1)
    book = Book(office.log)
    assert book.append(trees.entry(0), expected=0).checkpoint.head == book.head(1) == trees.head(1)
    assert (book.size(), list(book.entries(0, 9)), book.prove(0)) == (1, [trees.entry(0)], [])
    with pytest.raises(ports.Overtaken):
        book.append(b"late", expected=0)
    for size in (2, -1):
        with pytest.raises(Refused):
            book.head(size)
    office.witnesses["north"].away = True
    with pytest.raises(ports.Waiting):
        book.append(b"waits", expected=1)
    with pytest.raises(ServiceError):
        book.append(b"x" * (model.LONGEST_ENTRY + 1), expected=2)
    assert UnixSeconds(book.size()) == 2


def test_a_witness_that_no_charter_names_is_not_asked(tmp_path: Path) -> None:
    made = register_folder.make(tmp_path / "city")
    told = folder_settings.read(made.path, environ={})
    process.assemble(told, clock=SystemClock(), random_bytes=cities.chance("register")).close()
    file = made.path / "log" / "log.json"
    log = json.loads(file.read_bytes())
    stranger = notaries.witness_key("stranger.example/witness").text
    log["witnesses"].append({"key": stranger, "address": "https://stranger.example"})
    file.write_text(json.dumps(log))
    told = folder_settings.read(made.path, environ={})
    with pytest.raises(UnusableSettings, match="charter does not"):
        process.assemble(told, clock=SystemClock(), random_bytes=cities.chance("register"))
