"""A demonstration's board: seats whose private keys lie in the city's folder.

DESIGN, section 5. Members of a real board make their keys on their own devices, and no private
key of theirs is ever here. A demonstration and its drills need votes, so there the folder has two
keys for each seat: its own, and the successor that signs when its class gives it another. Whose
votes are enough is decided by `register.approval`, not here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.log import ed25519
from crypto.log.ed25519 import PublicKey, Signer
from idservice.apps import key_files
from idservice.register import approval, charter
from idservice.register.approval import Scope
from idservice.register.change import Change
from idservice.register.charter import SeatClass
from idservice.register.entry import Digest, Proposal, Statement, Vote

FOLDER: Final = "board"
THRESHOLD: Final = 3
SEATS: Final[Mapping[str, SeatClass]] = {
    "council-1": SeatClass.COUNCIL,
    "council-2": SeatClass.COUNCIL,
    "agency-1": SeatClass.AGENCY,
    "community-1": SeatClass.COMMUNITY,
    "community-2": SeatClass.COMMUNITY,
}
_SUCCESSOR: Final = "successor"
_SEED_LENGTH: Final = 32
_NO_SIGNATURE: Final = bytes(ed25519.SIGNATURE_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be proposed, without who proposes it."""

    change: Change
    base: int
    in_force_until: date
    enact_by: date
    impact_note: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Voters:
    """Who votes: seats with their own keys, and seats with another key, named beside them."""

    seats: Sequence[str]
    keys: Sequence[tuple[str, Signer]] = field(default=(), repr=False)


ENOUGH: Final = Voters(seats=("council-1", "agency-1", "community-1"))
"""Seats that together can decide."""

EMERGENCY: Final = Voters(seats=("agency-1", "community-1"))
"""Seats that together may shrink something for a short time."""


@dataclass(frozen=True, slots=True)
class Board:
    """Seats that can sign, by their name."""

    signers: Mapping[str, Signer] = field(repr=False)

    def propose(self, intent: Intent, *, seat: str, scope: Scope) -> Proposal:
        """Return a signed proposal."""
        unsigned = Proposal(
            change=intent.change,
            base=intent.base,
            in_force_until=intent.in_force_until,
            enact_by=intent.enact_by,
            impact_note=intent.impact_note,
            vote=Vote(seat=seat, signature=_NO_SIGNATURE),
        )
        message = approval.proposal_message(unsigned, scope=scope)
        return replace(unsigned, vote=self._vote(seat, message))

    def votes(self, statement: Statement, *, by: Voters, scope: Scope) -> tuple[Vote, ...]:
        """Return the votes of these seats."""
        message = approval.statement_message(statement, scope=scope)
        more = tuple(Vote(seat=seat, signature=sign(message)) for seat, sign in by.keys)
        return (*(self._vote(seat, message) for seat in by.seats), *more)

    def _vote(self, seat: str, message: bytes) -> Vote:
        return Vote(seat=seat, signature=self.signers[seat](message))


def make(folder: Path, *, random_bytes: RandomBytes) -> Sequence[JsonObject]:
    """Make the keys of a demonstration's board; return its seats as a charter lists them.

    Raises:
        UnusableKey: there are such keys already.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    return [
        {
            "id": name,
            "class": kind.value,
            "key": charter.write_key(_make(folder / f"{name}.key", random_bytes)),
            "successor": charter.write_key(
                _make(folder / f"{name}.{_SUCCESSOR}.key", random_bytes)
            ),
        }
        for name, kind in SEATS.items()
    ]


def read(folder: Path) -> Board | None:
    """Read the keys of a city's board; None where they are not here, as in every real city.

    Raises:
        UnusableKey: a key is missing, open to others, or something else.
    """
    if not (folder / FOLDER).is_dir():
        return None
    return Board({name: signer(folder, name) for name in SEATS})


def successor(folder: Path, seat: str) -> Signer:
    """Read the key that signs in the place of a seat's own; raises as `read`."""
    return signer(folder, f"{seat}.{_SUCCESSOR}")


def signer(folder: Path, name: str) -> Signer:
    """Read one key; raises as `read`."""
    key = key_files.read_ed25519(folder / FOLDER / f"{name}.key")
    return ed25519.signer(key.private_bytes_raw())


def _make(path: Path, random_bytes: RandomBytes) -> PublicKey:
    seed = random_bytes(_SEED_LENGTH)
    key_files.create_key(path, Ed25519PrivateKey.from_private_bytes(seed))
    return ed25519.public_key(seed)
