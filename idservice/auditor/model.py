"""What an auditor knows: what the inventory lists, what a threat says, what does not agree.

DESIGN sections 1 (letters) and 4 (audit). How these are read stands in `inventory.py`,
`threats.py` and `results.py`; how they are compared in `comparison.py`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Letter(StrEnum):
    """On what a promise rests."""

    MATHEMATICS = "M"
    CODE = "C"
    POLICY = "P"


class Kind(StrEnum):
    """Where something derived from a person can stand."""

    COLUMN = "column"
    FILE = "file"
    LOG_FIELD = "log_field"
    HEADER = "header"
    METRIC = "metric"
    COOKIE = "cookie"


class Trouble(StrEnum):
    """How inventory and machine can disagree."""

    UNLISTED = "not listed"
    ABSENT = "listed but absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the inventory.

    In the name of a file `*` stands for anything within one folder, `**` for anything.
    """

    kind: Kind
    place: str
    name: str
    what: str
    whom: str
    purpose: str
    readers: str
    kept: str
    letter: Letter
    always: bool
    """Whether its absence is a fault; a file of a pending transaction comes and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All lines."""

    items: tuple[Item, ...]

    def of(self, kind: Kind, *places: str) -> tuple[Item, ...]:
        """Return the lines of one kind at these places."""
        return tuple(item for item in self.items if item.kind is kind and item.place in places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement between inventory and machine."""

    kind: Kind
    place: str
    name: str
    trouble: Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """One entry of the threat model."""

    ident: str
    title: str
    who: str
    category: str
    letters: tuple[Letter, ...]
    mitigation: str
    modules: tuple[str, ...]
    residual: str
    tests: tuple[str, ...]
    """Paths, each of a file or of one test in it (`path::name`)."""
    reason: str
    """Why there is no test; empty where there are tests."""


class Outcome(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in the documents that does not hold."""

    where: str
    what: str
