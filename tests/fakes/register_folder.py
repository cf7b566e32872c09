"""A register's folder as a demonstration has it: a log, witnesses inside, keys of a board."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.encoding import base64url
from crypto.log.note import VerifierKey
from idservice import clock, period
from idservice.apps import key_files
from idservice.apps.governance import settings
from idservice.apps.transparency import local_witness
from idservice.apps.transparency import log as log_office
from idservice.register.entry import CharterEntry
from tests.fakes import city as cities
from tests.fakes import notaries, registers

ORIGIN = "register.example/log"
NAMES = ("north", "south")
DESK_KEY = "desk-1"
NOW = clock.SystemClock().now()
"""One time for a whole run: certificates are made from it."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where everything lies, and what everybody pins."""

    path: Path
    pin: bytes

    def key(self, seat: str) -> Path:
        return self.path / f"{seat}.key"


def make(path: Path) -> Folder:
    """Make a register that anybody may move through time: its witnesses are its own."""
    path.mkdir(parents=True, exist_ok=True)
    witnesses = {name: _witness(path, name) for name in NAMES}
    log = log_office.found(
        path / settings.LOG_FOLDER,
        origin=ORIGIN,
        witnesses={key.text: f"../witnesses/{name}" for name, key in witnesses.items()},
        quorum=len(NAMES),
        random_bytes=cities.chance("log"),
    )
    today = period.day(NOW)
    charter = registers.board(
        log=log.text,
        root=base64url.encode(cities.make(now=NOW).trust.root_fingerprint),
        witnesses=[{"key": key.text, "run_by_city": True} for key in witnesses.values()],
        adopted=today.isoformat(),
        sunset=date(today.year + 5, 1, 1).isoformat(),
    )
    pin = settings.found(
        path,
        first=CharterEntry(charter=charter, founding=()),
        base_url="http://127.0.0.1:8083",
        desk_keys=[registers.entry.entry_digest(DESK_KEY.encode())],
    )
    for seat in registers.BOARD:
        key = Ed25519PrivateKey.from_private_bytes(notaries.seed(seat))
        key_files.create_key(path / f"{seat}.key", key)
    key_files.create(path / "desk.key", f"{DESK_KEY}\n".encode())
    return Folder(path=path, pin=pin)


def _witness(path: Path, name: str) -> VerifierKey:
    return local_witness.make(
        path / "witnesses" / name, name=f"{ORIGIN}/{name}", random_bytes=cities.chance(name)
    )
