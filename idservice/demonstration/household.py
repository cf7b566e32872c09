"""The residents' wallets: each its own encrypted file, opened by the reference wallet's own code.

Wallets run inside the demonstration's process; what goes over the wire is real HTTP, and is kept
here so that it can be shown, and replayed by a thief.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from idservice import clock
from idservice.clients import openid
from idservice.storage import wallet as storage
from idservice.wallet.model import Request, Response
from idservice.wallet.ports import Wire
from idservice.wallet.service import WalletService

CHEAP: Final = storage.Cost(passes=1, memory=8192)
"""Of the passphrase's stretching: nobody attacks these files, and people wait for the story."""


@dataclass(kw_only=True)
class Recording:
    """A wire that remembers what went over it."""

    wire: Wire
    exchanges: list[tuple[Request, Response]] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        """Send, and remember."""
        response = self.wire.send(request)
        self.exchanges.append((request, response))
        return response

    def last_post(self) -> Request:
        """Return the last request that carried a body."""
        return next(sent for sent, _ in reversed(self.exchanges) if sent.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A resident with a phone."""

    name: str
    service: WalletService
    wire: Recording
    file: Path


def passphrase_of(name: str) -> bytes:
    """Return what a resident types; the thief has seen it."""
    return f"the passphrase of {name}".encode()


class Household:
    """Opens wallets, and closes them all at the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def open(
        self, name: str, *, offset: int = 0, stolen: Holder | None = None, owner: str = ""
    ) -> Holder:
        """Open somebody's wallet at a time of day; a thief opens a copy of its owner's file."""
        folder = self._folder / name
        if stolen is not None:
            folder.mkdir(mode=0o700)
            shutil.copyfile(stolen.file, folder / storage.FILE)
        store = self._stack.enter_context(
            storage.opened(
                folder,
                passphrase=passphrase_of(owner or name),
                random_bytes=secrets.token_bytes,
                cost=CHEAP,
            )
        )
        wire = Recording(wire=self._stack.enter_context(openid.HttpWire()))
        service = WalletService(
            store=store,
            wire=wire,
            clock=clock.SystemClock(offset=offset),
            random_bytes=secrets.token_bytes,
            pause=lambda: None,
        )
        return Holder(name=name, service=service, wire=wire, file=folder / storage.FILE)


@contextmanager
def opened(folder: Path) -> Iterator[Household]:
    """Lend a household in a folder."""
    with ExitStack() as stack:
        yield Household(folder, stack)
