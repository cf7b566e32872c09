"""PyNaCl gives the documented results for Wycheproof's Ed25519 cases."""

import json
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

VECTORS = Path(__file__).parents[1] / "vectors" / "wycheproof" / "ed25519_test.json"
CASES = [
    pytest.param(group["publicKey"]["pk"], test, id=str(test["tcId"]))
    for group in json.loads(VECTORS.read_text())["testGroups"]
    for test in group["tests"]
]


@pytest.mark.parametrize(("key", "test"), CASES)
def test_ed25519(key: str, test: dict[str, Any]) -> None:
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    verify_key = VerifyKey(bytes.fromhex(key))
    if test["result"] == "valid":
        assert verify_key.verify(message, signature) == message
    else:
        with pytest.raises((CryptoError, ValueError)):
            verify_key.verify(message, signature)
