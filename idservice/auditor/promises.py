"""Check that each promise of the README carries its letter."""

import re
from typing import Final

from idservice.auditor.model import Problem

SECTION: Final = "## What is promised"
_PROMISE: Final = re.compile(r"^- \*\*[MCP](?:, [MCP])*\*\* \S")


def check(text: str) -> tuple[Problem, ...]:
    """Return the promises without a letter, or that there is no such section."""
    lines = iter(text.splitlines())
    if SECTION not in lines:  # moves behind the heading
        return (Problem(where="README", what=f"has no section {SECTION!r}"),)
    problems = []
    promises = 0
    for line in lines:
        if line.startswith("## "):
            break
        if line.startswith(("- ", "* ", "+ ")):
            promises += 1
            if not _PROMISE.match(line):
                problems.append(Problem(where="README", what=f"no letter: {line[2:50]} ..."))
    if not promises:
        problems.append(Problem(where="README", what="promises nothing"))
    return tuple(problems)
