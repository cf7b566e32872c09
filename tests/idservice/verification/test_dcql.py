"""DCQL (OpenID4VP 1.0, sections 6 and 7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from idservice import catalogue
from idservice.verification import dcql

VCT = "https://issuer.example/vct/resident/1"
CREDENTIAL: JsonObject = {
    "vct": VCT,
    "resident": True,
    "given_name": "Ada",
    "gender": None,
    "address": {"locality": "Exampleton", "care_of": None},
    "degrees": [{"type": "BSc", "year": 1}, {"type": "MSc", "year": True}],
}


def query(**members: object) -> JsonObject:
    credential: JsonObject = {
        "id": "resident",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [VCT]},
        "claims": [{"id": "resident", "path": ["resident"]}],
    }
    return {"credentials": [{**credential, **members}]}  # type: ignore[dict-item]


def one(**members: object) -> dcql.CredentialQuery:
    return dcql.parse(query(**members)).credentials[0]


def select(*claims: JsonObject, **members: object) -> tuple[dcql.Path, ...] | None:
    return dcql.select(
        one(claims=list(claims), **members), CREDENTIAL, credential_format="dc+sd-jwt"
    )


def test_query_of_a_policy_has_the_whole_set_first_and_the_required_set_second() -> None:
    written = dcql.write(
        dcql.for_facts(vct=VCT, required=["resident"], optional=["address.locality"])
    )
    assert written == {
        "credentials": [
            {
                "id": "resident",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [VCT]},
                "claims": [
                    {"id": "resident", "path": ["resident"]},
                    {"id": "address_locality", "path": ["address", "locality"]},
                ],
                "claim_sets": [["resident", "address_locality"], ["resident"]],
            }
        ]
    }


def test_the_format_stands_in_the_query_and_decides_what_matches() -> None:
    made = dcql.for_facts(vct=VCT, required=["resident"], optional=[], credential_format="jwp+bbs")
    assert [(each.format, each.vct_values) for each in made.credentials] == [("jwp+bbs", (VCT,))]
    assert dcql.parse(dcql.write(made)) == made
    (asked,) = made.credentials
    assert dcql.select(asked, CREDENTIAL, credential_format="jwp+bbs") == (("resident",),)
    assert dcql.select(asked, CREDENTIAL, credential_format="dc+sd-jwt") is None


def test_query_without_optional_facts_has_no_alternatives() -> None:
    written = dcql.for_facts(vct=VCT, required=["resident"], optional=[])
    assert written.credentials[0].claim_sets == ()


@given(
    st.lists(st.sampled_from(catalogue.PUBLIC_CLAIMS), min_size=1, unique=True),
    st.integers(0, 20),
)
def test_what_is_written_is_read_back_and_names_the_same_facts(names: list[str], cut: int) -> None:
    required, optional = names[: cut + 1], names[cut + 1 :]
    made = dcql.for_facts(vct=VCT, required=required, optional=optional)
    assert dcql.parse(dcql.write(made)) == made
    assert dcql.facts(made.credentials[0]) == frozenset(names)


MALFORMED: dict[str, object] = {
    "no object": [],
    "no credentials": {},
    "empty credentials": {"credentials": []},
    "credentials no array": {"credentials": {}},
    "too many credentials": {"credentials": query()["credentials"] * 9},  # type: ignore[operator]
    "same id twice": {"credentials": query()["credentials"] * 2},  # type: ignore[operator]
    "bad id": query(id="a b"),
    "id with line end": query(id="a\n"),
    "empty id": query(id=""),
    "no format": query(format=None),
    "no meta": query(meta=None),
    "no vct_values": query(meta={}),
    "empty vct_values": query(meta={"vct_values": []}),
    "claims null": query(claims=None),
    "claims empty": query(claims=[]),
    "10 000 claims": query(claims=[{"path": ["resident"]}] * 10_000),
    "path missing": query(claims=[{}]),
    "path empty": query(claims=[{"path": []}]),
    "path negative": query(claims=[{"path": ["degrees", -1]}]),
    "path boolean": query(claims=[{"path": ["degrees", True]}]),
    "path with fraction": query(claims=[{"path": ["degrees", 1.5]}]),
    "path of objects": query(claims=[{"path": [{}]}]),
    "path too deep": query(claims=[{"path": ["a"] * 1000}]),
    "path with a long step": query(claims=[{"path": ["a" * 10_000]}]),
    "claim id twice": query(claims=[{"id": "a", "path": ["x"]}, {"id": "a", "path": ["y"]}]),
    "claim id bad": query(claims=[{"id": "a.b", "path": ["x"]}]),
    "values empty": query(claims=[{"path": ["x"], "values": []}]),
    "values of objects": query(claims=[{"path": ["x"], "values": [{}]}]),
    "claim_sets without ids": query(claims=[{"path": ["x"]}], claim_sets=[["x"]]),
    "claim_sets unknown id": query(claim_sets=[["other"]]),
    "claim_sets id twice": query(claim_sets=[["resident", "resident"]]),
    "claim_sets empty": query(claim_sets=[]),
    "claim_sets empty set": query(claim_sets=[[]]),
    "too many claim_sets": query(claim_sets=[["resident"]] * 17),
    "multiple no flag": query(multiple="yes"),
    "holder binding no flag": query(require_cryptographic_holder_binding=1),
    "credential_sets unknown": {**query(), "credential_sets": [{"options": [["other"]]}]},
    "credential_sets no options": {**query(), "credential_sets": [{}]},
    "credential_sets no object": {**query(), "credential_sets": [[]]},
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_query_is_refused(value: JsonObject) -> None:
    with pytest.raises(Malformed):
        dcql.parse(value)


def test_credential_sets_are_read() -> None:
    parsed = dcql.parse({**query(), "credential_sets": [{"options": [["resident"]]}]})
    assert parsed.credential_sets == (dcql.CredentialSet(options=(("resident",),), required=True),)


def test_facts_through_an_array_or_with_a_dot_are_refused() -> None:
    for path in (["degrees", None, "type"], ["degrees", 0], ["address.locality"]):
        with pytest.raises(Malformed):
            dcql.facts(one(claims=[{"path": path}]))


def test_select_without_claims_shows_nothing_selectively() -> None:
    parsed = query()
    del parsed["credentials"][0]["claims"]  # type: ignore[index, call-overload, union-attr]
    asked = dcql.parse(parsed).credentials[0]
    assert dcql.select(asked, CREDENTIAL, credential_format="dc+sd-jwt") == ()
    assert dcql.facts(asked) == frozenset()


def test_select_takes_the_first_set_that_can_be_satisfied() -> None:
    claims = [{"id": "r", "path": ["resident"]}, {"id": "g", "path": ["gender"]}]
    assert select(*claims, claim_sets=[["r", "g"], ["r"]]) == (("resident",),)
    assert select(*claims, claim_sets=[["r", "g"]]) is None


def test_select_treats_null_and_missing_alike() -> None:
    assert select({"path": ["gender"]}) is None
    assert select({"path": ["nothing"]}) is None
    assert select({"path": ["address", "care_of"]}) is None
    assert select({"path": ["address", "locality"]}) == (("address", "locality"),)


def test_select_compares_values_with_their_type() -> None:
    assert select({"path": ["given_name"], "values": ["Bob", "Ada"]}) == (("given_name",),)
    assert select({"path": ["given_name"], "values": ["Bob"]}) is None
    assert select({"path": ["resident"], "values": [1]}) is None
    assert select({"path": ["resident"], "values": [True]}) == (("resident",),)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("given_name",), ["Ada"]),
        (("degrees", 1, "type"), ["MSc"]),
        (("degrees", None, "type"), ["BSc", "MSc"]),
        (("degrees", 2), []),
        (("degrees", "type"), []),
        (("given_name", 0), []),
        (("given_name", None), []),
        (("address", "locality", "x"), []),
    ],
)
def test_sec7_1_path_selects(path: dcql.Path, found: list[object]) -> None:
    assert dcql.find(CREDENTIAL, path) == found


def test_select_refuses_another_format_type_or_authority() -> None:
    assert dcql.select(one(), CREDENTIAL, credential_format="mso_mdoc") is None
    assert select({"path": ["resident"]}, meta={"vct_values": ["other"]}) is None
    assert select({"path": ["resident"]}, trusted_authorities=[{"type": "aki"}]) is None
