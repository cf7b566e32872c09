"""Rows that a clerk's role may add to the issuer's database, made up instead of made at a desk."""

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.sealed import handle, offer
from crypto.sealed.handle import Slip
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.issuer import model
from idservice.issuer.protocol import TokenRequest
from idservice.period import Period
from tests.fakes import city as cities
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_office import Office, Resident

BEYOND_ANY_LIST = 1 << 31
UNTIL_SOON = (
    b'{"entitlement": {"period": 7, "person": {"resident": true}, "handle": "",'
    b' "enrolled_until": "soon"}}'
)


@pytest.fixture
def office() -> Office:
    return offices.make()


@pytest.fixture
def stranger(office: Office) -> Resident:
    resident, enrolment = office.enrol()
    resident.take(enrolment, label="stranger")
    return resident


def add_row(
    office: Office, slip: Slip, indices: list[int], *, ahead: int = 0, until: int | None = None
) -> None:
    """Add the row of a period with indices of the clerk's choice."""
    whose, number = handle.handle(slip), Period(office.city.period + ahead)
    office.stores.lasting.add_index_row(
        handle.row_key(whose, period=number, configuration=catalogue.CONFIGURATION),
        period=Period(number if until is None else until),
        sealed=handle.seal_indices(whose, indices=indices, random_bytes=office.random_bytes),
    )


@pytest.mark.threat("T89")
def test_row_of_a_slip_that_received_nothing_withdraws_nobody(
    office: Office, stranger: Resident
) -> None:
    slip = handle.new_slip(random_bytes=cities.chance("clerk"))
    add_row(office, slip, [*stranger.indices()[:19], BEYOND_ANY_LIST])
    office.issuer.withdraw(slip)
    assert office.withdrawn() == ()


@pytest.mark.threat("T89")
def test_row_beside_the_true_ones_does_not_hinder_withdrawal(
    office: Office, stranger: Resident
) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    slip = offices.slip_of(enrolment)
    add_row(office, slip, [BEYOND_ANY_LIST, stranger.indices()[0]], ahead=1)
    office.issuer.withdraw(slip)
    assert office.withdrawn() == tuple(sorted(resident.indices()))
    assert office.withdrawn(Period(office.city.period + 1)) == ()


@pytest.mark.threat("T89")
def test_row_that_is_added_after_a_withdrawal_withdraws_nobody(
    office: Office, stranger: Resident
) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    slip = offices.slip_of(enrolment)
    office.issuer.withdraw(slip)
    once = office.withdrawn()
    add_row(office, slip, stranger.indices())
    office.issuer.withdraw(slip)
    assert office.withdrawn() == once


@pytest.mark.threat("T89")
def test_row_with_a_past_period_is_not_reaped_to_make_place_for_another(
    office: Office, stranger: Resident
) -> None:
    resident, enrolment = office.enrol()
    slip = offices.slip_of(enrolment)
    key = handle.row_key(
        handle.handle(slip), period=office.city.period, configuration=catalogue.CONFIGURATION
    )
    with office.stores.lasting.serialised(0) as unit:
        unit.remove_index_row(key)
    add_row(office, slip, stranger.indices(), until=0)
    resident.take(enrolment)
    office.schedule.reap()
    with office.stores.lasting.serialised(0) as unit:
        assert unit.index_row(key) is not None
    office.issuer.withdraw(slip)
    assert office.withdrawn() == tuple(sorted(resident.indices()))


@pytest.mark.threat("T89")
@pytest.mark.parametrize(
    "content",
    [
        b"no JSON",
        b"{}",
        b'{"entitlement": {"period": 7, "person": {"resident": false}}}',
        b'{"entitlement": {"period": 7, "person": {"resident": true}, "handle": ""}}',
        UNTIL_SOON,
    ],
)
def test_offer_that_was_made_up_is_like_none(office: Office, content: bytes) -> None:
    with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
        trade(office, content)


@pytest.mark.threat("T89")
@pytest.mark.parametrize("whose", [b"", b"abc", bytes(32)], ids=["none", "short", "low order"])
def test_offer_to_a_handle_that_no_slip_has_is_like_none(office: Office, whose: bytes) -> None:
    true = handle.handle(handle.new_slip(random_bytes=office.random_bytes))
    trade(office, made_up(office, true))
    with pytest.raises(ServiceError, match=Code.INVALID_GRANT):
        trade(office, made_up(office, whose))


def made_up(office: Office, whose: bytes) -> bytes:
    return canonical_json.serialize(
        {
            "entitlement": {
                "person": {"resident": True},
                "handle": base64url.encode(whose),
                "enrolled_until": "2028-01-01",
                "period": office.city.period,
                "configuration": catalogue.CONFIGURATION,
                "renewal": False,
            },
            "transaction_code": None,
        }
    )


def trade(office: Office, content: bytes) -> None:
    """Add the row of an offer and ask for its token."""
    code = offer.code(offer.new_reference(random_bytes=office.random_bytes))
    office.stores.pending.add_offer(
        offer.row_key(code),
        sealed=offer.seal(content, secret=code, random_bytes=office.random_bytes),
        slot=model.slot(office.clock.now(), lifetime=model.LIFETIME),
    )
    office.issuer.token(TokenRequest(code=code, transaction_code=None))
