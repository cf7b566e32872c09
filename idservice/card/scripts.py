"""Which writing can be drawn, and with which of the fonts at hand.

DESIGN section 4.1: Latin, Greek, Cyrillic, Hebrew, Arabic and Devanagari with the fonts shipped,
any other script with a font the clerk names, or not at all: a box where a letter should be makes
a card that its holder cannot use. Shaping and direction are done by `layout`'s engine; here it is
only decided, before anything is drawn, that every letter together with its marks and joiners is
in one font. No sentence here repeats the text.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fontTools import (  # type: ignore[import-untyped]  # fontTools ships no types
    unicodedata as scripts,
)

from idservice.card.refusal import CannotPrint

_JOINERS: Final = frozenset("\u200c\u200d")
_WITHOUT_JOINERS: Final = frozenset({"Latn", "Grek", "Cyrl", "Hebr", "Zyyy"})
_UNSEEN_MARKS: Final = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0})
_VARIATION_SELECTORS: Final = (
    range(0x180B, 0x1810),
    range(0xFE00, 0xFE10),
    range(0xE0100, 0xE01F0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A font family and the characters that all its styles at hand can draw."""

    name: str
    characters: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawable:
    """A text that can be drawn, with its direction and the families to draw it with, in order."""

    text: str
    right_to_left: bool
    families: tuple[str, ...]


def drawable(text: str, *, field: str, families: Sequence[Family]) -> Drawable:
    """Decide how `text` is drawn.

    Raises:
        CannotPrint: a character that would not be seen, or that no family draws; the sentence
            names the field and the script.
    """
    composed = unicodedata.normalize("NFC", text)
    _check_seen(composed, field=field)
    needed: dict[str, None] = {}
    base = families[0]
    for cluster in _clusters(composed):
        family = _family_for(cluster, families)
        if family is None:
            raise CannotPrint(_refusal(cluster, field))
        if family is not base:
            needed[family.name] = None
    rest = (family.name for family in families if family.name not in needed)
    return Drawable(
        text=composed,
        right_to_left=_first_strong(composed) in {"R", "AL"},
        families=(*needed, *rest),
    )


def _check_seen(text: str, *, field: str) -> None:
    before = ""
    for character in text:
        if character in _JOINERS:
            if not before or scripts.script(before) in _WITHOUT_JOINERS:
                raise CannotPrint(f"{field} has a joiner where no letter joins")
        elif not character.isprintable() or _leaves_no_ink(character):
            raise CannotPrint(f"{field} has a character that cannot be seen on paper")
        elif _is_mark(character) and before in {"", " "}:
            raise CannotPrint(f"{field} has a mark without a letter to stand on")
        before = character


def _leaves_no_ink(character: str) -> bool:
    point = ord(character)
    return point in _UNSEEN_MARKS or any(point in points for points in _VARIATION_SELECTORS)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _clusters(text: str) -> Iterator[str]:
    """Cut into letters with all that hangs on them: marks, joiners, and what a joiner joins."""
    cluster = ""
    for character in text:
        hangs = character in _JOINERS or _is_mark(character) or cluster[-1:] in _JOINERS
        if cluster and not (hangs and cluster):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _family_for(cluster: str, families: Iterable[Family]) -> Family | None:
    points = {ord(character) for character in cluster}
    return next((family for family in families if points <= family.characters), None)


def _refusal(cluster: str, field: str) -> str:
    """Name the script of the cluster's letter, or say that it is a symbol."""
    code = next((found for c in cluster if (found := scripts.script(c)) not in _NO_SCRIPT), None)
    if code is None:
        return f"{field} has a symbol that the fonts at hand cannot draw; --font FILE adds one"
    name = scripts.script_name(code).replace("_", " ")
    return (
        f"{field} has a letter of the script {name} that the fonts at hand cannot draw; "
        "--font FILE adds one"
    )


_NO_SCRIPT: Final = frozenset({"Zyyy", "Zinh", "Zzzz"})


def _first_strong(text: str) -> str:
    classes = (unicodedata.bidirectional(character) for character in text)
    return next((found for found in classes if found in {"L", "R", "AL"}), "L")
