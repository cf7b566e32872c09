"""`idservice enrol --print`: a card and nothing else, from the shell."""

import base64
import errno
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from typer.testing import CliRunner

from idservice import clock, period
from idservice.cli import enrol, init
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


def test_card_is_printed_for_its_owner_s_eyes_only(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.pdf"
    before = set(tmp_path.rglob("*"))
    answer = run("--print", record, "--out", out)
    assert answer.exit_code == 0, answer.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert set(tmp_path.rglob("*")) - before == {out}
    assert "Rosa" not in answer.output
    pages = pdf_text.pages(out.read_bytes())
    assert "Rosa" in pages[0]
    assert "Post Desk" not in "".join(pages)


def test_card_goes_to_a_pipe_without_any_file(tmp_path: Path) -> None:
    answer = run("--print", "-", "--out", "-", given=json.dumps(RECORD))
    assert answer.exit_code == 0
    assert answer.stdout_bytes.startswith(b"%PDF-")
    assert "Rosa" in pdf_text.pages(answer.stdout_bytes)[0]
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_closed_output_is_said(record: Path) -> None:
    command = f"import sys; sys.stdout = None; {_BY_ITSELF}"
    done = subprocess.run(
        [sys.executable, "-c", command, "--print", str(record), "--out", "-"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


_BY_ITSELF = (
    "import typer; from idservice.cli import enrol; a = typer.Typer(); enrol.register(a); a()"
)
_WITH_NOTHING_WRITABLE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
import typer
from idservice.cli import enrol
app = typer.Typer()
enrol.register(app)
app()
"""


def test_pipe_to_pipe_works_where_no_octet_can_be_written_to_any_file() -> None:
    given = {**RECORD, "portrait": base64.b64encode(portraits.jpeg()).decode()}
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WITH_NOTHING_WRITABLE, "--print", "-", "--out", "-"],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"%PDF-")


def test_printing_reads_no_database_setting(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDSERVICE_DATABASE", "postgresql+psycopg://nowhere.invalid/x")
    assert run("--print", record, "--out", tmp_path / "card.pdf").exit_code == 0


def test_existing_file_is_left_alone_without_force(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.pdf"
    out.write_text("old")
    out.chmod(0o644)
    answer = run("--print", record, "--out", out)
    assert (answer.exit_code, out.read_text()) == (2, "old")
    assert "exists already" in answer.output
    assert run("--print", record, "--out", out, "--force").exit_code == 0
    assert out.read_bytes().startswith(b"%PDF-")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_old_card_is_there_until_the_new_one_is_whole(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    out = tmp_path / "card.pdf"
    out.write_text("old")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    assert run("--print", record, "--out", out, "--force").exit_code == 2
    assert out.read_text() == "old"
    assert set(tmp_path.iterdir()) == before


def test_link_in_the_place_of_the_card_is_not_followed(record: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    out = tmp_path / "card.pdf"
    out.symlink_to(victim)
    assert run("--print", record, "--out", out).exit_code == 2
    assert run("--print", record, "--out", out, "--force").exit_code == 0
    assert victim.read_text() == "untouched"
    assert not out.is_symlink()


def test_folder_that_is_not_there_is_said_and_exits_with_2(record: Path, tmp_path: Path) -> None:
    answer = run("--print", record, "--out", tmp_path / "missing" / "card.pdf")
    assert answer.exit_code == 2
    assert "cannot be written" in answer.output


def test_photo_file_loses_its_metadata(record: Path, tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.jpg", tmp_path / "card.pdf"
    photo.write_bytes(portraits.jpeg(canary=True, turned=True, width=2000, height=2600))
    assert run("--print", record, "--out", out, "--photo", photo).exit_code == 0
    (embedded,) = set(pdf_text.images(out.read_bytes()))
    assert portraits.CANARY not in embedded
    assert portraits.CANARY not in out.read_bytes()


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_portrait_of_the_record_is_printed(tmp_path: Path, prefix: str) -> None:
    encoded = prefix + base64.b64encode(portraits.jpeg(canary=True)).decode()
    path, out = written(tmp_path, {**RECORD, "portrait": encoded}), tmp_path / "card.pdf"
    assert run("--print", path, "--out", out).exit_code == 0
    (embedded,) = set(pdf_text.images(out.read_bytes()))
    assert portraits.CANARY not in embedded


def test_chosen_fields_only(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.pdf"
    chosen = (
        "--field",
        "given_name",
        "--field",
        "age_over_18",
        "--expires",
        f"{THIS_YEAR + 2}-01-01",
    )
    assert run("--print", record, "--out", out, *chosen, "--city", "Lakemont").exit_code == 0
    text = "".join(pdf_text.pages(out.read_bytes()))
    assert "Rosa" in text
    assert "over 18" in text
    assert "Lakemont" in text
    for hidden in ("Delgado", "1985", "Exampleville", "Gender"):
        assert hidden not in text


@pytest.mark.parametrize("text", ["สมชาย", "王小明", "தமிழ்"], ids=["Thai", "Han", "Tamil"])
def test_script_that_cannot_be_drawn_is_refused_and_no_file_made(
    tmp_path: Path, text: str, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "card.pdf"
    answer = run("--print", written(tmp_path, {**RECORD, "given_name": text}), "--out", out)
    assert answer.exit_code == 1
    assert f"script {request.node.callspec.id} " in answer.output
    assert text not in answer.output
    assert not out.exists()


def test_font_file_adds_its_script(tmp_path: Path) -> None:
    font = tmp_path / "some font.ttf"
    font.write_bytes(one_letter_font("ก"))
    out = tmp_path / "card.pdf"
    path = written(tmp_path, {**RECORD, "given_name": "กกก", "family_name": "Delgado"})
    answer = run("--print", path, "--out", out, "--font", font)
    assert answer.exit_code == 0, answer.output
    assert "กกก" in pdf_text.pages(out.read_bytes())[0].splitlines()
    other = written(tmp_path, {**RECORD, "given_name": "กข"})
    assert run("--print", other, "--out", tmp_path / "b.pdf", "--font", font).exit_code == 1


def one_letter_font(letter: str) -> bytes:
    """Make a font that draws one letter, as a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((50, 700), (550, 700), (550, 0)):
        pen.lineTo(corner)
    pen.closePath()
    empty = TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "letter"])
    builder.setupCharacterMap({ord(letter): "letter"})
    builder.setupGlyf({".notdef": empty, "letter": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "letter": (600, 50)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    names = {"familyName": "One Letter", "styleName": "Regular", "psName": "OneLetter-Regular"}
    builder.setupNameTable({**names, "fullName": "One Letter", "uniqueFontIdentifier": "1"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWeightClass=400)
    builder.setupPost()
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [("font.txt", b""), ("font.ttf", b"no font"), ("font.otf", bytes(100))],
)
def test_what_is_no_font_is_refused(
    record: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    font = tmp_path / name
    font.write_bytes(content)
    answer = run("--print", record, "--out", tmp_path / "card.pdf", "--font", font)
    assert answer.exit_code == 2
    assert "font" in answer.output
    assert not (tmp_path / "card.pdf").exists()


def test_font_that_is_not_there_is_said_and_exits_with_2(record: Path, tmp_path: Path) -> None:
    font, out = tmp_path / "missing.ttf", tmp_path / "card.pdf"
    answer = run("--print", record, "--out", out, "--font", font)
    assert answer.exit_code == 2
    assert "cannot be read" in answer.output


UNREADABLE: dict[str, Any] = {
    "nothing": "",
    "not JSON": CANARY,
    "repeated member": '{"resident": true, "given_name": "a", "given_name": "' + CANARY + '"}',
    "no object": json.dumps([CANARY]),
    "no base64": {**RECORD, "portrait": CANARY + "!"},
    "no picture": {**RECORD, "portrait": base64.b64encode(CANARY.encode()).decode()},
}
REFUSED: dict[str, Any] = {
    "unknown member": {**RECORD, "nationality": CANARY},
    "unknown name": {**RECORD, CANARY: 1},
    "unknown member of the address": {**RECORD, "address": {"flat": CANARY}},
    "no resident": {**RECORD, "resident": False, "given_name": CANARY},
    "not a text": {**RECORD, "given_name": [CANARY]},
    "bidirectional control": {**RECORD, "given_name": f"{CANARY}\u202e"},
    "new line": {**RECORD, "given_name": f"{CANARY}\nx"},
    "no date": {**RECORD, "birth_date": CANARY},
    "too young": {**RECORD, "birth_date": "2999-01-01", "given_name": CANARY},
    "given age": {**RECORD, "age_over_18": True, "given_name": CANARY},
}


@pytest.mark.parametrize("kind", [*UNREADABLE, *REFUSED])
def test_bad_record_is_refused_in_one_sentence_that_repeats_nothing(
    tmp_path: Path, kind: str
) -> None:
    bad = {**UNREADABLE, **REFUSED}[kind]
    given = bad if isinstance(bad, str) else json.dumps(bad)
    out = tmp_path / "card.pdf"
    answer = run("--print", "-", "--out", out, given=given)
    assert answer.exit_code == (2 if kind in UNREADABLE else 1)
    assert not out.exists()
    assert "canary" not in answer.output
    assert answer.output.startswith("Not done: ")
    assert answer.output.count("\n") == 1
    assert not isinstance(answer.exception, Exception)


def test_what_cannot_be_read_is_named(record: Path, tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.jpg", tmp_path / "card.pdf"
    photo.write_bytes(b"no picture")
    assert "the record cannot be read" in run("--print", photo, "--out", out).stderr
    answer = run("--print", record, "--out", out, "--photo", photo)
    assert (answer.exit_code, "photo" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--print", "missing.json", "--out", "card.pdf"),
        ("--print", "RECORD"),
        ("--out", "card.pdf"),
        ("--print", "RECORD", "--out", "card.pdf", "--folder", "x"),
        ("--print", "RECORD", "--out", "card.pdf", "--from", "x"),
        ("--print", "RECORD", "--out", "card.pdf", "--guardian-present"),
        ("--print", "RECORD", "--out", "card.pdf", "--field", "shoe_size"),
        ("--print", "RECORD", "--out", "card.pdf", "--expires", "tomorrow"),
        ("--print", "RECORD", "--out", "card.pdf", "--expires", "2001-01-01"),
        ("--print", "RECORD", "--out", "card.pdf", "--expires", "2999-01-01"),
        ("--print", "RECORD", "--out", "card.pdf", "--photo", "missing.jpg"),
        ("--folder", "missing"),
        ("--folder", "x", "--code"),
    ],
)
def test_misuse_exits_with_2_and_writes_nothing(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(record) if each == "RECORD" else each for each in arguments]
    answer = run(*given)
    assert answer.exit_code == 2, answer.output
    assert not Path("card.pdf").exists()


def test_city_must_be_named_somewhere(tmp_path: Path) -> None:
    path = written(tmp_path, {"resident": True, "given_name": "Rosa"})
    assert run("--print", path, "--out", tmp_path / "a.pdf").exit_code == 2
    assert run("--print", path, "--out", tmp_path / "a.pdf", "--city", "Lakemont").exit_code == 0


def test_code_is_drawn_only_where_asked_for(record: Path, tmp_path: Path) -> None:
    plain, coded = tmp_path / "plain.pdf", tmp_path / "coded.pdf"
    assert run("--print", record, "--out", plain).exit_code == 0
    assert run("--print", record, "--out", coded, "--code").exit_code == 0
    assert "no code" in pdf_text.pages(plain.read_bytes())[1]
    assert "no code" not in pdf_text.pages(coded.read_bytes())[1]
