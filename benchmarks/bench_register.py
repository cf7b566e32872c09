"""What a wallet's check of a policy costs, offline, once the city's bundle is loaded.

A signed request is authenticated up to the city root and held against one policy of a bundle with
a thousand, each of them decided by a board. The register inside the bundle justifies it when it is
loaded, once; how large it is and how long that takes has bars of its own, which are checked here.
"""

import dataclasses
import os
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import material, record, register_material
from benchmarks.material import AUDIENCE, BASE, NONCE
from benchmarks.rounds import Ratio
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.x509 import issue
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, clock, period
from idservice.register import bundle as bundles
from idservice.register.bundle import Loaded
from idservice.verification import openid4vp, showing
from idservice.wallet import question
from idservice.wallet.model import Card
from idservice.wallet.question import Holding, Question

POLICIES = 1000
ROUNDS = 300
HOST = AUDIENCE.partition(":")[2]


LARGEST = 3 << 20
LONGEST = 1.0
LOADS = 5


def loaded(data: bytes, now: UnixSeconds) -> Loaded:
    """Load the bundle as a wallet does when it is opened, within the bar."""
    taken = []
    for _ in range(LOADS):
        began = time.thread_time()
        found = bundles.load(data, pin=None, seen=None, now=now)
        taken.append(time.thread_time() - began)
    assert min(taken) <= LONGEST, taken
    return found


def test_a_wallets_check_of_a_policy(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    now = clock.SystemClock().now()
    today, this = period.day(now), period.of(now)
    city = register_material.make(tmp_path / "city", policies=POLICIES, now=now)
    assert len(city.bundle) <= LARGEST
    bundle = loaded(city.bundle, now).trust
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

    taken = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        check()
        taken.append(1000 * (time.thread_time() - began))
    ordered = sorted(taken)
    record.figure(
        benchmark,
        "register.policy_check_ms",
        Ratio(
            median=ordered[ROUNDS // 2],
            low=ordered[ROUNDS // 4],
            high=ordered[3 * ROUNDS // 4],
            rounds=ROUNDS,
        ),
    )
    benchmark.pedantic(check, rounds=5)
