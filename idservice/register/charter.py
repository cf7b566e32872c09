"""The charter: who sits on the board, how many must sign, who witnesses, and until when.

DESIGN, section 5. It is entry 0 of the log, and whoever pins its SHA-256 pins all of this. The
rules that no city may loosen stand in the parser: five seats, more than half of them, two seats
of the community, one of which signs; 30 days of notice, unless the city is a sandbox for good.
Barred purposes and the list of purposes are not in a charter: they are constants (`catalogue`).
Left out: what else is decided when a city is founded (`entry`), and who signed what (`approval`).
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from crypto.encoding import base64url, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, note
from crypto.log.cosignature import Witnessed
from crypto.log.ed25519 import PublicKey
from crypto.log.note import Note, SignatureType, VerifierKey
from idservice.verification import policy

LEAST_SEATS: Final = 5
MOST_SEATS: Final = 32
LEAST_COMMUNITY: Final = 2
LEAST_EMERGENCY: Final = 2
LEAST_NOTICE: Final = 30 * 86_400
"""Seconds, for every city that is no sandbox."""
LONGEST_NOTICE: Final = 366 * 86_400
LEAST_WITNESSES: Final = 2
"""Witnesses in a quorum; below, everything says that it is a demonstration."""
MOST_WITNESSES: Final = 16
LEAST_GROUP: Final = 10
"""The smallest count that may be published."""
MOST_OFFLINE_DAYS: Final = 90

FINGERPRINT_LENGTH: Final = 32

_CHARTER = frozenset(
    {
        "city",
        "log",
        "root",
        "seats",
        "threshold",
        "emergency",
        "notice_s",
        "sandbox",
        "witnesses",
        "witness_threshold",
        "least_group",
        "adopted",
        "sunset",
        "languages",
        "offline_days",
    }
)
_SEAT = frozenset({"id", "class", "key", "successor"})
_WITNESS = frozenset({"key", "run_by_city"})
_ID = re.compile(r"[a-z0-9-]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


class SeatClass(StrEnum):
    """Whom a seat speaks for."""

    COUNCIL = "council"
    AGENCY = "agency"
    COMMUNITY = "community"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One vote on the board."""

    id: str
    seat_class: SeatClass
    key: PublicKey
    successor: PublicKey | None
    """Kept elsewhere; it signs in the key's place when the seats of its class change a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who cosigns the log."""

    key: VerifierKey
    run_by_city: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """A board and its rules; only `parse` makes it."""

    city: str
    log: VerifierKey
    """The log's key, whose name is the origin: the one log that this charter governs."""
    root: bytes
    """SHA-256 of the city root's certificate."""
    seats: tuple[Seat, ...]
    threshold: int
    emergency: int
    """Seats that may shrink something at once, for a short time."""
    notice_s: int
    sandbox: bool
    witnesses: tuple[Witness, ...]
    witness_threshold: int
    least_group: int
    adopted: date
    sunset: date
    languages: tuple[str, ...]
    offline_days: int

    @property
    def demonstration(self) -> bool:
        """Say whether the city alone could cosign: then nothing here binds it."""
        own = sum(each.run_by_city for each in self.witnesses)
        return self.witness_threshold < LEAST_WITNESSES or own >= self.witness_threshold

    @property
    def witness_policy(self) -> cosignature.Policy:
        """Who must have cosigned a checkpoint."""
        return cosignature.Policy(
            witnesses=tuple(each.key for each in self.witnesses),
            threshold=self.witness_threshold,
        )

    def seat(self, seat_id: str) -> Seat | None:
        """Return a seat by its name."""
        return next((each for each in self.seats if each.id == seat_id), None)

    def of_class(self, seat_class: SeatClass) -> frozenset[Seat]:
        """Return the seats of a class."""
        return frozenset(each for each in self.seats if each.seat_class is seat_class)

    def has_community(self, signed: AbstractSet[str]) -> bool:
        """Say whether one of these seats speaks for the community."""
        return any(each.id in signed for each in self.of_class(SeatClass.COMMUNITY))


def parse(value: JsonValue) -> Charter:
    """Read a charter.

    Raises:
        Malformed: a member is missing, unknown or ill-typed, or a text cannot be shown.
        Refused: well-formed, but no charter of this software may say so.
    """
    given = members.exact(value, _CHARTER)
    found = Charter(
        city=policy.sentence(given["city"], longest=policy.LONGEST_NAME),
        log=_log(given["log"]),
        root=digest(given["root"]),
        seats=tuple(_seat(each) for each in members.array(given["seats"])),
        threshold=members.whole(given["threshold"]),
        emergency=members.whole(given["emergency"]),
        notice_s=members.whole(given["notice_s"]),
        sandbox=members.flag(given["sandbox"]),
        witnesses=tuple(_witness(each) for each in members.array(given["witnesses"])),
        witness_threshold=members.whole(given["witness_threshold"]),
        least_group=members.whole(given["least_group"]),
        adopted=policy.parse_day(given["adopted"]),
        sunset=policy.parse_day(given["sunset"]),
        languages=tuple(
            members.matching(_LANGUAGE, each) for each in members.array(given["languages"])
        ),
        offline_days=members.whole(given["offline_days"]),
    )
    _check_seats(found)
    _check_rules(found)
    return found


def write(charter: Charter) -> JsonObject:
    """Return the JSON object that `parse` reads."""
    return {
        "city": charter.city,
        "log": charter.log.text,
        "root": base64url.encode(charter.root),
        "seats": [_write_seat(each) for each in charter.seats],
        "threshold": charter.threshold,
        "emergency": charter.emergency,
        "notice_s": charter.notice_s,
        "sandbox": charter.sandbox,
        "witnesses": [
            {"key": each.key.text, "run_by_city": each.run_by_city} for each in charter.witnesses
        ],
        "witness_threshold": charter.witness_threshold,
        "least_group": charter.least_group,
        "adopted": charter.adopted.isoformat(),
        "sunset": charter.sunset.isoformat(),
        "languages": [*charter.languages],
        "offline_days": charter.offline_days,
    }


def witnessed(
    signed: Note, *, board: Charter, boards: Iterable[Charter], now: UnixSeconds
) -> Witnessed:
    """Check a checkpoint that is to stand in an entry: nobody can write what they like under it.

    Args:
        signed: the log's line and those of witnesses, one of each key.
        board: whose log it is, and enough of whose witnesses must have cosigned.
        boards: all that the register ever had: a witness of any of them may have cosigned too.
        now: no cosignature is later than that.

    Raises:
        CryptoError: it is another log's, too few cosigned, or there is any other line.

    Not checked: that it is a checkpoint of this very tree.
    """
    found = cosignature.verify_quorum(
        checkpoint.verify(signed, log=board.log), policy=board.witness_policy, now=now
    )
    known = {each.key for one in boards for each in one.witnesses}
    earlier = [
        each
        for key in known.difference(found.policy.witnesses)
        for each in cosignature.verify(found.signed, witness=key)
    ]
    keys = {(each.name, each.key_id) for each in signed.signatures}
    if not len(keys) == len(signed.signatures) == 1 + len(found.cosignatures) + len(earlier):
        raise Refused("a line under a checkpoint that counts for nothing")
    return found


def parse_key(value: JsonValue) -> PublicKey:
    """Read an Ed25519 public key, 32 octets in base64url.

    Raises:
        Malformed: another length or spelling.
        Refused: no canonical point of the large subgroup.
    """
    return PublicKey(base64url.decode(members.text(value)))


def optional_key(value: JsonValue) -> PublicKey | None:
    """Read an Ed25519 public key, or null."""
    return None if value is None else parse_key(value)


def write_key(key: PublicKey | None) -> str | None:
    """Write an Ed25519 public key, or null."""
    return None if key is None else base64url.encode(key.octets)


def digest(value: JsonValue) -> bytes:
    """Read a SHA-256 in base64url; anything else is `Malformed`."""
    found = base64url.decode(members.text(value))
    if len(found) != FINGERPRINT_LENGTH:
        raise Malformed("a SHA-256 has 32 octets")
    return found


def optional_digest(value: JsonValue) -> bytes | None:
    """Read a SHA-256 in base64url, or null."""
    return None if value is None else digest(value)


def write_digest(value: bytes | None) -> str | None:
    """Write a SHA-256 in base64url, or null."""
    return None if value is None else base64url.encode(value)


def _log(value: JsonValue) -> VerifierKey:
    key = note.parse_key(members.text(value))
    if key.type is not SignatureType.ED25519:
        raise Malformed("a log's key is of type 0x01 (C2SP signed-note)")
    return key


def _seat(value: JsonValue) -> Seat:
    given = members.exact(value, _SEAT)
    try:
        seat_class = SeatClass(members.text(given["class"]))
    except ValueError as error:
        raise Malformed("an unknown class of seats") from error
    return Seat(
        id=members.matching(_ID, given["id"]),
        seat_class=seat_class,
        key=parse_key(given["key"]),
        successor=optional_key(given["successor"]),
    )


def _write_seat(seat: Seat) -> JsonObject:
    return {
        "id": seat.id,
        "class": seat.seat_class.value,
        "key": base64url.encode(seat.key.octets),
        "successor": write_key(seat.successor),
    }


def _witness(value: JsonValue) -> Witness:
    given = members.exact(value, _WITNESS)
    return Witness(
        key=note.parse_key(members.text(given["key"])),
        run_by_city=members.flag(given["run_by_city"]),
    )


def _check_seats(charter: Charter) -> None:
    seats = charter.seats
    keys = [each.key for each in seats] + [each.successor for each in seats if each.successor]
    if len({each.id for each in seats}) != len(seats) or len(set(keys)) != len(keys):
        raise Refused("one seat, one name, one key, one successor key")
    if not LEAST_SEATS <= len(seats) <= MOST_SEATS:
        raise Refused("a board has 5 to 32 seats")
    if not len(seats) < 2 * charter.threshold <= 2 * len(seats):
        raise Refused("more than half of the seats must sign, and no more than there are")
    if len(charter.of_class(SeatClass.COMMUNITY)) < LEAST_COMMUNITY:
        raise Refused("at least two seats are the community's")
    if not LEAST_EMERGENCY <= charter.emergency <= charter.threshold:
        raise Refused("the emergency quorum is at least two seats, at most the threshold")


def _check_rules(charter: Charter) -> None:
    least = 1 if charter.sandbox else LEAST_NOTICE
    if not least <= charter.notice_s <= LONGEST_NOTICE:
        raise Refused("the notice period is at least 30 days, and at most a year")
    if not 1 <= len(charter.witnesses) <= MOST_WITNESSES:
        raise Refused("a log has 1 to 16 witnesses")
    keys = [each.key for each in charter.witnesses]
    if len({(key.name, key.key_id) for key in keys}) != len(keys):
        raise Refused("two witnesses that cannot be told apart (C2SP signed-note)")
    _ = charter.witness_policy  # refuses two witnesses with one key, or an impossible quorum
    if charter.least_group < LEAST_GROUP:
        raise Refused("no count below 10 is published")
    if charter.adopted >= charter.sunset:
        raise Refused("a charter ends after it begins")
    if not charter.languages or len(set(charter.languages)) != len(charter.languages):
        raise Malformed("a city has languages, each named once")
    if not 1 <= charter.offline_days <= MOST_OFFLINE_DAYS:
        raise Refused("a bundle works offline for 1 to 90 days")
