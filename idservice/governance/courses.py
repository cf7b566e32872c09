"""From the fold over the log to what the public face shows.

DESIGN section 5. Nothing is decided here: states, votes and what is in force come from
`idservice.register`; texts come from the erasable store and are shown only beside the digest
that the log holds of them. Times are those of witnesses, never this machine's.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from crypto.encoding import canonical_json
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.log import cosignature, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Witnessed
from idservice.complaints import over_asking
from idservice.complaints.over_asking import Excess, Kind
from idservice.governance import plain_words
from idservice.governance.model import Comment, CountedComplaint, Digest
from idservice.governance.plain_words import Rows
from idservice.governance.view import (
    Complaint,
    Course,
    Event,
    Face,
    InForce,
    Log,
    Text,
    Vote,
)
from idservice.register import change, entry, state, wire
from idservice.register.entry import (
    Answer,
    Approval,
    CommentRemoval,
    Enactment,
    Entry,
    Proposal,
    Withdrawal,
)
from idservice.register.fold import Register
from idservice.register.state import Reason, Record, Step, Stopped

STOPPED: Final = {
    Stopped.SUSPENDED: "Issuing is suspended: no new cards.",
    Stopped.WOUND_DOWN: "The programme has ended: no new cards.",
    Stopped.NO_COMMUNITY: "The community has not signed anything for a year: no new cards.",
    Stopped.SUNSET: "The charter has run out: no new cards.",
}
_ISSUED: Final = "Cards are issued."
_UNWITNESSED: Final = "No witness has cosigned this register, so nobody can rely on it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the office knows at one moment."""

    register: Register
    entries: Sequence[bytes]
    head: SignedCheckpoint | None
    """What is published."""
    checkpoints: Sequence[Witnessed]
    """Those that were kept: the first that contains an entry tells its time."""
    in_force: state.InForce | None
    """By what is published; None where too few witnesses vouch for it."""
    comments: Mapping[Digest, Comment] = field(repr=False)
    documents: Mapping[Digest, str] = field(repr=False)
    complaints: Sequence[CountedComplaint]
    now: UnixSeconds


def face(known: Known) -> Face:
    """Make everything ready that is shown."""
    register, board = known.register, known.register.charter
    told = _Told(known)
    steps = told.steps()
    in_force = tuple(told.in_force())
    return Face(
        city=board.city,
        demonstration=board.demonstration,
        sandbox=board.sandbox,
        issuing=told.issuing(),
        notice=plain_words.length(board.notice_s),
        sunset=board.sunset.isoformat(),
        charter=plain_words.charter_rows(board),
        charter_digest=register.scope.charter.hex(),
        asking=tuple(each for each in in_force if each.subject.startswith("policy:")),
        others=tuple(each for each in in_force if not each.subject.startswith("policy:")),
        courses=tuple(told.course(each) for each in reversed(steps)),
        events=tuple(reversed(told.events)),
        complaints=tuple(map(_complaint, known.complaints)),
        log=Log(
            origin=board.log.name,
            key=board.log.text,
            size=register.size,
            root="" if known.head is None else known.head.checkpoint.head.root.hex(),
            witnessed=told.witnessed_at,
        ),
    )


def excess_text(excess: Excess) -> str:
    """Write the published form of an excess: its kind, and the claims after a colon."""
    if not excess.claims:
        return excess.kind.value
    return f"{excess.kind.value}: {', '.join(excess.claims)}"


def _complaint(counted: CountedComplaint) -> Complaint:
    kind, _, claims = counted.key.excess.partition(": ")
    named = tuple(claims.split(", ")) if claims else ()
    return Complaint(
        quarter=counted.key.quarter,
        verifier=counted.key.verifier,
        policy=counted.key.policy,
        excess=over_asking.words(Excess(kind=Kind(kind), claims=named)),
        number=counted.number,
    )


class _Told:
    """One telling: entries are read once, and signatures checked once."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._register = known.register
        self._courses = known.register.courses  # made anew at each look
        newest = _witnessed(known)
        found = [*known.checkpoints, *([] if newest is None else [newest])]
        found.sort(key=lambda each: each.latest)
        self._times = tuple(each.latest for each in found)
        self._sizes = tuple(accumulate((each.signed.checkpoint.head.size for each in found), max))
        """The largest that had been seen at each time."""
        self._newest = None if newest is None else (newest.earliest, newest.latest)
        """Earliest and latest time of what is published."""
        self._answers: dict[bytes, list[tuple[int, Answer]]] = {}
        self._approvals: dict[bytes, dict[str, int]] = {}
        self._comments = {
            said.digest: each.digest for each in self._courses.values() for said in each.comments
        }
        refused = {each.index: each.reason for each in known.register.refusals}
        self.events = tuple(
            self._event(number, octets, refused.get(number))
            for number, octets in enumerate(known.entries)
        )
        self._by_course: dict[int, list[Event]] = {}
        for each in self.events:
            if each.course is not None:
                self._by_course.setdefault(each.course, []).append(each)

    @property
    def witnessed_at(self) -> str | None:
        """When the newest published head had its quorum."""
        return None if self._newest is None else plain_words.iso(self._newest[1])

    def steps(self) -> tuple[Step, ...]:
        """Return each proposal's course and state; notice counts from the first checkpoint kept."""
        found = self._courses.values()
        return tuple(Step(course=each, state=self._state(each)) for each in found)

    def _state(self, found: state.Course) -> state.State:
        if self._newest is None:
            return state.Proposed()
        return found.state(
            since=self._since(found.index),
            notice_s=self._register.charter.notice_s,
            earliest=self._newest[0],
            latest=self._newest[1],
        )

    def _since(self, number: int) -> UnixSeconds | None:
        """Return by when witnesses had seen an entry."""
        place = bisect_right(self._sizes, number)
        return self._times[place] if place < len(self._times) else None

    def issuing(self) -> str:
        """Say whether cards are issued."""
        found = self._known.in_force
        if found is None:
            return _UNWITNESSED
        stopped = found.stopped(now=self._known.now)
        return _ISSUED if stopped is None else STOPPED[stopped]

    def in_force(self) -> Iterator[InForce]:
        """Return what holds, by its subject."""
        found = self._known.in_force
        if found is None:
            return
        for _, record in sorted(found.records.items()):
            if record.holds(earliest=found.earliest, latest=found.latest):
                yield self._holding(record)

    def _holding(self, record: Record) -> InForce:
        proposed = self._courses.get(record.digest)
        title, rows, more = plain_words.holding(record.change)
        return InForce(
            subject=record.subject,
            title=title,
            rows=rows,
            more=more,
            until=plain_words.last_day(record.until),
            number=record.entries[-1],
            course=None if proposed is None else proposed.index,
        )

    def course(self, step: Step) -> Course:
        """Make one proposal ready."""
        found, proposal = step.course, step.course.proposal
        stage, said, until = plain_words.standing(
            step.state, UnixSeconds(0) if self._newest is None else self._newest[0]
        )
        return Course(
            number=found.index,
            digest=found.digest.hex(),
            words=plain_words.six_words(found.digest),
            title=plain_words.title(proposal.change),
            subject=proposal.change.subject,
            stage=stage,
            said=said,
            proposer=proposal.vote.seat,
            rows=plain_words.rows(proposal.change),
            terms=_terms(proposal),
            exact=canonical_json.serialize(change.write(proposal.change)).decode(),
            object_until=until,
            impact_note=self._document(proposal.impact_note, found.index),
            comments=tuple(self._comment(each) for each in found.comments),
            answers=tuple(
                self._document(each.answer, number)
                for number, each in self._answers.get(found.digest, ())
            ),
            votes=self._votes(found),
            votes_needed=plain_words.needed(self._register.charter),
            events=tuple(self._by_course.get(found.index, ())),
        )

    def _document(self, digest: bytes, number: int) -> Text:
        text = self._known.documents.get(Digest(digest))
        return Text(digest=digest.hex(), text=text, number=number)

    def _comment(self, said: state.Commented) -> Text:
        kept = self._known.comments.get(Digest(said.digest))
        removed = None if said.removed is None else said.removed.value.replace("_", " ")
        return Text(
            digest=said.digest.hex(),
            text=None if kept is None or removed else kept.text,
            number=said.index,
            removed=removed,
        )

    def _votes(self, found: state.Course) -> tuple[Vote, ...]:
        numbers = dict(self._approvals.get(found.digest, {}))
        if found.enacted is not None:
            for seat in sorted(found.enacted.seats):
                numbers.setdefault(seat, found.enacted.index)
        return tuple(
            Vote(seat=name, seat_class=self._class(name), number=number)
            for name, number in numbers.items()
        )

    def _class(self, seat_id: str) -> str:
        seat = self._register.charter.seat(seat_id)
        return "no seat any more" if seat is None else plain_words.CLASSES[seat.seat_class]

    def _event(self, number: int, octets: bytes, refused: Reason | None) -> Event:
        each = None if refused is not None else wire.parse(octets)
        proposal = self._sort(number, octets, each)
        found = None if proposal is None else self._courses.get(proposal)
        time = self._since(number)
        return Event(
            number=number,
            type="none" if each is None else each.type,
            said=_words(each, refused),
            leaf=tree.leaf_hash(octets).hex(),
            course=None if found is None else found.index,
            witnessed=None if time is None else plain_words.iso(time),
        )

    def _sort(self, number: int, octets: bytes, each: Entry | None) -> bytes | None:
        """Remember an entry where it is asked for, and return the proposal that it is about."""
        match each:
            case Proposal():
                return entry.entry_digest(octets)
            case Approval() | Enactment():
                about = each.statement.proposal
            case Answer() | Withdrawal() | entry.Comment():
                about = each.proposal
            case CommentRemoval():
                return self._comments.get(each.comment)
            case _:
                return None
        if isinstance(each, Approval):
            self._approvals.setdefault(about, {}).setdefault(each.vote.seat, number)
        elif isinstance(each, Answer):
            self._answers.setdefault(about, []).append((number, each))
        return about


def _words(each: Entry | None, refused: Reason | None) -> str:
    if each is not None:
        return plain_words.event(each)
    return f"An entry that does not count: {plain_words.spaced(refused or Reason.MALFORMED)}"


def _witnessed(known: Known) -> Witnessed | None:
    """Say when witnesses saw what is published, None where too few did."""
    if known.head is None:
        return None
    policy = known.register.charter.witness_policy
    try:
        return cosignature.verify_quorum(known.head, policy=policy, now=known.now)
    except CryptoError:
        return None


def _terms(proposal: Proposal) -> Rows:
    return (
        ("Proposed by", f"the seat {proposal.vote.seat}"),
        ("Would be in force until", proposal.in_force_until.isoformat()),
        ("Must be enacted by", proposal.enact_by.isoformat()),
        ("Decided before", f"{proposal.base} times"),
    )
