"""The verifier's counter over HTTP (DESIGN, section 8)."""

from datetime import date

import orjson
import pytest

from idservice.verification import openid4vp
from idservice.verifier import web
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.knowledge import FakeKnowledge
from tests.fakes.verifier_office import Office

NONCE = "n-0S6_WzA2Mj"
BEARER = {"Authorization": f"Bearer {offices.API_KEY}"}
JSON = {"Content-Type": "application/json"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def city() -> cities.FakeCity:
    return cities.make()


@pytest.fixture
def office(city: cities.FakeCity) -> Office:
    return offices.make(city)


@pytest.fixture
def client(office: Office) -> Client:
    return office.client()


def item(office: Office, **changes: object) -> dict[str, object]:
    presentation = offices.show(
        offices.credential(office.city), nonce=NONCE, audience=office.client_id
    )
    return {
        "policy": office.policy,
        "presentation": presentation,
        "nonce": NONCE,
        "audience": office.client_id,
        **changes,
    }


ACCEPTED = {
    "result": "accepted",
    "policy": "library-card",
    "facts": {"resident": True},
    "status_age_s": 21600,
}


def test_verify_accepts(office: Office, client: Client) -> None:
    answer = client.post("/v1/verify", json=item(office))
    assert (answer.status_code, answer.json()) == (200, ACCEPTED)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    spaced = orjson.dumps(item(office), option=orjson.OPT_INDENT_2)
    assert client.post("/v1/verify", content=spaced, headers=JSON).json() == ACCEPTED


def test_stale_bundle_is_told_wherever_something_is_accepted(
    office: Office, client: Client
) -> None:
    told = {**ACCEPTED, "not_checked_since": "2026-11-20"}
    office.knowledge.unchecked = date(2026, 11, 20)
    assert client.post("/v1/verify", json=item(office)).json() == told
    batch = {"items": [item(office), item(office, presentation="a~")]}
    results = client.post("/v1/verify/batch", json=batch).json()["items"]
    assert results == [told, {"result": "refused", "code": "malformed"}]
    started = office.start()
    office.service.respond(
        offices.identifier(started), offices.answer(office, office.open_request(started))
    )
    assert office.service.collect(started.answer_secret, None) == told


@pytest.mark.parametrize(
    ("presentation", "code"),
    [("", "malformed"), ("a~", "malformed"), ("é\ud83d\ude00~" * 9, "malformed")],
)
def test_whatever_is_inside_the_presentation_is_answered_200(
    office: Office, client: Client, presentation: str, code: str
) -> None:
    presentation = presentation.encode("utf-16", "surrogatepass").decode("utf-16")
    answer = client.post("/v1/verify", json=item(office, presentation=presentation))
    assert (answer.status_code, answer.json()) == (200, {"result": "refused", "code": code})


def without(name: str) -> object:
    def change(body: dict[str, object]) -> bytes:
        return orjson.dumps({key: value for key, value in body.items() if key != name})

    return change


def replaced(**changes: object) -> object:
    return lambda body: orjson.dumps({**body, **changes})


ENVELOPES: dict[str, tuple[object, int, str]] = {
    "no json": (lambda _: b"policy", 400, "bad_json"),
    "empty": (lambda _: b"", 400, "bad_json"),
    "array": (lambda _: b"[]", 400, "bad_json"),
    "nan": (lambda _: b'{"policy":NaN}', 400, "bad_json"),
    "huge number": (lambda _: b'{"policy":1e400}', 400, "bad_json"),
    "byte order mark": (lambda _: b"\xef\xbb\xbf{}", 400, "bad_json"),
    "lone surrogate": (lambda _: b'{"policy":"\\ud800"}', 400, "bad_json"),
    "deep": (lambda _: b'{"a":' * 100_00, 400, "bad_json"),
    "twice": (lambda body: orjson.dumps(body)[:-1] + b',"nonce":"n"}', 400, "bad_json"),
    "no policy": (without("policy"), 422, "missing_member"),
    "no presentation": (without("presentation"), 422, "missing_member"),
    "no nonce": (without("nonce"), 422, "missing_member"),
    "no audience": (without("audience"), 422, "missing_member"),
    "empty nonce": (replaced(nonce=""), 422, "missing_member"),
    "empty audience": (replaced(audience=""), 422, "missing_member"),
    "null nonce": (replaced(nonce=None), 422, "missing_member"),
    "number": (replaced(presentation=1), 422, "missing_member"),
    "object": (replaced(policy={"id": "library-card"}), 422, "missing_member"),
    "unknown policy": (replaced(policy="nobody"), 404, "unknown_policy"),
    "foreign policy": (replaced(policy="bank-account"), 404, "unknown_policy"),
    "too large": (replaced(presentation="a" * 99_000), 413, "too_large"),
}


@pytest.mark.parametrize(("make", "status", "code"), ENVELOPES.values(), ids=ENVELOPES.keys())
def test_what_is_wrong_with_the_envelope_is_a_problem(
    office: Office, client: Client, make: object, status: int, code: str
) -> None:
    body = make(item(office))  # type: ignore[operator]
    answer = client.post("/v1/verify", content=body, headers=JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem.keys() == {"type", "title", "status", "code"}
    assert "nobody" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "multipart/form-data"},
        {**JSON, "Content-Encoding": "gzip"},
        {},
    ],
    ids=str,
)
def test_other_media_types_are_refused(
    office: Office, client: Client, headers: dict[str, str]
) -> None:
    for path in ("/v1/verify", "/v1/verify/batch"):
        answer = client.post(path, content=orjson.dumps(item(office)), headers=headers)
        assert answer.status_code == 415
    answer = client.post("/v1/requests", content=b"{}", headers={**BEARER, **headers})
    assert answer.status_code == 415


def test_batch_answers_one_each_in_order_whatever_is_wrong_with_some(
    office: Office, client: Client
) -> None:
    items = [
        item(office),
        item(office, nonce="other"),
        item(office, policy="nobody"),
        {},
        None,
        "text",
        item(office, presentation="a" * 99_000),
        item(office),
    ]
    answer = client.post("/v1/verify/batch", json={"items": items})
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            ACCEPTED,
            {"result": "refused", "code": "wrong_nonce"},
            {"result": "error", "code": "unknown_policy"},
            {"result": "error", "code": "missing_member"},
            {"result": "error", "code": "missing_member"},
            {"result": "error", "code": "missing_member"},
            {"result": "refused", "code": "malformed"},
            ACCEPTED,
        ]
    }


def test_batch_has_limits(client: Client) -> None:
    most = client.post("/v1/verify/batch", json={"items": [0] * web.BATCH_ITEMS})
    assert len(most.json()["items"]) == web.BATCH_ITEMS
    over = client.post("/v1/verify/batch", json={"items": [0] * (web.BATCH_ITEMS + 1)})
    assert over.status_code == 413
    large = b'{"items":["' + b"a" * (8 << 20) + b'"]}'
    assert client.post("/v1/verify/batch", content=large, headers=JSON).status_code == 413
    for body in ({}, {"items": {}}, {"items": None}):
        assert client.post("/v1/verify/batch", json=body).status_code == 422
    assert client.post("/v1/verify/batch", json={"items": []}).json() == {"items": []}


def test_nothing_can_be_checked_without_a_bundle(city: cities.FakeCity) -> None:
    office = offices.make(city, knowledge=FakeKnowledge(None))
    client = office.client()
    assert client.post("/v1/verify", json=item(office)).status_code == 503
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_policies_are_public(client: Client) -> None:
    answer = client.get("/v1/policies").json()
    assert [one["id"] for one in answer["policies"]] == ["library-card"]
    assert answer["policies"][0]["required"] == ["resident"]
    assert client.get("/readyz").status_code == 200


def test_the_whole_road_over_http(office: Office, client: Client) -> None:
    started = client.post("/v1/requests", json={"policy": office.policy}, headers=BEARER)
    assert started.status_code == 201
    told = started.json()
    assert told["expires_in"] == 300
    secret = {"Authorization": f"Bearer {told['answer_secret']}"}
    assert client.get("/v1/requests/answer", headers=secret).status_code == 202

    invitation = openid4vp.parse_invitation(told["authorization_request"], loopback=True)
    assert invitation.post
    fetched = client.post(
        invitation.request_uri, data={"wallet_nonce": "fresh", "wallet_metadata": "{}"}
    )
    assert fetched.headers["content-type"] == "application/oauth-authz-req+jwt"
    request = openid4vp.authenticate(
        fetched.text,
        invitation=invitation,
        wallet_nonce="fresh",
        root=office.city.root.certificate,
        now=office.clock.now(),
    )
    assert request.response_mode is openid4vp.ResponseMode.DIRECT_POST_JWT
    assert client.get(invitation.request_uri).status_code == 200

    posted = client.post(request.response_uri, data=offices.answer(office, request))
    assert (posted.status_code, posted.json()) == (200, {})
    answer = client.get("/v1/requests/answer", headers=secret)
    assert (answer.status_code, answer.json()) == (200, ACCEPTED)
    assert client.get("/v1/requests/answer", headers=secret).status_code == 404


def test_on_one_device_the_code_comes_by_redirect(office: Office, client: Client) -> None:
    body = {
        "policy": office.policy,
        "response_mode": "direct_post",
        "same_device": {"redirect_uri": offices.REDIRECT_URI},
    }
    told = client.post("/v1/requests", json=body, headers=BEARER).json()
    invitation = openid4vp.parse_invitation(told["authorization_request"], loopback=True)
    request = openid4vp.authenticate(
        client.get(invitation.request_uri).text,
        invitation=invitation,
        wallet_nonce=None,
        root=office.city.root.certificate,
        now=office.clock.now(),
    )
    posted = client.post(request.response_uri, data=offices.answer(office, request)).json()
    address, _, code = posted["redirect_uri"].partition("#response_code=")
    assert address == offices.REDIRECT_URI
    secret = {"Authorization": f"Bearer {told['answer_secret']}"}
    assert client.get("/v1/requests/answer", headers=secret).status_code == 401
    answer = client.get("/v1/requests/answer", headers={**secret, "Response-Code": code})
    assert answer.json() == ACCEPTED


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic a", "Bearer wrong"])
def test_asking_needs_an_api_key(office: Office, client: Client, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for answer in (
        client.post("/v1/requests", json={"policy": office.policy}, headers=headers),
        client.get("/v1/requests/answer", headers=headers),
    ):
        expected = (
            404 if authorization == "Bearer wrong" and answer.request.method == "GET" else 401
        )
        assert answer.status_code == expected
        assert answer.headers["content-type"] == "application/problem+json"


ASKS: dict[str, tuple[object, int]] = {
    "no policy": ({}, 422),
    "policy no text": ({"policy": 1}, 422),
    "unknown mode": ({"policy": "library-card", "response_mode": "fragment"}, 422),
    "mode no text": ({"policy": "library-card", "response_mode": ["direct_post"]}, 422),
    "same_device no object": ({"policy": "library-card", "same_device": "x"}, 422),
    "same_device empty": ({"policy": "library-card", "same_device": {}}, 422),
    "same_device with more": (
        {"policy": "library-card", "same_device": {"redirect_uri": "x", "y": 1}},
        422,
    ),
    "own query": ({"policy": "library-card", "dcql_query": {}}, 422),
    "own claims": ({"policy": "library-card", "claims": ["birth_date"]}, 422),
    "transaction data": ({"policy": "library-card", "transaction_data": []}, 422),
    "other redirect": (
        {"policy": "library-card", "same_device": {"redirect_uri": "https://evil.example"}},
        403,
    ),
    "policy of another": ({"policy": "bank-account"}, 403),
    "unknown policy": ({"policy": "nobody"}, 404),
}


@pytest.mark.parametrize(("body", "status"), ASKS.values(), ids=ASKS.keys())
def test_what_may_not_be_asked_is_refused(client: Client, body: object, status: int) -> None:
    answer = client.post("/v1/requests", json=body, headers=BEARER)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_wallets_call_answers_as_oauth_does(office: Office, client: Client) -> None:
    started = office.start()
    uri = f"/v1/responses/{offices.identifier(started)}"
    for path, status, error in (
        (f"/v1/responses/{'A' * 43}", 400, "invalid_request"),
        ("/v1/responses/short", 400, "invalid_request"),
        (uri, 400, "invalid_request"),
        (f"/v1/request-objects/{'A' * 43}", 404, "not_found"),
    ):
        answer = client.post(path, data={"state": "s", "vp_token": "{}"})
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.headers["content-type"] == "application/json"
    twice = b"state=a&state=b&vp_token=%7B%7D"
    assert client.post(uri, content=twice, headers={"Content-Type": FORM}).status_code == 400
    assert client.post(uri, json={}).status_code == 415
    over = client.post(uri, data={"response": "a" * (128 << 10)})
    assert over.status_code == 413
    assert client.get(f"/v1/request-objects/{offices.identifier(started)}").status_code == 200


def test_get_changes_nothing_and_other_methods_are_refused(office: Office, client: Client) -> None:
    started = office.start()
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "HEAD"):
        for path in ("/v1/verify", "/v1/requests", f"/v1/responses/{offices.identifier(started)}"):
            assert client.request(method, path).status_code == 405
    office.open_request(started)


def test_refused_method_is_told_which_ones_there_are(office: Office, client: Client) -> None:
    path = f"/v1/request-objects/{offices.identifier(office.start())}"
    assert client.request("OPTIONS", path).headers["allow"] == "GET, POST"
    assert client.get("/v1/verify").headers["allow"] == "POST"


def test_openapi_document_has_every_route_and_status() -> None:
    document = offices.make().client().get("/openapi.json").json()
    operations = {
        f"{method.upper()} {path}": sorted(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    }
    assert operations == {
        "POST /v1/verify": ["200", "400", "404", "413", "415", "422", "503"],
        "POST /v1/verify/batch": ["200", "400", "413", "415", "422"],
        "GET /v1/policies": ["200"],
        "POST /v1/requests": ["201", "400", "401", "403", "404", "413", "415", "422", "429", "503"],
        "GET /v1/requests/answer": ["200", "202", "401", "404", "503"],
        "GET /v1/request-objects/{identifier}": ["200", "404", "503"],
        "POST /v1/request-objects/{identifier}": ["200", "400", "404", "413", "415", "503"],
        "POST /v1/responses/{identifier}": ["200", "400", "413", "415", "503"],
    }
    body = document["paths"]["/v1/verify"]["post"]["requestBody"]["content"]
    assert list(body) == ["application/json"]
    assert "HTTPValidationError" not in str(document)
