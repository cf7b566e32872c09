"""One spelling for each entry, and no room for anything else."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed
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


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.type)
def test_entry_is_read_as_it_was_written(each: Entry) -> None:
    octets = wire.write(each)
    assert wire.parse(octets) == each
    assert wire.write(wire.parse(octets)) == octets


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.type)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_another_member_one_less_or_one_of_another_type_is_refused(
    each: Entry, data: st.DataObject
) -> None:
    said = canonical_json.parse_object(wire.write(each))
    where: JsonObject = said
    while True:
        name = data.draw(st.sampled_from(sorted(where)))
        inner = where[name]
        # Free members: a notice's languages, and what a period announces (`trust.parse`).
        if (
            not isinstance(inner, dict)
            or name in {"notice", "announced"}
            or data.draw(st.booleans())
        ):
            break
        where = inner
    match data.draw(st.sampled_from(["less", "more", "other"])):
        case "less":
            del where[name]
        case "more":
            where[name + "x"] = "Ada Okonkwo"
        case _:
            where[name] = [{"name": "Ada Okonkwo"}]
    with pytest.raises(CryptoError):
        wire.parse(canonical_json.serialize(said))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"{}",
        b'{"type":"rumour"}',
        b'{"type":null}',
        b'{"type":"comment","type":"comment"}',
        b'{ "type":"comment"}',
        b'{"type":"comment","proposal":"","comment":""}',
        b'{"x":"' + b"a" * wire.LONGEST + b'"}',
    ],
)
def test_what_is_no_entry_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse(octets)


def changed(said: Change, **members: object) -> JsonObject:
    written = change.write(said)
    body = written[said.kind]
    assert isinstance(body, dict)
    return {"kind": said.kind, said.kind: {**body, **members}}  # type: ignore[dict-item]  # tests


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "rumour"},
        {"kind": "suspend_issuing", "x": 1},
        {"kind": "policy"},
        {"kind": "policy", "policy": {**registers.policy_json(), "purpose": "advertising"}},
        {"kind": "policy", "policy": {**registers.policy_json(), "pseudonym": None}},
        changed(CHANGES[1], claim="immigration_status"),
        changed(Inventory(digest=SAID, columns=()), columns=["b", "a"]),
        changed(Inventory(digest=SAID, columns=()), columns=["a", "a"]),
        changed(Inventory(digest=SAID, columns=()), columns=["Ada Okonkwo"]),
        changed(Drop(subject="policy:x"), subject="charter"),
        changed(Drop(subject="policy:x"), subject="issuing"),
        changed(CHANGES[-2], routine=["policy"]),
        changed(CHANGES[-2], routine=[]),
        changed(CHANGES[-2], most=0),
        changed(CHANGES[2], format="mso_mdoc"),
        changed(CHANGES[2], vct="about Ada Okonkwo"),
        changed(CHANGES[2], x5c=["A" * change.LONGEST_ANNOUNCEMENT]),
    ],
)
def test_changes_that_may_not_be(said: JsonObject) -> None:
    with pytest.raises(CryptoError):
        change.parse(said)


def test_an_enactment_has_votes_and_not_too_many() -> None:
    one = Enactment(statement=STATEMENT, c1=None, c2=NOTE, votes=(VOTE,) * entry.MOST_VOTES)
    wire.parse(wire.write(one))
    for votes in ((), (*one.votes, VOTE)):
        with pytest.raises(Malformed):
            wire.parse(wire.write(replace(one, votes=votes)))


def test_a_comment_has_a_salt_and_a_limit() -> None:
    with pytest.raises(ValueError, match="salt"):
        entry.comment_digest("text", salt=b"")
    with pytest.raises(ValueError, match="limit"):
        entry.comment_digest("x" * (entry.LONGEST_COMMENT + 1), salt=bytes(32))
