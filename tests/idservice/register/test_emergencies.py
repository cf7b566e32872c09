"""What the emergency quorum can do: stop something at once for 14 days, and nothing else."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import members
from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.log import note
from idservice import period
from idservice.period import DAY, Period, day
from idservice.register import approval, bundle, change
from idservice.register.change import Change, Drop, ResumeIssuing, SuspendIssuing
from idservice.register.entry import Digest, Founding, RoutineEntry
from idservice.register.state import Reason, Stopped
from tests.fakes import city as cities
from tests.fakes import registers
from tests.fakes.registers import ENOUGH, NOTICE, City

POLICY = registers.policy_change()
DROP = Drop(subject="policy:library-card")
FOUNDED = (Founding(change=POLICY, in_force_until=date(2028, 1, 1)),)
FEW = ("agency-1", "community-2")
LONG = date(2027, 12, 1)
MADE = cities.make()
OTHER = registers.policy_change("other", expires="2040-01-01")


def reasons(city: City) -> list[Reason]:
    return [each.reason for each in city.register().refusals]


def stopped(city: City) -> Stopped | None:
    return city.in_force().stopped(now=UnixSeconds(city.now))


def enact(
    city: City,
    proposal: Digest,
    *,
    c1: note.Note | None = None,
    seats: tuple[str, ...] = ENOUGH,
) -> None:
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, seats))


def test_emergency_quorum_confirms_nothing() -> None:
    city = City()
    proposal = city.decide(SuspendIssuing(), seats=FEW)
    city.wait(DAY)
    enact(city, proposal, seats=FEW)
    assert reasons(city) == [Reason.OVER]


def test_what_the_board_dropped_is_not_revived_by_an_emergency() -> None:
    city = City(founding=FOUNDED)
    city.decide(DROP, base=1)
    city.decide(DROP, base=2, seats=FEW)
    city.wait(14 * DAY)
    assert city.in_force().policies == {}
    assert not reasons(city)


def test_emergency_is_no_veto_and_keeps_its_time() -> None:
    city = City(founding=FOUNDED)
    renewed = registers.policy_change(place="Another branch")
    proposal = city.propose(renewed, base=1)
    c1 = city.note()
    city.wait(NOTICE)
    for base in (1, 2):
        city.decide(DROP, base=base, seats=FEW)
    enact(city, proposal, c1=c1)
    assert not reasons(city)
    assert city.in_force().policies == {}
    city.wait(14 * DAY)
    assert city.in_force().policies == {"library-card": renewed.policy}


def test_an_emergency_keeps_nothing_ended_that_the_board_brings_back() -> None:
    city = City(founding=FOUNDED)
    city.decide(DROP, base=1)
    renewed = registers.policy_change(place="Another branch")
    proposal = city.propose(renewed, base=2)
    c1 = city.note()
    city.wait(NOTICE)
    city.decide(DROP, base=2, seats=FEW)
    enact(city, proposal, c1=c1)
    assert city.in_force().policies == {}
    city.wait(14 * DAY)
    assert city.in_force().policies == {"library-card": renewed.policy}
    assert not reasons(city)


def test_board_confirms_what_a_second_emergency_overtook() -> None:
    city = City(founding=FOUNDED)
    first = city.decide(DROP, base=1, seats=FEW)
    city.decide(DROP, base=2, seats=FEW)
    enact(city, first)
    assert not reasons(city)
    assert city.in_force().records[DROP.subject].ended


def test_two_proposals_of_the_board_still_cannot_both_replace_the_same() -> None:
    city = City(founding=FOUNDED)
    unaware = city.propose(registers.policy_change(place="Another branch"), base=1)
    city.decide(DROP, base=1, seats=FEW)
    aware = city.propose(POLICY, base=2)
    c1 = city.note()
    city.wait(NOTICE)
    enact(city, unaware, c1=c1)
    enact(city, aware, c1=c1)
    assert reasons(city) == [Reason.OTHER_BASE]


@pytest.mark.parametrize("seats", [ENOUGH, FEW])
def test_a_shorter_suspension_ends_no_longer_one(seats: tuple[str, ...]) -> None:
    city = City()
    city.decide(SuspendIssuing(), until=LONG)
    city.wait(DAY)
    city.decide(SuspendIssuing(), base=1, seats=seats, until=day(UnixSeconds(city.now)))
    city.wait(15 * DAY)
    assert stopped(city) is Stopped.SUSPENDED
    city.decide(ResumeIssuing(), base=2)
    assert stopped(city) is None
    assert not reasons(city)


def test_resuming_is_not_vetoed_by_emergencies_and_leaves_them_their_time() -> None:
    city = City()
    city.decide(SuspendIssuing(), until=LONG)
    resume = city.propose(ResumeIssuing(), base=1)
    c1 = city.note()
    city.wait(NOTICE)
    city.decide(SuspendIssuing(), base=1, seats=FEW)
    enact(city, resume, c1=c1)
    city.decide(SuspendIssuing(), base=3, until=day(UnixSeconds(city.now)))
    city.wait(14 * DAY - 1)
    assert stopped(city) is Stopped.SUSPENDED
    city.wait(1)
    assert stopped(city) is None
    assert not reasons(city)


def test_resuming_that_ends_before_an_emergency_leaves_it_its_time_offline_too() -> None:
    city = registers.of_city(MADE)
    resume = city.propose(ResumeIssuing(), until=day(UnixSeconds(city.now + NOTICE + 3 * DAY)))
    c1 = city.note()
    city.wait(NOTICE)
    city.decide(SuspendIssuing(), seats=FEW)
    enact(city, resume, c1=c1)
    dropped = offline_after_a_drop(city, wait=5 * DAY)
    assert stopped(city) is Stopped.SUSPENDED
    assert dropped.in_force.stopped(now=UnixSeconds(city.now)) is Stopped.SUSPENDED


def test_what_was_announced_after_an_emergency_was_over_is_known_offline() -> None:
    city = registers.of_city(MADE)
    city.decide(Drop(subject="delegation:city-root"), base=1, seats=FEW)
    city.wait(15 * DAY)
    first, second = sorted(MADE.policies)[:2]
    city.decide(Drop(subject=f"policy:{first}"), base=1)  # tells the time in the log
    first_key = members.any_object(members.array(MADE.payload["announced"])[0])
    later = Period(members.whole(first_key["period"]) + 5)
    value: JsonObject = {**first_key, "period": later, "exp": period.expires(later)}
    said = change.announcement(value)
    message = approval.routine_message("city-root", said, scope=city.scope)
    signature = MADE.root_key.sign(message)
    city.append(RoutineEntry(delegation="city-root", change=said, signature=signature))
    known = offline_after_a_drop(city, wait=DAY, subject=f"policy:{second}").in_force
    assert said.subject in city.in_force().records
    assert known.policies == city.in_force().policies


def offline_after_a_drop(city: City, *, wait: int, subject: str | None = None) -> bundle.Loaded:
    """Let the community sign once more, and read a bundle that leaves out what is over."""
    city.wait(wait)
    city.decide(Drop(subject=subject or f"policy:{min(MADE.policies)}"), base=1)
    city.summarise()
    assert not reasons(city)
    in_force = city.in_force().policies
    policies = members.array(MADE.payload["policies"])
    kept = [each for each in policies if members.any_object(each)["id"] in in_force]
    data = registers.bundled(MADE, city, payload={**MADE.payload, "policies": kept})
    return bundle.load(data, pin=None, seen=None, now=UnixSeconds(city.now))


@pytest.mark.parametrize("junk", ["hello\n", f"hello\n99999\n{'A' * 43}=\n"])
def test_a_shrinking_change_carries_no_first_checkpoint(junk: str) -> None:
    # nobody would check it: text for people, and a bundle that cannot be written
    city = registers.of_city(MADE)
    proposal = city.propose(SuspendIssuing())
    enact(city, proposal, c1=note.parse(f"{junk}\n— x AAAAAAAA\n".encode()))
    assert reasons(city) == [Reason.CHECKPOINT]
    assert stopped(city) is None
    bundle.load(registers.bundled(MADE, city), pin=None, seen=None, now=UnixSeconds(city.now))


Act = tuple[Change, tuple[str, ...], int, date]
ACTS = st.tuples(
    st.sampled_from([Drop(subject=OTHER.subject), SuspendIssuing(), ResumeIssuing(), OTHER]),
    st.sampled_from([ENOUGH, FEW]),
    st.integers(0, 4),
    st.sampled_from([date(2039, 1, 1), date(2027, 9, 1)]),
)


@settings(max_examples=20, deadline=None)
@given(acts=st.lists(ACTS, min_size=1, max_size=6))
def test_emergencies_give_nothing_back_and_are_the_same_offline(acts: list[Act]) -> None:
    city = registers.of_city(MADE, policies=[*MADE.policies.values(), OTHER.policy])
    for said, seats, back, until in acts:
        before = city.in_force()
        base = max(0, before.version(said.subject) - back)
        city.decide(said, seats=seats, base=base, until=None if said is OTHER else until)
        if seats is FEW or isinstance(said, Drop | SuspendIssuing):
            assert stopped(city) or not before.stopped(now=UnixSeconds(city.now))
            for later in (0, 15 * DAY):
                city.wait(later)
                assert city.in_force().policies.items() <= before.policies.items()
        city.summarise()
        loaded = bundle.load(
            registers.bundled(MADE, city), pin=None, seen=None, now=UnixSeconds(city.now)
        )
        known = city.in_force()
        assert loaded.in_force.policies == known.policies
        assert loaded.in_force.stopped(now=loaded.checked) == stopped(city)
