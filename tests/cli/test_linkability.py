"""`idservice audit linkability`: its exit code, its table, its files, and when it is loaded."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from idservice.cli import audit

COMMAND = "from idservice.cli.main import app; app()"
SMALL = ("--residents", "24", "--town", "24", "--format", "jwp+bbs")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(audit.app, ["linkability", *arguments])


def test_a_small_run_is_told_in_eighty_columns_and_says_which_bar_fails(tmp_path: Path) -> None:
    done = run(*SMALL, "--out", str(tmp_path))
    assert done.exit_code == 1  # nobody is marked among so few, so the planted leak is not found
    assert "FAILS  jwp+bbs: a leak planted" in done.stdout
    assert "holds  jwp+bbs, M, two showings: one-to-one matching" in done.stdout
    assert "jwp+bbs: adversaries in the town" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.json",
        "report.md",
        "differences.svg",
        "curves.svg",
    }
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["residents"] == 24
    assert not written["holds"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--residents", "3"), "The game needs 24 residents or more"),
        (("--town", "501"), "500 at most"),
        (("--seed", "-1"), "The game needs a seed of 0 or more"),
        (("--seed", "x"), "Invalid value for '--seed'"),
        (("--format", "x"), "The game is for dc+sd-jwt and jwp+bbs"),
    ],
)
def test_misuse_is_exit_code_two_and_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_keys_of_a_city_are_left_by_a_game_that_is_ended(
    tmp_path: Path, ending: signal.Signals
) -> None:
    game = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "audit", "linkability", "--residents", "4000"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while len([*tmp_path.glob("idservice-linkability-*/**/city/issuer")]) < 2:
            assert game.poll() is None
            time.sleep(0.05)
        os.killpg(game.pid, ending)
        game.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(game.pid, signal.SIGKILL)
        game.wait()
    assert game.returncode
    assert not [*tmp_path.glob("idservice-*")]


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_game(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "file", tmp_path / "file" / "below"):
        done = run("--out", str(where))
        assert done.exit_code == 2
        assert "--out is no folder to write to" in done.stderr


def test_other_commands_load_no_numerics() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from idservice.cli import audit;"
        "CliRunner().invoke(audit.app, ['inventory']); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
