"""Read `docs/threat-model.md` and check that every threat is answered for.

An entry is a heading `### Tnn title` and a list with fixed fields; a field may run over several
lines, indented by two spaces. Either `Tests` or `Not tested` stands last, never neither.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from idservice.auditor import results
from idservice.auditor.model import Letter, Outcome, Problem, Threat

CATEGORIES: Final[Mapping[str, frozenset[str]]] = {
    "LINDDUN": frozenset(
        {
            "Linking",
            "Identifying",
            "Non-repudiation",
            "Detecting",
            "Data disclosure",
            "Unawareness",
            "Non-compliance",
        }
    ),
    "STRIDE": frozenset(
        {
            "Spoofing",
            "Tampering",
            "Repudiation",
            "Information disclosure",
            "Denial of service",
            "Elevation of privilege",
        }
    ),
}
_FIELDS: Final = ("Who", "Category", "Letter", "Mitigation", "Module", "Residual risk")
_HEADING: Final = re.compile(r"^### (T\d{2,3}) (.+)$")
_FIELD: Final = re.compile(r"^- ([A-Z][a-z]+(?: [a-z]+)?): (.+)$")
_QUOTED: Final = re.compile(r"`([^`]+)`")


class UnusableModel(Exception):
    """The threat model cannot be read; the text names the entry."""


def parse(text: str) -> tuple[Threat, ...]:
    """Read all entries.

    Raises:
        UnusableModel: an entry lacks a field, has an unknown one, or an id stands twice.
    """
    threats = tuple(_threat(*_entry(block)) for block in _blocks(text))
    idents = [threat.ident for threat in threats]
    if len(set(idents)) != len(idents):
        raise UnusableModel("an id stands twice")
    if not threats:
        raise UnusableModel("there is no entry")
    return threats


def _blocks(text: str) -> Iterator[list[str]]:
    """Cut the document at its headings and keep the pieces that are entries."""
    block: list[str] = []
    for line in (*text.splitlines(), "## end"):
        if line.startswith(("## ", "### ")):
            if block and _HEADING.match(block[0]):
                yield block
            block = []
        block.append(line)


def _entry(block: list[str]) -> tuple[str, str, dict[str, str]]:
    """Read the heading and the list below it."""
    heading = _HEADING.match(block[0])
    if heading is None:
        raise UnusableModel("an entry begins with its id")
    fields: dict[str, str] = {}
    last = ""
    for line in block[1:]:
        if field := _FIELD.match(line):
            last = field[1]
            if last in fields:
                raise UnusableModel(f"{heading[1]}: {last} stands twice")
            fields[last] = field[2].strip()
        elif last and line.startswith("  "):
            fields[last] += " " + line.strip()
    return heading[1], heading[2], fields


def _threat(ident: str, title: str, fields: dict[str, str]) -> Threat:
    tests, reason = fields.pop("Tests", ""), fields.pop("Not tested", "")
    if tuple(fields) != _FIELDS:
        raise UnusableModel(f"{ident}: the fields are {', '.join(_FIELDS)}, in this order")
    if not tests and not reason:
        raise UnusableModel(f"{ident}: neither tests nor a reason")
    family, _, names = fields["Category"].partition(" ")
    if not names or not set(names.split(", ")) <= CATEGORIES.get(family, frozenset()):
        raise UnusableModel(f"{ident}: not a category of LINDDUN or STRIDE")
    try:
        letters = tuple(Letter(letter) for letter in fields["Letter"].split(", "))
    except ValueError as error:
        raise UnusableModel(f"{ident}: the letter is M, C or P") from error
    return Threat(
        ident=ident,
        title=title,
        who=fields["Who"],
        category=fields["Category"],
        letters=letters,
        mitigation=fields["Mitigation"],
        modules=tuple(_QUOTED.findall(fields["Module"])),
        residual=fields["Residual risk"],
        tests=tuple(_QUOTED.findall(tests)),
        reason=reason,
    )


def check(
    threats: tuple[Threat, ...], *, root: Path, outcomes: results.Outcomes | None
) -> tuple[Problem, ...]:
    """Return what does not hold: a file that is absent, a test that did not pass.

    Args:
        threats: as `parse` read them.
        root: the folder below which modules and tests stand.
        outcomes: of a test run; without it only the existence of files is checked.
    """
    problems: list[Problem] = []
    for threat in threats:
        missing = [
            name
            for name in (*threat.modules, *threat.tests)
            if not (root / name.partition("::")[0]).exists()
        ]
        problems += [Problem(where=threat.ident, what=f"{name} is absent") for name in missing]
        if not threat.tests and not threat.reason:
            problems.append(Problem(where=threat.ident, what="neither tests nor a reason"))
        if outcomes is not None:
            problems += [
                Problem(where=threat.ident, what=f"{test} {_words(outcome)}")
                for test in threat.tests
                if test not in missing
                and (outcome := results.of(test, outcomes)) is not Outcome.PASSED
            ]
    return tuple(problems)


def _words(outcome: Outcome | None) -> str:
    return "was not run" if outcome is None else outcome.value
