import pytest

from crypto.instant import UnixSeconds
from crypto.x509.issue import Validity
from crypto.x509.profile import Role
from tests.fakes import certificates
from tests.fakes.certificates import NOW, der


def test_same_inputs_give_the_same_certificates() -> None:
    root = certificates.root()
    office = certificates.intermediate(root)
    assert der(certificates.root().certificate) == der(root.certificate)
    assert der(certificates.intermediate(root).certificate) == der(office.certificate)
    assert der(certificates.leaf(office, Role.STATUS)) == der(
        certificates.leaf(office, Role.STATUS)
    )


def test_a_validity_that_ends_before_it_begins_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="ends after"):
        Validity(not_before=NOW, not_after=UnixSeconds(NOW - 1))
