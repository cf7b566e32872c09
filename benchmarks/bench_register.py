"""What a wallet's check of a policy costs, offline, once the city's bundle is loaded.

A signed request is authenticated up to the city root and held against one policy of a bundle with
a thousand, each of them decided by a board. The register inside the bundle justifies it when it is
loaded, once; how large it is and how long that takes are figures of their own.
"""

import dataclasses
import gc
import os
import statistics

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import material, record, register_material
from benchmarks.material import AUDIENCE, BASE, NONCE
from benchmarks.register_material import Registered
from benchmarks.rounds import Block, Ratio, timed
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.x509 import issue
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, clock, period
from idservice.register import bundle as bundles
from idservice.verification import openid4vp, showing
from idservice.wallet import question
from idservice.wallet.model import Card
from idservice.wallet.question import Holding, Question

POLICIES = 1000
ROUNDS = 300
LOADS = 11
MIB = 1 << 20
HOST = AUDIENCE.partition(":")[2]


@pytest.fixture(scope="module")
def now() -> UnixSeconds:
    return clock.SystemClock().now()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, now: UnixSeconds) -> Registered:
    folder = tmp_path_factory.mktemp("register") / "city"
    return register_material.make(folder, policies=POLICIES, now=now)


def test_loading_the_bundle(
    benchmark: BenchmarkFixture, city: Registered, now: UnixSeconds
) -> None:
    def load() -> None:
        bundles.load(city.bundle, pin=None, seen=None, now=now)

    mebibytes = len(city.bundle) / MIB
    size = Ratio(median=mebibytes, low=mebibytes, high=mebibytes, rounds=1)
    record.figure(benchmark, "register.bundle_mib", size)
    record.figure(benchmark, "register.bundle_load_s", _median(load, LOADS))
    benchmark.pedantic(load, rounds=1)


def test_a_wallets_check_of_a_policy(
    benchmark: BenchmarkFixture, city: Registered, now: UnixSeconds
) -> None:
    today, this = period.day(now), period.of(now)
    bundle = bundles.load(city.bundle, pin=None, seen=None, now=now).trust
    key = jwk.generate(random_bytes=os.urandom)
    leaf = issue.leaf_certificate(
        role=Role.VERIFIER,
        public_key=key.public_key(),
        authority=city.root.authority,
        common_name="Exampleton Library",
        names=Names(dns_names=(HOST,)),
        validity=Validity(not_before=period.not_before(this), not_after=period.expires(this)),
        serial=3,
    )
    policy = bundle.policies[f"library-card-{POLICIES // 2}"]
    asked = question.directly(
        policy=policy, client_id=AUDIENCE, nonce=NONCE, credential_format=catalogue.FORMAT
    )
    address = f"https://{HOST}/v1/responses/1"
    token = openid4vp.sign_request(
        dataclasses.replace(asked, response_uri=address),
        path=(leaf.public_bytes(Encoding.DER),),
        signer=jws.es256_signer(key),
    )
    invitation = openid4vp.Invitation(client_id=AUDIENCE, request_uri=address, post=False)
    card = Card(
        configuration=catalogue.CONFIGURATION,
        vct=material.VCT,
        period=this,
        not_before=period.not_before(this),
        expires=period.expires(this),
        instances=(),
    )
    holdings = (Holding(card=card, claims={**material.CLAIMS, "vct": material.VCT, "iss": BASE}),)

    def check() -> None:
        request = openid4vp.authenticate(
            token, invitation=invitation, wallet_nonce=None, root=bundle.root, now=now
        )
        found = question.consider(
            request,
            request_hash=showing.request_hash(token),
            trust=bundle,
            today=today,
            holdings=holdings,
        )
        assert isinstance(found, Question), found

    taken = _median(check, ROUNDS)
    record.figure(
        benchmark,
        "register.policy_check_ms",
        Ratio(
            median=1000 * taken.median,
            low=1000 * taken.low,
            high=1000 * taken.high,
            rounds=taken.rounds,
        ),
    )
    benchmark.pedantic(check, rounds=5)


def _median(block: Block, rounds: int) -> Ratio:
    """Measure a block by itself, in seconds: the median between the quartiles.

    The garbage collector works as in a wallet, but not on what other benchmarks have left.
    """
    seconds = timed(block)
    gc.collect()
    gc.freeze()
    try:
        low, middle, high = statistics.quantiles(seconds() for _ in range(rounds))
    finally:
        gc.unfreeze()
    return Ratio(median=middle, low=low, high=high, rounds=rounds)
