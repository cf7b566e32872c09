"""`idservice`: one command, a module for each of its parts, loaded when it is called for.

Loading all of them would make every call wait for libraries that it does not use.
"""

import importlib
from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer._click import Command, Context  # Typer's own copy of Click; it has no public name
from typer.core import TyperGroup
from typing_extensions import override

COMMANDS: Final = (
    "demo",
    "init",
    "migrate",
    "serve",
    "enrol",
    "wallet",
    "verify",
    "register",
    "log",
    "audit",
)


class _Parts(TyperGroup):
    """Finds a command in the module of its name."""

    @override
    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands in the order of a city's life."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        part = typer.Typer(rich_markup_mode=None, add_completion=False)
        importlib.import_module(f"idservice.cli.{cmd_name}").register(part)
        command = typer.main.get_command(part)
        return command.commands[cmd_name] if isinstance(command, TyperGroup) else command


app = typer.Typer(
    name="idservice",
    cls=_Parts,
    help="A municipal ID service that keeps next to nothing: print, issue, hold, show, check.",
    epilog="Try: idservice demo --once",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _print_version(*, value: bool) -> None:
    if value:
        curve = importlib.import_module("crypto.bls.curve").BACKEND.name
        typer.echo(f"idservice {version('idservice')} (BBS curve: {curve})")
        raise typer.Exit


@app.callback()
def main(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and the curve library in use.",
        ),
    ] = False,
) -> None:
    """A municipal ID service that keeps next to nothing."""
