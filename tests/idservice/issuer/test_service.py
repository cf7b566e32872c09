"""What the issuer does, with stores in memory and a clock set by hand."""

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk
from crypto.sdjwt import present, sd_jwt
from crypto.sealed import handle, offer
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import claims, model, schedule, service
from idservice.issuer.ports import Act
from idservice.period import Period
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.issuer_office import ADA, Office, Resident


@pytest.fixture
def office() -> Office:
    return offices.make()


def refused(code: Code) -> "pytest.RaisesExc[ServiceError]":
    return pytest.raises(ServiceError, match=f"^{code.value}$")


def test_resident_leaves_with_twenty_instances_of_everything_on_record(office: Office) -> None:
    resident, enrolment = office.enrol()
    credentials = resident.take(enrolment)
    assert len(credentials) == 20
    content = resident.claims()
    assert content["given_name"] == "Ada"
    assert content["age_over_18"] is True
    assert content["age_over_65"] is False
    assert content["portrait"] is None
    assert content["renewal_handle"] == base64url.encode(handle.handle(offices.slip_of(enrolment)))
    assert content["enrolled_until"] == "2032-01-01"
    assert content["cnf"] == {"jwk": jwk.public_jwk(p256("key 0").public_key())}


def test_instances_differ_in_index_salts_key_and_signature_only(office: Office) -> None:
    first, enrolment = office.enrol()
    first.take(enrolment)
    second, other = office.enrol({"resident": True})
    second.take(other, label="other")
    visible = []
    for credential in (*first.credentials, *second.credentials):
        parsed = sd_jwt.parse(credential)
        assert isinstance(parsed, sd_jwt.SdJwt)
        assert len(parsed.disclosures) == 19
        content: dict[str, Any] = json.loads(parsed.issuer.payload)
        assert len(content.pop("_sd")) == 15
        assert len(content.pop("address")["_sd"]) == 4
        assert "iat" not in content
        content.pop("cnf")
        content.pop("status")
        visible.append((parsed.issuer.header, content))
    assert all(each == visible[0] for each in visible)


@pytest.mark.attack("PRIV-005")
@pytest.mark.threat("T07")
def test_indices_are_random_and_nobody_shares_one(office: Office) -> None:
    people = []
    for number in range(5):
        resident, enrolment = office.enrol()
        resident.take(enrolment, label=f"person {number}")
        people.append(resident.indices())
    drawn = list(itertools.chain(*people))
    assert len(set(drawn)) == 100
    assert office.city.announced.status.size >= 1 << 17
    assert max(drawn) - min(drawn) > 1 << 16
    assert drawn != sorted(drawn)
    assert not any(b == a + 1 for own in people for a, b in itertools.pairwise(sorted(own)))


@pytest.mark.threat("T56")
def test_code_gives_one_token(office: Office) -> None:
    _, enrolment = office.enrol()
    request = offices.token_request(enrolment)
    office.issuer.token(request)
    with refused(Code.INVALID_GRANT):
        office.issuer.token(request)


def test_unknown_code_is_refused(office: Office) -> None:
    _, enrolment = office.enrol()
    request = replace(offices.token_request(enrolment), code=offer.Secret(bytes(32)))
    with refused(Code.INVALID_GRANT):
        office.issuer.token(request)


@pytest.mark.threat("T56")
def test_five_wrong_transaction_codes_burn_the_offer(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    wrong = f"{(int(enrolment.transaction_code) + 1) % 10**6:06}"
    for _ in range(5):
        with refused(Code.INVALID_GRANT):
            office.issuer.token(replace(right, transaction_code=wrong))
    with refused(Code.INVALID_GRANT):
        office.issuer.token(right)


@pytest.mark.threat("T56")
def test_missing_transaction_code_counts_as_a_try(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    for _ in range(4):
        with refused(Code.INVALID_REQUEST):
            office.issuer.token(replace(right, transaction_code=None))
    office.issuer.token(right)


def test_offer_is_gone_after_fifteen_minutes(office: Office) -> None:
    _, enrolment = office.enrol()
    office.clock.forward(900)
    with refused(Code.INVALID_GRANT):
        office.issuer.token(offices.token_request(enrolment))


def test_offer_lives_for_ten_minutes_at_least(office: Office) -> None:
    for shift in (0, 1, 150, 299):
        office.clock.time = type(office.clock.time)(office.city.now + shift)
        _, enrolment = office.enrol()
        office.clock.forward(599)
        office.issuer.token(offices.token_request(enrolment))


def test_token_is_gone_after_fifteen_minutes(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    office.clock.forward(900)
    with refused(Code.INVALID_TOKEN):
        resident.issue(token)


def test_tokens_per_minute_are_capped_for_codes_that_exist_only() -> None:
    office = offices.make(tokens_per_minute=2)
    enrolments = [office.enrol()[1] for _ in range(3)]
    unknown = replace(offices.token_request(enrolments[0]), code=offer.Secret(bytes(32)))
    for _ in range(5):
        with refused(Code.INVALID_GRANT):
            office.issuer.token(unknown)
    for enrolment in enrolments[:2]:
        office.issuer.token(offices.token_request(enrolment))
    with refused(Code.BUSY):
        office.issuer.token(offices.token_request(enrolments[2]))
    office.clock.forward(60)
    office.issuer.token(offices.token_request(enrolments[2]))


def test_one_instance_may_be_asked_for_instead_of_twenty(office: Office) -> None:
    resident, enrolment = office.enrol()
    assert len(resident.take(enrolment, count=1)) == 1


@pytest.mark.parametrize("count", [0, 2, 19, 21])
def test_any_other_count_is_refused_and_consumes_nothing(office: Office, count: int) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    with refused(Code.INVALID_PROOF):
        resident.issue(token, count=count)
    assert len(resident.issue(token)) == 20


@pytest.mark.threat("T67")
def test_retry_with_the_same_keys_is_answered_and_ends_the_first_instances(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    first = resident.issue(token) and resident.indices()
    second = resident.issue(token) and resident.indices()
    third = resident.issue(token) and resident.indices()
    assert not set(first) & set(second)
    assert office.withdrawn() == tuple(sorted({*first, *second}))
    office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == tuple(sorted({*first, *second, *third}))


@pytest.mark.threat("T67")
def test_retry_with_other_keys_or_another_order_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    resident.issue(token)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, label="other")
    keys = [p256(f"key {number}") for number in reversed(range(20))]
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        office.issuer.credential(token, offices.credential_body(office, keys))
    assert office.withdrawn() == ()


def test_retries_end_before_they_use_up_the_period(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    for _ in range(model.ATTEMPTS):
        resident.issue(token, count=1)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, count=1)


@pytest.mark.threat("T55")
def test_withdrawn_slip_bars_pending_offer_pending_token_and_renewal(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    renewal = resident.renew()
    token = office.issuer.token(
        offices.protocol.TokenRequest(code=offices.code_of(renewal), transaction_code=None)
    )
    another = resident.renew()
    office.issuer.withdraw(offices.slip_of(enrolment))
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, label="after")
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        Resident(office=office).take_renewal(another, label="after")
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        Resident(
            office=office,
            keys=[p256(f"key {number}") for number in range(20)],
            credentials=resident.credentials,
        ).renew()


def test_offer_that_was_never_picked_up_can_be_withdrawn(office: Office) -> None:
    resident, enrolment = office.enrol()
    office.issuer.withdraw(offices.slip_of(enrolment))
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.take(enrolment)


@pytest.mark.threat("T24")
def test_unknown_slip_writes_nothing(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.issuer.withdraw(handle.new_slip(random_bytes=offices.cities.chance("stranger")))
    assert office.withdrawn() == ()
    assert [act for _, act, _ in office.stores.lasting.counts()] == [Act.ISSUED]


def test_withdrawing_twice_is_the_same_as_once(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.issuer.withdraw(offices.slip_of(enrolment))
    once = office.withdrawn()
    office.issuer.withdraw(offices.slip_of(enrolment))
    assert office.withdrawn() == once == tuple(sorted(resident.indices()))
    assert {act: n for _, act, n in office.stores.lasting.counts()}[Act.WITHDRAWN] == 1


def test_renewal_serves_the_next_period_in_the_last_three_days(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    begun = period.not_before(office.city.period)
    office.clock.time = type(begun)(begun + 25 * period.DAY - 1)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()
    office.clock.forward(1)
    renewal = resident.renew()
    grants = renewal["grants"]
    assert isinstance(grants, dict)
    assert "tx_code" not in str(grants)
    resident.take_renewal(renewal, label="next")
    content = resident.claims()
    assert content["nbf"] == period.not_before(Period(office.city.period + 1))
    assert content["given_name"] == "Ada"


def test_second_renewal_in_one_period_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    old = Resident(office=office, keys=resident.keys, credentials=resident.credentials)
    first, second = resident.renew(), resident.renew()
    resident.take_renewal(first, label="next")
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        Resident(office=office).take_renewal(second, label="again")
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        old.renew()


def test_renewal_in_the_grace_week_serves_the_present_period(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    begun = period.not_before(Period(office.city.period + 1))
    office.clock.time = type(begun)(begun + 6 * period.DAY)
    office.schedule.tick()
    resident.take_renewal(resident.renew(), label="next")
    assert resident.claims()["nbf"] == begun


def test_expired_instance_renews_nothing(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.clock.time = period.expires(office.city.period)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()


@pytest.mark.parametrize(("until", "renewed"), [("2027-01-01", False), ("2027-02-01", True)])
@pytest.mark.threat("T50")
def test_renewal_ends_with_the_enrolment(office: Office, until: str, *, renewed: bool) -> None:
    record = {**offices.cities.RESIDENT, "enrolled_until": until}
    shown = office.city.issue(record, p256("key 0").public_key(), 1)
    holder = Resident(office=office, keys=[p256("key 0")], credentials=[shown])
    if renewed:
        holder.renew()
    else:
        with refused(Code.CREDENTIAL_REQUEST_DENIED):
            holder.renew()


def test_renewal_recomputes_ages_from_the_birth_date() -> None:
    office = offices.make()
    eighteen = period.day(period.not_before(Period(office.city.period + 1)))
    birth = eighteen.replace(year=eighteen.year - 18)
    resident, enrolment = office.enrol({**ADA, "birth_date": birth.isoformat()})
    resident.take(enrolment)
    assert resident.claims()["age_over_18"] is False
    office.late()
    resident.take_renewal(resident.renew(), label="next")
    assert resident.claims()["age_over_18"] is True


def test_renewal_with_something_held_back_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    whole = resident.credentials[-1]
    parsed = sd_jwt.parse(whole)
    assert isinstance(parsed, sd_jwt.SdJwt)
    paths = present.disclosable(parsed)
    for missing in paths:
        resident.credentials[-1] = present.present(
            parsed, paths=[path for path in paths if path != missing]
        )
        with refused(Code.CREDENTIAL_REQUEST_DENIED):
            resident.renew()
    resident.credentials[-1] = whole
    resident.renew()


def test_superseded_instance_renews_nothing(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    first = list(resident.issue(token))
    second = list(resident.issue(token))
    office.late()
    resident.credentials = first
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()
    resident.credentials = second
    resident.renew()


def test_renewal_without_key_binding_for_another_or_with_a_foreign_nonce_is_refused(
    office: Office,
) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        office.issuer.renew(resident.credentials[-1])
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        office.issuer.renew(resident.present(audience="https://elsewhere.example"))
    with refused(Code.INVALID_NONCE):
        office.issuer.renew(resident.present(nonce="bm9uY2U"))
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        office.issuer.renew("not a presentation")
    stranger = Resident(office=office, keys=[p256("stranger")])
    stranger.credentials = resident.credentials[-1:]
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        stranger.renew()


@pytest.mark.threat("T55")
def test_thief_renews_over_three_periods_and_the_slip_ends_it_all(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    generations: list[tuple[Period, list[int]]] = [(office.city.period, resident.indices())]
    thief = Resident(office=office, keys=resident.keys, credentials=resident.credentials)
    for number in range(2):
        target = Period(office.city.period + number + 1)
        office.clock.time = type(office.clock.time)(period.not_before(target) - period.DAY)
        office.schedule.tick()
        thief.take_renewal(thief.renew(), label=f"thief {number}")
        generations.append((target, thief.indices()))
    last = period.not_before(Period(office.city.period + 2))
    office.clock.time = type(last)(last + period.DAY)
    office.schedule.tick()
    office.issuer.withdraw(offices.slip_of(enrolment))
    office.clock.forward(period.DAY)
    office.schedule.tick()
    for number, indices in generations[1:]:
        assert office.withdrawn(number) == tuple(sorted(indices))
    assert period.expires(generations[0][0]) < office.clock.now()
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        thief.renew()


def test_period_whose_key_is_not_here_is_unavailable_and_consumes_nothing() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    keys = offices.CityKeys(office.city)
    keys._keys.clear()
    without = offices.Issuer(
        office.stores, keys=keys, nonce_key=offices.NONCE_KEY, tokens_per_minute=10
    )
    body = offices.credential_body(office, [p256("key")])
    with refused(Code.UNAVAILABLE):
        without.credential(token, body)
    assert len(resident.issue(token)) == 20


@pytest.mark.attack("PRIV-009")
@pytest.mark.threat("T49")
def test_counts_below_ten_are_never_shown(office: Office) -> None:
    for number in range(10):
        resident, enrolment = office.enrol({"resident": True})
        resident.take(enrolment, count=1, label=f"person {number}")
        shown = schedule.shown_counts(office.stores.lasting)
        assert list(shown.values()) == [10 if number == 9 else None]


def test_enrolment_tells_its_secrets_to_nobody_who_prints_it(office: Office) -> None:
    _, enrolment = office.enrol()
    assert repr(enrolment) == "Enrolment()"
    person = claims.from_record(ADA, today=period.day(office.clock.now()))
    assert "Ada" not in repr(person)


def test_offer_by_reference_is_recomputed(office: Office) -> None:
    _, enrolment = office.enrol()
    link = enrolment.offer_by_reference
    text = link.rsplit("%2F", 1)[1]
    reference = offer.Reference(base64url.decode(text))
    content: JsonObject = service.recompute_offer(
        office.city.issuer, reference, configuration=catalogue.CONFIGURATION
    )
    assert content == offices.offered(enrolment)
    assert content["credential_configuration_ids"] == [catalogue.CONFIGURATION]
