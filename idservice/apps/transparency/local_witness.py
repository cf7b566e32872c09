"""A witness that runs inside the log's own process: for demonstrations, and it binds nobody.

It decides as any witness does (`idservice.transparency.witness`), but whoever runs the log runs
it as well, so a charter that counts on such witnesses makes everything say "demonstration". Its
key and the newest head that it cosigned are two files. One process at a time has them: the log's
folder is locked. A witness of somebody else is put together in `witness`.
"""

from pathlib import Path
from threading import Lock
from typing import Final

from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.log import checkpoint
from crypto.log.checkpoint import Checkpoint
from crypto.log.note import SignatureType, VerifierKey
from crypto.log.tree import TreeHead
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import ed25519_keys
from idservice.clock import Clock
from idservice.storage import published
from idservice.transparency.witness import WitnessDesk

_KIND: Final = SignatureType.COSIGNATURE


def make(place: Path, *, name: str, random_bytes: RandomBytes) -> VerifierKey:
    """Make a witness's key, `place` with the suffix `.key`.

    Raises:
        UnusableSettings: there is one already, or no witness can have this name.
    """
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = place.with_suffix(".key")
    return ed25519_keys.create(key_file, name=name, kind=_KIND, random_bytes=random_bytes)


def assemble(place: Path, *, key: VerifierKey, log: VerifierKey, clock: Clock) -> WitnessDesk:
    """Put a witness together for one log; an instance is a `ports.Witness`.

    Raises:
        UnusableSettings: its files are missing or wrong, or it has another key.
    """
    found, signer = ed25519_keys.read(place.with_suffix(".key"), name=key.name, kind=_KIND)
    if found != key:
        raise UnusableSettings(f"{place.name}.key is not the key of the witness {key.name}")
    store = HeadFile(place.with_suffix(".head"), origin=log.name)
    return WitnessDesk(key=key, signer=signer, logs=(log,), store=store, clock=clock)


class HeadFile:
    """The newest head of one log that a witness cosigned, as a file (`ports.WitnessStore`)."""

    def __init__(self, path: Path, *, origin: str) -> None:
        """Read it.

        Raises:
            UnusableSettings: it is there and something else.
        """
        self._path = path
        self._origin = origin
        self._lock = Lock()
        try:
            said = checkpoint.parse(path.read_bytes().decode())
        except FileNotFoundError:
            self._head = None
        except (OSError, UnicodeDecodeError, CryptoError) as error:
            raise UnusableSettings(f"{path.name} is not what a witness wrote") from error
        else:
            self._head = self._own(said)

    def head(self, origin: str) -> TreeHead | None:
        """Return the newest head."""
        return self._head if origin == self._origin else None

    def advance(self, origin: str, *, old: TreeHead | None, new: TreeHead) -> bool:
        """Replace `old` by `new` at once; False, and nothing changed, if it is not `old`."""
        with self._lock:
            if origin != self._origin or self._head != old:
                return False
            if new != old:
                text = Checkpoint(origin=origin, head=new).text
                unfinished = self._path.with_name(f".{self._path.name}.unfinished")
                published.put(self._path, text.encode(), unfinished=unfinished)
            self._head = new
            return True

    def _own(self, said: Checkpoint) -> TreeHead:
        if said.origin != self._origin:
            raise UnusableSettings(f"{self._path.name} is about another log")
        return said.head
