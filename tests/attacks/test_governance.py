"""The corpus's attacks on votes and seats, against the fold and against the offline bundle."""

import base64
from dataclasses import replace
from datetime import date

import pytest

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError, Malformed, Refused
from crypto.log import ed25519
from idservice.register import approval, change, charter, entry, wire
from idservice.register.approval import Scope
from idservice.register.change import CharterChange, Delegation, Routine, SeatKey
from idservice.register.entry import (
    Proposal,
    RoutineEntry,
    Vote,
)
from idservice.register.state import Reason
from tests.fakes import notaries, registers
from tests.fakes.register_attacks import (
    ATTACK,
    FEW,
    MADE,
    REGISTER,
    accepted,
    copied,
    load,
    offline,
    ready,
    refused,
)
from tests.fakes.registers import ENOUGH, NOTICE, City

ORDER = 2**252 + 27742317777372353535851937790883648493


def test_the_same_done_properly_is_in_force() -> None:
    register = copied()
    register.decide(ATTACK)
    accepted(register)


@pytest.mark.attack("GOV-001")
def test_votes_for_one_change_count_for_no_other() -> None:
    register = copied()
    first = ready(register, registers.policy_change("harmless"))
    votes = register.votes(first.statement, ENOUGH)
    first.enact(register, votes)
    second = ready(register)
    second.enact(register, votes)
    refused(register, Reason.TOO_FEW)


@pytest.mark.attack("GOV-001")
def test_votes_do_not_count_again_after_a_change_was_reverted() -> None:
    register = copied()
    register.decide(ATTACK)
    old = register.entries[-1]
    register.decide(registers.policy_change("attack", optional=["given_name"]), base=1)
    register.append(old)
    assert [each.reason for each in register.register().refusals] == [Reason.OVER]
    register.append(register.entries[len(REGISTER.entries)])
    assert Reason.DUPLICATE in [each.reason for each in register.register().refusals]
    assert register.in_force().version("policy:attack") == 2


@pytest.mark.attack("GOV-002")
@pytest.mark.parametrize(
    "other",
    [
        Scope(log=registers.ORIGIN, charter=b"\2" * 32),
        Scope(log="other.example/log", charter=entry.entry_digest(REGISTER.entries[0])),
    ],
)
def test_votes_for_another_city_or_log_do_not_count(other: Scope) -> None:
    register = copied()
    attempt = ready(register)
    message = approval.statement_message(attempt.statement, scope=other)
    attempt.enact(register, [registers.vote(seat, message) for seat in ENOUGH])
    refused(register, Reason.TOO_FEW)


@pytest.mark.attack("GOV-003")
def test_one_seat_counts_once_by_whatever_name() -> None:
    register = copied()
    attempt = ready(register)
    message = approval.statement_message(attempt.statement, scope=register.scope)
    attempt.enact(
        register,
        [
            registers.vote("community-1", message),
            registers.vote("community-1", message),
            registers.vote("community-2", message, by="community-1"),
            registers.vote("council-1", message, by="community-1"),
            registers.vote("council-1", message),
        ],
    )
    refused(register, Reason.TOO_FEW)
    seats = registers.charter_json()["seats"]
    assert isinstance(seats, list)
    twice = [{**seats[0], "key": seats[1]["key"]}, *seats[1:]]  # type: ignore[index,dict-item]  # objects
    with pytest.raises(Refused):
        registers.board(seats=twice)


@pytest.mark.attack("GOV-005")
def test_twins_of_signatures_and_weak_keys_do_not_count() -> None:
    register = copied()
    attempt = ready(register)
    votes = []
    for one in register.votes(attempt.statement, ENOUGH):
        s = int.from_bytes(one.signature[32:], "little") + ORDER
        votes.append(replace(one, signature=one.signature[:32] + s.to_bytes(32, "little")))
    attempt.enact(register, votes)
    attempt.enact(register, [Vote(seat=seat, signature=bytes(64)) for seat in ENOUGH])
    refused(register, Reason.TOO_FEW)
    for weak in (bytes(32), b"\1" + bytes(31), b"\xff" * 32):
        key = base64.urlsafe_b64encode(weak).rstrip(b"=").decode()
        with pytest.raises(CryptoError):
            charter.parse_key(key)


@pytest.mark.attack("GOV-006")
def test_no_more_votes_are_read_than_seats_can_give() -> None:
    register = copied()
    attempt = ready(register)
    votes = [Vote(seat=f"s{number}", signature=bytes(64)) for number in range(entry.MOST_VOTES + 1)]
    attempt.enact(register, votes)
    refused(register, Reason.MALFORMED)
    with pytest.raises(Malformed):
        wire.parse(b'{"votes":[' + b"0," * 100_000 + b'0],"type":"enactment"}')


@pytest.mark.attack("GOV-008")
def test_a_seat_that_was_replaced_signs_nothing_and_the_next_one_nothing_before() -> None:
    said = SeatKey(seat="council-1", key=ed25519.public_key(notaries.seed("new")), successor=None)
    votes = [("council-1", "council-1"), ("council-2", "council-2"), ("council-1", "new")]

    def replace_key(register: City) -> None:
        attempt = ready(register, said)
        message = approval.statement_message(attempt.statement, scope=register.scope)
        attempt.enact(register, [registers.vote(seat, message, by=by) for seat, by in votes])

    def vote(register: City, *, by: str) -> None:
        proposal = register.propose(ATTACK, seat="council-2")
        c1 = register.note()
        register.wait(NOTICE)
        c2 = register.note()
        statement = register.statement(proposal, c2)
        message = approval.statement_message(statement, scope=register.scope)
        signed = [registers.vote(seat, message) for seat in ENOUGH[1:]]
        one = registers.vote("council-1", message, by=by)
        register.enact(statement, c1=c1, c2=c2, votes=[*signed, one])

    early = copied()
    vote(early, by="new")
    refused(early, Reason.TOO_FEW)
    late = copied()
    replace_key(late)
    vote(late, by="council-1")
    assert [each.reason for each in late.register().refusals] == [Reason.TOO_FEW]
    late.summarise()
    with pytest.raises(Refused):
        load(late, offline(late))
    good = copied()
    replace_key(good)
    vote(good, by="new")
    accepted(good)


@pytest.mark.attack("GOV-008")
def test_leaving_out_that_a_seat_was_replaced_does_not_bring_its_key_back() -> None:
    register = copied()
    said = SeatKey(seat="council-1", key=ed25519.public_key(notaries.seed("new")), successor=None)
    attempt = ready(register, said)
    message = approval.statement_message(attempt.statement, scope=register.scope)
    votes = [("council-1", "council-1"), ("council-2", "council-2"), ("council-1", "new")]
    attempt.enact(register, [registers.vote(seat, message, by=by) for seat, by in votes])
    stolen = len(register.entries)
    other = register.propose(ATTACK, seat="council-2")
    c1 = register.note()
    register.wait(NOTICE)
    c2 = register.note()
    statement = register.statement(other, c2)
    register.enact(statement, c1=c1, c2=c2, votes=register.votes(statement, ENOUGH))
    register.summarise()
    # The thief of the old key cannot make a true summary of a history without the replacement.
    data = canonical_json.parse_object(offline(register))
    carried = data["register"]
    assert isinstance(carried, dict)
    entries = carried["entries"]
    assert isinstance(entries, list)
    kept: list[JsonValue] = [
        each for each in entries if isinstance(each, list) and each[0] != stolen - 1
    ]
    assert len(kept) < len(entries)
    forged: JsonObject = {**data, "register": {**carried, "entries": kept}}
    with pytest.raises((Refused, Malformed)):
        load(register, canonical_json.serialize(forged))


@pytest.mark.attack("GOV-016")
def test_whoever_may_append_anything_adds_no_verifier_purpose_or_key() -> None:
    key = ed25519.public_key(notaries.seed("thief"))
    delegation = Delegation(
        label="thief", key=key, routine=(Routine.ANNOUNCEMENT,), most=9, until=date(2028, 1, 1)
    )
    for said in (ATTACK, delegation):
        register = copied()
        attempt = ready(register, said)
        message = approval.statement_message(attempt.statement, scope=register.scope)
        attempt.enact(register, [registers.vote(seat, message, by="thief") for seat in ENOUGH])
        refused(register, Reason.TOO_FEW, said)
    announced = MADE.payload["announced"]
    assert isinstance(announced, list)
    said = change.announcement(announced[0])
    register = copied()
    for label in ("city-root", "thief"):
        message = approval.routine_message(label, said, scope=register.scope)
        signature = notaries.signer("thief")(message)
        register.append(RoutineEntry(delegation=label, change=said, signature=signature))
    refused(register, Reason.NOT_SIGNED, said)
    proposed = wire.write(
        Proposal(
            change=ATTACK,
            base=0,
            in_force_until=date(2028, 1, 1),
            enact_by=date(2028, 1, 1),
            impact_note=bytes(32),
            vote=Vote(seat="council-1", signature=bytes(64)),
        )
    )
    barred = proposed.replace(b"library_membership", b"immigration_enforcement")
    again = copied()
    again.append(proposed)
    again.append(barred)
    assert [each.reason for each in again.register().refusals] == [
        Reason.NOT_SIGNED,
        Reason.BARRED,
    ]


@pytest.mark.attack("GOV-016")
@pytest.mark.parametrize("seats", [("council-1", "council-2", "agency-1"), FEW])
def test_agency_keys_rewrite_no_charter(seats: tuple[str, ...]) -> None:
    said = CharterChange(charter=replace(REGISTER.charter, least_group=99))
    register = copied()
    attempt = ready(register, said)
    attempt.enact(register, register.votes(attempt.statement, seats))
    reason = Reason.TOO_FEW if seats == FEW else Reason.NO_COMMUNITY
    refused(register, reason, said)


@pytest.mark.attack("GOV-018")
def test_keys_below_the_threshold_are_recovered_by_successors_after_the_notice() -> None:
    lost = ("community-1", "community-2")

    def recover(register: City, *, notice: int) -> None:
        for seat in lost:
            key = ed25519.public_key(notaries.seed(f"{seat} third"))
            base = register.in_force().version("charter")
            attempt = ready(
                register, SeatKey(seat=seat, key=key, successor=None), base=base, notice=notice
            )
            message = approval.statement_message(attempt.statement, scope=register.scope)
            # Whose key was changed already votes with the new one.
            names = {name: f"{name} next" for name in lost}
            if seat == lost[1] and base:
                names[lost[0]] = f"{lost[0]} third"
            votes = [registers.vote(name, message, by=by) for name, by in names.items()]
            attempt.enact(register, [*votes, registers.vote(seat, message, by=f"{seat} third")])

    hasty = copied()
    recover(hasty, notice=NOTICE - 1)
    assert hasty.in_force().charter == REGISTER.charter
    register = copied()
    recover(register, notice=NOTICE)
    assert not register.register().refusals
    attempt = ready(register)
    message = approval.statement_message(attempt.statement, scope=register.scope)
    votes = [registers.vote(seat, message) for seat in ENOUGH[:2]]
    one = registers.vote("community-1", message, by="community-1 third")
    attempt.enact(register, [*votes, one])
    accepted(register)
