"""A crash between the two stores, and a reply that is lost: no index twice, nobody else harmed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from idservice.errors import Code, ServiceError
from idservice.issuer import model
from idservice.issuer.ports import Unit
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_stores import MemoryLasting


class Crash(Exception):
    """The process died."""


class BrittleLasting(MemoryLasting):
    """Dies at the end of a unit of work, before its commit, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.dies = False

    @contextmanager
    def serialised(self, lock: int) -> Iterator[Unit]:
        with super().serialised(lock) as unit:
            yield unit
            if self.dies:
                self.dies = False
                raise Crash


def setting() -> tuple[BrittleLasting, offices.Office]:
    lasting = BrittleLasting()
    return lasting, offices.make(lasting=lasting)


def test_crash_before_the_second_commit_consumed_nothing() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    lasting.dies = True
    with pytest.raises(Crash):
        resident.issue(token)
    assert len(resident.issue(token)) == 20
    assert office.withdrawn() == ()
    office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == tuple(sorted(resident.indices()))


def test_crash_in_a_retry_ends_the_instances_that_were_handed_over_and_no_others() -> None:
    """The crashed attempt's indices may be somebody else's by now: they are left alone."""
    lasting, office = setting()
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    first = resident.issue(token) and resident.indices()
    lasting.dies = True
    with pytest.raises(Crash):
        resident.issue(token)
    neighbour, other = office.enrol()
    neighbour.take(other, label="neighbour")
    resident.issue(token)
    assert office.withdrawn() == tuple(sorted(first))
    office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == tuple(sorted({*first, *resident.indices()}))
    assert not set(neighbour.indices()) & set(office.withdrawn())


def test_after_a_crash_other_keys_are_refused_all_the_same() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    lasting.dies = True
    with pytest.raises(Crash):
        resident.issue(token)
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, label="other")
    assert len(resident.issue(token)) == 20


def test_crash_in_a_renewal_leaves_an_offer_that_issues_nothing() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    lasting.dies = True
    with pytest.raises(Crash):
        resident.renew()
    assert len(resident.take_renewal(resident.renew(), label="next")) == 20


def test_crash_in_a_withdrawal_is_repeated_whole() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    lasting.dies = True
    with pytest.raises(Crash):
        office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == ()
    office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == tuple(sorted(resident.indices()))


def test_crash_before_the_second_commit_of_a_bbs_credential_consumed_nothing() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    lasting.dies = True
    with pytest.raises(Crash):
        resident.issue(token)
    assert lasting.counts() == []
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, label="other")
    credential = resident.issue(token)
    assert resident.issue(token) == credential
    assert [number for _, _, number in lasting.counts()] == [1]


def test_a_bbs_answer_that_was_lost_is_given_again_octet_by_octet() -> None:
    """After the commit; by another process, which shares nothing but the stores and the keys."""
    lasting, office = setting()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    lost = resident.issue(token)
    office.clock.forward(30)
    other = offices.make(
        city=office.city, pending=office.stores.pending, lasting=lasting, now=office.clock.now()
    )
    again = offices.BbsResident(office=other)
    assert again.issue(token) == lost
    assert again.claims()["given_name"] == "Ada"


def test_crash_in_the_renewal_of_a_bbs_credential_leaves_an_offer_that_issues_nothing() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.late()
    lasting.dies = True
    with pytest.raises(Crash):
        resident.renew()
    resident.take_renewal(resident.renew(), label="next")
    assert resident.announced.period == office.city.period + 1


def test_crash_in_the_withdrawal_of_a_bbs_credential_is_repeated_whole() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.late()
    lasting.dies = True
    with pytest.raises(Crash):
        office.issuer.withdraw(offices.slip_of(enrolment))
    office.issuer.withdraw(offices.slip_of(enrolment))
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()


def test_crashes_do_not_let_one_token_ask_for_ever() -> None:
    lasting, office = setting()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    for _ in range(model.ATTEMPTS):
        lasting.dies = True
        with pytest.raises(Crash):
            resident.issue(token)
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token)
    assert lasting.counts() == []
