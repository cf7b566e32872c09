"""What a verifier does where BBS is asked for: one format a question, bound to what was served."""

import threading

import pytest

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.verification import openid4vp, openid4vp_answer
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model
from tests.fakes import bbs_city
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import Office
from tests.fakes.verifier_store import MemoryStore

NONCE = "n-0S6_WzA2Mj"
BBS, SD_JWT = catalogue.BBS_FORMAT, catalogue.FORMAT


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return bbs_city.make(library_card={"pseudonym": "member"})


@pytest.fixture
def office(city: FakeCity) -> Office:
    return offices.make(city)


def refused(code: Code) -> pytest.RaisesExc[ServiceError]:
    return pytest.RaisesExc(ServiceError, check=lambda error: error.code is code)


def serve(office: Office, started: model.Started, *, wallet_nonce: str | None = None) -> str:
    return office.service.request_object(
        offices.identifier(started), wallet_nonce=wallet_nonce, wallet_metadata=None
    )


def read(office: Office, token: str, *, wallet_nonce: str | None = None) -> openid4vp.Request:
    return openid4vp.authenticate(
        token,
        invitation=openid4vp.Invitation(
            client_id=office.client_id, request_uri="https://library.example/r", post=True
        ),
        wallet_nonce=wallet_nonce,
        root=office.city.root.certificate,
        now=office.clock.now(),
    )


def show(
    request: openid4vp.Request,
    token: str | None,
    *names: str,
    nym_context: bytes | None = None,
    **changes: str,
) -> str:
    """Answer a request object, or where there is none only its nonce and policy."""
    header = bbs_city.question(
        **{"audience": request.client_id, "nonce": request.nonce, **changes},  # type: ignore[arg-type]
        request_object=token,
        nym_context=nym_context,
    )
    return bbs_city.show(*(names or ("resident",)), header=header, nym_context=nym_context)


def respond(
    office: Office, started: model.Started, request: openid4vp.Request, shown: str
) -> JsonObject | None:
    """Post an answer, and fetch what became of it."""
    form = openid4vp_answer.write_answer(request, shown, random_bytes=cities.chance("wallet"))
    office.service.respond(offices.identifier(started), form)
    return office.service.collect(started.answer_secret, None)


def accepted(**facts: JsonValue) -> JsonObject:
    return {
        "result": "accepted",
        "policy": "library-card",
        "facts": {"resident": True, **facts},
        "status_age_s": None,
    }


@pytest.mark.parametrize("mode", ResponseMode)
@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
def test_a_question_is_answered_and_collected_once(
    city: FakeCity, mode: ResponseMode, prefix: str
) -> None:
    office = offices.make(city, prefix=prefix)
    started = office.start(mode=mode)
    token = serve(office, started)
    request = read(office, token)
    shown = show(request, token, "resident", "given_name", "family_name")
    assert respond(office, started, request, shown) == accepted(given_name="Ada")
    with refused(Code.NOT_FOUND):
        office.service.collect(started.answer_secret, None)
    assert isinstance(office.store, MemoryStore)
    assert offices.rows(office.store) == ({}, {})


@pytest.mark.parametrize(("named", "asked"), [(None, BBS), (BBS, BBS), (SD_JWT, SD_JWT)])
def test_one_format_is_asked_for_the_first_of_the_policy_if_none_is_named(
    office: Office, named: str | None, asked: str
) -> None:
    request = office.open_request(office.start(credential_format=named))
    assert [one.format for one in request.query.credentials] == [asked]


def test_a_format_that_the_policy_does_not_take_is_not_asked_for() -> None:
    plain = offices.make(cities.make())
    assert plain.open_request(plain.start()).query.credentials[0].format == SD_JWT
    before = offices.rows(plain.store)  # type: ignore[arg-type]
    with refused(Code.POLICY_VIOLATION):
        plain.start(credential_format=BBS)
    assert offices.rows(plain.store) == before  # type: ignore[arg-type]


def test_every_request_object_that_was_served_may_be_answered(office: Office) -> None:
    for answered in ("first", "second"):
        started = office.start()
        served = {
            nonce: serve(office, started, wallet_nonce=nonce) for nonce in ("first", "second")
        }
        request = read(office, served[answered], wallet_nonce=answered)
        shown = show(request, served[answered])
        assert respond(office, started, request, shown) == accepted()


def test_a_request_object_that_was_never_served_is_not_answered(office: Office) -> None:
    started = office.start()
    token = serve(office, started, wallet_nonce="served")
    request = read(office, token, wallet_nonce="served")
    for text in (token[:-1], "made up", None):
        started = office.start()
        request = office.open_request(started)
        answer = respond(office, started, request, show(request, text))
        assert answer == {"result": "refused", "code": "holder_binding"}


def test_an_answer_to_another_question_is_refused(office: Office) -> None:
    others = {
        "audience": ("x509_san_dns:bar.example", "wrong_audience"),
        "nonce": ("another-nonce", "wrong_nonce"),
    }
    for name, (value, code) in others.items():
        started = office.start()
        token = serve(office, started)
        request = read(office, token)
        answer = respond(office, started, request, show(request, token, **{name: value}))
        assert answer == {"result": "refused", "code": code}


def test_eight_request_objects_are_served_and_the_same_one_again(office: Office) -> None:
    started = office.start()
    nonces = [f"nonce-{number}" for number in range(model.MAX_SERVED)]
    served = [serve(office, started, wallet_nonce=nonce) for nonce in nonces]
    with refused(Code.NOT_FOUND):
        serve(office, started, wallet_nonce="one more")
    with refused(Code.NOT_FOUND):
        serve(office, started)
    assert [serve(office, started, wallet_nonce=nonce) for nonce in nonces] == served
    request = read(office, served[0], wallet_nonce=nonces[0])
    assert respond(office, started, request, show(request, served[0])) == accepted()


def test_sd_jwt_questions_keep_no_hashes(office: Office) -> None:
    started = office.start(credential_format=SD_JWT)
    before = offices.rows(office.store)  # type: ignore[arg-type]
    for number in range(model.MAX_SERVED + 2):
        serve(office, started, wallet_nonce=f"nonce-{number}")
    assert offices.rows(office.store) == before  # type: ignore[arg-type]


def test_what_one_replica_served_is_answered_at_another(city: FakeCity) -> None:
    store = MemoryStore()
    first, second = (offices.make(city, store=store) for _ in range(2))
    started = first.start()
    tokens = [serve(first, started, wallet_nonce="one"), serve(second, started, wallet_nonce="two")]
    request = read(first, tokens[0], wallet_nonce="one")
    assert respond(second, started, request, show(request, tokens[0])) == accepted()


class CrowdedStore(MemoryStore):
    """Lets another wallet come between reading a row and changing it."""

    def __init__(self) -> None:
        super().__init__()
        self.between: list[object] = []

    def replace(self, key: bytes, *, old: bytes, new: bytes) -> bool:
        if self.between:
            self.between.pop()()  # type: ignore[operator]
        return super().replace(key, old=old, new=new)


def test_two_who_fetch_at_once_are_both_remembered(city: FakeCity) -> None:
    store = CrowdedStore()
    office = offices.make(city, store=store)
    started = office.start()
    other: list[str] = []
    store.between.append(lambda: other.append(serve(office, started, wallet_nonce="other")))
    token = serve(office, started, wallet_nonce="own")
    request = read(office, other[0], wallet_nonce="other")
    assert token != other[0]
    assert respond(office, started, request, show(request, other[0])) == accepted()


def test_a_question_that_is_answered_in_between_is_served_no_more(city: FakeCity) -> None:
    store = CrowdedStore()
    office = offices.make(city, store=store)
    started = office.start()
    store.between.append(store.requests.clear)
    with refused(Code.NOT_FOUND):
        serve(office, started)


def test_many_who_fetch_at_once_are_served_eight_times_in_all(city: FakeCity) -> None:
    office = offices.make(city)
    started = office.start()
    got: list[str | Code] = []

    def fetch(nonce: str) -> None:
        try:
            got.append(serve(office, started, wallet_nonce=nonce))
        except ServiceError as error:
            got.append(error.code)

    threads = [threading.Thread(target=fetch, args=(f"nonce-{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in got if each is not Code.NOT_FOUND]) == model.MAX_SERVED


@pytest.mark.parametrize(("asked", "shown"), [(BBS, SD_JWT), (SD_JWT, BBS)])
def test_a_question_is_answered_in_its_own_format(office: Office, asked: str, shown: str) -> None:
    started = office.start(credential_format=asked)
    token = serve(office, started)
    request = read(office, token)
    presentation = (
        show(request, token)
        if shown == BBS
        else offices.show(
            offices.credential(office.city), nonce=request.nonce, audience=request.client_id
        )
    )
    answer = respond(office, started, request, presentation)
    assert answer == {"result": "refused", "code": "policy"}


def test_a_wallet_without_the_format_is_not_asked(office: Office) -> None:
    started = office.start()
    for formats, code in (
        ('{"dc+sd-jwt": {}}', Code.INVALID_REQUEST),
        ('["jwp+bbs"]', Code.INVALID_REQUEST),
        ('{"jwp+bbs": {}}', None),
    ):
        metadata = f'{{"vp_formats_supported": {formats}}}'
        arguments = {"wallet_nonce": None, "wallet_metadata": metadata}
        if code is None:
            office.service.request_object(offices.identifier(started), **arguments)
        else:
            with refused(code):
                office.service.request_object(offices.identifier(started), **arguments)


def test_a_pseudonym_comes_beside_the_facts_and_is_the_same_next_time(office: Office) -> None:
    names = []
    for _ in range(2):
        started = office.start()
        token = serve(office, started)
        request = read(office, token)
        answer = respond(
            office, started, request, show(request, token, nym_context=bbs_city.context())
        )
        assert answer is not None
        name = answer.pop("pseudonym")
        assert answer == accepted()
        names.append(name)
    assert names[0] == names[1]
    assert len(base64url.decode(str(names[0]))) == 48


def test_what_is_checked_at_once_needs_no_request_object(office: Office) -> None:
    def check(shown: str) -> model.Shown | model.Refused:
        return office.service.check(office.policy, shown, nonce=NONCE, audience=office.client_id)

    asked = {"nonce": NONCE, "audience": office.client_id}
    facts = {"resident": True}
    assert check(bbs_city.show("resident", **asked)) == model.Shown(
        policy="library-card", facts=facts, status_age_s=None
    )
    named = check(bbs_city.show("resident", nym_context=bbs_city.context(), **asked))
    assert isinstance(named, model.Shown)
    assert named.pseudonym is not None
    assert base64url.encode(named.pseudonym) not in repr(named)
    for changes, code in (
        ({"policy": "bar-entry"}, "holder_binding"),
        ({"nonce": "other"}, "wrong_nonce"),
        ({"request_object": "served"}, "holder_binding"),
    ):
        shown = bbs_city.show("resident", **{**asked, **changes})  # type: ignore[arg-type]
        assert check(shown) == model.Refused(code=code)
    office.clock.time = office.city.announced_bbs.exp + 60
    assert check(bbs_city.show("resident", **asked)) == model.Refused(code="not_valid")


def test_together_is_as_one_by_one_whatever_stands_beside_it(office: Office) -> None:
    asked = {"nonce": NONCE, "audience": office.client_id}
    good = bbs_city.show("resident", **asked)
    plain = offices.show(offices.credential(office.city), **asked)
    forged = bbs_city.with_slot(good, catalogue.BBS_SLOTS.index("locality"), b'"Elsewhere"')
    items = [
        model.Presented(policy, shown, NONCE, office.client_id)
        for policy, shown in (
            ("library-card", good),
            ("nobody", good),
            ("library-card", forged),
            ("library-card", plain),
            ("library-card", "A" * 70_000),
            ("bank-account", plain),
            ("library-card", good),
        )
    ]
    answers = office.service.check_together(items)
    shown = model.Shown(policy="library-card", facts={"resident": True}, status_age_s=None)
    assert answers[0] == answers[6] == shown
    assert answers[1] == answers[5] == Code.UNKNOWN_POLICY
    assert answers[2] == model.Refused(code="malformed")
    assert isinstance(answers[3], model.Shown)
    assert answers[4] == model.Refused(code="malformed")
    assert good not in repr(items[0])
    assert office.service.check_together([]) == []
