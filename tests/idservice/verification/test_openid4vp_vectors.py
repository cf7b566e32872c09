"""The examples of OpenID4VP 1.0, as far as they are about what is built here."""

from pathlib import Path

import pytest

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed, WrongAlgorithm, WrongAudience, WrongNonce
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import disclosure, key_binding, sd_jwt
from idservice.verification import dcql, openid4vp

HERE = Path(__file__).parents[2] / "vectors" / "openid4vp"
FILES = sorted(
    str(path.relative_to(HERE)) for path in HERE.rglob("*.*") if path.name != "SOURCE.md"
)
QUERIES = [
    "examples/query_lang/multi_credentials.json",
    "examples/query_lang/simple.json",
    "examples/query_lang/simple_mdoc.json",
    "examples/query_lang/value_matching_simple.json",
    "examples/request/dcql_jwt_vc.json",
]
NOT_JSON = [
    "examples/digital_credentials_api/signed_request_payload.json",
    "examples/request/request_object_client_id_did.json",
]
SD_JWT = "examples/sd_jwt_vcld/01"
LEFT_OUT = {
    "examples/client_metadata/mso_mdoc_verifier_metadata.json": "mdoc is not presented yet",
    "examples/client_metadata/w3c_jwt_verifier_metadata.json": "W3C formats are not spoken",
    "examples/credentials/jwt_vc.json": "W3C formats are not spoken",
    "examples/credentials/ldp_vc.json": "W3C formats are not spoken",
    "examples/digital_credentials_api/error_invalid_request.json": "no Digital Credentials API yet",
    "examples/response/jwt_vc.json": "W3C formats are not spoken",
    "mdoc-handover-redirect.json": "mdoc is not presented yet",
}
PID: JsonObject = {
    "vct": "https://credentials.example.com/identity_credential",
    "given_name": "John",
    "family_name": "Doe",
    "postal_code": "90210",
    "address": {"street_address": "1 Main St", "locality": "Exampleton"},
}


def read(name: str) -> JsonObject:
    return canonical_json.parse_object((HERE / name).read_bytes())


@pytest.mark.parametrize("name", NOT_JSON)
def test_example_that_is_not_json_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        read(name)


@pytest.mark.parametrize("name", QUERIES)
def test_example_query_is_read(name: str) -> None:
    written = read(name)
    query = dcql.parse(written)
    asked = [one["path"] for one in written["credentials"][0]["claims"]]  # type: ignore[index, call-overload, union-attr]
    assert [list(one.path) for one in query.credentials[0].claims] == asked
    assert query.credential_sets == ()


def test_simple_query_selects_the_three_claims() -> None:
    query = dcql.parse(read("examples/query_lang/simple.json")).credentials[0]
    assert dcql.facts(query) == {"family_name", "given_name", "address.street_address"}
    assert dcql.select(query, PID, credential_format="dc+sd-jwt") == (
        ("family_name",),
        ("given_name",),
        ("address", "street_address"),
    )


@pytest.mark.parametrize(
    ("changes", "selected"),
    [
        ({}, 4),
        ({"family_name": "Roe"}, 0),
        ({"postal_code": "90211"}, 4),
        ({"postal_code": "90212"}, 0),
    ],
    ids=str,
)
def test_value_matching_query_selects_by_value(changes: JsonObject, selected: int) -> None:
    query = dcql.parse(read("examples/query_lang/value_matching_simple.json")).credentials[0]
    found = dcql.select(query, {**PID, **changes}, credential_format="dc+sd-jwt")
    assert len(found or ()) == selected


def test_mdoc_query_matches_no_sd_jwt() -> None:
    query = dcql.parse(read("examples/query_lang/simple_mdoc.json")).credentials[0]
    assert dcql.select(query, PID, credential_format="dc+sd-jwt") is None


def test_our_metadata_have_the_members_of_the_example() -> None:
    example = read("examples/client_metadata/sd_jwt_vc_verifier_metadata.json")
    ours = openid4vp.write_request(
        openid4vp.Request(
            client_id="x509_san_dns:bar.example",
            response_uri="https://bar.example/r",
            response_mode=openid4vp.ResponseMode.DIRECT_POST,
            nonce="n",
            state=None,
            query=dcql.for_facts(vct="v", required=["resident"], optional=[]),
            policy=None,
            encryption=None,
            wallet_nonce=None,
        )
    )["client_metadata"]
    assert isinstance(ours, dict)
    assert ours.keys() == example.keys()
    assert ours["vp_formats_supported"]["dc+sd-jwt"].keys() == (  # type: ignore[index, call-overload, union-attr]
        example["vp_formats_supported"]["dc+sd-jwt"].keys()  # type: ignore[index, call-overload, union-attr]
    )


def test_every_example_is_eaten_or_left_out_with_a_reason() -> None:
    eaten = {
        *QUERIES,
        *NOT_JSON,
        "examples/client_metadata/sd_jwt_vc_verifier_metadata.json",
        "examples/request/request_header_client_id_did.json",
        "examples/credentials/sd_jwt_vc.json",
        "examples/credentials/sd_jwt_vc_unsecured.json",
        "examples/response/kb_jwt_unsecured.json",
    }
    sd_jwt = {name for name in FILES if name.startswith(SD_JWT)}
    assert eaten | sd_jwt | LEFT_OUT.keys() == set(FILES)


def test_request_header_of_another_prefix_is_refused_by_its_algorithm() -> None:
    header = read("examples/request/request_header_client_id_did.json")
    with pytest.raises(WrongAlgorithm):
        jws.check_header(header, algorithm="ES256", typ=openid4vp.REQUEST_TYPE)


def text(name: str) -> str:
    return (HERE / SD_JWT / name).read_text().replace("\n", "")


def test_example_presentation_is_bound_to_its_nonce_and_audience() -> None:
    presentation = sd_jwt.parse(text("sd_jwt_presentation.txt"))
    assert isinstance(presentation, sd_jwt.SdJwtWithKeyBinding)
    said = read(f"{SD_JWT}/kb_jwt_payload.json")
    contents = read(f"{SD_JWT}/verified_contents.json")
    holder = jwk.parse_public(contents["cnf"]["jwk"])  # type: ignore[index, call-overload, arg-type]
    checked = {
        "nonce": str(said["nonce"]),
        "audience": str(said["aud"]),
        "now": UnixSeconds(said["iat"]),  # type: ignore[arg-type]
        "max_age": 300,
        "skew": 60,
    }
    key_binding.verify(presentation, key=holder, **checked)  # type: ignore[arg-type]
    with pytest.raises(WrongNonce):
        key_binding.verify(presentation, key=holder, **{**checked, "nonce": "1"})  # type: ignore[arg-type]
    with pytest.raises(WrongAudience):
        key_binding.verify(presentation, key=holder, **{**checked, "audience": "x"})  # type: ignore[arg-type]


def test_example_issuance_discloses_what_its_user_claims_say() -> None:
    credential = sd_jwt.parse(text("sd_jwt_issuance.txt"))
    assert isinstance(credential, sd_jwt.SdJwt)
    payload = canonical_json.parse_object(credential.issuer.payload)
    assert payload == read(f"{SD_JWT}/sd_jwt_payload.json")
    claims = read(f"{SD_JWT}/user_claims.json")
    subject = claims["ld"]["credentialSubject"]  # type: ignore[index, call-overload]
    disclosed = map(disclosure.parse, credential.disclosures)
    assert {one.name: one.value for one in disclosed} == subject


@pytest.mark.parametrize(
    "name", ["credentials/sd_jwt_vc.json", "credentials/sd_jwt_vc_unsecured.json"]
)
def test_example_credential_has_the_type_that_a_query_asks_for(name: str) -> None:
    query = dcql.parse(read("examples/query_lang/simple.json")).credentials[0]
    assert read(f"examples/{name}")["vct"] in query.vct_values


def test_example_key_binding_with_hashes_of_transactions_names_nonce_and_audience() -> None:
    said = read("examples/response/kb_jwt_unsecured.json")
    assert said.keys() > {"nonce", "aud", "iat", "sd_hash"}
