"""`idservice audit linkability`: play the linkability game and say which bars hold."""

import json
import tempfile
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
from idservice.linkability.city.processes import Failed
from idservice.linkability.city.town import Unaccepted
from idservice.linkability.course import Result, Wish
from idservice.linkability.game import Row

WIDTH: Final = 80
_NO_RESULT: Final = 2
_FULL: Final = 10_000


class _Shown:
    """Progress bars on a terminal; elsewhere a line for each stretch of work."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Show one more bar, or line."""
        if not self._bars.console.is_terminal:
            self._bars.console.print(what, highlight=False)
        task = self._bars.add_task(what, total=total)
        return lambda steps: self._bars.update(task, advance=steps)


def linkability(
    *,
    residents: Annotated[int, typer.Option(help="Of the city.")] = course.CITY,
    town: Annotated[int, typer.Option(help="Residents of the town, at most 500.")] = course.TOWN,
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
    keys; M, with an issuer that recorded every issuance. Takes minutes. Exit code 2: no result.
    """
    try:
        wish = Wish(
            residents=residents, town=town, seed=seed, formats=tuple(only or formats.FORMATS)
        )
    except ValueError as error:
        raise _without_result(str(error)) from error
    if out is not None:
        _try_out(out)
    begun = time.monotonic()
    columns = (TextColumn("{task.description:38}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as bars:
            result = course.run(wish, _Shown(bars))
    except (Failed, Unaccepted) as error:
        raise _without_result(f"the game broke off: {error}") from error
    seconds = time.monotonic() - begun
    if out is not None:
        _write(out, result, seconds)
    if as_json:
        typer.echo(json.dumps(report.to_json(result, seconds=seconds), indent=2))
    else:
        _print(result, seconds)
    if not result.holds:
        raise typer.Exit(1)


def _without_result(sentence: str) -> typer.Exit:
    typer.echo(f"{sentence[0].upper()}{sentence[1:]}.", err=True)
    return typer.Exit(_NO_RESULT)


def _try_out(folder: Path) -> None:
    """See that the folder can be written to before the game takes its minutes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _without_result(f"--out is no folder to write to: {error.strerror}") from error


def _write(folder: Path, result: Result, seconds: float) -> None:
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
