"""A person's claims in a clerk's hand: read strictly, completed, never kept.

Carries out DESIGN section 3, "Claims". A record holds what the person wants on the card; only
`resident` must stand there, and be true. Unknown members are refused and never repeated, so a
record that was made for a richer system fails before anything of it is used. `age_over_*` is
computed here and can never be given. Making a portrait small and free of metadata is the
business of whoever reads the picture (`cli/enrol.py`); the two claims that only the issuer is
shown are added when an instance is made (`formats.py`).
"""

import unicodedata
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Final

import pybase64

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from idservice import catalogue, spelling

LONGEST_TEXT: Final = 100
"""Characters of one name or line."""
YOUNGEST: Final = 10
OLDEST: Final = 130

_PORTRAIT_PREFIX = "data:image/jpeg;base64,"
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where post arrives; all members are absent together or each for itself."""

    care_of: str | None = field(default=None, repr=False)
    street_address: str | None = field(default=None, repr=False)
    postal_code: str | None = field(default=None, repr=False)
    locality: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A resident, as far as the card is to say it. Everything may be absent."""

    given_name: str | None = field(default=None, repr=False)
    family_name: str | None = field(default=None, repr=False)
    birth_date: date | None = field(default=None, repr=False)
    locality: str | None = field(default=None, repr=False)
    portrait: str | None = field(default=None, repr=False)
    gender: str | None = field(default=None, repr=False)
    address: Address = field(default_factory=Address, repr=False)

    def record(self) -> JsonObject:
        """Write the record that `parse` reads."""
        return {
            "resident": True,
            "given_name": self.given_name,
            "family_name": self.family_name,
            "birth_date": None if self.birth_date is None else self.birth_date.isoformat(),
            "locality": self.locality,
            "portrait": self.portrait,
            "gender": self.gender,
            "address": _address_record(self.address),
        }

    def claims(self, *, on: date) -> JsonObject:
        """Write every claim that a policy may list, the ages as they are on that day."""
        claims = self.record()
        for threshold, name in zip(catalogue.AGE_THRESHOLDS, catalogue.AGE_CLAIMS, strict=True):
            known = self.birth_date is not None
            claims[name] = age(self.birth_date, on=on) >= threshold if known else None
        return claims


def parse(data: bytes, *, today: date) -> Person:
    """Read an enrolment record.

    Raises:
        Malformed: not a strict JSON object; an unknown member; `resident` missing or not true; a
            value of the wrong kind, too long, or with control or bidirectional characters; a
            birth date in the future, or of somebody younger than 10. The text names the member
            if it is one of ours, and never the value.
    """
    return from_record(canonical_json.parse_object(data), today=today)


def from_record(record: JsonObject, *, today: date) -> Person:
    """Read an enrolment record that is parsed already; otherwise as `parse`."""
    if not record.keys() <= _MEMBERS:
        raise Malformed("the record has a member that is not in the catalogue")
    if record.get("resident") is not True:
        raise Malformed("resident: must be there, and true")
    portrait = record.get("portrait")
    return Person(
        given_name=_text(record, "given_name"),
        family_name=_text(record, "family_name"),
        birth_date=_birth_date(record.get("birth_date"), today),
        locality=_text(record, "locality"),
        portrait=None if portrait is None else portrait_claim(parse_portrait(portrait)),
        gender=_text(record, "gender"),
        address=_address(record.get("address")),
    )


def from_claims(claims: JsonObject, *, today: date) -> Person:
    """Read the person out of a credential's disclosed claims; what is computed is left behind."""
    return from_record({name: claims.get(name) for name in sorted(_MEMBERS)}, today=today)


def age(born: date | None, *, on: date) -> int:
    """Return the full years since birth; who is born on 29 February ages on 1 March."""
    if born is None:
        raise ValueError("no birth date, no age")
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def portrait_claim(jpeg: bytes) -> str:
    """Write a JPEG as the claim holds it: a data address (RFC 2397)."""
    return _PORTRAIT_PREFIX + pybase64.b64encode(jpeg).decode("ascii")


def parse_portrait(value: JsonValue) -> bytes:
    """Read a portrait: a JPEG of at most 24 KiB, as `portrait_claim` writes it.

    Raises:
        Malformed: anything else.
    """
    if not isinstance(value, str) or not value.startswith(_PORTRAIT_PREFIX):
        raise Malformed("portrait: not a data address of a JPEG")
    try:
        jpeg = pybase64.b64decode(value[len(_PORTRAIT_PREFIX) :], validate=True)
    except ValueError as error:
        raise Malformed("portrait: not base64") from error
    if len(jpeg) > catalogue.PORTRAIT_LIMIT:
        raise Malformed("portrait: larger than 24 KiB")
    if not (jpeg.startswith(_JPEG_BEGIN) and jpeg.endswith(_JPEG_END)):
        raise Malformed("portrait: not a JPEG")
    if portrait_claim(jpeg) != value:
        raise Malformed("portrait: not the one spelling of its octets")
    return jpeg


_MEMBERS = frozenset(each.name for each in fields(Person)) | {"resident"}


def _text(record: JsonObject, name: str) -> str | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or value != value.strip():
        raise Malformed(f"{name}: not a text, empty, or with blanks around it")
    composed = unicodedata.normalize("NFC", value)
    if len(composed) > LONGEST_TEXT:
        raise Malformed(f"{name}: longer than {LONGEST_TEXT} characters")
    if not spelling.is_visible(composed):
        raise Malformed(f"{name}: a character that nobody sees")
    return composed


def _birth_date(value: JsonValue, today: date) -> date | None:
    if value is None:
        return None
    try:
        born = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        born = None
    if born is None or born.isoformat() != value:
        raise Malformed("birth_date: not a date YYYY-MM-DD")
    years = age(born, on=today)
    if not YOUNGEST <= years <= OLDEST:
        raise Malformed(f"birth_date: the card is for ages {YOUNGEST} to {OLDEST}")
    return born


def _address(value: JsonValue) -> Address:
    if value is None:
        return Address()
    if not isinstance(value, dict) or not value.keys() <= set(catalogue.ADDRESS_MEMBERS):
        raise Malformed("address: not an object, or with a member that is not in the catalogue")
    return Address(**{name: _text(value, name) for name in catalogue.ADDRESS_MEMBERS})


def _address_record(address: Address) -> JsonObject:
    return {
        "care_of": address.care_of,
        "street_address": address.street_address,
        "postal_code": address.postal_code,
        "locality": address.locality,
    }
