"""C2SP tlog-cosignature: the published examples, and who counts in a quorum."""

import json
from pathlib import Path

import pytest

from crypto.errors import BadSignature, Expired, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, note
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import SKEW, Policy
from crypto.log.note import Note, Signature
from tests.fakes import notaries, trees

VECTORS = Path(__file__).parents[2] / "vectors" / "tlog" / "cosignature"
EXAMPLE = json.loads((VECTORS / "c2sp-cosignature-example.json").read_bytes())
COSIGNED = json.loads((VECTORS / "witness-cosigned-checkpoint.json").read_bytes())

NOW = UnixSeconds(1_800_000_000)
KEYS = tuple(notaries.witness_key(name) for name in ("first", "second", "third"))
POLICY = Policy(witnesses=KEYS, threshold=2)
HEAD = notaries.signed(trees.head(7))


def test_the_example_says_its_time_and_message() -> None:
    parsed = note.parse(EXAMPLE["note"].encode())
    line = parsed.signatures[1]
    assert int.from_bytes(line.signature[:8]) == EXAMPLE["timestamp"]
    assert len(line.signature) == 72
    message = cosignature._message(parsed.text, EXAMPLE["timestamp"])
    assert message.decode() == EXAMPLE["cosigned_message_text"]


def test_a_cosignature_made_by_others_verifies() -> None:
    parsed = note.parse(COSIGNED["note"].encode())
    witness = note.parse_key(COSIGNED["cosigner_vkey"])
    # The log signs as RFC 6962 does, which is not known here: only the cosignature is checked.
    signed = SignedCheckpoint(checkpoint=checkpoint.parse(parsed.text), note=parsed)
    (found,) = cosignature.verify(signed, witness=witness)
    assert found.witness == witness
    witnessed = cosignature.verify_quorum(
        signed, policy=Policy(witnesses=(witness,), threshold=1), now=found.time
    )
    assert witnessed.earliest == witnessed.latest == witnessed.current == found.time


def test_a_quorum_is_distinct_known_witnesses() -> None:
    both = notaries.cosigned(HEAD, ("first", NOW - 9), ("third", NOW - 5))
    witnessed = cosignature.verify_quorum(both, policy=POLICY, now=NOW)
    assert {each.witness for each in witnessed.cosignatures} == {KEYS[0], KEYS[2]}
    assert (witnessed.earliest, witnessed.latest) == (NOW - 9, NOW - 5)
    assert witnessed.current == NOW - 9


def test_the_current_time_is_that_of_a_whole_quorum() -> None:
    many = notaries.cosigned(
        HEAD, ("first", NOW - 90), ("first", NOW - 2), ("second", NOW - 50), ("third", NOW - 70)
    )
    witnessed = cosignature.verify_quorum(many, policy=POLICY, now=NOW)
    assert witnessed.current == NOW - 50
    assert (witnessed.earliest, witnessed.latest) == (NOW - 90, NOW - 2)
    cosignature.check_current(witnessed, now=NOW, most_seconds=50)
    with pytest.raises(Expired):
        cosignature.check_current(witnessed, now=NOW, most_seconds=49)


@pytest.mark.parametrize(
    "by",
    [
        (),
        (("first", NOW),),
        (("first", NOW), ("first", NOW - 1)),
        (("first", NOW), ("stranger", NOW), ("nobody", NOW)),
        (("first", NOW), ("second", NOW + SKEW + 1)),
    ],
    ids=["none", "one", "one twice", "unknown", "from the future"],
)
def test_too_few_distinct_known_witnesses_are_refused(by: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(Refused):
        cosignature.verify_quorum(notaries.cosigned(HEAD, *by), policy=POLICY, now=NOW)


def test_a_witness_whose_clock_is_a_little_ahead_counts() -> None:
    both = notaries.cosigned(HEAD, ("first", NOW), ("second", NOW + SKEW))
    cosignature.verify_quorum(both, policy=POLICY, now=NOW)


def test_a_cosignature_of_another_head_refuses_the_note() -> None:
    other = notaries.cosigned(notaries.signed(trees.head(8)), ("first", NOW), ("second", NOW))
    moved = Note(text=HEAD.note.text, signatures=HEAD.note.signatures + other.note.signatures[1:])
    with pytest.raises(BadSignature):
        cosignature.verify_quorum(
            SignedCheckpoint(checkpoint=HEAD.checkpoint, note=moved), policy=POLICY, now=NOW
        )


def test_every_bit_change_of_a_cosignature_is_refused() -> None:
    signed = notaries.cosigned(HEAD, ("first", NOW))
    line = signed.note.signatures[1]
    for bit in range(72 * 8):
        octets = bytearray(line.signature)
        octets[bit >> 3] ^= 1 << (bit & 7)
        changed = with_line(bytes(octets))
        with pytest.raises((BadSignature, Malformed)):
            cosignature.verify(changed, witness=KEYS[0])


def with_line(octets: bytes) -> SignedCheckpoint:
    line = Signature(name=KEYS[0].name, key_id=KEYS[0].key_id, signature=octets)
    return SignedCheckpoint(checkpoint=HEAD.checkpoint, note=HEAD.note.with_signatures([line]))


@pytest.mark.parametrize(
    "octets", [bytes(71), bytes(73), bytes(72), b"\xff" * 72, b"\x80" + bytes(71)]
)
def test_a_line_of_another_form_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        cosignature.verify(with_line(octets), witness=KEYS[0])


@pytest.mark.parametrize("time", [0, -1, 1 << 63])
def test_a_time_that_no_cosignature_has_is_misuse(time: int) -> None:
    with pytest.raises(ValueError, match="time"):
        notaries.cosigned(HEAD, ("first", time))


def test_a_log_key_is_no_witness() -> None:
    with pytest.raises(ValueError, match="0x04"):
        cosignature.verify(HEAD, witness=notaries.log_key())
    with pytest.raises(ValueError, match="0x04"):
        cosignature.sign(HEAD, witness=notaries.log_key(), signer=notaries.signer(), now=NOW)
    with pytest.raises(Malformed):
        Policy(witnesses=(notaries.log_key(),), threshold=1)


@pytest.mark.parametrize("threshold", [-1, 0, 4])
def test_a_quorum_is_at_least_one_and_at_most_all(threshold: int) -> None:
    with pytest.raises(Malformed):
        Policy(witnesses=KEYS, threshold=threshold)


def test_one_key_under_two_names_is_one_witness() -> None:
    twin = note.VerifierKey("twin", KEYS[0].type, KEYS[0].public_key)
    with pytest.raises(Malformed):
        Policy(witnesses=(KEYS[0], twin), threshold=1)
