"""Attacks on presentation: sessions, states, nonces, audiences (rows OID4VP-*)."""

import base64
import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url
from idservice.errors import Code, ServiceError
from idservice.storage import engine
from idservice.storage import verifier as storage
from idservice.verification import openid4vp_answer
from idservice.verifier import model
from tests.fakes import city as cities
from tests.fakes import engines, postgres, questions
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import Office

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CITY = cities.make()


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return CITY


@pytest.fixture
def office(city: FakeCity) -> Office:
    return offices.make(city)


@pytest.fixture
def client(office: Office) -> Client:
    return office.client()


@pytest.mark.attack("OID4VP-001")
def test_session_fixation_gives_the_attacker_nothing(office: Office, client: Client) -> None:
    question = questions.ask(office, redirect_uri=offices.REDIRECT_URI)
    where = question.respond(question.form)
    before = questions.held(office)
    attacker = {"Authorization": f"Bearer {question.started.answer_secret}"}
    for code in ({}, {"Response-Code": ""}, {"Response-Code": "A" * 43}):
        polled = client.get("/v1/requests/answer", headers={**attacker, **code})
        assert polled.status_code == 401
        assert "facts" not in polled.text
    assert questions.held(office) == before
    victim = {"Response-Code": str(where).partition("response_code=")[2]}
    collected = client.get("/v1/requests/answer", headers={**attacker, **victim})
    assert collected.json()["result"] == "accepted"


@pytest.mark.attack("OID4VP-002")
@pytest.mark.parametrize(
    "tries", [200, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_response_code_cannot_be_guessed_reused_or_taken_along(office: Office, tries: int) -> None:
    one, other = (questions.ask(office, redirect_uri=offices.REDIRECT_URI) for _ in range(2))
    codes = [str(each.respond(each.form)).partition("=")[2] for each in (one, other)]
    assert len({*codes}) == 2
    assert all(len(base64url.decode(code)) >= 16 for code in codes)
    before = questions.held(office)
    guess = cities.chance("guesses")
    for _ in range(tries):
        with questions.refused(Code.UNAUTHORIZED):
            one.collect(base64url.encode(guess(32)))
    with questions.refused(Code.UNAUTHORIZED):
        one.collect(codes[1])
    assert questions.held(office) == before
    assert one.collect(codes[0]) is not None
    with questions.refused(Code.NOT_FOUND):
        one.collect(codes[0])
    office.clock.time += 60
    with questions.refused(Code.NOT_FOUND):
        other.collect(codes[1])


@pytest.mark.attack("OID4VP-004")
def test_presentation_captured_by_one_verifier_is_refused_by_another(city: FakeCity) -> None:
    library, bar = offices.make(city), offices.make(city, name="bar")
    captured = questions.ask(library)
    victim = offices.show(
        offices.credential(city),
        nonce=captured.request.nonce,
        audience=library.client_id,
        facts=("resident", "age_over_18"),
    )
    elsewhere = questions.ask(bar)
    form = questions.form_with([victim], elsewhere.request.state)
    answer = questions.verdict(elsewhere, form)
    assert answer is not None
    assert answer["result"] == "refused"
    assert answer["code"] in {"wrong_nonce", "wrong_audience"}
    stateless = bar.service.check(
        bar.policy, victim, nonce=captured.request.nonce, audience=bar.client_id
    )
    assert stateless == model.Refused(code="wrong_audience")
    assert captured.still_open()


@pytest.mark.attack("OID4VP-005")
def test_state_of_one_session_with_nonce_of_another_completes_neither(office: Office) -> None:
    one, other = questions.ask(office), questions.ask(office)
    before = questions.held(office)
    mixed = {**other.form, "state": one.request.state or ""}
    with questions.refused(Code.INVALID_REQUEST):
        other.respond(mixed)
    assert questions.held(office) == before
    with questions.refused(Code.INVALID_REQUEST):
        one.respond(other.form)
    assert questions.held(office) == before
    answer = questions.verdict(one, questions.shown(one, nonce=other.request.nonce))
    assert answer == {"result": "refused", "code": "wrong_nonce"}
    assert other.still_open()


STATES: dict[str, Callable[[str], bytes]] = {
    "missing": lambda _: b"vp_token=%7B%7D",
    "empty": lambda _: b"vp_token=%7B%7D&state=",
    "unknown": lambda _: b"vp_token=%7B%7D&state=unknown",
    "1 MiB": lambda _: b"vp_token=%7B%7D&state=" + b"a" * (1 << 20),
    "twice": lambda state: f"vp_token=%7B%7D&state={state}&state={state}".encode(),
    "longer": lambda state: f"vp_token=%7B%7D&state={state}A".encode(),
    "shorter": lambda state: f"vp_token=%7B%7D&state={state[:-1]}".encode(),
}


@pytest.mark.attack("OID4VP-006")
@pytest.mark.parametrize("make", STATES.values(), ids=STATES.keys())
def test_wrong_state_is_refused_like_an_unknown_session(
    office: Office, client: Client, make: Callable[[str], bytes]
) -> None:
    question = questions.ask(office)
    before = questions.held(office)
    body = make(question.request.state or "")
    answer = client.post(f"/v1/responses/{question.identifier}", content=body, headers=FORM)
    nobody = client.post(f"/v1/responses/{'A' * 43}", content=body, headers=FORM)
    assert answer.status_code in {400, 413}
    assert (answer.status_code, answer.content) == (nobody.status_code, nobody.content)
    assert questions.held(office) == before
    assert question.still_open()


@pytest.mark.attack("OID4VP-039")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "posts", [9, pytest.param(100, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_same_answer_posted_to_three_replicas_at_once_counts_once(
    city: FakeCity, tmp_path: Path, request: pytest.FixtureRequest, kind: str, posts: int
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'pending.db'}"
    else:
        server: postgres.Server = request.getfixturevalue("server")
        url = server.database(f"race{posts}")
    engine.migrate(url, storage.OFFICE, short_lived=True)
    databases = [engine.open_database(url, short_lived=True) for _ in range(3)]
    replicas = [offices.make(city, store=storage.SqlStore(each)) for each in databases]
    question = questions.ask(replicas[0])
    form, barrier = question.form, threading.Barrier(posts)

    def post(number: int) -> bool:
        barrier.wait()
        try:
            replicas[number % 3].service.respond(question.identifier, form)
        except ServiceError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(posts) as pool:
        answered = list(pool.map(post, range(posts)))
    collected = [question.collect()]
    with questions.refused(Code.NOT_FOUND):
        question.collect()
    for database in databases:
        engine.close(database)
    assert answered.count(True) == 1
    assert collected[0] is not None
    assert collected[0]["result"] == "accepted"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    yield from engines.server_or_skip()


@pytest.mark.attack("OID4VP-040")
@given(later=st.integers(0, 2000), wait=st.integers(0, 299))
@settings(max_examples=40, deadline=None)
def test_used_nonce_is_never_accepted_again_however_long_one_waits(later: int, wait: int) -> None:
    """A nonce is a row that is there or gone, so no record of it can run out too early."""
    office = offices.make(CITY)
    question = questions.ask(office)
    office.clock.time += wait
    form = question.form
    assert question.respond(form) is None
    office.clock.time += later
    office.service.reap()
    with questions.refused(Code.INVALID_REQUEST):
        question.respond(form)


@pytest.mark.attack("OID4VP-041")
@pytest.mark.parametrize(
    "change",
    [
        lambda nonce: f" {nonce}",
        lambda nonce: f"{nonce} ",
        lambda nonce: f"{nonce}\n",
        str.swapcase,
        lambda nonce: f"{nonce}%20",
        lambda nonce: f"%{ord(nonce[0]):02x}{nonce[1:]}",
        lambda nonce: f"{nonce}=",
        lambda nonce: f"{nonce}\u200b",
    ],
    ids=["before", "after", "line", "case", "encoded", "percent", "padded", "zero width"],
)
def test_nonce_in_another_spelling_is_another_nonce(
    office: Office, change: Callable[[str], str]
) -> None:
    question = questions.ask(office)
    answer = questions.verdict(
        question, questions.shown(question, nonce=change(question.request.nonce))
    )
    assert answer == {"result": "refused", "code": "wrong_nonce"}
    assert questions.ask(office).still_open()


@pytest.mark.attack("OID4VP-035")
@pytest.mark.parametrize(
    "audience",
    [
        "library.example",
        "x509_san_dns:library.example",
        "redirect_uri:https://library.example",
        "x509_hash:",
        "X509_HASH:",
    ],
)
def test_audience_without_prefix_or_with_another_is_refused(office: Office, audience: str) -> None:
    question = questions.ask(office)
    answer = questions.verdict(question, questions.shown(question, audience=audience))
    assert answer == {"result": "refused", "code": "wrong_audience"}
    bare = questions.ask(office)
    stripped = bare.request.client_id.partition(":")[2]
    assert questions.verdict(bare, questions.shown(bare, audience=stripped)) == answer
    assert questions.ask(office).still_open()


@pytest.mark.attack("OID4VP-037")
def test_answer_of_another_counter_looks_like_an_unknown_one(
    office: Office, client: Client
) -> None:
    question = questions.ask(office)
    question.respond(question.form)
    before = questions.held(office)
    answers = {
        (answer.status_code, answer.content)
        for answer in (
            client.get("/v1/requests/answer", headers={"Authorization": f"Bearer {key}"})
            for key in (offices.API_KEY, "another", "A" * 43, base64.b64encode(bytes(32)).decode())
        )
    }
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1
    assert questions.held(office) == before
    collected = question.collect()
    assert collected is not None
    assert collected["result"] == "accepted"


def test_refusal_and_acceptance_look_the_same_to_the_wallet(office: Office, client: Client) -> None:
    good, bad, declined = questions.ask(office), questions.ask(office), questions.ask(office)
    answers = {
        (answer.status_code, answer.content)
        for answer in (
            client.post(f"/v1/responses/{question.identifier}", data=form)
            for question, form in (
                (good, good.form),
                (bad, questions.shown(bad, nonce="other")),
                (declined, openid4vp_answer.write_refusal(declined.request)),
            )
        )
    }
    assert answers == {(200, b"{}")}
