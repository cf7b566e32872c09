"""The published JSON Schemas say what the parsers say."""

import json
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from crypto.errors import CryptoError
from idservice import catalogue
from idservice.demonstration import cast
from idservice.period import day
from idservice.verification import policy, trust
from tests.fakes import city

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
POLICY = json.loads((SCHEMAS / "policy.schema.json").read_text())
BUNDLE = json.loads((SCHEMAS / "bundle.schema.json").read_text())
REGISTRY = Registry().with_resource("policy.schema.json", Resource.from_contents(POLICY))
CITY = city.make()


def accepts(schema: dict[str, object], value: object) -> bool:
    return jsonschema.Draft202012Validator(schema, registry=REGISTRY).is_valid(value)


def test_schemas_are_schemas() -> None:
    for schema in (POLICY, BUNDLE):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_bundle_of_a_city_is_as_published() -> None:
    assert accepts(BUNDLE, json.loads(CITY.bundle))
    assert json.loads(CITY.bundle)["payload"]["type"] == trust.TYPE


@pytest.mark.parametrize("name", cast.VERIFIERS)
def test_policies_of_the_demonstration_satisfy_schema_and_parser(name: str) -> None:
    written = {
        **cast.policy(name, expires=day(CITY.now)),
        "vct": "https://issuer.example/vct/resident/1",
        "formats": [catalogue.FORMAT],
        "client_ids": ["x509_san_dns:library.example"],
    }
    assert accepts(POLICY, written)
    assert policy.write(policy.parse(written)) == written


def test_lists_of_the_schema_are_those_of_the_catalogue() -> None:
    members = POLICY["properties"]
    assert tuple(members["optional"]["items"]["enum"]) == catalogue.PUBLIC_CLAIMS
    assert members["purpose"]["enum"] == [each.value for each in catalogue.Purpose]
    assert tuple(members["formats"]["items"]["enum"]) == catalogue.FORMATS
    (bbs,) = POLICY["allOf"]
    assert bbs["if"]["properties"]["formats"]["contains"]["const"] == catalogue.BBS_FORMAT
    slowest = bbs["then"]["properties"]["status_max_age_s"]["minimum"]
    assert slowest == policy.SLOWEST_WITHDRAWAL
    assert members["status_max_age_s"]["default"] == policy.STATUS_MAX_AGE
    assert set(members) == set(policy.write(CITY.policies["library-card"])) | {"pseudonym"}


@pytest.mark.parametrize(
    "change",
    [
        {"formats": ["jwp+bbs"], "status_max_age_s": 2_764_800},
        {"formats": ["dc+sd-jwt", "jwp+bbs"], "status_max_age_s": None},
        {"formats": ["jwp+bbs"], "status_max_age_s": None, "pseudonym": "member"},
    ],
    ids=str,
)
def test_what_the_schema_accepts_the_parser_accepts(change: dict[str, object]) -> None:
    written = {**policy.write(CITY.policies["library-card"]), **change}
    assert accepts(POLICY, written)
    assert policy.write(policy.parse(written)) == written


@pytest.mark.parametrize(
    "change",
    [
        {"id": "UPPER"},
        {"purpose": "advertising"},
        {"required": []},
        {"required": ["renewal_handle"]},
        {"required": ["address.locality"]},
        {"formats": ["mso_mdoc"]},
        {"formats": []},
        {"formats": ["dc+sd-jwt", "dc+sd-jwt"]},
        {"formats": ["jwp+bbs"]},
        {"formats": ["jwp+bbs"], "status_max_age_s": 2_764_799},
        {"formats": ["jwp+bbs"], "status_max_age_s": None, "pseudonym": "A label"},
        {"pseudonym": "member"},
        {"notice": {}},
        {"status_max_age_s": 0},
        {"client_ids": ["redirect_uri:https://x.example"]},
        {"extra": 1},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_parser_refuses(change: dict[str, object]) -> None:
    wrong = {**policy.write(CITY.policies["library-card"]), **change}
    assert not accepts(POLICY, wrong)
    with pytest.raises(CryptoError):
        policy.parse(wrong)
