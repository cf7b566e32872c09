"""What BBS costs: against the floor of its own group operations, the other library, the peers.

The floor is what `bbs_calls.floor` plays: the calls into the curve library and nothing else. All
blocks of a comparison take turns (`rounds.py`); what stands in tables is the least of all rounds,
in milliseconds for one signature, proof or showing. HTTP is `bench_http`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bbs_calls, bbs_material, node_process, peers, record, rounds, sizes
from benchmarks.bbs_material import BASE, HASHED, Base, Credentials
from benchmarks.rounds import Block, Seconds, timed
from crypto.bbs import batch, jwp, proof, signature
from crypto.bbs.jwp import Unverified
from crypto.bbs.signature import PublicKey
from idservice import clock
from idservice.verification import trust, verify
from idservice.verification.status import KeptLists
from idservice.verification.trust import TrustBundle

SIZES = (10, 30)
ACTS = ("sign", "verify", "prove", "verify_proof")
IN_A_BLOCK = 16
"""Showings of the credential, where one by one is measured."""
BATCHES = (1, 10, 100, 1000)
FEW_ROUNDS = 7
PEERS = {"pairing_crypto": 8, "digitalbazaar": 2}
"""How often each does something in a block."""
CONTEXT = bytes(range(32))

Taken = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Showings:
    """Showings of the credential under one key, without a pseudonym and with one."""

    credentials: Credentials
    plain: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def key(self) -> PublicKey:
        """The issuer's."""
        return self.credentials.issuer.key.public


@pytest.fixture(scope="module")
def bases() -> dict[int, Base]:
    return {size: bbs_material.make_base(size) for size in SIZES}


@pytest.fixture(scope="module")
def showings() -> Showings:
    made = bbs_material.make_credentials(bbs_material.make_issuer())
    return Showings(
        credentials=made,
        plain=tuple(made.show(resident=number) for number in range(max(BATCHES))),
        named=tuple(
            made.show(resident=number, nym_context=CONTEXT) for number in range(IN_A_BLOCK)
        ),
    )


def verify_proofs(base: Base) -> Block:
    """Verify all proofs of base BBS."""
    key = signature.load_public_key(base.key.public.octets)

    def block() -> None:
        for each in base.proofs:
            proof.verify(
                BASE,
                public_key=key,
                proof=each,
                header=base.header,
                presentation_header=base.presentation_header,
                disclosed=base.disclosed,
            )

    return block


def verify_showings(texts: Sequence[str], key: PublicKey, context: bytes | None = None) -> Block:
    """Verify showings one by one, the container taken apart beforehand."""
    loaded, unverified = signature.load_public_key(key.octets), [*map(jwp.parse, texts)]

    def block() -> None:
        for each in unverified:
            jwp.verify(each, public_key=loaded, nym_context=context, hashed=HASHED)

    return block


def verify_batches(unverified: Sequence[Unverified], key: PublicKey, size: int) -> Block:
    """Verify showings in batches of one size."""
    loaded = signature.load_public_key(key.octets)
    groups = [unverified[at : at + size] for at in range(0, len(unverified), size)]

    def block() -> None:
        for group in groups:
            answers = batch.verify(group, public_key=loaded, hashed=HASHED, random_bytes=os.urandom)
            assert not any(answers)

    return block


def verify_presentations(texts: Sequence[str], bundle: TrustBundle) -> Block:
    """Verify showings as the service does, from text to facts."""
    policy, lists = bundle.policies[bbs_material.POLICY], KeptLists()

    def block() -> None:
        for each in texts:
            verify.verify_presentation(
                each,
                policy=policy,
                audience=bbs_material.AUDIENCE,
                nonce=bbs_material.NONCE,
                trust=bundle,
                status=lists,
                now=clock.SystemClock().now(),
            )

    return block


def claim_all(unverified: Sequence[Unverified], key: PublicKey) -> Block:
    """Check everything but the pairing equations."""

    def block() -> None:
        for each in unverified:
            jwp.claim(each, public_key=key, nym_context=None, hashed=HASHED)

    return block


def per(block: Block, count: int) -> Seconds:
    """Measure one of the `count` that a block does."""
    whole = timed(block)
    return lambda: whole() / count


def least(taken: Taken, name: str) -> float:
    """Return milliseconds."""
    return round(1000 * min(taken[name]), 4)


def figure(benchmark: BenchmarkFixture, name: str, taken: Taken, over: str, under: str) -> None:
    record.figure(benchmark, f"bbs.{name}", rounds.ratio(taken[over], taken[under]))


def _repeated(act: Callable[[], object], count: int) -> Seconds:
    def block() -> None:
        for _ in range(count):
            act()

    return per(block, count)


def base_acts(base: Base) -> dict[str, Seconds]:
    """Return all that can be done with base BBS but verifying proofs."""
    messages, header, key = base.messages, base.header, base.key

    def sign() -> bytes:
        return signature.sign(BASE, secret_key=key, header=header, messages=messages)

    def check() -> None:
        signature.verify(
            BASE,
            public_key=key.public,
            signature=base.signature,
            header=header,
            messages=messages,
        )

    return {
        "sign": _repeated(sign, 4),
        "verify": _repeated(check, 4),
        "prove": _repeated(lambda: bbs_material.prove(base), 4),
    }


@pytest.mark.parametrize("size", SIZES)
def test_base_proofs(benchmark: BenchmarkFixture, bases: dict[int, Base], size: int) -> None:
    base = bases[size]
    block = verify_proofs(base)
    taken = rounds.interleave(
        {
            "verify_proof": per(block, bbs_material.PROOFS),
            "floor": per(bbs_calls.floor(block), bbs_material.PROOFS),
            "stubbed": per(bbs_calls.stubbed(block), bbs_material.PROOFS),
            "arkworks": per(
                bbs_calls.on_arkworks(lambda: verify_proofs(base)), bbs_material.PROOFS
            ),
            **base_acts(base),
        }
    )
    suffix = "" if size == SIZES[0] else f"_{size}"
    figure(benchmark, f"verify{suffix}_over_floor", taken, "verify_proof", "floor")
    figure(benchmark, f"overhead{suffix}_over_floor", taken, "stubbed", "floor")
    figure(benchmark, f"verify{suffix}_over_arkworks", taken, "verify_proof", "arkworks")
    cells = {name: least(taken, name) for name in (*ACTS, "floor", "arkworks")}
    record.table(benchmark, "bbs_ms", {f"base {size}/3": cells})
    benchmark.pedantic(block, rounds=5, warmup_rounds=1)


def test_credential(benchmark: BenchmarkFixture, showings: Showings) -> None:
    """Everything that is done with the credential, each act by the call that the service makes."""
    made, key = showings.credentials, showings.key
    secret, commitment = jwp.request(random_bytes=os.urandom)
    content = bbs_material.payloads()
    text = bbs_material.issue(made.issuer, commitment, content)
    plain, named = showings.plain[:IN_A_BLOCK], showings.named
    block = verify_showings(plain, key)
    with_name = verify_showings(named, key, CONTEXT)
    bundle = trust.parse(
        bbs_material.bundle(made.issuer), root_fingerprint=None, at_least_version=None
    )
    blocks = {
        "sign": _repeated(lambda: bbs_material.issue(made.issuer, commitment, content), 4),
        "verify": _repeated(
            lambda: jwp.receive(text, secret=secret, public_key=key, hashed=HASHED), 4
        ),
        "prove": _repeated(made.show, 4),
        "verify_proof": per(block, IN_A_BLOCK),
        "presentation": per(verify_presentations(plain, bundle), IN_A_BLOCK),
        "floor": per(bbs_calls.floor(block), IN_A_BLOCK),
        "stubbed": per(bbs_calls.stubbed(block), IN_A_BLOCK),
        "arkworks": per(bbs_calls.on_arkworks(lambda: verify_showings(plain, key)), IN_A_BLOCK),
        "named prove": _repeated(lambda: made.show(nym_context=CONTEXT), 4),
        "named verify_proof": per(with_name, IN_A_BLOCK),
        "named floor": per(bbs_calls.floor(with_name), IN_A_BLOCK),
        "named arkworks": per(
            bbs_calls.on_arkworks(lambda: verify_showings(named, key, CONTEXT)), IN_A_BLOCK
        ),
    }
    taken = rounds.interleave(blocks)
    figure(benchmark, "real_credential_over_floor", taken, "verify_proof", "floor")
    figure(benchmark, "real_credential_overhead_over_floor", taken, "stubbed", "floor")
    figure(benchmark, "real_credential_over_arkworks", taken, "verify_proof", "arkworks")
    figure(benchmark, "presentation_over_floor", taken, "presentation", "floor")
    figure(benchmark, "pseudonym_over_floor", taken, "named verify_proof", "named floor")
    cells = {name: least(taken, name) for name in blocks}
    named_cells = {
        name.removeprefix("named "): cells.pop(name) for name in blocks if name.startswith("named ")
    }
    rows = {"the credential": cells, "the credential, with a pseudonym": named_cells}
    record.table(benchmark, "bbs_ms", rows)
    benchmark.pedantic(block, rounds=5, warmup_rounds=1)


def test_batch_of_a_hundred(benchmark: BenchmarkFixture, showings: Showings) -> None:
    """A batch against its own group operations, the two pairings of the batch left out."""
    unverified, key = [*map(jwp.parse, showings.plain[:100])], showings.key
    block = verify_batches(unverified, key, 100)
    taken = rounds.interleave(
        {
            "batch": timed(block),
            "floor": timed(bbs_calls.floor(block, without=bbs_calls.PAIRING)),
            "proofs' floor": timed(bbs_calls.floor(claim_all(unverified, key))),
        }
    )
    figure(benchmark, "batch100_over_floor", taken, "batch", "floor")
    figure(benchmark, "batch100_over_proofs_floor", taken, "batch", "proofs' floor")
    benchmark.pedantic(block, rounds=3, warmup_rounds=1)


def test_batches(benchmark: BenchmarkFixture, showings: Showings) -> None:
    unverified, key = [*map(jwp.parse, showings.plain)], showings.key
    blocks: dict[str, Seconds] = {}
    for size in BATCHES:
        some = unverified[: max(size, 100)]
        texts = showings.plain[: len(some)]
        blocks[f"{size} blst"] = per(verify_batches(some, key, size), len(some))
        blocks[f"{size} arkworks"] = per(_on_arkworks(texts, key, size), len(some))
    taken = rounds.interleave(blocks, rounds=FEW_ROUNDS)
    rows = {
        str(size): {library: least(taken, f"{size} {library}") for library in ("blst", "arkworks")}
        for size in BATCHES
    }
    record.table(benchmark, "bbs_batch_ms", rows)
    benchmark.pedantic(verify_batches(unverified[:100], key, 100), rounds=3)


def _on_arkworks(texts: Sequence[str], key: PublicKey, size: int) -> Block:
    return bbs_calls.on_arkworks(lambda: verify_batches([*map(jwp.parse, texts)], key, size))


def test_sizes(benchmark: BenchmarkFixture, showings: Showings) -> None:
    rows = {
        "dc+sd-jwt": sizes.sd_jwt_octets(),
        "jwp+bbs": sizes.bbs_octets(showings.credentials),
    }
    record.table(benchmark, "octets", rows)
    benchmark.pedantic(jwp.parse, args=(showings.plain[0],), rounds=5)


@pytest.mark.parametrize("peer", PEERS)
def test_peers(benchmark: BenchmarkFixture, bases: dict[int, Base], peer: str) -> None:
    base, name = bases[SIZES[0]], f"bbs.{peer}_over_ours"
    block = verify_proofs(base)
    reason = node_process.why_none()
    if reason is not None:
        record.impossible(benchmark, name, reason)
        benchmark.pedantic(block, rounds=3, warmup_rounds=1)
        return
    times = PEERS[peer]
    with peers.node_bbs(peer, base) as act:
        acts = {
            "sign": act("sign", times),
            "verify": act("verify", times),
            "prove": act("prove", times),
            "verify_proof": act("verifyProof", times),
        }
        taken = rounds.interleave(
            {"ours": per(block, bbs_material.PROOFS), **acts}, rounds=FEW_ROUNDS
        )
    record.figure(benchmark, name, rounds.ratio(taken["verify_proof"], taken["ours"]))
    cells = {each: least(taken, each) for each in ACTS}
    record.table(benchmark, "bbs_peers_ms", {peer: cells})
    benchmark.pedantic(block, rounds=3, warmup_rounds=1)
