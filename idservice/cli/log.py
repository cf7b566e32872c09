"""`idservice log`: make a log, witness anybody's, and check one as an outsider.

DESIGN section 5. `verify` reads what everybody can read and believes only the keys it is told;
from the second time on it reads only what is new. What entries mean is for `register`. The
offices' code is loaded for those commands only that need it: whoever checks need not wait for it.
"""

import importlib
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from crypto.log import note
from crypto.log.cosignature import Policy
from crypto.log.note import Note, SignatureType, VerifierKey
from idservice import clock
from idservice.storage import published
from idservice.storage.published import FolderLog
from idservice.transparency import monitor
from idservice.transparency.model import Contradiction
from idservice.transparency.monitor import Checked, Expected, Visit
from idservice.transparency.ports import Absent, Resources

app = typer.Typer(
    help="Make a public log, witness one, or check one as an outsider.", no_args_is_help=True
)

NO: Final = 1
MISUSE: Final = 2
HOUR: Final = 3600

_STEP: Final = 1000
"""Entries after which progress is shown."""

Keys = Annotated[list[str] | None, typer.Option("--witness", help="A witness's key; repeat it.")]


def _misuse(error: object) -> NoReturn:
    typer.echo(f"Not done: {error}.", err=True)
    raise typer.Exit(MISUSE)


@app.command(
    "create",
    epilog="Example: idservice log create log --origin register.example.org/log",
)
def create(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    origin: Annotated[str, typer.Option(help="The log's name for ever: an address, no scheme.")],
    witnesses: Annotated[
        list[str] | None,
        typer.Option("--witness", help="A witness as KEY=ADDRESS; may be repeated."),
    ] = None,
    quorum: Annotated[int, typer.Option(help="How many of them must cosign.", min=0)] = 0,
) -> None:
    """Make a log's key and settings, and print the key that everybody checks it with."""
    asked = dict(_split(each) for each in witnesses or [])
    if (quorum == 0) != (not asked) or quorum > len(asked):
        _misuse("a quorum is at least one and at most all witnesses")
    office, unusable = _office("log")
    try:
        key = office.found(
            folder,
            origin=origin,
            witnesses=asked,
            quorum=quorum,
            random_bytes=secrets.token_bytes,
        )
    except unusable as error:
        _misuse(error)
    typer.echo(key.text)
    if not asked:
        typer.echo("Without witnesses only the log vouches for itself: a demonstration.", err=True)


def _split(told: str) -> tuple[str, str]:
    key, separator, address = told.rpartition("=http")
    if not separator:
        _misuse("a witness is KEY=ADDRESS, and the address begins with http")
    return key, f"http{address}"


@app.command(
    "witness",
    epilog="Example: idservice log witness --folder witness --name w.example.org --log KEY",
)
def witness(
    *,
    folder: Annotated[Path, typer.Option(help="The witness's folder; made where it is missing.")],
    name: Annotated[str | None, typer.Option(help="Name of a new witness, for ever.")] = None,
    logs: Annotated[
        list[str] | None,
        typer.Option("--log", help="A log's key; may be repeated. Later ones: `witness.json`."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8090,
    descriptor: Annotated[
        int | None, typer.Option("--fd", help="Listen on this inherited socket instead.", min=3)
    ] = None,
) -> None:
    """Cosign logs for as long as each only grows (C2SP tlog-witness)."""
    office, unusable = _office("witness")
    try:
        if not office.is_made(folder):
            if name is None:
                _misuse("a new witness needs --name")
            keys = [_log_key(each) for each in logs or []]
            office.found(folder, name=name, logs=keys, random_bytes=secrets.token_bytes)
        key, counter = office.from_folder(folder, environ=os.environ, clock=clock.SystemClock())
        typer.echo(f"Key: {key.text}")
        serve = importlib.import_module("idservice.cli.serve")
        serve.run(counter, host=host, port=port, descriptor=descriptor)
    except unusable as error:
        _misuse(error)


def _office(name: str) -> tuple[Any, type[Exception]]:
    """Load a process's parts, and the error that they are refused with."""
    office = importlib.import_module(f"idservice.apps.transparency.{name}")
    return office, office.UnusableSettings


@app.command(
    "verify",
    epilog="Example: idservice log verify https://register.example.org/log --log KEY --seen FILE",
)
def verify(
    where: Annotated[str, typer.Argument(help="The log's address, or a folder with a copy.")],
    *,
    log: Annotated[str, typer.Option(help="The log's key.")],
    witnesses: Keys = None,
    quorum: Annotated[int, typer.Option(help="How many witnesses must have cosigned.", min=0)] = 0,
    hours: Annotated[
        int, typer.Option("--max-age", help="Hours since their quorum, at most.", min=1)
    ] = 24,
    seen: Annotated[
        Path | None,
        typer.Option(help="Where the last checkpoint seen is kept; go on from there."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check everything, or all that is new: 0 it holds, 1 it does not, 2 it cannot be read."""
    expected = Expected(
        log=_log_key(log), policy=_policy(witnesses or [], quorum), most_seconds=hours * HOUR
    )
    now = clock.SystemClock().now()
    before = _read_seen(seen)
    try:
        with ExitStack() as stack:
            read = _source(where, stack)
            visit = stack.enter_context(_progress())
            checked = monitor.check(read, expected=expected, seen=before, now=now, visit=visit)
    except Absent:
        _misuse("something that a log publishes is missing there, or nobody answers")
    except Contradiction as found:
        _tell_contradiction(found, seen, as_json=as_json)
        raise typer.Exit(NO) from None
    except CryptoError as error:
        _tell({"result": "no", "reason": str(error)}, f"It does not hold: {error}.", as_json)
        raise typer.Exit(NO) from None
    if seen is not None:
        _keep(seen, checked.signed.note.octets())
    _tell_checked(checked, as_json=as_json)


def _log_key(text: str) -> VerifierKey:
    key = _key(text)
    if key.type is not SignatureType.ED25519:
        _misuse("a log's key is of type 0x01")
    return key


def _key(text: str) -> VerifierKey:
    try:
        return note.parse_key(text)
    except CryptoError as error:
        _misuse(f"not a verifier key ({error})")


def _policy(witnesses: list[str], quorum: int) -> Policy | None:
    if not witnesses and not quorum:
        return None
    keys = tuple(_key(each) for each in witnesses)
    try:
        return Policy(witnesses=keys, threshold=quorum or len(keys))
    except CryptoError as error:
        _misuse(error)


def _keep(path: Path, octets: bytes) -> None:
    try:
        published.put(path, octets, unfinished=path.with_name(f".{path.name}.unfinished"))
    except OSError:
        _misuse(f"{path} cannot be written")


def _read_seen(path: Path | None) -> Note | None:
    if path is None or not path.exists():
        return None
    try:
        return note.parse(path.read_bytes())
    except (OSError, CryptoError):
        _misuse(f"{path} is not a checkpoint that was kept")


def _source(where: str, stack: ExitStack) -> Resources:
    if where.startswith(("http://", "https://")):
        client = importlib.import_module("idservice.clients.transparency")
        read: Resources = stack.enter_context(client.HttpLog(where))
        return read
    return FolderLog(Path(where))


@contextmanager
def _progress() -> Iterator[Visit]:
    """Show how far it is, where somebody looks."""
    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TextColumn("entries"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("entries", total=None)

        def visit(number: int, _entry: bytes) -> None:
            if not number % _STEP:
                shown.update(task, completed=number)

        yield visit


def _tell(answer: JsonObject, text: str, as_json: bool) -> None:
    typer.echo(canonical_json.serialize(answer).decode() if as_json else text)


def _tell_checked(checked: Checked, *, as_json: bool) -> None:
    head, witnessed = checked.signed.checkpoint.head, checked.witnessed
    lines = [f"It holds: {head.size} entries, {head.size - checked.seen} of them new to you."]
    if witnessed is None:
        lines.append("No witness was asked for: only the log vouches for itself.")
    else:
        names = sorted({each.witness.name for each in witnessed.cosignatures})
        lines.append(f"Cosigned by {len(names)} witnesses: {', '.join(names)}.")
    _tell(
        {
            "result": "yes",
            "origin": checked.signed.checkpoint.origin,
            "size": head.size,
            "root": head.root.hex(),
            "seen": checked.seen,
            "witnessed_at": None if witnessed is None else witnessed.current,
        },
        "\n".join(lines),
        as_json,
    )


def _tell_contradiction(found: Contradiction, seen: Path | None, *, as_json: bool) -> None:
    """Keep and print both signed heads: anybody can check them, and no log can explain them."""
    first, second = found.first.octets(), found.second.octets()
    if seen is not None:
        evidence = seen.with_name(f"{seen.name}.contradiction")
        _keep(evidence, first + b"\n" + second)
    shown = f"{_shown(first.decode())}\n{_shown(second.decode())}"
    text = f"The log contradicts itself. It signed both:\n\n{shown}"
    answer: JsonObject = {
        "result": "no",
        "reason": "contradiction",
        "first": first.decode(),
        "second": second.decode(),
    }
    _tell(answer, text, as_json)


def _shown(text: str) -> str:
    """Write out what a terminal would act on instead of showing it."""
    return "".join(
        each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text
    )


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="log")
