"""`idservice audit linkability`: its exit code, its table, its files, and when it is loaded."""

import json
import subprocess
import sys
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from idservice.cli import audit

SMALL = ("--residents", "40", "--town", "40", "--format", "dc+sd-jwt")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(audit.app, ["linkability", *arguments])


def test_a_small_run_is_told_in_eighty_columns_and_says_which_bar_fails(tmp_path: Path) -> None:
    done = run(*SMALL, "--out", str(tmp_path))
    assert done.exit_code == 1  # nobody is marked among so few, so the planted leak is not found
    assert "FAILS  dc+sd-jwt: a leak planted" in done.stdout
    assert "holds  dc+sd-jwt, M, two showings: linked" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.json",
        "report.md",
        "differences.svg",
        "curves.svg",
    }
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["residents"] == 40
    assert not written["holds"]


def test_misuse_is_exit_code_two() -> None:
    assert run("--residents", "3").exit_code == 2
    assert run(*SMALL[:-1], "x").exit_code == 2


def test_other_commands_load_no_numerics() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from idservice.cli import audit;"
        "CliRunner().invoke(audit.app, ['inventory']); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
