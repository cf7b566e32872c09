"""What the issuer does because time passes."""

import pytest

from crypto.instant import UnixSeconds
from crypto.sealed import handle
from crypto.status import status_token
from crypto.status.status_token import Shape, StatusToken
from idservice import catalogue, period
from idservice.issuer import model, schedule
from idservice.issuer.model import StatusList
from idservice.period import Period
from tests.fakes import city as cities
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_office import Office

DAY = 86_400
MIDNIGHT = UnixSeconds(1_799_971_200)  # 2027-01-15


@pytest.mark.parametrize(
    ("now", "scheduled"),
    [
        (MIDNIGHT, MIDNIGHT - DAY + 7200),
        (MIDNIGHT + 7199, MIDNIGHT - DAY + 7200),
        (MIDNIGHT + 7200, MIDNIGHT + 7200),
        (MIDNIGHT + 86_399, MIDNIGHT + 7200),
    ],
)
def test_lists_are_due_at_two_in_the_morning(now: int, scheduled: int) -> None:
    assert schedule.last_scheduled(UnixSeconds(now)) == scheduled


def published(office: Office, number: Period) -> StatusToken:
    newest = office.stores.lasting.published(number, catalogue.CONFIGURATION)
    assert newest is not None
    told = office.city.trust.find(configuration=catalogue.CONFIGURATION, period=number)
    assert told is not None
    return status_token.verify(
        status_token.parse(newest[1]),
        key=office.city.status_key.public_key(),
        uri=told.status.uri,
        shape=Shape(bits=1, size=told.status.size),
        now=office.clock.now(),
    )


def test_every_announced_list_is_signed_daily_whether_changed_or_not() -> None:
    office = offices.make(now=UnixSeconds(MIDNIGHT + 7300))
    first = published(office, office.city.period)
    assert (first.iat, first.exp) == (MIDNIGHT + 7200, MIDNIGHT + 7200 + 7 * DAY)
    assert not office.schedule.publish()
    office.clock.forward(DAY - 101)
    assert not office.schedule.publish()
    office.clock.forward(1)
    assert office.schedule.publish()
    second = published(office, office.city.period)
    assert second.iat == first.iat + DAY
    assert second.bits == first.bits


def test_withdrawal_shows_in_the_next_list() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.issuer.withdraw(offices.slip_of(enrolment))
    office.schedule.tick()
    index = resident.indices()[0]
    assert published(office, office.city.period).bits.get(index) == 0
    office.clock.forward(DAY)
    office.schedule.tick()
    found = published(office, office.city.period).bits
    assert all(found.get(each) == 1 for each in resident.indices())
    assert sum(byte.bit_count() for byte in found.data) == 20


def test_rows_of_a_period_go_with_its_last_credential() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    number = office.city.period
    whose = handle.handle(offices.slip_of(enrolment))
    configuration = catalogue.CONFIGURATION
    row = handle.row_key(whose, period=number, configuration=configuration)
    mark = handle.mark(whose, period=number, configuration=configuration)
    office.clock.time = UnixSeconds(period.expires(number) - 1)
    office.schedule.tick()
    with office.stores.lasting.serialised(0) as unit:
        assert unit.index_row(row) is not None
        assert unit.is_marked(mark)
    office.clock.forward(1)
    office.schedule.tick()
    with office.stores.lasting.serialised(0) as unit:
        assert unit.index_row(row) is None
        assert not unit.is_marked(mark)
        assert unit.status_list(number, configuration) is None
    assert office.stores.lasting.published(number, configuration) is None


def test_withdrawn_hash_goes_after_five_years() -> None:
    office = offices.make()
    _, enrolment = office.enrol()
    office.issuer.withdraw(offices.slip_of(enrolment))
    key = handle.withdrawn_key(handle.handle(offices.slip_of(enrolment)))

    def known() -> bool:
        with office.stores.lasting.serialised(0) as unit:
            return unit.is_withdrawn(key)

    office.clock.time = UnixSeconds(cities.NOW + 5 * 365 * DAY)
    office.schedule.reap()
    assert known()
    office.clock.forward(100 * DAY)
    office.schedule.reap()
    assert not known()


def test_slot_is_rounded_up_and_never_more_than_fifteen_minutes() -> None:
    for shift in range(0, 600, 7):
        now = UnixSeconds(cities.NOW + shift)
        end = model.slot(now, lifetime=model.LIFETIME) * model.SLOT
        assert model.LIFETIME <= end - now <= 900


def test_full_list_gives_nothing_out() -> None:
    chance = cities.chance()
    found = StatusList.empty(1 << 10)
    for _ in range(48):
        drawn, found = found.draw(16, random_bytes=chance)
        assert len(set(drawn)) == 16
    with pytest.raises(offices.protocol.ServiceError, match="unavailable"):
        found.draw(1, random_bytes=chance)
