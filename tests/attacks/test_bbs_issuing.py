"""The corpus's attacks on BBS, played against the issuer: refused, and nothing is stored.

What the library says to each stands in `test_bbs_interfaces.py`. Every attack departs in one
thing from the honest request that is made after it with the same token, and is answered.
"""

from typing import Final

import pytest

from crypto.bbs import jwp
from crypto.bls import curve
from crypto.bls.group import ORDER
from crypto.encoding import base64url
from idservice import catalogue
from idservice.errors import Code, ServiceError
from tests.fakes import city as cities
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_office import BbsResident, Office
from tests.fakes.issuer_stores import MemoryLasting, MemoryPending

GOOD: Final = jwp.request(random_bytes=cities.chance("holder"))[1]
OTHER: Final = jwp.request(random_bytes=cities.chance("somebody else"))[1]
POINT, PROOF = GOOD[:48], GOOD[48:]
IDENTITY: Final = b"\xc0" + bytes(47)
OUTSIDE_THE_GROUP: Final = b"\x80" + bytes(46) + b"\x04"
"""x = 4: on the curve, of another order."""

COMMITMENTS: Final[dict[str, bytes]] = {
    "nothing": b"",
    "no proof": POINT,
    "proof of somebody else": POINT + OTHER[48:],
    "commitment of somebody else": OTHER[:48] + PROOF,
    "one secret more": GOOD + PROOF[:32],
    "the identity": IDENTITY + PROOF,
    "the identity, and nothing known of it": IDENTITY + bytes(96),
    "outside the group": OUTSIDE_THE_GROUP + PROOF,
    "not on the curve": b"\x80" + bytes(46) + b"\x01" + PROOF,
    "uncompressed": bytes([POINT[0] & 0x7F]) + POINT[1:] + PROOF,
    "an octet fewer": GOOD[:-1],
    "an octet more": GOOD + b"\0",
    "huge": GOOD * 300,
    "a response of zero": POINT + bytes(32) + PROOF[32:],
    "a response as large as the order": POINT + ORDER.to_bytes(32, "big") + PROOF[32:],
    "a challenge of zero": POINT + PROOF[:64] + bytes(32),
}


def stored(office: Office) -> object:
    pending, lasting = office.stores.pending, office.stores.lasting
    assert isinstance(pending, MemoryPending)
    assert isinstance(lasting, MemoryLasting)
    return {k: (v.sealed, v.thumbprints) for k, v in pending._tokens.items()}, lasting._content


@pytest.mark.attack("BBS-002", "BBS-004", "BBS-005", "BBS-007", "BBS-009", "BBS-010", "BBS-028")
@pytest.mark.parametrize("octets", COMMITMENTS.values(), ids=COMMITMENTS.keys())
def test_a_commitment_that_nobody_can_open_is_not_signed_and_not_kept(octets: bytes) -> None:
    office = offices.make()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    before = stored(office)
    with pytest.raises(ServiceError, match=f"^{Code.INVALID_PROOF.value}$"):
        office.issuer.credential(token, offices.bbs_body(octets))
    assert stored(office) == before
    resident.issue(token)
    assert resident.claims()["given_name"] == "Ada"


@pytest.mark.attack("BBS-028")
def test_a_commitment_that_was_overheard_serves_whoever_made_it_only() -> None:
    """The thief gets a credential over somebody else's secret, which only that one can complete."""
    office = offices.make()
    thief, enrolment = office.enrol_bbs()
    (credential,) = office.issuer.credential(
        office.issuer.token(offices.token_request(enrolment)), offices.bbs_body(GOOD)
    )
    thief.credential = credential
    thief.secret = jwp.request(random_bytes=cities.chance("thief"))[0]
    with pytest.raises(Exception, match="verify"):
        _ = thief.issued
    thief.secret = jwp.request(random_bytes=cities.chance("holder"))[0]
    assert thief.issued.payloads


@pytest.mark.attack("BBS-024")
def test_a_fault_while_signing_is_answered_unavailable_and_repeated_rightly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = offices.make()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    real = curve.secret()
    right = type(real).field

    def faulty(name: str, *operands: bytes) -> bytes:
        made = bytearray(right(real, name, *operands))  # type: ignore[arg-type]  # passed through
        made[-1] ^= name == "inverse"
        return bytes(made)

    with monkeypatch.context() as broken:
        broken.setattr(real, "field", faulty)
        with pytest.raises(ServiceError, match=f"^{Code.UNAVAILABLE.value}$"):
            office.issuer.credential(token, offices.bbs_body(GOOD))
    resident.issue(token)
    assert resident.claims()["resident"] is True
    twin = BbsResident(office=office)
    assert twin.issue(token) == resident.credential


@pytest.mark.attack("OID4VCI-023")
def test_a_bbs_offer_is_not_spent_on_the_other_configuration() -> None:
    office = offices.make()
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    body = {
        "credential_configuration_id": catalogue.CONFIGURATION,
        "proofs": {"bbs_commitment": [base64url.encode(GOOD)]},
    }
    with pytest.raises(ServiceError):
        office.issuer.credential(token, body)  # type: ignore[arg-type]
    resident.issue(token)
