"""Checkpoints in entries: lines of the log and of its witnesses, and nothing that anybody wrote."""

import pytest

from crypto.instant import UnixSeconds
from crypto.log.note import Signature
from idservice.register.change import Change, CharterChange
from idservice.register.entry import Summary
from idservice.register.state import Reason
from tests.fakes import notaries, registers
from tests.fakes.registers import ENOUGH, NOTICE, QUORUM, WITNESSES, City

POLICY = registers.policy_change()
STRANGER = Signature(name="Ada,12-Main-Street", key_id=b"text", signature=b"any text at all")


def reasons(city: City) -> list[Reason]:
    return [each.reason for each in city.register().refusals]


def decided(
    city: City, said: Change, *, first: tuple[Signature, ...], second: tuple[Signature, ...]
) -> None:
    """Decide with more lines under C1 and C2."""
    proposal = city.propose(said)
    c1 = city.note().with_signatures(first)
    city.wait(NOTICE)
    c2 = city.note().with_signatures(second)
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))


@pytest.mark.parametrize("place", ["first", "second"])
def test_line_of_a_stranger_under_a_checkpoint_does_not_count(place: str) -> None:
    city = City()
    decided(city, POLICY, **{"first": (), "second": (), place: (STRANGER,)})
    assert reasons(city) == [Reason.CHECKPOINT]


def test_second_line_of_one_witness_does_not_count() -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    later = city.note(at=city.now + 1, by=QUORUM[:1]).signatures[1:]
    city.wait(NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    for first in (c1.with_signatures(later), c1):
        city.enact(statement, c1=first, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]
    assert city.in_force().policies


def test_witness_of_an_earlier_charter_may_still_cosign_and_nobody_in_its_name() -> None:
    city = City()
    witnesses = registers.charter_json()["witnesses"]
    assert isinstance(witnesses, list)
    fewer = registers.board(witnesses=witnesses[:2])
    city.decide(CharterChange(charter=fewer), until=registers.SUNSET)
    former = notaries.witness_key(WITNESSES[2])
    forged = Signature(name=former.name, key_id=former.key_id, signature=bytes(72))
    decided(city, registers.policy_change("forged"), first=(forged,), second=())
    assert reasons(city) == [Reason.CHECKPOINT]
    proposal = city.propose(POLICY)
    c1 = city.note(by=WITNESSES)
    city.wait(NOTICE)
    c2 = city.note(by=WITNESSES)
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert set(city.in_force().policies) == {"library-card"}


def test_summary_under_which_a_stranger_wrote_does_not_count() -> None:
    city = City()
    state = city.register().state(at=UnixSeconds(city.now))
    city.append(Summary(checkpoint=city.note().with_signatures((STRANGER,)), state=state))
    assert reasons(city) == [Reason.CHECKPOINT]
