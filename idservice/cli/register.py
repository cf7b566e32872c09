"""`idservice register`: propose, comment, answer, vote, enact, withdraw, and read what is in force.

DESIGN section 5. What needs a seat's key stands in `voting`; here is what anybody may do, and the
desk. `show` and `history` read the whole log and believe only the pinned charter. Arguments in,
text out, exit code; making a city's register is `init`'s affair.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Annotated

import typer

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice.apps import key_files
from idservice.apps.governance import settings
from idservice.cli import board
from idservice.cli.board import (
    Access,
    Address,
    AsJson,
    Desk,
    Misuse,
    Number,
    Offset,
    Pin,
    Seen,
)
from idservice.cli.voting import app
from idservice.clock import SystemClock
from idservice.complaints import over_asking
from idservice.governance import plain_words
from idservice.register import change, wire
from idservice.register.entry import (
    RemovalReason,
)
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Told
from idservice.verification import trust

complaints = typer.Typer(help="Complaints of over-asking.", no_args_is_help=True)
app.add_typer(complaints, name="complaint")

DeskKey = Annotated[
    Path, typer.Option("--desk-key", help="File with the desk's API key on its first line.")
]


@app.command(epilog="Example: idservice register create city --address URL --desk-key desk.key")
def create(
    folder: Annotated[Path, typer.Argument(help="The city's folder; its log is in it.")],
    *,
    address: Annotated[str, typer.Option(help="Where the register will be reached.")],
    desk_key: Annotated[
        Path, typer.Option("--desk-key", help="A new file for the desk's API key.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let a register be served from a folder whose log has its charter; done once."""
    with board.exits(as_json=as_json):
        secret, first = secrets.token_hex(32), settings.logged_first(folder)
        key_files.create(desk_key, f"{secret}\n".encode())  # no register whose key nobody has
        try:
            pin = settings.found(
                folder,
                first=first,
                base_url=address,
                desk_keys=[hashlib.sha256(secret.encode()).digest()],
            )
        except BaseException:
            desk_key.unlink()
            raise
        board.show({"charter": pin.hex()}, pin.hex(), as_json=as_json)


@app.command(epilog="Example: idservice register comment 12 comment.txt --register URL")
def comment(
    number: Number,
    file: Annotated[Path, typer.Argument(help="Your text; - reads standard input.")],
    *,
    address: Address,
    as_json: AsJson = False,
) -> None:
    """Comment on a proposal; no name, no account."""
    with board.exits(as_json=as_json), board.counter(address) as counter:
        body = canonical_json.serialize({"text": board.read_text(file).strip()})
        found = counter.post(f"/v1/proposals/{number}/comments", body)
        text = (
            f"Published as entry {found.get('number')}. If you want to prove later that it was"
            f" yours, keep this:\n{found.get('salt')}"
        )
        board.show(found, text, as_json=as_json)


@app.command(
    epilog="Example: idservice register answer 12 answer.txt --desk-key desk.key --register URL"
)
def answer(
    number: Number,
    file: Annotated[Path, typer.Argument(help="The written answer to objections.")],
    *,
    desk_key: DeskKey,
    address: Address,
    as_json: AsJson = False,
) -> None:
    """Publish a written answer to objections (the desk)."""
    with board.exits(as_json=as_json), board.counter(address) as counter:
        said: JsonObject = {"proposal": number, "text": board.read_text(file).strip()}
        body = canonical_json.serialize(said)
        found = counter.post("/v1/answers", body, desk_key=_first_line(desk_key))
        board.tell_logged(found, as_json=as_json)


@app.command(
    epilog="Example: idservice register remove DIGEST --reason personal_data --desk-key desk.key"
    " --register URL"
)
def remove(
    digest: Annotated[str, typer.Argument(help="The comment's digest, as its page shows it.")],
    *,
    reason: Annotated[RemovalReason, typer.Option(help="Why.")],
    desk_key: DeskKey,
    address: Address,
    as_json: AsJson = False,
) -> None:
    """Erase a comment's text and log why (the desk); its digest stays."""
    with board.exits(as_json=as_json), board.counter(address) as counter:
        board.parse_digest(digest, "A comment's digest")
        body = canonical_json.serialize({"comment": digest.lower(), "reason": reason.value})
        found = counter.post("/v1/removals", body, desk_key=_first_line(desk_key))
        board.tell_logged(found, as_json=as_json)


@app.command(epilog="Example: idservice register show --register URL --charter HEX --seen FILE")
def show(
    *,
    address: Address,
    charter: Pin,
    seen: Seen = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Read the whole register, check it, and say what is in force."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        found = desk.believed.in_force
        holding = [
            each
            for each in found.records.values()
            if each.holds(earliest=found.earliest, latest=found.latest)
        ]
        told: list[JsonValue] = [
            {
                "subject": each.subject,
                "change": change.write(each.change),
                "until": each.until,
                "entries": [*each.entries],
            }
            for each in holding
        ]
        value: JsonObject = {
            "city": found.charter.city,
            "demonstration": found.demonstration,
            "size": found.size,
            "in_force": told,
        }
        texts = [
            f"{title}\n{board.lines((*rows, *more))}"
            for title, rows, more in (plain_words.holding(each.change) for each in holding)
        ]
        board.show(value, "\n\n".join([_standing(desk), *texts]), as_json=as_json)


@app.command(epilog="Example: idservice register history --register URL --charter HEX")
def history(
    *,
    address: Address,
    charter: Pin,
    seen: Seen = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Read the whole register, check it, and list every entry and whether it counts."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        refused = {each.index: each.reason.value for each in desk.believed.register.refusals}
        told: list[JsonValue] = []
        texts = [_standing(desk)]
        for place, octets in enumerate(desk.believed.entries):
            reason = refused.get(place)
            said = (
                plain_words.event(wire.parse(octets))
                if reason is None
                else f"does not count: {plain_words.spaced(reason)}"
            )
            told.append({"number": place, "said": said, "refused": reason})
            texts.append(f"{place:>6}  {said}")
        board.show({"entries": told}, "\n".join(texts), as_json=as_json)


@complaints.command(
    "verify", epilog="Example: idservice register complaint verify FILE --bundle bundle.json"
)
def verify(
    file: Annotated[Path, typer.Argument(help="What a wallet wrote.")],
    *,
    bundle: Annotated[Path, typer.Option(help="The city's trust bundle.")],
    root: Annotated[str | None, typer.Option(help="Fingerprint of the city root.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a verifier's own signature proves that it asked too much."""
    with board.exits(as_json=as_json):
        now = SystemClock().now()
        known = _bundle(bundle, root, now)
        proved = over_asking.prove(
            board.read_file(file),
            root=known.root,
            policies=tuple(known.policies.values()),
            now=now,
        )
        excess = [over_asking.words(each) for each in proved.excess]
        value: JsonObject = {
            "result": "yes",
            "verifier": proved.verifier,
            "policy": proved.policy,
            "excess": [*excess],
        }
        text = f"It is proved: {proved.verifier} {'; it '.join(excess)}."
        if proved.policy is not None:
            text += f" Its policy is {proved.policy}."
        board.show(value, text, as_json=as_json)


@complaints.command("send", epilog="Example: idservice register complaint send FILE --register URL")
def send(
    file: Annotated[Path, typer.Argument(help="What a wallet wrote.")],
    *,
    address: Address,
    as_json: AsJson = False,
) -> None:
    """Hand a complaint to the register's box, which publishes what it proves and forgets it."""
    with board.exits(as_json=as_json), board.counter(address) as counter:
        typer.echo(over_asking.WARNING, err=True)
        found = counter.post("/v1/complaints", board.read_file(file))
        board.show(found, "Taken, published without the file, and forgotten.", as_json=as_json)


def _standing(desk: Desk) -> str:
    found = desk.believed.in_force
    stands = f"{found.charter.city}: {found.size} entries, all checked."
    if found.demonstration:
        stands += " A demonstration: witnesses outside the city do not suffice."
    return stands


def _bundle(path: Path, root: str | None, now: UnixSeconds) -> trust.TrustBundle:
    try:
        fingerprint = None if root is None else trust.parse_fingerprint(root)
    except CryptoError as error:
        raise Misuse("A root fingerprint has 64 hexadecimal digits.") from error
    data = board.read_file(path)
    try:
        return knowledge.take(data, pinned=None, told=Told(root=fingerprint), now=now).trust
    except CryptoError as error:
        raise Misuse(f"{path.name} is not this city's trust bundle ({error}).") from error


def _first_line(path: Path) -> str:
    found = board.read_text(path).splitlines()
    if not found:
        raise Misuse(f"The file {path.name} is empty.")
    return found[0].strip()


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="register")
