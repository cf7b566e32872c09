"""How far a change has come, and what is in force.

Each state of a change is a value of its own, and none turns back: proposed, in notice, approved,
enacted, expired, withdrawn. `InForce` is the answer for which the register is there. Times are
those of a checkpoint's witnesses: what begins counts from the earliest, what ends from the latest
of them. Issuing can stop; verifying cannot: `announced` keeps every key until its own `exp`. Left
out: the rules by which an entry counts (`ledger`, `approval`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.instant import UnixSeconds
from crypto.log.cosignature import Witnessed
from idservice.period import DAY, Period
from idservice.register import change, charter
from idservice.register.change import Announcement, Change, Drop, SuspendIssuing
from idservice.register.charter import Charter
from idservice.register.entry import (
    Digest,
    Proposal,
    RemovalReason,
    Statement,
    Vote,
    WithdrawalReason,
    comments_digest,
)
from idservice.verification.policy import Policy

_LAST = date(9999, 12, 30)
"""The last day whose end can be told."""
NEVER, FOR_GOOD = UnixSeconds(0), UnixSeconds((1 << 53) - 1)


def end_of(day: date) -> UnixSeconds:
    """Return the first second after a day, in UTC."""
    midnight = datetime.combine(min(day, _LAST) + timedelta(days=1), time(), UTC)
    return UnixSeconds(int(midnight.timestamp()))


def start_of(day: date) -> UnixSeconds:
    """Return the first second of a day, in UTC."""
    return UnixSeconds(end_of(day) - DAY)


class Reason(StrEnum):
    """Why an entry does not count."""

    MALFORMED = "malformed"
    BARRED = "barred"
    """A constant of the software forbids it: a barred purpose, a board without a community."""
    SECOND_CHARTER = "second_charter"
    DUPLICATE = "duplicate"
    NOT_SIGNED = "not_signed"
    UNKNOWN_PROPOSAL = "unknown_proposal"
    UNKNOWN_COMMENT = "unknown_comment"
    OTHER_BASE = "other_base"
    """Its subject was decided meanwhile."""
    TOO_LONG = "too_long"
    """It would outlive what it rests on."""
    CHECKPOINT = "checkpoint"
    """Not this log's, not of this tree, or not cosigned by enough witnesses."""
    NOTICE = "notice"
    TOO_LATE = "too_late"
    COMMENTS = "comments"
    """Not all comments were before those who voted."""
    UNANSWERED = "unanswered"
    TOO_FEW = "too_few"
    NO_COMMUNITY = "no_community"
    OWN_CLASS = "own_class"
    """A class of seats has not agreed to its own change."""
    NOT_DELEGATED = "not_delegated"
    OVER = "over"
    """Withdrawn, or enacted already."""
    FALSE_SUMMARY = "false_summary"


class NotCounted(Exception):
    """An entry changes nothing."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An entry that does not count, and why."""

    index: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """In the log, under no cosigned checkpoint yet: its notice has not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InNotice:
    """Everybody can know and object."""

    since: UnixSeconds
    """By then witnesses had seen it."""
    until: UnixSeconds
    """Before then it cannot be enacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Enough seats have voted; not enacted."""

    since: UnixSeconds
    until: UnixSeconds
    seats: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enacted:
    """Decided."""

    index: int
    """Of the enactment."""
    since: UnixSeconds
    """The time of the checkpoint that was voted on."""
    until: UnixSeconds
    provisional: bool
    """By the emergency quorum: it lapses unless the board confirms it."""
    seats: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Not enacted in time, or enacted and over."""

    enacted: Enacted | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Its proposer took it back."""

    index: int
    reason: WithdrawalReason


State = Proposed | InNotice | Approved | Enacted | Expired | Withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented:
    """One comment on a proposal."""

    index: int
    digest: Digest
    removed: RemovalReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One proposal, and all that came of it so far."""

    index: int
    digest: Digest
    proposal: Proposal
    comments: tuple[Commented, ...] = ()
    answers: tuple[Digest, ...] = ()
    votes: Mapping[Statement, tuple[Vote, ...]] = field(default_factory=dict)
    """Published before an enactment, by what they say yes to."""
    approved: frozenset[str] = frozenset()
    """The seats, once they are enough."""
    enacted: Enacted | None = None
    withdrawn: Withdrawn | None = None

    def heard(self, size: int) -> Digest:
        """Return the digest of the comments that a tree of this size contains."""
        return comments_digest(tuple(each.digest for each in self.comments if each.index < size))

    def state(
        self,
        *,
        since: UnixSeconds | None,
        notice_s: int,
        earliest: UnixSeconds,
        latest: UnixSeconds,
    ) -> State:
        """Return how far it has come.

        Args:
            since: when witnesses had seen it, None if no cosigned checkpoint contains it.
            notice_s: the charter's notice period.
            earliest: when a witness saw the newest checkpoint.
            latest: when all witnesses that count had seen it.
        """
        if self.withdrawn is not None:
            return self.withdrawn
        if self.enacted is not None:
            over = earliest if self.enacted.provisional else latest
            return Expired(enacted=self.enacted) if self.enacted.until <= over else self.enacted
        if since is None:
            return Proposed()
        if latest >= end_of(self.proposal.enact_by):
            return Expired(enacted=None)
        until = UnixSeconds(since + notice_s)
        if self.approved:
            return Approved(since=since, until=until, seats=self.approved)
        return InNotice(since=since, until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One proposal for people to read: all that came of it, and its state."""

    course: Course
    state: State


COMMUNITY_SILENCE: Final = 365 * DAY
"""Without the community's signature for so long, nothing is issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A cosigned checkpoint in the log."""

    size: int
    earliest: UnixSeconds
    latest: UnixSeconds


class Stopped(StrEnum):
    """Why nothing is issued."""

    SUSPENDED = "suspended"
    WOUND_DOWN = "wound_down"
    NO_COMMUNITY = "no_community"
    SUNSET = "sunset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was decided last about a subject."""

    subject: str
    version: int
    """How often its subject was decided: the base of the next proposal."""
    settled: int
    """The last version that is no emergency's: a proposal from then on counts as well."""
    change: Change
    digest: Digest
    """Of the proposal or routine entry, or of entry 0."""
    until: UnixSeconds
    entries: tuple[int, ...]
    """Entries that justify it."""
    provisional: bool = False
    paused_until: UnixSeconds = NEVER
    """Out of force by the emergency quorum until then; 0 if it is not."""
    ended: bool = False
    """Dropped by the board."""

    def holds(self, *, earliest: UnixSeconds, latest: UnixSeconds) -> bool:
        """Say whether it is in force between these times."""
        return not self.ended and self.until > latest and self.paused_until <= earliest

    def matters(self, *, at: UnixSeconds) -> bool:
        """Say whether it, or an emergency that it leaves its time, has an effect after a time."""
        return not self.ended and max(self.until, self.paused_until) > at

    @property
    def emergency(self) -> UnixSeconds:
        """Return until when the emergency quorum has it out of force."""
        return self.until if self.provisional else self.paused_until


def decided(course: Course, enacted: Enacted, *, before: Record | None) -> Record:
    """Return what an enactment makes of its subject, about which `before` was decided last.

    The emergency quorum stops at once and vetoes nothing: a proposal that does not know of its
    act still counts, and leaves that act its time. What shrinks gives nothing back.
    """
    proposal, entries = course.proposal, (course.index, enacted.index)
    made = Record(
        subject=proposal.change.subject,
        version=proposal.base + 1,
        settled=proposal.base if enacted.provisional else proposal.base + 1,
        change=proposal.change,
        digest=course.digest,
        until=enacted.until,
        provisional=enacted.provisional,
        entries=entries,
    )
    drops, shrinks = isinstance(made.change, Drop), change.shrinks(made.change)
    if before is None or not (shrinks or proposal.base < before.version):
        return made
    paused = before.paused_until if shrinks else before.emergency
    longer = isinstance(before.change, SuspendIssuing) and before.until > made.until
    stays = drops or (shrinks and longer)
    if stays and made.provisional:
        paused = max(paused, made.until)
    # the board's confirmation of an emergency decides the same once more
    version = max(made.version, before.version + (course.enacted is None))
    return replace(
        before if stays else made,
        version=version,
        settled=before.settled if made.provisional else version,
        paused_until=paused,
        ended=drops and (before.ended or not made.provisional),
        entries=(*before.entries, *entries),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What is in force; only `fold` makes it."""

    charter: Charter
    charter_digest: Digest
    """SHA-256 of entry 0: the city's name for ever."""
    size: int
    """Entries that were folded."""
    earliest: UnixSeconds
    """A witness saw this checkpoint then; what must have begun counts from here."""
    latest: UnixSeconds
    """All witnesses that count had seen it by then; what ends counts from here."""
    current: UnixSeconds
    """A whole quorum knew nothing newer then."""
    records: Mapping[str, Record]
    """All subjects, also those whose time is over."""
    policies: Mapping[str, Policy]
    announced: Mapping[tuple[str, Period], Announcement]
    """By configuration and period: all that were ever announced, dropped ones included."""
    delegations: Mapping[str, change.Delegation]
    components: Mapping[str, change.Component]
    claims: frozenset[str]
    """Claims of the catalogue that the board decided to issue."""
    inventory: change.Inventory | None
    parameters: change.Parameters | None
    community: UnixSeconds
    """When the community last signed; the day of the charter if it never did."""

    @property
    def demonstration(self) -> bool:
        """Say whether the city alone vouches for the log."""
        return self.charter.demonstration

    @property
    def sandbox(self) -> bool:
        """Say whether this is a city for trying things out."""
        return self.charter.sandbox

    def version(self, subject: str) -> int:
        """Return the base that a new proposal about this subject must name."""
        record = self.records.get(subject)
        return record.version if record else 0

    def stopped(self, *, now: UnixSeconds) -> Stopped | None:
        """Return why nothing may be issued, None if something may.

        Args:
            now: the caller's time; a clock that lags gains nothing, the witnesses' time counts too.
        """
        latest = UnixSeconds(max(now, self.latest))
        if change.WIND_DOWN in self.records:
            return Stopped.WOUND_DOWN
        if latest >= end_of(self.charter.sunset):
            return Stopped.SUNSET
        if latest > self.community + COMMUNITY_SILENCE:
            return Stopped.NO_COMMUNITY
        return Stopped.SUSPENDED if self._suspended() else None

    def may_issue(self, *, configuration: str, period: Period) -> bool:
        """Say whether this period's key was announced and not dropped."""
        record = self.records.get(f"announced:{configuration}:{period}")
        return record is not None and not record.ended and record.paused_until <= self.earliest

    def _suspended(self) -> bool:
        record = self.records.get(change.ISSUING)
        if record is None:
            return False
        suspends = isinstance(record.change, SuspendIssuing) and record.until > self.earliest
        return suspends or record.paused_until > self.earliest


def build(
    records: Mapping[str, Record],
    *,
    board: Charter,
    charter_digest: Digest,
    size: int,
    community: UnixSeconds,
    witnessed: Witnessed,
) -> InForce:
    """Sort what was decided by what it is, and leave out what does not hold at this time."""
    earliest, latest = witnessed.earliest, witnessed.latest
    holding = [each for each in records.values() if each.holds(earliest=earliest, latest=latest)]
    changes = [each.change for each in holding]
    announced = [each.change for each in records.values()]
    return InForce(
        charter=board,
        charter_digest=charter_digest,
        size=size,
        earliest=earliest,
        latest=latest,
        current=witnessed.current,
        records=MappingProxyType(dict(records)),
        policies={
            each.policy.id: each.policy for each in changes if isinstance(each, change.PolicyChange)
        },
        announced={
            (each.configuration, each.period): each
            for each in announced
            if isinstance(each, Announcement)
        },
        delegations={each.label: each for each in changes if isinstance(each, change.Delegation)},
        components={each.name: each for each in changes if isinstance(each, change.Component)},
        claims=frozenset(
            each.claim for each in changes if isinstance(each, change.ClaimChange) and each.issued
        ),
        inventory=next((each for each in changes if isinstance(each, change.Inventory)), None),
        parameters=next((each for each in changes if isinstance(each, change.Parameters)), None),
        community=community,
    )


def digest(
    records: Mapping[str, Record], *, board: Charter, community: UnixSeconds, at: UnixSeconds
) -> Digest:
    """Return the digest of all that holds at a time: what a summary says."""
    held: list[JsonValue] = [
        [
            each.subject,
            each.version,
            base64url.encode(each.digest),
            each.until,
            each.provisional,
            each.paused_until if each.paused_until > at else 0,
        ]
        for each in sorted(records.values(), key=lambda record: record.subject)
        if each.matters(at=at)
    ]
    said: JsonObject = {"charter": charter.write(board), "community": community, "records": held}
    return hashlib.sha256(canonical_json.serialize(said)).digest()
