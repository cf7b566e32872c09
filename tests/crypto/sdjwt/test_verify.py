from typing import Any

import pytest

from crypto.errors import (
    BadSignature,
    HolderBinding,
    Malformed,
    Refused,
    WrongAlgorithm,
)
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, verify
from tests.fakes import sd_jwts
from tests.fakes.sd_jwts import bound, check, digest, disclose

NAME = disclose("s1", "name", "Ada")
ELEMENT = disclose("s2", "en")


def test_a_presentation_is_accepted_with_exactly_its_claims() -> None:
    verified = check(sd_jwts.presentation())
    assert verified.claims == {
        **{name: sd_jwts.CLAIMS[name] for name in ("iss", "vct", "nbf", "exp", "status")},
        "cnf": sd_jwts.CNF,
        "address": {},
        "given_name": "Ada",
        "resident": True,
    }
    assert jwk.public_jwk(verified.holder) == sd_jwts.CNF["jwk"]


def test_what_is_parsed_once_can_be_verified_twice() -> None:
    parsed = sd_jwt.parse(sd_jwts.presentation())
    for _ in range(2):
        assert verify.verify(
            parsed,
            issuer_key=sd_jwts.ISSUER_KEY,
            audience=sd_jwts.AUDIENCE,
            nonce=sd_jwts.NONCE,
            now=sd_jwts.NOW,
        ).claims["resident"]


@pytest.mark.parametrize(
    "change",
    [{"alg": "none"}, {"alg": "HS256"}, {"typ": "kb+jwt"}, {"typ": "vc+sd-jwt"}, {"crit": ["x"]}],
)
def test_sec7_1_step2_1_another_algorithm_or_type_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WrongAlgorithm):
        check(bound({}, header={**sd_jwts.HEADER, **change}))


def test_sec7_1_step2_2_another_issuers_signature_is_refused() -> None:
    text = sd_jwts.token(sd_jwts.HEADER, {"cnf": sd_jwts.CNF}, jws.es256_signer(sd_jwts.STRANGER))
    with pytest.raises(BadSignature):
        check(sd_jwts.bind(text + "~"))


@pytest.mark.parametrize("name", ["md5", "sha-1", "sha-512", "SHA-256", "", None, 1, ["sha-256"]])
def test_sec7_1_step2_4_another_hash_is_refused(name: Any) -> None:
    with pytest.raises(WrongAlgorithm):
        check(bound({"_sd_alg": name}))


def test_sec4_1_1_no_hash_named_means_sha_256() -> None:
    assert check(bound({"_sd": [digest(NAME)]}, [NAME])).claims["name"] == "Ada"


def test_sec7_1_step3_3_1_digests_without_disclosure_are_ignored() -> None:
    claims = check(bound({"_sd": ["x", "", "=" * 43], "a": [{"...": "y"}, 1]})).claims
    assert claims == {"cnf": sd_jwts.CNF, "a": [1]}


def test_sec7_1_step3_an_empty_array_of_digests_leaves_an_empty_object() -> None:
    assert check(bound({"a": {"_sd": []}})).claims["a"] == {}


def test_sec7_1_step3_3_2_disclosed_objects_are_walked_in_their_turn() -> None:
    inner = disclose("i", "street", "Main")
    outer = disclose("o", "address", {"_sd": [digest(inner)], "country": "US"})
    claims = check(bound({"_sd": [digest(outer)]}, [inner, outer])).claims
    assert claims["address"] == {"country": "US", "street": "Main"}
    hidden = check(bound({"_sd": [digest(outer)]}, [outer])).claims
    assert hidden["address"] == {"country": "US"}


def test_sec7_1_step3_3_3_disclosed_elements_are_walked_in_their_turn() -> None:
    inner = disclose("i", [1])
    outer = disclose("o", [{"...": digest(inner)}, 2, {"...": "none"}])
    claims = check(bound({"a": [0, {"...": digest(outer)}]}, [outer, inner])).claims
    assert claims["a"] == [0, [[1], 2]]


def test_sec7_1_step3_3_2_1_an_element_where_a_member_belongs_is_malformed() -> None:
    with pytest.raises(Malformed):
        check(bound({"_sd": [digest(ELEMENT)]}, [ELEMENT]))


def test_sec7_1_step3_3_3_1_a_member_where_an_element_belongs_is_malformed() -> None:
    with pytest.raises(Malformed):
        check(bound({"a": [{"...": digest(NAME)}]}, [NAME]))


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
@pytest.mark.parametrize("nested", [False, True])
def test_sec7_1_step3_3_2_2_reserved_names_are_refused(name: str, nested: bool) -> None:  # noqa: FBT001 - a parameter of the table
    text = disclose("s", name, [])
    payload: dict[str, Any] = {"_sd": [digest(text)]}
    with pytest.raises(Refused):
        check(bound({"a": payload} if nested else payload, [text]))


def test_sec7_1_step3_3_2_3_a_name_that_exists_is_refused() -> None:
    with pytest.raises(Refused):
        check(bound({"name": "Eve", "_sd": [digest(NAME)]}, [NAME]))
    twice = disclose("s3", "name", "Eve")
    with pytest.raises(Refused):
        check(bound({"_sd": [digest(NAME), digest(twice)]}, [NAME, twice]))


REPEATED: dict[str, dict[str, Any]] = {
    "one array": {"_sd": ["x", "x"]},
    "two objects": {"_sd": ["x"], "a": {"_sd": ["x"]}},
    "array element": {"_sd": ["x"], "a": [{"...": "x"}]},
    "two elements": {"a": [{"...": "x"}, {"...": "x"}]},
    "with its disclosure": {"_sd": [digest(NAME), digest(NAME)]},
    "two places with its disclosure": {"a": {"_sd": [digest(NAME)]}, "_sd": [digest(NAME)]},
}


@pytest.mark.parametrize("payload", REPEATED.values(), ids=REPEATED.keys())
def test_sec7_1_step4_repeated_digest_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        check(bound(payload, [NAME] if digest(NAME) in str(payload) else []))


def test_sec7_1_step4_digest_repeated_inside_a_disclosure_is_refused() -> None:
    outer = disclose("o", "a", {"_sd": ["x"]})
    with pytest.raises(Refused):
        check(bound({"_sd": [digest(outer), "x"]}, [outer]))


def test_sec7_1_step5_unreferenced_disclosure_is_refused() -> None:
    for sent in ([NAME], [NAME, ELEMENT], ["AA"], ["not.base64url"]):
        with pytest.raises(Refused):
            check(bound({"_sd": [digest(NAME)]} if ELEMENT in sent else {}, sent))


def test_sec7_1_step5_child_without_parent_is_refused() -> None:
    inner = disclose("i", "street", "Main")
    outer = disclose("o", "address", {"_sd": [digest(inner)]})
    with pytest.raises(Refused):
        check(bound({"_sd": [digest(outer)]}, [inner]))


@pytest.mark.parametrize(
    "name",
    ["iss", "exp", "nbf", "cnf", "vct", "vct#integrity", "status", "iat", "aud", "_sd_alg"],
)
def test_sd_jwt_vc_sec2_2_2_control_claims_are_never_disclosed(name: str) -> None:
    text = disclose("s", name, 1)
    payload = {"_sd": [digest(text)]}
    token = sd_jwts.token(
        sd_jwts.HEADER, payload if name == "cnf" else {"cnf": sd_jwts.CNF, **payload}
    )
    with pytest.raises(Refused):
        check(sd_jwts.bind(f"{token}~{text}~"))


def hole(text: str) -> dict[str, Any]:
    return {"_sd": [digest(text)]}


KEY = sd_jwts.CNF["jwk"]
JWK, X = disclose("s", "jwk", KEY), disclose("s", "x", KEY["x"])
STATUS_LIST, INDEX = disclose("s", "status_list", {}), disclose("s", "idx", 5)
CHOSEN: dict[str, tuple[dict[str, Any], str]] = {
    "the key": ({"cnf": hole(JWK)}, JWK),
    "a coordinate": ({"cnf": {"jwk": {"kty": "EC", "crv": "P-256", "y": KEY["y"], **hole(X)}}}, X),
    "the status": ({"status": hole(STATUS_LIST)}, STATUS_LIST),
    "an index": ({"status": {"status_list": hole(INDEX)}}, INDEX),
    "an audience": ({"aud": [{"...": digest(ELEMENT)}]}, ELEMENT),
}


@pytest.mark.parametrize(("payload", "text"), CHOSEN.values(), ids=CHOSEN)
def test_sd_jwt_vc_sec2_2_2_nothing_within_control_claims_is_disclosed(
    payload: dict[str, Any], text: str
) -> None:
    for texts in ([], [text]):
        with pytest.raises(Refused, match=r"2\.2\.2"):
            check(bound(payload, texts))


def test_sd_jwt_vc_sec2_2_2_names_of_control_claims_are_free_further_down() -> None:
    text = disclose("s", "status", 1)
    assert check(bound({"a": {"_sd": [digest(text)]}}, [text])).claims["a"] == {"status": 1}


SHAPES: dict[str, dict[str, Any]] = {
    "digests are text": {"_sd": "x"},
    "digests are null": {"_sd": None},
    "digests are an object": {"_sd": {}},
    "a digest is a number": {"_sd": [1]},
    "a digest is null": {"_sd": [None]},
    "a digest is a list": {"_sd": [[]]},
    "a placeholder beside a member": {"a": [{"...": "x", "b": 1}]},
    "a placeholder that is a number": {"a": [{"...": 1}]},
    "a placeholder that is null": {"a": [{"...": None}]},
    "a placeholder outside an array": {"a": {"...": "x"}},
    "a placeholder at the top": {"...": "x"},
    "the hash named further down": {"a": {"_sd_alg": "sha-256"}},
    "the hash named in an array": {"a": [{"_sd_alg": "sha-256"}]},
}


@pytest.mark.parametrize("payload", SHAPES.values(), ids=SHAPES.keys())
def test_sec4_1_and_4_2_4_wrong_shapes_are_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        check(bound(payload))


@pytest.mark.parametrize("payload", SHAPES.values(), ids=SHAPES.keys())
def test_sec4_2_6_wrong_shapes_are_malformed_inside_a_disclosure_too(payload: Any) -> None:
    text = disclose("s", "n", payload)
    with pytest.raises(Malformed):
        check(bound({"_sd": [digest(text)]}, [text]))


def test_nesting_through_disclosures_ends_at_sixteen_levels() -> None:
    def chain(length: int, member: bool) -> str:  # noqa: FBT001 - a parameter of the table
        texts: list[str] = []
        value: Any = 1
        for at in range(length):
            texts.append(disclose(f"s{at}", "n", value) if member else disclose(f"s{at}", value))
            value = {"_sd": [digest(texts[-1])]} if member else [{"...": digest(texts[-1])}]
        return bound({"top": value}, texts)

    for member in (True, False):
        assert check(chain(15, member))
        with pytest.raises(Malformed):
            check(chain(16, member))


def test_sec7_3_step2_a_presentation_without_key_binding_is_refused() -> None:
    with pytest.raises(HolderBinding):
        check(sd_jwts.show(sd_jwts.credential(), ("resident",)))


def test_sec7_2_a_holder_refuses_what_somebody_has_already_shown() -> None:
    with pytest.raises(HolderBinding):
        verify.verify_issued(sd_jwt.parse(sd_jwts.presentation()), issuer_key=sd_jwts.ISSUER_KEY)


KEY = sd_jwts.CNF["jwk"]
CNFS: dict[str, Any] = {
    "null": None,
    "text": "x",
    "empty": {},
    "kid alone": {"kid": "1"},
    "jwk and kid": {"jwk": KEY, "kid": "1"},
    "jwk is text": {"jwk": "x"},
    "private": {"jwk": jwk.private_jwk(sd_jwts.HOLDER)},
    "another curve": {"jwk": {**KEY, "crv": "P-384"}},
    "off the curve": {"jwk": {**KEY, "y": KEY["x"]}},
    "use": {"jwk": {**KEY, "use": "enc"}},
    "alg": {"jwk": {**KEY, "alg": "ES384"}},
    "key_ops": {"jwk": {**KEY, "key_ops": ["sign"]}},
}


@pytest.mark.parametrize("cnf", CNFS.values(), ids=CNFS.keys())
def test_sec7_3_step5_1_without_exactly_one_usable_key_nobody_is_the_holder(cnf: Any) -> None:
    with pytest.raises(HolderBinding):
        check(bound({"cnf": cnf}))


def test_sec7_3_step5_1_a_credential_without_cnf_cannot_be_bound() -> None:
    text = sd_jwts.token(sd_jwts.HEADER, {"a": 1}) + "~"
    with pytest.raises(HolderBinding):
        check(sd_jwts.bind(text))
    parsed = sd_jwt.parse(text)
    assert verify.verify_issued(parsed, issuer_key=sd_jwts.ISSUER_KEY).claims == {"a": 1}


@pytest.mark.parametrize("payload", [b"[]", b"1", b"", b'{"a":1,"a":2}', b"\xef\xbb\xbf{}"])
def test_a_payload_that_is_no_plain_object_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        check(bound(payload))
