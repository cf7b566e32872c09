"""`idservice` itself: its version, and what it knows."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from crypto.bls import curve
from idservice.cli import main

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
