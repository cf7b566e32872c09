"""Notice, votes, versions: what counts, and what changes nothing."""


import pytest

from idservice.period import DAY
from idservice.register.state import (
    Reason,
)
from tests.fakes import registers
from tests.fakes.registers import NOTICE, City

POLICY = registers.policy_change()


def reasons(city: City) -> list[Reason]:
    return [each.reason for each in city.register().refusals]


def test_a_change_that_was_proposed_waited_and_signed_is_in_force() -> None:
    city = City()
    city.decide(POLICY)
    found = city.in_force()
    assert found.policies == {"library-card": POLICY.policy}
    assert found.version("policy:library-card") == 1
    assert not city.register().refusals
    assert not found.demonstration


@pytest.mark.parametrize(
    ("seats", "reason"),
    [
        (("council-1", "community-1"), Reason.TOO_FEW),
        (("council-1", "council-2", "agency-1"), Reason.NO_COMMUNITY),
        (("council-1", "council-1", "community-1"), Reason.TOO_FEW),
        ((), None),
    ],
)
def test_too_few_or_the_wrong_seats_change_nothing(
    seats: tuple[str, ...], reason: Reason | None
) -> None:
    city = City()
    city.decide(POLICY, seats=seats)
    assert city.in_force().policies == {}
    assert reasons(city) == [reason or Reason.MALFORMED]


@pytest.mark.parametrize("short", [1, DAY, NOTICE])
def test_notice_that_is_too_short_changes_nothing(short: int) -> None:
    city = City()
    city.decide(POLICY, notice=NOTICE - short)
    assert city.in_force().policies == {}
    assert reasons(city) == [Reason.NOTICE]
    city.wait(10 * NOTICE)
    assert city.in_force().policies == {}
