"""`idservice verify`: yes, no and misuse, from files alone."""

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from idservice import clock
from idservice.cli import verify as command
from idservice.errors import Refusal
from idservice.verification import trust
from tests.fakes import bbs_city, showing
from tests.fakes import city as cities
from tests.fakes.city import FakeCity

app = typer.Typer()
command.register(app)
app.command("other")(lambda: None)  # a second command, so that the first keeps its name


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return cities.make(now=clock.SystemClock().now(), demonstration=True)


@pytest.fixture
def folder(city: FakeCity, tmp_path: Path) -> Path:
    (tmp_path / "bundle.json").write_bytes(city.bundle)
    (tmp_path / "list.jwt").write_text(city.status_token(iat=city.now - 7200) + "\n")
    (tmp_path / "shown.txt").write_text(showing.show(city, "resident", "given_name") + "\n")
    return tmp_path


def call(
    city: FakeCity, folder: Path, *more: str, shown: str = "shown.txt", stdin: str = ""
) -> Result:
    options = {
        "--bundle": str(folder / "bundle.json"),
        "--root": trust.fingerprint_text(city.trust.root_fingerprint),
        "--policy": "library-card",
        "--audience": "x509_san_dns:library.example",
        "--nonce": showing.NONCE,
        "--status": str(folder / "list.jwt"),
    }
    rest = list(more)
    while rest and rest[0] in options:
        name = rest.pop(0)
        options[name] = rest.pop(0)
    words = [word for pair in options.items() if pair[1] for word in pair]
    path = shown if shown == "-" else str(folder / shown)
    result: Result = CliRunner().invoke(app, ["verify", *words, *rest, path], input=stdin)
    return result


def test_an_accepted_presentation_is_told_in_words_and_exits_with_0(
    city: FakeCity, folder: Path
) -> None:
    result = call(city, folder)
    assert result.exit_code == 0, result.output
    assert "resident: yes" in result.output
    assert "given_name: Ada" in result.output
    assert "Status list of 2 h ago" in result.output


def test_json_is_the_answer_of_the_http_interface(city: FakeCity, folder: Path) -> None:
    answer = json.loads(call(city, folder, "--json").output)
    assert answer["status_age_s"] >= 7200
    del answer["status_age_s"]
    assert answer == {
        "result": "accepted",
        "policy": "library-card",
        "facts": {"resident": True, "given_name": "Ada"},
    }


def test_standard_input_is_read_for_a_dash(city: FakeCity, folder: Path) -> None:
    shown = (folder / "shown.txt").read_text()
    assert call(city, folder, shown="-", stdin=shown).exit_code == 0


@pytest.mark.parametrize("as_json", [True, False])
def test_a_no_exits_with_1_and_says_why(city: FakeCity, folder: Path, *, as_json: bool) -> None:
    more = ["--json"] if as_json else []
    result = call(city, folder, "--nonce", "another", *more)
    assert result.exit_code == 1
    if as_json:
        assert json.loads(result.output) == {"result": "refused", "code": "wrong_nonce"}
    else:
        assert result.output == "Refused (wrong_nonce). It answers another question.\n"


def test_a_malformed_presentation_is_a_no(city: FakeCity, folder: Path) -> None:
    (folder / "shown.txt").write_bytes(b"\xff\x00 nothing")
    assert call(city, folder, "--json").exit_code == 1
    (folder / "shown.txt").write_bytes(b"x" * 200_000)
    assert call(city, folder, "--json").exit_code == 1


def test_without_a_list_the_status_is_unavailable(city: FakeCity, folder: Path) -> None:
    result = call(city, folder, "--status", "", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["code"] == "status_unavailable"


def test_withdrawn_is_said(city: FakeCity, folder: Path) -> None:
    (folder / "list.jwt").write_text(city.status_token([showing.INDEX], iat=city.now - 100))
    result = call(city, folder)
    assert result.exit_code == 1
    assert "withdrawn" in result.output


@pytest.mark.parametrize(
    "more",
    [
        ("--bundle", "no such file"),
        ("--root", "00" * 32),
        ("--root", "not hexadecimal"),
        ("--policy", "no-such-policy"),
        ("--audience", "x509_san_dns:bar.example"),
        ("--nonce", ""),
        ("--status", "no such file"),
        ("--unknown", "option"),
    ],
)
def test_misuse_exits_with_2(city: FakeCity, folder: Path, more: tuple[str, str]) -> None:
    assert call(city, folder, *more).exit_code == 2


def test_what_is_wrong_is_named(city: FakeCity, folder: Path) -> None:
    assert "--root is no fingerprint" in call(city, folder, "--root", "3f1a").stderr
    assert "--charter is no fingerprint" in call(city, folder, "--charter", "3f1a").stderr
    seen = folder / "seen.json"
    seen.write_text("{}")
    assert f"{seen} is not what --seen has kept" in call(city, folder, "--seen", str(seen)).stderr
    other = call(city, folder, "--root", "00" * 32)
    assert "bundle.json is not a trust bundle of this city" in other.stderr


def test_an_unreadable_presentation_is_misuse(city: FakeCity, folder: Path) -> None:
    assert call(city, folder, shown="missing.txt").exit_code == 2


def test_a_list_of_another_city_is_misuse(city: FakeCity, folder: Path) -> None:
    (folder / "list.jwt").write_bytes(b"\xff")
    assert call(city, folder).exit_code == 2
    (folder / "list.jwt").write_text("a.b.c")
    assert call(city, folder).exit_code == 2


def test_the_clock_moves_in_a_demonstration_only(city: FakeCity, folder: Path) -> None:
    late = call(city, folder, "--json", "--clock-offset", str(400))
    assert json.loads(late.output)["code"] == "holder_binding"
    real = city.sign_bundle({**city.payload, "demonstration": False})
    (folder / "bundle.json").write_bytes(real)
    assert call(city, folder).exit_code == 0
    assert call(city, folder, "--clock-offset", "1").exit_code == 2
    assert "ten years at most" in call(city, folder, "--clock-offset", "-999999999").output


def test_a_policy_that_has_run_out_is_misuse(city: FakeCity, folder: Path) -> None:
    policies = [{**each, "expires": "2020-01-01"} for each in city.payload["policies"]]  # type: ignore[union-attr, dict-item]
    (folder / "bundle.json").write_bytes(city.sign_bundle({**city.payload, "policies": policies}))
    assert call(city, folder).exit_code == 2


def test_what_a_terminal_would_act_on_is_written_out(city: FakeCity, folder: Path) -> None:
    claims = {**cities.RESIDENT, "given_name": "Ada\x1b[2J\u202e"}
    shown = showing.show(city, "resident", "given_name", claims=claims)
    (folder / "shown.txt").write_text(shown)
    output = call(city, folder).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "Ada\\u001b" in output


@pytest.fixture(scope="module")
def traceless() -> FakeCity:
    made = bbs_city.make(library_card={"pseudonym": "member"})
    return made.saying({**made.payload, "demonstration": True})


@pytest.fixture
def shelf(traceless: FakeCity, tmp_path: Path) -> Path:
    (tmp_path / "bundle.json").write_bytes(traceless.bundle)
    (tmp_path / "shown.txt").write_text(bbs_city.show("resident", "given_name") + "\n")
    return tmp_path


def look(city: FakeCity, folder: Path, *more: str) -> Result:
    """Verify without any status list, at the time of the fake city."""
    offset = city.now - clock.SystemClock().now()
    return call(city, folder, "--status", "", *more, "--clock-offset", str(offset))


def test_a_bbs_showing_needs_no_list_and_the_words_say_so(traceless: FakeCity, shelf: Path) -> None:
    result = look(traceless, shelf)
    assert result.exit_code == 0, result.output
    assert "given_name: Ada" in result.output
    assert "This format has no status list" in result.output
    assert json.loads(look(traceless, shelf, "--json").output) == {
        "result": "accepted",
        "policy": "library-card",
        "facts": {"resident": True, "given_name": "Ada"},
        "status_age_s": None,
    }


def test_a_pseudonym_is_told_beside_the_facts(traceless: FakeCity, shelf: Path) -> None:
    shown = bbs_city.show("resident", nym_context=bbs_city.context())
    (shelf / "shown.txt").write_text(shown)
    name = shown.rpartition("~")[2]
    assert f"Known here for this period as {name}." in look(traceless, shelf).output
    answer = json.loads(look(traceless, shelf, "--json").output)
    assert (answer["facts"], answer["pseudonym"]) == ({"resident": True}, name)


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"nonce": "other"}, "wrong_nonce"), ({"policy": "bar-entry"}, "holder_binding")],
)
def test_a_bbs_showing_for_another_question_is_a_no(
    traceless: FakeCity, shelf: Path, asked: dict[str, str], code: str
) -> None:
    (shelf / "shown.txt").write_text(bbs_city.show("resident", **asked))  # type: ignore[arg-type]
    result = look(traceless, shelf, "--json")
    assert (result.exit_code, json.loads(result.output)["code"]) == (1, code)


def test_every_code_has_its_sentence() -> None:
    assert {each.value for each in Refusal} == command._SENTENCES.keys()


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(app, ["verify", "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
