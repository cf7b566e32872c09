"""Attacks on presentation: what is asked, where, and by whom (rows OID4VP-*)."""

import json
import socket
import time
from dataclasses import replace
from typing import NoReturn

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed, Refused
from idservice.errors import Code
from idservice.verification import dcql, openid4vp, policy
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model
from tests.fakes import certificates, questions
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import Office

BEARER = {"Authorization": f"Bearer {offices.API_KEY}"}
JWT = ResponseMode.DIRECT_POST_JWT


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return cities.make()


@pytest.fixture
def office(city: FakeCity) -> Office:
    return offices.make(city)


@pytest.fixture
def client(office: Office) -> Client:
    return office.client()


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
    before = questions.held(office)
    assert client.post("/v1/requests", json=body, headers=BEARER).status_code == 403
    assert questions.held(office) == before
    body["same_device"] = {"redirect_uri": offices.REDIRECT_URI}
    assert client.post("/v1/requests", json=body, headers=BEARER).status_code == 201


@pytest.mark.attack("OID4VP-010")
def test_wallet_nonce_is_capped_and_only_ever_copied_into_the_signed_request(
    office: Office, client: Client
) -> None:
    question = questions.ask(office)
    path = f"/v1/request-objects/{question.identifier}"
    for too_long in ("a" * 257, "a" * 90_000):
        assert client.post(path, data={"wallet_nonce": too_long}).status_code == 400
    assert client.post(path, data={"wallet_nonce": "a" * (1 << 20)}).status_code == 413
    assert client.post(path, data={"wallet_nonce": ""}).status_code == 400
    assert client.post(path, json={"wallet_nonce": 1}).status_code == 415
    before = questions.held(office)
    for nonce in ("fresh", "fresh", 'a\r\nSet-Cookie: b\x1b[31m"}'):
        answer = client.post(path, data={"wallet_nonce": nonce})
        assert answer.status_code == 200
        assert not any("Set-Cookie" in value for value in answer.headers.values())
        payload = canonical_json.parse_object(base64url.decode(answer.text.split(".")[1]))
        assert payload["wallet_nonce"] == nonce
    assert questions.held(office) == before
    assert office.lines == []
    assert question.still_open()


@pytest.mark.attack("OID4VP-011")
def test_keys_in_wallet_metadata_are_never_fetched(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = questions.ask(office)

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
    question = questions.ask(office, JWT)

    def serve(wallet_metadata: str | None) -> str:
        return office.service.request_object(
            question.identifier, wallet_nonce=None, wallet_metadata=wallet_metadata
        )

    if ignored:
        assert serve(json.dumps(metadata)) == serve(None)
    else:
        with questions.refused(Code.INVALID_REQUEST):
            serve(json.dumps(metadata))
    with questions.refused(Code.INVALID_REQUEST):
        question.respond(questions.shown(question))
    assert question.still_open()


@pytest.mark.attack("OID4VP-014")
@pytest.mark.parametrize(
    "tries", [200, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_request_addresses_cannot_be_guessed(office: Office, client: Client, tries: int) -> None:
    asked = [questions.ask(office) for _ in range(20)]
    identifiers = {question.identifier for question in asked}
    assert len(identifiers) == 20
    assert all(len(base64url.decode(each)) >= 16 for each in identifiers)
    guess = cities.chance("guesses")
    guesses = ["1", "00000000", *(base64url.encode(guess(32)) for _ in range(tries))]
    for each in guesses:
        with questions.refused(Code.NOT_FOUND):
            office.service.request_object(each, wallet_nonce=None, wallet_metadata=None)
    answers = {client.get(f"/v1/request-objects/{each}").content for each in guesses[:50]}
    assert len(answers) == 1
    assert all(question.still_open() for question in asked)


@pytest.mark.attack("OID4VP-015")
def test_wallet_refuses_unsigned_stripped_and_misdirected_requests(office: Office) -> None:
    question = questions.ask(office)
    invitation = openid4vp.parse_invitation(question.started.authorization_request, loopback=True)
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
    before = questions.held(office)
    body = {"policy": office.policy, **more}
    answer = client.post("/v1/requests", json=body, headers=BEARER)
    assert answer.status_code == status
    assert questions.held(office) == before
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
    question = questions.ask(office)
    foreign = cities.make(issuer="https://elsewhere.example")
    stranger = replace(foreign, issuer_keys={p: certificates.p256("x") for p in range(99)})
    forged = offices.credential(stranger)
    presentation = offices.show(
        forged, nonce=question.request.nonce, audience=question.request.client_id
    )
    answer = questions.verdict(
        question, questions.form_with([presentation], question.request.state)
    )
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
    assert questions.ask(office).still_open()
