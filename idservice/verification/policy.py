"""What one verifier may ask for, as the city has signed it.

DESIGN, sections 3 and 4 (road 4): a policy names its verifier, the purpose, required and
optional claims, how old a status list may be and how long anything is kept. It is read strictly:
what `catalogue.ALLOWED` does not give to a purpose is refused, a barred purpose by its name, and
a bundle with such a policy is refused as a whole, whoever signed it. `facts` picks what is listed
out of verified claims. The query stands in `dcql`, the rules of approval in the register.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from crypto.encoding import base64url, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed, Refused
from idservice import catalogue, spelling
from idservice.catalogue import Purpose

STATUS_MAX_AGE: Final = 172_800
"""Seconds that a status list may be old where the policy says nothing: 48 hours."""

SLOWEST_WITHDRAWAL: Final = 32 * 86_400
"""Seconds until a withdrawal reaches every BBS showing: a period, the three days in which the
next one is fetched already, and the grace of its end. No policy may promise less with them."""

NOTHING_KEPT: Final = "none"

LONGEST_SENTENCE: Final = 1000
LONGEST_NAME: Final = 120
MOST_CLIENT_IDS: Final = 16

_MEMBERS = frozenset(
    {
        "id",
        "verifier",
        "client_ids",
        "purpose",
        "place",
        "vct",
        "formats",
        "pseudonym",
        "required",
        "optional",
        "status_max_age_s",
        "retention",
        "erase",
        "notice",
        "expires",
    }
)
_DEFAULTS: Final[JsonObject] = {"status_max_age_s": STATUS_MAX_AGE, "pseudonym": None}
_ID = re.compile(r"[a-z0-9-]{1,64}")
_LABEL = re.compile(r"[a-z0-9-]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_HTTPS = re.compile(r"https://[!-~]{1,500}")
_HTTP = re.compile(r"https?://[!-~]{1,500}")
_DNS_NAME = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")
_SHA256_LENGTH = 32
_MUST_BE_TRUE: Final = frozenset({"resident", *catalogue.AGE_CLAIMS})
_INSIDE: Final = {
    name: (name.split(".")[0], name.split(".")[1])
    for name in catalogue.PUBLIC_CLAIMS
    if "." in name
}
"""Claims that are members of another claim: of which, and under which name."""


class NotShown(Refused):
    """What a policy requires is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One verifier's leave to ask; only `parse` makes it."""

    id: str
    verifier: str
    """The name shown to people."""
    client_ids: tuple[str, ...]
    purpose: Purpose
    place: str
    vct: str
    formats: tuple[str, ...]
    """The one to ask for first stands first."""
    pseudonym: str | None
    """A label, where a holder may also be known again here, for a period, by a name."""
    required: tuple[str, ...]
    optional: tuple[str, ...]
    status_max_age_s: int | None
    """`None`: any list that has not run out will do."""
    retention: str
    erase: str | None
    """Where a holder may have erased what was kept."""
    notice: Mapping[str, str]
    """A sentence for people, by language."""
    expires: date
    """The last day on which it may be used."""


def parse(value: JsonValue) -> Policy:
    """Read a policy.

    Args:
        value: the JSON object; `status_max_age_s` and `pseudonym` may be left out, nothing else.

    Raises:
        Malformed: a member is missing, unknown or ill-typed, or a text cannot be shown.
        Refused: well-formed, but no policy of this software may say so.
    """
    given = members.exact({**_DEFAULTS, **members.any_object(value)}, _MEMBERS)
    purpose = _purpose(members.text(given["purpose"]))
    required, optional = members.texts(given["required"]), members.texts(given["optional"])
    _check_claims(purpose, required, optional)
    formats, max_age = _formats(given["formats"]), _max_age(given["status_max_age_s"])
    pseudonym = None if given["pseudonym"] is None else members.matching(_LABEL, given["pseudonym"])
    _check_bbs(formats, max_age, pseudonym)
    return Policy(
        id=parse_id(given["id"]),
        verifier=sentence(given["verifier"], longest=LONGEST_NAME),
        client_ids=_client_ids(given["client_ids"]),
        purpose=purpose,
        place=sentence(given["place"], longest=LONGEST_NAME),
        vct=members.matching(_HTTP, given["vct"]),
        formats=formats,
        pseudonym=pseudonym,
        required=required,
        optional=optional,
        status_max_age_s=max_age,
        retention=sentence(given["retention"], longest=LONGEST_SENTENCE),
        erase=None if given["erase"] is None else members.matching(_HTTPS, given["erase"]),
        notice=_notice(given["notice"]),
        expires=parse_day(given["expires"]),
    )


def parse_id(value: JsonValue) -> str:
    """Read a policy's id; anything else is `Malformed`."""
    return members.matching(_ID, value)


def write(policy: Policy) -> JsonObject:
    """Return the JSON object that `parse` reads; no pseudonym is not spelled out."""
    written: JsonObject = {
        "id": policy.id,
        "verifier": policy.verifier,
        "client_ids": [*policy.client_ids],
        "purpose": policy.purpose.value,
        "place": policy.place,
        "vct": policy.vct,
        "formats": [*policy.formats],
        "required": [*policy.required],
        "optional": [*policy.optional],
        "status_max_age_s": policy.status_max_age_s,
        "retention": policy.retention,
        "erase": policy.erase,
        "notice": {**policy.notice},
        "expires": policy.expires.isoformat(),
    }
    if policy.pseudonym is not None:
        written["pseudonym"] = policy.pseudonym
    return written


def facts(claims: JsonObject, policy: Policy) -> dict[str, JsonValue]:
    """Pick what the policy lists; nothing else leaves.

    Args:
        claims: disclosed ones, in their places.
        policy: in force.

    Raises:
        NotShown: a required claim is missing, null, or a yes that is none.
    """
    found: dict[str, JsonValue] = {}
    for name in policy.required:
        value = _inside(claims, name) if name in _INSIDE else claims.get(name)
        if value is None or (value is not True and name in _MUST_BE_TRUE):
            raise NotShown("a required claim is not there")
        found[name] = value
    for name in policy.optional:
        value = _inside(claims, name) if name in _INSIDE else claims.get(name)
        if value is not None:
            found[name] = value
    return found


def _inside(claims: JsonObject, name: str) -> JsonValue:
    """Find a claim whose name in the catalogue says of which object it is a member."""
    outer, inner = _INSIDE[name]
    members_of = claims.get(outer)
    return members_of.get(inner) if isinstance(members_of, dict) else None


def _check_claims(purpose: Purpose, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    listed = required + optional
    if not required:
        raise Refused("a policy requires something")
    if len(set(listed)) != len(listed):
        raise Refused("a claim stands there twice")
    if not set(listed).isdisjoint(catalogue.ISSUER_ONLY):
        raise Refused("a claim for the issuer only")
    if not catalogue.ALLOWED[purpose].issuperset(listed):
        raise Refused("a claim beyond the purpose")
    if not set(required).isdisjoint(catalogue.ADDRESS_CLAIMS):
        raise Refused("an address may be optional only")
    if sum(claim in catalogue.AGE_CLAIMS for claim in listed) > 1:
        raise Refused("more than one age threshold")


def _purpose(text: str) -> Purpose:
    if text in catalogue.BARRED_PURPOSES:
        raise Refused("a barred purpose: " + text)
    try:
        return Purpose(text)
    except ValueError as error:
        raise Refused("an unknown purpose") from error


def _client_ids(value: JsonValue) -> tuple[str, ...]:
    found = members.texts(value)
    if not 1 <= len(found) <= MOST_CLIENT_IDS or len(set(found)) != len(found):
        raise Malformed("a policy is for at least one verifier, each named once")
    for client_id in found:
        prefix, _, rest = client_id.partition(":")
        if prefix == "x509_hash":
            if len(base64url.decode(rest)) != _SHA256_LENGTH:
                raise Malformed("x509_hash is a SHA-256 (OpenID4VP 1.0, 5.9.3)")
        elif prefix != "x509_san_dns" or not _DNS_NAME.fullmatch(rest):
            raise Malformed("x509_hash or x509_san_dns is expected (OpenID4VP 1.0, 5.9.3)")
    return found


def _formats(value: JsonValue) -> tuple[str, ...]:
    found = members.texts(value)
    if not found or len(set(found)) != len(found) or not set(found) <= set(catalogue.FORMATS):
        raise Refused("no format, an unknown one, or one twice")
    return found


def _check_bbs(formats: tuple[str, ...], max_age: int | None, pseudonym: str | None) -> None:
    if catalogue.BBS_FORMAT in formats:
        if max_age is not None and max_age < SLOWEST_WITHDRAWAL:
            raise Refused("a format in which withdrawal does not act as fast as is demanded")
    elif pseudonym is not None:
        raise Refused("a pseudonym in a format that has none")


def _max_age(value: JsonValue) -> int | None:
    if value is not None and (type(value) is not int or value <= 0):
        raise Malformed("status_max_age_s is a number of seconds, or null")
    return value


def _notice(value: JsonValue) -> Mapping[str, str]:
    given = members.any_object(value)
    if not given or not all(_LANGUAGE.fullmatch(language) for language in given):
        raise Malformed("a notice is given in at least one language")
    return MappingProxyType(
        {language: sentence(text, longest=LONGEST_SENTENCE) for language, text in given.items()}
    )


def parse_day(value: JsonValue) -> date:
    """Read a day, written YYYY-MM-DD; anything else is `Malformed`."""
    text = members.text(value)
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Malformed("a day is written YYYY-MM-DD") from error
    if found.isoformat() != text:
        raise Malformed("a day is written YYYY-MM-DD")
    return found


def sentence(value: JsonValue, *, longest: int) -> str:
    """Read a text that people will see; what they could not see may not be in it.

    Raises:
        Malformed: no text, an empty one, one that is too long, or one that hides something
            (`spelling.hides_nothing`).
    """
    text = members.text(value)
    if not text.strip() or len(text) > longest:
        raise Malformed("a text is empty or too long")
    if not spelling.hides_nothing(text):
        raise Malformed("a text has characters that nobody sees, or a pile of marks")
    return text
