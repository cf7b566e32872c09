"""What a verifier does, with fakes around it."""

import pytest

from crypto.encoding import base64url
from crypto.instant import UnixSeconds
from idservice.errors import Code, ServiceError
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model, protocol
from idservice.verifier.service import REQUESTS_PER_MINUTE
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.knowledge import FakeKnowledge
from tests.fakes.verifier_office import Office
from tests.fakes.verifier_store import MemoryStore

NONCE = "n-0S6_WzA2Mj"


@pytest.fixture(scope="module")
def city() -> cities.FakeCity:
    return cities.make()


@pytest.fixture
def office(city: cities.FakeCity) -> Office:
    return offices.make(city)


def refused(code: Code) -> pytest.RaisesExc[ServiceError]:
    return pytest.RaisesExc(ServiceError, check=lambda error: error.code is code)


def show(office: Office, **changes: object) -> str:
    arguments = {"nonce": NONCE, "audience": office.client_id, **changes}
    return offices.show(offices.credential(office.city), **arguments)  # type: ignore[arg-type]


def check(office: Office, presentation: str, **changes: str) -> model.Shown | model.Refused:
    arguments = {"nonce": NONCE, "audience": office.client_id, **changes}
    return office.service.check(office.policy, presentation, **arguments)


def test_good_presentation_is_accepted_with_the_listed_facts_only(office: Office) -> None:
    shown = show(office, facts=("resident", "given_name", "family_name", "birth_date"))
    assert check(office, shown) == model.Shown(
        policy="library-card",
        facts={"resident": True, "given_name": "Ada"},
        status_age_s=21600,
    )


def test_check_says_why_not(office: Office) -> None:
    assert check(office, show(office), nonce="other") == model.Refused(code="wrong_nonce")
    assert check(office, show(office), audience="x") == model.Refused(code="wrong_audience")
    assert check(office, "no presentation") == model.Refused(code="malformed")
    assert check(office, "a" * 70_000) == model.Refused(code="malformed")
    assert check(office, show(office, facts=("given_name",))) == model.Refused(code="policy")


@pytest.mark.threat("T53")
def test_what_was_made_for_another_verifier_is_refused_whatever_the_caller_says(
    office: Office,
) -> None:
    bar = office.city.verifiers["bar"].hash_client_id
    relayed = show(office, audience=bar)
    answer = model.Refused(code="wrong_audience")
    assert check(office, relayed) == check(office, relayed, audience=bar) == answer
    items = [model.Presented(office.policy, text, NONCE, bar) for text in (relayed, "a" * 70_000)]
    assert office.service.check_together(items) == [answer, answer]


def test_expired_and_withdrawn_look_the_same(office: Office) -> None:
    office.knowledge.learn(office.city, withdrawn=[77])
    withdrawn = check(office, show(office))
    office.knowledge.learn(office.city)
    office.clock.time = office.city.announced.exp + 100
    expired = check(office, show(office, now=office.clock.time))
    assert withdrawn == expired == model.Refused(code="not_valid")


def test_unknown_foreign_and_expired_policies_are_not_served(office: Office) -> None:
    for policy in ("nobody", "bank-account", ""):
        with refused(Code.UNKNOWN_POLICY):
            office.service.check(policy, "p", nonce="n", audience="a")
    assert [one.id for one in office.service.policies()] == ["library-card"]
    office.clock.time += 20 * 365 * 86_400
    assert office.service.policies() == ()
    with refused(Code.UNKNOWN_POLICY):
        office.service.check("library-card", "p", nonce="n", audience="a")


def test_nothing_is_checked_without_a_bundle(city: cities.FakeCity) -> None:
    office = offices.make(city, knowledge=FakeKnowledge(None))
    assert not office.service.ready()
    assert office.service.policies() == ()
    with refused(Code.UNAVAILABLE):
        check(office, "p")
    with refused(Code.UNAVAILABLE):
        office.start()


def test_api_keys_are_compared_with_hashes(office: Office) -> None:
    office.service.authorize(offices.API_KEY)
    office.service.authorize("another")
    for wrong in ("", "counter", "counter-1 ", "COUNTER-1"):
        with refused(Code.UNAUTHORIZED):
            office.service.authorize(wrong)


@pytest.mark.parametrize("mode", ResponseMode)
@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
def test_question_is_answered_and_collected_once(
    city: cities.FakeCity, mode: ResponseMode, prefix: str
) -> None:
    office = offices.make(city, prefix=prefix)
    started = office.start(mode=mode)
    assert office.service.collect(started.answer_secret, None) is None
    request = office.open_request(started)
    assert request.policy == "library-card"
    form = offices.answer(office, request, facts=("resident", "given_name"))
    assert office.service.respond(offices.identifier(started), form) is None
    assert office.service.collect(started.answer_secret, None) == {
        "result": "accepted",
        "policy": "library-card",
        "facts": {"resident": True, "given_name": "Ada"},
        "status_age_s": 21600,
    }
    with refused(Code.NOT_FOUND):
        office.service.collect(started.answer_secret, None)
    assert isinstance(office.store, MemoryStore)
    assert offices.rows(office.store) == ({}, {})


def test_an_answer_uses_the_question_up(office: Office) -> None:
    started = office.start()
    form = offices.answer(office, office.open_request(started))
    office.service.respond(offices.identifier(started), form)
    with refused(Code.INVALID_REQUEST):
        office.service.respond(offices.identifier(started), form)
    with refused(Code.NOT_FOUND):
        office.open_request(started)


def test_refused_presentation_is_told_to_the_creator_not_to_the_wallet(office: Office) -> None:
    started = office.start()
    form = offices.answer(office, office.open_request(started), facts=("given_name",))
    assert office.service.respond(offices.identifier(started), form) is None
    answer = office.service.collect(started.answer_secret, None)
    assert answer == {"result": "refused", "code": "policy"}


def test_declining_wallet_is_told_by_its_code(office: Office) -> None:
    started = office.start(mode=ResponseMode.DIRECT_POST_JWT)
    state = office.open_request(started).state or ""
    told = {"error": "access_denied", "error_description": "Ada", "state": state}
    office.service.respond(offices.identifier(started), told)
    answer = office.service.collect(started.answer_secret, None)
    assert answer == {"result": "declined", "code": "access_denied"}


def test_question_runs_out_after_five_minutes(office: Office) -> None:
    started = office.start()
    request = office.open_request(started)
    office.clock.time += model.REQUEST_LIFETIME - 1
    office.open_request(started)
    assert office.service.collect(started.answer_secret, None) is None
    office.clock.time += 1
    form = offices.answer(office, request)
    with refused(Code.INVALID_REQUEST):
        office.service.respond(offices.identifier(started), form)
    with refused(Code.NOT_FOUND):
        office.service.collect(started.answer_secret, None)


def test_answer_can_be_fetched_for_sixty_seconds(office: Office) -> None:
    for wait, there in ((model.ANSWER_LIFETIME - 1, True), (model.ANSWER_LIFETIME, False)):
        started = office.start()
        form = offices.answer(office, office.open_request(started))
        office.service.respond(offices.identifier(started), form)
        office.clock.time += wait
        if there:
            assert office.service.collect(started.answer_secret, None)
        else:
            with refused(Code.NOT_FOUND):
                office.service.collect(started.answer_secret, None)


def test_reaping_leaves_nothing_of_a_question_nobody_came_back_to(office: Office) -> None:
    assert isinstance(office.store, MemoryStore)
    first, second = office.start(), office.start()
    form = offices.answer(office, office.open_request(first))
    office.service.respond(offices.identifier(first), form)
    office.service.reap()
    assert len(office.store.answers) == 2
    office.clock.time += 120
    office.service.reap()
    assert len(office.store.answers) == len(office.store.requests) == 1
    assert office.service.collect(second.answer_secret, None) is None
    office.clock.time += 480
    office.service.reap()
    assert offices.rows(office.store) == ({}, {})


def test_on_one_device_the_answer_needs_the_response_code(office: Office) -> None:
    started = office.start(redirect_uri=offices.REDIRECT_URI)
    form = offices.answer(office, office.open_request(started))
    where = office.service.respond(offices.identifier(started), form)
    assert where is not None
    address, _, code = where.partition("#response_code=")
    assert address == offices.REDIRECT_URI
    assert len(base64url.decode(code)) == 32
    for wrong in (None, "", code[:-1], code + "A"):
        with refused(Code.UNAUTHORIZED):
            office.service.collect(started.answer_secret, wrong)
    answer = office.service.collect(started.answer_secret, code)
    assert answer is not None
    assert answer["result"] == "accepted"


def test_redirect_address_must_be_on_the_list(office: Office) -> None:
    for address in ("https://evil.example/done", offices.REDIRECT_URI + "/", ""):
        with refused(Code.POLICY_VIOLATION):
            office.start(redirect_uri=address)


def test_asking_under_a_policy_of_somebody_else_is_refused(office: Office) -> None:
    for policy, code in (
        ("bank-account", Code.POLICY_VIOLATION),
        ("nobody", Code.UNKNOWN_POLICY),
    ):
        ask = model.Ask(policy=policy, response_mode=ResponseMode.DIRECT_POST, redirect_uri=None)
        with refused(code):
            office.service.start(ask)
    assert isinstance(office.store, MemoryStore)
    assert offices.rows(office.store) == ({}, {})


def test_more_questions_than_a_minute_takes_are_refused_until_the_next(office: Office) -> None:
    for _ in range(REQUESTS_PER_MINUTE):
        office.start()
    with refused(Code.BUSY):
        office.start()
    office.clock.time += 60
    office.start()


def test_rows_tell_nothing_without_the_secrets(office: Office) -> None:
    started = office.start(mode=ResponseMode.DIRECT_POST_JWT)
    request = office.open_request(started)
    office.service.respond(offices.identifier(started), offices.answer(office, request))
    office.start()
    assert isinstance(office.store, MemoryStore)
    held = repr(offices.rows(office.store))
    for secret in (
        offices.identifier(started),
        started.answer_secret,
        request.nonce,
        request.state or "-",
        "library-card",
        "accepted",
    ):
        assert secret not in held
    for key in office.store.requests | office.store.answers:
        assert len(key) == 32


def test_policy_that_goes_out_of_force_meanwhile_refuses(city: cities.FakeCity) -> None:
    office = offices.make(city)
    started = office.start()
    request = office.open_request(started)
    payload = {**city.payload, "version": 8, "policies": []}
    office.knowledge.bundle = cities.trust.parse(
        city.sign_bundle(payload), root_fingerprint=None, at_least_version=None
    )
    with refused(Code.NOT_FOUND):
        office.open_request(started)
    office.service.respond(offices.identifier(started), offices.answer(office, request))
    answer = office.service.collect(started.answer_secret, None)
    assert answer == {"result": "refused", "code": "policy"}


def test_wallet_metadata_can_stop_a_request_and_not_move_it(office: Office) -> None:
    started = office.start()
    plain = office.service.request_object(
        offices.identifier(started), wallet_nonce=None, wallet_metadata=None
    )
    for metadata in (
        "{}",
        '{"jwks_uri":"http://169.254.169.254/keys"}',
        '{"authorization_encryption_alg_values_supported":["none"]}',
        '{"vp_formats_supported":{"dc+sd-jwt":{}},"client_id_prefixes_supported":["x509_hash"]}',
    ):
        assert plain == office.service.request_object(
            offices.identifier(started), wallet_nonce=None, wallet_metadata=metadata
        )
    for metadata in (
        "",
        "[]",
        "{" * 50,
        '{"a":1,"a":2}',
        '{"vp_formats_supported":{"mso_mdoc":{}}}',
        '{"vp_formats_supported":[]}',
        '{"request_object_signing_alg_values_supported":["none"]}',
        '{"client_id_prefixes_supported":["redirect_uri"]}',
        '{"response_types_supported":"vp_token"}',
        '{"x":"' + "a" * 20_000 + '"}',
        '{"x":"\udcff"}',
    ):
        with refused(Code.INVALID_REQUEST):
            office.service.request_object(
                offices.identifier(started), wallet_nonce=None, wallet_metadata=metadata
            )


def test_malformed_secrets_are_nothing(office: Office) -> None:
    for text in ("", "a", "=" * 43, "A" * 42 + "B", "A" * 43, "ä" * 43):
        with refused(Code.NOT_FOUND):
            office.service.collect(text, None)
        with refused(Code.NOT_FOUND):
            office.service.request_object(text, wallet_nonce=None, wallet_metadata=None)
        with refused(Code.INVALID_REQUEST):
            office.service.respond(text, {})


def test_row_under_another_key_does_not_open(office: Office) -> None:
    assert isinstance(office.store, MemoryStore)
    first, second = office.start(), office.start()
    keys = list(office.store.requests)
    office.store.requests[keys[0]], office.store.requests[keys[1]] = (
        office.store.requests[keys[1]],
        office.store.requests[keys[0]],
    )
    places = list(office.store.answers)
    office.store.answers[places[0]] = office.store.answers[places[1]]
    with refused(Code.NOT_FOUND):
        office.open_request(first)
    with refused(Code.NOT_FOUND):
        office.service.collect(first.answer_secret, None)
    assert office.service.collect(second.answer_secret, None) is None


def test_slots_are_reached_after_their_time_and_never_before() -> None:
    for time in range(1_800_000_000, 1_800_000_700, 7):
        expires = UnixSeconds(time)
        for slot, longest in (
            (protocol.request_slot(expires), 300),
            (protocol.answer_slot(expires), 60),
        ):
            assert protocol.present_slot(UnixSeconds(slot * 60 - 1)) < slot
            assert 0 <= slot * 60 - expires < longest


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "x509_hash:AAAA"},
        {"client_id": "x509_san_dns:bank.example"},
        {"client_id": "library.example"},
        {"base_url": "https://bank.example", "client_id": "x509_san_dns:library.example"},
        {"redirect_uris": frozenset({"http://library.example/done"})},
        {"redirect_uris": frozenset({"https://library.example/done#x"})},
        {"redirect_uris": frozenset({"javascript:alert(1)"})},
    ],
    ids=str,
)
def test_identity_that_wallets_would_refuse_cannot_be_made(
    city: cities.FakeCity, changes: dict[str, object]
) -> None:
    verifier = city.verifiers["library"]
    good: dict[str, object] = {
        "client_id": verifier.dns_client_id,
        "x5c": cities.x5c.decode(verifier.x5c),
        "base_url": "https://library.example",
        "policies": frozenset(),
        "redirect_uris": frozenset({offices.REDIRECT_URI, "http://localhost:1/x"}),
    }
    model.Identity(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\w"):
        model.Identity(**{**good, **changes})  # type: ignore[arg-type]
