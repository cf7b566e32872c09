"""Attacks on the issuer (OpenID4VCI): each is refused with its code, the rows stay as they were."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt
from crypto.sealed import offer
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import model, protocol
from idservice.issuer.model import Authorisation
from idservice.issuer.protocol import TokenRequest
from tests.fakes import issuer_app
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.city import chance
from tests.fakes.issuer_office import Office
from tests.fakes.issuer_stores import MemoryLasting, MemoryPending

KEYS = [p256(f"attack {number}") for number in range(catalogue.BATCH)]


@pytest.fixture
def office() -> Office:
    return offices.make()


def rows(office: Office) -> object:
    """Everything the issuer holds."""
    lasting, pending = office.stores.lasting, office.stores.pending
    assert isinstance(lasting, MemoryLasting)
    assert isinstance(pending, MemoryPending)
    return deepcopy((lasting._content, pending._offers, pending._tokens))


def refused(act: Callable[[], object], code: Code) -> None:
    with pytest.raises(ServiceError) as caught:
        act()
    assert caught.value.code is code
    assert str(caught.value) == code.value


# The token endpoint.


@pytest.mark.attack("OID4VCI-003")
def test_expired_foreign_and_guessed_codes_look_the_same(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    elsewhere = offices.make(random_bytes=chance("another issuer"))
    foreign = offices.token_request(elsewhere.enrol()[1])
    guessed = replace(right, code=offer.Secret(bytes(32)))
    before = rows(office)
    for request in (foreign, guessed):
        refused(lambda request=request: office.issuer.token(request), Code.INVALID_GRANT)
    assert rows(office) == before
    assert office.issuer.token(right)
    _, late = office.enrol()
    office.clock.forward(900)
    refused(lambda: office.issuer.token(offices.token_request(late)), Code.INVALID_GRANT)


@pytest.mark.attack("OID4VCI-004")
def test_ten_thousand_transaction_codes_are_five(office: Office) -> None:
    _, enrolment = office.enrol()
    right = offices.token_request(enrolment)
    for guess in range(10_000):
        code = f"{guess:06}"
        if code != enrolment.transaction_code:
            request = replace(right, transaction_code=code)
            refused(lambda request=request: office.issuer.token(request), Code.INVALID_GRANT)
    refused(lambda: office.issuer.token(right), Code.INVALID_GRANT)
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
        refused(lambda request=request: office.issuer.token(request), Code.INVALID_GRANT)
    missing = replace(right, transaction_code=None)
    refused(lambda: office.issuer.token(missing), Code.INVALID_REQUEST)
    assert office.issuer.token(right)


@pytest.mark.attack("OID4VCI-005")
def test_transaction_code_where_none_is_expected_is_refused(office: Office) -> None:
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    code = offices.code_of(resident.renew())
    superfluous = TokenRequest(code=code, transaction_code="000000")
    refused(lambda: office.issuer.token(superfluous), Code.INVALID_REQUEST)
    assert office.issuer.token(TokenRequest(code=code, transaction_code=None))


@pytest.mark.attack("OID4VCI-007")
def test_photographed_offer_gives_nothing_without_the_transaction_code(office: Office) -> None:
    _, enrolment = office.enrol()
    content = offices.offered(enrolment)
    assert enrolment.transaction_code not in enrolment.offer + enrolment.offer_by_reference
    stolen = TokenRequest(code=offices.code_of(content), transaction_code=None)
    for _ in range(model.TRIES):
        refused(lambda: office.issuer.token(stolen), Code.INVALID_REQUEST)
    refused(lambda: office.issuer.token(offices.token_request(enrolment)), Code.INVALID_GRANT)


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


# Key proofs. Each case changes the last of twenty proofs, so each is OID4VCI-017 as well.

Forge = Callable[[Office, str], str]


def changed(
    *, header: Mapping[str, JsonValue] | None = None, payload: Mapping[str, JsonValue] | None = None
) -> Forge:
    def forge(office: Office, nonce: str) -> str:
        return offices.proof(office, KEYS[-1], nonce=nonce, header=header, payload=payload)

    return forge


def at(shift: int) -> Forge:
    def forge(office: Office, nonce: str) -> str:
        payload = {"iat": office.clock.now() + shift}
        return offices.proof(office, KEYS[-1], nonce=nonce, payload=payload)

    return forge


def signed_by(key: ec.EllipticCurvePrivateKey) -> Forge:
    """Sign with another key than the header shows."""

    def forge(office: Office, nonce: str) -> str:
        shown: JsonObject = {"jwk": {**jwk.public_jwk(KEYS[-1].public_key())}}
        return offices.proof(office, key, nonce=nonce, header=shown)

    return forge


def spoilt(position: int) -> Forge:
    """Change one character of one part."""

    def forge(office: Office, nonce: str) -> str:
        parts = offices.proof(office, KEYS[-1], nonce=nonce).split(".")
        text = parts[position]
        parts[position] = text[:9] + ("A" if text[9] != "A" else "B") + text[10:]
        return ".".join(parts)

    return forge


def unsigned(office: Office, nonce: str) -> str:
    head, payload, _ = changed(header={"alg": "none"})(office, nonce).split(".")
    return f"{head}.{payload}."


def symmetric(office: Office, nonce: str) -> str:
    return changed(header={"alg": "HS256"})(office, nonce)


PRIVATE: JsonObject = {"jwk": {**jwk.private_jwk(KEYS[-1])}}
ATTESTATION = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImtleS1hdHRlc3RhdGlvbitqd3QifQ.e30.AAAA"

FORGED: dict[tuple[str, str], Forge] = {
    ("OID4VCI-012", "another issuer"): changed(payload={"aud": "https://other.example"}),
    ("OID4VCI-012", "http"): changed(payload={"aud": "http://issuer.example"}),
    ("OID4VCI-012", "trailing slash"): changed(payload={"aud": "https://issuer.example/"}),
    ("OID4VCI-012", "array"): changed(payload={"aud": ["https://issuer.example"]}),
    ("OID4VCI-012", "missing"): changed(payload={"aud": None}),
    ("OID4VCI-013", "typ missing"): changed(header={"typ": None}),
    ("OID4VCI-013", "typ JWT"): changed(header={"typ": "JWT"}),
    ("OID4VCI-013", "typ key binding"): changed(header={"typ": "kb+jwt"}),
    ("OID4VCI-013", "alg none"): unsigned,
    ("OID4VCI-013", "alg HS256"): symmetric,
    ("OID4VCI-013", "alg es256"): changed(header={"alg": "es256"}),
    ("OID4VCI-013", "private key"): changed(header=PRIVATE),
    ("OID4VCI-013", "kid and jwk"): changed(header={"kid": "did:example:1#1"}),
    ("OID4VCI-013", "x5c and jwk"): changed(header={"x5c": []}),
    ("OID4VCI-013", "no key"): changed(header={"jwk": None}),
    ("OID4VCI-013", "critical header"): changed(header={"crit": ["exp"]}),
    ("OID4VCI-014", "another key"): signed_by(p256("thief")),
    ("OID4VCI-014", "signature changed"): spoilt(2),
    ("OID4VCI-014", "payload changed"): spoilt(1),
    ("OID4VCI-015", "no nonce"): changed(payload={"nonce": None}),
    ("OID4VCI-017", "not a token"): lambda _office, _nonce: "e30.e30",
    ("OID4VCI-017", "key twice"): lambda office, nonce: offices.proof(office, KEYS[0], nonce=nonce),
    ("OID4VCI-018", "another nonce of ours"): lambda office, _nonce: offices.proof(
        office, KEYS[-1], nonce=office.issuer.nonce()
    ),
    ("OID4VCI-019", "iat long past"): at(-3600),
    ("OID4VCI-019", "iat in the future"): at(3600),
    ("OID4VCI-019", "iat missing"): changed(payload={"iat": None}),
    ("OID4VCI-019", "iat text"): changed(payload={"iat": "1800000000"}),
    ("OID4VCI-019", "iat true"): changed(payload={"iat": True}),
    ("OID4VCI-020", "attestation"): changed(header={"key_attestation": ATTESTATION}),
    ("OID4VCI-020", "attestation not a text"): changed(header={"key_attestation": {}}),
    ("OID4VCI-020", "trust chain"): changed(header={"trust_chain": [ATTESTATION]}),
}


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(forge, id=f"{row}-{case}", marks=pytest.mark.attack(row))
        for (row, case), forge in FORGED.items()
    ],
)
def test_one_bad_proof_refuses_the_batch(office: Office, forge: Forge) -> None:
    _, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    nonce = office.issuer.nonce()
    proofs = [offices.proof(office, key, nonce=nonce) for key in KEYS[:-1]]
    before = rows(office)
    bad = body([*proofs, forge(office, nonce)])
    refused(lambda: office.issuer.credential(token, bad), Code.INVALID_PROOF)
    assert rows(office) == before
    good = body([*proofs, offices.proof(office, KEYS[-1], nonce=nonce)])
    assert len(office.issuer.credential(token, good)) == catalogue.BATCH


def body(proofs: list[str], **changes: JsonValue) -> JsonObject:
    return {
        "credential_configuration_id": catalogue.CONFIGURATION,
        "proofs": {"jwt": [*proofs]},
        **changes,
    }


def foreign_nonce(_office: Office) -> str:
    return protocol.new_nonce(
        key=bytes(range(32)), now=offices.cities.NOW, random_bytes=chance("foreign")
    )


def expired_nonce(office: Office) -> str:
    nonce = office.issuer.nonce()
    office.clock.forward(protocol.NONCE_LIFETIME)
    return nonce


NONCES: dict[str, Callable[[Office], str]] = {
    "of another issuer": foreign_nonce,
    "expired": expired_nonce,
    "never issued": lambda _office: base64url.encode(bytes(48)),
    "truncated": lambda office: office.issuer.nonce()[:-4],
    "swapped case": lambda office: office.issuer.nonce().swapcase(),
    "empty": lambda _office: "",
    "with padding": lambda office: office.issuer.nonce() + "=",
    "endless": lambda _office: "A" * 100_000,
}


@pytest.mark.attack("OID4VCI-010")
@pytest.mark.parametrize("make", NONCES.values(), ids=NONCES.keys())
def test_nonce_that_is_not_ours_or_not_fresh_is_refused(
    office: Office, make: Callable[[Office], str]
) -> None:
    _, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    before = rows(office)
    proofs = [offices.proof(office, KEYS[0], nonce=make(office))]
    refused(lambda: office.issuer.credential(token, body(proofs)), Code.INVALID_NONCE)
    assert rows(office) == before
    assert office.issuer.credential(token, offices.credential_body(office, KEYS[:1]))


REQUESTS: dict[tuple[str, str, Code], Callable[[JsonObject], JsonObject]] = {
    ("OID4VCI-015", "no proofs", Code.INVALID_PROOF): lambda good: {
        name: value for name, value in good.items() if name != "proofs"
    },
    ("OID4VCI-015", "proof of an older draft", Code.INVALID_PROOF): lambda good: {
        "credential_configuration_id": catalogue.CONFIGURATION,
        "proof": {"proof_type": "jwt", "jwt": str(good)},
    },
    ("OID4VCI-015", "no proof types", Code.INVALID_PROOF): lambda good: {**good, "proofs": {}},
    ("OID4VCI-015", "no proof", Code.INVALID_PROOF): lambda good: {
        **good,
        "proofs": {"jwt": []},
    },
    ("OID4VCI-015", "two types", Code.INVALID_PROOF): lambda good: {
        **good,
        "proofs": {**good["proofs"], "di_vp": []},  # type: ignore[dict-item]
    },
    ("OID4VCI-015", "ten thousand", Code.INVALID_PROOF): lambda good: {
        **good,
        "proofs": {"jwt": ["e30.e30.AAAA"] * 10_000},
    },
    ("OID4VCI-015", "not texts", Code.INVALID_PROOF): lambda good: {
        **good,
        "proofs": {"jwt": [{}]},
    },
    ("OID4VCI-022", "configuration", Code.UNKNOWN_CREDENTIAL_CONFIGURATION): lambda good: {
        **good,
        "credential_configuration_id": "driving_licence",
    },
    ("OID4VCI-022", "identifier", Code.UNKNOWN_CREDENTIAL_IDENTIFIER): lambda good: {
        "credential_identifier": "resident",
        "proofs": good["proofs"],
    },
    ("OID4VCI-022", "both", Code.INVALID_CREDENTIAL_REQUEST): lambda good: {
        **good,
        "credential_identifier": "resident",
    },
    ("OID4VCI-022", "neither", Code.INVALID_CREDENTIAL_REQUEST): lambda good: {
        "proofs": good["proofs"]
    },
    ("OID4VCI-022", "not a text", Code.INVALID_CREDENTIAL_REQUEST): lambda good: {
        **good,
        "credential_configuration_id": [catalogue.CONFIGURATION],
    },
    ("OID4VCI-035", "weak", Code.INVALID_ENCRYPTION_PARAMETERS): lambda good: {
        **good,
        "credential_response_encryption": {"jwk": {}, "enc": "A128CBC-HS256", "zip": "DEF"},
    },
    ("OID4VCI-035", "any", Code.INVALID_ENCRYPTION_PARAMETERS): lambda good: {
        **good,
        "credential_response_encryption": {
            "jwk": {**jwk.public_jwk(KEYS[0].public_key()), "alg": "ECDH-ES"},
            "enc": "A256GCM",
        },
    },
}


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        pytest.param(code, spoil, id=f"{row}-{case}", marks=pytest.mark.attack(row))
        for (row, case, code), spoil in REQUESTS.items()
    ],
)
def test_credential_request_that_is_not_one_is_refused(
    office: Office, code: Code, spoil: Callable[[JsonObject], JsonObject]
) -> None:
    _, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    good = offices.credential_body(office, KEYS)
    before = rows(office)
    refused(lambda: office.issuer.credential(token, spoil(good)), code)
    assert rows(office) == before
    assert len(office.issuer.credential(token, good)) == catalogue.BATCH


@pytest.mark.attack("OID4VCI-023")
def test_token_for_another_configuration_issues_nothing(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    row = office.stores.pending.token(offer.row_key(token), slot=0)
    assert row is not None
    held = Authorisation.parse(
        offer.unseal(row.sealed, secret=token), today=period.day(office.clock.now())
    )
    other = replace(held, entitlement=replace(held.entitlement, configuration="other"))
    stolen = offer.new_token(random_bytes=chance("other token"))
    office.stores.pending.add_offer(b"\x01" * 32, sealed=b"", slot=10**9)
    office.stores.pending.trade(
        b"\x01" * 32,
        token=offer.row_key(stolen),
        sealed=offer.seal(other.write(), secret=stolen, random_bytes=chance()),
        slot=10**9,
    )
    before = rows(office)
    refused(lambda: resident.issue(stolen), Code.INVALID_CREDENTIAL_REQUEST)
    assert rows(office) == before
    assert resident.issue(token)


@pytest.mark.attack("OID4VCI-038")
def test_withdrawn_between_token_and_credential_issues_nothing(office: Office) -> None:
    """There is no register to delete from; what a resident can end is the enrolment itself."""
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    office.issuer.withdraw(offices.slip_of(enrolment))
    before = rows(office)
    refused(lambda: resident.issue(token), Code.CREDENTIAL_REQUEST_DENIED)
    assert rows(office) == before
    other, another = office.enrol()
    assert other.take(another)


@pytest.mark.attack("OID4VCI-037")
def test_claims_in_a_request_are_not_signed(office: Office) -> None:
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    wanted: JsonObject = {
        **offices.credential_body(office, KEYS[:1]),
        "claims": {"given_name": "Mallory", "age_over_65": True},
        "credential_subject": {"family_name": "Mallory"},
        "vct": "https://evil.example",
    }
    resident.credentials = list(office.issuer.credential(token, wanted))
    content = resident.claims()
    assert (content["given_name"], content["age_over_65"]) == ("Ada", False)
    assert "Mallory" not in str(content)
    assert "evil" not in str(content)


@pytest.mark.attack("OID4VCI-040")
def test_no_time_in_a_credential_tells_when_it_was_issued(office: Office) -> None:
    times = set()
    for shift in (0, 1, 4711, 86_400):
        office.clock.forward(shift)
        resident, enrolment = office.enrol()
        resident.take(enrolment, count=1, label=f"time {shift}")
        content = resident.claims()
        assert "iat" not in content
        times.add((content["nbf"], content["exp"]))
        parsed = sd_jwt.parse(resident.credentials[0])
        assert isinstance(parsed, sd_jwt.SdJwt)
        assert str(office.clock.now()) not in str(parsed.issuer)
    assert times == {(period.not_before(office.city.period), period.expires(office.city.period))}


# The counter.


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
        asked: dict[str, Any] = {"json": body([proof])}
        answer = process.client.post(f"/credential?access_token={token}", **asked)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert token not in answer.text
        answer = process.client.post("/credential", data={"access_token": token})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        good = {"Authorization": f"Bearer {token}"}
        assert process.client.post("/credential", headers=good, **asked).status_code == 200


@pytest.mark.attack("OID4VCI-024")
@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer A", "DPoP " + "A" * 43, "A" * 43]
)
def test_token_in_another_form_is_refused(tmp_path: Path, value: str) -> None:
    with issuer_app.running(tmp_path / "city") as process:
        answer = process.client.post("/credential", json={}, headers={"Authorization": value})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


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
        "jwk": {**jwk.public_jwk(KEYS[0].public_key())},
    }
    payload: JsonObject = {"aud": process.base, "iat": process.clock.now(), "nonce": nonce}
    return jws.sign(
        header=header,
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(KEYS[0]),
    )
