"""`idservice migrate`: bring an office's databases to the newest schema.

An office's own settings are read first, so that no other folder gets databases.
"""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from idservice.apps import settings
from idservice.apps.governance import settings as register_settings
from idservice.apps.transparency import settings as log_settings
from idservice.storage import engine

app = typer.Typer(
    help="Bring an office's databases to the newest schema; doing it twice changes nothing.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Option(help="The office's folder.")]

_SCHEMAS: Final = {"log": "transparency", "register": "governance"}
"""Schemas that are not named as the command is."""


def _migrate(office: str, *databases: tuple[str, bool]) -> None:
    for url, short_lived in databases:
        engine.migrate(url, _SCHEMAS.get(office, office), short_lived=short_lived)
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
    told = log_settings.read_log(folder, environ=os.environ)
    _migrate("log", (told.database, False))


@app.command("witness", epilog="Example: idservice migrate witness --folder witness")
def migrate_witness(folder: Folder) -> None:
    """Migrate a witness's database."""
    told = log_settings.read_witness(folder, environ=os.environ)
    _migrate("witness", (told.database, False))


@app.command("register", epilog="Example: idservice migrate register --folder city")
def migrate_register(folder: Folder) -> None:
    """Migrate the database beside the register's log; the log's is `migrate log`."""
    told = register_settings.read(folder, environ=os.environ)
    _migrate("register", (told.database, False))


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="migrate")
