"""C2SP tlog-checkpoint: Tessera's checkpoints, the witness example, and what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import BadSignature, CryptoError, Malformed, Refused, Untrusted
from crypto.log import checkpoint, note, tree
from crypto.log.checkpoint import Checkpoint
from crypto.log.note import Note
from crypto.log.tree import Hash, TreeHead
from tests.fakes import notaries, trees

VECTORS = Path(__file__).parents[2] / "vectors" / "tlog"
TESSERA = json.loads((VECTORS / "tessera-log" / "vkey.json").read_bytes())
HEADS = sorted((VECTORS / "tessera-log").glob("checkpoint*"))
WITNESS = json.loads(
    (VECTORS / "witness" / "c2sp-add-checkpoint-request-example.json").read_bytes()
)
LOG = notaries.log_key()
ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"origin\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"origin\n1\n{ROOT}\n\n",
        f"origin\n1\n{ROOT}\nextension\n",
        f"origin\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n00\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n1 \n{ROOT}\n",
        f"origin\n1_0\n{ROOT}\n",
        f"origin\n\N{ARABIC-INDIC DIGIT ONE}\n{ROOT}\n",
        f"origin\n²\n{ROOT}\n",
        f"origin\n0x1\n{ROOT}\n",
        f"origin\n{1 << 63}\n{ROOT}\n",
        f"origin\n{'9' * 5000}\n{ROOT}\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n {ROOT}\n",
        f"origin\n1\n{ROOT}=\n",
        f"origin\n1\n{ROOT[:-2]}V=\n",
        f"origin\n1\n{ROOT.replace('+', '-').replace('/', '_')}\n",
        "origin\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==\n",
        f"origin\r\n1\r\n{ROOT}\r\n",
        f"ori\x07gin\n1\n{ROOT}\n",
        f"ori\N{LINE SEPARATOR}gin\n1\n{ROOT}\n",
    ],
)
def test_note_text_of_another_form_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        checkpoint.parse(text)


@given(st.text(max_size=40), st.integers(0, tree.MOST_ENTRIES), st.binary(min_size=32, max_size=32))
def test_what_is_accepted_is_written_back(origin: str, size: int, root: bytes) -> None:
    head = TreeHead(size=size, root=Hash(root))
    try:
        written = Checkpoint(origin=origin, head=head).text
    except Malformed:
        return
    assert checkpoint.parse(written) == Checkpoint(origin=origin, head=head)
    assert checkpoint.parse(written).text == written


@pytest.mark.parametrize("path", HEADS, ids=lambda path: path.name)
def test_tessera_checkpoints_verify_and_have_the_roots_of_its_entries(path: Path) -> None:
    log = note.parse_key(TESSERA["vkey"])
    signed = checkpoint.verify(note.parse(path.read_bytes()), log=log)
    head = signed.checkpoint.head
    leaves = [tree.leaf_hash(entry.encode()) for entry in TESSERA["entries"]]
    assert head.root == tree.root(leaves[: head.size])
    assert signed.note.octets() == path.read_bytes()


def test_the_witness_example_parses() -> None:
    _proof, _blank, text = WITNESS["body"].partition("\n\n")
    parsed = note.parse(text.encode())
    found = checkpoint.parse(parsed.text)
    assert (found.origin, found.head.size) == ("example.com/behind-the-sofa", 20852163)
    assert parsed.octets() == text.encode()


def test_a_signed_checkpoint_verifies() -> None:
    signed = notaries.signed(trees.head(7))
    again = checkpoint.verify(note.parse(signed.note.octets()), log=LOG)
    assert again == signed


def test_the_checkpoint_of_another_log_is_refused() -> None:
    signed = notaries.signed(trees.head(7), name="other.example/log")
    with pytest.raises(Refused):
        checkpoint.verify(signed.note, log=LOG)
    # The other log's words under our name, or ours under its signature
    renamed = Checkpoint(origin=LOG.name, head=trees.head(7))
    with pytest.raises(Untrusted):
        checkpoint.verify(Note(text=renamed.text, signatures=signed.note.signatures), log=LOG)


def test_a_signature_over_another_head_is_refused() -> None:
    signed, other = notaries.signed(trees.head(7)), notaries.signed(trees.head(8))
    with pytest.raises(BadSignature):
        checkpoint.verify(Note(text=signed.note.text, signatures=other.note.signatures), log=LOG)


def test_every_bit_change_of_a_checkpoint_is_refused() -> None:
    whole = notaries.signed(trees.head(7)).note.octets()
    for bit in range(len(whole) * 8):
        octets = bytearray(whole)
        octets[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CryptoError):
            checkpoint.verify(note.parse(bytes(octets)), log=LOG)
