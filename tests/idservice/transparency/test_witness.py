"""C2SP tlog-witness, add-checkpoint: in its order of checks, and nothing changes on a refusal."""

import json
from pathlib import Path

import pytest

from crypto.errors import Malformed
from crypto.log import checkpoint, cosignature, note, proof
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.proof import ConsistencyProof
from crypto.log.tree import TreeHead
from idservice.transparency import protocol
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.protocol import AddCheckpoint
from tests.fakes import log_office, notaries, trees
from tests.fakes.log_office import MemoryWitnesses, MovedClock, Neighbour

EXAMPLE = json.loads(
    (
        Path(__file__).parents[2] / "vectors/tlog/witness/c2sp-add-checkpoint-request-example.json"
    ).read_bytes()
)
WITNESS = notaries.witness_key("witness")


def body(old: int, new: int, *, signed: SignedCheckpoint | None = None) -> bytes:
    made = proof.make_consistency(old=min(old, new), new=new, read=trees.node)
    signed = signed or notaries.signed(trees.head(new))
    return protocol.write_request(AddCheckpoint(old=old, proof=made, signed=signed.note))


@pytest.fixture
def store() -> MemoryWitnesses:
    return MemoryWitnesses()


@pytest.fixture
def witness(store: MemoryWitnesses) -> Neighbour:
    return log_office.witness("witness", clock=MovedClock(), store=store)


def cosigned_at(answer: bytes, head: TreeHead) -> int:
    signed = notaries.signed(head).with_signatures(protocol.parse_answer(answer))
    (found,) = cosignature.verify(signed, witness=WITNESS)
    return found.time


def test_the_example_is_read_and_written_back() -> None:
    octets = EXAMPLE["body"].encode()
    request = protocol.parse_request(octets)
    assert (request.old, len(request.proof.path)) == (20852014, 4)
    assert checkpoint.parse(request.signed.text).head.size == 20852163
    assert protocol.write_request(request) == octets


def test_a_growing_log_is_cosigned(witness: Neighbour, store: MemoryWitnesses) -> None:
    known = 0
    for size in (0, 1, 2, 7, 8, 300):
        answer = witness.desk.add_checkpoint(body(known, size))
        assert cosigned_at(answer, trees.head(size)) == log_office.NOW
        assert store.head(notaries.ORIGIN) == trees.head(size)
        known = size


def test_an_unchanged_head_is_cosigned_again_with_the_present_time(witness: Neighbour) -> None:
    witness.desk.add_checkpoint(body(0, 7))
    clock = witness.desk._clock
    assert isinstance(clock, MovedClock)
    clock.time += 3600
    answer = witness.desk.add_checkpoint(body(7, 7))
    assert cosigned_at(answer, trees.head(7)) == log_office.NOW + 3600


FORGED = TreeHead(size=7, root=trees.mth(1, 8))
ANOTHER = TreeHead(size=5, root=trees.mth(1, 6))
EMPTY_FORGED = TreeHead(size=0, root=trees.mth(0, 1))
OTHER = notaries.signed(trees.head(7), name="other.example/log")


def with_proof(old: int, new: int, path: ConsistencyProof) -> bytes:
    signed = notaries.signed(trees.head(new))
    return protocol.write_request(AddCheckpoint(old=old, proof=path, signed=signed.note))


HONEST = body(5, 7)
CASES = [
    (b"", Reason.MALFORMED),
    (HONEST.replace(b"old 5", b"old 05"), Reason.MALFORMED),
    (HONEST.replace(b"old 5", b"new 5"), Reason.MALFORMED),
    (HONEST.replace(b"old 5", b"old  5"), Reason.MALFORMED),
    (HONEST.replace(b"\n", b"\r\n"), Reason.MALFORMED),
    (HONEST.replace(b"old 5\n", b"old 5\nAAAA\n"), Reason.MALFORMED),
    (HONEST.replace(b"old 5\n", b"old 5\n" + b"A" * 43 + b"=\n" * 64), Reason.MALFORMED),
    (HONEST.replace(b"old 5\n", "old 5\n\N{EM DASH}\n".encode()), Reason.MALFORMED),
    (HONEST + b"x" * protocol.LARGEST_REQUEST, Reason.MALFORMED),
    (body(5, 7, signed=OTHER), Reason.UNKNOWN_LOG),
    (body(8, 7), Reason.MALFORMED),
    (body(0, 7), Reason.CONFLICT),
    (body(4, 7), Reason.CONFLICT),
    (body(6, 7), Reason.CONFLICT),
    (with_proof(5, 7, ConsistencyProof(path=())), Reason.INCONSISTENT),
    (with_proof(5, 7, ConsistencyProof(path=(trees.leaf(0),) * 3)), Reason.INCONSISTENT),
    (body(5, 7, signed=notaries.signed(FORGED)), Reason.INCONSISTENT),
]


@pytest.mark.parametrize(("asked", "reason"), CASES)
def test_what_is_refused_changes_nothing(
    witness: Neighbour, store: MemoryWitnesses, asked: bytes, reason: Reason
) -> None:
    witness.desk.add_checkpoint(body(0, 5))
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(asked)
    assert caught.value.reason is reason
    assert caught.value.size == (5 if reason is Reason.CONFLICT else None)
    assert store.heads == {notaries.ORIGIN: trees.head(5)}
    witness.desk.add_checkpoint(HONEST)


def test_another_root_of_the_same_size_is_a_conflict(
    witness: Neighbour, store: MemoryWitnesses
) -> None:
    witness.desk.add_checkpoint(body(0, 5))
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(body(5, 5, signed=notaries.signed(ANOTHER)))
    assert (caught.value.reason, caught.value.size) == (Reason.CONFLICT, None)
    assert store.heads == {notaries.ORIGIN: trees.head(5)}


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(
    witness: Neighbour, store: MemoryWitnesses
) -> None:
    honest = notaries.signed(trees.head(7))
    stranger = note.sign(
        honest.note.text, key=notaries.log_key("stranger"), signer=notaries.signer("stranger")
    )
    other = notaries.signed(trees.head(8)).note.signatures
    for signatures in ((stranger,), other, (*honest.note.signatures, *other)):
        forged = SignedCheckpoint(
            checkpoint=honest.checkpoint,
            note=note.Note(text=honest.note.text, signatures=signatures),
        )
        with pytest.raises(NotCosigned) as caught:
            witness.desk.add_checkpoint(body(0, 7, signed=forged))
        assert caught.value.reason is Reason.NOT_SIGNED
    assert store.heads == {}


def test_an_empty_tree_has_the_empty_root(witness: Neighbour, store: MemoryWitnesses) -> None:
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(body(0, 0, signed=notaries.signed(EMPTY_FORGED)))
    assert caught.value.reason is Reason.CONFLICT
    assert store.heads == {}


def test_a_first_checkpoint_needs_no_proof_and_takes_none(witness: Neighbour) -> None:
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(with_proof(0, 7, ConsistencyProof(path=(trees.leaf(0),))))
    assert caught.value.reason is Reason.INCONSISTENT
    witness.desk.add_checkpoint(body(0, 7))


class Hasty(MemoryWitnesses):
    """Another process advances the row between looking and writing."""

    def advance(self, origin: str, *, old: TreeHead | None, new: TreeHead) -> bool:
        self.heads[origin] = trees.head(9)
        return super().advance(origin, old=old, new=new)


def test_a_race_is_lost_without_a_cosignature() -> None:
    store = Hasty()
    witness = log_office.witness("witness", clock=MovedClock(), store=store)
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(body(0, 7))
    assert (caught.value.reason, caught.value.size) == (Reason.CONFLICT, 9)
    assert store.heads == {notaries.ORIGIN: trees.head(9)}


def test_two_keys_of_one_origin_are_misuse() -> None:
    with pytest.raises(ValueError, match="one key"):
        log_office.WitnessDesk(
            key=WITNESS,
            signer=notaries.signer("witness"),
            logs=(notaries.log_key(), notaries.log_key()),
            store=MemoryWitnesses(),
            clock=MovedClock(),
        )


@pytest.mark.parametrize("answer", [b"", b"5", b"05\n", b"\n", b"5\n\n", b"-1\n", b"\xff\n"])
def test_a_size_of_another_form_is_malformed(answer: bytes) -> None:
    assert protocol.parse_size(b"5\n") == 5
    with pytest.raises(Malformed):
        protocol.parse_size(answer)
