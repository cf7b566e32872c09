"""Read `data-inventory.toml`: what is kept, of whom, why, who reads it, and until when.

The document stands in `docs/`; a link beside this module takes it along into the wheel, so that
an office can compare its schema with it wherever it runs. Unknown members are refused: a
misspelt line lists nothing.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from idservice.auditor.model import Inventory, Item, Kind, Letter

_TEXTS: Final = ("place", "name", "what", "whom", "purpose", "readers", "kept")
_MEMBERS: Final = frozenset({"kind", "letter", *_TEXTS})
_SHIPPED: Final = Path(__file__).with_name("data-inventory.toml")


class UnusableInventory(Exception):
    """The inventory is missing, or a line of it is not complete."""


def parse(text: str) -> Inventory:
    """Read the document.

    Raises:
        UnusableInventory: not TOML, a line with a missing, empty or unknown member, or a line
            that stands twice.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnusableInventory(f"the inventory is not TOML: {error}") from error
    lines = document.pop("item", [])
    if document or not isinstance(lines, list) or not lines:
        raise UnusableInventory("the inventory is a list of [[item]] and nothing else")
    items = tuple(_item(number, line) for number, line in enumerate(lines, start=1))
    seen: set[tuple[Kind, str, str]] = set()
    for item in items:
        key = (item.kind, item.place, item.name)
        if key in seen:
            raise UnusableInventory(f"{item.place} {item.name} is listed twice")
        seen.add(key)
    return Inventory(items=items)


def _item(number: int, line: object) -> Item:
    if not isinstance(line, dict):
        raise UnusableInventory(f"item {number} is not a table")
    always = line.pop("always", True)
    if line.keys() != _MEMBERS or not isinstance(always, bool):
        wrong = ", ".join(sorted(line.keys() ^ _MEMBERS)) or "always"
        raise UnusableInventory(f"item {number}: missing or unknown: {wrong}")
    if not all(isinstance(value, str) and value.strip() for value in line.values()):
        raise UnusableInventory(f"item {number}: every member is a text that says something")
    try:
        kind, letter = Kind(line["kind"]), Letter(line["letter"])
    except ValueError as error:
        raise UnusableInventory(f"item {number}: {error}") from error
    texts = {name: line[name] for name in _TEXTS}
    return Item(kind=kind, letter=letter, always=always, **texts)


def shipped() -> bytes:
    """Return the document that belongs to this installation, as a register names it by SHA-256.

    Raises:
        UnusableInventory: there is none.
    """
    try:
        return _SHIPPED.read_bytes()
    except OSError as error:
        raise UnusableInventory(f"{_SHIPPED.name} cannot be read") from error


def load(path: Path | None = None) -> Inventory:
    """Read the inventory at `path`, or the one that belongs to this installation.

    Raises:
        UnusableInventory: there is none, or `parse` refuses it.
    """
    return _load_shipped() if path is None else _load(path)


@cache
def _load_shipped() -> Inventory:
    return _load(_SHIPPED)


def _load(path: Path) -> Inventory:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnusableInventory(f"{path.name} cannot be read") from error
    return parse(text)
