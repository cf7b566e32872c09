"""Entries of the register's log: what can be said in it, and nothing else.

DESIGN, section 5. No entry has room for a person: comments, answers and minutes stand in it as
SHA-256 only, a comment's over a salt of 32 octets, so that nobody finds the text by guessing once
the text and its salt were erased; reasons are words of a closed list. Left out: how an entry is
spelled (`wire`), what it does (`fold`), and what its signatures are over (`approval`).
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar, Final

from crypto.log.note import Note
from idservice.register import charter
from idservice.register.change import Announcement, Change, CharterChange, PolicyChange
from idservice.register.charter import Charter

SALT_LENGTH: Final = 32
MOST_FOUNDING: Final = 64
MOST_VOTES: Final = 2 * charter.MOST_SEATS
"""A seat that gets another key votes with both."""
LONGEST_COMMENT: Final = 16 << 10
"""Octets of the text, which is not in the log."""

Digest = bytes
"""SHA-256, 32 octets."""


class RemovalReason(StrEnum):
    """Why the text of a comment was erased; its digest stays."""

    PERSONAL_DATA = "personal_data"
    THREAT = "threat"
    SPAM = "spam"
    AUTHOR = "author"
    COURT = "court"


class WithdrawalReason(StrEnum):
    """Why its proposer withdrew a proposal."""

    OBJECTIONS = "objections"
    ERROR = "error"
    SUPERSEDED = "superseded"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One seat's signature, not verified."""

    seat: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What is in force from the beginning, because entry 0 says so."""

    change: Change
    in_force_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CharterEntry:
    """Entry 0, and no other."""

    type: ClassVar[str] = "charter"
    charter: Charter
    founding: tuple[Founding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a seat wants to change; only its digest is signed from then on."""

    type: ClassVar[str] = "proposal"
    change: Change
    base: int
    """How often its subject was decided before: 0 for a new one."""
    in_force_until: date
    """Its last day: everything expires."""
    enact_by: date
    impact_note: Digest
    vote: Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """That somebody commented; the text stands in a store that can be erased."""

    type: ClassVar[str] = "comment"
    proposal: Digest
    comment: Digest
    """SHA-256(salt || text), from `comment_digest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRemoval:
    """That the text of a comment was erased, and why."""

    type: ClassVar[str] = "comment_removal"
    comment: Digest
    reason: RemovalReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """That objections were answered in writing."""

    type: ClassVar[str] = "answer"
    proposal: Digest
    answer: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a vote says yes to, beside the proposal itself."""

    proposal: Digest
    checkpoint: Digest
    """SHA-256 of C2 with its cosignatures: so a vote is younger than they are."""
    comments: Digest
    """From `comments_digest`: all that were logged before C2."""
    answer: Digest | None
    hearing: date | None
    minutes: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One seat's vote, published before the enactment."""

    type: ClassVar[str] = "approval"
    statement: Statement
    vote: Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Enactment:
    """The votes, and the two checkpoints between which everybody could object."""

    type: ClassVar[str] = "enactment"
    statement: Statement
    c1: Note | None
    """Contains the proposal; only a change that shrinks needs none."""
    c2: Note
    """What the votes are over."""
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Its proposer no longer wants it."""

    type: ClassVar[str] = "withdrawal"
    proposal: Digest
    reason: WithdrawalReason
    vote: Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineEntry:
    """What a delegated key does by itself."""

    type: ClassVar[str] = "routine"
    delegation: str
    change: Announcement
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is in force before this entry, as a digest: so no bundle can leave anything out."""

    type: ClassVar[str] = "summary"
    checkpoint: Note
    """Cosigned; its time is that of the summary."""
    state: Digest


Entry = (
    CharterEntry
    | Proposal
    | Comment
    | CommentRemoval
    | Answer
    | Approval
    | Enactment
    | Withdrawal
    | RoutineEntry
    | Summary
)


def entry_digest(octets: bytes) -> Digest:
    """Return what later entries call this one by: for a proposal, what is voted on."""
    return hashlib.sha256(octets).digest()


def comment_digest(text: str, *, salt: bytes) -> Digest:
    """Return what the log holds of a comment.

    Args:
        text: at most `LONGEST_COMMENT` octets.
        salt: 32 random octets, kept and erased with the text.
    """
    octets = text.encode()
    if len(salt) != SALT_LENGTH or len(octets) > LONGEST_COMMENT:
        raise ValueError("a salt has 32 octets, and a comment has a limit")
    return hashlib.sha256(salt + octets).digest()


def comments_digest(comments: tuple[Digest, ...]) -> Digest:
    """Return the digest of all comments on a proposal, in the order of the log."""
    return hashlib.sha256(b"".join(comments)).digest()


def note_digest(signed: Note) -> Digest:
    """Return the digest of a checkpoint with all its signatures, in their order."""
    return hashlib.sha256(signed.octets()).digest()


def fits(decided: Change, *, until: date, board: Charter) -> bool:
    """Say whether a change does not outlive what it rests on, and its dates agree."""
    match decided:
        case CharterChange():
            return until == decided.charter.sunset
        case PolicyChange():
            return until == decided.policy.expires and until <= board.sunset
        case _:
            return until <= board.sunset
