"""`idservice migrate`: bring an office's databases to the newest schema."""

import os
from pathlib import Path
from typing import Annotated

import typer

from idservice.apps import settings
from idservice.errors import ServiceError
from idservice.storage import engine

app = typer.Typer(
    help="Bring an office's databases to the newest schema; doing it twice changes nothing.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Option(help="The office's folder, made by `idservice init`.")]


def _migrate(office: str, *databases: tuple[str, bool]) -> None:
    try:
        for url, short_lived in databases:
            engine.migrate(url, office, short_lived=short_lived)
    except (ServiceError, ValueError) as error:
        typer.echo("Not migrated: the database cannot be reached or is not ours.", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"The {office}'s databases are up to date.")


@app.command("issuer", epilog="Example: idservice migrate issuer --folder city/issuer")
def migrate_issuer(folder: Folder) -> None:
    """Migrate the issuer's lasting and short-lived database."""
    try:
        told = settings.issuer(folder, environ=os.environ)
    except settings.UnusableSettings as error:
        typer.echo(f"Not migrated: {error}.", err=True)
        raise typer.Exit(2) from error
    _migrate("issuer", (told.database, False), (told.pending_database, True))


@app.command("verifier", epilog="Example: idservice migrate verifier --folder library")
def migrate_verifier(folder: Folder) -> None:
    """Migrate a verifier's short-lived database; it has no other."""
    try:
        told = settings.verifier(folder, environ=os.environ)
    except settings.UnusableSettings as error:
        typer.echo(f"Not migrated: {error}.", err=True)
        raise typer.Exit(2) from error
    _migrate("verifier", (told.database, True))


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="migrate")
