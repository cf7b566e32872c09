"""What was not decided properly is refused by every reader alike, whoever signed the bundle."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from crypto.encoding import members
from idservice.apps.register import announcing
from idservice.period import DAY
from idservice.register.change import CharterChange
from tests.fakes import notaries, registers
from tests.fakes.register_readers import MADE, READERS, Reader, copied, published
from tests.fakes.registers import ENOUGH, NOTICE, City

ATTACK = registers.policy_change("attack")
SAID = registers.policy_json("attack")
BARRED = "immigration_enforcement"
AGENCY = ("council-1", "council-2", "agency-1")
"""As many keys as decide, and no community seat among them."""


def too_few(register: City) -> None:
    register.decide(ATTACK, seats=("council-1", "community-1"))


def no_community(register: City) -> None:
    register.decide(ATTACK, seats=AGENCY)


def same_seat_twice(register: City) -> None:
    register.decide(ATTACK, seats=("community-1", "community-1", "council-1"))


def day_29(register: City) -> None:
    register.decide(ATTACK, notice=29 * DAY)


def servers_clock_moved(register: City) -> None:
    proposal = register.propose(ATTACK)
    c1 = register.note()
    register.wait(DAY)
    # The city's own witness says that a month is over; nobody else does.
    own, other = registers.QUORUM
    lying = notaries.cosigned(
        register.signed(by=()), (own, register.now + NOTICE), (other, register.now)
    )
    statement = register.statement(proposal, lying.note)
    votes = register.votes(statement, ENOUGH)
    register.enact(statement, c1=c1, c2=lying.note, votes=votes)
    register.wait(NOTICE)


def witnessed_on_day_31(register: City) -> None:
    proposal = register.propose(ATTACK)
    c1 = register.note()
    register.wait(DAY)
    c2 = register.note()
    statement = register.statement(proposal, c2)
    register.enact(statement, c1=c1, c2=c2, votes=register.votes(statement, ENOUGH))
    register.wait(NOTICE)


def replayed_approval(register: City) -> None:
    first = register.propose(registers.policy_change("harmless"))
    second = register.propose(ATTACK)
    c1 = register.note()
    register.wait(NOTICE)
    c2 = register.note()
    votes = register.votes(register.statement(first, c2), ENOUGH)
    register.enact(register.statement(second, c2), c1=c1, c2=c2, votes=votes)


def never_proposed(register: City) -> None:
    register.wait(DAY)


def agency_rewrites_the_charter(register: City) -> None:
    board = replace(register.charter, least_group=99)
    register.decide(CharterChange(charter=board), seats=AGENCY, until=board.sunset)
    register.decide(ATTACK, seats=AGENCY)


def other_charter(register: City) -> None:
    """Begin another register of the same city, and decide it all properly there."""
    other = City(
        charter=replace(register.charter, least_group=11),
        founding=register.founding,
        now=register.now,
    )
    announced = map(members.any_object, members.array(MADE.payload["announced"]))
    for each in announcing.entries(announced, root=MADE.root_key, scope=other.scope):
        other.append(each)
    other.decide(ATTACK)
    register.entries[:] = other.entries
    register.now = other.now


Attack = Callable[[City], None]
ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            never_proposed,
            too_few,
            no_community,
            same_seat_twice,
            day_29,
            servers_clock_moved,
            witnessed_on_day_31,
            replayed_approval,
            agency_rewrites_the_charter,
        )
    }
)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_what_was_not_decided_properly_is_refused(
    tmp_path: Path, attack: Attack, reader: Reader
) -> None:
    register = copied()
    attack(register)
    assert "attack" not in register.in_force().policies
    register.summarise()
    assert not reader(tmp_path, published(register, SAID), "attack", register.now)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_the_same_done_properly_is_taken_over(tmp_path: Path, reader: Reader) -> None:
    register = copied()
    register.decide(ATTACK)
    register.summarise()
    assert reader(tmp_path, published(register, SAID), "attack", register.now)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_attack_that_the_bundle_does_not_name_harms_nobody(tmp_path: Path, reader: Reader) -> None:
    register = copied()
    too_few(register)
    register.summarise()
    assert reader(tmp_path, published(register), "library-card", register.now)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_barred_purpose_is_refused_even_with_every_vote(tmp_path: Path, reader: Reader) -> None:
    register = copied()
    register.decide(ATTACK, seats=tuple(registers.BOARD))
    # The same proposal but for the purpose, which no parser lets pass.
    register.entries[-2] = register.entries[-2].replace(b"library_membership", BARRED.encode())
    assert "attack" not in register.in_force().policies
    barred = registers.policy_json("attack", purpose=BARRED)
    data = published(register, barred)
    assert data.count(BARRED.encode()) > 0
    assert not reader(tmp_path, data, "attack", register.now)


@pytest.mark.parametrize(
    "reader",
    [READERS[name] for name in ("running_office", "used_wallet", "offline_after_another")],
    ids=lambda reader: reader.__name__,
)
@pytest.mark.parametrize("attack", [other_charter], ids=["other charter"])
def test_who_saw_one_register_takes_no_other(
    tmp_path: Path, attack: Attack, reader: Reader
) -> None:
    register = copied()
    attack(register)
    register.summarise()
    assert "attack" in register.in_force().policies
    assert not reader(tmp_path, published(register, SAID), "attack", register.now)
