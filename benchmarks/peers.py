"""The peers: other implementations, each called as its own documentation says.

Every peer for SD-JWT VC gets the issuer's key preloaded and checks issuer signature, disclosures
and key binding with audience and nonce over the same presentations. The peers for BBS do what we
do for base BBS; there is no credential around it. What each leaves out stands in
`benchmarks/figures.py` and so in the tables of `benchmarks/README.md`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jwcrypto.jwk import JWK
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from sd_jwt.verifier import SDJWTVerifier

from benchmarks import node_process
from benchmarks.bbs_material import Base
from benchmarks.material import Material
from benchmarks.rounds import Block, Seconds


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


@contextmanager
def node_sd_jwt_vc(material: Material) -> Iterator[Seconds]:
    """Verify with `@sd-jwt/sd-jwt-vc`."""
    given = {
        "issuer": material.issuer_jwk,
        "audience": material.audience,
        "nonce": material.nonce,
        "vct": material.vct,
        "presentations": material.presentations,
    }
    with node_process.talk("peer.mjs", given) as ask:
        yield lambda: ask("block")["seconds"]


@contextmanager
def node_bbs(peer: str, base: Base) -> Iterator[Callable[[str, int], Seconds]]:
    """Act as another implementation of base BBS does; a block is an act so many times."""
    given = {
        "peer": peer,
        "secretKey": base.key.scalar.hex(),
        "publicKey": base.key.public.octets.hex(),
        "header": base.header.hex(),
        "presentationHeader": base.presentation_header.hex(),
        "signature": base.signature.hex(),
        "messages": [each.hex() for each in base.messages],
        "proofs": [each.hex() for each in base.proofs],
        "disclosed": [*base.disclosed],
    }
    with node_process.talk("bbs.mjs", given) as ask:
        yield lambda act, times: lambda: ask({"act": act, "times": times})["seconds"] / times
