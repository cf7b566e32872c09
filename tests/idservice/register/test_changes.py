"""What each kind of change does: emergencies, delegations, boards, ends."""

from datetime import date

import pytest

from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.log import ed25519
from idservice import period
from idservice.period import DAY, Period
from idservice.register import approval, change
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
from idservice.register.charter import SeatClass
from idservice.register.entry import Founding, RoutineEntry, Vote
from idservice.register.state import Reason, Stopped, end_of
from tests.fakes import notaries, registers
from tests.fakes.registers import ENOUGH, NOTICE, City

POLICY = registers.policy_change()
SAID = b"\2" * 32
FEW = ("agency-1", "community-2")
CLERK = ed25519.public_key(notaries.seed("city root"))
DELEGATION = Delegation(
    label="city-root", key=CLERK, routine=(Routine.ANNOUNCEMENT,), most=2, until=date(2026, 6, 1)
)
FOUNDED = (Founding(change=DELEGATION, in_force_until=date(2026, 6, 1)),)


def reasons(city: City) -> list[Reason]:
    return [each.reason for each in city.register().refusals]


def stopped(city: City) -> Stopped | None:
    return city.in_force().stopped(now=UnixSeconds(city.now))


def confirm(city: City, proposal: bytes) -> None:
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=None, c2=c2, votes=city.votes(statement, ENOUGH))


def announced(number: int, **changed: object) -> JsonObject:
    said: JsonObject = {
        "configuration": "resident_sd_jwt",
        "format": "dc+sd-jwt",
        "period": number,
        "exp": period.expires(Period(number)),
        "nbf": period.not_before(Period(number)),
        **dict.fromkeys(("vct", "vct_integrity", "x5c", "status", "digests", "address_digests")),
    }
    return {**said, **changed}  # type: ignore[dict-item]  # tests say what they like


def routine(
    city: City, said: JsonObject, *, by: str = "city root", label: str = "city-root"
) -> None:
    change_said = change.announcement(said)
    message = approval.routine_message(label, change_said, scope=city.scope)
    signature = notaries.signer(by)(message)
    city.append(RoutineEntry(delegation=label, change=change_said, signature=signature))


def test_emergency_quorum_suspends_issuing_for_14_days_unless_confirmed() -> None:
    city = City()
    assert stopped(city) is None
    proposal = city.decide(SuspendIssuing(), seats=FEW)
    assert stopped(city) is Stopped.SUSPENDED
    city.wait(14 * DAY - 1)
    assert stopped(city) is Stopped.SUSPENDED
    city.wait(1)
    assert stopped(city) is None
    confirm(city, proposal)
    assert not reasons(city)
    city.wait(100 * DAY)
    assert stopped(city) is Stopped.SUSPENDED
    city.decide(ResumeIssuing(), base=1)
    assert stopped(city) is None


def test_emergency_quorum_has_a_community_seat_in_it() -> None:
    for seats, reason in (
        (("council-1", "agency-1"), Reason.NO_COMMUNITY),
        (("community-1",), Reason.TOO_FEW),
    ):
        city = City()
        city.decide(SuspendIssuing(), seats=seats)
        assert reasons(city) == [reason]


def test_a_verifier_is_dropped_for_14_days_and_by_the_board_for_good() -> None:
    city = City(founding=(Founding(change=POLICY, in_force_until=date(2028, 1, 1)),))
    drop = Drop(subject="policy:library-card")
    proposal = city.decide(drop, base=1, seats=FEW)
    assert city.in_force().policies == {}
    city.wait(14 * DAY)
    assert set(city.in_force().policies) == {"library-card"}
    confirm(city, proposal)
    assert city.in_force().policies == {}
    city.decide(POLICY, base=2)
    assert set(city.in_force().policies) == {"library-card"}
    assert not reasons(city)


def test_what_is_not_there_cannot_be_dropped() -> None:
    city = City()
    city.decide(Drop(subject="policy:library-card"))
    assert reasons(city) == [Reason.OTHER_BASE]


@pytest.mark.parametrize("said", [POLICY, ResumeIssuing(), WindDown()])
def test_nothing_but_shrinking_acts_by_the_emergency_quorum(said: Change) -> None:
    city = City()
    city.decide(said, seats=FEW)
    assert reasons(city) == [Reason.TOO_FEW]


def test_a_confirmation_that_was_overtaken_is_refused() -> None:
    city = City(founding=(Founding(change=POLICY, in_force_until=date(2028, 1, 1)),))
    proposal = city.decide(Drop(subject="policy:library-card"), base=1, seats=FEW)
    city.decide(POLICY, base=2)
    confirm(city, proposal)
    assert reasons(city) == [Reason.OTHER_BASE]


def test_wind_down_stops_issuing_for_good_and_keys_stay_known() -> None:
    city = City(founding=FOUNDED)
    routine(city, announced(1))
    city.decide(WindDown())
    assert stopped(city) is Stopped.WOUND_DOWN
    assert ("resident_sd_jwt", Period(1)) in city.in_force().announced
    routine(city, announced(2))
    assert reasons(city) == [Reason.NOT_DELEGATED]


def test_sunset_stops_issuing_and_a_slow_clock_gains_nothing() -> None:
    city = City(charter=registers.board(sunset="2026-06-01"))
    day = end_of(date(2026, 6, 1))
    assert city.in_force().stopped(now=UnixSeconds(day - 1)) is None
    assert city.in_force().stopped(now=day) is Stopped.SUNSET
    city.now = day
    assert city.in_force().stopped(now=UnixSeconds(0)) is Stopped.SUNSET
    city.decide(CharterChange(charter=registers.board()))  # too late: see `enforcement`
    assert [each.reason for each in city.register().refusals] == [Reason.TOO_LATE]


def test_a_year_without_the_community_stops_issuing() -> None:
    city = City()
    city.wait(365 * DAY)
    assert stopped(city) is Stopped.NO_COMMUNITY
    city.decide(POLICY)
    assert stopped(city) is None
    city.wait(365 * DAY)
    assert stopped(city) is None
    city.wait(1)
    assert stopped(city) is Stopped.NO_COMMUNITY


def test_delegated_key_announces_periods_within_its_limits() -> None:
    city = City(founding=FOUNDED)
    routine(city, announced(1))
    routine(city, announced(1, exp=5))
    routine(city, announced(99))
    routine(city, announced(2), by="somebody")
    routine(city, announced(2), label="nobody")
    routine(city, announced(2, exp=period.expires(Period(2)) + 1))
    routine(city, announced(2))
    routine(city, announced(3))
    assert reasons(city) == [
        Reason.OTHER_BASE,
        Reason.NOT_DELEGATED,
        Reason.NOT_SIGNED,
        Reason.NOT_DELEGATED,
        Reason.NOT_DELEGATED,
        Reason.NOT_DELEGATED,
    ]
    found = city.in_force()
    assert set(found.announced) == {("resident_sd_jwt", Period(1)), ("resident_sd_jwt", Period(2))}
    assert found.may_issue(configuration="resident_sd_jwt", period=Period(1))
    assert not found.may_issue(configuration="resident_sd_jwt", period=Period(3))
    assert set(found.delegations) == {"city-root"}


def test_dropped_key_issues_nothing_and_stays_known() -> None:
    city = City(founding=FOUNDED)
    routine(city, announced(1))
    city.decide(Drop(subject="announced:resident_sd_jwt:1"), base=1)
    found = city.in_force()
    assert not found.may_issue(configuration="resident_sd_jwt", period=Period(1))
    assert ("resident_sd_jwt", Period(1)) in found.announced


@pytest.mark.parametrize("seats", [ENOUGH, FEW])
def test_dropped_delegation_announces_nothing(seats: tuple[str, ...]) -> None:
    city = City(founding=FOUNDED)
    city.decide(Drop(subject="delegation:city-root"), base=1, seats=seats)
    routine(city, announced(1))
    assert reasons(city) == [Reason.NOT_DELEGATED]


def charter_change(**changed: object) -> CharterChange:
    return CharterChange(charter=registers.board(**changed))


def seats_json(**keys: str) -> list[JsonObject]:
    """Return the board with other keys for these seats (`_` for `-`)."""
    seats = registers.charter_json()["seats"]
    assert isinstance(seats, list)
    found: list[JsonObject] = []
    for seat in seats:
        assert isinstance(seat, dict)
        name = str(seat["id"]).replace("-", "_")
        found.append({**seat, "key": registers.key(keys[name])} if name in keys else seat)
    return found


def rewrite(city: City, said: Change, votes: list[tuple[str, str]]) -> None:
    """Decide with votes by (seat, key)."""
    proposal = city.propose(said)
    c1 = city.note()
    city.wait(NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    message = approval.statement_message(statement, scope=city.scope)
    signed: list[Vote] = [registers.vote(seat, message, by=by) for seat, by in votes]
    city.enact(statement, c1=c1, c2=c2, votes=signed)


def own(*seats: str) -> list[tuple[str, str]]:
    return [(seat, seat) for seat in seats]


def test_charter_is_replaced_by_the_board() -> None:
    city = City()
    city.decide(charter_change(least_group=20), until=registers.SUNSET)
    assert city.in_force().charter.least_group == 20
    assert not reasons(city)


def test_nothing_is_enacted_that_outlives_a_charter_that_ends_sooner() -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    city.decide(charter_change(sunset="2027-01-01"), until=date(2027, 1, 1))
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.TOO_LONG]


AGENCY_BOARD = ["council-1", "council-2", "agency-1"]


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (own(*AGENCY_BOARD), Reason.NO_COMMUNITY),
        (own(*AGENCY_BOARD, "community-1"), Reason.OWN_CLASS),
        (own(*AGENCY_BOARD, "community-1", "community-2"), None),
        (own("council-1", "community-1", "community-2"), Reason.TOO_FEW),
        ([*own("council-1", "community-1", "community-2"), ("community-2", "friend")], None),
    ],
)
def test_a_class_agrees_to_its_own_new_seats(
    votes: list[tuple[str, str]], reason: Reason | None
) -> None:
    city = City()
    said = charter_change(seats=seats_json(community_2="friend"))
    rewrite(city, said, votes)
    assert reasons(city) == ([reason] if reason else [])


def test_new_board_must_agree_as_well() -> None:
    city = City()
    keys = {"council_1": "a", "council_2": "b", "community_1": "c", "community_2": "d"}
    said = charter_change(seats=seats_json(**keys))
    old = own("council-1", "council-2", "community-1", "community-2")
    rewrite(city, said, old)
    assert reasons(city) == [Reason.TOO_FEW]
    again = City()
    new = [("council-1", "a"), ("community-1", "c"), ("agency-1", "agency-1")]
    rewrite(again, said, [*old, *new])
    assert not reasons(again)
    assert again.in_force().charter == said.charter


@pytest.mark.parametrize(
    "changed",
    [
        {"log": notaries.log_key("other.example/log").text},
        {"sandbox": True},
        {"adopted": "2030-01-01"},
    ],
)
def test_a_charter_keeps_its_log_its_day_and_what_it_is(changed: dict[str, object]) -> None:
    city = City()
    rewrite(city, charter_change(**changed), own(*registers.BOARD))
    assert reasons(city) == [Reason.BARRED]


def new_key(seat: str = "community-2", key: str = "new key") -> SeatKey:
    found = ed25519.public_key(notaries.seed(key))
    return SeatKey(seat=seat, key=found, successor=None)


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (own("community-1", "community-2"), Reason.NOT_SIGNED),
        ([*own("community-1"), ("community-2", "new key")], Reason.OWN_CLASS),
        (
            [*own("council-1", "council-2", "agency-1"), ("community-2", "new key")],
            Reason.OWN_CLASS,
        ),
        ([*own("community-1", "community-2"), ("community-2", "new key")], None),
        (
            [
                ("community-1", "community-1"),
                ("community-2", "community-2 next"),
                ("community-2", "new key"),
            ],
            None,
        ),
        (
            [
                ("community-1", "community-1 next"),
                ("community-2", "community-2 next"),
                ("community-2", "new key"),
            ],
            None,
        ),
    ],
)
def test_seat_key_changes_by_its_own_class_only(
    votes: list[tuple[str, str]], reason: Reason | None
) -> None:
    city = City()
    rewrite(city, new_key(), votes)
    assert reasons(city) == ([reason] if reason else [])
    changed = city.in_force().charter.seat("community-2")
    assert changed is not None
    assert (changed.key == new_key().key) is (reason is None)


@pytest.mark.parametrize("key", ["council-1", "community-1 next"])
def test_a_seat_does_not_take_another_seats_key(key: str) -> None:
    city = City()
    votes = [*own("community-1", "community-2"), ("community-2", key)]
    rewrite(city, new_key(key=key), votes)
    assert reasons(city) == [Reason.DUPLICATE]


def test_a_seat_that_is_not_there_gets_no_key() -> None:
    city = City()
    rewrite(city, new_key(seat="nobody"), own(*registers.BOARD))
    assert reasons(city) == [Reason.OWN_CLASS]


def test_after_its_key_changed_the_old_one_signs_nothing() -> None:
    city = City()
    rewrite(city, new_key("council-1"), [*own("council-1", "council-2"), ("council-1", "new key")])
    city.propose(POLICY)
    assert reasons(city) == [Reason.NOT_SIGNED]
    assert {seat.id for seat in city.in_force().charter.of_class(SeatClass.COUNCIL)} == {
        "council-1",
        "council-2",
    }


def test_witnesses_may_change_during_a_notice() -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    witnesses = registers.charter_json()["witnesses"]
    assert isinstance(witnesses, list)
    said = charter_change(witnesses=witnesses[1:])
    city.decide(said, until=registers.SUNSET)
    by = registers.WITNESSES[1:]
    c2 = city.note(by=by)
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert not reasons(city)
    old = city.note()
    other = city.propose(registers.policy_change("other"))
    city.wait(NOTICE)
    newest = city.note(by=by)
    late = city.statement(other, newest)
    city.enact(late, c1=old, c2=newest, votes=city.votes(late, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]


def test_other_kinds_are_in_force_as_they_were_said() -> None:
    parts = Component(
        name="idservice",
        version="1.0",
        digest=SAID,
        vendor="The city",
        contract=None,
        interests=SAID,
    )
    inventory = Inventory(digest=SAID, columns=("a.b", "c.d"))
    parameters = Parameters(period_days=28, grace_days=7, status_every_h=24, status_lifetime_h=168)
    city = City()
    city.sit([parts, inventory, parameters, ClaimChange(claim="gender", issued=True)])
    city.sit([ClaimChange(claim="portrait", issued=False)])
    found = city.in_force()
    assert found.components == {"idservice": parts}
    assert found.inventory == inventory
    assert found.parameters == parameters
    assert found.claims == {"gender"}
    assert not reasons(city)


def test_who_is_only_a_demonstration_says_so() -> None:
    witnesses = registers.charter_json()["witnesses"]
    assert isinstance(witnesses, list)
    for changed in ({"witness_threshold": 1}, {"witnesses": _own(witnesses)}):
        assert registers.board(**changed).demonstration
    sandbox = City(charter=registers.board(sandbox=True, notice_s=60))
    sandbox.decide(POLICY, notice=60)
    assert sandbox.in_force().sandbox
    assert sandbox.in_force().policies


def _own(witnesses: list[object]) -> list[object]:
    found: list[object] = []
    for each in witnesses:
        assert isinstance(each, dict)
        found.append({**each, "run_by_city": True})
    return found
