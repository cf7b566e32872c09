"""What runs here, as a register names it: this software, and the inventory that it carries.

DESIGN, section 5. The component's digest is over the source of both packages as they are
installed, so that an outsider with the same release computes the same. What it stands on is
locked by that release, with hashes; a board does not have to decide on each library's repair.
Whether what runs is what was decided is asked where a process starts, not here.
"""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from idservice.auditor import inventory
from idservice.auditor.model import Kind
from idservice.register.change import Component, Inventory

NAME: Final = "idservice"

_PACKAGES: Final = Path(__file__).parents[3] / "crypto", Path(__file__).parents[2]
_VENDOR: Final = "Published source; run by the city itself"


@cache
def component() -> Component:
    """Return this software as a register lists it."""
    return Component(
        name=NAME,
        version=metadata.version(NAME),
        digest=_digest(),
        vendor=_VENDOR,
        contract=None,
        interests=None,
    )


@cache
def listed() -> Inventory:
    """Return the inventory that this software carries: its digest, and every column in it.

    Raises:
        UnusableInventory: there is none.
    """
    columns = [each for each in inventory.load().items if each.kind is Kind.COLUMN]
    return Inventory(
        digest=hashlib.sha256(inventory.shipped()).digest(),
        columns=tuple(sorted(f"{each.place}.{each.name}" for each in columns)),
    )


def _digest() -> bytes:
    """Hash the source: for each file its path and the digest of its octets, in their order."""
    found = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted(package.rglob("*.py")):
            name = f"{package.name}/{path.relative_to(package).as_posix()}"
            found.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.digest()
