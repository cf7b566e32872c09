"""What a seat signs, whose signatures count, and when they are enough.

DESIGN, section 5. Every signed message names the log and the SHA-256 of its entry 0, so that no
signature counts for another city, sandbox or log, and the digest of the proposal, which names the
version of its subject that it replaces, so that none counts twice. A seat counts once. A seat's
key is its own class's affair; a new charter needs the old board, the new one, and each class
whose seats change. Left out: the time between proposal and vote (`fold`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from crypto.log import ed25519
from crypto.log.ed25519 import PublicKey
from idservice import period
from idservice.register import change, wire
from idservice.register.change import (
    Announcement,
    Change,
    CharterChange,
    Delegation,
    Routine,
    SeatKey,
)
from idservice.register.charter import Charter, SeatClass
from idservice.register.entry import Digest, Proposal, Statement, Vote, WithdrawalReason
from idservice.register.state import NotCounted, Reason, Record, end_of

_PREFIX: Final = b"idservice-register-v1\0"

Keys = Mapping[str, Sequence[PublicKey]]
"""The keys that may sign for each seat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """For which register a signature is given."""

    log: str
    """The origin."""
    charter: Digest
    """SHA-256 of entry 0."""


class Strength(Enum):
    """What so many votes can do."""

    EMERGENCY = "emergency"
    """Shrink something for a short time."""
    FULL = "full"


def proposal_message(proposal: Proposal, *, scope: Scope) -> bytes:
    """Return what a proposer signs; the vote that stands in the proposal is left out."""
    return _message("propose", wire.write_proposal(proposal), scope)


def statement_message(statement: Statement, *, scope: Scope) -> bytes:
    """Return what a seat signs to approve."""
    return _message("approve", wire.write_statement(statement), scope)


def withdrawal_message(proposal: Digest, reason: WithdrawalReason, *, scope: Scope) -> bytes:
    """Return what a proposer signs to withdraw."""
    said: JsonObject = {"proposal": base64url.encode(proposal), "reason": reason.value}
    return _message("withdraw", said, scope)


def routine_message(delegation: str, announced: Announcement, *, scope: Scope) -> bytes:
    """Return what a delegated key signs."""
    said: JsonObject = {"delegation": delegation, "announced": announced.body()}
    return _message("routine", said, scope)


def verifies(message: bytes, signature: bytes, keys: Iterable[PublicKey]) -> bool:
    """Say whether one of these keys made the signature."""
    for key in keys:
        try:
            ed25519.verify(message=message, signature=signature, key=key)
        except CryptoError:
            continue
        return True
    return False


def signers(votes: Iterable[Vote], message: bytes, keys: Keys) -> frozenset[str]:
    """Return the seats that signed, each once; a signature that does not verify is none."""
    return frozenset(
        vote.seat
        for vote in votes
        if vote.seat in keys and verifies(message, vote.signature, keys[vote.seat])
    )


def seat_keys(charter: Charter) -> Keys:
    """Return the key of each seat."""
    return {seat.id: (seat.key,) for seat in charter.seats}


def possible_keys(decided: Change, charter: Charter) -> Keys:
    """Return every key whose signature may matter to this change."""
    keys = {seat.id: [seat.key] for seat in charter.seats}
    if isinstance(decided, SeatKey):
        for seat in charter.seats:
            keys[seat.id] += [seat.successor] if seat.successor else []
        keys.setdefault(decided.seat, []).append(decided.key)
    if isinstance(decided, CharterChange):
        for seat in decided.charter.seats:
            keys.setdefault(seat.id, []).append(seat.key)
    return keys


def check(
    decided: Change, *, votes: Sequence[Vote], message: bytes, charter: Charter
) -> tuple[Strength, frozenset[str]]:
    """Check that enough seats signed for this change; return how strong they are, and who.

    Raises:
        NotCounted: they are not enough.
    """
    if isinstance(decided, SeatKey):
        return Strength.FULL, _own_class(decided, votes, message, charter)
    signed = signers(votes, message, seat_keys(charter))
    if not charter.has_community(signed):
        raise NotCounted(
            Reason.NO_COMMUNITY if len(signed) >= charter.emergency else Reason.TOO_FEW
        )
    if isinstance(decided, CharterChange):
        _check_new_board(decided.charter, votes, message, charter)
    if len(signed) >= charter.threshold:
        return Strength.FULL, signed
    if change.shrinks(decided) and len(signed) >= charter.emergency:
        return Strength.EMERGENCY, signed
    raise NotCounted(Reason.TOO_FEW)


def delegated(record: Record, announced: Announcement, *, spent: int, board: Charter) -> PublicKey:
    """Return the key that may announce this; the days are the period's, so no clock is needed.

    Raises:
        NotCounted: the delegation is none, over, spent, or for earlier periods.
    """
    delegation = record.change
    if not isinstance(delegation, Delegation) or record.ended or spent >= delegation.most:
        raise NotCounted(Reason.NOT_DELEGATED)
    limits = end_of(delegation.until), record.until, end_of(board.sunset)
    late = period.not_before(announced.period) >= min(limits)
    lasting = announced.exp > period.expires(announced.period)
    if late or lasting or Routine.ANNOUNCEMENT not in delegation.routine:
        raise NotCounted(Reason.NOT_DELEGATED)
    return delegation.key


def with_seat_key(charter: Charter, decided: SeatKey) -> Charter:
    """Return the charter with one seat's keys replaced.

    Raises:
        NotCounted: there is no such seat, or a key is another's already.
    """
    if charter.seat(decided.seat) is None:
        raise NotCounted(Reason.OWN_CLASS)
    others = [
        key
        for seat in charter.seats
        if seat.id != decided.seat
        for key in (seat.key, seat.successor)
    ]
    if (
        decided.key in others
        or decided.key == decided.successor
        or (decided.successor is not None and decided.successor in others)
    ):
        raise NotCounted(Reason.DUPLICATE)
    seats = tuple(
        replace(seat, key=decided.key, successor=decided.successor)
        if seat.id == decided.seat
        else seat
        for seat in charter.seats
    )
    return replace(charter, seats=seats)


def _own_class(
    decided: SeatKey, votes: Sequence[Vote], message: bytes, charter: Charter
) -> frozenset[str]:
    """Count the seats of the class by key or successor key; the new key signs as well."""
    seat = charter.seat(decided.seat)
    if seat is None:
        raise NotCounted(Reason.OWN_CLASS)
    peers = charter.of_class(seat.seat_class)
    keys = {
        each.id: (each.key, each.successor) if each.successor else (each.key,) for each in peers
    }
    signed = signers(votes, message, keys)
    if 2 * len(signed) <= len(peers):
        raise NotCounted(Reason.OWN_CLASS)
    if not signers(votes, message, {decided.seat: (decided.key,)}):
        raise NotCounted(Reason.NOT_SIGNED)
    return signed


def _check_new_board(new: Charter, votes: Sequence[Vote], message: bytes, old: Charter) -> None:
    """Check that the new board agrees, and each class whose seats change."""
    if (new.log, new.sandbox, new.adopted) != (old.log, old.sandbox, old.adopted):
        raise NotCounted(Reason.BARRED)
    agreed = signers(votes, message, seat_keys(new))
    if len(agreed) < new.threshold or not new.has_community(agreed):
        raise NotCounted(Reason.TOO_FEW)
    signed = signers(votes, message, seat_keys(old))
    for seat_class in SeatClass:
        before = old.of_class(seat_class)
        own = sum(each.id in signed for each in before)
        if before and before != new.of_class(seat_class) and 2 * own <= len(before):
            raise NotCounted(Reason.OWN_CLASS)


def _message(act: str, said: JsonObject, scope: Scope) -> bytes:
    register: JsonObject = {"log": scope.log, "charter": base64url.encode(scope.charter)}
    return _PREFIX + canonical_json.serialize({"act": act, "register": register, "said": said})
