"""T17, T40, T45, T48, T50: what no setting and no signature can change."""

from datetime import date

import pytest

from crypto.encoding import canonical_json
from crypto.errors import Malformed, Refused
from idservice import catalogue, period
from idservice.issuer import claims
from idservice.issuer.model import YEARS
from idservice.verification import policy
from tests.fakes import city

TODAY = date(2027, 1, 15)


@pytest.fixture(scope="module")
def allowed():
    return policy.write(city.make().verifiers["library"].policy)


@pytest.mark.threat("T45")
@pytest.mark.parametrize("member", ["channel", "price", "discount", "priority", "digital_only"])
def test_a_policy_has_no_place_for_a_channel_a_price_or_a_speed(allowed, member: str) -> None:
    policy.parse(allowed)
    with pytest.raises((Malformed, Refused)):
        policy.parse({**allowed, member: "phone"})


@pytest.mark.threat("T40")
@pytest.mark.parametrize(
    "purpose",
    ["immigration_enforcement", "advertising", "hiring", "login", "payment", "stored_value"],
)
def test_a_barred_purpose_is_refused_whoever_signed_it(allowed, purpose: str) -> None:
    assert purpose in catalogue.BARRED_PURPOSES
    assert purpose not in {each.value for each in catalogue.Purpose}
    with pytest.raises(Refused):
        policy.parse({**allowed, "purpose": purpose})


@pytest.mark.threat("T11")
@pytest.mark.parametrize("claim", catalogue.ISSUER_ONLY)
@pytest.mark.parametrize("place", ["required", "optional"])
def test_no_policy_may_list_what_is_for_the_issuer(allowed, claim: str, place: str) -> None:
    with pytest.raises(Refused):
        policy.parse({**allowed, place: [*allowed[place], claim]})


@pytest.mark.threat("T17")
def test_one_age_threshold_at_most(allowed) -> None:
    purpose = {**allowed, "purpose": "age_check", "optional": []}
    policy.parse({**purpose, "required": ["age_over_18"]})
    with pytest.raises(Refused):
        policy.parse({**purpose, "required": ["age_over_18"], "optional": ["age_over_21"]})


@pytest.mark.threat("T48")
@pytest.mark.parametrize(
    "member",
    [
        "immigration_status",
        "nationality",
        "birthplace",
        "social_security_number",
        "tax_number",
        "document_number",
        "face_template",
        "religion",
    ],
)
def test_what_is_never_asked_is_refused_and_not_repeated(member: str) -> None:
    record = {"resident": True, "given_name": "Ada"}
    claims.parse(canonical_json.serialize(record), today=TODAY)
    with pytest.raises(Malformed) as refused:
        claims.parse(canonical_json.serialize({**record, member: "Zanzibar77"}), today=TODAY)
    assert "Zanzibar77" not in str(refused.value)
    assert member not in str(refused.value)


@pytest.mark.threat("T48")
def test_the_catalogue_is_what_was_agreed() -> None:
    """A claim or purpose that is added must be added here too, by somebody who means it."""
    assert set(catalogue.CLAIMS) == {
        "given_name",
        "family_name",
        "birth_date",
        "age_over_13",
        "age_over_16",
        "age_over_18",
        "age_over_21",
        "age_over_62",
        "age_over_65",
        "resident",
        "locality",
        "portrait",
        "gender",
        "address.care_of",
        "address.street_address",
        "address.postal_code",
        "address.locality",
        "renewal_handle",
        "enrolled_until",
    }
    assert {each.value for each in catalogue.Purpose} == {
        "resident_service",
        "library_membership",
        "age_check",
        "account_opening",
        "clinic_registration",
        "school_enrolment",
        "identity_check",
    }


@pytest.mark.threat("T50")
def test_a_credential_ends_five_weeks_after_its_period_began() -> None:
    number = period.of(city.NOW)
    assert period.expires(number) - period.not_before(number) == 35 * period.DAY
    assert YEARS <= 5
