"""Pseudonyms: every published case, and what the fixtures do not cover."""

from typing import Any

import pytest

from crypto.bbs import blind, commitment, pseudonym, signature
from crypto.bbs import proof as proofs
from crypto.bbs.blind import Held, Shown
from crypto.bbs.generators import Interface
from tests.fakes import bbs_fixtures
from tests.fakes.bbs_fixtures import SUITES

DRAFT = "bbs-pseudonyms"
COMMITS = bbs_fixtures.cases(DRAFT, "nymCommit")
SIGNATURES = bbs_fixtures.cases(DRAFT, "nymSignature")
PROOFS = bbs_fixtures.cases(DRAFT, "nymProof")
GENERATORS = bbs_fixtures.cases(DRAFT, "")
fx = bytes.fromhex


def face(suite: str) -> Interface:
    return pseudonym.interface(SUITES[suite])


def held(case: Any, key: signature.PublicKey, *, nyms: str) -> Held:
    return Held(
        public_key=key,
        header=fx(case["header"]),
        signature=fx(case["signature"]),
        messages=bbs_fixtures.octets(case["messages"]),
        committed=bbs_fixtures.octets(case["committedMessages"]),
        blind=bbs_fixtures.scalar(case["proverBlind"]),
        nym_secrets=tuple(map(bbs_fixtures.scalar, case[nyms])),
    )


def test_all_cases_are_here() -> None:
    counts = [len(each) for each in (GENERATORS, COMMITS, SIGNATURES, PROOFS)]
    assert counts == [2, 6, 8, 14]


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
    nyms = [*map(bbs_fixtures.scalar, case["proverNyms"])]
    count = len(messages) + len(nyms)
    made = pseudonym.commit(
        interface,
        nyms=nyms,
        messages=messages,
        random_bytes=bbs_fixtures.chance(SUITES[suite], case, "commit", count + 2),
    )
    assert made.octets.hex() == case["commitmentWithProof"]
    assert made.blind == bbs_fixtures.scalar(case["proverBlind"])
    assert commitment.check(interface, made.octets).count == count


@pytest.mark.parametrize(("suite", "path"), SIGNATURES)
def test_signatures(suite: str, path: str) -> None:
    case, interface = bbs_fixtures.load(path), face(suite)
    key = signature.load_secret_key(fx(case["signerKeyPair"]["secretKey"]))
    received = held(case, key.public, nyms="proverNyms")
    entropy = bbs_fixtures.scalar(case["signer_nym_entropy"])
    made = pseudonym.sign(
        interface,
        secret_key=key,
        committed=commitment.check(interface, fx(case["commitmentWithProof"])),
        nyms=len(received.nym_secrets),
        entropy=entropy,
        header=received.header,
        messages=received.messages,
    )
    assert made.hex() == case["signature"]
    final = pseudonym.finalize(interface, received, entropy=entropy)
    assert final == held(case, key.public, nyms="nym_secrets")


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
    nyms, context = len(case["nym_secrets"]), fx(case["context_id"])
    left = pseudonym.claim(
        interface,
        shown,
        proof=fx(case["proof"]),
        pseudonym=fx(case["pseudonym"]),
        context=context,
        nyms=nyms,
    )
    proofs.settle(left, public_key=shown.public_key)

    hidden = len(case["messages"]) + 1 + len(case["committedMessages"]) + nyms
    count = 5 + hidden - len(shown.messages) - len(shown.committed)
    made = pseudonym.prove(
        interface,
        held(case, shown.public_key, nyms="nym_secrets"),
        context=context,
        presentation_header=shown.presentation_header,
        disclosed=shown.messages,
        disclosed_committed=shown.committed,
        random_bytes=bbs_fixtures.chance(SUITES[suite], case, "proof", count),
    )
    assert made.proof.hex() == case["proof"]
    assert made.pseudonym.hex() == case["pseudonym"]
