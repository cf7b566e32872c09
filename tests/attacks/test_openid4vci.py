"""Attacks on receiving: proofs, nonces and requests; what is held stays as it was (OID4VCI-*)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.jose import jwk
from crypto.sdjwt import sd_jwt
from crypto.sealed import offer
from idservice import catalogue, period
from idservice.errors import Code
from idservice.issuer import protocol
from idservice.issuer.model import Authorisation
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.city import chance
from tests.fakes.issuer_office import Office

KEYS = [p256(f"attack {number}") for number in range(catalogue.BATCH)]


@pytest.fixture
def office() -> Office:
    return offices.make()


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
    before = offices.rows(office)
    bad = body([*proofs, forge(office, nonce)])
    offices.refused(lambda: office.issuer.credential(token, bad), Code.INVALID_PROOF)
    assert offices.rows(office) == before
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
    before = offices.rows(office)
    proofs = [offices.proof(office, KEYS[0], nonce=make(office))]
    offices.refused(lambda: office.issuer.credential(token, body(proofs)), Code.INVALID_NONCE)
    assert offices.rows(office) == before
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
    before = offices.rows(office)
    offices.refused(lambda: office.issuer.credential(token, spoil(good)), code)
    assert offices.rows(office) == before
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
    before = offices.rows(office)
    offices.refused(lambda: resident.issue(stolen), Code.INVALID_CREDENTIAL_REQUEST)
    assert offices.rows(office) == before
    assert resident.issue(token)


@pytest.mark.attack("OID4VCI-038")
def test_withdrawn_between_token_and_credential_issues_nothing(office: Office) -> None:
    """There is no register to delete from; what a resident can end is the enrolment itself."""
    resident, enrolment = office.enrol()
    token = office.issuer.token(offices.token_request(enrolment))
    office.issuer.withdraw(offices.slip_of(enrolment))
    before = offices.rows(office)
    offices.refused(lambda: resident.issue(token), Code.CREDENTIAL_REQUEST_DENIED)
    assert offices.rows(office) == before
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
