import base64

import pytest

from crypto.errors import Malformed
from crypto.x509 import chain, x5c
from tests.fakes import certificates
from tests.fakes.certificates import der

ROOT = certificates.root()
OFFICE = certificates.intermediate(ROOT)
PATH = (certificates.leaf(OFFICE), OFFICE.certificate)


def test_a_path_is_read_back() -> None:
    assert x5c.decode(x5c.encode(PATH)) == tuple(map(der, PATH))


@pytest.mark.parametrize(
    "member",
    [
        None,
        "MAA=",
        [],
        ["MAA="] * 3,
        [7],
        ["MAA"],
        ["MAB="],
        ["MAA=\n"],
        ["M-A_"],
        ["MAA=", "", ""],
        [base64.b64encode(bytes(2 * chain.LARGEST_CERTIFICATE)).decode()],
    ],
)
def test_another_member_is_malformed(member: object) -> None:
    with pytest.raises(Malformed):
        x5c.decode(member)
