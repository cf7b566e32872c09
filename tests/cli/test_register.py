"""`idservice register`: a change from its proposal to its enactment, by commands over sockets."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from cryptography import x509
from typer.testing import CliRunner

from crypto.encoding import base64url
from crypto.log import ed25519
from crypto.x509 import x5c
from idservice.apps import city_folder, key_files
from idservice.cli import board, register, serve
from idservice.complaints import over_asking
from idservice.demonstration import stage, town
from idservice.demonstration.town import Town
from idservice.governance import plain_words
from idservice.verification import policy
from tests.fakes import notaries, register_folder, registers
from tests.fakes import over_asking as requests
from tests.fakes.city_verifiers import FakeVerifier
from tests.fakes.register_folder import Folder

LATER = registers.NOTICE + 3600
PATIENCE = 60
NOW = register_folder.NOW


@contextmanager
def served(folder: Folder, *, offset: int = 0) -> Iterator[str]:
    """Serve the register on a socket that listens already; end it by its own number."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        arguments = ["serve", "register", "--folder", str(folder.path), "--fd", str(number)]
        started = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from idservice.cli.main import app; app()",
                *arguments,
                "--clock-offset",
                str(offset),
            ],
            pass_fds=[number],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            _wait(address, offset)
            yield address
        finally:
            started.terminate()
            assert started.wait(20) == 0


def _wait(address: str, offset: int) -> None:
    """Wait until the log was cosigned at this process's time."""
    wanted = NOW + offset - 1800
    for _ in range(PATIENCE):
        log = httpx.get(f"{address}/v1/register", timeout=PATIENCE).json()["log"]
        if log["witnessed"] and datetime.fromisoformat(log["witnessed"]).timestamp() > wanted:
            return
    raise AssertionError("nothing was cosigned")


def run(*arguments: object, stdin: str = "") -> Result:
    return CliRunner().invoke(register.app, [str(each) for each in arguments], input=stdin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = register_folder.make(tmp_path_factory.mktemp("register") / "city")
    told = registers.policy_json("library-card")
    change = made.path / "change.json"
    change.write_text(json.dumps({"kind": "policy", "policy": told}))
    (made.path / "impact.txt").write_text("Nobody needs a card for this.")
    (made.path / "comment.txt").write_text("Why does a library ask at all?")
    (made.path / "answer.txt").write_text("Because borrowing is for residents.")
    (made.path / "minutes.txt").write_text("The hall was full.")
    return made


def where(folder: Folder, address: str, *, offset: int = 0) -> list[object]:
    told: list[object] = ["--register", address, "--charter", folder.pin.hex()]
    return [*told, "--clock-offset", offset] if offset else told


def signing(folder: Folder, seat: str) -> list[object]:
    return ["--seat", seat, "--key", folder.key(seat)]


def done(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, (result.stdout, result.stderr)
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def proposed(folder: Folder) -> int:
    """Propose, comment and answer, while the notice begins."""
    change, impact = folder.path / "change.json", folder.path / "impact.txt"
    told = ["propose", change, "--impact", impact, *signing(folder, "council-1")]
    with served(folder) as address:
        here = where(folder, address)
        refused = run(*told, *here)
        assert (refused.exit_code, "say --yes, or --words to approve" in refused.stderr) == (
            2,
            True,
        )
        number = done(*told, *here, "--yes")["number"]
        assert number == 1
        assert run(*told, *here, "--yes").exit_code == 0  # the very same again is the same act
        at = ["--register", address]
        said = run("comment", number, folder.path / "comment.txt", *at)
        assert (said.exit_code, "keep this" in said.stdout) == (0, True)
        desk = ["--desk-key", folder.path / "desk.key"]
        assert done("answer", number, folder.path / "answer.txt", *desk, *at)["witnessed"]
        early = run("approve", number, *signing(folder, "council-1"), *here, "--yes")
        assert (early.exit_code, "Its notice lasts until" in early.stderr) == (1, True)
        enacted = run("enact", number, *here)
        assert (enacted.exit_code, "Nobody has voted yet" in enacted.stderr) == (1, True)
        assert isinstance(number, int)
        return number


@pytest.fixture(scope="module")
def later(folder: Folder, proposed: int) -> Iterator[tuple[str, int]]:
    """Serve the same folder when the notice is over."""
    with served(folder, offset=LATER) as address:
        yield address, proposed


def test_a_board_votes_on_its_own_devices_and_enacts(
    folder: Folder, later: tuple[str, int]
) -> None:
    address, number = later
    here = where(folder, address, offset=LATER)
    hearing = ["--hearing", "2027-02-01", "--minutes", folder.path / "minutes.txt"]
    words = str(httpx.get(f"{address}/v1/proposals/{number}").json()["words"])
    for seat in registers.ENOUGH:
        told = ["approve", number, *signing(folder, seat), *here, *hearing]
        voted = run(*told, "--words", words.upper())
        assert voted.exit_code == 0, voted.stderr
        for shown in ("Sampleton Library", "library membership", "Comments that were made: 1"):
            assert shown in voted.output
        assert f"In six words: {words}" in voted.output
    logged = done("enact", number, *here)
    assert done("enact", number, *here) == logged
    shown = done("show", *here)
    assert shown["demonstration"] is True
    in_force = shown["in_force"]
    assert isinstance(in_force, list)
    assert [each["subject"] for each in in_force] == ["policy:library-card"]
    text = run("show", *here).stdout
    assert "A demonstration" in text
    assert "Must be shown: that you live in the city" in text
    told = run("history", *here).stdout
    for said in ("The charter", "council-1 proposes", "community-1 votes yes", "is enacted"):
        assert said in told
    events = done("history", *here)["entries"]
    assert isinstance(events, list)
    assert [each["refused"] for each in events] == [None] * len(events)


@pytest.mark.attack("GOV-017")
def test_other_words_than_those_read_out_are_not_signed(
    folder: Folder, later: tuple[str, int]
) -> None:
    address, number = later
    here = where(folder, address, offset=LATER)
    size = httpx.get(f"{address}/v1/register").json()["log"]["size"]
    told = ["approve", number, *signing(folder, "community-2"), *here]
    wrong = run(*told, "--words", "lusab babad gutih tugad lusab babad")
    assert wrong.exit_code == 1
    assert "not the six words" in wrong.stderr
    assert httpx.get(f"{address}/v1/register").json()["log"]["size"] == size


def test_what_is_not_the_pinned_register_is_not_believed(
    folder: Folder, later: tuple[str, int], tmp_path: Path
) -> None:
    address, number = later
    here = where(folder, address, offset=LATER)
    other = [*here[:3], "00" * 32, *here[4:]]
    refused = run("show", *other)
    assert (refused.exit_code, "another charter" in refused.stderr) == (1, True)
    seen = tmp_path / "seen"
    assert run("show", *here, "--seen", seen).exit_code == 0
    assert run("show", *here, "--seen", seen).exit_code == 0
    forked = notaries.cosigned(notaries.signed(registers.leaves([b"x"]).head(1)))
    seen.write_bytes(forked.note.octets())
    assert run("show", *here, "--seen", seen).exit_code == 1
    seen.write_bytes(b"no checkpoint")
    assert run("show", *here, "--seen", seen).exit_code == 2
    stale = run("show", *here[:4])
    assert (stale.exit_code, stale.stderr != "") in {(0, False), (1, True)}
    assert run("approve", 99, *signing(folder, "council-1"), *here, "--yes").exit_code == 1
    assert run("enact", 99, *here).exit_code == 1
    assert number == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--register", "http://127.0.0.1:1", "--charter", "00" * 32],
        ["show", "--register", "http://elsewhere.example", "--charter", "00" * 32],
        ["show", "--register", "http://127.0.0.1:1", "--charter", "00"],
        ["show", "--register", "http://127.0.0.1:1", "--charter", "zz"],
        ["comment", "1", "nowhere.txt", "--register", "http://127.0.0.1:1"],
        ["comment", "1", "nowhere.txt", "--register", "http://elsewhere.example"],
        ["key", "/nowhere/seat.key"],
        ["remove", "00", "--reason", "spam", "--desk-key", "x", "--register", "http://127.0.0.1:1"],
        ["complaint", "verify", "nowhere.json", "--bundle", "nowhere.json"],
        ["nothing"],
    ],
)
def test_misuse_ends_with_two(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_with_json_a_no_is_an_object_too(tmp_path: Path) -> None:
    nowhere = ["--register", "http://127.0.0.1:1", "--charter", "00" * 32]
    answered = run("show", *nowhere, "--json")
    assert answered.exit_code == 2
    assert json.loads(answered.stdout)["result"] == "no"
    for name, content in (("x.txt", b"\xff"), ("long.txt", b"x" * (1 << 21)), ("e.txt", b"")):
        (tmp_path / name).write_bytes(content)
    at = ["--register", "http://127.0.0.1:1"]
    assert run("comment", 1, tmp_path / "x.txt", *at).exit_code == 2
    assert run("comment", 1, tmp_path / "long.txt", *at).exit_code == 2
    told = ["remove", "00" * 32, "--reason", "spam", "--desk-key", tmp_path / "e.txt"]
    assert run(*told, *at).exit_code == 2
    assert run("comment", 1, "-", *at, stdin="Why?").exit_code == 2


@pytest.mark.parametrize("act", ["comment", "answer", "remove"])
def test_nothing_is_sent_for_others_to_read(tmp_path: Path, act: str) -> None:
    file = tmp_path / "desk.key"
    file.write_text("secret\n")
    told = {
        "comment": ["1", file],
        "answer": ["1", file, "--desk-key", file],
        "remove": ["00" * 32, "--reason", "spam", "--desk-key", file],
    }
    refused = run(act, *told[act], "--register", "http://192.0.2.1:1")
    assert (refused.exit_code, "https" in refused.stderr) == (2, True)


def test_a_text_is_read_as_any_editor_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "windows.txt"
    file.write_bytes(b"\xef\xbb\xbfWhy?\r\n\tBecause.\r\n")
    assert board.read_text(file) == "Why?\n        Because.\n"


def test_a_register_that_is_not_made_leaves_no_desk_key(folder: Folder, tmp_path: Path) -> None:
    desk = ["--address", "https://register.example", "--desk-key"]
    refused = run("create", folder.path, *desk, tmp_path / "desk.key")
    assert (refused.exit_code, "exists already" in refused.stderr) == (2, True)
    assert not (tmp_path / "desk.key").exists()
    before = (folder.path / "desk.key").read_bytes()
    assert run("create", folder.path, *desk, folder.path / "desk.key").exit_code == 2
    assert (folder.path / "desk.key").read_bytes() == before


def test_a_file_that_is_no_change_or_no_day_is_misuse(
    folder: Folder, later: tuple[str, int], tmp_path: Path
) -> None:
    address, number = later
    here = [*where(folder, address, offset=LATER), *signing(folder, "council-1"), "--yes"]
    (tmp_path / "change.json").write_text('{"kind": "nothing"}')
    impact = ["--impact", folder.path / "impact.txt"]
    wrong = run("propose", tmp_path / "change.json", *impact, *here)
    assert (wrong.exit_code, "change.json is no change" in wrong.stderr) == (2, True)
    change = folder.path / "change.json"
    assert run("propose", change, *impact, *here, "--enact-by", "soon").exit_code == 2
    assert run("approve", number, *here, "--hearing", "soon").exit_code == 2


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = done("key", tmp_path / "seat.key")
    assert (tmp_path / "seat.key").stat().st_mode & 0o777 == 0o600
    assert len(base64url.decode(str(made["public_key"]))) == ed25519.KEY_LENGTH
    assert run("key", tmp_path / "seat.key").exit_code == 2


def test_a_key_that_others_can_read_signs_nothing(
    folder: Folder, later: tuple[str, int], tmp_path: Path
) -> None:
    address, number = later
    open_ = tmp_path / "open.key"
    open_.write_bytes(folder.key("council-2").read_bytes())
    open_.chmod(0o644)
    here = where(folder, address, offset=LATER)
    told = run("approve", number, "--seat", "council-2", "--key", open_, *here, "--yes")
    assert (told.exit_code, "0600" in told.stderr) == (2, True)


def test_the_desk_erases_a_text_and_strangers_do_not(
    folder: Folder, later: tuple[str, int], tmp_path: Path
) -> None:
    address, number = later
    found = httpx.get(f"{address}/v1/proposals/{number}").json()["comments"][0]
    wrong = tmp_path / "wrong.key"
    wrong.write_text("guess\n")
    told = ["remove", found["digest"], "--reason", "author", "--register", address]
    assert run(*told, "--desk-key", wrong).exit_code == 1
    assert run(*told, "--desk-key", folder.path / "desk.key").exit_code == 0
    shown = httpx.get(f"{address}/v1/proposals/{number}").json()["comments"][0]
    assert (shown["text"], shown["removed"]) == (None, "author")


def test_only_the_proposer_withdraws(folder: Folder, later: tuple[str, int]) -> None:
    address, _ = later
    here = where(folder, address, offset=LATER)
    drop = folder.path / "drop.json"
    drop.write_text(json.dumps({"kind": "suspend_issuing"}))
    impact = ["--impact", folder.path / "impact.txt"]
    told = ["propose", drop, *impact, *signing(folder, "community-1"), *here, "--yes"]
    assert run(*told).exit_code == 2  # it says no day on which it ends
    number = done(*told, "--until", "2027-12-31")["number"]
    back = ["withdraw", number, "--reason", "error", *here]
    assert run(*back, *signing(folder, "council-1"), "--yes").exit_code == 1
    assert run(*back, *signing(folder, "community-1"), "--yes").exit_code == 0


def asking_verifier(found: Town, name: str) -> FakeVerifier:
    """Read a verifier of a town as one that can be made to ask too much."""
    counter = found.counters[name]
    loaded = x509.load_pem_x509_certificate((counter.folder / "verifier.crt").read_bytes())
    return FakeVerifier(
        name=name,
        dns_name="localhost",
        key=key_files.read_p256(counter.folder / "verifier.key"),
        x5c=x5c.encode([loaded]),
        hash_client_id=counter.client_id,
        dns_client_id=counter.client_id,
        policy=city_folder.current_bundle(found.city).policies[counter.policy],
    )


def test_a_complaint_is_verified_offline_and_taken_by_the_box(tmp_path: Path) -> None:
    with stage.opened(tmp_path) as opened:
        found = town.found(opened, verifiers=("bar",))
        address = opened.reserve("register")
        desk = ("--desk-key", str(tmp_path / "desk.key"))
        opened.command("register", "create", str(found.city), "--address", address, *desk)
        opened.start("register", "register", found.city)
        bar, file = asking_verifier(found, "bar"), tmp_path / "complaint.json"
        over = requests.asking(bar, "age_over_18", "birth_date")
        file.write_bytes(over_asking.write(over, known=bar.policy))
        told = ["complaint", "verify", file, "--bundle", found.bundle]
        proved = done(*told)
        assert (proved["verifier"], proved["policy"]) == ("The Blue Door", "bar-age-18")
        assert "It is proved: The Blue Door asks for facts" in run(*told).stdout
        assert run(*told, "--root", "00" * 32).exit_code == 2
        opened.ready("register")
        sent = run("complaint", "send", file, "--register", address)
        assert (sent.exit_code, "which visit" in sent.stderr) == (0, True)
        shown = httpx.get(f"{address}/v1/complaints").json()["complaints"]
        assert [(each["verifier"], each["number"]) for each in shown] == [("The Blue Door", 1)]
        within = tmp_path / "within.json"
        asked = requests.asking(bar, "age_over_18")
        within.write_bytes(over_asking.write(asked, known=bar.policy))
        assert run("complaint", "verify", within, *told[3:]).exit_code == 1
        assert run("complaint", "send", within, "--register", address).exit_code == 1


def test_serving_needs_the_charter_it_was_founded_on(tmp_path: Path) -> None:
    folder = register_folder.make(tmp_path / "city")

    def refused(*more: object) -> str:
        told = ["register", "--folder", str(folder.path), *map(str, more)]
        result = CliRunner().invoke(serve.app, told)
        assert result.exit_code == 2
        return result.stderr

    charter = folder.path / "charter.json"
    octets = charter.read_bytes()
    charter.write_bytes(octets.replace(b'"threshold":3', b'"threshold":5'))
    assert "founded on" in refused()
    charter.write_bytes(octets)
    register_file = folder.path / "register.json"
    said = register_file.read_text()
    register_file.write_text(said.replace("http://127.0.0.1:8083", "https://register.example"))
    assert "--clock-offset" in refused("--clock-offset", 60)
    register_file.write_text("{}")
    assert "not as it was made" in refused()
    register_file.unlink()
    assert "cannot be read" in refused()


def test_a_register_is_created_over_its_log_once(folder: Folder, later: object) -> None:
    assert later
    told = ["create", folder.path, "--address", "http://127.0.0.1:8083", "--desk-key", "x"]
    assert run(*told).exit_code == 2  # there is one already
    (folder.path / "register.json").rename(folder.path / "kept.json")
    try:
        new = folder.path / "new.key"
        assert run(*told[:-1], new).stdout.strip() == folder.pin.hex()
        assert new.stat().st_mode & 0o777 == 0o600
    finally:
        (folder.path / "kept.json").replace(folder.path / "register.json")


def test_six_words_are_two_octets_each() -> None:
    assert plain_words.six_words(bytes.fromhex("7f0000013f54dcc10000ffff")) == (
        "lusab babad gutih tugad babab zuzuz"
    )
    assert policy.NOTHING_KEPT == "none"
