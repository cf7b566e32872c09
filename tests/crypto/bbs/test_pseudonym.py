"""Pseudonyms: every published case, and what the fixtures do not cover."""

from dataclasses import replace
from typing import Any

import pytest

from crypto.bbs import blind, commitment, pseudonym, signature
from crypto.bbs import proof as proofs
from crypto.bbs.blind import Held, Shown
from crypto.bbs.ciphersuite import SHA_256
from crypto.bbs.generators import Interface
from crypto.bls import curve
from crypto.bls.group import ORDER, octets_of
from crypto.errors import BadSignature, CryptoError, Malformed, Refused
from tests.fakes import bbs_credentials, bbs_fixtures
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


LONG = bbs_fixtures.load(f"{DRAFT}/bls12-381-sha-256/nymProof/nymProof103.json")
INTERFACE = pseudonym.interface(SHA_256)
PUBLIC = signature.load_public_key(fx(LONG["signerPublicKey"]))
HELD = held(LONG, PUBLIC, nyms="nym_secrets")
CONTEXT = fx(LONG["context_id"])
SHOWN = Shown(
    public_key=PUBLIC,
    header=HELD.header,
    presentation_header=fx(LONG["presentationHeader"]),
    count=LONG["L"],
    messages=bbs_fixtures.places(LONG["revealedMessages"]),
    committed=bbs_fixtures.places(LONG["revealedCommittedMessages"]),
)
GIVEN: dict[str, Any] = {
    "proof": fx(LONG["proof"]),
    "pseudonym": fx(LONG["pseudonym"]),
    "context": CONTEXT,
    "nyms": 10,
}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"nyms": 9}, BadSignature),
        ({"nyms": 11}, Malformed),
        ({"context": CONTEXT + b"."}, BadSignature),
        ({"pseudonym": bytes([0xC0]) + bytes(47)}, Malformed),
        ({"pseudonym": fx(LONG["pseudonym"])[:-1]}, Malformed),
        ({"pseudonym": fx(LONG["trace"]["Ut"])}, BadSignature),
    ],
    ids=["one nym fewer", "one more", "context", "identity", "short", "another point"],
)
def test_a_proof_about_another_name_is_refused(
    changed: dict[str, Any], error: type[CryptoError]
) -> None:
    assert pseudonym.claim(INTERFACE, SHOWN, **GIVEN)
    with pytest.raises(error):
        pseudonym.claim(INTERFACE, SHOWN, **{**GIVEN, **changed})


def test_a_name_whose_proof_is_about_the_identity_is_refused() -> None:
    """Point * hat - name * c is the identity for a name that anybody can make up."""
    parsed = proofs.parse(GIVEN["proof"])
    z = SHA_256.hash_to_scalar(CONTEXT, INTERFACE.api_id + b"VECT_NYM_SECRETS")
    hat = sum(each * pow(z, at, ORDER) for at, each in enumerate(parsed.m_hats[-10:]))
    name = curve.BACKEND.sum_of(
        [pseudonym.context_point(INTERFACE, CONTEXT)],
        [hat * pow(parsed.c, -1, ORDER) % ORDER],
    )
    with pytest.raises(Refused, match="identity"):
        pseudonym.claim(INTERFACE, SHOWN, **{**GIVEN, "pseudonym": curve.BACKEND.encode([name])})


def test_a_nym_secret_cannot_be_shown() -> None:
    last = len(LONG["committedMessages"])
    shown = replace(SHOWN, committed={**SHOWN.committed, last: b""})
    one_fewer = GIVEN["proof"][:-64] + GIVEN["proof"][-32:]
    with pytest.raises(Malformed, match=r"place|short"):
        pseudonym.claim(INTERFACE, shown, **{**GIVEN, "proof": one_fewer})
    with pytest.raises(ValueError, match="place"):
        pseudonym.prove_hidden(
            INTERFACE,
            HELD,
            presentation_header=b"",
            disclosed=(),
            disclosed_committed=(last,),
            random_bytes=bbs_credentials.chance(),
        )


@pytest.mark.parametrize("path", [path for suite, path in PROOFS if suite.endswith("sha-256")])
def test_the_same_signature_is_shown_without_a_name(path: str) -> None:
    case = bbs_fixtures.load(path)
    holding, nyms = held(case, PUBLIC, nyms="nym_secrets"), len(case["nym_secrets"])
    shown = replace(SHOWN, messages=bbs_fixtures.places(case["revealedMessages"]), committed={})
    proof = pseudonym.prove_hidden(
        INTERFACE,
        holding,
        presentation_header=shown.presentation_header,
        disclosed=shown.messages,
        random_bytes=bbs_credentials.chance(path.encode()),
    )
    left = pseudonym.claim_hidden(INTERFACE, shown, proof=proof, nyms=nyms)
    proofs.settle(left, public_key=PUBLIC)
    with pytest.raises(CryptoError):
        pseudonym.claim_hidden(INTERFACE, shown, proof=proof, nyms=nyms + 1)
    with pytest.raises(CryptoError):
        pseudonym.claim_hidden(INTERFACE, shown, proof=fx(case["proof"]), nyms=nyms)
    with pytest.raises(CryptoError):
        pseudonym.claim(
            INTERFACE,
            shown,
            proof=proof,
            pseudonym=fx(case["pseudonym"]),
            context=CONTEXT,
            nyms=nyms,
        )


def test_entropy_is_added_once_and_must_leave_a_secret() -> None:
    entropy = bbs_fixtures.scalar(LONG["signer_nym_entropy"])
    received = held(LONG, PUBLIC, nyms="proverNyms")
    assert pseudonym.finalize(INTERFACE, received, entropy=entropy) == HELD
    with pytest.raises(BadSignature):
        pseudonym.finalize(INTERFACE, HELD, entropy=entropy)
    against = octets_of(-int.from_bytes(received.nym_secrets[-1], "big"))
    with pytest.raises(Refused):
        pseudonym.finalize(INTERFACE, received, entropy=against)


def test_only_what_is_committed_to_is_a_nym_secret() -> None:
    key = signature.derive_key(SHA_256, material=bytes(32))
    made = pseudonym.commit(
        INTERFACE, nyms=HELD.nym_secrets[:1], random_bytes=bbs_credentials.chance()
    )
    for nyms in (0, 2):
        with pytest.raises(Malformed):
            pseudonym.sign(
                INTERFACE,
                secret_key=key,
                committed=commitment.check(INTERFACE, made.octets),
                nyms=nyms,
                entropy=octets_of(1),
                header=b"",
                messages=(),
            )
