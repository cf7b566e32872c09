"""The peers: other verifiers of SD-JWT VC, each called as its own documentation says.

Every peer gets the issuer's key preloaded and checks issuer signature, disclosures and key
binding with audience and nonce over the same presentations. What each leaves out beside that
stands in `benchmarks/figures.py` and so in the table of `benchmarks/README.md`.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jwcrypto.jwk import JWK
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from sd_jwt.verifier import SDJWTVerifier

from benchmarks.material import Material
from benchmarks.rounds import Block, Seconds

NODE_FOLDER = Path(__file__).parent / "node"


def pypi_sd_jwt(material: Material) -> Block:
    """Verify with the distribution `sd-jwt`."""
    key = JWK(**material.issuer_jwk)

    def block() -> None:
        for presentation in material.presentations:
            SDJWTVerifier(
                presentation, lambda _issuer, _header: key, material.audience, material.nonce
            ).get_verified_payload()

    return block


def openvc_core(material: Material) -> Block:
    """Verify with the distribution `openvc-core`."""
    suite = SdJwtVcProofSuite()

    def block() -> None:
        for presentation in material.presentations:
            suite.verify(
                presentation,
                public_key_jwk=material.issuer_jwk,
                audience=material.audience,
                nonce=material.nonce,
                require_key_binding=True,
                expected_vct=material.vct,
            )

    return block


def why_no_node() -> str | None:
    """Say why the Node peer cannot run here, if it cannot."""
    if shutil.which("node") is None:
        return "Node is not installed on this machine"
    if not (NODE_FOLDER / "node_modules").is_dir():
        return "`npm ci` has not been run in benchmarks/node"
    return None


@contextmanager
def node_sd_jwt_vc(material: Material) -> Iterator[Seconds]:
    """Verify with `@sd-jwt/sd-jwt-vc`, in a process of its own that times itself."""
    with subprocess.Popen(
        ["node", "peer.mjs"],  # noqa: S607 - whichever Node the machine has
        cwd=NODE_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answered = process.stdin, process.stdout

        def ask(line: str) -> dict[str, float]:
            asked.write(line + "\n")
            asked.flush()
            answer: dict[str, float] = json.loads(answered.readline())
            return answer

        ask(
            json.dumps(
                {
                    "issuer": material.issuer_jwk,
                    "audience": material.audience,
                    "nonce": material.nonce,
                    "vct": material.vct,
                    "presentations": material.presentations,
                }
            )
        )
        yield lambda: ask("block")["seconds"]
        asked.close()
