"""`idservice audit linkability`: play the linkability game and say which bars hold."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from idservice.linkability import course, plots, report
from idservice.linkability.city import formats
from idservice.linkability.course import Result, Wish
from idservice.linkability.game import Row

WIDTH: Final = 80
_MISUSE: Final = 2
_FULL: Final = 10_000


class _Shown:
    """Progress bars on standard error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Show one more bar."""
        task = self._progress.add_task(what, total=total)
        return lambda steps: self._progress.update(task, advance=steps)


def linkability(
    *,
    residents: Annotated[int, typer.Option(help="Of the city.")] = course.CITY,
    town: Annotated[int, typer.Option(help="Residents of the small town.")] = course.TOWN,
    seed: Annotated[int, typer.Option(help="The same seed plays the same game.")] = 1,
    only: Annotated[
        list[str] | None,
        typer.Option("--format", help=f"One of {', '.join(formats.FORMATS)}; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.json, report.md and plots.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Simulate a city and try to link what its residents show. Exit code 1: a bar fails.

    Three adversaries: V, verifiers that pool all they saw; D, with the issuer's stores and all
    keys; M, with an issuer that recorded every issuance.
    """
    wish = Wish(residents=residents, town=town, seed=seed, formats=tuple(only or formats.FORMATS))
    begun = time.monotonic()
    columns = (TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            result = course.run(wish, _Shown(progress))
    except ValueError as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(_MISUSE) from error
    seconds = time.monotonic() - begun
    if out is not None:
        _write(out, result, seconds)
    if as_json:
        typer.echo(json.dumps(report.to_json(result, seconds=seconds), indent=2))
    else:
        _print(result, seconds)
    if not result.holds:
        raise typer.Exit(1)


def _write(folder: Path, result: Result, seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(report.to_json(result, seconds=seconds), indent=2)
    (folder / "report.json").write_text(content + "\n", "utf-8")
    (folder / "report.md").write_text(report.markdown(result, seconds=seconds), "utf-8")
    (folder / "differences.svg").write_text(plots.differences(result.city), "utf-8")
    (folder / "curves.svg").write_text(plots.curves(result.city), "utf-8")


def _print(result: Result, seconds: float) -> None:
    console = Console(width=WIDTH, highlight=False, emoji=False)
    wish = result.wish
    console.print(Text(report.SAYS))
    _print_rows(console, f"a city of {wish.residents:,}", result.city)
    _print_rows(console, f"a town of {wish.town:,} (too few for a narrow interval)", result.town)
    _print_rows(console, "controls: a mark planted in 2 %", result.planted)
    console.print(Text("\nBars", style="bold"))
    for bar in result.bars:
        style = "green" if bar.holds else "bold red"
        verdict = Text("holds" if bar.holds else "FAILS", style=style)
        console.print(Text.assemble(verdict, f"  {bar.what}\n       {bar.figure}"))
    if wish.residents < _FULL:
        console.print(Text(f"With fewer than {_FULL:,} residents a bar may fail by chance alone."))
    console.print(Text(f"Seed {wish.seed}, {seconds:.0f} seconds."))


def _print_rows(console: Console, where: str, rows: Sequence[Row]) -> None:
    for name, these in groupby(rows, key=lambda row: row.format):
        table = Table(
            title=f"\n{name}: {where}",
            title_justify="left",
            title_style="bold",
            padding=(0, 1, 0, 0),
            box=None,
        )
        for heading in report.HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in these:
            table.add_row(*map(Text, report.figures(row)))
            if row.worst is not None:
                table.add_row(
                    "",
                    Text(f"  worst: {row.worst.name}", style="dim"),
                    Text(f"{row.worst.area.value:.3f}", style="dim"),
                )
        console.print(table)


def register(root: typer.Typer) -> None:
    """Put the command below `idservice audit`."""
    epilog = "Example: idservice audit linkability --out linkability"
    root.command("linkability", epilog=epilog)(linkability)
