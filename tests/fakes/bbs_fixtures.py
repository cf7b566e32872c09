"""How the published cases of blind BBS and of pseudonyms are read."""

import json
from pathlib import Path
from typing import Any

from crypto.bbs.ciphersuite import SHA_256, SHAKE_256, Ciphersuite
from crypto.bls.group import Scalar
from crypto.entropy import RandomBytes

VECTORS = Path(__file__).parents[1] / "vectors"
SUITES = {"bls12-381-sha-256": SHA_256, "bls12-381-shake-256": SHAKE_256}
LENGTH = 48


def cases(draft: str, kind: str) -> list[tuple[str, str]]:
    """List suite and path of the cases of one kind."""
    return [
        (suite, str(path.relative_to(VECTORS)))
        for suite in SUITES
        for path in sorted((VECTORS / draft / suite / kind).glob("*.json"))
    ]


def load(path: str) -> Any:
    """Read one case."""
    return json.loads((VECTORS / path).read_text())


def scalar(text: str) -> Scalar:
    """Read a scalar; some cases drop the zero in front."""
    return Scalar(bytes.fromhex(text.rjust(64, "0")))


def octets(texts: list[str] | None) -> tuple[bytes, ...]:
    """Read messages."""
    return tuple(map(bytes.fromhex, texts or ()))


def places(texts: dict[str, str] | None) -> dict[int, bytes]:
    """Read messages by their place."""
    return {int(place): bytes.fromhex(text) for place, text in (texts or {}).items()}


def chance(suite: Ciphersuite, case: Any, kind: str, count: int) -> RandomBytes:
    """Lend what the case's mocked generator of so many scalars lends (base draft, section 8.3)."""
    mock = case["mockRngParameters"]
    assert mock[kind].get("count", count) == count
    uniform = suite.expand(mock["SEED"].encode(), mock[kind]["DST"].encode(), LENGTH * count)
    left = iter(range(0, len(uniform), LENGTH))

    def draw(length: int) -> bytes:
        assert length == LENGTH
        start = next(left)
        return uniform[start : start + LENGTH]

    return draw
