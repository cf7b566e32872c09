"""Blind BBS: every published case, and what the fixtures do not cover.

Signatures, commitments and proofs come out octet by octet as published, so their traces are not
compared; one is wrong in the fixtures (`SOURCE.md` there).
"""

from dataclasses import replace
from typing import Any

import pytest

from crypto.bbs import blind, commitment, generators, pseudonym, signature
from crypto.bbs.blind import Held, Shown
from crypto.bbs.ciphersuite import SHA_256, SHAKE_256
from crypto.bbs.generators import Interface
from crypto.bls import curve
from crypto.errors import BadSignature, CryptoError, Malformed, Refused
from tests.fakes import bbs_credentials, bbs_fixtures
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


INTERFACE = blind.interface(SHA_256)
KEY = signature.derive_key(SHA_256, material=bytes(range(32)))
UNSEEN = (b"card secret", b"nickname")
KNOWN = (b"true", b'"Ada"', b"null")
MADE = commitment.make(INTERFACE, UNSEEN, random_bytes=bbs_credentials.chance(b"unseen"))
HELD = Held(
    public_key=KEY.public,
    header=b"header",
    signature=blind.sign(
        INTERFACE,
        secret_key=KEY,
        committed=commitment.check(INTERFACE, MADE.octets),
        header=b"header",
        messages=KNOWN,
    ),
    messages=KNOWN,
    committed=UNSEEN,
    blind=MADE.blind,
)
SHOWN = Shown(
    public_key=KEY.public,
    header=b"header",
    presentation_header=b"question",
    count=len(KNOWN),
    messages={1: KNOWN[1]},
    committed={0: UNSEEN[0]},
)
PROOF = blind.prove(
    INTERFACE,
    HELD,
    presentation_header=b"question",
    disclosed=(1,),
    disclosed_committed=(0,),
    random_bytes=bbs_credentials.chance(b"proof"),
)


@pytest.mark.parametrize(
    "changed",
    [
        {"header": b"another"},
        {"messages": (b"false", *KNOWN[1:])},
        {"messages": KNOWN[::-1]},
        {"messages": KNOWN[:2]},
        {"committed": (UNSEEN[1], UNSEEN[0])},
        {"committed": UNSEEN[:1]},
        {"blind": blind.ZERO},
        {"nym_secrets": (MADE.blind,)},
    ],
    ids="-".join,
)
def test_a_signature_over_something_else_is_refused(changed: dict[str, Any]) -> None:
    blind.verify(INTERFACE, HELD)
    with pytest.raises(BadSignature):
        blind.verify(INTERFACE, replace(HELD, **changed))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"header": b"another"}, BadSignature),
        ({"presentation_header": b"another"}, BadSignature),
        ({"messages": {1: b"false"}}, BadSignature),
        ({"messages": {0: KNOWN[1]}}, BadSignature),
        ({"committed": {1: UNSEEN[0]}}, BadSignature),
        ({"committed": {0: UNSEEN[1]}}, BadSignature),
        ({"count": 2}, BadSignature),
        ({"count": 4}, BadSignature),
        ({"messages": {}}, BadSignature),
        ({"committed": {}}, BadSignature),
        ({"messages": {3: KNOWN[1]}}, Malformed),
        ({"messages": {-1: KNOWN[1]}}, Malformed),
        ({"committed": {2: UNSEEN[0]}}, Malformed),
        ({"committed": {-1: UNSEEN[0]}}, Malformed),
        ({"count": 9}, Malformed),
    ],
    ids=str,
)
def test_a_proof_of_something_else_is_refused(
    changed: dict[str, Any], error: type[CryptoError]
) -> None:
    blind.verify_proof(INTERFACE, SHOWN, proof=PROOF)
    with pytest.raises(error):
        blind.verify_proof(INTERFACE, replace(SHOWN, **changed), proof=PROOF)


def test_what_is_made_under_one_interface_counts_under_no_other() -> None:
    for name in (signature.BASE, pseudonym.NAME):
        other = Interface(SHA_256, name)
        with pytest.raises(Refused):
            commitment.check(other, MADE.octets)
        with pytest.raises(BadSignature):
            blind.verify(other, HELD)
        with pytest.raises(BadSignature):
            blind.verify_proof(other, SHOWN, proof=PROOF)
    with pytest.raises(Refused):
        commitment.check(blind.interface(SHAKE_256), MADE.octets)


@pytest.mark.parametrize(
    ("disclosed", "unseen"), [((3,), ()), ((-1,), ()), ((0, 0), ()), ((), (2,)), ((), (1, 1))]
)
def test_a_place_that_is_none_is_misuse(
    disclosed: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="place"):
        blind.prove(
            INTERFACE,
            HELD,
            presentation_header=b"",
            disclosed=disclosed,
            disclosed_committed=unseen,
            random_bytes=bbs_credentials.chance(),
        )


def test_a_commitment_beyond_all_limits_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="long"):
        commitment.check(INTERFACE, MADE.octets[:48] + MADE.octets[48:80] * 300)
    with pytest.raises(Malformed):
        commitment.make(INTERFACE, (b"",) * 257, random_bytes=bbs_credentials.chance())


def test_a_commitment_that_takes_everything_away_is_not_signed() -> None:
    """Nobody can prove that they know such a commitment; the check stands behind that."""
    chosen = blind.layout(INTERFACE, count=0, committed=0)
    domain = generators.domain(
        INTERFACE, public_key=KEY.public.octets, generators=chosen, header=b""
    )
    known = chosen.table.sum([1, domain, 0])
    against = commitment.Committed(points=(curve.BACKEND.negative(known),), count=0)
    with pytest.raises(Refused):
        blind.sign(INTERFACE, secret_key=KEY, committed=against, header=b"", messages=())


def test_secrets_are_not_in_what_is_printed() -> None:
    printed = repr(MADE) + repr(HELD)
    for secret in (MADE.blind, HELD.signature, *UNSEEN, KNOWN[1]):
        assert repr(secret) not in printed
