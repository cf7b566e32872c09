"""Blind BBS: every published case, and what the fixtures do not cover.

Signatures, commitments and proofs come out octet by octet as published, so their traces are not
compared; one is wrong in the fixtures (`SOURCE.md` there).
"""

from typing import Any

import pytest

from crypto.bbs import blind, commitment, signature
from crypto.bbs.blind import Held, Shown
from crypto.bbs.generators import Interface
from tests.fakes import bbs_fixtures
from tests.fakes.bbs_fixtures import SUITES

DRAFT = "blind-bbs"
COMMITS = bbs_fixtures.cases(DRAFT, "commit")
SIGNATURES = bbs_fixtures.cases(DRAFT, "signature")
PROOFS = bbs_fixtures.cases(DRAFT, "proof")
GENERATORS = bbs_fixtures.cases(DRAFT, "")
fx = bytes.fromhex


def face(suite: str) -> Interface:
    return blind.interface(SUITES[suite])


def held(case: Any, key: signature.PublicKey) -> Held:
    return Held(
        public_key=key,
        header=fx(case["header"]),
        signature=fx(case["signature"]),
        messages=bbs_fixtures.octets(case["messages"]),
        committed=bbs_fixtures.octets(case["committedMessages"]),
        blind=bbs_fixtures.scalar(case["proverBlind"] or ""),
    )


def test_all_cases_are_here() -> None:
    counts = [len(each) for each in (GENERATORS, COMMITS, SIGNATURES, PROOFS)]
    assert counts == [2, 2, 6, 10]


@pytest.mark.parametrize(("suite", "path"), GENERATORS)
def test_generators_are_those_published(suite: str, path: str) -> None:
    case, interface = bbs_fixtures.load(path), face(suite)
    plain, unseen = case["generators"], case["blindGenerators"]
    made = blind.layout(
        interface, count=len(plain["MsgGenerators"]), committed=len(unseen["MsgGenerators"])
    )
    assert interface.api_id.decode() == plain["api_id"]
    assert commitment.committing(interface).api_id.decode() == unseen["api_id"]
    listed = [plain["Q1"], *plain["MsgGenerators"], unseen["Q1"], *unseen["MsgGenerators"]]
    assert made.octets.hex() == "".join(listed)


@pytest.mark.parametrize(("suite", "path"), COMMITS)
def test_commitments(suite: str, path: str) -> None:
    case, interface = bbs_fixtures.load(path), face(suite)
    messages = bbs_fixtures.octets(case["committedMessages"])
    count = len(messages) + 2
    chance = bbs_fixtures.chance(SUITES[suite], case, "commit", count)
    made = commitment.make(interface, messages, random_bytes=chance)
    assert made.octets.hex() == case["commitmentWithProof"]
    assert made.blind.hex() == case["proverBlind"]
    assert commitment.check(interface, made.octets).count == len(messages)


@pytest.mark.parametrize(("suite", "path"), SIGNATURES)
def test_signatures(suite: str, path: str) -> None:
    case, interface = bbs_fixtures.load(path), face(suite)
    key = signature.load_secret_key(fx(case["signerKeyPair"]["secretKey"]))
    assert key.public.octets.hex() == case["signerKeyPair"]["publicKey"]
    committed = commitment.check(interface, fx(case["commitmentWithProof"] or ""))
    received = held(case, key.public)
    made = blind.sign(
        interface,
        secret_key=key,
        committed=committed,
        header=received.header,
        messages=received.messages,
    )
    assert made.hex() == case["signature"]
    blind.verify(interface, received)


@pytest.mark.parametrize(("suite", "path"), PROOFS)
def test_proofs(suite: str, path: str) -> None:
    case, interface = bbs_fixtures.load(path), face(suite)
    shown = Shown(
        public_key=signature.load_public_key(fx(case["signerPublicKey"])),
        header=fx(case["header"]),
        presentation_header=fx(case["presentationHeader"]),
        count=case["L"],
        messages=bbs_fixtures.places(case["revealedMessages"]),
        committed=bbs_fixtures.places(case["revealedCommittedMessages"]),
    )
    blind.verify_proof(interface, shown, proof=fx(case["proof"]))

    everything = bbs_fixtures.load(f"{DRAFT}/messages.json")
    unseen = everything["committedMessages"] if case["commitmentWithProof"] else []
    source = {**case, "messages": everything["messages"], "committedMessages": unseen}
    hidden = len(everything["messages"]) + 1 + len(unseen) - len(shown.messages)
    count = 5 + hidden - len(shown.committed)
    made = blind.prove(
        interface,
        held(source, shown.public_key),
        presentation_header=shown.presentation_header,
        disclosed=shown.messages,
        disclosed_committed=shown.committed,
        random_bytes=bbs_fixtures.chance(SUITES[suite], case, "proof", count),
    )
    assert made.hex() == case["proof"]
