"""What verifying a presentation costs: against RAW2, and against the peers.

RAW2 is the issuer's and the holder's P-256 signature alone, keys preloaded. All blocks of a
comparison take turns (`rounds.py`); pytest-benchmark runs and stores them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import material as materials
from benchmarks import node_process, peers, record, rounds
from benchmarks.material import Material
from benchmarks.rounds import Block, Seconds, timed
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding
from idservice.verification import verify

PEER_ROUNDS = 15
_HALF = 32


@pytest.fixture(scope="module")
def material() -> Material:
    return materials.make()


Prepared = tuple[ec.EllipticCurvePublicKey, bytes, bytes]
"""A key, a signature in DER, and what was signed."""


def prepared(material: Material) -> list[Prepared]:
    """Take both signatures out of each presentation, the issuer's first."""
    found = []
    for text, holder in zip(material.presentations, material.holders, strict=True):
        parsed = sd_jwt.parse(text)
        assert isinstance(parsed, SdJwtWithKeyBinding)
        for key, token in (
            (material.issuer_key, parsed.sd_jwt.issuer),
            (holder, parsed.key_binding),
        ):
            r, s = token.signature[:_HALF], token.signature[_HALF:]
            der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
            found.append((key, der, token.signing_input))
    return found


def raw2(material: Material) -> Block:
    """Check the two signatures of each presentation, everything else done beforehand."""
    algorithm = ec.ECDSA(SHA256())
    known = prepared(material)

    def block() -> None:
        for key, der, signed in known:
            key.verify(der, signed, algorithm)

    return block


def fresh_holder(material: Material) -> Block:
    """Check the same signatures, each holder's key loaded anew: no verifier can do with less."""
    algorithm = ec.ECDSA(SHA256())
    known = prepared(material)
    issued, answered = known[::2], known[1::2]
    points = [
        key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        for key, _, _ in answered
    ]

    def block() -> None:
        for (key, der, signed), point, (_, its_der, its_signed) in zip(
            issued, points, answered, strict=True
        ):
            key.verify(der, signed, algorithm)
            jwk.load_point(point).verify(its_der, its_signed, algorithm)

    return block


def everything(material: Material) -> Block:
    """Verify with status and policy."""

    def block() -> None:
        for text in material.presentations:
            verify.verify_presentation(
                text,
                policy=material.policy,
                audience=material.audience,
                nonce=material.nonce,
                trust=material.trust,
                status=material.lists,
                now=material.now,
            )

    return block


def bare(material: Material) -> Block:
    """Verify without status and policy, as the peers are called."""

    def block() -> None:
        for text in material.presentations:
            verify.verify_credential(
                text,
                audience=material.audience,
                nonce=material.nonce,
                trust=material.trust,
                now=material.now,
            )

    return block


@contextmanager
def signatures_stubbed(key: ec.EllipticCurvePublicKey) -> Iterator[None]:
    """Let both signature checks, and the loading of the holder's key for one, do nothing.

    All else stays, the hashes that are signed and the base64 of signatures and key included. The
    general steps, which call `jws.verify_signature` and `jwk.parse_public`, are not taken here.
    """
    checked, loaded = jws.check_digest, jwk.load_point
    jws.check_digest = lambda *_: None  # type: ignore[assignment]
    jwk.load_point = lambda *_: key  # type: ignore[assignment]
    try:
        yield
    finally:
        jws.check_digest, jwk.load_point = checked, loaded  # type: ignore[assignment]


def stubbed(material: Material) -> Block:
    """Verify with everything on but the signatures."""
    block = everything(material)

    def without() -> None:
        with signatures_stubbed(material.issuer_key):
            block()

    return without


def _store(benchmark: BenchmarkFixture, block: Callable[[], object]) -> None:
    """Let pytest-benchmark keep the absolute times of one block."""
    benchmark.pedantic(block, rounds=5, warmup_rounds=1)
    benchmark.extra_info["presentations"] = materials.PRESENTATIONS


def test_verification_over_raw2(benchmark: BenchmarkFixture, material: Material) -> None:
    taken = rounds.interleave(
        {
            "raw2": timed(raw2(material)),
            "fresh": timed(fresh_holder(material)),
            "verify": timed(everything(material)),
            "stubbed": timed(stubbed(material)),
            "verify_bare": timed(bare(material)),
        }
    )
    whole = rounds.ratio(taken["verify"], taken["raw2"])
    record.figure(benchmark, "sdjwt.verify_over_raw2", whole)
    record.figure(
        benchmark, "sdjwt.overhead_over_raw2", rounds.ratio(taken["stubbed"], taken["raw2"])
    )
    record.figure(
        benchmark, "sdjwt.fresh_holder_over_raw2", rounds.ratio(taken["fresh"], taken["raw2"])
    )
    record.time(benchmark, "verify", whole.median)
    record.time(benchmark, "verify_bare", rounds.ratio(taken["verify_bare"], taken["raw2"]).median)
    benchmark.extra_info["raw2_us"] = median(taken["raw2"]) / materials.PRESENTATIONS * 1e6
    benchmark.extra_info["octets"] = sum(map(len, material.presentations)) // len(
        material.presentations
    )
    _store(benchmark, everything(material))


def _compare(benchmark: BenchmarkFixture, material: Material, name: str, peer: Seconds) -> None:
    taken = rounds.interleave(
        {"raw2": timed(raw2(material)), "ours": timed(bare(material)), "peer": peer},
        rounds=PEER_ROUNDS,
    )
    record.figure(benchmark, f"sdjwt.{name}_over_ours", rounds.ratio(taken["peer"], taken["ours"]))
    record.time(benchmark, name, rounds.ratio(taken["peer"], taken["raw2"]).median)
    _store(benchmark, bare(material))


def test_pypi_sd_jwt(benchmark: BenchmarkFixture, material: Material) -> None:
    _compare(benchmark, material, "pypi_sd_jwt", timed(peers.pypi_sd_jwt(material)))


def test_openvc_core(benchmark: BenchmarkFixture, material: Material) -> None:
    _compare(benchmark, material, "openvc_core", timed(peers.openvc_core(material)))


def test_node_sd_jwt_vc(benchmark: BenchmarkFixture, material: Material) -> None:
    reason = node_process.why_none()
    if reason is not None:
        record.impossible(benchmark, "sdjwt.node_sd_jwt_vc_over_ours", reason)
        _store(benchmark, bare(material))
        return
    with peers.node_sd_jwt_vc(material) as peer:
        _compare(benchmark, material, "node_sd_jwt_vc", peer)
