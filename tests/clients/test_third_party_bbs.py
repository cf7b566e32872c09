"""Base BBS against @digitalbazaar/bbs-signatures, which shares no code with us, both ways.

`bbs.mjs` runs it. Slow there (a tenth of a second a pairing), so all cases go in one process.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crypto.bbs import ciphersuite, proof, signature
from crypto.bbs.ciphersuite import Ciphersuite
from crypto.bbs.generators import Interface
from crypto.errors import BadSignature
from tests.fakes.bbs_credentials import chance

HERE = Path(__file__).parent
NODE = shutil.which("node")
PACKAGE = HERE / "node_modules" / "@digitalbazaar" / "bbs-signatures"

pytestmark = pytest.mark.skipif(
    NODE is None or not PACKAGE.is_dir(),
    reason="Node or the npm packages are not installed: `npm ci` in tests/clients",
)

SUITES = {
    "BLS12-381-SHA-256": ciphersuite.SHA_256,
    "BLS12-381-SHAKE-256": ciphersuite.SHAKE_256,
}
HEADER, QUESTION = b"issuer header", b"verifier and nonce"
MESSAGES = (b'"Ada"', b"true", b"", b"null", bytes(range(256)))
CHOICES: tuple[tuple[int, ...], ...] = ((), (0,), (1, 3), (0, 1, 2, 3, 4))


def node(commands: Sequence[dict[str, Any]]) -> list[Any]:
    """Give the other implementation its commands."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, "bbs.mjs"],
        cwd=HERE,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    assert len(answers) == len(commands)
    return answers


def hexed(messages: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in messages]


def given(name: str, key: signature.SecretKey, **more: object) -> dict[str, Any]:
    return {
        "ciphersuite": name,
        "publicKey": key.public.octets.hex(),
        "header": HEADER.hex(),
        **more,
    }


def interface(suite: Ciphersuite) -> Interface:
    return Interface(suite, signature.BASE)


@pytest.fixture(scope="module", params=SUITES, ids=SUITES.keys())
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def test_signatures_are_the_same_and_each_verifies_the_others(name: str) -> None:
    suite = SUITES[name]
    key = signature.derive_key(suite, material=bytes(range(32)))
    ours = signature.sign(interface(suite), secret_key=key, header=HEADER, messages=MESSAGES)
    asked = given(name, key, messages=hexed(MESSAGES), signature=ours.hex())
    changed = {**asked, "messages": hexed((b'"Eve"', *MESSAGES[1:]))}
    theirs, accepted, refused = node(
        [
            {"act": "sign", "secretKey": key.scalar.hex(), **asked},
            {"act": "verify", **asked},
            {"act": "verify", **changed},
        ]
    )
    assert theirs == ours.hex()
    assert (accepted, refused) == (True, False)


def test_each_verifies_the_others_proofs(name: str) -> None:
    suite = SUITES[name]
    key = signature.derive_key(suite, material=bytes(range(32)))
    signed = signature.sign(interface(suite), secret_key=key, header=HEADER, messages=MESSAGES)
    asked = given(name, key, presentationHeader=QUESTION.hex())
    holding = {"signature": signed.hex(), "messages": hexed(MESSAGES)}
    derived = node(
        [{"act": "derive", **asked, **holding, "indexes": [*chosen]} for chosen in CHOICES]
    )
    for chosen, theirs in zip(CHOICES, derived, strict=True):
        expected = {
            "public_key": key.public,
            "proof": bytes.fromhex(theirs),
            "header": HEADER,
            "disclosed": {place: MESSAGES[place] for place in chosen},
        }
        proof.verify(interface(suite), presentation_header=QUESTION, **expected)
        with pytest.raises(BadSignature):
            proof.verify(interface(suite), presentation_header=b"another", **expected)

    def commands(chosen: tuple[int, ...]) -> list[dict[str, Any]]:
        ours = proof.prove(
            interface(suite),
            public_key=key.public,
            signature=signed,
            header=HEADER,
            presentation_header=QUESTION,
            messages=MESSAGES,
            disclosed=chosen,
            random_bytes=chance(repr(chosen).encode()),
        )
        shown = {"messages": hexed([MESSAGES[each] for each in chosen]), "indexes": [*chosen]}
        right = {"act": "verifyProof", **asked, **shown, "proof": ours.hex()}
        return [right, {**right, "presentationHeader": b"another".hex()}]

    verdicts = node([each for chosen in CHOICES for each in commands(chosen)])
    assert verdicts == [True, False] * len(CHOICES)
