"""The register's counter: who may do what, limits, pages and problems, over HTTP in memory."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
from fastapi.openapi.models import OpenAPI

from crypto.encoding import base64
from crypto.encoding.canonical_json import JsonObject
from crypto.log import proof, tree
from crypto.log.proof import InclusionProof
from idservice.complaints import over_asking
from idservice.governance import pages
from idservice.register.entry import RemovalReason
from idservice.register.state import Reason
from tests.fakes import over_asking as requests
from tests.fakes import register_office, registers
from tests.fakes.asgi import Client
from tests.fakes.register_office import DESK_KEY, IMPACT, Office

CHANGE = registers.policy_change()
GETS = (
    "/",
    "/proposals",
    "/proposals/1",
    "/complaints",
    "/charter",
    "/history",
    "/history?before=1",
    "/feed.atom",
    "/style.css",
    "/v1/register",
    "/v1/proposals",
    "/v1/proposals/1",
    "/v1/proposals/1?before=2",
    "/v1/proposals/1/voting",
    "/v1/history",
    "/v1/history?before=2",
    "/v1/entries/0",
    "/v1/complaints",
)
TOKEN: Mapping[str, str] = MappingProxyType({"Authorization": f"Bearer {DESK_KEY}"})
ROLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "anybody": MappingProxyType({}),
        "a stranger's key": MappingProxyType({}),
        "another seat": MappingProxyType({}),
        "the seat": MappingProxyType({}),
        "the desk": TOKEN,
        "a wrong desk key": MappingProxyType({"Authorization": "Bearer desk-2"}),
    }
)


@dataclass(kw_only=True)
class Open:
    """An office with one proposal, in notice."""

    office: Office
    client: Client
    number: int
    comment: str


@pytest.fixture
def opened() -> Open:
    return make()


@pytest.fixture(scope="module")
def shared() -> Open:
    """For tests that change nothing."""
    return make()


def make() -> Open:
    office = register_office.make()
    number = office.propose(CHANGE)
    comment = office.office.comment(number, "Why?").digest
    return Open(office=office, client=office.client(), number=number, comment=comment)


def signed_by(role: str) -> dict[str, str]:
    """Return how to sign: the desk and anybody have no seat's key."""
    match role:
        case "the seat":
            return {"seat": "council-1"}
        case "another seat":
            return {"seat": "council-2"}
        case _:
            return {"seat": "council-1", "by": role}


def propose(opened: Open, role: str) -> tuple[str, JsonObject]:
    other = registers.policy_change("age-check", purpose="age_check", required=["age_over_18"])
    said = opened.office.proposal(other, **signed_by(role))
    return "/v1/proposals", {"entry": said, "impact_note": IMPACT}


def approve(opened: Open, role: str) -> tuple[str, JsonObject]:
    c2 = opened.office.published().note
    statement = opened.office.statement(opened.number, c2)
    said = opened.office.approval(statement, **signed_by(role))
    told: JsonObject = {"checkpoint": c2.octets().decode(), "minutes": None}
    return "/v1/approvals", {"entry": said, **told}


def withdraw(opened: Open, role: str) -> tuple[str, JsonObject]:
    said = opened.office.withdrawal(opened.number, signed_by(role)["seat"])
    if role not in {"the seat", "another seat"}:
        vote = said["vote"]
        assert isinstance(vote, list)
        said["vote"] = [vote[0], "A" * 86]
    return "/v1/withdrawals", {"entry": said}


def enact(opened: Open, _role: str) -> tuple[str, JsonObject]:
    """Enact with two votes of five: not enough, whoever brings them."""
    opened.office.office.answer(opened.number, "Because.")
    answer = opened.office.course(opened.number).answers[0]
    statement = opened.office.approve(opened.number, "council-1", "community-1", answer=answer)
    return "/v1/enactments", {"entry": opened.office.enactment(opened.number, statement)}


def comment(opened: Open, _role: str) -> tuple[str, JsonObject]:
    return f"/v1/proposals/{opened.number}/comments", {"text": "We were not asked."}


def answer(opened: Open, _role: str) -> tuple[str, JsonObject]:
    return "/v1/answers", {"proposal": opened.number, "text": "Because."}


def remove(opened: Open, _role: str) -> tuple[str, JsonObject]:
    return "/v1/removals", {"comment": opened.comment, "reason": RemovalReason.SPAM.value}


def complain(opened: Open, _role: str) -> tuple[str, JsonObject]:
    library = opened.office.city.verifiers["library"]
    request = requests.asking(library, "birth_date")
    return "/v1/complaints", json.loads(over_asking.write(request, known=library.policy))


SEATS = {"the seat": 201, "another seat": 201}
MATRIX: Mapping[Callable[[Open, str], tuple[str, JsonObject]], tuple[Mapping[str, int], int]] = (
    MappingProxyType(
        {
            propose: (SEATS, 403),
            approve: (SEATS, 403),
            withdraw: ({"the seat": 201}, 403),
            enact: ({}, 403),
            comment: ({}, 201),
            complain: ({}, 201),
            answer: ({"the desk": 201}, 401),
            remove: ({"the desk": 201}, 401),
        }
    )
)


def kept(opened: Open) -> tuple[object, ...]:
    store = opened.office.store
    return opened.office.log.log.size(), store.comments(), store.documents(), store.complaints()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("act", MATRIX, ids=lambda act: act.__name__)
@pytest.mark.attack("GOV-016")
def test_each_role_does_what_it_may_and_nothing_else(
    opened: Open, act: Callable[[Open, str], tuple[str, JsonObject]], role: str
) -> None:
    allowed, otherwise = MATRIX[act]
    path, body = act(opened, role)
    before = kept(opened)
    answered = opened.client.post(path, json=body, headers=dict(ROLES[role]))
    assert answered.status_code == allowed.get(role, otherwise), answered.text
    if answered.status_code == 201:
        assert kept(opened) != before
    else:
        assert kept(opened) == before
        problem = answered.json()
        assert answered.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answered.status_code
        assert ("reason" in problem) == (answered.status_code == 403)


def test_the_matrix_and_the_list_of_pages_hold_every_route(opened: Open) -> None:
    document = opened.client.get("/openapi.json").json()
    posts = {path for path, each in document["paths"].items() if "post" in each}
    gets = {path for path, each in document["paths"].items() if "get" in each}
    matrix = {act(opened, "the seat")[0] for act in MATRIX}
    numbered = {re.sub(r"/\d+", "/{number}", path) for path in matrix}
    assert posts - numbered == {"/v1/routine", "/proposals/{number}/comments"}
    asked = {re.sub(r"/\d+(?=/|$)", "/{number}", path.partition("?")[0]) for path in GETS}
    assert gets - asked == {"/v1/comments/{digest}", "/healthz", "/readyz"}


@pytest.mark.parametrize("path", GETS)
def test_everybody_reads_everything(shared: Open, path: str) -> None:
    answered = shared.client.get(path)
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "public, max-age=30"
    html = answered.headers["content-type"].startswith("text/html")
    said = answered.headers.get_list("content-security-policy")
    assert said == ([pages.POLICY] if html else ["default-src 'none'; frame-ancestors 'none'"])
    assert "set-cookie" not in answered.headers


@pytest.mark.parametrize(
    "path",
    [
        "/proposals/0",
        "/proposals/99",
        "/proposals/x",
        "/proposals/-1",
        "/proposals/٣",
        "/proposals/" + "9" * 400,
        "/v1/proposals/99",
        "/v1/proposals/99/voting",
        "/v1/proposals/1?before=x",
        "/v1/entries/99",
        "/v1/entries/x",
        "/v1/comments/00",
        "/v1/comments/xx",
        "/v1/comments/" + "0" * 64,
        "/history?before=x",
        "/v1/history?before=x",
        "/nothing",
    ],
)
def test_what_is_not_there_is_not_found(shared: Open, path: str) -> None:
    assert shared.client.get(path).json()["code"] == "not_found"


def test_a_comment_by_form_needs_no_script_and_shows_a_receipt(opened: Open) -> None:
    path = f"/proposals/{opened.number}"
    page = opened.client.get(path).text
    assert f'action="{path}/comments"' in page
    done = opened.client.post(f"{path}/comments", data={"text": "Line one\r\nline <b>two</b>"})
    assert done.status_code == 200
    assert done.headers["cache-control"] == "no-store"
    salt = re.search(r"<code>([0-9a-f]{64})</code></pre>", done.text)
    assert salt is not None
    shown = opened.client.get(path).text
    assert "Line one\nline &lt;b&gt;two&lt;/b&gt;" in shown
    digest = list(opened.office.store.comments())[-1].hex()
    found = opened.client.get(f"/v1/comments/{digest}").json()
    assert found == {"text": "Line one\nline <b>two</b>", "salt": salt.group(1)}


def test_a_form_for_a_proposal_that_is_over_leads_back_to_it(opened: Open) -> None:
    opened.office.office.withdraw(opened.office.withdrawal(opened.number))
    path = f"/proposals/{opened.number}"
    done = opened.client.post(f"{path}/comments", data={"text": "Too late"})
    assert (done.status_code, done.headers["location"]) == (303, path)
    assert "<form" not in opened.client.get(path).text
    told = opened.client.post(f"/v1{path}/comments", json={"text": "Too late"})
    assert (told.status_code, told.json()["reason"]) == (403, "over")


Sent = dict[str, Any]
NONE = "0" * 64


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/v1/proposals", {"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ("/v1/proposals", {"json": []}, 400),
        ("/v1/proposals", {"json": {}}, 422),
        ("/v1/proposals", {"json": {"entry": 7, "impact_note": "x"}}, 422),
        ("/v1/proposals", {"json": {"entry": {}, "impact_note": 7}}, 422),
        ("/v1/proposals", {"json": {"entry": {}, "impact_note": "x", "more": 1}}, 422),
        ("/v1/proposals", {"json": {"entry": {"type": "charter"}, "impact_note": "x"}}, 422),
        ("/v1/proposals", {"data": {"entry": "x"}}, 415),
        ("/v1/proposals", {"json": {"entry": {"x": "x" * 140_000}, "impact_note": ""}}, 413),
        ("/v1/approvals", {"json": {"entry": {}, "checkpoint": "", "minutes": 7}}, 422),
        ("/v1/enactments", {"json": {"entry": {"type": "enactment"}}}, 422),
        ("/v1/routine", {"json": {"entry": {"type": "routine"}}}, 422),
        ("/v1/proposals/1/comments", {"json": {"text": ""}}, 422),
        ("/v1/proposals/1/comments", {"json": {"text": 7}}, 422),
        ("/v1/proposals/1/comments", {"json": {"text": "x" * 70_000}}, 413),
        ("/v1/proposals/9/comments", {"json": {"text": "Why?"}}, 404),
        ("/proposals/1/comments", {"data": {"text": "x", "name": "Ada"}}, 400),
        ("/proposals/1/comments", {"json": {"text": "x"}}, 415),
        ("/v1/complaints", {"json": {"type": "x"}}, 400),
        ("/v1/complaints", {"json": {"x": "x" * 100_000}}, 413),
        ("/v1/answers", {"json": {"proposal": -1, "text": "x"}, "headers": TOKEN}, 422),
        ("/v1/answers", {"json": {"proposal": True, "text": "x"}, "headers": TOKEN}, 422),
        ("/v1/answers", {"json": {"proposal": 9, "text": "x"}, "headers": TOKEN}, 404),
        (
            "/v1/removals",
            {"json": {"comment": "0" * 64, "reason": "dislike"}, "headers": TOKEN},
            422,
        ),
        ("/v1/removals", {"json": {"comment": "0" * 64, "reason": "spam"}, "headers": TOKEN}, 403),
        ("/v1/removals", {"json": {"comment": "0", "reason": "spam"}, "headers": TOKEN}, 404),
    ],
)
def test_bad_input_is_told_apart_and_changes_nothing(
    shared: Open, path: str, sent: Sent, status: int
) -> None:
    before = kept(shared)
    told = {**sent, "headers": dict(sent.get("headers", {}))}
    answered = shared.client.post(path, **told)
    assert answered.status_code == status, answered.text
    assert kept(shared) == before


def test_nothing_that_was_sent_is_repeated_by_a_problem(shared: Open) -> None:
    canary = "Canary-4711"
    for sent in ({"entry": {canary: canary}, "impact_note": canary}, {canary: canary}):
        assert canary not in shared.client.post("/v1/proposals", json=sent).text
    assert canary not in shared.client.get(f"/proposals/{canary}").text
    assert shared.office.lines == []


def test_an_entry_is_proved_by_what_its_address_serves(shared: Open) -> None:
    for number in range(shared.office.log.log.size()):
        found = shared.client.get(f"/v1/entries/{number}").json()
        path = tuple(tree.parse_hash(base64.decode(each)) for each in found["proof"])
        proof.verify_inclusion(
            leaf=tree.leaf_hash(found["entry"].encode()),
            proof=InclusionProof(index=number, path=path),
            head=shared.office.published().checkpoint.head,
        )
        assert found["checkpoint"] == shared.office.published().note.octets().decode()


def test_a_complaint_leaves_nothing_of_its_file(opened: Open) -> None:
    path, body = complain(opened, "anybody")
    answered = opened.client.post(path, json=body)
    assert answered.json() == {
        "published": [
            {
                "quarter": "2027-Q1",
                "verifier": "Exampleton Library",
                "policy": "library-card",
                "excess": "facts: birth_date",
            }
        ]
    }
    everything = repr(vars(opened.office.store)) + repr(opened.office.office.face())
    assert requests.NONCE not in everything
    assert str(body["request"])[:40] not in everything
    assert "asks for facts that the policy does not list" in opened.client.get("/complaints").text


def test_witnesses_that_are_away_are_waited_for_and_said(opened: Open) -> None:
    for each in opened.office.log.witnesses.values():
        each.away = True
    path, body = propose(opened, "the seat")
    answered = opened.client.post(path, json=body)
    assert (answered.status_code, answered.json()["witnessed"]) == (202, False)
    number = answered.json()["number"]
    assert opened.client.get(f"/v1/entries/{number}").json()["checkpoint"] is None
    assert "waits for witnesses" in opened.client.get(f"/proposals/{number}").text


def test_the_process_is_ready_once_something_is_published(shared: Open) -> None:
    assert shared.client.get("/readyz").status_code == 200


def test_reasons_are_listed_as_the_code_has_them() -> None:
    text = (Path(__file__).parents[3] / "docs" / "errors.md").read_text()
    section = text.split("## Why the register does not log an entry")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)) == set(Reason)


def test_the_document_describes_what_each_address_takes(shared: Open) -> None:
    document = shared.client.get("/openapi.json").json()
    OpenAPI.model_validate(document)
    for act in MATRIX:
        path, body = act(make(), "the seat")
        operation = document["paths"][re.sub(r"/\d+", "/{number}", path)]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(body, schema)
        assert ("security" in operation) == (path in {"/v1/answers", "/v1/removals"})
