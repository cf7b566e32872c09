"""Layout, shaping and PDF, in memory, by Typst.

A template beside this module is compiled with data that travels as JSON and is only ever placed
as text or image; no text becomes source. Only the fonts in `fonts/` are used, and one more where
the clerk names a file. The answer is a tagged PDF (PDF/UA-1) without a time; the same input gives
the same bytes. What a card says is decided in `face`, what may be drawn in `scripts`.
"""

import contextlib
import functools
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typst
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types

from crypto.encoding.canonical_json import JsonValue
from idservice.card.refusal import CannotPrint, Unreadable
from idservice.card.scripts import Drawable, Family

_HERE: Final = Path(__file__).parent
_FONTS: Final = _HERE / "fonts"
_BASE: Final = "Noto Sans"
_SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_UNFIT: Final = "does not fit: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Typefaces:
    """The fonts that one print may use."""

    fonts: typst.Fonts
    families: tuple[Family, ...]


@contextlib.contextmanager
def typefaces(extra: Path | None = None) -> Iterator[Typefaces]:
    """Lend the shipped fonts, and `extra` where a file is named.

    The engine reads folders of fonts only. So that it reads one file and not its neighbours, a
    folder with one symbolic link exists meanwhile; nothing personal is in it.

    Raises:
        Unreadable: `extra` is not a font file.
    """
    if extra is None:
        yield _shipped()
        return
    if extra.suffix.lower() not in _SUFFIXES or not extra.is_file():
        raise Unreadable("the font is not a readable .ttf, .otf, .ttc or .otc file")
    with tempfile.TemporaryDirectory(prefix="idservice-font-") as folder:
        (Path(folder) / f"font{extra.suffix.lower()}").symlink_to(extra.resolve())
        found = _load(_FONTS, Path(folder))
        if len(found.fonts.fonts()) == len(_shipped().fonts.fonts()):
            raise Unreadable("the font file cannot be read as a font")
        yield found


def compile_pdf(template: str, data: Mapping[str, JsonValue], *, fonts: Typefaces) -> bytes:
    """Draw `template` with `data`.

    Raises:
        CannotPrint: something does not fit, or cannot be drawn after all.
    """
    source = (_HERE / template).read_bytes()
    try:
        compiler = typst.Compiler(
            source,
            root=str(_HERE),
            font_paths=fonts.fonts,
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data)},
        )
        drawn = compiler.compile(pdf_standards=["ua-1"])
    except typst.TypstError as error:
        # the engine's own words quote the text: only our own are passed on
        message = error.message
    else:
        if isinstance(drawn, bytes):
            return drawn
        message = ""
    if _UNFIT in message:
        part = message.partition(_UNFIT)[2].strip('" ')
        raise CannotPrint(f"{part} is too long for the paper, even in the smallest legible print")
    if "could not be displayed" in message:
        raise CannotPrint("a character cannot be drawn with the fonts at hand")
    raise CannotPrint("the layout could not be made")


def value(drawable: Drawable) -> dict[str, JsonValue]:
    """Return what the templates call a value."""
    return {
        "text": drawable.text,
        "rtl": drawable.right_to_left,
        "fonts": list(drawable.families),
    }


@functools.cache
def _shipped() -> Typefaces:
    return _load(_FONTS)


def _load(*folders: Path) -> Typefaces:
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(folder) for folder in folders],
    )
    characters: dict[str, frozenset[int]] = {}
    for font in fonts.fonts():
        if font.path is not None:
            own = _characters(font.path, font.index)
            characters[font.family] = characters.get(font.family, own) & own
    names = sorted(characters, key=lambda name: (name != _BASE, name))
    families = tuple(Family(name=name, characters=characters[name]) for name in names)
    return Typefaces(fonts=fonts, families=families)


@functools.cache
def _characters(path: str, index: int) -> frozenset[int]:
    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            return frozenset(font.getBestCmap() or {})
    except Exception:  # noqa: BLE001, a broken font file fails in as many ways as it has tables
        raise Unreadable("the font file cannot be read as a font") from None
