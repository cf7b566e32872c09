"""While the register stops issuing nothing is issued or renewed, and everything else goes on."""

import pytest

from crypto.sealed import handle
from idservice.errors import Code, ServiceError
from tests.fakes import issuer_office as offices


def test_nothing_is_issued_while_the_register_says_so_and_everything_after() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    office.keys.stopped = True
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token)
    office.keys.stopped = False
    assert resident.issue(token)


def test_bbs_credential_is_not_issued_either() -> None:
    office = offices.make()
    resident, enrolment = office.enrol_bbs()
    office.keys.stopped = True
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.take(enrolment)


def test_nothing_is_renewed_and_the_refused_renewal_leaves_no_offer() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    office.keys.stopped = True
    with pytest.raises(ServiceError, match=Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()
    office.keys.stopped = False
    assert resident.take_renewal(resident.renew(), label="next")


def test_withdrawing_and_lists_do_not_wait() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.keys.stopped = True
    office.issuer.withdraw(handle.parse_slip(enrolment.slip))
    assert set(office.withdrawn()) == set(resident.indices())
    office.clock.forward(86_400)
    assert office.schedule.publish()
