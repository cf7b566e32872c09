"""The ledger: what the entries so far have decided, and by which rules the next one counts.

DESIGN, section 5. An entry that does not count changes nothing and is listed with its reason. No
clock is read: notice is the time between C1, which contains the proposal, and C2, which the votes
are over, by their witnesses; votes are over C2 with its cosignatures, so nobody votes before its
time. Left out: who signed what (`approval`), and what anybody asks of it all (`fold`).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from crypto.encoding.canonical_json import JsonValue
from crypto.errors import CryptoError, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log.cosignature import Witnessed
from crypto.log.note import Note
from crypto.log.tree import TreeHead
from idservice.period import DAY
from idservice.register import approval, change, charter, entry, state, wire
from idservice.register.approval import Scope, Strength
from idservice.register.change import (
    Change,
    CharterChange,
    Drop,
    SeatKey,
    WindDown,
)
from idservice.register.charter import Charter
from idservice.register.entry import Digest, Proposal, Statement, Vote
from idservice.register.state import (
    FOR_GOOD,
    Commented,
    Course,
    Enacted,
    NotCounted,
    Reason,
    Record,
    Refusal,
    Time,
    Withdrawn,
    end_of,
)

EMERGENCY: Final = 14 * DAY
"""Seconds for which the emergency quorum can shrink something."""

FRESH: Final = 14 * DAY
"""Seconds after C2 in which an enactment must be logged, as far as the log itself tells time."""

_EVER: Final = UnixSeconds(1 << 37)
"""No witness of ours lives so long."""

Heads = Callable[[int], TreeHead]
"""Returns the head of the log's tree at a size: `PartialTree.head`. Raises `Refused`."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What the fold has learnt; a register never changes the one it holds."""

    scope: Scope
    whole: bool  # all entries are there: what was said before a vote can be checked
    charters: list[tuple[int, Charter]]
    size: int = 1
    records: dict[str, Record] = field(default_factory=dict)
    courses: dict[Digest, Course] = field(default_factory=dict)
    comments: dict[Digest, list[Commented]] = field(default_factory=dict)
    """Of each proposal, in the order of the log."""
    places: dict[Digest, tuple[Digest, int]] = field(default_factory=dict)
    """Of each comment: its proposal, and its place there."""
    routine: dict[str, int] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    told: int = 0  # the latest of their earliest
    community: UnixSeconds
    chain: tuple[int, ...] = (0,)
    """Entries that changed the charter, and the community's last enactment."""
    community_entries: tuple[int, ...] = ()
    touched: dict[int, tuple[str, ...]]
    """The subjects that an entry decided about."""
    summary_at: int = 0
    """The last true summary."""
    summary_time: UnixSeconds = state.NEVER

    def copy(self) -> "Ledger":
        """Return another one with the same content; values in it are never changed."""
        return replace(
            self,
            charters=[*self.charters],
            records=dict(self.records),
            courses=dict(self.courses),
            comments={proposal: [*said] for proposal, said in self.comments.items()},
            places=dict(self.places),
            routine=dict(self.routine),
            refusals=[*self.refusals],
            times=[*self.times],
            touched=dict(self.touched),
        )

    @property
    def charter(self) -> Charter:
        """Return the charter that holds now."""
        return self.charters[-1][1]

    def witnessed(self, signed: Note, *, number: int, now: UnixSeconds) -> Witnessed:
        """Check a checkpoint as the charter of this number demands; see `charter.witnessed`."""
        boards = [each for _, each in self.charters]
        return charter.witnessed(signed, board=boards[number], boards=boards, now=now)

    def told_all(self, course: Course) -> Course:
        """Return a course with its comments."""
        return replace(course, comments=tuple(self.comments.get(course.digest, ())))

    def state(self, at: UnixSeconds) -> Digest:
        """Return the digest that a summary must say now."""
        return state.digest(self.records, board=self.charter, community=self.community, at=at)


class Turn:
    """One portion of entries, put into a ledger of its own."""

    def __init__(self, ledger: Ledger, heads: Heads) -> None:
        self.ledger = ledger
        self._heads = heads
        self._checked: dict[tuple[Digest, int], Witnessed] = {}

    def take(self, index: int, octets: bytes, value: JsonValue) -> None:
        """Fold one entry, of which `value` may be known; one that does not count is listed."""
        if index < self.ledger.size or (self.ledger.whole and index != self.ledger.size):
            raise ValueError("entries come in their order")
        self.ledger.size = index + 1
        try:
            self._apply(index, octets, wire.parse(octets) if value is None else wire.read(value))
        except Malformed:
            self._refuse(index, Reason.MALFORMED)
        except Refused:
            self._refuse(index, Reason.BARRED)
        except NotCounted as error:
            self._refuse(index, error.reason)

    def _refuse(self, index: int, reason: Reason) -> None:
        self.ledger.refusals.append(Refusal(index=index, reason=reason))

    def _apply(self, index: int, octets: bytes, each: entry.Entry) -> None:  # noqa: C901 - a case for each type, nothing nested
        match each:
            case entry.CharterEntry():
                raise NotCounted(Reason.SECOND_CHARTER)
            case Proposal():
                self._propose(index, octets, each)
            case entry.Comment():
                self._comment(index, each)
            case entry.CommentRemoval():
                self._remove(each)
            case entry.Answer():
                course = self._course(each.proposal)
                self._keep(replace(course, answers=(*course.answers, each.answer)))
            case entry.Approval():
                self._approve(each)
            case entry.Enactment():
                self._enact(index, each)
            case entry.Withdrawal():
                self._withdraw(index, each)
            case entry.RoutineEntry():
                self._log_routine(index, octets, each)
            case entry.Summary():
                self._summarise(index, each)
            case _:
                assert_never(each)

    def _propose(self, index: int, octets: bytes, each: Proposal) -> None:
        digest = entry.entry_digest(octets)
        if digest in self.ledger.courses:
            raise NotCounted(Reason.DUPLICATE)
        self._check_fits(each)
        message = approval.proposal_message(each, scope=self.ledger.scope)
        self._check_seat(each.vote, message)
        self._check_base(each.change, each.base)
        self._keep(Course(index=index, digest=digest, proposal=each))

    def _comment(self, index: int, each: entry.Comment) -> None:
        ledger, course = self.ledger, self._course(each.proposal)
        if each.comment in ledger.places:
            raise NotCounted(Reason.DUPLICATE)
        comments = ledger.comments.setdefault(course.digest, [])
        ledger.places[each.comment] = course.digest, len(comments)
        comments.append(Commented(index=index, digest=each.comment, removed=None))

    def _remove(self, each: entry.CommentRemoval) -> None:
        if each.comment not in self.ledger.places:
            raise NotCounted(Reason.UNKNOWN_COMMENT)
        proposal, place = self.ledger.places[each.comment]
        comments = self.ledger.comments[proposal]
        comments[place] = replace(comments[place], removed=each.reason)

    def _approve(self, each: entry.Approval) -> None:
        course = self._open(each.statement.proposal)
        decided, board = course.proposal.change, self.ledger.charter
        message = approval.statement_message(each.statement, scope=self.ledger.scope)
        seat, before = each.vote.seat, course.votes.get(each.statement, ())
        keys = approval.possible_keys(decided, board).get(seat, ())
        own = [key for key in keys if approval.verifies(message, each.vote.signature, (key,))]
        if not own:
            raise NotCounted(Reason.NOT_SIGNED)
        if approval.signers(before, message, {seat: own}):
            raise NotCounted(Reason.DUPLICATE)
        votes = (*before, each.vote)[-entry.MOST_VOTES :]
        approved = course.approved
        with suppress(NotCounted):
            approved = approval.check(decided, votes=votes, message=message, charter=board)[1]
        published = {**course.votes, each.statement: votes}
        self._keep(replace(course, votes=published, approved=approved))

    def _withdraw(self, index: int, each: entry.Withdrawal) -> None:
        course = self._open(each.proposal)
        if each.vote.seat != course.proposal.vote.seat or course.enacted:
            raise NotCounted(Reason.NOT_SIGNED)
        message = approval.withdrawal_message(each.proposal, each.reason, scope=self.ledger.scope)
        self._check_seat(each.vote, message)
        self._keep(replace(course, withdrawn=Withdrawn(index=index, reason=each.reason)))

    def _enact(self, index: int, each: entry.Enactment) -> None:
        course = self._open(each.statement.proposal)
        proposal = course.proposal
        c2 = self._cosigned(each.c2, index, since=index)
        if c2.signed.checkpoint.head.size <= course.index:
            raise NotCounted(Reason.CHECKPOINT)
        if change.shrinks(proposal.change):
            if each.c1 is not None:  # nobody would look at it
                raise NotCounted(Reason.CHECKPOINT)
        else:
            self._check_notice(course, each.c1, c2, index)
        self._check_time(proposal, c2)
        self._check_fits(proposal)  # the charter may end sooner than it did then
        if self.ledger.whole:
            self._check_heard(self.ledger.told_all(course), each.statement, c2)
        strength, seats = approval.check(
            proposal.change,
            votes=each.votes,
            message=approval.statement_message(each.statement, scope=self.ledger.scope),
            charter=self.ledger.charter,
        )
        self._check_turn(course, strength)
        self._decide(index, course, c2, strength, seats)

    def _check_notice(self, course: Course, signed: Note | None, c2: Witnessed, index: int) -> None:
        """Check that everybody could know of it for the whole notice period."""
        if signed is None:
            raise NotCounted(Reason.NOTICE)
        c1 = self._cosigned(signed, index, since=course.index)
        sizes = c1.signed.checkpoint.head.size, c2.signed.checkpoint.head.size
        if not course.index < sizes[0] <= sizes[1]:
            raise NotCounted(Reason.CHECKPOINT)
        if c2.earliest - c1.latest < self.ledger.charter.notice_s:
            raise NotCounted(Reason.NOTICE)

    def _check_time(self, proposal: Proposal, c2: Witnessed) -> None:
        """Check that the votes are neither too late nor held back, as far as the log knows."""
        last = min(proposal.enact_by, self.ledger.charter.sunset)
        if c2.latest >= end_of(last) or self.ledger.told > c2.latest + FRESH:
            raise NotCounted(Reason.TOO_LATE)

    def _check_fits(self, each: Proposal) -> None:
        """Check that it does not outlive what it rests on."""
        fits = entry.fits(each.change, until=each.in_force_until, board=self.ledger.charter)
        if not fits or each.enact_by > each.in_force_until:
            raise NotCounted(Reason.TOO_LONG)

    def _check_heard(self, course: Course, said: Statement, c2: Witnessed) -> None:
        """Check that those who voted had all comments, and that they were answered."""
        size = c2.signed.checkpoint.head.size
        if said.comments != course.heard(size):
            raise NotCounted(Reason.COMMENTS)
        heard = any(each.index < size for each in course.comments)
        if said.answer is None and heard:
            raise NotCounted(Reason.UNANSWERED)
        if said.answer is not None and said.answer not in course.answers:
            raise NotCounted(Reason.UNANSWERED)

    def _check_turn(self, course: Course, strength: Strength) -> None:
        """Check that its subject is what it was; the board, and it alone, confirms an emergency."""
        if course.enacted is not None and strength is not Strength.FULL:
            raise NotCounted(Reason.OVER)
        self._check_base(course.proposal.change, course.proposal.base)

    def _decide(
        self,
        index: int,
        course: Course,
        c2: Witnessed,
        strength: Strength,
        seats: frozenset[str],
    ) -> None:
        ledger, board = self.ledger, self.ledger.charter
        enacted = Enacted(
            index=index,
            since=c2.latest,
            until=_until(course.proposal, c2, strength),
            provisional=strength is Strength.EMERGENCY,
            seats=seats,
        )
        self._record(course, enacted)  # may still refuse; nothing has changed before
        if board.has_community(seats) and c2.earliest >= ledger.community:
            ledger.community = c2.earliest
            ledger.community_entries = (course.index, index)
        ledger.touched[index] = (course.proposal.change.subject,)
        self._keep(replace(course, enacted=enacted))

    def _record(self, course: Course, enacted: Enacted) -> None:
        decided, entries = course.proposal.change, (course.index, enacted.index)
        subject = decided.subject
        before = self.ledger.records.get(subject)
        match decided:
            case CharterChange():
                self._replace_charter(decided.charter, entries)
            case SeatKey():
                self._replace_charter(approval.with_seat_key(self.ledger.charter, decided), entries)
            case Drop() if before is None:
                if self.ledger.whole:
                    raise NotCounted(Reason.OTHER_BASE)
                return
            case _:
                pass
        self.ledger.records[subject] = state.decided(course, enacted, before=before)

    def _replace_charter(self, new: Charter, entries: tuple[int, int]) -> None:
        self.ledger.charters.append((entries[1], new))
        self.ledger.chain = (*self.ledger.chain, *entries)

    def _log_routine(self, index: int, octets: bytes, each: entry.RoutineEntry) -> None:
        ledger, label = self.ledger, each.delegation
        record, spent = ledger.records.get(f"delegation:{label}"), ledger.routine.get(label, 0)
        if (
            record is None
            or change.WIND_DOWN in ledger.records
            # who has not the whole log may not know how late it is; a summary tells
            or (ledger.whole and record.paused_until > ledger.told)
        ):
            raise NotCounted(Reason.NOT_DELEGATED)
        key = approval.delegated(record, each.change, spent=spent, board=ledger.charter)
        message = approval.routine_message(label, each.change, scope=ledger.scope)
        if not approval.verifies(message, each.signature, (key,)):
            raise NotCounted(Reason.NOT_SIGNED)
        if each.change.subject in ledger.records:
            raise NotCounted(Reason.OTHER_BASE)
        ledger.routine[label] = spent + 1
        ledger.records[each.change.subject] = Record(
            subject=each.change.subject,
            version=1,
            settled=1,
            change=each.change,
            digest=entry.entry_digest(octets),
            until=each.change.exp,
            entries=(*record.entries, index),
        )
        ledger.touched[index] = (each.change.subject,)

    def _summarise(self, index: int, each: entry.Summary) -> None:
        witnessed = self._cosigned(each.checkpoint, index, since=index)
        if each.state != self.ledger.state(witnessed.latest):
            raise NotCounted(Reason.FALSE_SUMMARY)
        self.ledger.summary_at, self.ledger.summary_time = index, witnessed.latest

    def _keep(self, course: Course) -> None:
        self.ledger.courses[course.digest] = course

    def _course(self, digest: Digest) -> Course:
        course = self.ledger.courses.get(digest)
        if course is None:
            raise NotCounted(Reason.UNKNOWN_PROPOSAL)
        return course

    def _open(self, digest: Digest) -> Course:
        course = self._course(digest)
        if course.withdrawn or (course.enacted and not course.enacted.provisional):
            raise NotCounted(Reason.OVER)
        return course

    def _check_seat(self, vote: Vote, message: bytes) -> None:
        if not approval.signers((vote,), message, approval.seat_keys(self.ledger.charter)):
            raise NotCounted(Reason.NOT_SIGNED)

    def _check_base(self, decided: Change, base: int) -> None:
        """Check that it replaces what its subject is, but for what an emergency quorum did.

        Where entries are left out, earlier versions may be among them; the summary tells.
        """
        record = self.ledger.records.get(decided.subject)
        settled, version = (record.settled, record.version) if record else (0, 0)
        if base < settled or (self.ledger.whole and base > version):
            raise NotCounted(Reason.OTHER_BASE)

    def _cosigned(self, signed: Note, index: int, *, since: int) -> Witnessed:
        """Check a checkpoint of this very log, cosigned as a charter since then demands."""
        charters = self.ledger.charters
        number = len(charters) - 1
        while True:
            found = self._cosigned_under(signed, index, number)
            if found is not None:
                return found
            if not number or charters[number][0] <= since:
                raise NotCounted(Reason.CHECKPOINT)
            number -= 1

    def _cosigned_under(self, signed: Note, index: int, number: int) -> Witnessed | None:
        key = entry.note_digest(signed), number
        if key not in self._checked:
            try:
                found = self.ledger.witnessed(signed, number=number, now=_EVER)
                head = found.signed.checkpoint.head
                if head.size > index or self._heads(head.size) != head:
                    return None
            except CryptoError:
                return None
            self._checked[key] = found
            told = Time(size=head.size, earliest=found.earliest, latest=found.latest)
            self.ledger.times.append(told)
            self.ledger.told = max(self.ledger.told, told.earliest)
        return self._checked[key]


def _until(proposal: Proposal, c2: Witnessed, strength: Strength) -> UnixSeconds:
    if strength is Strength.EMERGENCY:
        return UnixSeconds(c2.latest + EMERGENCY)
    if isinstance(proposal.change, WindDown):
        return FOR_GOOD
    return end_of(proposal.in_force_until)
