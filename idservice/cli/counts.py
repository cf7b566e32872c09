"""`idservice audit counts`: what a city may tell about how many, by quarter, and nothing finer."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from idservice.apps import settings
from idservice.auditor import schema
from idservice.errors import ServiceError
from idservice.issuer import schedule
from idservice.issuer.ports import Act
from idservice.storage.issuer import SqlLasting

_MISUSE = 2


def audit_counts(
    *,
    folder: Annotated[Path, typer.Option(help="The issuer's folder, inside the city's.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how many cards were issued, renewed and withdrawn, city-wide and by quarter.

    A number below ten is never shown. The database is opened for reading only; IDSERVICE_DATABASE
    names another one than the folder's.
    """
    engine = schema.open_for_reading(settings.lasting_database(folder, environ=os.environ))
    try:
        shown = schedule.shown_counts(SqlLasting(engine))
    except ServiceError:
        typer.echo("No issuer's database can be read there.", err=True)
        raise typer.Exit(_MISUSE) from None
    finally:
        engine.dispose()
    quarters = sorted({quarter for quarter, _ in shown})
    if as_json:
        rows = [{"quarter": _name(each), **_row(shown, each)} for each in quarters]
        typer.echo(json.dumps({"below_ten_is": None, "counts": rows}, indent=2))
        return
    if not quarters:
        typer.echo("Nothing was issued yet.")
        return
    typer.echo("".join(["quarter   ", *(f"{act:>12}" for act in Act)]))
    for each in quarters:
        numbers = _row(shown, each).values()
        typer.echo(_name(each).ljust(10) + "".join(f"{_text(number):>12}" for number in numbers))


def _row(shown: Mapping[tuple[int, Act], int | None], quarter: int) -> dict[str, int | None]:
    """Nothing and a few look alike: None."""
    return {act.value: shown.get((quarter, act)) for act in Act}


def _name(quarter: int) -> str:
    return f"{quarter // 4} Q{quarter % 4 + 1}"


def _text(number: int | None) -> str:
    return "below 10" if number is None else str(number)


def register(root: typer.Typer) -> None:
    """Put the command below `idservice audit`."""
    epilog = "Example: idservice audit counts --folder city/issuer"
    root.command("counts", epilog=epilog)(audit_counts)
