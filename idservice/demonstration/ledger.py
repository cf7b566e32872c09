"""What a party holds, read from its real files: rows of databases, sizes, and a search.

The databases are opened read-only by the standard library, not by the code that wrote them.
"""

import base64
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHOWN: Final = 16
"""Octets of a cell that are shown."""
_SHORTEST: Final = 6
"""Octets of a spelling; shorter ones occur by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContent:
    """One table of one database file."""

    file: str
    table: str
    columns: tuple[str, ...]
    count: int
    sample: str


def tables(folder: Path) -> list[TableContent]:
    """Read every table of every SQLite file in the folder."""
    return [
        content
        for path in sorted(folder.glob("*.db"))
        for content in _read(path)
        if content.table != "alembic_version"
    ]


def _read(path: Path) -> Iterator[TableContent]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
        names = database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        ).fetchall()
        for (name,) in names:
            quoted = '"' + name.replace('"', '""') + '"'
            cursor = database.execute(f"SELECT * FROM {quoted} LIMIT 1")  # noqa: S608, the file's own names
            columns = tuple(column[0] for column in cursor.description)
            first = cursor.fetchone()
            (count,) = database.execute(f"SELECT count(*) FROM {quoted}").fetchone()  # noqa: S608, the file's own names
            sample = ", ".join(map(_cell, first)) if first else ""
            yield TableContent(
                file=path.name, table=name, columns=columns, count=count, sample=sample
            )


def _cell(value: object) -> str:
    if isinstance(value, bytes):
        shown = value[:_SHOWN].hex()
        return shown if len(value) <= _SHOWN else f"{shown}.. ({len(value)} octets)"
    text = str(value)
    return text if len(text) <= _SHOWN * 2 else f"{text[: _SHOWN * 2]}.. ({len(text)})"


def spellings(value: str | bytes) -> list[bytes]:
    """Return the ways in which a value may stand in a file: plain, hex, base64 at each offset."""
    raw = value.encode() if isinstance(value, str) else value
    found = [raw, raw.hex().encode(), raw.hex().upper().encode()]
    if isinstance(value, str):
        found.append(value.encode("utf-16-le"))
        found.append(value.encode("unicode_escape"))
    for shift in range(3):
        # The characters at both ends depend on the neighbours; the middle does not.
        encoded = base64.b64encode(b"\0" * shift + raw)
        middle = encoded[(shift * 8 + 5) // 6 : -4 if len(encoded) > 8 else None]  # noqa: PLR2004
        found += [middle, middle.replace(b"+", b"-").replace(b"/", b"_")]
    return [spelling for spelling in found if len(spelling) >= _SHORTEST]


def search(folders: Iterable[Path], values: Iterable[str | bytes]) -> list[str]:
    """Name each file below the folders in which one of the values stands."""
    needles = [spelling for value in values for spelling in spellings(value)]
    hits = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                if any(needle in content for needle in needles):
                    hits.append(str(path.relative_to(folder.parent)))
    return hits
