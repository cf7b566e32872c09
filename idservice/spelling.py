"""How a text that people read may be spelled: nothing unseen in it, and on a card one spelling.

The desk refuses what a wallet would refuse: a character that nobody sees could mark its holder
(DESIGN section 3, "Claims"), and in a verifier's or board's words say what is not read. Letters of
two scripts that look alike are not told apart, and joiners that change nothing are not found out.
"""

import unicodedata
from typing import Final

MOST_MARKS: Final = 4
"""On one letter; a Hebrew shin can have a dot, a dagesh, a vowel and an accent."""

_JOINERS = "\u200c\u200d"
_FIRST_JOINED, _BEYOND_JOINED = "\u0590", "\u2e80"
"""Between them stand the scripts whose letters may be joined, or not, by an unseen character."""
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")
"""Letters and signs that look like nothing."""
_VARIATIONS = frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Choose another look of the letter before."""
_VARIED = ("CJK UNIFIED IDEOGRAPH", "MONGOLIAN LETTER")
"""How letters are called that have one."""


def is_visible(text: str) -> bool:
    """Say whether a terminal would show all of it, and as nothing else."""
    if text != text.strip() or not unicodedata.is_normalized("NFC", text):
        return False
    return hides_nothing(text) and not any(one.isspace() and one != " " for one in text)


def hides_nothing(text: str) -> bool:
    """Say whether people see all of it; blanks other than the plain one stand alone."""
    if text.isascii():
        return text.isprintable()
    around = zip(f" {text[:-1]}", text, f"{text[1:]} ", strict=True)
    return all(_is_seen(*each) for each in around) and not _is_piled(text)


def _is_seen(before: str, one: str, after: str) -> bool:
    """Say no to control, direction, unknown and empty-looking characters."""
    if one in _JOINERS:
        return _joins(before, after)
    if one in _VARIATIONS:
        return unicodedata.name(before, "").startswith(_VARIED)
    kind = unicodedata.category(one)
    if kind == "Zs":
        return one == " " or not (before.isspace() or after.isspace())
    return kind[0] not in "CZ" and one not in _BLANKS


def _joins(before: str, after: str) -> bool:
    scripts = min(before, after) >= _FIRST_JOINED and max(before, after) < _BEYOND_JOINED
    return scripts and all(unicodedata.category(one)[0] in "LM" for one in before + after)


def _is_piled(text: str) -> bool:
    """Say whether one letter has so many marks that they cover the lines around it."""
    marks = "".join("^" if unicodedata.category(one) in {"Mn", "Me"} else " " for one in text)
    return "^" * (MOST_MARKS + 1) in marks
