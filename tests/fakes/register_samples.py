"""One value of each kind of change and of each type of entry."""

from dataclasses import replace
from datetime import date

from crypto.log import ed25519
from idservice.register import change, entry, wire
from idservice.register.change import (
    Change,
    CharterChange,
    ClaimChange,
    Component,
    Delegation,
    Drop,
    Inventory,
    Parameters,
    ResumeIssuing,
    Routine,
    SeatKey,
    SuspendIssuing,
    WindDown,
)
from idservice.register.entry import (
    Answer,
    Approval,
    Comment,
    CommentRemoval,
    Enactment,
    Entry,
    Founding,
    Proposal,
    RemovalReason,
    RoutineEntry,
    Statement,
    Summary,
    Vote,
    Withdrawal,
    WithdrawalReason,
)
from tests.fakes import city, notaries, registers

SAID = b"\2" * 32
DAY = date(2027, 5, 1)
MADE = city.make()
KEY = ed25519.public_key(notaries.seed("key"))
REGISTER = registers.City(
    founding=(Founding(change=registers.policy_change(), in_force_until=date(2028, 1, 1)),)
)
NOTE = REGISTER.note()
VOTE = Vote(seat="council-1", signature=bytes(64))
ANNOUNCED = MADE.payload["announced"]
assert isinstance(ANNOUNCED, list)
CHANGES: tuple[Change, ...] = (
    registers.policy_change(),
    ClaimChange(claim="gender", issued=False),
    *(change.announcement(each) for each in ANNOUNCED[::4]),
    Parameters(period_days=28, grace_days=7, status_every_h=24, status_lifetime_h=168),
    Component(name="a", version="1", digest=SAID, vendor="V", contract=SAID, interests=None),
    Inventory(digest=SAID, columns=("a.b", "c.d")),
    CharterChange(charter=registers.board()),
    SeatKey(seat="agency-1", key=KEY, successor=None),
    SeatKey(seat="agency-1", key=KEY, successor=KEY),
    SuspendIssuing(),
    ResumeIssuing(),
    WindDown(),
    Delegation(label="x", key=KEY, routine=(Routine.ANNOUNCEMENT,), most=1, until=DAY),
    Drop(subject="announced:resident_sd_jwt:7"),
)


def proposal(said: Change) -> Proposal:
    return Proposal(
        change=said, base=3, in_force_until=DAY, enact_by=DAY, impact_note=SAID, vote=VOTE
    )


STATEMENT = Statement(
    proposal=SAID,
    checkpoint=entry.note_digest(NOTE),
    comments=SAID,
    answer=SAID,
    hearing=DAY,
    minutes=None,
)
ENTRIES: tuple[Entry, ...] = (
    wire.parse(REGISTER.entries[0]),
    *map(proposal, CHANGES),
    Comment(proposal=SAID, comment=SAID),
    CommentRemoval(comment=SAID, reason=RemovalReason.COURT),
    Answer(proposal=SAID, answer=SAID),
    Approval(statement=STATEMENT, vote=VOTE),
    Enactment(statement=STATEMENT, c1=NOTE, c2=NOTE, votes=(VOTE, VOTE)),
    Enactment(
        statement=replace(STATEMENT, answer=None, hearing=None, minutes=SAID),
        c1=None,
        c2=NOTE,
        votes=(VOTE,),
    ),
    Withdrawal(proposal=SAID, reason=WithdrawalReason.OTHER, vote=VOTE),
    RoutineEntry(delegation="x", change=change.announcement(ANNOUNCED[0]), signature=bytes(64)),
    Summary(checkpoint=NOTE, state=SAID),
)
