"""The corpus's attacks on notice, entries and what is served, against fold and bundle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Refused
from idservice.period import DAY
from idservice.register import bundle, entry, wire
from idservice.register.entry import (
    Comment,
)
from idservice.register.state import Reason
from tests.fakes import notaries, registers
from tests.fakes.register_attacks import (
    ATTACK,
    FEW,
    copied,
    load,
    offline,
    refused,
)
from tests.fakes.registers import ENOUGH, NOTICE


@pytest.mark.attack("GOV-010")
@pytest.mark.parametrize("days", [0, 1, 29])
def test_notice_is_between_witnesses_and_no_clock_moves_it(days: int) -> None:
    register = copied()
    register.decide(ATTACK, notice=days * DAY)
    refused(register, Reason.NOTICE)
    register.wait(NOTICE)
    register.summarise()
    with pytest.raises(Refused):
        load(register, offline(register))


@pytest.mark.attack("GOV-010")
def test_enactment_of_day_1_is_not_in_force_because_it_was_witnessed_on_day_31() -> None:
    register = copied()
    proposal = register.propose(ATTACK)
    c1 = register.note()
    register.wait(DAY)
    early = register.note()
    statement = register.statement(proposal, early)
    votes = register.votes(statement, ENOUGH)
    register.enact(statement, c1=c1, c2=early, votes=votes)
    register.wait(NOTICE)
    refused(register, Reason.NOTICE)
    # Nor if the witnesses cosign the tree of day 1 once more: those votes are older.
    again = copied()
    proposal = again.propose(ATTACK)
    c1 = again.note()
    votes = again.votes(again.statement(proposal, c1), ENOUGH)
    again.wait(NOTICE)
    c2 = again.note()
    again.enact(again.statement(proposal, c2), c1=c1, c2=c2, votes=votes)
    refused(again, Reason.TOO_FEW)


@pytest.mark.attack("GOV-010")
def test_one_witness_alone_cannot_tell_another_time() -> None:
    register = copied()
    proposal = register.propose(ATTACK)
    c1 = register.note()
    register.wait(DAY)
    head = register.signed(by=())
    lying = notaries.cosigned(
        head,
        (registers.WITNESSES[0], register.now + NOTICE),
        (registers.WITNESSES[1], register.now),
    ).note
    statement = register.statement(proposal, lying)
    register.enact(statement, c1=c1, c2=lying, votes=register.votes(statement, ENOUGH))
    refused(register, Reason.NOTICE)


@pytest.mark.attack("GOV-011")
@pytest.mark.parametrize("seats", [FEW, ENOUGH])
def test_nothing_that_grows_is_an_emergency(seats: tuple[str, ...]) -> None:
    register = copied()
    proposal = register.propose(ATTACK)
    c2 = register.note()
    statement = register.statement(proposal, c2)
    register.enact(statement, c1=None, c2=c2, votes=register.votes(statement, seats))
    refused(register, Reason.NOTICE)


@pytest.mark.attack("GOV-012")
def test_of_two_changes_of_one_version_one_is_applied() -> None:
    register = copied()
    one, other = ATTACK, registers.policy_change("attack", optional=["locality"])
    proposals = [register.propose(each) for each in (one, other)]
    c1 = register.note()
    register.wait(NOTICE)
    c2 = register.note()
    for proposal in proposals:
        statement = register.statement(proposal, c2)
        register.enact(statement, c1=c1, c2=c2, votes=register.votes(statement, ENOUGH))
    assert [each.reason for each in register.register().refusals] == [Reason.OTHER_BASE]
    assert register.in_force().policies["attack"] == one.policy
    register.summarise()
    load(register, offline(register, (one,)))
    with pytest.raises(Refused):
        load(register, offline(register, (other,)))


def _respell(octets: bytes, spelling: str) -> bytes:
    match spelling:
        case "white space":
            return octets.replace(b":", b": ", 1)
        case "twice":
            return octets[:-1] + b',"type":"proposal"}'
        case "order":
            return b'{"vote":' + octets.split(b'"vote":')[1][:-1] + b"," + octets[1:]
        case "escape":
            return octets.replace(b"Sampleton", b"\\u0053ampleton")
        case _:
            return octets.replace(b"Sampleton", "\u202eSampleton".encode())


@pytest.mark.attack("GOV-013")
@pytest.mark.parametrize("spelling", ["white space", "twice", "order", "escape", "direction"])
def test_only_the_one_spelling_that_is_signed_is_read(spelling: str) -> None:
    register = copied()
    index = len(register.entries)
    register.propose(ATTACK)
    respelled = _respell(register.entries.pop(), spelling)
    register.append(respelled)
    c1 = register.note()
    register.wait(NOTICE)
    c2 = register.note()
    statement = register.statement(entry.entry_digest(respelled), c2)
    register.enact(statement, c1=c1, c2=c2, votes=register.votes(statement, ENOUGH))
    assert [each.index for each in register.register().refusals] == [index, index + 1]
    refused(register, Reason.MALFORMED)


@pytest.mark.attack("GOV-015")
@pytest.mark.parametrize("place", ["policy", "vote"])
def test_an_entry_that_was_changed_where_it_lies_is_refused(place: str) -> None:
    register = copied()
    register.decide(ATTACK)
    register.summarise()
    data = offline(register)
    load(register, data)
    head = register.note()
    old, new = {
        "policy": (b'"place":"Main branch"', b'"place":"Main square"'),
        "vote": (b'"council-1"', b'"council-2"'),
    }[place]
    changed = [register.entries[0], *(each.replace(old, new) for each in register.entries[1:])]
    signed = canonical_json.parse_object(data)
    del signed["register"]
    tampered = bundle.write(
        canonical_json.serialize(signed), entries=changed, head=head, earlier=()
    )
    with pytest.raises(Refused):
        load(register, tampered)


NAMES = ("Ada Okonkwo", "1990-04-12", "Quay 7")


@pytest.mark.attack("TLOG-019")
@settings(max_examples=200, deadline=None)
@given(text=st.sampled_from(NAMES) | st.text(min_size=1, max_size=30), data=st.data())
def test_what_the_public_may_submit_has_no_room_for_text(text: str, data: st.DataObject) -> None:
    said: JsonObject = canonical_json.parse_object(
        wire.write(Comment(proposal=bytes(32), comment=bytes(32)))
    )
    name = data.draw(st.sampled_from([*said, text]))
    said[name] = text
    octets = canonical_json.serialize(said)
    try:
        found = wire.parse(octets)
    except CryptoError:
        return
    # Only words of the closed lists and digests were left.
    assert all(each not in wire.write(found).decode() for each in NAMES)


@pytest.mark.attack("TLOG-020")
def test_comments_are_not_found_by_guessing_without_their_salt() -> None:
    salts = [bytes([number]) * entry.SALT_LENGTH for number in range(1, 4)]
    logged = {
        entry.comment_digest(text, salt=salt) for text, salt in zip(NAMES, salts, strict=True)
    }
    guessed = {entry.entry_digest(each.encode()) for each in NAMES}
    guessed |= {entry.comment_digest(each, salt=bytes(entry.SALT_LENGTH)) for each in NAMES}
    assert logged.isdisjoint(guessed)
    assert entry.comment_digest(NAMES[0], salt=salts[0]) in logged
    for short in (b"", bytes(entry.SALT_LENGTH - 1)):
        with pytest.raises(ValueError, match="salt"):
            entry.comment_digest(NAMES[0], salt=short)


@pytest.mark.attack("TLOG-021")
def test_what_is_served_and_not_in_the_log_is_refused() -> None:
    register = copied()
    with pytest.raises(Refused):
        load(register, offline(register))
    register.decide(ATTACK)
    register.summarise()
    load(register, offline(register))
    differing = registers.policy_change("attack", retention="for ever")
    with pytest.raises(Refused):
        load(register, offline(register, (differing,)))
