"""What every `idservice register` command shares: where the register is, keys, exits, questions.

The commands themselves stand in `cli/register.py`. A member's private key is a file on the
member's own device (mode 0600); what is to be signed is shown in plain words first, made from the
entry itself. Exit codes: 0 done, 1 refused, 2 misuse, an unreadable file, or nobody answering.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.log import ed25519, note
from crypto.log.ed25519 import Signer
from crypto.log.note import Note
from idservice import loopback
from idservice.apps import key_files, settings
from idservice.apps.settings import UnusableSettings
from idservice.clients import register as client
from idservice.clients.register import Believed, HttpRegister, NotTaken, Unreachable
from idservice.clients.transparency import HttpLog
from idservice.clock import FARTHEST, SystemClock
from idservice.governance.plain_words import Rows
from idservice.register.state import Course
from idservice.storage import published
from idservice.transparency.model import Contradiction
from idservice.transparency.ports import Absent
from idservice.verification import policy

NO: Final = 1
MISUSE: Final = 2
LONGEST_FILE: Final = 1 << 20

Address = Annotated[str, typer.Option("--register", help="The register's address.", metavar="URL")]
Pin = Annotated[
    str,
    typer.Option(
        "--charter", help="SHA-256 of entry 0, hexadecimal, from elsewhere.", metavar="HEX"
    ),
]
Seat = Annotated[str, typer.Option(help="The seat that signs.")]
Key = Annotated[Path, typer.Option("--key", help="The seat's private key; mode 0600.")]
Seen = Annotated[
    Path | None,
    typer.Option(help="Where the last checkpoint seen is kept: no older history is believed."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Offset = Annotated[
    int, typer.Option("--clock-offset", help="Seconds to move the clock (demonstration only).")
]
Words = Annotated[
    str | None,
    typer.Option(help="The six words that the others read out; anything else is not signed."),
]


Number = Annotated[int, typer.Argument(help="The proposal: the number of its entry.", min=1)]


class Misuse(Exception):
    """The command cannot be carried out as it was given."""


class Refused(Exception):
    """A well-formed no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a command gets at a register."""

    address: str
    charter: str
    seen: Path | None = None
    clock_offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A register that was read and checked, and its counter."""

    counter: HttpRegister
    believed: Believed
    now: UnixSeconds
    """The reader's time."""

    def course(self, number: int) -> Course:
        """Find a proposal by the number of its entry."""
        found = self.believed.register.courses.values()
        course = next((each for each in found if each.index == number), None)
        if course is None:
            raise Refused(f"Entry {number} is no proposal of this register.")
        return course


@contextmanager
def exits(*, as_json: bool) -> Iterator[None]:
    """End the process with one sentence and the exit code that belongs to it."""
    try:
        yield
    except Refused as error:
        _end(str(error), NO, as_json=as_json)
    except NotTaken as error:
        _end(f"The register refuses it: {error.code.replace('_', ' ')}.", NO, as_json=as_json)
    except Contradiction as error:
        _end("The log contradicts what you saw before.", NO, as_json=as_json)
        raise AssertionError from error  # pragma: no cover, the process has ended
    except CryptoError as error:
        _end(f"It does not hold: {error}.", NO, as_json=as_json)
    except (Misuse, UnusableSettings) as error:
        _end(str(error), MISUSE, as_json=as_json)
    except (Unreachable, Absent):
        _end("No register answers there.", MISUSE, as_json=as_json)
    except OSError:
        _end("A file cannot be read or written there.", MISUSE, as_json=as_json)


def _end(sentence: str, code: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"result": "no", "reason": sentence}, ensure_ascii=False))
    else:
        typer.echo(sentence, err=True)
    raise typer.Exit(code)


@contextmanager
def counter(address: str) -> Iterator[HttpRegister]:
    """Talk to a register's counter; what is sent is for nobody else to read."""
    settings.check_base_url(address.rstrip("/"))
    with HttpRegister(address) as found:
        yield found


@contextmanager
def opened(access: Access) -> Iterator[Desk]:
    """Read the whole register, check it against the pinned charter, and remember what was seen."""
    pin = parse_digest(access.charter, "--charter")
    seen = _read_seen(access.seen)
    if abs(access.clock_offset) > FARTHEST:
        raise Misuse("The clock is moved by ten years at most.")
    now = SystemClock(offset=access.clock_offset).now()
    with ExitStack() as stack:
        asked = stack.enter_context(counter(access.address))
        log = stack.enter_context(HttpLog(f"{access.address.rstrip('/')}/log"))
        believed = client.read(asked, log, pin=pin, seen=seen, now=now)
        _check_offset(believed, access)
        if access.seen is not None:
            keep(access.seen, believed.head.note.octets())
        yield Desk(counter=asked, believed=believed, now=now)


def _check_offset(believed: Believed, access: Access) -> None:
    demonstration = believed.in_force.demonstration and loopback.holds(access.address)
    if access.clock_offset and not demonstration:
        raise Misuse("The clock is moved only for a demonstration on this machine.")


def parse_digest(text: str, what: str) -> bytes:
    """Read a SHA-256 in hexadecimal."""
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise Misuse(f"{what} is a SHA-256 in hexadecimal.") from error
    if len(found) != ed25519.KEY_LENGTH:
        raise Misuse(f"{what} is a SHA-256 in hexadecimal.")
    return found


def read_file(path: Path) -> bytes:
    """Read a whole file within a limit; `-` is standard input."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LONGEST_FILE + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise Misuse(f"The file {path.name} cannot be read.") from error
    if len(data) > LONGEST_FILE:
        raise Misuse(f"The file {path.name} is too long.")
    return data


def parse_day(text: str, option: str) -> date:
    """Read a day that an option says."""
    try:
        return policy.parse_day(text)
    except Malformed as error:
        raise Misuse(f"{option} is a day, written YYYY-MM-DD.") from error


def read_text(path: Path) -> str:
    """Read a whole text file, as any editor writes it; no tab and no CR is shown to anybody."""
    try:
        return read_file(path).decode("utf-8-sig").replace("\r\n", "\n").expandtabs()
    except UnicodeDecodeError as error:
        raise Misuse(f"The file {path.name} is not text.") from error


def read_json(path: Path) -> JsonObject:
    """Read a file that is one JSON object."""
    try:
        return canonical_json.parse_object(read_file(path))
    except CryptoError as error:
        raise Misuse(f"The file {path.name} is not one JSON object.") from error


def signer(path: Path) -> Signer:
    """Read a member's private key."""
    return ed25519.signer(key_files.read_ed25519(path).private_bytes_raw())


def keep(path: Path, octets: bytes) -> None:
    """Write a public file, whole or not at all."""
    try:
        published.put(path, octets, unfinished=path.with_name(f".{path.name}.unfinished"))
    except OSError as error:
        raise Misuse(f"{path.name} cannot be written.") from error


def _read_seen(path: Path | None) -> Note | None:
    if path is None or not path.exists():
        return None
    try:
        return note.parse(path.read_bytes())
    except (OSError, CryptoError) as error:
        raise Misuse(f"{path.name} is not a checkpoint that was kept.") from error


def show(value: JsonObject, text: str, *, as_json: bool) -> None:
    """Print the answer of a command."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else visible(text))


def tell_logged(found: JsonObject, *, as_json: bool) -> None:
    """Say where an entry stands."""
    text = f"Logged as entry {found.get('number')}."
    if found.get("witnessed") is False:
        text += " Witnesses have not cosigned it yet."
    show(found, text, as_json=as_json)


def visible(text: str) -> str:
    """Write out what a terminal would act on instead of showing it."""
    return "".join(
        each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text
    )


def lines(rows: Rows) -> str:
    """Write rows for a terminal."""
    return "\n".join(f"  {label}: {value}" for label, value in rows)


def agree(text: str, *, words: str, told: str | None, yes: bool, as_json: bool) -> None:
    """Show what is to be signed and ask; nothing is signed without a yes.

    Args:
        text: all of it, in plain words.
        words: six words of what is to be signed, made here.
        told: the six words that the member was told, if any.
        yes: sign without asking.
        as_json: standard output belongs to the answer.

    Raises:
        Refused: the words differ, or the answer is no.
    """
    typer.echo(visible(f"{text}\n\nIn six words: {words}"), err=as_json)
    if told is not None and " ".join(told.split()).lower() != words:
        raise Refused("These are not the six words that you were told. Nothing was signed.")
    if yes:
        return
    if not sys.stdin.isatty() and told is None:
        raise Misuse("Nobody is there to be asked; say --yes, or --words to approve.")
    if sys.stdin.isatty() and not typer.confirm("Sign this?", default=False, err=True):
        raise Refused("Nothing was signed.")
