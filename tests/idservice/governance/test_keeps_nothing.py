"""What is handed in at the register leaves nothing behind that may not be there: files are read."""

from pathlib import Path

import pytest

from crypto.encoding.canonical_json import JsonObject
from idservice.apps.governance import process, settings
from idservice.auditor import comparison, inventory
from idservice.auditor import folder as folders
from idservice.auditor.model import Kind, Trouble
from idservice.complaints import over_asking
from idservice.governance.model import Digest
from idservice.register.entry import RemovalReason
from tests.fakes import city as cities
from tests.fakes import enact_victim, register_folder, registers
from tests.fakes import over_asking as requests
from tests.fakes.asgi import Client

CANARY = "Canary lives at Quay 4711"


def scan(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    city = cities.make(now=enact_victim.BEGIN)
    made = register_folder.make(tmp_path / "city").path
    (made / "issuer").mkdir()
    (made / "issuer" / "bundle.json").write_bytes(city.bundle)
    return made


def complaint() -> tuple[bytes, str]:
    city = cities.make(now=enact_victim.BEGIN)
    bar = city.verifiers["bar"]
    request = requests.asking(bar, "age_over_18", "birth_date")
    return over_asking.write(request, known=bar.policy), request


def test_a_complaint_leaves_its_verifier_policy_excess_and_quarter_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, request = complaint()
    # the register in this bundle is another one than the folder's, and would not be believed
    known = cities.make(now=enact_victim.BEGIN).trust
    monkeypatch.setattr(process.CityFolder, "trust", lambda _: known)
    with enact_victim.opened(folder, time=enact_victim.BEGIN) as parts:
        keys = parts.office.complain(file)
        while_open = scan(folder)
    for found in (while_open, scan(folder)):
        assert b"facts: birth_date" in found
        assert requests.NONCE.encode() not in found
        parts_of_it = [request[start : start + 32] for start in range(0, len(request) - 32, 32)]
        assert not [each for each in parts_of_it if each.encode() in found]
    assert {each.quarter[4:6] for each in keys} == {"-Q"}


def test_an_erased_comment_is_in_no_file_of_the_office(folder: Path) -> None:
    with enact_victim.opened(folder, time=enact_victim.BEGIN) as parts:
        number = enact_victim._propose(parts)
        receipt = parts.office.comment(number, CANARY)
        assert CANARY.encode() in scan(folder)
        parts.office.remove(Digest(bytes.fromhex(receipt.digest)), RemovalReason.PERSONAL_DATA)
        while_open = scan(folder)
    for found in (while_open, scan(folder)):
        assert CANARY.encode() not in found
        assert bytes.fromhex(receipt.salt) not in found


def test_nothing_about_who_sends_is_written_or_logged(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = settings.read(folder, environ={})
    clock = enact_victim.MovedClock(enact_victim.BEGIN)
    app = process.create_app(told, clock=clock, random_bytes=cities.chance("register"))
    client = Client(app=app, base_url="http://127.0.0.1:8083")
    headers = {"user-agent": "Canary-Browser/4711", "x-forwarded-for": "203.0.113.47"}
    body: JsonObject = {"type": "idservice-over-asking-v1"}
    for path in ("/", "/proposals", "/v1/register", "/nothing/4711"):
        client.get(path, headers=headers)
    client.post("/v1/complaints", json=body, headers=headers)
    client.post("/v1/proposals/1/comments", json={"text": CANARY}, headers=headers)
    everything = scan(folder) + "".join(capfd.readouterr()).encode()
    for canary in (b"Canary-Browser", b"203.0.113.47", b"Canary lives", b"/nothing/4711"):
        assert canary not in everything


@pytest.mark.threat("T38")
def test_a_registers_folder_and_answers_hold_what_is_listed_only(folder: Path) -> None:
    listed = inventory.load()
    with enact_victim.opened(folder, time=enact_victim.BEGIN) as parts:
        number = enact_victim._propose(parts)
        parts.office.comment(number, CANARY)
        found = {part.place: part for part in folders.parts(folder)}
        told = settings.read(folder, environ={})
    extra = {f"{name}.key" for name in (*registers.BOARD, "desk")} | {"issuer/bundle.json"}
    for place in ("governance", "transparency"):
        files = frozenset(
            name
            for name in found[place].files - extra
            if not name.startswith("witnesses/")  # a demonstration's, listed with its city
        )
        findings = comparison.compare(files, listed, kind=Kind.FILE, places=(place,))
        assert [each for each in findings if each.trouble is Trouble.UNLISTED] == []
    app = process.create_app(
        told, clock=enact_victim.MovedClock(enact_victim.BEGIN), random_bytes=cities.chance("x")
    )
    client = Client(app=app, base_url="http://127.0.0.1:8083")
    heard: set[str] = set()
    for path in ("/", "/style.css", "/v1/register", "/nothing", "/log/checkpoint", "/feed.atom"):
        heard |= set(client.get(path).headers)
    for path in ("/v1/answers", "/v1/complaints", f"/proposals/{number}/comments"):
        heard |= set(client.post(path, data={"text": "Why?"}).headers)
    findings = comparison.compare(heard, listed, kind=Kind.HEADER, places=("http",))
    assert [each for each in findings if each.trouble is Trouble.UNLISTED] == []
