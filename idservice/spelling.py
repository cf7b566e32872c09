"""How a text on a card may be spelled: one look, one spelling, nothing unseen in it.

The desk refuses what a wallet would refuse: a character that nobody sees could mark its holder
(DESIGN section 3, "Claims"). Letters of two scripts that look alike are not told apart.
"""

import unicodedata

_JOINERS = "\u200c\u200d"
_FIRST_JOINED = "\u0590"
"""Before it stand the scripts whose letters are never joined by an unseen character."""
_BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that look like nothing."""


def is_visible(text: str) -> bool:
    """Say whether a terminal would show all of it, and as nothing else."""
    if text != text.strip() or not unicodedata.is_normalized("NFC", text):
        return False
    around = zip(f" {text[:-1]}", text, f"{text[1:]} ", strict=True)
    return all(
        _joins(before, after) if one in _JOINERS else _is_seen(one) for before, one, after in around
    )


def _is_seen(character: str) -> bool:
    """Say no to control, direction, unknown and empty-looking characters, and to odd blanks."""
    kind = unicodedata.category(character)[0]
    return character == " " or (kind not in "CZ" and character not in _BLANKS)


def _joins(before: str, after: str) -> bool:
    return min(before, after) >= _FIRST_JOINED
