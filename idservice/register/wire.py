"""Entries of the register's log as octets: canonical JSON with a type, read strictly.

DESIGN, section 5. What is accepted is written back the very same, so an entry has one spelling
and one digest. Left out: what the values mean (`entry`), and which of them count (`fold`).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeVar, assert_never

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from crypto.log import ed25519, note, tile
from crypto.log.note import Note
from idservice.register import change, charter, entry
from idservice.register.charter import digest
from idservice.register.entry import (
    Answer,
    Approval,
    CharterEntry,
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
from idservice.verification import policy

LONGEST: Final = tile.LONGEST_ENTRY
"""Octets."""

_STATEMENT = frozenset({"proposal", "checkpoint", "comments", "answer", "hearing", "minutes"})
_PROPOSAL = frozenset({"change", "base", "in_force_until", "enact_by", "impact_note", "vote"})
_VOTE_LENGTH = 2
_LABEL = re.compile(r"[a-z0-9-]{1,64}")
_Word = TypeVar("_Word", RemovalReason, WithdrawalReason)


def parse(octets: bytes) -> Entry:
    """Read an entry; what is accepted is written back the very same.

    Raises:
        Malformed: too long, not canonical JSON, an unknown type, or a member that is missing,
            unknown or ill-typed.
        Refused: well-formed, but this software never does it.
    """
    if len(octets) > LONGEST:
        raise Malformed("an entry is too long")
    return read(canonical_json.parse_canonical(octets))


def read(value: JsonValue) -> Entry:
    """Read an entry that was parsed as JSON already; otherwise as `parse`."""
    given = dict(members.any_object(value))
    kind = members.text(given.pop("type", None))
    if kind not in _READERS:
        raise Malformed("an unknown type of entry")
    return _READERS[kind](given)


def write(each: Entry) -> bytes:
    """Write an entry, as `parse` reads it."""
    return canonical_json.serialize({"type": each.type, **_write(each)})


def write_statement(statement: Statement) -> JsonObject:
    """Return the members in which a statement stands in an entry."""
    return {
        "proposal": base64url.encode(statement.proposal),
        "checkpoint": base64url.encode(statement.checkpoint),
        "comments": base64url.encode(statement.comments),
        "answer": charter.write_digest(statement.answer),
        "hearing": statement.hearing.isoformat() if statement.hearing else None,
        "minutes": charter.write_digest(statement.minutes),
    }


def _statement(given: JsonObject) -> Statement:
    hearing = given["hearing"]
    return Statement(
        proposal=digest(given["proposal"]),
        checkpoint=digest(given["checkpoint"]),
        comments=digest(given["comments"]),
        answer=charter.optional_digest(given["answer"]),
        hearing=None if hearing is None else policy.parse_day(hearing),
        minutes=charter.optional_digest(given["minutes"]),
    )


def _vote(value: JsonValue) -> Vote:
    given = members.array(value)
    if len(given) != _VOTE_LENGTH:
        raise Malformed("a vote is a seat and a signature")
    return Vote(seat=members.matching(_LABEL, given[0]), signature=_signature(given[1]))


def _write_vote(vote: Vote) -> JsonValue:
    return [vote.seat, base64url.encode(vote.signature)]


def _signature(value: JsonValue) -> bytes:
    found = base64url.decode(members.text(value))
    if len(found) != ed25519.SIGNATURE_LENGTH:
        raise Malformed("an Ed25519 signature has 64 octets (RFC 8032, 5.1.6)")
    return found


def _note(value: JsonValue) -> Note:
    return _parse_note(members.text(value))


@lru_cache(maxsize=64)
def _parse_note(text: str) -> Note:
    """Read a checkpoint; what one sitting decides stands between the same two."""
    return note.parse(text.encode())


def _write_note(signed: Note) -> str:
    return signed.octets().decode()


def _charter(given: JsonObject) -> CharterEntry:
    members.exact(given, frozenset({"charter", "founding"}))
    founding = members.array(given["founding"])
    if len(founding) > entry.MOST_FOUNDING:
        raise Malformed("too many decisions at the founding")
    return CharterEntry(
        charter=charter.parse(given["charter"]),
        founding=tuple(_founding(each) for each in founding),
    )


def _founding(value: JsonValue) -> Founding:
    given = members.exact(value, frozenset({"change", "in_force_until"}))
    return Founding(
        change=change.parse(given["change"]),
        in_force_until=policy.parse_day(given["in_force_until"]),
    )


def _write_charter(each: CharterEntry) -> JsonObject:
    founding: list[JsonValue] = [
        {"change": change.write(one.change), "in_force_until": one.in_force_until.isoformat()}
        for one in each.founding
    ]
    return {"charter": charter.write(each.charter), "founding": founding}


def _proposal(given: JsonObject) -> Proposal:
    members.exact(given, _PROPOSAL)
    return Proposal(
        change=change.parse(given["change"]),
        base=members.whole(given["base"]),
        in_force_until=policy.parse_day(given["in_force_until"]),
        enact_by=policy.parse_day(given["enact_by"]),
        impact_note=digest(given["impact_note"]),
        vote=_vote(given["vote"]),
    )


def write_proposal(each: Proposal) -> JsonObject:
    """Return the members of a proposal that its proposer signs."""
    return {
        "change": change.write(each.change),
        "base": each.base,
        "in_force_until": each.in_force_until.isoformat(),
        "enact_by": each.enact_by.isoformat(),
        "impact_note": base64url.encode(each.impact_note),
    }


def _comment(given: JsonObject) -> Comment:
    members.exact(given, frozenset({"proposal", "comment"}))
    return Comment(proposal=digest(given["proposal"]), comment=digest(given["comment"]))


def _write_comment(each: Comment) -> JsonObject:
    return {
        "proposal": base64url.encode(each.proposal),
        "comment": base64url.encode(each.comment),
    }


def _removal(given: JsonObject) -> CommentRemoval:
    members.exact(given, frozenset({"comment", "reason"}))
    return CommentRemoval(
        comment=digest(given["comment"]), reason=_word(RemovalReason, given["reason"])
    )


def _answer(given: JsonObject) -> Answer:
    members.exact(given, frozenset({"proposal", "answer"}))
    return Answer(proposal=digest(given["proposal"]), answer=digest(given["answer"]))


def _approval(given: JsonObject) -> Approval:
    members.exact(given, _STATEMENT | {"vote"})
    return Approval(statement=_statement(given), vote=_vote(given["vote"]))


def _enactment(given: JsonObject) -> Enactment:
    members.exact(given, _STATEMENT - {"checkpoint"} | {"c1", "c2", "votes"})
    votes = members.array(given["votes"])
    if not 0 < len(votes) <= entry.MOST_VOTES:
        raise Malformed("an enactment has a vote, and no more than seats can give")
    c1, c2 = given["c1"], _note(given["c2"])
    checkpoint = base64url.encode(entry.note_digest(c2))
    return Enactment(
        statement=_statement({**given, "checkpoint": checkpoint}),
        c1=None if c1 is None else _note(c1),
        c2=c2,
        votes=tuple(_vote(each) for each in votes),
    )


def _write_enactment(each: Enactment) -> JsonObject:
    statement = write_statement(each.statement)
    del statement["checkpoint"]  # the digest of `c2`, which stands there itself
    return {
        **statement,
        "c1": None if each.c1 is None else _write_note(each.c1),
        "c2": _write_note(each.c2),
        "votes": [_write_vote(vote) for vote in each.votes],
    }


def _withdrawal(given: JsonObject) -> Withdrawal:
    members.exact(given, frozenset({"proposal", "reason", "vote"}))
    return Withdrawal(
        proposal=digest(given["proposal"]),
        reason=_word(WithdrawalReason, given["reason"]),
        vote=_vote(given["vote"]),
    )


def _routine(given: JsonObject) -> RoutineEntry:
    members.exact(given, frozenset({"delegation", "announced", "signature"}))
    return RoutineEntry(
        delegation=members.matching(_LABEL, given["delegation"]),
        change=change.announcement(given["announced"]),
        signature=_signature(given["signature"]),
    )


def _summary(given: JsonObject) -> Summary:
    members.exact(given, frozenset({"checkpoint", "state"}))
    return Summary(checkpoint=_note(given["checkpoint"]), state=digest(given["state"]))


def _write(each: Entry) -> JsonObject:  # noqa: C901, PLR0911 - a case for each type, nothing nested
    match each:
        case CharterEntry():
            return _write_charter(each)
        case Proposal():
            return {**write_proposal(each), "vote": _write_vote(each.vote)}
        case Comment():
            return _write_comment(each)
        case CommentRemoval():
            return {"comment": base64url.encode(each.comment), "reason": each.reason.value}
        case Answer():
            proposal, answer = base64url.encode(each.proposal), base64url.encode(each.answer)
            return {"proposal": proposal, "answer": answer}
        case Approval():
            return {**write_statement(each.statement), "vote": _write_vote(each.vote)}
        case Enactment():
            return _write_enactment(each)
        case Withdrawal():
            return {
                "proposal": base64url.encode(each.proposal),
                "reason": each.reason.value,
                "vote": _write_vote(each.vote),
            }
        case RoutineEntry():
            return {
                "delegation": each.delegation,
                "announced": each.change.body(),
                "signature": base64url.encode(each.signature),
            }
        case Summary():
            return {
                "checkpoint": _write_note(each.checkpoint),
                "state": base64url.encode(each.state),
            }
        case _:
            assert_never(each)


def _word(words: type[_Word], value: JsonValue) -> _Word:
    try:
        return words(members.text(value))
    except ValueError as error:
        raise Malformed("a word that is not in the list") from error


_READERS: Final[Mapping[str, Callable[[JsonObject], Entry]]] = {
    CharterEntry.type: _charter,
    Proposal.type: _proposal,
    Comment.type: _comment,
    CommentRemoval.type: _removal,
    Answer.type: _answer,
    Approval.type: _approval,
    Enactment.type: _enactment,
    Withdrawal.type: _withdrawal,
    RoutineEntry.type: _routine,
    Summary.type: _summary,
}
