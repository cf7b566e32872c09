"""What the person at the terminal reads: acts, what was sent, what came back, what is kept.

Everything fits 80 columns. Rich leaves colour out by itself when the output is piped.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH: Final = 80
_VALUE: Final = 54
"""Characters of a value that are shown; longer ones are cut with their length said."""


class Narrator:
    """Prints the demonstration."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(width=WIDTH, highlight=False, emoji=False)
        self._act = 0

    def title(self, text: str) -> None:
        """Print the title of the whole."""
        self._console.rule(Text(text, style="bold"), style="bold")

    def act(self, text: str) -> None:
        """Begin the next act."""
        self._act += 1
        self._console.print()
        self._console.rule(Text(f"{self._act}. {text}", style="bold cyan"), align="left")

    def say(self, text: str) -> None:
        """Print a sentence, wrapped."""
        self._console.print(Padding(Text(text), (0, 2), expand=False))

    def command(self, text: str) -> None:
        """Print what a person would type."""
        self._console.print(Padding(Text(f"$ {text}", style="bold"), (0, 2), expand=False))

    def sent(self, label: str, text: str) -> None:
        """Print what somebody sent."""
        self._arrow("->", label, text)

    def received(self, label: str, text: str) -> None:
        """Print what somebody got."""
        self._arrow("<-", label, text)

    def _arrow(self, arrow: str, label: str, text: str) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(width=2)
        line.add_column(width=25)
        line.add_column(overflow="fold")
        line.add_row(Text(arrow, style="bold"), Text(label, style="dim"), Text(shorten(text)))
        self._console.print(Padding(line, (0, 2), expand=False))

    def good(self, text: str) -> None:
        """Print a yes."""
        self._console.print(Padding(Text(f"YES  {text}", style="green"), (0, 2), expand=False))

    def bad(self, text: str) -> None:
        """Print a no that was wanted."""
        self._console.print(Padding(Text(f"NO   {text}", style="red"), (0, 2), expand=False))

    def rows(self, heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(title=heading, title_justify="left", title_style="italic", padding=(0, 1))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(Padding(table, (0, 2), expand=False))


def shorten(text: str) -> str:
    """Cut a long machine value in the middle and say how long it was."""
    if len(text) <= _VALUE * 3 or " " in text[:_VALUE]:
        return text
    return f"{text[: _VALUE - 12]} ... ({len(text):,} characters)"
