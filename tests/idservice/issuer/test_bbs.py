"""BBS credentials: issued once over a commitment, the same again on retry, renewed, withdrawn."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.bbs import jwp, signature
from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.instant import UnixSeconds
from crypto.jose import web_proof
from crypto.sealed import handle, offer
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import claims, metadata, protocol
from idservice.issuer.model import BbsIssuingKey
from idservice.issuer.ports import Act
from idservice.period import Period
from idservice.verification import showing
from tests.fakes import city as cities
from tests.fakes import issuer_office as offices
from tests.fakes.issuer_office import ADA, BbsResident, CityKeys, Office
from tests.fakes.issuer_stores import MemoryLasting, MemoryPending

JPEG = b"\xff\xd8\xff" + bytes(range(200)) + b"\xff\xd9"
WITH_PORTRAIT: JsonObject = {**ADA, "portrait": claims.portrait_claim(JPEG)}


@pytest.fixture
def office() -> Office:
    return offices.make()


def refused(code: Code) -> "pytest.RaisesExc[ServiceError]":
    return pytest.raises(ServiceError, match=f"^{code.value}$")


def stored(office: Office) -> object:
    """Everything in both stores."""
    pending, lasting = office.stores.pending, office.stores.lasting
    assert isinstance(pending, MemoryPending)
    assert isinstance(lasting, MemoryLasting)
    tokens = {key: (row.sealed, row.thumbprints) for key, row in pending._tokens.items()}
    return tokens, lasting._content.copy()


def test_resident_leaves_with_one_credential_of_everything_on_record(office: Office) -> None:
    resident, enrolment = office.enrol_bbs(WITH_PORTRAIT)
    offered = offices.offered(enrolment)
    assert offered["credential_configuration_ids"] == [catalogue.BBS_CONFIGURATION]
    resident.take(enrolment)
    assert resident.issued.header == office.city.announced_bbs.header
    content = resident.claims()
    assert content["given_name"] == "Ada"
    assert (content["age_over_18"], content["age_over_65"], content["gender"]) == (
        True,
        False,
        None,
    )
    assert content["portrait"] == WITH_PORTRAIT["portrait"]
    assert content["address"] == {
        "care_of": None,
        **dict(ADA["address"]),  # type: ignore[arg-type]
    }
    assert content["renewal_handle"] == base64url.encode(handle.handle(offices.slip_of(enrolment)))
    assert content["enrolled_until"] == "2032-01-01"
    assert office.stores.lasting.statuses(office.city.period, catalogue.BBS_CONFIGURATION) is None


@pytest.mark.threat("T08")
def test_every_slot_is_signed_whoever_it_is(office: Office) -> None:
    """Header, number of slots and lengths of proof values are the same; absent is `null`."""
    shapes = []
    for number, record in enumerate((WITH_PORTRAIT, {"resident": True})):
        resident, enrolment = office.enrol_bbs(record)
        resident.take(enrolment, label=f"holder {number}")
        parsed = web_proof.parse(resident.credential, headers=web_proof.ISSUED)
        shapes.append((parsed.headers, [*parsed.payloads], [len(v) for v in parsed.values]))
        absent = [payload == jwp.ABSENT for payload in parsed.payloads.values()]
    assert shapes[0] == shapes[1]
    assert len(shapes[0][1]) == len(catalogue.BBS_SLOTS)
    assert absent.count(False) == 3  # resident, renewal_handle, enrolled_until


def test_a_portrait_is_salted_with_octets_of_its_own(office: Office) -> None:
    payloads = []
    for label in ("one", "two"):
        resident, enrolment = office.enrol_bbs(WITH_PORTRAIT)
        resident.take(enrolment, label=label)
        (slot,) = resident.announced.hashed
        payloads.append(resident.issued.payloads[slot])
    assert [payload[32:] for payload in payloads] == [JPEG, JPEG]
    assert payloads[0][:32] != payloads[1][:32]


def test_retry_is_answered_octet_by_octet_and_records_nothing(office: Office) -> None:
    resident, enrolment = office.enrol_bbs(WITH_PORTRAIT)
    token = office.issuer.token(offices.token_request(enrolment))
    first = resident.issue(token)
    before = stored(office)
    for _ in range(12):
        assert resident.issue(token) == first
    assert stored(office) == before
    assert [(act, number) for _, act, number in office.stores.lasting.counts()] == [(Act.ISSUED, 1)]


def test_retry_after_midnight_says_the_ages_of_the_day_before() -> None:
    midnight = UnixSeconds(cities.NOW - cities.NOW % period.DAY + period.DAY)
    office = offices.make(now=UnixSeconds(midnight - 60))
    tomorrow = period.day(midnight)
    born = tomorrow.replace(year=tomorrow.year - 18).isoformat()
    resident, enrolment = office.enrol_bbs({"resident": True, "birth_date": born})
    token = office.issuer.token(offices.token_request(enrolment))
    first = resident.issue(token)
    office.clock.forward(120)
    assert resident.issue(token) == first
    assert resident.claims()["age_over_18"] is False


def test_entropy_and_salt_follow_from_the_token_alone() -> None:
    token = offer.Secret(bytes(32))
    values = {offer.derive(token, info=info) for info in (b"one", b"other")}
    assert len(values | {offer.derive(offer.Secret(bytes([1]) * 32), info=b"one")}) == 3
    for taken in (b"code", b"seal"):
        with pytest.raises(ValueError, match="two purposes"):
            offer.derive(token, info=taken)


def test_another_commitment_with_the_same_token_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    first = resident.issue(token)
    before = stored(office)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token, label="somebody else")
    assert stored(office) == before
    assert resident.issue(token) == first


def test_token_of_one_configuration_does_not_serve_the_other(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    _, commitment = jwp.request(random_bytes=cities.chance("x"))
    with refused(Code.INVALID_CREDENTIAL_REQUEST):
        office.issuer.credential(token, offices.bbs_body(commitment))
    resident.issue(token, count=1)
    bbs, other = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(other))
    with refused(Code.INVALID_CREDENTIAL_REQUEST):
        resident.issue(token, count=1, label="second")
    bbs.issue(token)


def _proofs(value: JsonValue) -> Callable[[str], JsonObject]:
    return lambda _good: {"proofs": value}


BODIES: dict[str, Callable[[str], JsonObject]] = {
    "no proofs": lambda _good: {},
    "null": _proofs(None),
    "an empty object": _proofs({}),
    "a proof of the other format": _proofs({"jwt": ["a.b.c"]}),
    "both proof types": lambda good: {"proofs": {"bbs_commitment": [good], "jwt": ["a.b.c"]}},
    "a text": lambda good: {"proofs": {"bbs_commitment": good}},
    "none": _proofs({"bbs_commitment": []}),
    "two": lambda good: {"proofs": {"bbs_commitment": [good, good]}},
    "twenty": lambda good: {"proofs": {"bbs_commitment": [good] * 20}},
    "a number": _proofs({"bbs_commitment": [7]}),
    "an object": lambda good: {"proofs": {"bbs_commitment": [{"commitment": good}]}},
    "padded base64": lambda good: {"proofs": {"bbs_commitment": [good + "="]}},
}


@pytest.mark.attack("OID4VCI-015")
@pytest.mark.parametrize("name", BODIES)
def test_request_without_exactly_one_commitment_is_refused(name: str, office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    _, commitment = jwp.request(random_bytes=cities.chance("holder"))
    good = offices.bbs_body(commitment)
    body = {**good, "proofs": None, **BODIES[name](base64url.encode(commitment))}
    before = stored(office)
    with refused(Code.INVALID_PROOF):
        office.issuer.credential(token, body)
    assert stored(office) == before
    resident.issue(token)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"credential_configuration_id": "resident_mdoc"}, Code.UNKNOWN_CREDENTIAL_CONFIGURATION),
        ({"credential_configuration_id": 1}, Code.INVALID_CREDENTIAL_REQUEST),
        ({"credential_identifier": "x"}, Code.INVALID_CREDENTIAL_REQUEST),
        ({"credential_response_encryption": {}}, Code.INVALID_ENCRYPTION_PARAMETERS),
    ],
)
def test_other_requests_get_the_code_that_openid4vci_names(
    change: JsonObject, code: Code, office: Office
) -> None:
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    _, commitment = jwp.request(random_bytes=cities.chance("holder"))
    with refused(code):
        office.issuer.credential(token, {**offices.bbs_body(commitment), **change})
    resident.issue(token)


def test_period_whose_key_is_not_here_is_unavailable_and_consumes_nothing(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    keys = office.issuer._keys
    assert isinstance(keys, CityKeys)
    lent, keys._bbs_keys = keys._bbs_keys, {}
    before = stored(office)
    with refused(Code.UNAVAILABLE):
        resident.issue(token)
    assert stored(office) == before
    keys._bbs_keys = lent
    resident.issue(token)


def test_a_key_of_another_is_never_signed_with(office: Office) -> None:
    """The signature is verified under the announced key before it is handed out."""
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    keys = office.issuer._keys
    assert isinstance(keys, CityKeys)
    where = catalogue.BBS_CONFIGURATION, office.city.period
    good = keys._bbs_keys[where]
    wrong = replace(good.secret_key, scalar=cities.bbs_key("stranger").scalar)
    keys._bbs_keys[where] = replace(good, secret_key=wrong)
    with refused(Code.UNAVAILABLE):
        resident.issue(token)
    keys._bbs_keys[where] = good
    resident.issue(token)


def test_a_second_offer_for_a_period_that_was_issued_issues_nothing(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.late()
    first, second = resident.renew(), resident.renew()
    resident.take_renewal(first, label="first")
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.take_renewal(second, label="second")


def test_both_configurations_are_two_enrolments_that_do_not_hinder_each_other(
    office: Office,
) -> None:
    plain, enrolment = office.enrol()
    bbs, other = office.enrol_bbs()
    plain.take(enrolment)
    bbs.take(other)
    assert plain.claims()["renewal_handle"] != bbs.claims()["renewal_handle"]
    office.issuer.withdraw(offices.slip_of(other))
    assert office.withdrawn() == ()
    plain.take_renewal(office.late() or plain.renew(), label="next")


def test_renewal_serves_the_next_period_in_the_last_three_days(office: Office) -> None:
    resident, enrolment = office.enrol_bbs(WITH_PORTRAIT)
    resident.take(enrolment)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()
    office.clock.time = UnixSeconds(period.not_before(Period(office.city.period + 1)))
    office.clock.forward(-3 * period.DAY - 1)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()
    office.clock.forward(1)
    before = resident.claims()
    content = resident.renew()
    assert content["credential_configuration_ids"] == [catalogue.BBS_CONFIGURATION]
    assert "tx_code" not in str(content)
    resident.take_renewal(content, label="next")
    assert resident.announced.period == office.city.period + 1
    assert resident.claims() == before
    acts = [(act, number) for _, act, number in office.stores.lasting.counts()]
    assert acts == [(Act.ISSUED, 1), (Act.RENEWED, 1)]
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()


@pytest.mark.parametrize(
    ("after", "renewed"), [(0, True), (period.DAY - 1, True), (period.DAY, False)]
)
def test_a_day_after_its_period_a_credential_renews_nothing(
    office: Office, *, after: int, renewed: bool
) -> None:
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.clock.time = UnixSeconds(period.not_before(Period(office.city.period + 1)) + after)
    if renewed:
        resident.take_renewal(resident.renew(), label="next")
        assert resident.announced.period == office.city.period + 1
    else:
        with refused(Code.CREDENTIAL_REQUEST_DENIED):
            resident.renew()


def test_ages_are_computed_anew_at_renewal(office: Office) -> None:
    born = period.day(office.clock.now()).replace(year=2009, day=20).isoformat()
    resident, enrolment = office.enrol_bbs({"resident": True, "birth_date": born})
    resident.take(enrolment)
    assert resident.claims()["age_over_18"] is False
    office.late()
    resident.take_renewal(resident.renew(), label="next")
    assert resident.claims()["age_over_18"] is True


SHOWINGS: dict[str, Callable[[BbsResident], str]] = {
    "for another audience": lambda r: r.present(audience="https://elsewhere.example"),
    "for a policy": lambda r: r.present(asked="library-card"),
    **{
        f"without {name}": lambda r, name=name: r.present(hidden=[name])  # type: ignore[misc]
        for name in ("renewal_handle", "enrolled_until", "portrait", "address.care_of")
    },
    "of nothing": lambda r: r.present(hidden=catalogue.BBS_SLOTS),
    "with a pseudonym": lambda r: with_pseudonym(r, label="x"),
    "with its last octet changed": lambda r: changed(r.present()),
    "the credential itself": lambda r: r.credential,
}


def with_pseudonym(resident: BbsResident, *, label: str) -> str:
    nonce = resident.office.issuer.nonce()
    context = showing.nym_context(
        label=label, city=resident.office.city.issuer, policy="renewal", period=Period(13)
    )
    announced = resident.announced
    return jwp.present(
        resident.issued,
        disclosed=range(len(announced.slots)),
        presentation_header=showing.presentation_header(
            audience=resident.office.city.issuer,
            nonce=nonce,
            request_hash=showing.direct_request_hash(nonce=nonce, policy=showing.RENEWAL),
            nym_context=context,
        ),
        nym_context=context,
        public_key=signature.load_public_key(announced.public_key),
        hashed=announced.hashed,
        random_bytes=cities.chance("pseudonym"),
    )


def changed(text: str) -> str:
    return text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]


@pytest.mark.parametrize("name", SHOWINGS)
def test_renewal_takes_a_showing_of_everything_to_the_issuer_and_no_other(
    name: str, office: Office
) -> None:
    resident, enrolment = office.enrol_bbs(WITH_PORTRAIT)
    resident.take(enrolment)
    office.late()
    before = stored(office)
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        office.issuer.renew(SHOWINGS[name](resident))
    assert stored(office) == before
    resident.take_renewal(resident.renew(), label="next")


def test_renewal_wants_a_nonce_of_ours(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.late()
    with refused(Code.INVALID_NONCE):
        office.issuer.renew(resident.present(nonce="n" * 60))
    old = office.issuer.nonce()
    office.clock.forward(protocol.NONCE_LIFETIME)
    with refused(Code.INVALID_NONCE):
        office.issuer.renew(resident.present(nonce=old))


def test_renewal_ends_with_the_enrolment(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    key = office.city.bbs_keys[office.city.period]
    ended = office.city.issue_bbs(
        {**cities.RESIDENT, "enrolled_until": "2027-01-01"}, resident.commitment, key=key
    )
    resident.credential = ended
    office.late()
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.renew()


@pytest.mark.threat("T71")
def test_a_withdrawn_slip_renews_nothing_and_issues_nothing(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    resident.take(enrolment)
    office.late()
    pending = resident.renew()
    office.issuer.withdraw(offices.slip_of(enrolment))
    for act in (
        resident.renew,
        lambda: resident.take_renewal(pending, label="next"),
    ):
        with refused(Code.CREDENTIAL_REQUEST_DENIED):
            act()
    acts = {act: number for _, act, number in office.stores.lasting.counts()}
    assert acts == {Act.ISSUED: 1, Act.WITHDRAWN: 1}


def test_a_slip_withdraws_what_a_lost_answer_would_be_repeated_of(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    token = office.issuer.token(offices.token_request(enrolment))
    resident.issue(token)
    office.issuer.withdraw(offices.slip_of(enrolment))
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.issue(token)


def test_a_slip_withdraws_an_offer_that_nobody_took(office: Office) -> None:
    resident, enrolment = office.enrol_bbs()
    office.issuer.withdraw(offices.slip_of(enrolment))
    with refused(Code.CREDENTIAL_REQUEST_DENIED):
        resident.take(enrolment)


def test_keys_know_each_period_and_no_other_configuration(office: Office) -> None:
    keys = CityKeys(office.city)
    found = keys.issuing_bbs(office.city.period, catalogue.BBS_CONFIGURATION)
    assert isinstance(found, BbsIssuingKey)
    assert found.announced == office.city.announced_bbs
    assert "scalar" not in repr(found)
    assert keys.issuing_bbs(Period(99), catalogue.BBS_CONFIGURATION) is None
    assert keys.issuing(office.city.period, catalogue.BBS_CONFIGURATION) is None


def test_metadata_says_how_a_bbs_credential_is_asked_for() -> None:
    city = metadata.City(issuer=cities.ISSUER, name="Exampleton", languages=("en",))
    content = metadata.credential_issuer(city)
    configuration = content["credential_configurations_supported"]
    assert isinstance(configuration, dict)
    told = configuration[catalogue.BBS_CONFIGURATION]
    assert isinstance(told, dict)
    assert told["format"] == "jwp+bbs"
    assert told["proof_types_supported"] == {
        "bbs_commitment": {"proof_signing_alg_values_supported": [jwp.ALG]}
    }
    assert told["credential_signing_alg_values_supported"] == [jwp.ALG]
    plain = configuration[catalogue.CONFIGURATION]
    assert isinstance(plain, dict)
    assert told["credential_metadata"] == plain["credential_metadata"]
