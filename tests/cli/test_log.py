"""`idservice log`: made, witnessed and checked by commands, over real sockets."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from crypto.log import note
from crypto.log.note import SignatureType
from idservice import clock
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import ed25519_keys, settings
from idservice.apps.transparency import log as log_office
from idservice.cli import log as command
from idservice.clients.transparency import HttpLog, HttpWitness
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.ports import Absent
from tests.fakes import notaries, trees

ORIGIN = "register.example/log"
CLOCK = clock.SystemClock()
LOG = notaries.log_key().text
WITNESS = notaries.witness_key("w").text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.app, [str(each) for each in arguments])


@contextmanager
def process(*arguments: object) -> Iterator[str]:
    """Run a command on a socket that listens already, and end it by its own number."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        told = [*map(str, arguments), "--fd", str(number)]
        begin = "from idservice.cli.main import app; app()"
        started = subprocess.Popen(
            [sys.executable, "-c", begin, *told],
            pass_fds=[number],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield address
    finally:
        started.terminate()
        assert started.wait(20) == 0


def folder_log(folder: Path, count: int) -> log_office.Parts:
    parts = log_office.assemble(settings.read_log(folder, environ={}), clock=CLOCK)
    for number in range(count):
        parts.log.append(trees.entry(number), expected=None)
    return parts


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str]:
    done = run("create", tmp_path / "log", "--origin", ORIGIN)
    assert done.exit_code == 0
    assert "a demonstration" in done.stderr
    return tmp_path / "log", done.stdout.strip()


def test_a_log_is_created_once(made: tuple[Path, str]) -> None:
    folder, key = made
    assert note.parse_key(key).name == ORIGIN
    assert (folder / "log.key").stat().st_mode & 0o777 == 0o600
    assert run("create", folder, "--origin", ORIGIN).exit_code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ["--origin", "two words"],
        ["--origin", ORIGIN, "--quorum", "1"],
        ["--origin", ORIGIN, "--witness", "nonsense"],
        ["--origin", ORIGIN, "--witness", "key=http://w.example", "--quorum", "1"],
        ["--origin", ORIGIN, "--witness", "key=http://w.example"],
        ["--origin", "two\x0blines"],
        ["--origin", ORIGIN, "--witness", f"{WITNESS}=http://w.example", "--quorum", "1"],
        ["--origin", ORIGIN, "--witness", f"{WITNESS}=https://[", "--quorum", "1"],
        ["--origin", ORIGIN, "--witness", f"{LOG}=https://w.example", "--quorum", "1"],
    ],
)
def test_a_log_that_cannot_be_is_misuse(tmp_path: Path, wrong: list[str]) -> None:
    assert run("create", tmp_path / "log", *wrong).exit_code == 2
    assert not (tmp_path / "log" / "log.json").exists()


def test_a_folder_is_checked_and_from_then_on_only_what_is_new(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    folder, key = made
    parts = folder_log(folder, 5)
    told = ("verify", folder / "public", "--log", key, "--seen", tmp_path / "seen")
    first = run(*told)
    assert (first.exit_code, "5 entries, 5 of them new" in first.stdout) == (0, True)
    assert "only the log vouches for itself" in first.stdout
    parts.log.append(b"one more", expected=5)
    parts.close()
    answer = json.loads(run(*told, "--json").stdout)
    assert (answer["result"], answer["size"], answer["seen"]) == ("yes", 6, 5)


def test_what_does_not_hold_is_a_no(made: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = made
    folder_log(folder, 5).close()
    other = notaries.log_key().text
    assert run("verify", folder / "public", "--log", other).exit_code == 1
    entries = folder / "public/tile/entries/000.p/5"
    honest = entries.read_bytes()
    entries.write_bytes(honest[:-1] + b"x")
    seen = tmp_path / "seen"
    refused = run("verify", folder / "public", "--log", key, "--seen", seen, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["result"] == "no"
    assert not seen.exists()
    entries.write_bytes(honest)
    assert run("verify", folder / "public", "--log", key, "--seen", seen).exit_code == 0


def test_what_cannot_be_read_is_misuse(made: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = made
    folder_log(folder, 1).close()
    (tmp_path / "seen").write_bytes(b"no checkpoint")
    for wrong in (
        (tmp_path / "nothing", "--log", key),
        ("http://127.0.0.1:1", "--log", key),
        (folder / "public", "--log", "no key"),
        (folder / "public", "--log", notaries.witness_key("w").text),
        (folder / "public", "--log", key, "--quorum", "1"),
        (folder / "public", "--log", key, "--seen", tmp_path / "seen"),
    ):
        assert run("verify", *wrong).exit_code == 2


def test_a_contradiction_is_printed_and_kept(made: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = made
    folder_log(folder, 3).close()
    seen = tmp_path / "seen"
    assert run("verify", folder / "public", "--log", key, "--seen", seen).exit_code == 0
    forked = tmp_path / "forked"
    forked.mkdir()
    for name in ("log.json", "log.key"):
        (forked / name).write_bytes((folder / name).read_bytes())
        (forked / name).chmod(0o600)
    parts = folder_log(forked, 0)
    for _ in range(4):
        parts.log.append(b"another history", expected=None)
    parts.close()
    found = run("verify", forked / "public", "--log", key, "--seen", seen)
    assert found.exit_code == 1
    assert "contradicts itself" in found.stdout
    evidence = (tmp_path / "seen.contradiction").read_bytes()
    assert seen.read_bytes() in evidence
    assert (forked / "public/checkpoint").read_bytes() in evidence


def test_two_processes_cannot_publish_into_one_folder(made: tuple[Path, str]) -> None:
    folder, _key = made
    parts = folder_log(folder, 1)
    with pytest.raises(UnusableSettings, match="another process"):
        folder_log(folder, 0)
    parts.close()
    folder_log(folder, 1).close()


def test_a_database_from_before_is_refused(made: tuple[Path, str]) -> None:
    folder, _key = made
    folder_log(folder, 2).close()
    for file in folder.glob("lasting.db*"):
        file.unlink()
    with pytest.raises(UnusableSettings, match="older"):
        folder_log(folder, 0)


def test_a_witness_needs_a_name_and_may_learn_of_logs_later(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    other = dataclasses.replace(notaries.log_key("x"), name=notaries.ORIGIN)
    for wrong in (
        [],
        ["--log", LOG],
        ["--name", "w", "--log", "no key"],
        ["--name", "w", "--log", LOG, "--log", other.text],
    ):
        assert run("witness", "--folder", folder, *wrong).exit_code == 2
    assert not (folder / "witness.json").exists()


def test_a_witness_is_made_before_the_log_whose_charter_names_it(tmp_path: Path) -> None:
    place = tmp_path / "witness"
    with process("log", "witness", "--folder", place, "--name", "w") as address:
        assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
    assert json.loads((place / "witness.json").read_text())["logs"] == []


def test_log_witnesses_and_outsider_meet_over_http(tmp_path: Path) -> None:
    """The log's key is known to its witnesses first, so its folder is made before theirs."""
    log = tmp_path / "log"
    key = run("create", log, "--origin", ORIGIN).stdout.strip()
    with ExitStack() as stack:
        neighbours = {}
        for name in ("first", "second"):
            place = tmp_path / name
            address = stack.enter_context(
                process("log", "witness", "--folder", place, "--name", name, "--log", key)
            )
            assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
            key_file = place / "witness.key"
            own, _ = ed25519_keys.read(key_file, name=name, kind=SignatureType.COSIGNATURE)
            neighbours[own.text] = address
        content = settings.LogFile(
            origin=ORIGIN,
            witnesses=tuple(
                settings.Neighbour(key=each, address=address)
                for each, address in neighbours.items()
            ),
            quorum=2,
        )
        (log / "log.json").write_text(content.model_dump_json())
        folder_log(log, 3).close()
        served = stack.enter_context(process("serve", "log", "--folder", log))
        assert httpx.get(f"{served}/readyz", timeout=30).status_code == 200
        told = [f"--witness={each}" for each in neighbours]
        checked = run("verify", served, "--log", key, *told, "--quorum", "2", "--json")
        assert checked.exit_code == 0
        answer = json.loads(checked.stdout)
        assert answer["size"] == 3
        assert CLOCK.now() - answer["witnessed_at"] < 60
        with HttpLog(served) as read:
            for name, limit in (("tile/0/000", 8192), ("checkpoint", 10)):
                with pytest.raises(Absent):
                    read(name, limit)
        for place, reason in ((address, Reason.MALFORMED), (served, Reason.UNKNOWN_LOG)):
            with pytest.raises(NotCosigned) as caught:
                HttpWitness(place).add_checkpoint(b"nonsense")
            assert caught.value.reason is reason
    with pytest.raises(Absent):
        HttpWitness("http://127.0.0.1:1").add_checkpoint(b"")
