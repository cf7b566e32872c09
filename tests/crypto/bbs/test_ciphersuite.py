"""Expanding messages and hashing to the curve, by the vectors of RFC 9380."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto.bbs import ciphersuite
from crypto.bbs.ciphersuite import SHA_256, SHAKE_256, Ciphersuite, Expand
from crypto.bls import curve
from crypto.bls.arkworks import Arkworks
from crypto.bls.group import FIELD, POINT_LENGTH, Backend, Point

VECTORS = Path(__file__).parents[2] / "vectors"
RFC = VECTORS / "hash-to-curve"
EXPANDERS = [
    (ciphersuite.expand_xmd, "expand_message_xmd_SHA256_38.json"),
    (ciphersuite.expand_xof, "expand_message_xof_SHAKE256_36.json"),
]
SUITES = [(SHA_256, "sha"), (SHAKE_256, "shake")]
BACKENDS: list[Backend] = [curve.secret(), Arkworks()]


def load(name: str) -> Any:
    return json.loads((RFC / name).read_text())


def compressed(x: int, y: int) -> bytes:
    octets = bytearray(x.to_bytes(POINT_LENGTH, "big"))
    octets[0] |= 0x80 | (0x20 if y > (FIELD - 1) // 2 else 0)
    return bytes(octets)


@pytest.mark.parametrize(("expand", "name"), EXPANDERS, ids=["xmd", "xof"])
def test_messages_are_expanded_as_published(expand: Expand, name: str) -> None:
    content = load(name)
    for case in content["tests"]:
        found = expand(case["msg"].encode(), content["DST"].encode(), int(case["len_in_bytes"], 16))
        assert found.hex() == case["uniform_bytes"]


@pytest.mark.parametrize("backend", BACKENDS, ids=["blst", "arkworks"])
def test_field_elements_are_mapped_as_published(backend: Backend) -> None:
    for case in load("BLS12381G1_XMD_SHA-256_SSWU_RO_.json")["vectors"]:
        first, second = (int(each, 16) for each in case["u"])
        expected = compressed(int(case["P"]["x"], 16), int(case["P"]["y"], 16))
        assert backend.encode([backend.map_to_curve(first, second)]) == expected


def test_messages_are_hashed_to_the_curve_as_published() -> None:
    content = load("BLS12381G1_XMD_SHA-256_SSWU_RO_.json")
    for case in content["vectors"]:
        point = SHA_256.hash_to_curve(case["msg"].encode(), content["dst"].encode())
        expected = compressed(int(case["P"]["x"], 16), int(case["P"]["y"], 16))
        assert curve.BACKEND.encode([point]) == expected


@pytest.mark.parametrize(("suite", "name"), SUITES, ids=["sha-256", "shake-256"])
def test_a_message_is_hashed_to_a_scalar_as_published(suite: Ciphersuite, name: str) -> None:
    case = json.loads((VECTORS / "bbs" / f"bls12-381-{name}-256" / "h2s.json").read_text())
    found = suite.hash_to_scalar(bytes.fromhex(case["message"]), bytes.fromhex(case["dst"]))
    assert found.to_bytes(32, "big").hex() == case["scalar"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ciphersuite.expand_xmd(b"", b"d" * 256, 32),
        lambda: ciphersuite.expand_xof(b"", b"d" * 256, 32),
        lambda: ciphersuite.expand_xmd(b"", b"d", 32 * 255 + 1),
    ],
    ids=["long-tag", "long-tag-xof", "long-output"],
)
def test_what_cannot_be_expanded_is_an_error_of_ours(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"255|longer"):
        wrong()


def test_p1_is_a_point_of_the_group() -> None:
    points: list[Point] = [curve.BACKEND.decode(suite.p1) for suite, _ in SUITES]
    assert curve.BACKEND.encode(points) == SHA_256.p1 + SHAKE_256.p1
