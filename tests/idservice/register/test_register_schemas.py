"""The published schemas of charter and change say what the parsers say."""

import json
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from idservice.register import change, charter
from idservice.register.change import Change, Drop, Inventory
from tests.fakes import registers
from tests.fakes.register_samples import CHANGES, SAID

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
NAMES = ("policy", "bundle", "charter", "change")
READ = {name: json.loads((SCHEMAS / f"{name}.schema.json").read_text()) for name in NAMES}
REGISTRY = Registry().with_resources(
    (f"{name}.schema.json", Resource.from_contents(schema)) for name, schema in READ.items()
)


def accepts(name: str, value: object) -> bool:
    return jsonschema.Draft202012Validator(READ[name], registry=REGISTRY).is_valid(value)


@pytest.mark.parametrize("name", ["charter", "change"])
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(READ[name])


def test_charter_satisfies_schema_and_parser() -> None:
    said = registers.charter_json()
    assert accepts("charter", said)
    assert charter.write(charter.parse(said)) == said


@pytest.mark.parametrize("said", CHANGES, ids=lambda said: said.kind)
def test_every_kind_of_change_satisfies_schema_and_parser(said: Change) -> None:
    written = change.write(said)
    assert accepts("change", written)
    assert change.parse(written) == said


def test_schema_knows_every_kind() -> None:
    kinds = {each["properties"]["kind"]["const"] for each in READ["change"]["oneOf"]}
    assert kinds == {said.kind for said in CHANGES}


@pytest.mark.parametrize(
    "changed",
    [
        {"seats": []},
        {"emergency": 1},
        {"least_group": 9},
        {"offline_days": 91},
        {"notice_s": 0},
        {"languages": []},
        {"root": "x"},
        {"more": 1},
    ],
)
def test_both_refuse_the_same_charters(changed: dict[str, object]) -> None:
    said = registers.charter_json(**changed)
    assert not accepts("charter", said)
    with pytest.raises(CryptoError):
        charter.parse(said)


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "rumour"},
        {"kind": "suspend_issuing", "more": 1},
        {"kind": "drop", "drop": {"subject": "charter"}},
        {"kind": "inventory", "inventory": change.write(Inventory(digest=SAID, columns=()))},
        {**change.write(Drop(subject="policy:x")), "more": 1},
    ],
)
def test_both_refuse_the_same_changes(said: JsonObject) -> None:
    assert not accepts("change", said)
    with pytest.raises(CryptoError):
        change.parse(said)
