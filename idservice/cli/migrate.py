"""`idservice migrate`: bring an office's databases to the newest schema."""

import os
from pathlib import Path
from typing import Annotated

import typer

from idservice.apps import settings
from idservice.storage import engine

app = typer.Typer(
    help="Bring an office's databases to the newest schema; doing it twice changes nothing.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Option(help="The office's folder, made by `idservice init`.")]


def _migrate(office: str, *databases: tuple[str, bool]) -> None:
    for url, short_lived in databases:
        engine.migrate(url, office, short_lived=short_lived)
    typer.echo(f"The {office}'s databases are up to date.")


@app.command("issuer", epilog="Example: idservice migrate issuer --folder city/issuer")
def migrate_issuer(folder: Folder) -> None:
    """Migrate the issuer's lasting and short-lived database."""
    told = settings.issuer(folder, environ=os.environ)
    _migrate("issuer", (told.database, False), (told.pending_database, True))


@app.command("verifier", epilog="Example: idservice migrate verifier --folder library")
def migrate_verifier(folder: Folder) -> None:
    """Migrate a verifier's short-lived database; it has no other."""
    told = settings.verifier(folder, environ=os.environ)
    _migrate("verifier", (told.database, True))


@app.command("log", epilog="Example: idservice migrate log --folder log")
def migrate_log(folder: Folder) -> None:
    """Migrate the database of the register's log."""
    _migrate_one("transparency", folder)


@app.command("witness", epilog="Example: idservice migrate witness --folder witness")
def migrate_witness(folder: Folder) -> None:
    """Migrate a witness's database."""
    _migrate_one("witness", folder)


@app.command("register", epilog="Example: idservice migrate register --folder city")
def migrate_register(folder: Folder) -> None:
    """Migrate the database beside the register's log; the log's is `migrate log`."""
    address = settings.database(os.environ, settings.PENDING_DATABASE, beside=folder / "beside.db")
    _migrate("governance", (address, False))


def _migrate_one(office: str, folder: Path) -> None:
    """Migrate an office whose folder says nothing about its one database."""
    address = settings.lasting_database(folder, environ=os.environ)
    _migrate(office, (address, False))


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="migrate")
