"""Compare what is listed with what is found: neither may have more than the other."""

import re
from collections.abc import Collection
from typing import Final

from idservice.auditor.model import Finding, Inventory, Kind, Trouble

_STARS: Final = {"*": "[^/]*", "**": ".*"}


def compare(
    found: Collection[str], inventory: Inventory, *, kind: Kind, places: tuple[str, ...]
) -> tuple[Finding, ...]:
    """Return every disagreement, unlisted things first.

    Args:
        found: names as they are on the machine.
        inventory: what may be there.
        kind: the kind of thing that was looked at.
        places: where; several where one database serves two places.
    """
    items = inventory.of(kind, *places)
    unlisted = [
        Finding(kind=kind, place="+".join(places), name=name, trouble=Trouble.UNLISTED)
        for name in sorted(found)
        if not any(_stands_for(item.name, name) for item in items)
    ]
    absent = [
        Finding(kind=kind, place=item.place, name=item.name, trouble=Trouble.ABSENT)
        for item in items
        if item.always and not any(_stands_for(item.name, name) for name in found)
    ]
    return (*unlisted, *absent)


def _stands_for(pattern: str, name: str) -> bool:
    parts = (_STARS.get(part, re.escape(part)) for part in re.split(r"(\*\*?)", pattern))
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None
