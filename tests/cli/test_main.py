"""`idservice` itself: its version, and what it knows."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from click.testing import Result
from sqlalchemy.exc import ArgumentError
from typer.testing import CliRunner

from crypto.bls import curve
from crypto.errors import Malformed
from idservice.apps.settings import UnusableSettings
from idservice.cli import main
from idservice.errors import Code, ServiceError

COMMAND = CliRunner()


def test_version_names_the_curve_library_in_use() -> None:
    said = COMMAND.invoke(main.app, ["--version"])
    assert said.output == f"idservice {version('idservice')} (BBS curve: {curve.BACKEND.name})\n"


@pytest.mark.parametrize("command", main.COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    said = COMMAND.invoke(main.app, [command, "--help"])
    assert said.exit_code == 0
    assert len(said.output.splitlines()) > 5


def test_unknown_command_is_misuse() -> None:
    assert COMMAND.invoke(main.app, ["register-everybody"]).exit_code == 2


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Result:
    """Call a command that ends with this error."""

    def run() -> None:
        raise error

    return called(monkeypatch, run)


def called(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> Result:
    """Call this as a command."""
    part = typer.Typer()
    part.command("demo")(run)
    monkeypatch.setattr(main.Commands, "get_command", lambda *_: typer.main.get_command(part))
    return COMMAND.invoke(main.app, ["demo"])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileNotFoundError(2, "No such file or directory", "k"), "k: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (UnicodeDecodeError("utf-8", b"secret", 0, 1, "x"), "what was given or read is not text"),
        (ArgumentError("postgresql://secret"), "the database cannot be reached or is not ours"),
        (ServiceError(Code.UNAVAILABLE), "the database cannot be reached or is not ours"),
        (UnusableSettings("nothing can be made here"), "nothing can be made here"),
        (Malformed("not a key"), "not a key"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_goes_wrong_outside_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    done = failing(monkeypatch, error)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Not done: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x"), AssertionError("x")])
def test_a_fault_of_the_program_is_left_to_be_seen(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert failing(monkeypatch, error).exception is error


@pytest.mark.parametrize(
    ("error", "code"), [(BrokenPipeError(32, "Broken pipe"), 1), (KeyboardInterrupt(), 130)]
)
def test_who_hangs_up_or_interrupts_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    done = failing(monkeypatch, error)
    assert (done.exit_code, done.stderr) == (code, "")


@pytest.mark.parametrize("asks", [typer.prompt, typer.confirm])
def test_who_interrupts_a_prompt_is_told_nothing_either(
    monkeypatch: pytest.MonkeyPatch, asks: Callable[[str], object]
) -> None:
    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    def run() -> None:
        monkeypatch.setattr("typer._click.termui.visible_prompt_func", interrupted)
        asks("Name")

    done = called(monkeypatch, run)
    assert (done.exit_code, done.stderr) == (130, "")


@pytest.mark.threat("T34")
def test_no_command_leaves_a_core() -> None:
    begin = "from idservice.cli.main import app; app(standalone_mode=False); import resource;"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{begin} print(resource.getrlimit(resource.RLIMIT_CORE))",
            "wallet",
            "--help",
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.endswith("(0, 0)\n")


def test_arguments_are_text() -> None:
    done = COMMAND.invoke(main.app, ["init", "verifier", "v", "--name", "A\udcff"])
    assert done.exit_code == 2
    assert "an argument is not UTF-8 text" in done.stderr


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [("a", "rb", "Bad file descriptor"), ("\u0161", "wb", "not text in UTF-8")],
)
def test_what_was_done_and_cannot_be_shown_is_not_called_undone(
    tmp_path: Path, name: str, mode: str, reason: str, buffered: str
) -> None:
    begin = "from idservice.cli.main import app; app()"
    told = ("--name", "V", "--base-url", "http://127.0.0.1:8081", "--policy", "p")
    with Path(os.devnull).open(mode) as unfit:
        done = subprocess.run(
            [sys.executable, "-c", begin, "init", "verifier", str(tmp_path / name), *told],
            check=False,
            stdout=unfit,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": buffered, "PYTHONIOENCODING": "latin-1"},
            cwd=Path(__file__).parents[2],
        )
    assert (tmp_path / name / "verifier.json").exists()
    assert done.returncode == 2
    assert done.stderr.startswith(b"Perhaps done, but the answer cannot be shown: ")
    assert reason.encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_with_closed_standard_input_nobody_is_asked(tmp_path: Path) -> None:
    begin = "import sys; sys.stdin = None; from idservice.cli.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", begin, "wallet", "list", "--folder", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Give the passphrase by")
