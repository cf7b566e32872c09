"""What a printed card says: the fields that its holder chose, and nothing else.

DESIGN sections 1 and 4.1. City and last day are on every card; everything else is chosen by name.
The card has no number, no issuing date and no signature strip: there is nothing on it to look up.
It carries a code only if its holder asks, and then the code repeats the printed text: being always
the same, it would let a machine know the card again, so the default is none. How claims must look
is decided by whoever reads the record; how the face is drawn, in `layout` and `card.typ`.
"""

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import segno

from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import catalogue
from idservice.card import layout, scripts
from idservice.card.layout import Typefaces
from idservice.card.refusal import CannotPrint
from idservice.card.scripts import Drawable

FIELDS: Final = (
    "given_name",
    "family_name",
    "resident",
    "portrait",
    "birth_date",
    *catalogue.AGE_CLAIMS,
    "gender",
    "address",
)
DEFAULT_FIELDS: Final = ("given_name", "family_name", "resident", "portrait")
LONGEST_YEARS: Final = 5

_DENSEST_CODE: Final = 20
"""QR version whose modules are a third of a millimetre wide on the card."""

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WORDS: Final = {
    "kind": "Identity card",
    "photo": "Photograph of the holder",
    "address": "Address",
    "code_alternative": "Code that repeats the printed text",
    "cut": "Cut along the outer line, fold along the dashed line.",
}
_WITHOUT_CODE: Final = {
    "plain": "No chip, no radio, no code.",
    "use": "This card is read with the eye. Whoever asks may look at it; nobody needs to copy or "
    "keep it.",
}
_WITH_CODE: Final = {
    "plain": "No chip, no radio.",
    "use": "The code says again what is printed, as its holder wished. Machines can know it again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One line of the card: what it is, and the holder's value."""

    label: str
    value: Drawable = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Everything that is printed."""

    city: Drawable
    names: tuple[Drawable, ...] = field(repr=False)
    details: tuple[Detail, ...] = field(repr=False)
    address: tuple[Drawable, ...] = field(repr=False)
    portrait: bytes | None = field(repr=False)
    code: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the holder decided."""

    fields: frozenset[str] | None
    """Some of `FIELDS`; `None` for the usual ones, as far as the claims have them."""
    city: str
    expires: date
    code: bool


def last_day(today: date) -> date:
    """Return the last day of a new card: the first of this month, five years on.

    The first of a month, so that the card does not tell the day it was made.
    """
    return date(today.year + LONGEST_YEARS, today.month, 1)


def compose(
    claims: JsonObject, *, portrait: bytes | None, choice: Choice, fonts: Typefaces
) -> Face:
    """Put the chosen claims on a face.

    Args:
        claims: every claim of the catalogue that a policy may list, absent ones `null`; ages as
            they are on the day of printing. The one named `portrait` is not looked at.
        portrait: a JPEG that `portrait.prepare` made, if there is one.
        choice: what its holder wants printed.
        fonts: what may be drawn with.

    Raises:
        CannotPrint: a chosen field that the claims do not have, or that cannot be drawn.
    """
    chosen = _chosen({**claims, "portrait": portrait is not None}, choice)

    def drawable(text: str, name: str) -> Drawable:
        return scripts.drawable(text, field=name, families=fonts.families)

    city = drawable(choice.city, "city")
    names = tuple(
        drawable(str(claims[name]), name)
        for name in ("given_name", "family_name")
        if name in chosen
    )
    details = [
        Detail(label=label, value=drawable(text, name))
        for name, label, text in _details(claims, chosen, choice.city)
    ]
    until = drawable(_written_date(choice.expires), "expires")
    details.append(Detail(label="Valid until", value=until))
    lines = _address_lines(claims["address"]) if "address" in chosen else ()
    address = tuple(drawable(line, "address") for line in lines)
    face = Face(
        city=city,
        names=names,
        details=tuple(details),
        address=address,
        portrait=portrait if "portrait" in chosen else None,
        code=None,
    )
    return replace(face, code=_code(face)) if choice.code else face


def print_pdf(face: Face, *, fonts: Typefaces) -> bytes:
    """Return the card as PDF: front, back, and a sheet in large print.

    Raises:
        CannotPrint: a value that does not fit in legible size.
    """
    words: dict[str, JsonValue] = {
        **_WORDS,
        **(_WITHOUT_CODE if face.code is None else _WITH_CODE),
    }
    data: dict[str, JsonValue] = {
        "title": "Identity card",
        "lang": "en",
        "fonts": [family.name for family in fonts.families],
        "words": words,
        "city": layout.value(face.city),
        "names": [layout.value(name) for name in face.names],
        "details": [
            {"label": detail.label, "value": layout.value(detail.value)} for detail in face.details
        ],
        "address": [layout.value(line) for line in face.address],
        "portrait": None if face.portrait is None else list(face.portrait),
        "code": None if face.code is None else list(face.code),
    }
    return layout.compile_pdf("card.typ", data, fonts=fonts)


def _chosen(claims: JsonObject, choice: Choice) -> frozenset[str]:
    wanted = DEFAULT_FIELDS if choice.fields is None else choice.fields
    present = frozenset(name for name in wanted if _is_there(claims[name]))
    if choice.fields is None:
        return present
    for name in sorted(frozenset(wanted) - present):
        raise CannotPrint(f"{name} was chosen, and the claims do not have it")
    return present


def _is_there(claim: JsonValue) -> bool:
    if isinstance(claim, dict):
        return any(claim.values())
    return claim is not None and claim is not False


def _details(
    claims: JsonObject, chosen: Collection[str], city: str
) -> Sequence[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    if "resident" in chosen:
        found.append(("resident", "Resident of", city))
    if "birth_date" in chosen:
        born = date.fromisoformat(str(claims["birth_date"]))
        found.append(("birth_date", "Born", _written_date(born)))
    ages = [age for age in catalogue.AGE_THRESHOLDS if f"age_over_{age}" in chosen]
    found += [(f"age_over_{age}", "Age", f"over {age}") for age in ages]
    if "gender" in chosen:
        found.append(("gender", "Gender", str(claims["gender"])))
    return found


def _address_lines(address: JsonValue) -> tuple[str, ...]:
    if not isinstance(address, dict):
        return ()
    care_of, street, code, place = (address.get(name) for name in catalogue.ADDRESS_MEMBERS)
    last = " ".join(str(part) for part in (code, place) if part)
    return tuple(str(line) for line in (care_of, street, last) if line)


def _written_date(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def code_text(face: Face) -> str:
    """Return what a code says: the printed text, and nothing more."""
    lines = [face.city.text, *(name.text for name in face.names)]
    lines += [f"{detail.label} {detail.value.text}" for detail in face.details]
    lines += [line.text for line in face.address]
    return "\n".join(lines)


def _code(face: Face) -> bytes:
    try:
        drawn = segno.make_qr(code_text(face), error="m")
    except segno.DataOverflowError:
        drawn = None
    if drawn is None or int(drawn.version) > _DENSEST_CODE:
        raise CannotPrint("there is too much text for a code that can be read")
    out = io.BytesIO()
    drawn.save(out, kind="svg", border=2, xmldecl=False, svgns=True, nl=False)
    return out.getvalue()
