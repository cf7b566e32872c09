"""The clerk's desk: what is asked, how a record is read, and what is shown at the end.

DESIGN section 2, "The slip" and "Sealed offers", and section 3, "Claims". Nothing is asked that
is not in the catalogue, everything but residence may be left out, and whether a guardian is here
is asked and not written down. What is shown is shown once: the code goes to the resident by word
of mouth, apart from the square, and the slip on paper. The commands stand in `enrol`.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pybase64
import segno
import typer

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from idservice import catalogue, period
from idservice.card import portrait
from idservice.card.refusal import Unreadable
from idservice.issuer import claims
from idservice.issuer.claims import Person
from idservice.issuer.model import Enrolment
from idservice.register.reading.knowledge import Known
from idservice.verification.trust import TrustBundle

ADULT: Final = 18
WIDTH: Final = 78

_QUIET: Final = 4
_BLOCKS: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
_BLACK_ON_WHITE: Final = "\x1b[30;107m"
_PLAIN: Final = "\x1b[0m"
_SLIP: Final = """\
Whoever has these letters can end the card. Give them to the resident on paper,
to be kept apart from the phone, where nobody else reads it. If the phone is
lost or stolen, they are read out at any desk, sent by post or typed into
`idservice wallet withdraw`; """
_SLIPS: Final = {
    catalogue.CONFIGURATION: _SLIP
    + """\
the next list, signed every night, says so:
whoever has fetched it refuses every copy of the card, and no list counts for
more than seven days. The city has no copy of the slip. Without slip and phone
the card runs out by itself, 38 days later at most, if nobody who has the phone
and its passphrase renews it.""",
    catalogue.BBS_CONFIGURATION: _SLIP
    + """\
from then on nobody can renew the card. Until
it ends, 32 days later at most, whoever has the phone and its passphrase can
still show it: nothing in what is shown tells one card from another, so none can
be refused alone. The city has no copy of the slip. Without slip and phone the
card runs out by itself, in the same 32 days, if nobody renews it.""",
}

_NAMES: Final = (
    ("given_name", "Given names"),
    ("family_name", "Family names"),
)
_OTHERS: Final = (
    ("locality", "City or place to be shown"),
    ("gender", "Gender, in the person's own words, only if wanted"),
)
_ADDRESS: Final = (
    ("care_of", "Address: care of"),
    ("street_address", "Address: street and number"),
    ("postal_code", "Address: postal code"),
    ("locality", "Address: place"),
)


class NotEnrolled(Exception):
    """Somebody whom the clerk may not enrol now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What leaves the desk with the resident."""

    enrolment: Enrolment = field(repr=False)
    root: str
    """Fingerprint of the city root, in groups."""
    charter: str
    """Fingerprint of its charter, in groups."""
    configuration: str

    @property
    def link(self) -> str:
        """The shorter spelling of the offer, which makes the coarser square."""
        return min(self.enrolment.offer, self.enrolment.offer_by_reference, key=len)


def read_person(data: bytes, *, photo: bytes | None, today: date) -> Person:
    """Read a record, with its portrait or `photo` drawn anew and without metadata.

    The record's `portrait` may be a data address or bare base64, of any JPEG or PNG.

    Raises:
        Unreadable: the record is no JSON object, or the picture is none.
        Malformed: the record is refused; the text names the member and never the value.
        CannotPrint: the picture is refused.
    """
    try:
        record = canonical_json.parse_object(data)
    except Malformed as error:
        raise Unreadable(f"the record cannot be read: {error}") from error
    if photo is None and record.get("portrait") is not None:
        photo = _decode(record["portrait"])
    if photo is not None:
        record["portrait"] = claims.portrait_claim(portrait.prepare(photo))
    return claims.from_record(record, today=today)


def check_issuing(known: Known, *, configuration: str, now: UnixSeconds) -> None:
    """Refuse to offer what the issuer may not issue, or has no key for.

    Raises:
        NotEnrolled: the register stops issuing, or nothing is announced for the present period.
    """
    check_announced(known.trust, configuration=configuration, now=now)
    in_force = known.in_force
    why = in_force.stopped(now=now)
    if why is not None:
        raise NotEnrolled(f"by the register nothing is issued now: {why.value}")
    if not in_force.may_issue(configuration=configuration, period=period.of(now)):
        raise NotEnrolled("the register has dropped the key of this format and period")


def check_announced(bundle: TrustBundle, *, configuration: str, now: UnixSeconds) -> None:
    """Refuse to offer what the issuer has no key for now.

    Raises:
        NotEnrolled: nothing is announced for the present period.
    """
    here = period.of(now)
    plain = bundle.find(configuration=configuration, period=here)
    if plain is None and bundle.find_bbs(configuration=configuration, period=here) is None:
        raise NotEnrolled("no key is announced for this format now: `idservice init announce`")


def check_guardian(person: Person, *, present: bool, today: date) -> None:
    """Refuse to enrol somebody who may be 10 to 17 and whose guardian is not here.

    Args:
        person: who is enrolled.
        present: a guardian is here, or, where there is no birth date, the person is older.
        today: the day of the visit.

    Raises:
        NotEnrolled: no guardian.
    """
    if present:
        return
    if person.birth_date is None:
        raise NotEnrolled("no birth date: older than 17, or a guardian here? --guardian-present")
    if claims.age(person.birth_date, on=today) < ADULT:
        raise NotEnrolled("for ages 10 to 17 a guardian stands here: --guardian-present")


def ask(city: str, *, photo: bytes | None, today: date) -> Person:
    """Ask for each claim; an empty answer leaves it out.

    Raises:
        NotEnrolled: no resident, or no guardian where there must be one.
        CannotPrint: the picture cannot be read or is refused; nothing has been asked then.
    """
    drawn = None if photo is None else claims.portrait_claim(portrait.prepare(photo))
    typer.echo("Look at papers, copy none. Only residence is needed; Enter leaves a line out.\n")
    if not typer.confirm(f"Does the person live in {city}?", default=False):
        raise NotEnrolled("the card is for residents")
    record: JsonObject = {"resident": True}
    for name, question in _NAMES:
        record[name] = _answer(name, question, today)
    record["birth_date"] = _answer("birth_date", "Birth date, YYYY-MM-DD", today)
    _ask_guardian(record, today)
    for name, question in _OTHERS:
        record[name] = _answer(name, question, today)
    typer.echo("A substitute address, or none at all, is as good as any other.")
    record["address"] = {
        name: _answer(name, question, today, inside="address") for name, question in _ADDRESS
    }
    record["portrait"] = drawn
    return claims.from_record(record, today=today)


@contextmanager
def wiped(*, asked: bool) -> Iterator[None]:
    """Wipe a terminal on which somebody was asked, however that ends."""
    try:
        yield
    finally:
        if asked and _is_terminal():
            typer.echo("\x1b[3J\x1b[2J\x1b[H", nl=False)


def show(handed: Handed, *, as_json: bool, wait: bool) -> None:
    """Print what leaves the desk; `wait` for the clerk, on a terminal that is wiped afterwards."""
    if as_json:
        typer.echo(json.dumps(_json(handed)))
        return
    typer.echo("\n".join(screen(handed, colour=sys.stdout.isatty())))
    if wait and _is_terminal():
        typer.prompt("Handed over? Enter clears the screen", default="", show_default=False)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def screen(handed: Handed, *, colour: bool) -> list[str]:
    """Write the hand-over for a terminal of 80 columns."""
    return [
        "",
        "1. The offer: the resident's wallet reads this square, within 10 minutes.",
        "",
        *_square(handed.link, colour=colour),
        "",
        handed.link,
        "",
        "2. The transaction code: say it, do not write it beside the square.",
        "",
        "   " + " ".join(handed.enrolment.transaction_code),
        "",
        "3. The city's fingerprint: the wallet shows the same, or it is another city.",
        "",
        *_halves(handed.root),
        "",
        "   And its charter's, by which the register is known:",
        "",
        *_halves(handed.charter),
        "",
        "4. The slip:",
        "",
        "   " + handed.enrolment.slip,
        "",
        _SLIPS[handed.configuration],
        "",
    ]


def _halves(fingerprint: str) -> list[str]:
    groups = fingerprint.split()
    half = len(groups) // 2
    return ["   " + " ".join(groups[:half]), "   " + " ".join(groups[half:])]


def _json(handed: Handed) -> dict[str, str]:
    return {
        "offer": handed.enrolment.offer,
        "offer_by_reference": handed.enrolment.offer_by_reference,
        "transaction_code": handed.enrolment.transaction_code,
        "slip": handed.enrolment.slip,
        "root_fingerprint": handed.root,
        "charter_fingerprint": handed.charter,
    }


def _square(text: str, *, colour: bool) -> list[str]:
    """Draw a QR code in half blocks, two rows of modules to a line, or say that it is too wide."""
    matrix = segno.make_qr(text, error="l", boost_error=False).matrix
    width = len(matrix) + 2 * _QUIET
    if width > WIDTH:
        return ["   (The square is wider than this screen: use the link, or --sheet.)"]
    empty = [0] * width
    side = [0] * _QUIET
    rows = [empty] * _QUIET + [[*side, *(m & 1 for m in row), *side] for row in matrix]
    rows += [empty] * (_QUIET + len(rows) % 2)
    lines = [_line(rows[at], rows[at + 1]) for at in range(0, len(rows) - 1, 2)]
    return [f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in lines] if colour else lines


def _line(above: Sequence[int], below: Sequence[int]) -> str:
    return "".join(_BLOCKS[pair] for pair in zip(above, below, strict=True))


def _decode(value: JsonValue) -> bytes:
    """Read the picture of a record: a data address or bare base64."""
    text = value.rpartition("base64,")[2] if isinstance(value, str) else ""
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        raise Unreadable("portrait: not base64") from None


def _answer(name: str, question: str, today: date, *, inside: str | None = None) -> str | None:
    """Ask until the answer is empty or could stand in a record."""
    while True:
        given: str = typer.prompt(question, default="", show_default=False)
        answer = given.strip()
        if not answer:
            return None
        record: JsonObject = {name: answer} if inside is None else {inside: {name: answer}}
        try:
            claims.from_record({"resident": True, **record}, today=today)
        except Malformed as error:
            typer.echo(f"  Once more, please: {error}.")
        else:
            return answer


def _ask_guardian(record: JsonObject, today: date) -> None:
    """Ask what is not written down."""
    born = claims.from_record(record, today=today).birth_date
    if born is None:
        question = "Is the person 18 or older, or from age 10 on and with a guardian here?"
    elif claims.age(born, on=today) < ADULT:
        question = "Is a guardian here, and does the guardian agree? (not written down)"
    else:
        return
    if not typer.confirm(question, default=False):
        raise NotEnrolled("for ages 10 to 17 a guardian stands here")
