"""`idservice enrol`: a person before a clerk leaves with a printed card, or an offer and a slip.

DESIGN sections 2 and 4, roads 1 and 2. With `--print` a record becomes a PDF: no folder is read,
no row written, no server asked. Without it the person is enrolled on the issuer's own machine;
there is no way in over the network. Papers are looked at, never copied: nothing here takes a
scan. What is asked and shown stands in `desk`, what is printed in `card`, what is kept in
`issuer`. Exit codes: 0 done, 1 refused, 2 misuse or an unreadable file.
"""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from sqlalchemy.exc import SQLAlchemyError

from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice import catalogue, clock, period
from idservice.apps import keys, settings
from idservice.card import face, layout, output, sheet
from idservice.card.refusal import CannotPrint, CannotWrite, Unreadable
from idservice.cli import desk
from idservice.clock import Clock
from idservice.errors import ServiceError
from idservice.issuer import claims, model
from idservice.issuer.claims import Person
from idservice.issuer.service import Desk, Stores
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.storage.issuer_pending import SqlPending
from idservice.verification import trust

_LARGEST_FILE: Final = 32 * 1024 * 1024
_STANDARD: Final = Path("-")
_NO: Final = 1
_MISUSE: Final = 2
_UNSEEN: Final = """\
Enrolled, but offer and slip cannot be shown. Enrol once more: nobody can take up the first
offer, and it ends within 15 minutes."""
_WITHOUT_SHEET: Final = "Enrolled, but {}. Copy the slip by hand."
_PRINTED: Final = "Printed. Nothing but the PDF was written; delete it when the card is in hand."


class _Misuse(Exception):
    """The command cannot be carried out as it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Printing:
    record: Path
    photo: Path | None
    fields: list[str] | None
    city: str | None
    expires: str | None
    code: bool
    font: Path | None
    out: Path
    force: bool
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enrolling:
    folder: Path
    configuration: str
    record: Path | None
    photo: Path | None
    guardian_present: bool
    sheet: Path | None
    font: Path | None
    force: bool
    as_json: bool
    clock_offset: int


def enrol(  # noqa: PLR0913, a command line is its options
    *,
    print_record: Annotated[
        Path | None,
        typer.Option(
            "--print",
            metavar="RECORD",
            help="Print a plain card of this record, keep nothing; - reads standard input.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PDF", help="Where the card goes; - writes standard output."),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME", help="Print this field; may be repeated."),
    ] = None,
    city: Annotated[
        str | None, typer.Option(help="The city's name; left out, the record's locality.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The card's last day.")
    ] = None,
    code: Annotated[
        bool,
        typer.Option("--code", help="If the holder asks: a QR code of the printed text."),
    ] = False,
    font: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A font for one more script.")
    ] = None,
    photo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JPEG or PNG; its metadata is dropped.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Enrol: the issuer's folder, CITY/issuer.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="RECORD", help="Enrol from this record, ask nothing; - reads it."
        ),
    ] = None,
    credential_format: Annotated[
        Literal["dc+sd-jwt", "jwp+bbs"],
        typer.Option(
            "--format",
            help="jwp+bbs: experimental, nobody can link its showings; withdrawal acts late.",
        ),
    ] = catalogue.FORMAT,
    guardian_present: Annotated[
        bool,
        typer.Option(
            "--guardian-present",
            help="With --from, for ages 10 to 17, or no birth date; written nowhere.",
        ),
    ] = False,
    sheet_file: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="PDF", help="Also write the offer and the slip as PDF."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing PDF.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
    clock_offset: Annotated[
        int, typer.Option(help="Seconds to move the clock (demonstration only).")
    ] = 0,
) -> None:
    """Print a plain card, or enrol somebody who stands at the desk.

    With --print nothing but the PDF is written, and nobody is asked. With --folder the answer is
    an offer, a transaction code and a slip: shown once, kept nowhere.
    """
    with _exits():
        if print_record is not None and out is not None and folder is None:
            other_format = credential_format != catalogue.FORMAT
            _unused("--print", record, sheet_file, guardian_present, clock_offset, other_format)
            _print(
                _Printing(
                    record=print_record,
                    photo=photo,
                    fields=fields,
                    city=city,
                    expires=expires,
                    code=code,
                    font=font,
                    out=out,
                    force=force,
                    as_json=as_json,
                )
            )
        elif folder is not None and print_record is None:
            _unused("--folder", out, fields, city, expires, code)
            _enrol(
                _Enrolling(
                    folder=folder,
                    configuration=catalogue.CONFIGURATION_OF[credential_format],
                    record=record,
                    photo=photo,
                    guardian_present=guardian_present,
                    sheet=sheet_file,
                    font=font,
                    force=force,
                    as_json=as_json,
                    clock_offset=clock_offset,
                )
            )
        else:
            raise _Misuse("give --print RECORD with --out PDF, or --folder CITY/issuer")


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.command(
        "enrol",
        epilog="Example: idservice enrol --print record.json --out card.pdf",
        no_args_is_help=True,
    )(enrol)


def _print(told: _Printing) -> None:
    today = period.day(clock.SystemClock().now())
    person = desk.read_person(_read(told.record), photo=_photo(told.photo), today=today)
    choice = face.Choice(
        fields=_fields(told.fields),
        city=_city(told.city, person),
        expires=_expires(told.expires, today),
        code=told.code,
    )
    portrait = None if person.portrait is None else claims.parse_portrait(person.portrait)
    with layout.typefaces(_font(told.font)) as fonts:
        drawn = face.compose(person.claims(on=today), portrait=portrait, choice=choice, fonts=fonts)
        paper = face.print_pdf(drawn, fonts=fonts)
    if told.out != _STANDARD:
        output.write(told.out, paper, replace=told.force)
        typer.echo(json.dumps({"printed": True}) if told.as_json else _PRINTED)
    elif sys.stdout is None or sys.stdout.isatty():
        raise _Misuse("a PDF is not for a terminal; give --out PDF, or a pipe to a printer")
    else:
        sys.stdout.buffer.write(paper)


def _enrol(told: _Enrolling) -> None:
    office = settings.issuer(told.folder, environ=os.environ, clock_offset=told.clock_offset)
    time = clock.SystemClock(offset=told.clock_offset)
    today = period.day(time.now())
    known = _known(told.folder / keys.BUNDLE, now=time.now())
    desk.check_issuing(known, configuration=told.configuration, now=time.now())
    root = trust.fingerprint_text(known.trust.root_fingerprint)
    charter = trust.fingerprint_text(known.in_force.charter_digest)
    if sys.stdout is None:
        raise _Misuse("there is no standard output for the slip")
    asked = told.record is None
    with _sheet(told, office.city.name) as write, desk.wiped(asked=asked and not told.as_json):
        if told.record is None:
            person = desk.ask(office.city.name, photo=_photo(told.photo), today=today)
        else:
            person = desk.read_person(_read(told.record), photo=_photo(told.photo), today=today)
            desk.check_guardian(person, present=told.guardian_present, today=today)
        with _desk(office, time) as clerk:
            enrolment = clerk.enrol(person, configuration=told.configuration)
        handed = desk.Handed(
            enrolment=enrolment, root=root, charter=charter, configuration=told.configuration
        )
        written = write(handed)
        try:
            desk.show(handed, as_json=told.as_json, wait=asked)
        except (OSError, UnicodeError) as error:  # a terminal that is not UTF-8 draws no code
            typer.echo(_UNSEEN, err=True)
            raise typer.Exit(_MISUSE) from error
    if not written:
        raise typer.Exit(_MISUSE)


@contextmanager
def _sheet(told: _Enrolling, city: str) -> Iterator[Callable[[desk.Handed], bool]]:
    """Make sure that a sheet can be written, before anybody is enrolled; lend what writes it.

    Raises:
        CannotPrint: the city's name cannot be drawn.
        CannotWrite: nothing can be written there.
    """
    if told.sheet is None:
        yield lambda _handed: True
        return
    place = told.sheet
    output.check(place, replace=told.force)
    with layout.typefaces(_font(told.font)) as fonts:
        drawn = sheet.city(city, fonts=fonts)

        def write(handed: desk.Handed) -> bool:
            try:
                paper = sheet.print_pdf(
                    drawn,
                    sheet.Handed(
                        link=handed.link,
                        slip=handed.enrolment.slip,
                        root=handed.root,
                        charter=handed.charter,
                        configuration=handed.configuration,
                    ),
                    fonts=fonts,
                )
                output.write(place, paper, replace=told.force)
            except (CannotPrint, CannotWrite) as error:
                typer.echo(_WITHOUT_SHEET.format(error), err=True)
                return False
            return True

        yield write


def _known(path: Path, *, now: UnixSeconds) -> Known:
    try:
        return knowledge.own(_read(path), now=now)
    except CryptoError as error:
        raise _Misuse(f"bundle.json is not as the register decided ({error})") from error


@contextmanager
def _desk(office: settings.IssuerSettings, time: Clock) -> Iterator[Desk]:
    """Put the clerk's side together: both stores, and no key.

    Where the rows are files, no office need be running that would reap them.
    """
    with ExitStack() as closing:
        opened = []
        for url, short_lived in ((office.pending_database, True), (office.database, False)):
            if url.startswith("sqlite:"):
                engine.migrate(url, "issuer", short_lived=short_lived)
            opened.append(engine.open_database(url, short_lived=short_lived))
            closing.callback(engine.close, opened[-1])
        pending = SqlPending(opened[0])
        if office.pending_database.startswith("sqlite:"):
            pending.reap(slot=model.slot(time.now()))
        yield Desk(
            Stores(
                issuer=office.base_url,
                pending=pending,
                lasting=SqlLasting(opened[1]),
                clock=time,
                random_bytes=secrets.token_bytes,
            )
        )


def _read(path: Path) -> bytes:
    """Read a file or standard input, at most what a record may need."""
    try:
        if path == _STANDARD:
            data = sys.stdin.buffer.read(_LARGEST_FILE + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "no reason given"
        raise _Misuse(f"a file cannot be read: {reason}") from error
    if len(data) > _LARGEST_FILE:
        raise _Misuse("a file is larger than 32 MiB")
    return data


def _photo(path: Path | None) -> bytes | None:
    return None if path is None else _read(path)


def _font(path: Path | None) -> Path | None:
    if path is not None:
        _read(path)
    return path


def _unused(mode: str, *given: object) -> None:
    if any(given):
        raise _Misuse(f"an option was given that {mode} does not use")


def _fields(given: list[str] | None) -> frozenset[str] | None:
    if not given:
        return None
    if not set(given) <= set(face.FIELDS):
        raise _Misuse("--field is one of " + ", ".join(face.FIELDS))
    return frozenset(given)


def _city(given: str | None, person: Person) -> str:
    city = (given or "").strip() or person.locality
    if city is None:
        raise _Misuse("the record has no locality: name the city with --city")
    return city


def _expires(given: str | None, today: date) -> date:
    latest = face.last_day(today)
    if given is None:
        return latest
    try:
        chosen = date.fromisoformat(given)
    except ValueError:
        raise _Misuse("--expires is a day, YYYY-MM-DD") from None
    if not today < chosen <= latest:
        raise _Misuse("--expires is a day from tomorrow to five years on")
    return chosen


@contextmanager
def _exits() -> Iterator[None]:
    """Turn what went wrong into one sentence, without values, and an exit code."""
    try:
        yield
    except (_Misuse, Unreadable, CannotWrite, settings.UnusableSettings) as error:
        raise _stop(str(error), _MISUSE) from error
    except (CannotPrint, CryptoError, desk.NotEnrolled) as error:
        raise _stop(str(error), _NO) from error
    except (ServiceError, SQLAlchemyError) as error:
        reason = "the issuer's databases do not answer; see `idservice migrate issuer`"
        raise _stop(reason, _MISUSE) from error


def _stop(sentence: str, code: int) -> typer.Exit:
    typer.echo(f"Not done: {sentence}.", err=True)
    return typer.Exit(code)
