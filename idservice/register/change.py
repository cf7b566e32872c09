"""Kinds of change: all that can be decided, and about what.

Each change has one subject (a policy by its id, the inventory, the charter ...), and the versions
of a subject are counted, so that two changes cannot both replace the same one. Some only shrink
what is in force; those may act at once, for a short time (`approval`). No kind withdraws a
person's card, and none stops verification. Left out: when a change takes effect (`fold`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar, Final

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log.ed25519 import PublicKey
from idservice import catalogue
from idservice.period import Period
from idservice.register import charter
from idservice.register.charter import Charter
from idservice.verification import policy, trust
from idservice.verification.policy import Policy

CHARTER: Final = "charter"
ISSUING: Final = "issuing"
INVENTORY: Final = "inventory"
PARAMETERS: Final = "parameters"
WIND_DOWN: Final = "wind_down"

MOST_COLUMNS: Final = 1024
LONGEST_ANNOUNCEMENT: Final = 16 << 10  # octets
MOST_ROUTINE: Final = 10_000

_CONFIGURATION = re.compile("|".join(catalogue.CONFIGURATIONS))
_LABEL = re.compile(r"[a-z0-9-]{1,64}")
_COMPONENT = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_COLUMN = re.compile(r"[a-z0-9_.-]{1,120}")
_SUBJECT = re.compile(r"(?:policy|component|delegation|announced):[A-Za-z0-9._:+-]{1,100}")
_ANNOUNCED = {catalogue.FORMAT: trust.ANNOUNCED, catalogue.BBS_FORMAT: trust.ANNOUNCED_BBS}
_PARAMETERS = frozenset({"period_days", "grace_days", "status_every_h", "status_lifetime_h"})
_COMPONENT_MEMBERS = frozenset({"name", "version", "digest", "vendor", "contract", "interests"})
_DELEGATION = frozenset({"label", "key", "routine", "most", "until"})


class Routine(StrEnum):
    """What a named key may log by itself, if it was delegated."""

    ANNOUNCEMENT = "announcement"


class _Bare:
    """A kind that says it all."""

    def body(self) -> JsonValue:
        """Return what stands beside the kind: nothing."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """Let a verifier ask."""

    kind: ClassVar[str] = "policy"

    policy: Policy

    @property
    def subject(self) -> str:
        """Return what this is about; changes of one subject replace each other."""
        return f"policy:{self.policy.id}"

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return policy.write(self.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimChange:
    """Put a claim of the catalogue into cards, or leave it out from now on."""

    kind: ClassVar[str] = "claim"

    claim: str
    issued: bool

    @property
    def subject(self) -> str:
        """Return what this is about."""
        return f"claim:{self.claim}"

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {"claim": self.claim, "issued": self.issued}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What all credentials of one configuration and period have in common, keys included."""

    kind: ClassVar[str] = "announced"

    configuration: str
    period: Period
    exp: UnixSeconds
    octets: bytes
    """Canonical JSON, octet by octet as the trust bundle announces it."""

    @property
    def subject(self) -> str:
        """Return what this is about."""
        return f"announced:{self.configuration}:{self.period}"

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return canonical_json.parse_object(self.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Lengths of periods and of status lists' lives."""

    kind: ClassVar[str] = "parameters"
    subject: ClassVar[str] = PARAMETERS

    period_days: int
    grace_days: int
    status_every_h: int
    status_lifetime_h: int

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {
            "period_days": self.period_days,
            "grace_days": self.grace_days,
            "status_every_h": self.status_every_h,
            "status_lifetime_h": self.status_lifetime_h,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of the system, and who sells it; documents by their SHA-256."""

    kind: ClassVar[str] = "component"

    name: str
    version: str
    digest: bytes
    vendor: str
    contract: bytes | None
    interests: bytes | None
    """The vendor's statement of interests."""

    @property
    def subject(self) -> str:
        """Return what this is about."""
        return f"component:{self.name}"

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": base64url.encode(self.digest),
            "vendor": self.vendor,
            "contract": charter.write_digest(self.contract),
            "interests": charter.write_digest(self.interests),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What may be kept: the digest of the enacted list, and each column that it names."""

    kind: ClassVar[str] = "inventory"
    subject: ClassVar[str] = INVENTORY

    digest: bytes
    columns: tuple[str, ...]

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {"digest": base64url.encode(self.digest), "columns": [*self.columns]}


@dataclass(frozen=True, slots=True, kw_only=True)
class CharterChange:
    """Replace the charter."""

    kind: ClassVar[str] = "charter"
    subject: ClassVar[str] = CHARTER

    charter: Charter

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return charter.write(self.charter)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatKey:
    """Replace the keys of one seat; its own class decides, alone."""

    kind: ClassVar[str] = "seat_key"
    subject: ClassVar[str] = CHARTER

    seat: str
    key: PublicKey
    successor: PublicKey | None

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {
            "seat": self.seat,
            "key": base64url.encode(self.key.octets),
            "successor": charter.write_key(self.successor),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendIssuing(_Bare):
    """Issue nothing for a time."""

    kind: ClassVar[str] = "suspend_issuing"
    subject: ClassVar[str] = ISSUING


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeIssuing(_Bare):
    """End a suspension."""

    kind: ClassVar[str] = "resume_issuing"
    subject: ClassVar[str] = ISSUING


@dataclass(frozen=True, slots=True, kw_only=True)
class WindDown(_Bare):
    """Issue nothing any more."""

    kind: ClassVar[str] = "wind_down"
    subject: ClassVar[str] = WIND_DOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """Let a named key log routine entries, within limits, until a day."""

    kind: ClassVar[str] = "delegation"

    label: str
    key: PublicKey
    routine: tuple[Routine, ...]
    most: int
    """Entries in all."""
    until: date
    """Announcements for periods that begin before the end of this day."""

    @property
    def subject(self) -> str:
        """Return what this is about."""
        return f"delegation:{self.label}"

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {
            "label": self.label,
            "key": base64url.encode(self.key.octets),
            "routine": [each.value for each in self.routine],
            "most": self.most,
            "until": self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Take a policy, a component, a delegation or an issuer key out of force.

    A dropped issuer key issues nothing any more; what it signed verifies to its end.
    """

    kind: ClassVar[str] = "drop"

    subject: str

    def body(self) -> JsonValue:
        """Return what stands beside the kind."""
        return {"subject": self.subject}


Change = (
    PolicyChange
    | ClaimChange
    | Announcement
    | Parameters
    | Component
    | Inventory
    | CharterChange
    | SeatKey
    | SuspendIssuing
    | ResumeIssuing
    | WindDown
    | Delegation
    | Drop
)


def shrinks(change: Change) -> bool:
    """Say whether a change only takes something out of force."""
    return isinstance(change, SuspendIssuing | Drop)


def parse(value: JsonValue) -> Change:
    """Read a change.

    Args:
        value: the JSON object, with its `kind` and one more member that says what.

    Raises:
        Malformed: an unknown kind, or a member is missing, unknown or ill-typed.
        Refused: well-formed, but this software never does it: a barred purpose, for example.
    """
    given = members.any_object(value)
    kind = members.text(given.get("kind"))
    if kind in _BARE and members.exact(given, frozenset({"kind"})):
        return _BARE[kind]
    if kind not in _READERS:
        raise Malformed("an unknown kind of change")
    return _READERS[kind](members.exact(given, frozenset({"kind", kind}))[kind])


def write(change: Change) -> JsonObject:
    """Return the JSON object that `parse` reads."""
    body = change.body()
    return {"kind": change.kind} if body is None else {"kind": change.kind, change.kind: body}


def _policy(value: JsonValue) -> PolicyChange:
    found = PolicyChange(policy=policy.parse(value))
    if policy.write(found.policy) != value:
        raise Malformed("a policy stands in the log with all its members")
    return found


def _claim(value: JsonValue) -> ClaimChange:
    given = members.exact(value, frozenset({"claim", "issued"}))
    claim = members.text(given["claim"])
    if claim not in catalogue.PUBLIC_CLAIMS:
        raise Refused("a claim that is not in the catalogue")
    return ClaimChange(claim=claim, issued=members.flag(given["issued"]))


def announcement(value: JsonValue) -> Announcement:
    """Read what a period announces, as `trust.announce` writes it.

    Raises:
        Malformed: no such object, or too long. What is in it is read by `trust.parse`.
    """
    said = members.text(members.any_object(value).get("format"))
    given = members.exact(value, _ANNOUNCED.get(said, frozenset()))
    octets = canonical_json.serialize(given)
    if len(octets) > LONGEST_ANNOUNCEMENT or b" " in octets:
        raise Malformed("what a period announces is too long, or text for people")
    return Announcement(
        configuration=members.matching(_CONFIGURATION, given["configuration"]),
        period=Period(members.whole(given["period"])),
        exp=UnixSeconds(members.whole(given["exp"])),
        octets=octets,
    )


def _parameters(value: JsonValue) -> Parameters:
    given = members.exact(value, _PARAMETERS)
    return Parameters(**{name: members.whole(given[name]) for name in _PARAMETERS})


def _component(value: JsonValue) -> Component:
    given = members.exact(value, _COMPONENT_MEMBERS)
    return Component(
        name=members.matching(_COMPONENT, given["name"]),
        version=members.matching(_COMPONENT, given["version"]),
        digest=charter.digest(given["digest"]),
        vendor=policy.sentence(given["vendor"], longest=policy.LONGEST_NAME),
        contract=charter.optional_digest(given["contract"]),
        interests=charter.optional_digest(given["interests"]),
    )


def _inventory(value: JsonValue) -> Inventory:
    given = members.exact(value, frozenset({"digest", "columns"}))
    columns = tuple(members.matching(_COLUMN, each) for each in members.array(given["columns"]))
    if len(columns) > MOST_COLUMNS or list(columns) != sorted(set(columns)):
        raise Malformed("columns stand in their order, each once")
    return Inventory(digest=charter.digest(given["digest"]), columns=columns)


def _charter(value: JsonValue) -> CharterChange:
    return CharterChange(charter=charter.parse(value))


def _seat_key(value: JsonValue) -> SeatKey:
    given = members.exact(value, frozenset({"seat", "key", "successor"}))
    return SeatKey(
        seat=members.matching(_LABEL, given["seat"]),
        key=charter.parse_key(given["key"]),
        successor=charter.optional_key(given["successor"]),
    )


def _delegation(value: JsonValue) -> Delegation:
    given = members.exact(value, _DELEGATION)
    try:
        routine = tuple(Routine(each) for each in members.texts(given["routine"]))
    except ValueError as error:
        raise Refused("no routine entry of this class exists") from error
    most = members.whole(given["most"])
    if not routine or len(set(routine)) != len(routine) or not 1 <= most <= MOST_ROUTINE:
        raise Malformed("a delegation is for some entries of some class")
    return Delegation(
        label=members.matching(_LABEL, given["label"]),
        key=charter.parse_key(given["key"]),
        routine=routine,
        most=most,
        until=policy.parse_day(given["until"]),
    )


def _drop(value: JsonValue) -> Drop:
    given = members.exact(value, frozenset({"subject"}))
    return Drop(subject=members.matching(_SUBJECT, given["subject"]))


_BARE: Final[Mapping[str, Change]] = {
    each.kind: each for each in (SuspendIssuing(), ResumeIssuing(), WindDown())
}
_READERS: Final[Mapping[str, Callable[[JsonValue], Change]]] = {
    PolicyChange.kind: _policy,
    ClaimChange.kind: _claim,
    Announcement.kind: announcement,
    Parameters.kind: _parameters,
    Component.kind: _component,
    Inventory.kind: _inventory,
    CharterChange.kind: _charter,
    SeatKey.kind: _seat_key,
    Delegation.kind: _delegation,
    Drop.kind: _drop,
}
