"""Attacks on presentation: sessions, states, nonces, queries, encryption (rows OID4VP-*)."""

import base64
import concurrent.futures
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed, Refused
from crypto.jose import jwk
from idservice.errors import Code, ServiceError
from idservice.storage import engine
from idservice.storage import verifier as storage
from idservice.verification import dcql, openid4vp, openid4vp_answer, policy
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model
from tests.fakes import certificates, engines, postgres
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import Office
from tests.fakes.verifier_store import MemoryStore

BEARER = {"Authorization": f"Bearer {offices.API_KEY}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JWT = ResponseMode.DIRECT_POST_JWT
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


@dataclass
class Question:
    """An open question, as the wallet sees it."""

    office: Office
    started: model.Started
    request: openid4vp.Request

    @property
    def identifier(self) -> str:
        return offices.identifier(self.started)

    @property
    def form(self) -> dict[str, str]:
        return offices.answer(self.office, self.request)

    def respond(self, form: dict[str, str]) -> str | None:
        return self.office.service.respond(self.identifier, form)

    def collect(self, response_code: str | None = None) -> JsonObject | None:
        return self.office.service.collect(self.started.answer_secret, response_code)

    def still_open(self) -> bool:
        """Say whether a good answer is still taken, and accepted: the positive twin."""
        self.respond(self.form)
        collected = self.collect()
        return collected is not None and collected["result"] == "accepted"


def ask(office: Office, mode: ResponseMode = ResponseMode.DIRECT_POST, **more: str) -> Question:
    started = office.start(mode=mode, **more)  # type: ignore[arg-type]
    return Question(office, started, office.open_request(started))


def held(office: Office) -> object:
    assert isinstance(office.store, MemoryStore)
    return offices.rows(office.store)


def refused(code: Code) -> pytest.RaisesExc[ServiceError]:
    return pytest.RaisesExc(ServiceError, check=lambda error: error.code is code)


def shown(question: Question, **changes: object) -> dict[str, str]:
    """Answer in the clear with a presentation of which something is changed."""
    request = question.request
    said: dict[str, object] = {"nonce": request.nonce, "audience": request.client_id, **changes}
    presentation = offices.show(offices.credential(question.office.city), **said)  # type: ignore[arg-type]
    return form_with([presentation], request.state)


def form_with(presentations: list[str], state: str | None) -> dict[str, str]:
    form = {"vp_token": json.dumps({"resident": presentations})}
    return form if state is None else {**form, "state": state}


def verdict(question: Question, form: dict[str, str]) -> JsonObject | None:
    assert question.respond(form) is None
    return question.collect()


@pytest.mark.attack("OID4VP-001")
def test_session_fixation_gives_the_attacker_nothing(office: Office, client: Client) -> None:
    question = ask(office, redirect_uri=offices.REDIRECT_URI)
    where = question.respond(question.form)
    before = held(office)
    attacker = {"Authorization": f"Bearer {question.started.answer_secret}"}
    for code in ({}, {"Response-Code": ""}, {"Response-Code": "A" * 43}):
        polled = client.get("/v1/requests/answer", headers={**attacker, **code})
        assert polled.status_code == 401
        assert "facts" not in polled.text
    assert held(office) == before
    victim = {"Response-Code": str(where).partition("response_code=")[2]}
    collected = client.get("/v1/requests/answer", headers={**attacker, **victim})
    assert collected.json()["result"] == "accepted"


@pytest.mark.attack("OID4VP-002")
@pytest.mark.parametrize(
    "tries", [200, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_response_code_cannot_be_guessed_reused_or_taken_along(office: Office, tries: int) -> None:
    one, other = (ask(office, redirect_uri=offices.REDIRECT_URI) for _ in range(2))
    codes = [str(each.respond(each.form)).partition("=")[2] for each in (one, other)]
    assert len({*codes}) == 2
    assert all(len(base64url.decode(code)) >= 16 for code in codes)
    before = held(office)
    guess = cities.chance("guesses")
    for _ in range(tries):
        with refused(Code.UNAUTHORIZED):
            one.collect(base64url.encode(guess(32)))
    with refused(Code.UNAUTHORIZED):
        one.collect(codes[1])
    assert held(office) == before
    assert one.collect(codes[0]) is not None
    with refused(Code.NOT_FOUND):
        one.collect(codes[0])
    office.clock.time += 60
    with refused(Code.NOT_FOUND):
        other.collect(codes[1])


@pytest.mark.attack("OID4VP-004")
def test_presentation_captured_by_one_verifier_is_refused_by_another(city: FakeCity) -> None:
    library, bar = offices.make(city), offices.make(city, name="bar")
    captured = ask(library)
    victim = offices.show(
        offices.credential(city),
        nonce=captured.request.nonce,
        audience=library.client_id,
        facts=("resident", "age_over_18"),
    )
    elsewhere = ask(bar)
    form = form_with([victim], elsewhere.request.state)
    answer = verdict(elsewhere, form)
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
    one, other = ask(office), ask(office)
    before = held(office)
    mixed = {**other.form, "state": one.request.state or ""}
    with refused(Code.INVALID_REQUEST):
        other.respond(mixed)
    assert held(office) == before
    with refused(Code.INVALID_REQUEST):
        one.respond(other.form)
    assert held(office) == before
    answer = verdict(one, shown(one, nonce=other.request.nonce))
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
    question = ask(office)
    before = held(office)
    body = make(question.request.state or "")
    answer = client.post(f"/v1/responses/{question.identifier}", content=body, headers=FORM)
    nobody = client.post(f"/v1/responses/{'A' * 43}", content=body, headers=FORM)
    assert answer.status_code in {400, 413}
    assert (answer.status_code, answer.content) == (nobody.status_code, nobody.content)
    assert held(office) == before
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
    question = ask(replicas[0])
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
    with refused(Code.NOT_FOUND):
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
    question = ask(office)
    office.clock.time += wait
    form = question.form
    assert question.respond(form) is None
    office.clock.time += later
    office.service.reap()
    with refused(Code.INVALID_REQUEST):
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
    question = ask(office)
    answer = verdict(question, shown(question, nonce=change(question.request.nonce)))
    assert answer == {"result": "refused", "code": "wrong_nonce"}
    assert ask(office).still_open()


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
    question = ask(office)
    answer = verdict(question, shown(question, audience=audience))
    assert answer == {"result": "refused", "code": "wrong_audience"}
    bare = ask(office)
    stripped = bare.request.client_id.partition(":")[2]
    assert verdict(bare, shown(bare, audience=stripped)) == answer
    assert ask(office).still_open()


@pytest.mark.attack("OID4VP-007")
@pytest.mark.parametrize(
    ("client_id", "base_url"),
    [
        ("x509_san_dns:library.example", "https://evil.example"),
        ("x509_san_dns:library.example", "https://library.example.evil.example"),
        ("x509_san_dns:library.example", "https://evil.example/library.example"),
        ("redirect_uri:https://library.example", "https://library.example"),
        ("library.example", "https://library.example"),
    ],
)
def test_verifier_whose_address_is_not_its_name_cannot_be_set_up(
    city: FakeCity, client_id: str, base_url: str
) -> None:
    verifier = city.verifiers["library"]

    def identity(client_id: str, base_url: str) -> model.Identity:
        return model.Identity(
            client_id=client_id,
            x5c=cities.x5c.decode(verifier.x5c),
            base_url=base_url,
            policies=frozenset(),
            redirect_uris=frozenset(),
        )

    with pytest.raises(ValueError, match="client identifier"):
        identity(client_id, base_url)
    assert identity("x509_san_dns:library.example", "https://library.example")


@pytest.mark.attack("OID4VP-009")
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/done",
        "https://library.example.evil.example/done",
        "https://library.example/done?next=https://evil.example",
        "https://library.example/done#",
        "https://library.example/done/",
        "https://library.example@evil.example/done",
        "https://LIBRARY.example/done",
        "http://library.example/done",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
def test_redirect_goes_to_listed_addresses_only(
    office: Office, client: Client, address: str
) -> None:
    body = {"policy": office.policy, "same_device": {"redirect_uri": address}}
    before = held(office)
    assert client.post("/v1/requests", json=body, headers=BEARER).status_code == 403
    assert held(office) == before
    body["same_device"] = {"redirect_uri": offices.REDIRECT_URI}
    assert client.post("/v1/requests", json=body, headers=BEARER).status_code == 201


@pytest.mark.attack("OID4VP-010")
def test_wallet_nonce_is_capped_and_only_ever_copied_into_the_signed_request(
    office: Office, client: Client
) -> None:
    question = ask(office)
    path = f"/v1/request-objects/{question.identifier}"
    for too_long in ("a" * 257, "a" * 90_000):
        assert client.post(path, data={"wallet_nonce": too_long}).status_code == 400
    assert client.post(path, data={"wallet_nonce": "a" * (1 << 20)}).status_code == 413
    assert client.post(path, data={"wallet_nonce": ""}).status_code == 400
    assert client.post(path, json={"wallet_nonce": 1}).status_code == 415
    before = held(office)
    for nonce in ("fresh", "fresh", 'a\r\nSet-Cookie: b\x1b[31m"}'):
        answer = client.post(path, data={"wallet_nonce": nonce})
        assert answer.status_code == 200
        assert not any("Set-Cookie" in value for value in answer.headers.values())
        payload = canonical_json.parse_object(base64url.decode(answer.text.split(".")[1]))
        assert payload["wallet_nonce"] == nonce
    assert held(office) == before
    assert office.lines == []
    assert question.still_open()


@pytest.mark.attack("OID4VP-011")
def test_keys_in_wallet_metadata_are_never_fetched(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask(office)

    def connect(*_: object) -> NoReturn:
        raise AssertionError("an outgoing connection")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    served = {
        office.service.request_object(
            question.identifier, wallet_nonce=None, wallet_metadata=metadata
        )
        for metadata in (
            None,
            '{"jwks_uri":"http://169.254.169.254/latest"}',
            '{"jwks_uri":"http://localhost:22/","jwks":{"keys":[]}}',
            '{"request_uri":"file:///etc/passwd"}',
        )
    }
    assert len(served) == 1


WEAKER: dict[str, tuple[JsonObject, bool]] = {
    "unsigned request": ({"request_object_signing_alg_values_supported": ["none"]}, False),
    "other prefix": ({"client_id_prefixes_supported": ["redirect_uri"]}, False),
    "no format of ours": ({"vp_formats_supported": {"ldp_vc": {}}}, False),
    "answer in the clear": ({"response_modes_supported": ["direct_post"]}, True),
    "weak encryption": ({"authorization_encryption_enc_values_supported": ["A128CBC"]}, True),
    "no encryption": ({"authorization_encryption_alg_values_supported": []}, True),
    "weak format": ({"vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": []}}}, True),
}


@pytest.mark.attack("OID4VP-012")
@pytest.mark.parametrize(("metadata", "ignored"), WEAKER.values(), ids=WEAKER.keys())
def test_wallet_metadata_weakens_nothing(
    office: Office, metadata: JsonObject, *, ignored: bool
) -> None:
    question = ask(office, JWT)

    def serve(wallet_metadata: str | None) -> str:
        return office.service.request_object(
            question.identifier, wallet_nonce=None, wallet_metadata=wallet_metadata
        )

    if ignored:
        assert serve(json.dumps(metadata)) == serve(None)
    else:
        with refused(Code.INVALID_REQUEST):
            serve(json.dumps(metadata))
    with refused(Code.INVALID_REQUEST):
        question.respond(shown(question))
    assert question.still_open()


@pytest.mark.attack("OID4VP-014")
@pytest.mark.parametrize(
    "tries", [200, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_request_addresses_cannot_be_guessed(office: Office, client: Client, tries: int) -> None:
    questions = [ask(office) for _ in range(20)]
    identifiers = {question.identifier for question in questions}
    assert len(identifiers) == 20
    assert all(len(base64url.decode(each)) >= 16 for each in identifiers)
    guess = cities.chance("guesses")
    guesses = ["1", "00000000", *(base64url.encode(guess(32)) for _ in range(tries))]
    for each in guesses:
        with refused(Code.NOT_FOUND):
            office.service.request_object(each, wallet_nonce=None, wallet_metadata=None)
    answers = {client.get(f"/v1/request-objects/{each}").content for each in guesses[:50]}
    assert len(answers) == 1
    assert all(question.still_open() for question in questions)


@pytest.mark.attack("OID4VP-015")
def test_wallet_refuses_unsigned_stripped_and_misdirected_requests(office: Office) -> None:
    question = ask(office)
    invitation = openid4vp.parse_invitation(question.started.authorization_request)
    token = office.service.request_object(
        question.identifier, wallet_nonce=None, wallet_metadata=None
    )
    head, body, signature = token.split(".")
    payload = canonical_json.parse_object(base64url.decode(body))
    other_audience = canonical_json.serialize({**payload, "aud": "https://evil.example"})
    none = base64url.encode(b'{"alg":"none","typ":"oauth-authz-req+jwt"}')
    broken = (
        f"{none}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{base64url.encode(other_audience)}.{signature}",
        body,
    )

    def opens(candidate: str) -> openid4vp.Request:
        return openid4vp.authenticate(
            candidate,
            invitation=invitation,
            wallet_nonce=None,
            root=office.city.root.certificate,
            now=office.clock.now(),
        )

    for candidate in broken:
        with pytest.raises(CryptoError):
            opens(candidate)
    assert opens(token) == question.request


OVER_ASKING: dict[str, tuple[JsonObject, int]] = {
    "transaction data": ({"transaction_data": ["eyJ0eXBlIjoieCJ9"]}, 422),
    "own query": ({"dcql_query": {"credentials": []}}, 422),
    "query without claims": ({"dcql_query": {"credentials": [{"id": "a"}]}}, 422),
    "claims beside the policy": ({"claims": ["birth_date"]}, 422),
    "scope": ({"scope": "everything"}, 422),
    "policy of another verifier": ({"policy": "bank-account"}, 403),
    "policy of nobody": ({"policy": "everything"}, 404),
}


@pytest.mark.attack("OID4VP-017")
@pytest.mark.attack("OID4VP-027")
@pytest.mark.attack("OID4VP-030")
@pytest.mark.parametrize(("more", "status"), OVER_ASKING.values(), ids=OVER_ASKING.keys())
def test_a_counter_can_ask_for_nothing_but_its_policy(
    office: Office, client: Client, more: JsonObject, status: int
) -> None:
    before = held(office)
    body = {"policy": office.policy, **more}
    answer = client.post("/v1/requests", json=body, headers=BEARER)
    assert answer.status_code == status
    assert held(office) == before
    good = client.post("/v1/requests", json={"policy": office.policy}, headers=BEARER)
    assert good.status_code == 201


@pytest.mark.attack("OID4VP-030")
def test_no_policy_asks_for_nothing_in_particular_and_so_for_everything(city: FakeCity) -> None:
    good = policy.write(city.policies["library-card"])
    with pytest.raises(Refused):
        policy.parse({**good, "required": [], "optional": []})
    query = dcql.for_facts(vct="v", required=["resident"], optional=[])
    assert dcql.facts(query.credentials[0]) == {"resident"}


QUERIES: dict[str, JsonObject] = {
    "wildcard beyond": {"claims": [{"path": [None] * 1000}]},
    "negative index": {"claims": [{"path": ["address", -1]}]},
    "10 000 claims": {"claims": [{"path": ["resident"]}] * 10_000},
    "depth 1000": {"claims": [{"path": ["a"] * 1000}]},
    "same id twice": {"claims": [{"id": "a", "path": ["x"]}, {"id": "a", "path": ["y"]}]},
    "id with other characters": {"id": "a\r\nb"},
    "id of another script": {"id": "résident"},
}


@pytest.mark.attack("OID4VP-029")
@pytest.mark.parametrize("change", QUERIES.values(), ids=QUERIES.keys())
def test_hostile_query_is_refused_in_bounded_time(change: JsonObject) -> None:
    good = dcql.write(dcql.for_facts(vct="v", required=["resident"], optional=[]))
    credential: JsonObject = good["credentials"][0]  # type: ignore[index, call-overload, assignment]
    begin = time.thread_time()
    with pytest.raises(Malformed):
        dcql.parse({"credentials": [{**credential, **change}]})
    assert time.thread_time() - begin < 2, "CPU seconds: work must not grow with what was sent"
    assert dcql.parse(good)


@pytest.mark.attack("OID4VP-031")
def test_issuers_are_trusted_by_the_bundle_and_by_nothing_else(office: Office) -> None:
    question = ask(office)
    foreign = cities.make(issuer="https://elsewhere.example")
    stranger = replace(foreign, issuer_keys={p: certificates.p256("x") for p in range(99)})
    forged = offices.credential(stranger)
    presentation = offices.show(
        forged, nonce=question.request.nonce, audience=question.request.client_id
    )
    answer = verdict(question, form_with([presentation], question.request.state))
    assert answer is not None
    assert answer["result"] == "refused"
    query = dcql.parse(
        {
            "credentials": [
                {
                    **dcql.write(question.request.query)["credentials"][0],  # type: ignore[index, call-overload, dict-item]
                    "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}],
                }
            ]
        }
    ).credentials[0]
    claims: JsonObject = {"vct": query.vct_values[0], "resident": True}
    assert dcql.select(query, claims, credential_format="dc+sd-jwt") is None
    twin = replace(query, trusted_authorities=False)
    assert dcql.select(twin, claims, credential_format="dc+sd-jwt") is not None
    assert ask(office).still_open()


def seal(header: JsonObject, plaintext: bytes = b"{}") -> str:
    """Write something that looks like a JWE; nothing in it was encrypted."""
    head = base64url.encode(json.dumps(header).encode())
    return f"{head}..{base64url.encode(bytes(12))}.{base64url.encode(plaintext)}.AAAA"


EPK: JsonObject = {**jwk.public_jwk(certificates.p256("epk").public_key())}
HEADER: JsonObject = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "answer", "epk": EPK}
HEADERS: dict[str, JsonObject] = {
    "dir": {**HEADER, "alg": "dir"},
    "RSA1_5": {**HEADER, "alg": "RSA1_5"},
    "PBES2": {**HEADER, "alg": "PBES2-HS256+A128KW", "p2c": 2**31, "p2s": "AAAA"},
    "A128KW": {**HEADER, "alg": "ECDH-ES+A128KW"},
    "none": {**HEADER, "alg": "none"},
    "case": {**HEADER, "alg": "ecdh-es"},
    "A128CBC-HS256": {**HEADER, "enc": "A128CBC-HS256"},
    "A192GCM": {**HEADER, "enc": "A192GCM"},
    "list": {**HEADER, "enc": ["A256GCM"]},
    "critical": {**HEADER, "crit": ["exp"]},
    "X25519": {**HEADER, "epk": {"kty": "OKP", "crv": "X25519", "x": "AAAA"}},
    "off the curve": {**HEADER, "epk": {**EPK, "x": EPK["y"]}},
}


def refused_sealed(question: Question, token: str) -> None:
    before = held(question.office)
    begin = time.thread_time()
    with refused(Code.INVALID_REQUEST):
        question.respond({"response": token})
    assert time.thread_time() - begin < 2, "CPU seconds: work must not grow with what was sent"
    assert held(question.office) == before
    assert question.still_open()


@pytest.mark.attack("OID4VP-019")
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_other_encryption_is_refused_before_any_work(office: Office, header: JsonObject) -> None:
    refused_sealed(ask(office, JWT), seal(header))


@pytest.mark.attack("OID4VP-020")
def test_compressed_answer_is_refused(office: Office) -> None:
    question = ask(office, JWT)
    refused_sealed(question, seal({**HEADER, "zip": "DEF"}, bytes(60_000)))


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "apu added": lambda p: [with_member(p[0], "apu", "QWxpY2U"), *p[1:]],
    "apv added": lambda p: [with_member(p[0], "apv", "Qm9i"), *p[1:]],
    "header spelled otherwise": lambda p: [respelled(p[0]), *p[1:]],
    "tag truncated": lambda p: [*p[:4], p[4][:16]],
    "tag missing": lambda p: [*p[:4], ""],
    "iv of another message": lambda p: [p[0], p[1], base64url.encode(bytes(12)), *p[3:]],
    "iv too long": lambda p: [p[0], p[1], base64url.encode(bytes(16)), *p[3:]],
    "encrypted key": lambda p: [p[0], "AAAA", *p[2:]],
    "ciphertext cut": lambda p: [*p[:3], p[3][:-4], p[4]],
    "four parts": lambda p: p[:4],
}


def with_member(head: str, name: str, value: str) -> str:
    header = canonical_json.parse_object(base64url.decode(head))
    return base64url.encode(canonical_json.serialize({**header, name: value}))


def respelled(head: str) -> str:
    return base64url.encode(b" " + base64url.decode(head))


@pytest.mark.attack("OID4VP-021")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_encryption_is_refused(
    office: Office, change: Callable[[list[str]], list[str]]
) -> None:
    question = ask(office, JWT)
    refused_sealed(question, ".".join(change(question.form["response"].split("."))))


@pytest.mark.attack("OID4VP-022")
def test_answer_in_the_clear_is_refused_where_encryption_was_asked_for(office: Office) -> None:
    question = ask(office, JWT)
    before = held(office)
    plain = shown(question)
    for form in (plain, {**plain, **question.form}):
        with refused(Code.INVALID_REQUEST):
            question.respond(form)
    assert held(office) == before
    clear = ask(office)
    with refused(Code.INVALID_REQUEST):
        clear.respond({"response": question.form["response"]})
    assert question.still_open()
    assert clear.still_open()


@pytest.mark.attack("OID4VP-024")
@pytest.mark.attack("OID4VP-025")
@pytest.mark.parametrize(
    "names",
    [["other"], ["resident", "other"], [], ["Resident"], ["resident "]],
    ids=str,
)
def test_other_credentials_than_asked_for_are_refused(office: Office, names: list[str]) -> None:
    question = ask(office)
    presentation = json.loads(question.form["vp_token"])["resident"]
    form = {**question.form, "vp_token": json.dumps(dict.fromkeys(names, presentation))}
    assert verdict(question, form) == {"result": "refused", "code": "malformed"}
    assert ask(office).still_open()


@pytest.mark.attack("OID4VP-025")
@pytest.mark.parametrize("count", [0, 2, 20])
def test_none_or_several_presentations_are_refused(office: Office, count: int) -> None:
    question = ask(office)
    presentations = json.loads(question.form["vp_token"])["resident"] * count
    form = form_with(presentations, question.request.state)
    assert verdict(question, form) == {"result": "refused", "code": "malformed"}
    assert ask(office).still_open()


@pytest.mark.attack("OID4VP-026")
def test_claims_beyond_the_policy_are_dropped(office: Office) -> None:
    question = ask(office)
    everything = ("resident", "given_name", "family_name", "birth_date", "address.locality")
    answer = verdict(question, shown(question, facts=everything))
    assert answer is not None
    assert answer["facts"] == {"resident": True, "given_name": "Ada"}
    for beyond in ("Okonkwo", "1990", "Exampleton"):
        assert beyond not in json.dumps(answer)


@pytest.mark.attack("OID4VP-032")
def test_presentation_without_holder_binding_is_refused(office: Office) -> None:
    question = ask(office)
    presentation = json.loads(question.form["vp_token"])["resident"][0]
    stripped = presentation[: presentation.rindex("~") + 1]
    answer = verdict(question, form_with([stripped], question.request.state))
    assert answer == {"result": "refused", "code": "holder_binding"}
    thief = ask(office)
    other_key = shown(thief, holder=cities.holder_key("thief"))
    assert verdict(thief, other_key) == {"result": "refused", "code": "holder_binding"}
    assert ask(office).still_open()


@pytest.mark.attack("OID4VP-034")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "access_denied"),
        ("Ada Okonkwo\r\n<script>", "other"),
        ("a" * 5000, "other"),
    ],
    ids=["known", "text", "long"],
)
def test_of_an_error_only_a_code_of_the_list_is_kept(office: Office, error: str, code: str) -> None:
    question = ask(office)
    form = {
        "error": error,
        "error_description": "<b>Ada Okonkwo</b>\r\nSet-Cookie: a=b",
        "state": question.request.state or "",
    }
    answer = verdict(question, form)
    assert answer == {"result": "declined", "code": code}
    assert office.lines == []


@pytest.mark.attack("OID4VP-037")
def test_answer_of_another_counter_looks_like_an_unknown_one(
    office: Office, client: Client
) -> None:
    question = ask(office)
    question.respond(question.form)
    before = held(office)
    answers = {
        (answer.status_code, answer.content)
        for answer in (
            client.get("/v1/requests/answer", headers={"Authorization": f"Bearer {key}"})
            for key in (offices.API_KEY, "another", "A" * 43, base64.b64encode(bytes(32)).decode())
        )
    }
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1
    assert held(office) == before
    collected = question.collect()
    assert collected is not None
    assert collected["result"] == "accepted"


def test_refusal_and_acceptance_look_the_same_to_the_wallet(office: Office, client: Client) -> None:
    good, bad, declined = ask(office), ask(office), ask(office)
    answers = {
        (answer.status_code, answer.content)
        for answer in (
            client.post(f"/v1/responses/{question.identifier}", data=form)
            for question, form in (
                (good, good.form),
                (bad, shown(bad, nonce="other")),
                (declined, openid4vp_answer.write_refusal(declined.request)),
            )
        )
    }
    assert answers == {(200, b"{}")}
