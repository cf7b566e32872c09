"""Attacks on receiving: offers, codes and tokens, and where they travel (rows OID4VCI-*)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, jws
from crypto.sealed import offer
from idservice import catalogue
from idservice.errors import Code
from idservice.issuer import model, protocol
from idservice.issuer.protocol import TokenRequest
from tests.fakes import issuer_app
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.city import chance
from tests.fakes.issuer_office import Office

KEY = p256("attack")


@pytest.fixture
def office() -> Office:
    return offices.make()


@pytest.mark.attack("OID4VCI-003")
def test_expired_foreign_and_guessed_codes_look_the_same(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    elsewhere = offices.make(random_bytes=chance("another issuer"))
    foreign = offices.token_request(elsewhere.enrol()[1])
    guessed = replace(right, code=offer.Secret(bytes(32)))
    before = offices.rows(office)
    for request in (foreign, guessed):
        offices.refused(lambda request=request: office.issuer.token(request), Code.INVALID_GRANT)
    assert offices.rows(office) == before
    assert office.issuer.token(right)
    _, late = office.enrol()
    office.clock.forward(900)
    offices.refused(lambda: office.issuer.token(offices.token_request(late)), Code.INVALID_GRANT)


@pytest.mark.attack("OID4VCI-004")
def test_ten_thousand_transaction_codes_are_five(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    for guess in range(10_000):
        code = f"{guess:06}"
        if code != enrolment.transaction_code:
            request = replace(right, transaction_code=code)
            offices.refused(
                lambda request=request: office.issuer.token(request), Code.INVALID_GRANT
            )
    offices.refused(lambda: office.issuer.token(right), Code.INVALID_GRANT)
    _, fresh = office.enrol()
    assert office.issuer.token(offices.token_request(fresh))


@pytest.mark.attack("OID4VCI-005")
def test_transaction_code_is_an_exact_text() -> None:
    for seed in range(200):
        office = offices.make(random_bytes=chance(f"leading zero {seed}"))
        _, enrolment = office.enrol()
        if enrolment.transaction_code.startswith("0"):
            break
    else:
        pytest.fail("no code with a leading zero in two hundred")
    right, code = offices.token_request(enrolment), enrolment.transaction_code
    other_digits = code.translate({ord("0") + n: 0x0660 + n for n in range(10)})
    for given in (code.lstrip("0"), other_digits, f" {code}"):
        request = replace(right, transaction_code=given)
        offices.refused(lambda request=request: office.issuer.token(request), Code.INVALID_GRANT)
    missing = replace(right, transaction_code=None)
    offices.refused(lambda: office.issuer.token(missing), Code.INVALID_REQUEST)
    assert office.issuer.token(right)


@pytest.mark.attack("OID4VCI-005")
def test_transaction_code_where_none_is_expected_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    code = offices.code_of(resident.renew())
    superfluous = TokenRequest(code=code, transaction_code="000000")
    offices.refused(lambda: office.issuer.token(superfluous), Code.INVALID_REQUEST)
    assert office.issuer.token(TokenRequest(code=code, transaction_code=None))


@pytest.mark.attack("OID4VCI-007")
def test_photographed_offer_gives_nothing_without_the_transaction_code(office: Office) -> None:
    _, enrolment = office.enrol()
    content = offices.offered(enrolment)
    assert enrolment.transaction_code not in enrolment.offer + enrolment.offer_by_reference
    stolen = TokenRequest(code=offices.code_of(content), transaction_code=None)
    for _ in range(model.TRIES):
        offices.refused(lambda: office.issuer.token(stolen), Code.INVALID_REQUEST)
    offices.refused(
        lambda: office.issuer.token(offices.token_request(enrolment)), Code.INVALID_GRANT
    )


@pytest.mark.attack("OID4VCI-008")
def test_offer_address_cannot_be_guessed_and_says_nothing_of_a_person(tmp_path: Path) -> None:
    with issuer_app.running(tmp_path / "city") as process:
        enrolment = process.enrol()
        link = offices.parse_qs(offices.urlsplit(enrolment.offer_by_reference).query)
        address = link["credential_offer_uri"][0]
        assert len(base64url.decode(address.rsplit("/", 1)[1])) == 32
        first, second = process.client.get(address), process.client.get(address)
        assert first.content == second.content
        for value in ("Ada", "Okonkwo", "1990", enrolment.transaction_code):
            assert value not in first.text
        guessed = process.client.get(address[:-43] + "A" * 43)
        assert len(guessed.content) == len(first.content)
        code = guessed.json()["grants"][protocol.GRANT]["pre-authorized_code"]
        form = {"grant_type": protocol.GRANT, "pre-authorized_code": code, "tx_code": "000000"}
        answer = process.client.post("/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def enrolled_token(process: issuer_app.RunningIssuer) -> str:
    enrolment = process.enrol()
    code = base64url.encode(offices.code_of(offices.offered(enrolment)))
    form = {
        "grant_type": protocol.GRANT,
        "pre-authorized_code": code,
        "tx_code": enrolment.transaction_code,
    }
    return str(process.client.post("/token", data=form).json()["access_token"])


@pytest.mark.attack("OID4VCI-024")
def test_token_in_the_address_is_refused(tmp_path: Path) -> None:
    with issuer_app.running(tmp_path / "city") as process:
        token = enrolled_token(process)
        nonce = process.client.post("/nonce").json()["c_nonce"]
        proof = _proof(process, nonce)
        asked: dict[str, Any] = {
            "json": {
                "credential_configuration_id": catalogue.CONFIGURATION,
                "proofs": {"jwt": [proof]},
            }
        }
        answer = process.client.post(f"/credential?access_token={token}", **asked)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert token not in answer.text
        answer = process.client.post("/credential", data={"access_token": token})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        wrong = {"Authorization": f"Bearer {token[::-1]}"}
        answer = process.client.post("/credential", headers=wrong, **asked)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        good = {"Authorization": f"Bearer {token}"}
        assert process.client.post("/credential", headers=good, **asked).status_code == 200


@pytest.mark.attack("OID4VCI-024")
@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer A", "DPoP " + "A" * 43, "A" * 43]
)
def test_token_in_another_form_is_refused(tmp_path: Path, value: str) -> None:
    with issuer_app.running(tmp_path / "city") as process:
        answer = process.client.post("/credential", json={}, headers={"Authorization": value})
        brought = value.startswith("Bearer")
        code = "invalid_token" if brought else "unauthorized"
        assert (answer.status_code, answer.json()["error"]) == (401, code)
        assert ("error" in answer.headers["www-authenticate"]) is brought


@pytest.mark.attack("OID4VCI-039")
def test_metadata_follows_no_header(tmp_path: Path) -> None:
    with issuer_app.running(tmp_path / "city") as process:
        path = "/.well-known/openid-credential-issuer"
        clean = process.client.get(path)
        for name in (
            "Host",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Original-URL",
        ):
            poisoned = process.client.get(path, headers={name: "evil.example"})
            assert poisoned.content == clean.content
        assert clean.json()["credential_endpoint"] == f"{process.base}/credential"


def _proof(process: issuer_app.RunningIssuer, nonce: str) -> str:
    header: JsonObject = {
        "alg": "ES256",
        "typ": protocol.PROOF_TYPE,
        "jwk": {**jwk.public_jwk(KEY.public_key())},
    }
    payload: JsonObject = {"aud": process.base, "iat": process.clock.now(), "nonce": nonce}
    return jws.sign(
        header=header,
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(KEY),
    )
