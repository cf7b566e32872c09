"""The verifier's counter over HTTP where BBS is shown, by hand as well."""

import orjson
import pytest

from crypto.encoding import base64url
from idservice import catalogue
from idservice.verification import openid4vp, openid4vp_answer
from idservice.verifier import web
from tests.fakes import bbs_city
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import Office

NONCE = "n-0S6_WzA2Mj"
BEARER = {"Authorization": f"Bearer {offices.API_KEY}"}
JSON = {"Content-Type": "application/json"}
ACCEPTED = {
    "result": "accepted",
    "policy": "library-card",
    "facts": {"resident": True},
    "status_age_s": None,
}


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return bbs_city.make(library_card={"pseudonym": "member"})


@pytest.fixture
def office(city: FakeCity) -> Office:
    return offices.make(city)


@pytest.fixture
def client(office: Office) -> Client:
    return office.client()


def show(office: Office, *names: str, **changes: object) -> str:
    asked = {"nonce": NONCE, "audience": office.client_id, **changes}
    return bbs_city.show(*(names or ("resident",)), **asked)  # type: ignore[arg-type]


def item(office: Office, presentation: str | None = None, **changes: object) -> dict[str, object]:
    return {
        "policy": office.policy,
        "presentation": presentation or show(office),
        "nonce": NONCE,
        "audience": office.client_id,
        **changes,
    }


def verify(client: Client, body: object) -> object:
    answer = client.post("/v1/verify", content=orjson.dumps(body), headers=JSON)
    assert answer.status_code == 200
    return answer.json()


def test_verify_accepts_and_keeps_nothing(office: Office, client: Client) -> None:
    before = offices.rows(office.store)  # type: ignore[arg-type]
    assert verify(client, item(office)) == ACCEPTED
    shown = show(office, "resident", "given_name", "birth_date")
    answer = {**ACCEPTED, "facts": {"resident": True, "given_name": "Ada"}}
    assert verify(client, item(office, shown)) == answer
    assert offices.rows(office.store) == before  # type: ignore[arg-type]


def test_a_pseudonym_stands_beside_the_facts(office: Office, client: Client) -> None:
    shown = show(office, nym_context=bbs_city.context())
    answer = verify(client, item(office, shown))
    assert isinstance(answer, dict)
    assert len(base64url.decode(answer.pop("pseudonym"))) == 48
    assert answer == ACCEPTED


BY_HAND = {
    "nothing": "",
    "dots": "...",
    "five dots": ".....",
    "tildes": "a.b.~~~.c",
    "no json": "AAAA.AAAA.AAAA.AAAA",
    "empty objects": "e30.e30.e30.e30",
    "emoji": "e30.e30.\U0001f600.e30",
    "lone part": "e30.e30.e30.",
    "sixty-five slots": "e30.e30." + "~" * 64 + ".e30",
    "padding": "e30=.e30.e30.e30",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_typed_by_hand_is_refused_and_never_repeated(
    office: Office, client: Client, name: str
) -> None:
    answer = verify(client, item(office, BY_HAND[name] or " "))
    code = "wrong_algorithm" if name == "empty objects" else "malformed"
    assert answer == {"result": "refused", "code": code}


def test_limits_are_those_of_every_presentation(office: Office, client: Client) -> None:
    long = show(office) + "A" * 65_536
    assert verify(client, item(office, long)) == {"result": "refused", "code": "malformed"}
    larger = client.post("/v1/verify", json=item(office, "A.A.A." + "A" * 99_000))
    assert larger.status_code == 413


def test_a_batch_of_both_formats_answers_one_each_in_order(office: Office, client: Client) -> None:
    key = cities.bbs_key("forger")
    plain = offices.show(offices.credential(office.city), nonce=NONCE, audience=office.client_id)
    items = [
        item(office),
        item(office, plain),
        item(office, show(office, issued=bbs_city.issue(key=key), key=key)),
        item(office, nonce="other"),
        item(office, policy="nobody"),
        {},
        item(office, show(office, nym_context=bbs_city.context())),
        item(office, "..."),
        item(office),
    ]
    answer = client.post("/v1/verify/batch", content=orjson.dumps({"items": items}), headers=JSON)
    answers = answer.json()["items"]
    assert "pseudonym" in answers[6]
    answers[6].pop("pseudonym")
    assert answers == [
        ACCEPTED,
        {**ACCEPTED, "status_age_s": 21600},
        {"result": "refused", "code": "issuer_signature"},
        {"result": "refused", "code": "wrong_nonce"},
        {"result": "error", "code": "unknown_policy"},
        {"result": "error", "code": "missing_member"},
        ACCEPTED,
        {"result": "refused", "code": "malformed"},
        ACCEPTED,
    ]


def test_a_batch_longer_than_a_turn_keeps_its_order(office: Office, client: Client) -> None:
    good, bad = item(office), item(office, nonce="other")
    items = [bad if number % 7 == 0 else good for number in range(web._TURN + 3)]
    answer = client.post("/v1/verify/batch", content=orjson.dumps({"items": items}), headers=JSON)
    results = [one["result"] for one in answer.json()["items"]]
    assert results == [
        "refused" if number % 7 == 0 else "accepted" for number in range(web._TURN + 3)
    ]


@pytest.mark.parametrize("mode", openid4vp.ResponseMode)
def test_the_whole_road_over_http(
    office: Office, client: Client, mode: openid4vp.ResponseMode
) -> None:
    body = {"policy": office.policy, "format": "jwp+bbs", "response_mode": mode.value}
    told = client.post("/v1/requests", json=body, headers=BEARER).json()
    invitation = openid4vp.parse_invitation(told["authorization_request"], loopback=True)
    fetched = client.post(invitation.request_uri, data={"wallet_nonce": "fresh"})
    request = openid4vp.authenticate(
        fetched.text,
        invitation=invitation,
        wallet_nonce="fresh",
        root=office.city.root.certificate,
        now=office.clock.now(),
    )
    assert [one.format for one in request.query.credentials] == ["jwp+bbs"]
    header = bbs_city.question(
        audience=request.client_id, nonce=request.nonce, request_object=fetched.text
    )
    form = openid4vp_answer.write_answer(
        request, bbs_city.show("resident", header=header), random_bytes=cities.chance("wallet")
    )
    posted = client.post(request.response_uri, data=form)
    assert (posted.status_code, posted.json()) == (200, {})
    assert client.post(request.response_uri, data=form).status_code == 400
    secret = {"Authorization": f"Bearer {told['answer_secret']}"}
    assert client.get("/v1/requests/answer", headers=secret).json() == ACCEPTED


@pytest.mark.parametrize(
    ("wished", "status"),
    [("jwp+bbs", 201), ("dc+sd-jwt", 201), (None, 201), ("mso_mdoc", 422), (1, 422), ([], 422)],
)
def test_a_format_is_asked_for_by_its_name(client: Client, wished: object, status: int) -> None:
    body = {"policy": "library-card", "format": wished}
    assert client.post("/v1/requests", json=body, headers=BEARER).status_code == status


def test_a_format_beyond_the_policy_is_forbidden() -> None:
    client = offices.make(cities.make()).client()
    body = {"policy": "library-card", "format": catalogue.BBS_FORMAT}
    answer = client.post("/v1/requests", json=body, headers=BEARER)
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_violation")


def test_policies_say_their_formats_and_their_label(client: Client) -> None:
    (told,) = client.get("/v1/policies").json()["policies"]
    assert told["formats"] == ["jwp+bbs", "dc+sd-jwt"]
    assert told["pseudonym"] == "member"
