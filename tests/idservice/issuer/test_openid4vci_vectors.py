"""The specification's own examples: our messages have their shape; what we leave out is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from crypto.encoding import canonical_json
from crypto.errors import Malformed
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt
from crypto.x509 import x5c
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.issuer import metadata, protocol
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256

EXAMPLES = Path(__file__).parents[2] / "vectors" / "openid4vci" / "examples"
CITY = metadata.City(issuer="https://issuer.example", name="Exampleton", languages=("en",))


def text(name: str) -> str:
    return (EXAMPLES / name).read_text()


def unfolded(name: str) -> str:
    """Return an example without the white space of its layout, HTTP headers taken off."""
    content = text(name).lstrip()
    if content.startswith("HTTP/"):
        content = re.split(r"\n\s*\n", content, maxsplit=1)[1]
    return re.sub(r"\s+", "", content)


def shape(value: object) -> object:
    """Return names and types, without values."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def fits(ours: object, theirs: object) -> bool:
    """Say whether everything that we write stands in the example, with the same type."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(name in theirs and fits(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return not ours or fits(ours[0], theirs[0])
    return ours == theirs


REFUSED_TOKEN_REQUESTS = sorted(path.name for path in EXAMPLES.glob("authorization_details*.json"))


def test_every_example_is_eaten() -> None:
    source = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        assert path.name in source or path.name in REFUSED_TOKEN_REQUESTS


@pytest.mark.parametrize("name", REFUSED_TOKEN_REQUESTS)
def test_authorization_details_are_refused(name: str) -> None:
    form = {
        "grant_type": protocol.GRANT,
        "pre-authorized_code": "A" * 43,
        "authorization_details": json.dumps(json.loads(text(name))),
    }
    with pytest.raises(ServiceError, match=Code.INVALID_REQUEST):
        protocol.parse_token_request(form)
    del form["authorization_details"]
    assert protocol.parse_token_request(form).transaction_code is None


def test_request_for_another_credential_is_refused() -> None:
    """The example is of a draft: it names a format, not a configuration."""
    example = canonical_json.parse_object(text("credential_request_iso_mdl.json").encode())
    with pytest.raises(ServiceError, match=Code.INVALID_CREDENTIAL_REQUEST):
        protocol.parse_credential_request(example)
    named = {**example, "credential_configuration_id": "org.iso.18013.5.1.mDL"}
    with pytest.raises(ServiceError, match=Code.UNKNOWN_CREDENTIAL_CONFIGURATION):
        protocol.parse_credential_request(named)


@pytest.mark.parametrize(
    "name", ["credential_offer_pre-authz_code.json", "credential_offer_by_reference.json"]
)
def test_our_offer_has_the_shape_of_the_example(name: str) -> None:
    theirs = json.loads(text(name))
    ours = offices.offered(offices.make().enrol()[1])
    assert shape(without_code(theirs)) == shape(without_code(ours))


def without_code(offer: Any) -> Any:
    """Take off what `tx_code` says of itself, which is optional."""
    grant = {**offer["grants"][protocol.GRANT], "tx_code": {}}
    return {**offer, "grants": {protocol.GRANT: grant}}


def test_offer_with_an_authorization_code_is_none_of_ours() -> None:
    example = json.loads(unfolded("credential_offer_authz_code.txt"))
    assert set(example["grants"]) == {"authorization_code"}
    ours = offices.offered(offices.make().enrol()[1])
    assert list(ours["grants"]) == [protocol.GRANT]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["credential_issuer_metadata_sd_jwt_long.json", "credential_metadata_sd_jwt_vc.json"]
)
def test_our_metadata_has_the_shape_of_the_example(name: str) -> None:
    theirs, ours = json.loads(text(name)), metadata.credential_issuer(CITY)
    (example,) = theirs.pop("credential_configurations_supported").values()
    configurations = ours.pop("credential_configurations_supported")
    supported = configurations[catalogue.CONFIGURATION]  # type: ignore[index, call-overload]
    claims = supported["credential_metadata"]["claims"]
    for claim in claims:
        assert claim.pop("mandatory") is True  # OpenID4VCI 1.0, appendix B.2; not in the example
    assert fits(shape(supported), shape(example))
    if "credential_issuer" in theirs:
        assert fits(shape(ours), shape(theirs))


def test_other_formats_are_described_in_another_way() -> None:
    example = json.loads(text("credential_metadata_jwt_vc_json.json"))
    (described,) = example["credential_configurations_supported"].values()
    ours = metadata.credential_issuer(CITY)["credential_configurations_supported"]
    assert described["format"] == "jwt_vc_json"
    assert not fits(shape(next(iter(ours.values()))), shape(described))  # type: ignore[union-attr]


def test_signed_metadata_of_the_example_is_of_our_type() -> None:
    token = unfolded("credential_issuer_metadata_sd_jwt_jwt.txt")
    parsed = jws.parse(token)
    (leaf,) = x5c.decode(parsed.header["x5c"])
    key = x509.load_der_x509_certificate(leaf).public_key()
    checked = jws.verify(token, key=key, algorithm="ES256", typ=metadata.SIGNED_TYPE)  # type: ignore[arg-type]
    theirs = canonical_json.parse_object(checked.payload)
    signed = metadata.sign(
        metadata.credential_issuer(CITY),
        x5c=("AAAA",),
        signer=jws.es256_signer(p256("metadata")),
        now=offices.cities.NOW,
    )
    ours = jws.parse(signed)
    assert set(ours.header) == set(parsed.header)
    content = canonical_json.parse_object(ours.payload)
    assert {"sub", "iat"} <= content.keys() & theirs.keys()


@pytest.mark.parametrize(
    "name", ["credential_response_sd_jwt_vc.txt", "credential_response_jwt_vc_json.txt"]
)
def test_credential_response_has_one_shape(name: str) -> None:
    example = json.loads(unfolded(name))
    ours = {"credentials": [{"credential": "text"}]}
    assert shape(example) == shape(ours)


def test_credential_of_the_example_parses() -> None:
    example = json.loads(unfolded("credential_response_sd_jwt_vc.txt"))
    parsed = sd_jwt.parse(example["credentials"][0]["credential"])
    assert isinstance(parsed, sd_jwt.SdJwt)
    assert len(parsed.disclosures) == 9


def test_issuer_keys_of_the_example_sign_its_credential() -> None:
    with pytest.raises(Malformed):
        canonical_json.parse_object(text("issuer_jwks.json").encode())
    (key,) = json.loads(unfolded("issuer_jwks.json"))["jwks"]["keys"]
    token = json.loads(unfolded("credential_response_jwt_vc_json.txt"))
    credential = token["credentials"][0]["credential"]
    jws.verify(credential, key=jwk.parse_public(key), algorithm="ES256", typ="JWT")


def test_wallet_attestation_is_no_key_proof() -> None:
    token = unfolded("wallet_attestation.jwt.txt")
    office = offices.make()
    request = protocol.CredentialRequest(configuration="resident_sd_jwt", proofs=(token,))
    with pytest.raises(ServiceError, match=Code.INVALID_PROOF):
        protocol.verify_proofs(
            request,
            audience=office.city.issuer,
            nonce_key=offices.NONCE_KEY,
            now=office.clock.now(),
        )
