"""`idservice`: one command, a module for each of its parts, loaded when it is called for."""

import importlib
from importlib.metadata import version
from typing import Annotated, Final

import typer

from idservice.cli import parts

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


app = typer.Typer(
    name="idservice",
    cls=parts.later(*COMMANDS),
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
