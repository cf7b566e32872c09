"""The enrolment sheet: the offer with the city's fingerprints; the slip on a page of its own.

DESIGN section 2, "The slip" and "Sealed offers". The transaction code is not on it: it goes by
word of mouth, so that who finds or photographs the sheet cannot pick the card up. The slip is on
a page of its own, to be kept elsewhere. Nothing of the person is on either page.
"""

import io
from dataclasses import dataclass, field
from typing import Final

import segno

from crypto.encoding.canonical_json import JsonValue
from idservice import catalogue
from idservice.card import layout, scripts
from idservice.card.layout import Typefaces
from idservice.card.scripts import Drawable

_WORDS: Final[dict[str, JsonValue]] = {
    "offer_title": "Your card, on your phone",
    "offer_read": "Let your wallet read this square. It works once, and for ten minutes.",
    "offer_compare": "Your wallet shows a long number for the city. Compare it with this one. If "
    "they differ, stop and tell the clerk.",
    "offer_charter": "The number below it is that of the city's charter: who decides what may be "
    "asked of you. Compare it as well.",
    "offer_code": "Type the six digits that the clerk tells you. They are not on this sheet.",
    "offer_square": "QR code of the offer",
    "no_phone": "You can do without: the printed card is as good.",
    "slip_title": "Your slip",
    "slip_keep": "Keep this page apart from your phone, where nobody else reads it. The city has "
    "no copy.",
    "slip_use": "Phone lost or stolen? These letters end the card and every copy of it: for "
    "whoever has fetched the next night's list, and for everybody within seven days. Read them out "
    "at any desk, send them by post, or type them into a wallet. They are enough: nobody needs to "
    "know who you are.",
    "slip_lost": "Slip lost? While you have the phone, let the wallet forget the card and come "
    "for a new one. Without slip and phone the card ends by itself within 38 days, unless a "
    "thief renews it.",
    "slip_square": "QR code of the same letters",
}
_BBS_WORDS: Final[dict[str, JsonValue]] = {
    "slip_use": "Phone lost or stolen? With these letters the card is not renewed any more, and "
    "ends within 32 days. Until then, whoever has the phone and its passphrase can show it. Read "
    "them out at any desk, send them by post, or type them into a wallet. They are enough: "
    "nobody needs to know who you are.",
    "slip_lost": "Slip lost? While you have the phone, let the wallet forget the card and come "
    "for a new one. Without slip and phone the card ends by itself within 32 days, unless a "
    "thief renews it.",
}
"""Where withdrawal acts by refusing renewal only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the sheet is for."""

    link: str = field(repr=False)
    """The offer."""
    slip: str = field(repr=False)
    """27 letters and digits in groups."""
    root: str
    """The fingerprint of the city root, in groups."""
    charter: str
    """The fingerprint of the charter, entry 0 of the register, in groups."""
    configuration: str


def city(name: str, *, fonts: Typefaces) -> Drawable:
    """Decide how the city's name is drawn, before anything is done.

    Raises:
        CannotPrint: it cannot be drawn with these fonts.
    """
    return scripts.drawable(name, field="city", families=fonts.families)


def print_pdf(city: Drawable, handed: Handed, *, fonts: Typefaces) -> bytes:
    """Return the sheet as PDF.

    Args:
        city: its name.
        handed: what leaves the desk with the resident.
        fonts: what may be drawn with.

    Raises:
        CannotPrint: something does not fit.
    """
    data: dict[str, JsonValue] = {
        "title": "Enrolment sheet",
        "lang": "en",
        "fonts": [family.name for family in fonts.families],
        "words": _WORDS if handed.configuration == catalogue.CONFIGURATION else _WORDS | _BBS_WORDS,
        "city": layout.value(city),
        "offer": list(_square(handed.link)),
        "root": handed.root,
        "charter": handed.charter,
        "slip": handed.slip,
        "slip_square": list(_square(handed.slip)),
    }
    return layout.compile_pdf("sheet.typ", data, fonts=fonts)


def _square(text: str) -> bytes:
    out = io.BytesIO()
    drawn = segno.make_qr(text, error="m")
    drawn.save(out, kind="svg", border=4, xmldecl=False, svgns=True, nl=False)
    return out.getvalue()
