"""Wycheproof's cases, of which ES256 ones must give the documented result, and others a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from crypto.encoding import base64url
from crypto.errors import BadSignature, CryptoError
from crypto.jose import jwe, jwk, jws

VECTORS = Path(__file__).parents[2] / "vectors" / "wycheproof"


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}_test.json").read_text())[
        "testGroups"
    ]
    return found


def cases(name: str) -> list[Any]:
    """Pair each test with its group, the failing ones first."""
    found = [(group, test) for group in groups(name) for test in group["tests"]]
    found.sort(key=lambda pair: pair[1]["result"] == "valid")
    return [pytest.param(group, test, id=str(test["tcId"])) for group, test in found]


def jwk_of(group: dict[str, Any]) -> dict[str, Any]:
    """Write the group's key as a JWK; the numbers are hexadecimal, of any length."""
    numbers = (int(group["publicKey"][name], 16) for name in ("wx", "wy"))
    x, y = (base64url.encode(number.to_bytes(32, "big")) for number in numbers)
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def accepts(key: dict[str, Any], message: bytes, signature: bytes) -> bool:
    try:
        jws.verify_signature(jws.Jws({}, b"", message, signature), key=jwk.parse_public(key))
    except BadSignature:
        return False
    return True


@pytest.mark.parametrize(("group", "test"), cases("ecdsa_secp256r1_sha256_p1363"))
def test_ecdsa_p1363(group: dict[str, Any], test: dict[str, Any]) -> None:
    key = jwk_of(group)
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    assert accepts(key, message, signature) == (test["result"] == "valid")


@pytest.mark.parametrize(("group", "test"), cases("ecdsa_secp256r1_sha256"))
def test_ecdsa_der_written_by_hand_is_the_one_der_that_verifies(
    group: dict[str, Any], test: dict[str, Any]
) -> None:
    """Turn each DER signature into r and s: only the valid cases may come back as they were."""
    key = jwk.parse_public(jwk_of(group))
    message, der = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    try:
        r, s = decode_dss_signature(der)
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        assert test["result"] == "invalid"
        return
    same = jws._der(raw[:32], raw[32:]) == der
    assert same or test["result"] == "invalid"
    if same:
        try:
            key.verify(der, message, ec.ECDSA(SHA256()))
            verifies = True
        except InvalidSignature:
            verifies = False
        assert verifies == (test["result"] == "valid")
        assert accepts(jwk_of(group), message, raw) == verifies


ES256_VALID = {
    # The compact tokens under P-256 keys that a caller who asks for ES256 must accept.
    name: {
        test["tcId"]
        for group in groups(name)
        for test in group["tests"]
        if test["result"] == "valid" and group.get("public", {}).get("alg") == "ES256"
    }
    for name in ("json_web_signature", "json_web_key", "json_web_crypto")
}


def token_accepted(group: dict[str, Any], test: dict[str, Any]) -> bool:
    """Do what a caller who allows ES256 alone would do with the key and the token."""
    key = group.get("public", group.get("private"))
    keys = key.get("keys", [key])
    if len(keys) != 1 or not isinstance(test.get("jws"), str):
        return False
    try:
        parsed = jws.parse(test["jws"])
        # These tokens have no `typ`; their own is what the caller asks for here.
        jws.check_header({"typ": "-", **parsed.header}, algorithm="ES256", typ="-")
        jws.verify_signature(parsed, key=jwk.parse_public(keys[0]))
    except CryptoError:
        return False
    return True


@pytest.mark.attack("SDJWT-081")
@pytest.mark.parametrize("name", ES256_VALID)
def test_json_web_signatures_are_accepted_only_where_documented(name: str) -> None:
    accepted = {
        test["tcId"]
        for group in groups(name)
        for test in group["tests"]
        if token_accepted(group, test)
    }
    assert accepted == ES256_VALID[name]


def test_the_signature_that_refused_cases_borrow_verifies_under_its_own_key() -> None:
    """No valid ES256 token is in the selection, but case 356 shows one under a key not for it."""
    groups_by_comment = {group["comment"]: group for group in groups("json_web_signature")}
    (borrowed,) = groups_by_comment["ec_key_for_encryption"]["tests"]
    assert token_accepted(groups_by_comment["es256"], borrowed)
    assert not token_accepted(groups_by_comment["ec_key_for_encryption"], borrowed)


@pytest.mark.attack("SDJWT-081")
@pytest.mark.parametrize(("group", "test"), cases("json_web_crypto"))
def test_json_web_encryption_other_than_ecdh_es_is_refused(
    group: dict[str, Any], test: dict[str, Any]
) -> None:
    """No case uses ECDH-ES directly with AES-GCM, the only pair that is not refused here."""
    key = jwk.generate(random_bytes=bytes)
    if isinstance(test.get("jwe"), str):
        with pytest.raises(CryptoError):
            jwe.decrypt(test["jwe"], private_key=key, encryptions=frozenset({"A128GCM", "A256GCM"}))
    else:
        assert "jws" in test or "jwe" in test, group["comment"]
