"""`idservice init`: what it makes, what it says, and when it refuses."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from idservice import catalogue
from idservice.apps import city_folder
from idservice.cli import main
from idservice.period import DAY
from idservice.verification import trust
from tests.fakes.registered import terms_json

BASE = "http://127.0.0.1:8080"
WISH = {
    "id": "library-card",
    "verifier": "City Library",
    "purpose": "library_membership",
    "place": "at the counter",
    "required": ["resident"],
    "optional": ["given_name"],
    "retention": "none",
    "erase": None,
    "notice": {"en": "To give you a card."},
    "expires": "2030-01-01",
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, ["init", *map(str, arguments)])


def found(folder: Path, *more: str, issuer: str = BASE) -> Result:
    return run("city", folder, "--name", "Exampleton", "--issuer", issuer, *more)


def library(folder: Path, *more: str) -> Result:
    given = ("--name", "City Library", "--base-url", "http://127.0.0.1:8081")
    return run("verifier", folder, *given, "--policy", "library-card", *more)


@pytest.fixture
def wish(tmp_path: Path) -> Path:
    (tmp_path / "policy.json").write_text(json.dumps(WISH))
    return tmp_path / "policy.json"


def test_a_city_is_made_and_its_root_fingerprint_said(tmp_path: Path) -> None:
    answer = found(tmp_path / "city", "--demonstration", "--language", "en", "--language", "es")
    assert answer.exit_code == 0, answer.output
    bundle = city_folder.current_bundle(tmp_path / "city")
    assert trust.fingerprint_text(bundle.root_fingerprint) in answer.output
    assert "root/root.key" in answer.output
    assert "idservice init announce" in answer.output
    assert (bundle.demonstration, bundle.languages) == (True, ("en", "es"))
    assert not (tmp_path / "city" / "issuer" / "samples").exists()


def test_the_whole_preparation_in_json(tmp_path: Path, wish: Path) -> None:
    city = json.loads(found(tmp_path / "city", "--sandbox", "--json").output)
    verifier = json.loads(library(tmp_path / "library", "--json").output)
    assert len(verifier["api_key"]) == 43
    admitted = json.loads(
        run(
            "admit",
            tmp_path / "city",
            "--request",
            verifier["request"],
            "--policy",
            wish,
            "--json",
        ).output
    )
    announced = json.loads(run("announce", tmp_path / "city", "--json").output)
    assert [city["bundle_version"], admitted["bundle_version"], announced["bundle_version"]] == [
        1,
        2,
        3,
    ]
    assert city["formats"] == announced["formats"] == ["dc+sd-jwt", "jwp+bbs"]
    assert f"issuer/keys/{catalogue.BBS_CONFIGURATION}-{city['periods'][0]}.key" in city["made"]
    assert admitted["policies"] == ["library-card"]
    assert admitted["client_ids"][0].startswith("x509_hash:")
    assert admitted["not_in_force"] == []
    assert (city["sandbox"], city["demonstration"]) == (True, True)
    for name in ("root_fingerprint", "charter_fingerprint", "log"):
        assert city[name] == admitted[name] == announced[name]
    assert announced["entries"] == admitted["entries"] == city["entries"] + 2
    assert {path.name for path in (tmp_path / "library").iterdir()} == {
        "bundle.json",
        "status",
        "verifier.crt",
        "verifier.csr",
        "verifier.json",
        "verifier.key",
    }


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    assert found(tmp_path / "city").exit_code == 0
    before = (tmp_path / "city" / "root" / "root.key").read_bytes()
    again = found(tmp_path / "city")
    assert again.exit_code == 2
    assert "not empty" in again.output
    assert (tmp_path / "city" / "root" / "root.key").read_bytes() == before


@pytest.mark.parametrize(
    ("issuer", "more"),
    [
        ("http://id.example", ()),
        ("http://192.0.2.1", ()),
        ("https://id.example", ("--with-test-hooks",)),
        ("https://id.example/", ()),
        ("https://id.example", ("--residents", "300000")),
        ("http://[", ()),
        ("https://id.example:99999", ()),
        ("https://\u00e9.example", ()),
        ("https://id.example", ("--name", 21 * "\u00e9")),
    ],
)
def test_a_city_that_may_not_be_is_misuse(
    tmp_path: Path, issuer: str, more: tuple[str, ...]
) -> None:
    answer = found(tmp_path / "city", *more, issuer=issuer)
    assert answer.exit_code == 2
    assert answer.output.startswith("Not done: ")
    assert list(tmp_path.iterdir()) == []


def test_a_city_without_the_samples_that_were_asked_for_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDSERVICE_DATABASE", "postgresql+psycopg://127.0.0.1:1/none")
    answer = found(tmp_path / "city", "--with-test-hooks")
    assert answer.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_as_long_as_a_certificate_holds(tmp_path: Path) -> None:
    assert found(tmp_path / "city", "--name", 20 * "\u00e9").exit_code == 0
    assert library(tmp_path / "library", "--name", 32 * "\u00e9").exit_code == 0
    too_long = library(tmp_path / "other", "--name", 33 * "\u00e9")
    assert too_long.exit_code == 2
    assert "at most 64 octets" in too_long.output


@pytest.mark.parametrize(
    "wished",
    [
        ("--redirect-uri", "http://canary.example/done"),
        ("--redirect-uri", "https://canary.example/done#x"),
        ("--redirect-uri", "https://[canary]/done"),
        ("--redirect-uri", "canary"),
        ("--policy", "Canary card"),
        ("--policy", "../canary"),
        ("--policy", 65 * "a"),
        ("--policy", ""),
    ],
)
def test_what_a_verifier_could_not_start_with_is_refused_before_it_is_made(
    tmp_path: Path, wished: tuple[str, str]
) -> None:
    answer = library(tmp_path / "library", *wished)
    assert answer.exit_code == 2
    assert answer.output.startswith("Not done: a ")
    assert answer.output.count("\n") == 1
    assert "canary" not in answer.output.lower()
    assert list(tmp_path.iterdir()) == []
    good = library(tmp_path / "library", "--redirect-uri", "https://library.example/done")
    assert good.exit_code == 0


def test_samples_are_made_with_the_city_and_with_each_announcement(tmp_path: Path) -> None:
    assert found(tmp_path / "city", "--with-test-hooks").exit_code == 0
    where = tmp_path / "city" / "issuer" / "samples"
    before = (where / "valid.txt").read_text()
    assert run("announce", tmp_path / "city").exit_code == 0
    assert (where / "valid.txt").read_text() != before


def test_after_the_sunset_there_is_nothing_to_announce(tmp_path: Path) -> None:
    assert found(tmp_path / "city").exit_code == 0
    answer = run("announce", tmp_path / "city", "--clock-offset", 6 * 366 * DAY)
    assert answer.exit_code == 0
    assert "Nothing can be issued" in answer.output


def test_a_policy_that_may_not_be_is_misuse_and_changes_nothing(tmp_path: Path, wish: Path) -> None:
    assert found(tmp_path / "city").exit_code == 0
    assert library(tmp_path / "library").exit_code == 0
    wish.write_text(json.dumps({**WISH, "purpose": "hiring"}))
    request = tmp_path / "library" / "verifier.csr"
    answer = run("admit", tmp_path / "city", "--request", request, "--policy", wish)
    assert answer.exit_code == 2
    assert "a barred purpose: hiring" in answer.output
    assert city_folder.current_bundle(tmp_path / "city").version == 1


def test_certificate_and_bundle_go_where_they_are_wanted(tmp_path: Path, wish: Path) -> None:
    assert found(tmp_path / "city", "--sandbox").exit_code == 0
    assert library(tmp_path / "library").exit_code == 0
    (tmp_path / "post").mkdir()
    request = tmp_path / "library" / "verifier.csr"
    arguments = ("--request", request, "--policy", wish, "--out", tmp_path / "post")
    assert run("admit", tmp_path / "city", *arguments).exit_code == 0
    assert {each.name for each in (tmp_path / "post").iterdir()} == {"verifier.crt", "bundle.json"}
    assert not (tmp_path / "library" / "verifier.crt").exists()
    assert run("admit", tmp_path / "city", *arguments).exit_code == 0
    wish.write_text(json.dumps({**WISH, "place": "in the basement"}))
    assert run("admit", tmp_path / "city", *arguments).exit_code == 2
    assert run("admit", tmp_path / "city", *arguments, "--replace").exit_code == 0


def test_a_policy_that_nobody_has_decided_on_is_a_no(tmp_path: Path, wish: Path) -> None:
    assert found(tmp_path / "city").exit_code == 0
    assert library(tmp_path / "library").exit_code == 0
    request = tmp_path / "library" / "verifier.csr"
    answer = run("admit", tmp_path / "city", "--request", request, "--policy", wish)
    assert answer.exit_code == 1
    proposal = tmp_path / "library" / "library-card.change.json"
    assert f"idservice register propose {proposal}" in " ".join(answer.output.split())
    assert json.loads(proposal.read_bytes())["kind"] == "policy"
    assert city_folder.current_bundle(tmp_path / "city").policies == {}


def test_a_city_with_a_charter_says_what_its_witnesses_need(tmp_path: Path) -> None:
    charter = tmp_path / "charter.json"
    charter.write_text(json.dumps(terms_json("http://127.0.0.1:1")))
    answer = found(tmp_path / "city", "--charter", str(charter), "--json")
    assert answer.exit_code == 1, answer.output
    told = json.loads(answer.output)
    assert told["published"] is False
    assert told["log"].startswith("127.0.0.1:8080/register+")
    assert not [name for name in told["made"] if name.startswith(("board/", "witnesses/"))]
    assert "log/log.key" in told["made"]
    again = run("announce", tmp_path / "city")
    assert again.exit_code == 2
    assert "witnesses" in again.output
    month = str(28 * 86_400)
    moved = run("announce", tmp_path / "city", "--clock-offset", month)
    assert moved.exit_code == 2
    assert "demonstration" in moved.output
    text = found(tmp_path / "text", "--charter", str(charter))
    assert "charter's witnesses" in text.output


def test_a_charter_says_itself_whether_it_is_a_sandbox(tmp_path: Path) -> None:
    charter = tmp_path / "charter.json"
    charter.write_text("{}")
    both = found(tmp_path / "city", "--charter", str(charter), "--sandbox")
    assert both.exit_code == 2
    empty = found(tmp_path / "city", "--charter", str(charter))
    assert empty.exit_code == 2
    assert "charter's file is refused" in empty.output
    assert not (tmp_path / "city").exists()


def test_the_clock_is_moved_in_demonstrations_only(tmp_path: Path) -> None:
    month = str(28 * 86_400)
    assert found(tmp_path / "real").exit_code == 0
    told = (tmp_path / "real" / "city.json").read_text().replace("true", "false", 1)
    (tmp_path / "real" / "city.json").write_text(told)
    assert run("announce", tmp_path / "real", "--clock-offset", month).exit_code == 2
    first = json.loads(found(tmp_path / "demo", "--demonstration", "--json").output)
    moved = run("announce", tmp_path / "demo", "--clock-offset", month, "--json")
    assert moved.exit_code == 0
    assert json.loads(moved.output)["periods"][-1] == first["periods"][-1] + 1
    for years in (11, -11, 10**12):
        far = run("announce", tmp_path / "demo", "--clock-offset", years * 365 * 86_400)
        assert far.exit_code == 2
        assert "ten years at most" in far.output


@pytest.mark.parametrize("command", ["city", "verifier", "admit", "announce"])
def test_every_command_has_an_example(command: str) -> None:
    answer = run(command, "--help")
    assert answer.exit_code == 0
    assert f"idservice init {command}" in " ".join(answer.output.split())


@pytest.mark.parametrize(
    "arguments", [("announce", "nowhere"), ("admit", "nowhere", "--request", "x", "--policy", "y")]
)
def test_a_folder_that_is_no_city_is_misuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments).exit_code == 2
