"""Stolen keys: an issuer's, dropped at once by few seats; a seat's, replaced by its own class."""

from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.instant import UnixSeconds
from crypto.log import ed25519
from idservice import period
from idservice.apps import key_files
from idservice.apps.drills import cards
from idservice.apps.drills.rehearsal import Rehearsal, days
from idservice.apps.register import board
from idservice.apps.register.board import EMERGENCY, ENOUGH, Voters
from idservice.period import Period
from idservice.register.change import CharterChange, Drop, SeatKey
from idservice.register.ledger import EMERGENCY as SHORT_TIME

_SEAT = "community-1"
_PEER = "community-2"
_OTHERS = Voters(seats=("council-1", "council-2", "agency-1"))


def play(drill: Rehearsal) -> None:
    """Play the theft of an issuer's key, and of a seat's."""
    drill.announce()
    _issuer_key(drill)
    _seat_key(drill)


def _issuer_key(drill: Rehearsal) -> None:
    here = period.of(drill.now)
    before = drill.issue()
    drill.must(f"A card of period {here} is issued.", holds=before is not None)
    stolen = Drop(subject=f"announced:{cards.CONFIGURATION}:{here}")
    drill.say(f"The key of period {here} is stolen.")
    alone = Voters(seats=EMERGENCY.seats[:1])
    drill.must("One seat cannot drop it.", holds=drill.refused(stolen, by=alone))
    began = drill.now
    (enacted,) = drill.decide(stolen, by=EMERGENCY)
    at_once = enacted.provisional and drill.now == began
    drill.must("Two seats, one of the community, drop it at once.", holds=at_once)
    drill.must("Nothing is issued with it.", holds=drill.issue() is None)
    if before is not None:
        drill.must("Cards that it signed keep verifying.", holds=drill.verifies(before))
    lapses = enacted.until == began + SHORT_TIME
    drill.must("It lapses in 14 days unless the board confirms it.", holds=lapses)
    drill.wait(days(7))
    confirmed = drill.confirm(stolen)
    drill.must("The board confirms it.", holds=not confirmed.provisional)
    next_period = period.not_before(Period(here + 1))
    drill.move_to(max(UnixSeconds(began + SHORT_TIME + 1), next_period))
    drill.announce()
    after = drill.issue()
    in_force = drill.published().in_force
    still = not in_force.may_issue(configuration=cards.CONFIGURATION, period=here)
    drill.must("The stolen key stays out of use.", holds=still)
    drill.must("The next period's key issues.", holds=after is not None)


def _seat_key(drill: Rehearsal) -> None:
    drill.say(f"The key of the seat {_SEAT} is stolen.")
    path = drill.folder / board.FOLDER / "new.key"
    public = _new_key(path, drill)
    wanted = SeatKey(seat=_SEAT, key=public, successor=None)
    drill.must("Other classes cannot replace it.", holds=drill.refused(wanted, by=_OTHERS))
    new = board.signer(drill.folder, "new")
    successor = board.successor(drill.folder, _SEAT)
    own = Voters(seats=(_PEER,), keys=((_SEAT, successor), (_SEAT, new)))
    drill.decide(wanted, by=own)
    seat = drill.published().in_force.charter.seat(_SEAT)
    replaced = seat is not None and seat.key == public
    drill.must("Its own class gives the seat a new key, after the notice.", holds=replaced)
    charter = drill.published().in_force.charter
    extended = CharterChange(charter=replace(charter, offline_days=charter.offline_days - 1))
    drill.must("The stolen key votes no more.", holds=drill.refused(extended, by=ENOUGH))
    now_enough = Voters(seats=ENOUGH.seats[:2], keys=((_SEAT, new),))
    (enacted,) = drill.decide(extended, by=now_enough)
    drill.must("The new key does.", holds=_SEAT in enacted.seats)


def _new_key(path: Path, drill: Rehearsal) -> ed25519.PublicKey:
    seed = drill.random_bytes(32)
    key_files.create_key(path, Ed25519PrivateKey.from_private_bytes(seed))
    return ed25519.public_key(seed)
