"""What issuing costs: one credential against one signature, a batch with its key proofs.

`IssuingKey.sign` is a software key here; a hardware key costs what it costs. Without HTTP and
without the database, whose cost depends on the disk.
"""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import material as materials
from benchmarks import record, rounds
from benchmarks.material import Issuer
from benchmarks.rounds import timed
from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, jws
from crypto.sdjwt import issue
from crypto.sdjwt.issue import Frame
from idservice import catalogue, clock

CREDENTIALS = 64
BATCH = catalogue.BATCH
PROOF_TYPE = "openid4vci-proof+jwt"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return materials.make_issuer(clock.SystemClock().now())


def _claims(issuer: Issuer, index: int) -> JsonObject:
    address: JsonObject = {name.partition(".")[2]: "Quay 7" for name in catalogue.ADDRESS_CLAIMS}
    flat: JsonObject = {name: True for name in catalogue.CLAIMS if "." not in name}
    status: JsonObject = {"status_list": {"idx": index, "uri": issuer.list_uri}}
    return {**issuer.visible, **flat, "address": address, "status": status}


def _issue(issuer: Issuer, holder: ec.EllipticCurvePublicKey, index: int) -> str:
    return issue.issue(
        header=issuer.header,
        claims=_claims(issuer, index),
        frame=Frame(disclosable=frozenset(tuple(name.split(".")) for name in catalogue.CLAIMS)),
        holder=holder,
        signer=jws.es256_signer(issuer.key),
        random_bytes=os.urandom,
    )


def test_one_credential(benchmark: BenchmarkFixture, issuer: Issuer) -> None:
    holder = jwk.generate(random_bytes=os.urandom).public_key()
    algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)
    signed = os.urandom(1500)

    def bare() -> None:
        for _ in range(CREDENTIALS):
            issuer.key.sign(signed, algorithm)

    def whole() -> None:
        for index in range(CREDENTIALS):
            _issue(issuer, holder, index)

    taken = rounds.interleave({"sign": timed(bare), "issue": timed(whole)})
    record.figure(
        benchmark, "issuance.credential_over_sign", rounds.ratio(taken["issue"], taken["sign"])
    )
    benchmark.pedantic(whole, rounds=5, warmup_rounds=1)


def test_a_batch_of_twenty(benchmark: BenchmarkFixture, issuer: Issuer) -> None:
    keys = [jwk.generate(random_bytes=os.urandom) for _ in range(BATCH)]
    proofs = [_proof(key) for key in keys]
    algorithm = ec.ECDSA(SHA256())
    signed = os.urandom(300)
    prepared = [(key.public_key(), key.sign(signed, algorithm)) for key in keys]

    def bare() -> None:
        for key, signature in prepared:
            key.verify(signature, signed, algorithm)
            issuer.key.sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True))

    def whole() -> None:
        for index, proof in enumerate(proofs):
            header = jws.parse(proof).header["jwk"]
            assert isinstance(header, dict)
            holder = jwk.parse_public(header)
            jws.verify(proof, key=holder, algorithm="ES256", typ=PROOF_TYPE)
            _issue(issuer, holder, index)

    taken = rounds.interleave({"bare": timed(bare), "batch": timed(whole)})
    record.figure(
        benchmark, "issuance.batch20_over_raw20", rounds.ratio(taken["batch"], taken["bare"])
    )
    benchmark.pedantic(whole, rounds=5, warmup_rounds=1)


def _proof(key: ec.EllipticCurvePrivateKey) -> str:
    payload: JsonObject = {"aud": materials.BASE, "iat": clock.SystemClock().now(), "nonce": "n"}
    return jws.sign(
        header={
            "alg": "ES256",
            "typ": PROOF_TYPE,
            "jwk": {**jwk.public_jwk(key.public_key())},
        },
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(key),
    )
