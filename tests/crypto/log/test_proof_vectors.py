"""The published proofs of transparency-dev/merkle, the wrong ones first."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from crypto.errors import CryptoError, Malformed, Refused
from crypto.log import proof
from crypto.log.proof import ConsistencyProof, InclusionProof
from crypto.log.tree import Hash, TreeHead

VECTORS = Path(__file__).parents[2] / "vectors" / "tlog" / "merkle-proofs"

ANOTHER_ROOT = ("modified proof", "random root", "swapped roots")
EITHER = ("leafIdx", "size1", "empty root")
"""Where it depends on the sizes whether the path could belong to such a tree at all."""


def expected(case: dict[str, Any]) -> type[CryptoError]:
    """Return which error: all other wrong ones cannot belong to their trees."""
    if case["desc"].startswith(EITHER):
        return CryptoError
    return Refused if case["desc"].startswith(ANOTHER_ROOT) else Malformed


def cases(kind: str) -> list[Any]:
    found = [
        (path, case)
        for path in sorted(VECTORS.glob(f"{kind}-*.json"))
        for case in json.loads(path.read_bytes())
    ]
    found.sort(key=lambda each: not each[1]["wantErr"])
    return [pytest.param(case, id=f"{path.stem}-{case['desc']}") for path, case in found]


def octets(text: str) -> Hash:
    return Hash(base64.b64decode(text))


def path_of(case: dict[str, Any]) -> tuple[Hash, ...]:
    return tuple(octets(text) for text in case["proof"] or ())


def verify_inclusion(case: dict[str, Any]) -> None:
    proof.verify_inclusion(
        leaf=octets(case["leafHash"]),
        proof=InclusionProof(index=case["leafIdx"], path=path_of(case)),
        head=TreeHead(size=case["treeSize"], root=octets(case["root"])),
    )


def verify_consistency(case: dict[str, Any]) -> None:
    proof.verify_consistency(
        old=TreeHead(size=case["size1"], root=octets(case["root1"])),
        new=TreeHead(size=case["size2"], root=octets(case["root2"])),
        proof=ConsistencyProof(path=path_of(case)),
    )


@pytest.mark.parametrize("case", cases("inclusion"))
def test_sec2_1_3_inclusion(case: dict[str, Any]) -> None:
    if not case["wantErr"]:
        verify_inclusion(case)
        return
    with pytest.raises(expected(case)):
        verify_inclusion(case)


@pytest.mark.parametrize("case", cases("consistency"))
def test_sec2_1_4_consistency(case: dict[str, Any]) -> None:
    if not case["wantErr"]:
        verify_consistency(case)
        return
    with pytest.raises(expected(case)):
        verify_consistency(case)
