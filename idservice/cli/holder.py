"""What every `idservice wallet` command shares: folder, passphrase, clock, exit codes, questions.

The commands themselves stand in `cli/wallet.py`. Nothing is logged; what goes wrong is one
sentence on standard error (or one JSON object on standard output with `--json`), without values.
"""

import functools
import inspect
import json
import os
import secrets
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from idservice import loopback
from idservice.clients import openid
from idservice.clock import FARTHEST, SystemClock
from idservice.storage import wallet as storage
from idservice.verification import trust
from idservice.wallet.model import Declined, Unusable, WalletError
from idservice.wallet.service import WalletService

PASSPHRASE: Final = "IDSERVICE_WALLET_PASSPHRASE"  # noqa: S105, the name of a variable
REFUSAL_PAUSE: Final = 3.0
"""Seconds before every no to a verifier, so that its time tells nothing of the reason."""

LONGEST_FILE: Final = 8 << 20
WIDTH: Final = 78

DEFAULT_FOLDER: Final = Path("~/.idservice-wallet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a command gets at its wallet: the options that all of them share."""

    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="Take this newer trust bundle first.", metavar="FILE"),
    ] = None
    folder: Annotated[
        Path,
        typer.Option(envvar="IDSERVICE_WALLET", help="The wallet's own folder.", metavar="DIR"),
    ] = DEFAULT_FOLDER
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Read the passphrase from this file's first line.")
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False
    clock_offset: Annotated[
        int, typer.Option("--clock-offset", help="Seconds to move the clock (demonstration only).")
    ] = 0


def sharing(act: Callable[..., None]) -> Callable[..., None]:
    """Let a command have the shared options behind its own, and get them first, as one `Access`.

    What goes wrong ends the process with one sentence and the exit code that belongs to it.
    """
    own = list(inspect.signature(act).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=each.type,
        )
        for each in fields(Access)
    ]

    @functools.wraps(act)
    def command(**given: Any) -> None:
        access = Access(**{each.name: given.pop(each.name) for each in shared})
        with exits(as_json=access.as_json):
            act(access, **given)

    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    signature = inspect.Signature([*keywords, *shared])
    command.__signature__ = signature  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {each.name: each.annotation for each in (*keywords, *shared)}
    return command


@contextmanager
def exits(*, as_json: bool) -> Iterator[None]:
    """End the process with one sentence and the exit code that belongs to it."""
    try:
        yield
    except WalletError as error:
        say_no(str(error), as_json=as_json)
        raise typer.Exit(2 if isinstance(error, Unusable) else 1) from error


@contextmanager
def opened(
    access: Access, *, root: str | None = None, charter: str | None = None
) -> Iterator[WalletService]:
    """Open the wallet, take a newer bundle if one is given, and check the clock's offset."""
    folder = expanded(access.folder)
    bundle = None if access.trust is None else read_file(access.trust)
    passphrase = _passphrase(folder, access.passphrase_file)
    with (
        storage.opened(folder, passphrase=passphrase, random_bytes=secrets.token_bytes) as store,
        openid.HttpWire() as wire,
    ):
        service = WalletService(
            store=store,
            wire=wire,
            clock=SystemClock(offset=access.clock_offset),
            random_bytes=secrets.token_bytes,
            pause=lambda: time.sleep(REFUSAL_PAUSE),
        )
        if bundle is not None:
            _pin(service, bundle, root=_fingerprint(root), charter=_fingerprint(charter))
        _check_offset(service, access.clock_offset)
        yield service


def say(value: JsonObject, text: str, *, as_json: bool) -> None:
    """Print the answer of a command."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else _folded(text))


def say_no(sentence: str, *, as_json: bool) -> None:
    """Print why something was not done."""
    if as_json:
        typer.echo(json.dumps({"result": "refused", "sentence": sentence}, ensure_ascii=False))
    else:
        typer.echo(_folded(sentence), err=True)


def _folded(text: str) -> str:
    """Break long lines between words; an address stays in one piece."""
    return "\n".join(
        textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)
        if len(line) > WIDTH
        else line
        for line in text.splitlines()
    )


def interactive() -> bool:
    """Say whether somebody can be asked."""
    return sys.stdin.isatty()


def ask(prompt: str, *, secret: bool = False, default: str | None = None) -> str:
    """Ask the holder for one line; without a terminal the next line of standard input."""
    if interactive():
        answer = typer.prompt(
            prompt, default=default, hide_input=secret, show_default=False, err=True
        )
        return str(answer).strip()
    line = _line()
    if not line:
        raise Unusable(f"{prompt}: nobody is there to be asked.")
    return line.strip()


def agreed(prompt: str) -> bool:
    """Ask for a yes; anything else is a no."""
    return ask(f"{prompt} [y/N]", default="").lower() in {"y", "yes"}


def line_or_stdin(argument: str) -> str:
    """Return an argument, or for `-` the first line of standard input."""
    return _line().strip() if argument == "-" else argument


def _line() -> str:
    try:
        line = sys.stdin.readline()
        line.encode()  # what could not be read is a surrogate in some locales, an error in others
    except UnicodeError as error:
        raise Unusable("Standard input is not text in UTF-8.") from error
    return line


def expanded(path: Path) -> Path:
    """Return a path with somebody's home in the place of `~`."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise Unusable("A path begins with the home of somebody unknown.") from error


def read_file(path: Path) -> bytes:
    """Read a whole file within a limit."""
    try:
        with expanded(path).open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise Unusable(f"The file {path.name} cannot be read.") from error
    if len(data) > LONGEST_FILE:
        raise Unusable(f"The file {path.name} is too long.")
    return data


def _pin(service: WalletService, data: bytes, *, root: bytes | None, charter: bytes | None) -> None:
    """Take a newer bundle; a file that is no bundle at all is unusable, not refused."""
    try:
        service.pin(data, root_fingerprint=root, charter=charter)
    except Declined as error:
        if isinstance(error.__cause__, Malformed):
            raise Unusable(str(error)) from error
        raise


def _fingerprint(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return trust.parse_fingerprint(text)
    except Malformed as error:
        raise Unusable("A fingerprint has 64 hexadecimal digits.") from error


def _passphrase(folder: Path, file: Path | None) -> bytes:
    if file is not None:
        lines = read_file(file).splitlines()
        return lines[0] if lines else b""
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return os.fsencode(given)
    if not interactive():
        raise Unusable(f"Give the passphrase by --passphrase-file or {PASSPHRASE}.")
    new = not storage.exists(folder)
    passphrase = ask("Passphrase of the new wallet" if new else "Passphrase", secret=True)
    if new and ask("The same passphrase again", secret=True) != passphrase:
        raise Unusable("The two passphrases differ.")
    return passphrase.encode()


def _check_offset(service: WalletService, offset: int) -> None:
    """Let nobody but a demonstration on this machine move the clock."""
    if offset == 0:
        return
    if abs(offset) > FARTHEST:
        raise Unusable("The clock is moved by ten years at most.")
    bundle = service.trust()
    if not bundle.demonstration or not loopback.holds(bundle.issuer):
        raise Unusable("The clock is moved only for a demonstration on this machine.")
