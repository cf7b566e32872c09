"""`idservice enrol --format jwp+bbs`: what it hands over, and what the slip says of it."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import typer
from click.testing import Result
from typer.testing import CliRunner

from idservice import catalogue
from idservice.apps import city_folder
from idservice.cli import enrol, init
from idservice.verification import trust
from tests.fakes import pdf_text, registered

RECORD = {"resident": True, "given_name": "Rosa", "birth_date": "1985-02-03"}
BASE = "http://127.0.0.1:8080"

app = typer.Typer()
enrol.register(app)


def run(*arguments: object, given: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=given)


def found(folder: Path) -> Path:
    options = ("--name", "Exampleville", "--issuer", BASE, "--demonstration")
    answer = CliRunner().invoke(init.app, ["city", str(folder), *options])
    assert answer.exit_code == 0, answer.output
    return folder / "issuer"


def written(folder: Path) -> Path:
    path = folder / "record.json"
    path.write_text(json.dumps(RECORD))
    return path


def test_bbs_enrolment_says_how_late_its_withdrawal_acts(tmp_path: Path) -> None:
    paper = tmp_path / "sheet.pdf"
    issuer, record = found(tmp_path / "city"), written(tmp_path)
    enrolling = ("--folder", issuer, "--from", record, "--format", "jwp+bbs")
    answer = run(*enrolling, "--json")
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.output)
    (offered,) = parse_qs(urlsplit(told["offer"]).query)["credential_offer"]
    assert json.loads(offered)["credential_configuration_ids"] == [catalogue.BBS_CONFIGURATION]
    assert f"%2F{catalogue.BBS_CONFIGURATION}%2F" in told["offer_by_reference"]
    shown = run(*enrolling, "--sheet", paper)
    assert shown.exit_code == 0, shown.output
    assert "32 days" in shown.output
    assert "signed every night" not in shown.output
    assert all(len(line) <= 80 for line in shown.output.splitlines() if "://" not in line)
    assert "32 days" in " ".join(pdf_text.pages(paper.read_bytes()))


def test_bbs_enrolment_without_an_announced_key_is_refused(tmp_path: Path) -> None:
    city = tmp_path / "city"
    found(city)
    plain = city_folder.current_bundle(city).announced
    registered.rewrite(city, announced=[trust.announce(each) for each in plain], version=2)
    told = ("--folder", city / "issuer", "--from", written(tmp_path))
    answer = run(*told, "--format", "jwp+bbs")
    assert answer.exit_code == 1
    assert "idservice init announce" in answer.output
    assert run(*told).exit_code == 0


def test_bbs_is_for_enrolling_only(tmp_path: Path) -> None:
    answer = run(
        "--print", written(tmp_path), "--out", tmp_path / "card.pdf", "--format", "jwp+bbs"
    )
    assert answer.exit_code == 2


def test_interview_enrols_for_the_format_too(tmp_path: Path) -> None:
    issuer = found(tmp_path / "city")
    answer = run("--folder", issuer, "--format", "jwp+bbs", given="y\n\n\n\ny" + "\n" * 8)
    assert answer.exit_code == 0, answer.output
    assert catalogue.BBS_CONFIGURATION in answer.output
    assert "32 days" in answer.output
