"""The words that the holder reads before anything is shown: who, what, why, how long kept.

The verifier's own words come from its policy in the signed bundle, in the holder's language
where the policy has it; nothing from the request itself is displayed but its `client_id`. Pure
text of a given width; colours and prompts belong to `cli/wallet.py`.
"""

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from idservice import labels, period
from idservice.wallet.question import Question

WIDTH: Final = 78

_LABEL_WIDTH = 10
_NO_COLUMN: Final = frozenset({"Mn", "Me", "Cf"})


def label(claim: str) -> str:
    """Return what a claim of the catalogue is called."""
    return labels.CLAIMS[claim]


def notice(notices: dict[str, str], languages: Sequence[str]) -> str:
    """Choose the policy's notice in the first of the holder's languages that it has."""
    for language in languages:
        if language in notices:
            return notices[language]
    return next(iter(notices.values()), "")


def text(
    question: Question,
    *,
    shared: Sequence[str],
    languages: Sequence[str],
    pseudonym: bool = False,
    width: int = WIDTH,
) -> str:
    """Write the consent screen.

    Args:
        question: from `question.consider`.
        shared: optional claims that the holder has picked so far.
        pseudonym: whether the holder has picked to be recognised again.
        languages: the holder's, the preferred first.
        width: columns.
    """
    policy = question.policy
    rows: list[tuple[str, str]] = [
        ("Who", policy.verifier),
        ("", question.request.client_id),
        ("Why", f"{labels.PURPOSES[policy.purpose]}, {policy.place}"),
        ("", notice(dict(policy.notice), languages)),
        ("Kept", "nothing" if policy.retention == "none" else policy.retention),
    ]
    if policy.erase is not None:
        rows.append(("", f"erase it at {policy.erase}"))
    rows.extend(_claim_rows(question, shared))
    if question.pseudonym is not None:
        rows.append(("Name", _pseudonym(question, picked=pseudonym)))
    rows.append(("Copies", _copies(question)))
    return "\n".join(line for heading, content in rows for line in _row(heading, content, width))


def _claim_rows(question: Question, shared: Sequence[str]) -> list[tuple[str, str]]:
    rows = [("", f"[x] {label(claim)}") for claim in question.needed]
    for claim in question.choices:
        mark = "x" if claim in shared else " "
        rows.append(("", f"[{mark}] {label(claim)} - your choice ({claim})"))
    return [("What", rows[0][1]), *rows[1:]]


def _pseudonym(question: Question, *, picked: bool) -> str:
    until = period.day(question.holding.card.expires)
    return (
        f"[{'x' if picked else ' '}] a name to be recognised by - your choice, never needed:"
        f" whoever asks under this policy then knows you again until {until}, and under no other."
        " Not for ever: a quantum computer could one day tie such names together."
    )


def _copies(question: Question) -> str:
    if question.holding.card.lasting:
        free = "" if question.pseudonym is None else " and without a name"
        return (
            "can be shown any number of times; nobody can tie two showings together, beyond the"
            f" facts{free}"
        )
    fresh = question.holding.card.fresh()
    if not fresh:
        return "none is left that was never shown; showing one again can be noticed"
    return f"one of {fresh} that were never shown; no two can be linked by who checks them"


def _row(heading: str, content: str, width: int) -> list[str]:
    if not content:
        return []
    lines = _wrap(content, width - _LABEL_WIDTH)
    first = f"{heading:<{_LABEL_WIDTH}}{lines[0]}"
    return [first, *(" " * _LABEL_WIDTH + line for line in lines[1:])]


def _wrap(text: str, width: int) -> list[str]:
    """Break by columns and not by letters, at a blank where there is one.

    A terminal breaks a line that is too wide at its own margin, and then a verifier's words would
    begin where only this screen has a say.
    """
    lines = []
    while text:
        ends = accumulate(map(_columns, text))
        fitting = next((at for at, end in enumerate(ends) if end > width), len(text))
        blank = text.rfind(" ", 0, fitting + 1) if fitting < len(text) else 0
        cut = blank if blank > 0 else max(fitting, 1)
        lines.append(text[:cut].rstrip(" "))
        text = text[cut:].lstrip(" ")
    return lines


def _columns(letter: str) -> int:
    """Say how wide a terminal shows it (Unicode Standard Annex 11)."""
    if unicodedata.category(letter) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
