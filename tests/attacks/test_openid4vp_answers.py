"""Attacks on presentation: how an answer is sealed, and what is in it (rows OID4VP-*)."""

import json
import time
from collections.abc import Callable

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk
from idservice.errors import Code
from idservice.verification.openid4vp import ResponseMode
from tests.fakes import certificates, questions
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.city import FakeCity
from tests.fakes.questions import Question
from tests.fakes.verifier_office import Office

JWT = ResponseMode.DIRECT_POST_JWT


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return cities.make()


@pytest.fixture
def office(city: FakeCity) -> Office:
    return offices.make(city)


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
    before = questions.held(question.office)
    begin = time.thread_time()
    with questions.refused(Code.INVALID_REQUEST):
        question.respond({"response": token})
    assert time.thread_time() - begin < 2, "CPU seconds: work must not grow with what was sent"
    assert questions.held(question.office) == before
    assert question.still_open()


@pytest.mark.attack("OID4VP-019")
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_other_encryption_is_refused_before_any_work(office: Office, header: JsonObject) -> None:
    refused_sealed(questions.ask(office, JWT), seal(header))


@pytest.mark.attack("OID4VP-020")
def test_compressed_answer_is_refused(office: Office) -> None:
    question = questions.ask(office, JWT)
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
    question = questions.ask(office, JWT)
    refused_sealed(question, ".".join(change(question.form["response"].split("."))))


@pytest.mark.attack("OID4VP-022")
def test_answer_in_the_clear_is_refused_where_encryption_was_asked_for(office: Office) -> None:
    question = questions.ask(office, JWT)
    before = questions.held(office)
    plain = questions.shown(question)
    for form in (plain, {**plain, **question.form}):
        with questions.refused(Code.INVALID_REQUEST):
            question.respond(form)
    assert questions.held(office) == before
    clear = questions.ask(office)
    with questions.refused(Code.INVALID_REQUEST):
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
    question = questions.ask(office)
    presentation = json.loads(question.form["vp_token"])["resident"]
    form = {**question.form, "vp_token": json.dumps(dict.fromkeys(names, presentation))}
    assert questions.verdict(question, form) == {"result": "refused", "code": "malformed"}
    assert questions.ask(office).still_open()


@pytest.mark.attack("OID4VP-025")
@pytest.mark.parametrize("count", [0, 2, 20])
def test_none_or_several_presentations_are_refused(office: Office, count: int) -> None:
    question = questions.ask(office)
    presentations = json.loads(question.form["vp_token"])["resident"] * count
    form = questions.form_with(presentations, question.request.state)
    assert questions.verdict(question, form) == {"result": "refused", "code": "malformed"}
    assert questions.ask(office).still_open()


@pytest.mark.attack("OID4VP-026")
def test_claims_beyond_the_policy_are_dropped(office: Office) -> None:
    question = questions.ask(office)
    everything = ("resident", "given_name", "family_name", "birth_date", "address.locality")
    answer = questions.verdict(question, questions.shown(question, facts=everything))
    assert answer is not None
    assert answer["facts"] == {"resident": True, "given_name": "Ada"}
    for beyond in ("Okonkwo", "1990", "Exampleton"):
        assert beyond not in json.dumps(answer)


@pytest.mark.attack("OID4VP-032")
def test_presentation_without_holder_binding_is_refused(office: Office) -> None:
    question = questions.ask(office)
    presentation = json.loads(question.form["vp_token"])["resident"][0]
    stripped = presentation[: presentation.rindex("~") + 1]
    answer = questions.verdict(question, questions.form_with([stripped], question.request.state))
    assert answer == {"result": "refused", "code": "holder_binding"}
    thief = questions.ask(office)
    other_key = questions.shown(thief, holder=cities.holder_key("thief"))
    assert questions.verdict(thief, other_key) == {"result": "refused", "code": "holder_binding"}
    assert questions.ask(office).still_open()


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
    question = questions.ask(office)
    form = {
        "error": error,
        "error_description": "<b>Ada Okonkwo</b>\r\nSet-Cookie: a=b",
        "state": question.request.state or "",
    }
    answer = questions.verdict(question, form)
    assert answer == {"result": "declined", "code": code}
    assert office.lines == []
