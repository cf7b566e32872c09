"""`idservice register drill`: what would happen, played on a copy with a moved clock.

DESIGN, section 5. The city's folder stays as it is. What is played stands in `apps.drills`; this
only prints it. 0: everything that must hold does; 1: something does not; 2: it cannot be played.
"""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from idservice.apps.drills import repertoire
from idservice.apps.drills.rehearsal import Step
from idservice.apps.drills.repertoire import Drill
from idservice.clock import SystemClock

NO = 1


def drill(
    which: Annotated[Drill, typer.Argument(help="What to play.", metavar="DRILL")],
    folder: Annotated[Path, typer.Argument(metavar="CITY", help="The city's folder.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play sunset, rotation, wind-down or key-compromise on a copy of a demonstration city."""

    def tell(step: Step) -> None:
        if not as_json:
            typer.echo(f"{step.day}  {'ok' if step.holds else 'NO'}  {step.said}")

    steps = repertoire.play(
        which,
        folder,
        now=SystemClock().now(),
        random_bytes=secrets.token_bytes,
        tell=tell,
    )
    holds = all(step.holds for step in steps)
    if as_json:
        told = [{"day": step.day, "said": step.said, "holds": step.holds} for step in steps]
        typer.echo(json.dumps({"drill": which.value, "holds": holds, "steps": told}))
    elif holds:
        typer.echo("Everything holds. Nothing in the city's folder was changed.")
    if not holds:
        raise typer.Exit(NO)


def register(root: typer.Typer) -> None:
    """Put the command below `idservice register`."""
    epilog = "Example: idservice register drill sunset mycity  (on a copy)"
    root.command("drill", epilog=epilog)(drill)
