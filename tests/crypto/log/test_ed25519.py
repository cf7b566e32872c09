"""RFC 8032, section 5.1, read strictly."""

import json
from pathlib import Path
from typing import Any, Final

import nacl.bindings
import pytest

from crypto.errors import BadSignature, CryptoError, Malformed, Refused
from crypto.log import ed25519
from crypto.log.ed25519 import PublicKey

VECTORS = Path(__file__).parents[2] / "vectors" / "wycheproof" / "ed25519_test.json"
CASES = [
    pytest.param(group["publicKey"]["pk"], test, id=str(test["tcId"]))
    for group in json.loads(VECTORS.read_bytes())["testGroups"]
    for test in sorted(group["tests"], key=lambda test: test["result"])
]
SEED = bytes(range(32))
ORDER: Final = (1 << 252) + 27742317777372353535851937790883648493
P: Final = (1 << 255) - 19

SMALL_ORDER: Final = (
    1,  # the neutral element
    P - 1,  # order 2
    0,  # order 4
    1 << 255,  # order 4, the other sign
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,  # order 8
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,  # order 8
    P,  # 0, not canonical
    P + 1,  # 1, not canonical
    1 + (1 << 255),  # 1 with the sign of a negative x
)


@pytest.mark.parametrize(("key", "test"), CASES)
def test_wycheproof(key: str, test: dict[str, Any]) -> None:
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    public = PublicKey(bytes.fromhex(key))
    if test["result"] == "valid":
        ed25519.verify(message=message, signature=signature, key=public)
        return
    wrong_length = len(signature) != ed25519.SIGNATURE_LENGTH
    with pytest.raises(Malformed if wrong_length else BadSignature):
        ed25519.verify(message=message, signature=signature, key=public)


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_of_small_order_or_not_canonical_is_refused(point: int) -> None:
    with pytest.raises(Refused):
        PublicKey(point.to_bytes(32, "little"))


@pytest.mark.parametrize("point", SMALL_ORDER[1:6])
def test_a_key_outside_the_large_subgroup_is_refused(point: int) -> None:
    torsion, honest = point.to_bytes(32, "little"), ed25519.public_key(SEED).octets
    mixed = nacl.bindings.crypto_core_ed25519_add(honest, torsion)
    assert mixed != honest
    with pytest.raises(Refused):
        PublicKey(mixed)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        PublicKey(bytes(length))


def test_a_signature_with_s_raised_by_the_order_is_refused() -> None:
    key, message = ed25519.public_key(SEED), b"message"
    signature = ed25519.signer(SEED)(message)
    ed25519.verify(message=message, signature=signature, key=key)
    s = int.from_bytes(signature[32:], "little") + ORDER
    with pytest.raises(BadSignature):
        ed25519.verify(
            message=message, signature=signature[:32] + s.to_bytes(32, "little"), key=key
        )


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_signature_with_r_of_small_order_is_refused(point: int) -> None:
    signature = point.to_bytes(32, "little") + bytes(32)
    with pytest.raises(CryptoError):
        ed25519.verify(message=b"", signature=signature, key=ed25519.public_key(SEED))
