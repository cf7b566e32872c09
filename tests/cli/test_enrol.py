"""`idservice enrol`: a person is enrolled at a desk."""

import contextlib
import json
import os
import pty
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from crypto.sealed import handle
from idservice import catalogue, clock, period
from idservice.apps import city_folder
from idservice.apps.register import publication
from idservice.card import output
from idservice.card.refusal import CannotWrite
from idservice.cli import desk, enrol, init
from idservice.issuer import claims
from idservice.verification import trust
from tests.fakes import pdf_text, portraits

BASE = "http://127.0.0.1:8080"
RECORD: dict[str, Any] = {
    "resident": True,
    "given_name": "Rosa",
    "family_name": "Delgado-Nwosu",
    "birth_date": "1985-02-03",
    "locality": "Exampleville",
    "gender": "X",
    "address": {"care_of": "Post Desk 7", "locality": "Exampleville"},
}
CANARY = "Zz-canary-value-Zz"
THIS_YEAR = period.day(clock.SystemClock().now()).year

WIPED = b"\x1b[3J\x1b[2J\x1b[H"
_BY_ITSELF = (
    "import typer; from idservice.cli import enrol; a = typer.Typer(); enrol.register(a); a()"
)

app = typer.Typer()
enrol.register(app)


def run(*arguments: object, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=given)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return written(tmp_path, RECORD)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = tmp_path_factory.mktemp("enrol") / "city"
    options = ("--name", "Exampleville", "--issuer", BASE, "--demonstration")
    answer = CliRunner().invoke(init.app, ["city", str(city), *options])
    assert answer.exit_code == 0, answer.output
    return city / "issuer"


@pytest.fixture(autouse=True)
def empty_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing may be left in the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    assert list(folder.iterdir()) == []


def written(folder: Path, record: object) -> Path:
    path = folder / "record.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def enrolled(issuer: Path, record: dict[str, Any], *more: object) -> dict[str, str]:
    given = json.dumps(record)
    answer = run("--folder", issuer, "--from", "-", "--json", *more, given=given)
    assert answer.exit_code == 0, answer.output
    told: dict[str, str] = json.loads(answer.stdout)
    return told


def test_enrolment_hands_over_offer_code_slip_and_fingerprint(issuer: Path) -> None:
    told = enrolled(issuer, RECORD)
    assert set(told) == {
        "offer",
        "offer_by_reference",
        "transaction_code",
        "slip",
        "root_fingerprint",
        "charter_fingerprint",
    }
    assert re.fullmatch(r"[0-9]{6}", told["transaction_code"])
    assert len(handle.parse_slip(told["slip"])) == 17
    bundle = city_folder.current_bundle(issuer.parent)
    assert trust.parse_fingerprint(told["root_fingerprint"]) == bundle.root_fingerprint
    in_force = publication.read(issuer.parent, now=clock.SystemClock().now()).in_force
    assert trust.parse_fingerprint(told["charter_fingerprint"]) == in_force.charter_digest
    (offer,) = parse_qs(urlsplit(told["offer"]).query)["credential_offer"]
    assert json.loads(offer)["credential_issuer"] == BASE
    assert enrolled(issuer, RECORD)["slip"] != told["slip"]


def test_nothing_of_the_person_is_readable_in_the_issuer_s_folder(issuer: Path) -> None:
    person = {**RECORD, "given_name": CANARY, "family_name": CANARY, "gender": CANARY}
    told = enrolled(issuer, person)
    files = [path for path in issuer.parent.rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in files)
    for secret in (CANARY, told["slip"], told["slip"].replace("-", ""), "Post Desk"):
        assert secret.encode() not in held
    assert {path.name for path in files if path.suffix == ".db"} == {"lasting.db", "pending.db"}


def test_screen_fits_80_columns_and_has_no_colour_in_a_pipe(issuer: Path) -> None:
    answer = run("--folder", issuer, "--from", "-", given=json.dumps(RECORD))
    assert answer.exit_code == 0
    assert "\x1b" not in answer.output
    lines = answer.output.splitlines()
    too_wide = [line for line in lines if len(line) > 80]
    assert all(line.startswith("openid-credential-offer://") for line in too_wide)
    assert "Rosa" not in answer.output
    numbered = [line for line in lines if re.match(r"[1-4]\. ", line)]
    assert len(numbered) == 4
    (code,) = re.findall(r"^   (\d \d \d \d \d \d)$", answer.output, re.MULTILINE)
    square = next(at for at, line in enumerate(lines) if "█▀▀▀▀▀█" in line)
    assert lines.index("   " + code) > square + 10
    assert any(re.fullmatch(r" {3}([0-9A-Z]{3}-){8}[0-9A-Z]{3}", line) for line in lines)


def test_sheet_has_offer_and_slip_on_pages_apart_and_no_transaction_code(
    issuer: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sheet.pdf"
    told = enrolled(issuer, RECORD, "--sheet", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    offer, slip = pdf_text.pages(path.read_bytes())
    for group in (told["root_fingerprint"] + " " + told["charter_fingerprint"]).split():
        assert group in offer
    for group in told["slip"].split("-"):
        assert group in slip.splitlines()
        assert group not in offer.splitlines()
    assert told["transaction_code"] not in offer + slip
    assert "Rosa" not in offer + slip


def test_sheet_that_exists_stops_before_anybody_is_enrolled(issuer: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.pdf"
    path.write_text("old")
    answer = run("--folder", issuer, "--from", "-", "--sheet", path, given=json.dumps(RECORD))
    assert (answer.exit_code, path.read_text()) == (2, "old")
    assert "offer" not in answer.output


def folder_is_missing(folder: Path) -> Path:
    return folder / "missing" / "sheet.pdf"


def file_is_a_folder(folder: Path) -> Path:
    (folder / "sheet.pdf").mkdir()
    return folder / "sheet.pdf"


def file_is_a_device(folder: Path) -> Path:
    os.mkfifo(folder / "sheet.pdf")
    return folder / "sheet.pdf"


@pytest.mark.parametrize("place", [folder_is_missing, file_is_a_folder, file_is_a_device])
def test_sheet_that_cannot_be_written_stops_before_anybody_is_enrolled(
    issuer: Path, tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    before = len(offers(issuer))
    sheet = place(tmp_path)
    answer = run(
        "--folder", issuer, "--from", "-", "--sheet", sheet, "--force", given=json.dumps(RECORD)
    )
    assert answer.exit_code == 2
    assert len(offers(issuer)) == before


def test_sheet_that_fails_in_the_end_is_said_beside_the_slip(
    issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object, **_named: object) -> None:
        raise CannotWrite("the disk is full")

    monkeypatch.setattr(output, "write", fails)
    sheet = tmp_path / "sheet.pdf"
    answer = run("--folder", issuer, "--from", "-", "--sheet", sheet, given=json.dumps(RECORD))
    assert answer.exit_code == 2
    assert "Enrolled, but the disk is full" in answer.stderr
    assert "4. The slip" in answer.stdout


def test_slip_that_cannot_be_shown_is_said(issuer: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _BY_ITSELF, "--folder", str(issuer), "--from", "-", "--json"],
            input=json.dumps(RECORD).encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"Enrolled, but")
    assert b"Traceback" not in done.stderr


def test_slip_that_a_terminal_cannot_draw_is_said(issuer: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BY_ITSELF, "--folder", str(issuer), "--from", "-"],
        input=json.dumps(RECORD).encode(),
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"Enrolled, but")
    assert b"Traceback" not in done.stderr


def test_offers_that_ended_are_reaped_where_no_office_runs(issuer: Path) -> None:
    enrolled(issuer, RECORD)
    assert offers(issuer)
    enrolled(issuer, RECORD, "--clock-offset", 3600)
    assert len(offers(issuer)) == 1


def offers(issuer: Path) -> list[object]:
    if not (issuer / "pending.db").exists():
        return []
    with contextlib.closing(sqlite3.connect(issuer / "pending.db")) as database:
        return database.execute("SELECT key FROM offers").fetchall()


def test_bundle_that_is_broken_exits_with_2(issuer: Path, tmp_path: Path) -> None:
    broken = tmp_path / "city" / "issuer"
    shutil.copytree(issuer.parent, broken.parent)
    (broken / "bundle.json").write_text("{")
    answer = run("--folder", broken, "--from", "-", given=json.dumps(RECORD))
    assert answer.exit_code == 2
    assert "bundle.json" in answer.output


def test_record_without_birth_date_needs_a_word_about_the_guardian(issuer: Path) -> None:
    undated = {name: value for name, value in RECORD.items() if name != "birth_date"}
    answer = run("--folder", issuer, "--from", "-", given=json.dumps(undated))
    assert answer.exit_code == 1
    assert "guardian" in answer.output
    enrolled(issuer, undated, "--guardian-present")


def test_young_person_needs_a_guardian_who_is_written_nowhere(issuer: Path) -> None:
    young = {**RECORD, "birth_date": f"{THIS_YEAR - 14}-01-01"}
    answer = run("--folder", issuer, "--from", "-", given=json.dumps(young))
    assert answer.exit_code == 1
    assert "guardian" in answer.output
    enrolled(issuer, young, "--guardian-present")
    held = b"".join(path.read_bytes() for path in issuer.rglob("*") if path.is_file())
    assert b"guardian" not in held.lower()


def test_portrait_is_made_small_and_clean_before_it_is_sealed() -> None:
    photo = portraits.jpeg(canary=True, width=2000, height=2600)
    today = period.day(clock.SystemClock().now())
    person = desk.read_person(json.dumps(RECORD).encode(), photo=photo, today=today)
    jpeg = claims.parse_portrait(person.portrait)
    assert len(jpeg) <= catalogue.PORTRAIT_LIMIT < len(photo)
    assert portraits.CANARY not in jpeg


ANSWERS = {
    "Does the person live in": "y",
    "Given names": "Rosa",
    "Family names": "",
    "Birth date": "1985-02-03",
    "City or place": "",
    "Gender": "",
    "care of": "Post Desk 7",
    "street": "",
    "postal code": "",
    "place": "",
}


def interview(issuer: Path, *answers: str) -> Result:
    return run("--folder", issuer, given="".join(f"{answer}\n" for answer in answers))


def test_interview_asks_only_what_is_in_the_catalogue(issuer: Path) -> None:
    answer = interview(issuer, *ANSWERS.values())
    assert answer.exit_code == 0, answer.output
    asked = answer.output.partition("1. The offer")[0]
    for question in ANSWERS:
        assert question in asked
    for never in ("passport", "nationality", "security", "born in", "phone"):
        assert never not in asked.lower()


def test_photo_that_cannot_be_read_is_said_before_anything_is_asked(
    issuer: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"no picture")
    answer = run("--folder", issuer, "--photo", photo, given="")
    assert answer.exit_code == 2
    assert "photo" in answer.output
    assert "live in" not in answer.output


def test_everything_but_residence_may_be_left_out(issuer: Path) -> None:
    assert interview(issuer, "y", "", "", "", "y", "", "", "", "", "", "").exit_code == 0


def test_somebody_who_does_not_live_here_is_refused(issuer: Path) -> None:
    answer = interview(issuer, "n")
    assert answer.exit_code == 1
    assert "residents" in answer.output


def test_interview_asks_for_a_guardian_of_somebody_young(issuer: Path) -> None:
    born = f"{THIS_YEAR - 14}-01-01"
    refused = interview(issuer, "y", "Tomas", "", born, "n")
    assert refused.exit_code == 1
    assert "guardian" in refused.output
    accepted = interview(issuer, "y", "Tomas", "", born, "y", *[""] * 6)
    assert accepted.exit_code == 0, accepted.output


def test_wrong_answer_is_asked_again(issuer: Path) -> None:
    answer = interview(issuer, "y", "Rosa", "", "3.2.1985", "1985-02-03", *[""] * 6)
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("Birth date, YYYY-MM-DD") == 2
    assert "Once more" in answer.output


def on_a_terminal(issuer: Path, answers: bytes) -> tuple[int, bytes]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _BY_ITSELF, "--folder", str(issuer)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        os.write(ours, answers)
        seen = b""
        with contextlib.suppress(OSError):  # the far end is closed: on Linux, an error
            while piece := os.read(ours, 65536):
                seen += piece
    os.close(ours)
    return process.returncode, seen


def test_terminal_is_wiped_however_the_visit_ends(issuer: Path) -> None:
    status, seen = on_a_terminal(issuer, b"y\nRosa\n\x04")
    assert status == 1
    assert b"Rosa" not in seen.rpartition(WIPED)[2]
    assert WIPED in seen


def test_terminal_shows_a_square_in_black_on_white_and_is_wiped_afterwards(issuer: Path) -> None:
    status, seen = on_a_terminal(issuer, b"y\nRosa\n\n1985-02-03\n\n\n\n\n\n\n\n")
    assert status == 0, seen
    assert b"\x1b[30;107m" in seen
    assert b"4. The slip" in seen
    assert seen.endswith(WIPED)


def test_database_that_does_not_answer_is_said(
    issuer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDSERVICE_DATABASE", "postgresql+psycopg://127.0.0.1:1/x")
    answer = run("--folder", issuer, "--from", "-", given=json.dumps(RECORD))
    assert answer.exit_code == 2
    assert "databases" in answer.output
    assert os.environ["IDSERVICE_DATABASE"] not in answer.output
