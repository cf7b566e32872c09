from typing import Any

import pytest

from crypto.encoding import canonical_json
from crypto.jose import jws
from crypto.sdjwt import disclosure, issue, sd_jwt, verify
from tests.fakes import sd_jwts


def parsed(text: str) -> sd_jwt.SdJwt:
    found = sd_jwt.parse(text)
    assert isinstance(found, sd_jwt.SdJwt)
    return found


def payload(text: str) -> dict[str, Any]:
    return canonical_json.parse_object(parsed(text).issuer.payload)


def test_sec4_1_only_what_is_not_disclosable_stands_in_the_payload() -> None:
    found = payload(sd_jwts.credential())
    assert found.keys() == {
        "iss", "vct", "nbf", "exp", "status", "cnf", "address", "_sd", "_sd_alg",
    }  # fmt: skip
    assert found["_sd_alg"] == "sha-256"
    assert found["cnf"] == sd_jwts.CNF
    assert found["address"].keys() == {"_sd"}
    assert len(found["_sd"]) == 6
    assert len(found["address"]["_sd"]) == 2


def test_sec4_2_4_1_digests_are_sorted() -> None:
    found = payload(sd_jwts.credential())
    assert found["_sd"] == sorted(found["_sd"])
    assert found["address"]["_sd"] == sorted(found["address"]["_sd"])


def test_sec4_2_6_an_inner_disclosure_is_referred_to_by_the_outer_one() -> None:
    text = sd_jwts.credential()
    by_name = {
        disclosure.parse(t).name: disclosure.parse(t).value for t in parsed(text).disclosures
    }
    languages = by_name["languages"]
    assert isinstance(languages, list)
    assert [type(item) for item in languages] == [dict, str, dict]


def test_sec4_2_5_decoys_look_like_digests_and_stand_for_nothing() -> None:
    frame = issue.Frame(disclosable=sd_jwts.FRAME.disclosable, decoys=5)
    text = sd_jwts.credential(frame=frame)
    found = payload(text)
    assert len(found["_sd"]) == 6 + 5
    assert len(found["address"]["_sd"]) == 2 + 5
    assert {len(digest) for digest in found["_sd"]} == {43}
    assert found["_sd"] == sorted(found["_sd"])
    assert verify.verify_issued(parsed(text), issuer_key=sd_jwts.ISSUER_KEY).claims == {
        **sd_jwts.CLAIMS,
        "cnf": sd_jwts.CNF,
    }


def test_same_inputs_give_the_same_bytes_and_other_chance_other_salts() -> None:
    assert sd_jwts.credential(seed="a") == sd_jwts.credential(seed="a")
    one, other = parsed(sd_jwts.credential(seed="a")), parsed(sd_jwts.credential(seed="b"))
    assert not set(one.disclosures) & set(other.disclosures)


def test_without_a_holder_there_is_no_cnf() -> None:
    text = issue.issue(
        header={**sd_jwts.HEADER},
        claims={"a": 1},
        frame=issue.Frame(disclosable=frozenset()),
        holder=None,
        signer=jws.es256_signer(sd_jwts.ISSUER),
        random_bytes=sd_jwts.stream("x"),
    )
    assert payload(text) == {"a": 1, "_sd_alg": "sha-256"}


@pytest.mark.parametrize(
    "claims",
    [
        {"cnf": {}},
        {"_sd": []},
        {"_sd_alg": "sha-256"},
        {"a": {"...": "x"}},
        {"a": [{"_sd": []}]},
    ],
)
def test_sec4_1_reserved_names_among_the_claims_are_our_own_mistake(claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"reserved|argument of its own"):
        sd_jwts.credential(claims, issue.Frame(disclosable=frozenset()))


def test_a_path_that_does_not_exist_is_our_own_mistake() -> None:
    for path in (("givenname",), ("address", "street"), ("languages", 3), ("given_name", 0)):
        with pytest.raises(ValueError, match="does not exist"):
            sd_jwts.credential(frame=issue.Frame(disclosable=frozenset({path})))


@pytest.mark.parametrize("name", sorted(disclosure.ALWAYS_VISIBLE))
def test_sd_jwt_vc_sec2_2_2_control_claims_cannot_be_hidden(name: str) -> None:
    with pytest.raises(ValueError, match="visible"):
        issue.Frame(disclosable=frozenset({(name,)}))
    with pytest.raises(ValueError, match="visible"):
        issue.Frame(disclosable=frozenset({(name, "below", 0)}))
    assert issue.Frame(disclosable=frozenset({("other", name)}))


@pytest.mark.parametrize(("paths", "decoys"), [({()}, 0), (set(), -1)])
def test_a_frame_without_meaning_cannot_exist(paths: set[Any], decoys: int) -> None:
    with pytest.raises(ValueError, match="below zero"):
        issue.Frame(disclosable=frozenset(paths), decoys=decoys)
