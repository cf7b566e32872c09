"""The whole road of a change, walked by a demonstration's board: proposed, waited out, voted on.

DESIGN, section 5. For sandboxes and drills, where all keys lie in one folder; a real board walks
it with `idservice register`, on its members' own devices. Nothing is shortened: the fold judges
the entries as it judges everybody's, and only whoever lends `wait` knows whether time passes or a
clock is moved. A road that a crash cut short is taken up where it ended.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from crypto.log.note import Note
from idservice import period
from idservice.apps.register.board import ENOUGH, Board, Intent, Voters
from idservice.apps.register.city_log import CityLog
from idservice.apps.settings import UnusableSettings
from idservice.clock import Clock
from idservice.register import change, entry, state
from idservice.register.change import Change, CharterChange, PolicyChange
from idservice.register.charter import Charter
from idservice.register.entry import Digest, Enactment, Statement
from idservice.register.state import Course, Enacted

_SPARE: Final = timedelta(days=30)
_IMPACT: Final = b"A demonstration: nobody is affected."

Wait = Callable[[int], None]
"""Lets so many seconds pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What it takes to walk it."""

    held: CityLog
    board: Board
    clock: Clock
    wait: Wait

    def decide(self, *changes: Change, by: Voters = ENOUGH) -> Sequence[Enacted]:
        """Propose changes, let the notice pass, vote and enact; all between the same checkpoints.

        Changes that only shrink need no notice and do not wait.

        Raises:
            UnusableSettings: one of them would not count, and why; or witnesses do not answer.
        """
        proposals = [self.propose(each) for each in changes]
        c1 = None
        if not all(change.shrinks(each) for each in changes):
            c1 = self.held.cosigned(anew=True).note
            self.wait(self.held.register.charter.notice_s + 1)
        return self.enact(proposals, c1=c1, by=by)

    def propose(self, decided: Change) -> Digest:
        """Propose a change, or take up the same one that waits already."""
        in_force, charter = self.held.in_force(), self.held.register.charter
        base = in_force.version(decided.subject)
        waiting = self._waiting(decided, base)
        if waiting is not None:
            return waiting.digest
        until = _until(decided, charter)
        notice = timedelta(seconds=charter.notice_s)
        intent = Intent(
            change=decided,
            base=base,
            in_force_until=until,
            enact_by=min(until, period.day(self.clock.now()) + notice + _SPARE),
            impact_note=hashlib.sha256(_IMPACT).digest(),
        )
        scope = self.held.register.scope
        proposal = self.board.propose(intent, seat=ENOUGH.seats[0], scope=scope)
        index = self.held.append(proposal)
        return entry.entry_digest(self.held.entries[index])

    def enact(
        self, proposals: Sequence[Digest], *, c1: Note | None, by: Voters
    ) -> Sequence[Enacted]:
        """Vote on proposals under a checkpoint of this moment, and enact them.

        Raises:
            UnusableSettings: one of them would not count; or witnesses do not answer.
        """
        signed = self.held.cosigned(anew=True)
        entries = []
        for proposal in proposals:
            course = self.held.register.courses[proposal]
            said = _statement(course, signed.note, size=signed.checkpoint.head.size)
            votes = self.board.votes(said, by=by, scope=self.held.register.scope)
            shrinks = change.shrinks(course.proposal.change)
            entries.append(
                Enactment(statement=said, c1=None if shrinks else c1, c2=signed.note, votes=votes)
            )
        self.held.append(*entries)
        return [_enacted(self.held.register.courses[each]) for each in proposals]

    def _waiting(self, decided: Change, base: int) -> Course | None:
        voted = self.clock.now() + self.held.register.charter.notice_s
        for course in self.held.register.courses.values():
            said = course.proposal
            is_open = course.enacted is None and course.withdrawn is None
            in_time = voted < state.end_of(said.enact_by)
            if is_open and in_time and (said.change, said.base) == (decided, base):
                return course
        return None


def _statement(course: Course, c2: Note, *, size: int) -> Statement:
    return Statement(
        proposal=course.digest,
        checkpoint=entry.note_digest(c2),
        comments=course.heard(size),
        answer=course.answers[-1] if course.answers else None,
        hearing=None,
        minutes=None,
    )


def _enacted(course: Course) -> Enacted:
    if course.enacted is None:
        raise UnusableSettings("a change was not enacted")
    return course.enacted


def _until(decided: Change, charter: Charter) -> date:
    match decided:
        case PolicyChange():
            return decided.policy.expires
        case CharterChange():
            return decided.charter.sunset
        case _:
            return charter.sunset
