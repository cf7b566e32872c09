"""`idservice`: one command, a module for each of its parts."""

from importlib.metadata import version
from typing import Annotated

import typer

from idservice.cli import audit, demo, enrol, init, migrate, serve, verify, wallet

app = typer.Typer(
    name="idservice",
    help="A municipal ID service that keeps next to nothing: print, issue, hold, show, check.",
    epilog="Try: idservice demo --once",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _print_version(*, value: bool) -> None:
    if value:
        typer.echo(f"idservice {version('idservice')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """A municipal ID service that keeps next to nothing."""


demo.register(app)
app.add_typer(init.app, name="init")
migrate.register(app)
serve.register(app)
enrol.register(app)
app.add_typer(wallet.app, name="wallet")
verify.register(app)
app.add_typer(audit.app, name="audit")
