"""The fold: from the entries of the log to what is in force, by everybody for themselves.

DESIGN, section 5. Entries are taken one by one (`ledger`), all at once or in portions: the
outcome is the same. A fold over some entries only (`bundle`) believes a summary, which is itself
an entry, about the rest. Left out: whether the log holds together (`idservice.transparency`).
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Final, Self

from crypto.encoding.canonical_json import JsonValue
from crypto.errors import Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.log import cosignature, partial, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Witnessed
from crypto.log.note import Note, VerifierKey
from idservice.register import entry, state, wire
from idservice.register.approval import Scope
from idservice.register.change import (
    CharterChange,
    Drop,
    ResumeIssuing,
    SeatKey,
    SuspendIssuing,
    WindDown,
)
from idservice.register.charter import Charter
from idservice.register.entry import CharterEntry, Digest, Founding
from idservice.register.ledger import Heads, Ledger, Turn
from idservice.register.state import (
    Course,
    InForce,
    Record,
    Refusal,
    State,
    Step,
    Time,
    end_of,
    start_of,
)

_NEVER_FOUNDING: Final = (CharterChange, SeatKey, SuspendIssuing, ResumeIssuing, WindDown, Drop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """All entries up to a size, folded; only `start` and `extend` make it."""

    _ledger: Ledger

    @property
    def size(self) -> int:
        """Entries that were folded, or passed over."""
        return self._ledger.size

    @property
    def scope(self) -> Scope:
        """For which register signatures are given."""
        return self._ledger.scope

    @property
    def charter(self) -> Charter:
        """The charter that holds after these entries."""
        return self._ledger.charter

    @property
    def witnesses(self) -> frozenset[VerifierKey]:
        """Everybody whom a charter of this register ever named: nobody else signs in an entry."""
        return frozenset(each.key for _, one in self._ledger.charters for each in one.witnesses)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Entries that do not count."""
        return tuple(self._ledger.refusals)

    @property
    def courses(self) -> Mapping[Digest, Course]:
        """Every proposal that counts, by its digest."""
        kept = self._ledger
        return {digest: kept.told_all(course) for digest, course in kept.courses.items()}

    @property
    def summarised_from(self) -> int | None:
        """The last true summary, None if something was decided after it."""
        found = self._ledger.summary_at
        return found if found >= max(self._ledger.touched) else None

    def extend(
        self,
        entries: Iterable[tuple[int, bytes]],
        *,
        heads: Heads,
        values: Mapping[int, JsonValue] = MappingProxyType({}),
    ) -> Self:
        """Fold more entries.

        Args:
            entries: number and octets, in the order of the log, from `size` on.
            heads: of a tree that contains them.
            values: what octets were written from, by number, where the caller wrote them.
        """
        turn = Turn(self._ledger.copy(), heads)
        for index, octets in entries:
            turn.take(index, octets, values.get(index))
        return replace(self, _ledger=turn.ledger)

    def witnessed(self, signed: Note, *, now: UnixSeconds) -> Witnessed:
        """Check a checkpoint that the next entry is to hold; raises as `charter.witnessed`."""
        return self._ledger.witnessed(signed, number=-1, now=now)

    def state(self, *, at: UnixSeconds) -> Digest:
        """Return what a summary that is logged next must say; `at`: its checkpoint's latest."""
        return self._ledger.state(at)

    def in_force(self, head: SignedCheckpoint, *, now: UnixSeconds) -> InForce:
        """Return what is in force at a checkpoint.

        Args:
            head: of exactly the tree whose entries were folded.
            now: the reader's time, only to refuse cosignatures of the future.

        Raises:
            CryptoError: too few witnesses of the charter cosigned it.
        """
        if head.checkpoint.head.size != self.size:
            raise ValueError("another size than was folded")
        witnessed = cosignature.verify_quorum(head, policy=self.charter.witness_policy, now=now)
        return state.build(
            self._ledger.records,
            board=self.charter,
            charter_digest=self.scope.charter,
            size=self.size,
            community=self._ledger.community,
            witnessed=witnessed,
        )

    def history(self, head: SignedCheckpoint, *, now: UnixSeconds) -> tuple[Step, ...]:
        """Return every proposal in the order of the log, with its state at a checkpoint.

        Args:
            head: of these entries or of the first of them: the rest is proposed, and no more.
            now: as for `in_force`.

        Raises:
            CryptoError: too few witnesses of the charter cosigned it.
        """
        witnessed = cosignature.verify_quorum(head, policy=self.charter.witness_policy, now=now)
        newest = Time(
            size=head.checkpoint.head.size, earliest=witnessed.earliest, latest=witnessed.latest
        )
        times = sorted((*self._ledger.times, newest), key=lambda each: each.size)
        return tuple(
            Step(course=each, state=self._state(each, times, newest))
            for each in self.courses.values()
        )

    def justification(self, subjects: Collection[str]) -> frozenset[int]:
        """Return the entries for the charter, these subjects, and all that the summary covers."""
        kept = self._ledger
        found = {*kept.chain, *kept.community_entries}
        for record in kept.records.values():
            if record.matters(at=kept.summary_time) or record.subject in subjects:
                found.update(record.entries)
        # Whatever else was decided about what these entries touch, must be told as well.
        told: set[int] = set()
        while found - told:
            subjects_told = [kept.touched.get(index, ()) for index in found - told]
            told |= found
            for subject in chain.from_iterable(subjects_told):
                if subject in kept.records:
                    found.update(kept.records[subject].entries)
        return frozenset(found)

    def _state(self, course: Course, times: list[Time], newest: Time) -> State:
        place = bisect_right(times, course.index, key=lambda each: each.size)
        since = times[place].latest if place < len(times) else None
        return course.state(
            since=since,
            notice_s=self.charter.notice_s,
            earliest=newest.earliest,
            latest=newest.latest,
        )


def start(octets: bytes, *, pin: Digest | None, whole: bool = True) -> Register:
    """Begin with entry 0.

    Args:
        octets: entry 0.
        pin: its SHA-256, from elsewhere; None only where it is to be pinned now.
        whole: all entries will follow, none is left out.

    Raises:
        Malformed: it is no charter.
        Refused: no charter of this software may say so, or it is not the one pinned.
    """
    found = entry.entry_digest(octets)
    if pin is not None and found != pin:
        raise Untrusted("another charter than the one pinned")
    first = wire.parse(octets)
    if not isinstance(first, CharterEntry):
        raise Malformed("entry 0 is no charter")
    board = first.charter
    kept = Ledger(
        scope=Scope(log=board.log.name, charter=found),
        whole=whole,
        charters=[(0, board)],
        community=start_of(board.adopted),
        touched={0: tuple(each.change.subject for each in first.founding)},
    )
    for each in first.founding:
        _found(kept, each, found)
    return Register(_ledger=kept)


def fold(entries: Sequence[bytes], *, pin: Digest | None) -> Register:
    """Fold a whole log."""
    whole = partial.whole(map(tree.leaf_hash, entries))
    register = start(entries[0], pin=pin)
    return register.extend(enumerate(entries[1:], start=1), heads=whole.head)


def _found(kept: Ledger, founding: Founding, digest: Digest) -> None:
    decided = founding.change
    if isinstance(decided, _NEVER_FOUNDING) or decided.subject in kept.records:
        raise Refused("not to be decided at the founding, or twice")
    if not entry.fits(decided, until=founding.in_force_until, board=kept.charter):
        raise Refused("a founding decision outlives the charter")
    kept.records[decided.subject] = Record(
        subject=decided.subject,
        version=1,
        settled=1,
        change=decided,
        digest=digest,
        until=end_of(founding.in_force_until),
        entries=(0,),
    )
