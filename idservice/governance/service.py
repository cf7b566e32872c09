"""What the register's office does, one method per act: read, propose, comment, vote, enact.

DESIGN section 5. What counts is decided by the register's own rules (`journal.py`): whoever asks,
and with whichever key, nothing is logged that would not count. The order of each act: keep the
text, log, erase; `open` finishes from the log what a crash interrupted, and whatever is kept
beside the log without a digest in it goes. Seats are known by their signatures, the desk by the
caller; the desk writes and erases texts, and decides nothing.
"""

import threading
from collections.abc import Sequence
from typing import Final, TypeVar

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused
from idservice import period
from idservice.clock import Clock
from idservice.complaints import over_asking
from idservice.errors import Code, ServiceError
from idservice.governance import courses, model, ports
from idservice.governance.courses import Known
from idservice.governance.journal import Journal, Snapshot
from idservice.governance.model import Comment, ComplaintKey, Digest, Logged, NotLogged, Receipt
from idservice.governance.view import Face
from idservice.register import approval, entry, wire
from idservice.register.change import PolicyChange
from idservice.register.entry import (
    Answer,
    Approval,
    CharterEntry,
    CommentRemoval,
    Enactment,
    Entry,
    Proposal,
    RemovalReason,
    RoutineEntry,
    Vote,
    Withdrawal,
)
from idservice.register.state import Course, Reason
from idservice.verification.policy import Policy

COMMENTS_PER_MINUTE: Final = 60
COMPLAINTS_PER_MINUTE: Final = 60
"""Of everybody together: whoever sends is not counted apart."""

LONGEST_DOCUMENT: Final = 32 << 10
"""Characters of an official text."""

_E = TypeVar("_E", bound=Entry)


class RegisterOffice:
    """One city's register; one process at a time appends to its log."""

    def __init__(
        self,
        *,
        book: ports.LogBook,
        store: ports.RegisterStore,
        knowledge: ports.Knowledge,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._book = book
        self._store = store
        self._knowledge = knowledge
        self._clock = clock
        self._random_bytes = random_bytes
        self._journal = Journal(book=book, store=store, clock=clock)
        self._lock = threading.Lock()
        self._minutes: dict[str, tuple[int, int]] = {}
        self._changes = 0
        self._face: tuple[tuple[object, ...], Face] | None = None

    def open(self, *, pin: entry.Digest) -> None:
        """Fold the whole log and finish what a crash interrupted.

        Args:
            pin: SHA-256 of entry 0.

        Raises:
            Unusable: another charter, or the log's rows are not those that it signed.
            ServiceError: the database is away.
        """
        self._journal.open(pin=pin)
        self._tidy()
        self.keep_current()

    def keep_current(self) -> None:
        """Do what a timer is for: keep what was published meanwhile."""
        self._journal.keep_current()

    def ready(self) -> bool:
        """Say whether the register can be shown and added to."""
        return self._book.published() is not None

    # what everybody may see

    def snapshot(self) -> Snapshot:
        """Return everything that was logged, folded."""
        return self._journal.snapshot()

    def face(self) -> Face:
        """Make everything ready that is shown; made anew when something has changed."""
        snapshot, head = self.snapshot(), self._book.published()
        standing = self._journal.standing()
        seen = (head, None if standing is None else standing.head)
        notes = (None if each is None else each.note for each in seen)
        key = (snapshot.register.size, *notes, self._changes)
        with self._lock:
            if self._face is None or self._face[0] != key:
                now = self._clock.now()
                known = Known(
                    register=snapshot.register,
                    entries=snapshot.entries,
                    head=head,
                    checkpoints=self._journal.kept(),
                    in_force=None if standing is None else standing.in_force(now=now),
                    comments=self._store.comments(),
                    documents=self._store.documents(),
                    complaints=self._store.complaints(),
                    now=now,
                )
                self._face = key, courses.face(known)
            return self._face[1]

    def entry(self, number: int) -> tuple[bytes, Sequence[str], str | None]:
        """Return an entry, its inclusion proof in base64, and the checkpoint that it is for.

        Raises:
            ServiceError: `not_found`.
        """
        entries, published = self.snapshot().entries, self._book.published()
        if not 0 <= number < len(entries):
            raise ServiceError(Code.NOT_FOUND)
        if published is None or number >= published.checkpoint.head.size:
            return entries[number], (), None
        return entries[number], self._book.prove(number), published.note.octets().decode()

    def votes(self, number: int) -> JsonObject:
        """Return what an enactment is made of: C1, and the votes by what they are over.

        Of what each seat voted for, only the newest is told, and what has enough votes: no seat
        makes the answer long, or hides what is decided.
        """
        course = self._journal.course(number)
        kept = [each.signed.note for each in self._journal.kept()]
        texts = {entry.note_digest(each): each.octets().decode() for each in kept}
        first = self._journal.first_after(course.index)
        newest = {
            vote.seat: statement for statement, votes in course.votes.items() for vote in votes
        }
        enough = course.approved
        told = {*newest.values()} | {
            statement
            for statement, votes in course.votes.items()
            if enough and enough <= {vote.seat for vote in votes}
        }
        statements: list[JsonValue] = [
            {
                "statement": wire.write_statement(statement),
                "checkpoint": texts[statement.checkpoint],
                "votes": [_write_vote(vote) for vote in votes],
            }
            for statement, votes in course.votes.items()
            if statement in told and statement.checkpoint in texts
        ]
        c1 = None if first is None else first.signed.note.octets().decode()
        return {"c1": c1, "statements": statements}

    def comment_kept(self, digest: Digest) -> Comment | None:
        """Return a comment that still stands, with the salt by which it can be checked."""
        return self._store.comment(digest)

    # what seats do; their signatures are in the entries

    def propose(self, said: JsonObject, *, impact_note: str) -> Logged:
        """Log a proposal and keep its impact note.

        Raises:
            ServiceError: `missing_member` for what is no proposal, `too_large` for its note.
            NotLogged: it would not count.
        """
        octets, each = _read(said, Proposal)
        if self._document(impact_note) != each.impact_note:
            raise ServiceError(Code.MISSING_MEMBER)
        self._journal.check(octets)
        self._store.keep_document(impact_note)
        return self._journal.log(octets)

    def approve(self, said: JsonObject, *, checkpoint_note: str, minutes: str | None) -> Logged:
        """Log a vote; keep the checkpoint that it is over, and the minutes.

        Raises:
            ServiceError: `missing_member` where the texts are not those of the vote.
            NotLogged: it would not count, or its checkpoint is not one of this log.
        """
        octets, each = _read(said, Approval)
        witnessed = self._journal.cosigned(checkpoint_note)
        if entry.note_digest(witnessed.signed.note) != each.statement.checkpoint:
            raise ServiceError(Code.MISSING_MEMBER)
        if minutes is not None and self._document(minutes) != each.statement.minutes:
            raise ServiceError(Code.MISSING_MEMBER)
        self._journal.check(octets)
        self._journal.keep(witnessed)
        if minutes is not None:
            self._store.keep_document(minutes)
        return self._journal.log(octets)

    def enact(self, said: JsonObject) -> Logged:
        """Log an enactment; whoever brings it, the votes in it decide.

        Raises:
            ServiceError: `missing_member` for what is none.
            NotLogged: it would not count, or one of its votes is nobody's: the log keeps no text.
        """
        octets, each = _read(said, Enactment)
        self._check_votes(each)
        return self._journal.log(octets)

    def withdraw(self, said: JsonObject) -> Logged:
        """Log that its proposer takes a proposal back."""
        return self._journal.log(_read(said, Withdrawal)[0])

    def log_routine(self, said: JsonObject) -> Logged:
        """Log what a delegated key signed."""
        return self._journal.log(_read(said, RoutineEntry)[0])

    # what anybody does

    def comment(self, number: int, text: str) -> Receipt:
        """Publish a comment: its text where it can be erased, its salted digest in the log.

        Raises:
            ServiceError: `not_found`; `missing_member` for a text that cannot be shown; `busy`.
            NotLogged: the proposal is over.
        """
        course = self._journal.course(number)
        if course.withdrawn is not None or course.enacted is not None:
            raise NotLogged(Reason.OVER)
        try:
            comment = Comment(salt=self._random_bytes(model.SALT_LENGTH), text=text)
        except Malformed as error:
            raise ServiceError(Code.MISSING_MEMBER) from error
        self._count("comments", COMMENTS_PER_MINUTE)
        self._store.keep(comment)
        logged = self._journal.log(
            wire.write(entry.Comment(proposal=course.digest, comment=comment.digest))
        )
        return Receipt(number=logged.number, digest=comment.digest.hex(), salt=comment.salt.hex())

    def complain(self, file: bytes) -> tuple[ComplaintKey, ...]:
        """Check a complaint of over-asking, count what may be published, forget the file.

        Raises:
            ServiceError: `bad_json` for what is no complaint, `policy_violation` for one that
                proves nothing, `busy`, or `unavailable` while there is no trust bundle.
        """
        trust = self._knowledge.trust()
        if trust is None:
            raise ServiceError(Code.UNAVAILABLE)
        self._count("complaints", COMPLAINTS_PER_MINUTE)
        now = self._clock.now()
        versions = (*self._policies(), *trust.policies.values())
        try:
            proved = over_asking.prove(file, root=trust.root, policies=versions, now=now)
        except Malformed as error:
            raise ServiceError(Code.BAD_JSON) from error
        except Refused as error:
            raise ServiceError(Code.POLICY_VIOLATION) from error
        day = period.day(now)
        keys = tuple(
            ComplaintKey(
                quarter=f"{day.year}-Q{(day.month + 2) // 3}",
                verifier=proved.verifier,
                policy=proved.policy or model.NO_POLICY,
                excess=courses.excess_text(each),
            )
            for each in proved.excess
        )
        for key in keys:
            self._store.count(key)
        self._changes += 1
        return keys

    # what the desk does: it writes and erases texts, and decides nothing

    def answer(self, number: int, text: str) -> Logged:
        """Publish a written answer to objections."""
        digest = self._document(text)
        course = self._journal.course(number)
        self._store.keep_document(text)
        return self._journal.log(wire.write(Answer(proposal=course.digest, answer=digest)))

    def remove(self, digest: Digest, reason: RemovalReason) -> Logged:
        """Log why the text of a comment goes, then erase it."""
        logged = self._journal.log(wire.write(CommentRemoval(comment=digest, reason=reason)))
        self._store.erase([digest])
        self._changes += 1
        return logged

    def _tidy(self) -> None:
        """Erase what the log does not know, and what it says was erased."""
        found = self.snapshot().register.courses.values()
        standing = {each.digest for one in found for each in one.comments if each.removed is None}
        gone = set(self._store.comments()) - standing
        if gone:
            self._store.erase(gone)
        named = {one.proposal.impact_note for one in found}
        named.update(answer for one in found for answer in one.answers)
        named.update(said.minutes for one in found for said in one.votes if said.minutes)
        unknown = set(self._store.documents()) - named
        if unknown:
            self._store.drop_documents(unknown)

    def _check_votes(self, each: Enactment) -> None:
        register = self.snapshot().register
        course = register.courses.get(each.statement.proposal)
        if course is None:
            raise NotLogged(Reason.UNKNOWN_PROPOSAL)
        keys = approval.possible_keys(course.proposal.change, register.charter)
        message = approval.statement_message(each.statement, scope=register.scope)
        if any(not approval.signers((vote,), message, keys) for vote in each.votes):
            raise NotLogged(Reason.NOT_SIGNED)

    def _document(self, text: str) -> Digest:
        if len(text) > LONGEST_DOCUMENT:
            raise ServiceError(Code.TOO_LARGE)
        try:
            model.check_shown(text)
        except Malformed as error:
            raise ServiceError(Code.MISSING_MEMBER) from error
        return model.document_digest(text)

    def _policies(self) -> list[Policy]:
        """Return each version of each policy that was ever in force."""
        first = wire.parse(self.snapshot().entries[0])
        founding = first.founding if isinstance(first, CharterEntry) else ()
        enacted = (
            each for each in self.snapshot().register.courses.values() if each.enacted is not None
        )
        changes = [
            *(each.change for each in founding),
            *(each.proposal.change for each in sorted(enacted, key=_enacted_at)),
        ]
        return [each.policy for each in changes if isinstance(each, PolicyChange)]

    def _count(self, what: str, most: int) -> None:
        minute = self._clock.now() // 60
        with self._lock:
            last, number = self._minutes.get(what, (minute, 0))
            number = number + 1 if last == minute else 1
            if number > most:
                raise ServiceError(Code.BUSY)
            self._minutes[what] = minute, number


def _write_vote(vote: Vote) -> JsonValue:
    return [vote.seat, base64url.encode(vote.signature)]


def _enacted_at(course: Course) -> int:
    return 0 if course.enacted is None else course.enacted.index


def _read(said: JsonObject, kind: type[_E]) -> tuple[bytes, _E]:
    """Read an entry of one type; every other type has another address.

    Raises:
        ServiceError: `missing_member` for another type, or what does not parse.
        NotLogged: this software never does it.
    """
    octets = canonical_json.serialize(said)
    try:
        each = wire.parse(octets)
    except Malformed as error:
        raise ServiceError(Code.MISSING_MEMBER) from error
    except Refused as error:
        raise NotLogged(Reason.BARRED) from error
    if not isinstance(each, kind):
        raise ServiceError(Code.MISSING_MEMBER)
    return octets, each
