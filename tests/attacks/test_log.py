"""The corpus's attacks on the log that its mathematics refuses: tiles, proofs, notes, quorums.

What the log's office, its witnesses and outsiders do about attacks is played in
`test_transparency.py`.
"""

from collections.abc import Callable, Sequence

import pytest

from crypto.errors import BadSignature, CryptoError, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, note, proof, tile, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import SKEW, Policy
from crypto.log.note import Note, Signature, SignatureType, VerifierKey
from crypto.log.proof import ConsistencyProof, InclusionProof
from crypto.log.tile import Tile
from crypto.log.tree import Hash, TreeHead
from tests.fakes import notaries, trees

LOG = notaries.log_key()
NOW = UnixSeconds(1_800_000_000)
SIZE = 300
HEAD = trees.head(SIZE)
SIGNED = notaries.signed(HEAD)
WITNESSES = tuple(notaries.witness_key(name) for name in ("first", "second", "third"))
POLICY = Policy(witnesses=WITNESSES, threshold=2)

Twist = Callable[[Tile, bytes], bytes]


def served(named: Tile) -> bytes:
    level = tile.HEIGHT * named.level
    return b"".join(
        trees.node(level, named.index * tile.WIDTH + place) for place in range(named.width)
    )


def client(twist: Twist) -> Callable[[int], None]:
    """Check that an entry is in the signed tree, by proofs made of what a server sends."""

    def read(named: Tile) -> Sequence[Hash]:
        return tile.parse_hashes(twist(named, served(named)), width=named.width)

    def check(index: int) -> None:
        nodes = tile.node_reader(size=SIZE, read=read)
        made = proof.make_inclusion(index=index, size=SIZE, read=nodes)
        proof.verify_inclusion(leaf=trees.leaf(index), proof=made, head=HEAD)

    return check


def honest(_named: Tile, octets: bytes) -> bytes:
    return octets


@pytest.mark.attack("TLOG-008")
@pytest.mark.parametrize(
    ("twist", "error"),
    [
        (lambda _named, octets: octets[:-1], Malformed),
        (lambda _named, octets: octets[:-32], Malformed),
        (lambda named, octets: octets + bytes(32) if named.width < 256 else octets, Malformed),
        (lambda _named, octets: octets[:9] + bytes((octets[9] ^ 1,)) + octets[10:], Refused),
        (lambda _named, octets: tree.leaf_hash(b"of another log") * (len(octets) // 32), Refused),
        (lambda named, _octets: served(Tile(level=0, index=5, width=named.width)), Refused),
        (lambda named, _octets: served(Tile(level=1 - named.level, index=0, width=named.width)),
         Refused),
    ],
    ids=["truncated", "a hash short", "a hash long", "bit", "other log", "index", "level"],
)  # fmt: skip
def test_wrong_tiles_make_no_proof(twist: Twist, error: type[CryptoError]) -> None:
    with pytest.raises(error):
        client(twist)(270)
    client(honest)(270)


@pytest.mark.attack("TLOG-009")
@pytest.mark.parametrize(
    "path",
    [
        "tile/0/../../etc/passwd",
        "tile/../tile/0/000",
        "tile/0/..%2f..%2fetc",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/1",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/010",
        "tile/00/000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/entries/x009/x223/x372/x036/x854/x775/808",
        "tile/64/000",
        "tile/0/000\0",
        "tile//000",
    ],
)
def test_a_tile_path_outside_the_grammar_names_nothing(path: str) -> None:
    with pytest.raises(Malformed):
        tile.parse_path(path)
    assert tile.parse_path("tile/0/x001/002.p/10").path == "tile/0/x001/002.p/10"


INCLUDED = proof.make_inclusion(index=270, size=SIZE, read=trees.node)


@pytest.mark.attack("TLOG-010")
@pytest.mark.parametrize(
    ("index", "path", "error"),
    [
        (271, INCLUDED.path, Refused),
        (14, INCLUDED.path, Malformed),
        (SIZE, INCLUDED.path, Malformed),
        ((1 << 63) - 2, INCLUDED.path, Malformed),
        (270, (*INCLUDED.path, tree.EMPTY_ROOT), Malformed),
        (270, (tree.EMPTY_ROOT, *INCLUDED.path), Malformed),
        (270, INCLUDED.path[:-1], Malformed),
        (270, INCLUDED.path[1:], Malformed),
        (270, INCLUDED.path[::-1], Refused),
        (270, (), Malformed),
    ],
)
def test_a_twisted_inclusion_proof_is_refused(
    index: int, path: tuple[Hash, ...], error: type[CryptoError]
) -> None:
    with pytest.raises(error):
        proof.verify_inclusion(
            leaf=trees.leaf(270), proof=InclusionProof(index=index, path=path), head=HEAD
        )
    proof.verify_inclusion(leaf=trees.leaf(270), proof=INCLUDED, head=HEAD)


OLD = trees.head(201)
CONSISTENT = proof.make_consistency(old=201, new=SIZE, read=trees.node)
FORGED = TreeHead(size=SIZE, root=trees.mth(1, SIZE + 1))


@pytest.mark.attack("TLOG-011")
@pytest.mark.parametrize(
    ("old", "new", "path", "error"),
    [
        (HEAD, OLD, CONSISTENT.path, Malformed),
        (HEAD, FORGED, (), Refused),
        (HEAD, FORGED, CONSISTENT.path, Malformed),
        (HEAD, HEAD, CONSISTENT.path, Malformed),
        (TreeHead(size=0, root=tree.EMPTY_ROOT), HEAD, CONSISTENT.path, Malformed),
        (TreeHead(size=0, root=OLD.root), HEAD, (), Refused),
        (TreeHead(size=0, root=OLD.root), TreeHead(size=0, root=OLD.root), (), Refused),
        (OLD, HEAD, (), Malformed),
        (OLD, HEAD, (*CONSISTENT.path, tree.EMPTY_ROOT), Malformed),
        (OLD, HEAD, (tree.EMPTY_ROOT, *CONSISTENT.path), Malformed),
        (OLD, HEAD, CONSISTENT.path[:-1], Malformed),
        (OLD, FORGED, CONSISTENT.path, Refused),
        (TreeHead(size=201, root=trees.mth(1, 202)), HEAD, CONSISTENT.path, Refused),
    ],
)
def test_a_twisted_consistency_proof_is_refused(
    old: TreeHead, new: TreeHead, path: tuple[Hash, ...], error: type[CryptoError]
) -> None:
    with pytest.raises(error):
        proof.verify_consistency(old=old, new=new, proof=ConsistencyProof(path=path))
    proof.verify_consistency(old=OLD, new=HEAD, proof=CONSISTENT)
    proof.verify_consistency(
        old=TreeHead(size=0, root=tree.EMPTY_ROOT), new=HEAD, proof=ConsistencyProof(path=())
    )


def resigned(text: str) -> bytes:
    """Sign whatever text there is with the log's own key."""
    signature = notaries.signer()(text.encode())
    line = Signature(name=LOG.name, key_id=LOG.key_id, signature=signature).line
    return f"{text}\n{line}".encode()


TEXT = SIGNED.note.text
ROOT = TEXT.split("\n")[2]


@pytest.mark.attack("TLOG-013")
@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(LOG.name, "other.example/log"),
        TEXT.replace(LOG.name, LOG.name + " "),
        TEXT + "extension\n",
        TEXT + "\n",
        "\n" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("300", "0300"),
        TEXT.replace("300", "3e2"),
        TEXT.replace("300", "-300"),
        TEXT.replace(ROOT, ROOT.rstrip("=")),
        TEXT.replace(ROOT, ROOT.replace("=", "==")),
        TEXT.replace(ROOT, "A" * 42 + "B="),
        TEXT.replace(ROOT, "A" * 40 + "AA=="),
    ],
)
def test_a_checkpoint_of_another_form_is_refused_though_the_log_signed_it(text: str) -> None:
    with pytest.raises((Malformed, Refused)):
        checkpoint.verify(note.parse(resigned(text)), log=LOG)
    assert checkpoint.verify(note.parse(resigned(TEXT)), log=LOG) == SIGNED


@pytest.mark.attack("TLOG-013")
def test_a_checkpoint_without_the_blank_line_is_no_note() -> None:
    with pytest.raises(Malformed):
        note.parse(resigned(TEXT).replace(b"\n\n", b"\n"))


HONEST_LINE = SIGNED.note.signatures[0]
COLLIDING = VerifierKey(LOG.name, SignatureType.ED25519, notaries.log_key("stranger").public_key)


@pytest.mark.attack("TLOG-014")
@pytest.mark.parametrize(
    "line",
    [
        Signature(name=LOG.name, key_id=b"\0\0\0\0", signature=HONEST_LINE.signature),
        Signature(name="stranger", key_id=LOG.key_id, signature=HONEST_LINE.signature),
        note.sign(TEXT, key=COLLIDING, signer=notaries.signer("stranger")),
        # the same key material as a witness has another key ID: no cross-use
        cosignature.sign(
            SIGNED,
            witness=VerifierKey(LOG.name, SignatureType.COSIGNATURE, LOG.public_key),
            signer=notaries.signer(),
            now=NOW,
        ),
    ],
    ids=["key hash", "name", "name collision", "other type"],
)
def test_a_line_of_an_unknown_key_does_not_count_and_does_no_harm(line: Signature) -> None:
    with pytest.raises(Untrusted):
        note.verify(Note(text=TEXT, signatures=(line,)), keys=(LOG,))
    both = Note(text=TEXT, signatures=(line, HONEST_LINE))
    assert note.verify(both, keys=(LOG,)) == (LOG,)


@pytest.mark.attack("TLOG-014")
def test_a_key_hash_collision_is_a_wrong_signature() -> None:
    other = SignatureType.COSIGNATURE, notaries.log_key("stranger").public_key
    forged = note.sign(TEXT, key=COLLIDING, signer=notaries.signer("stranger"))
    collision = Signature(name=LOG.name, key_id=LOG.key_id, signature=forged.signature)
    with pytest.raises(BadSignature):
        note.verify(Note(text=TEXT, signatures=(HONEST_LINE, collision)), keys=(LOG,))
    # of the witness algorithm, with an octet string of its length
    timed = Signature(name=LOG.name, key_id=LOG.key_id, signature=bytes(8) + forged.signature)
    with pytest.raises(Malformed):
        note.verify(Note(text=TEXT, signatures=(HONEST_LINE, timed)), keys=(LOG,))
    assert VerifierKey(LOG.name, *other).key_id != LOG.key_id


@pytest.mark.attack("TLOG-014")
def test_a_flood_of_signature_lines_is_malformed() -> None:
    with pytest.raises(Malformed):
        note.parse(SIGNED.note.octets() + HONEST_LINE.line.encode() * 10_000)
    sixteen = note.parse(SIGNED.note.octets() + HONEST_LINE.line.encode() * 15)
    assert note.verify(sixteen, keys=(LOG,)) == (LOG,)


def moved(by: SignedCheckpoint) -> SignedCheckpoint:
    """Take the cosignatures of another size."""
    other = notaries.cosigned(notaries.signed(OLD), ("first", NOW), ("second", NOW))
    lines = (*by.note.signatures, *other.note.signatures[1:])
    return SignedCheckpoint(
        checkpoint=by.checkpoint, note=Note(text=by.note.text, signatures=lines)
    )


@pytest.mark.attack("TLOG-015")
@pytest.mark.parametrize(
    "attacked",
    [
        notaries.cosigned(SIGNED, ("first", NOW), ("stranger", NOW)),
        notaries.cosigned(SIGNED, ("first", NOW), ("first", NOW)),
        notaries.cosigned(SIGNED, ("first", NOW), ("first", NOW - 1), ("first", NOW - 2)),
        moved(SIGNED),
        notaries.cosigned(SIGNED, ("first", NOW), ("second", NOW + SKEW + 1)),
    ],
    ids=["unknown", "same line twice", "one witness at three times", "other size", "future"],
)
def test_a_quorum_counts_distinct_known_witnesses_only(attacked: SignedCheckpoint) -> None:
    with pytest.raises(Refused):
        cosignature.verify_quorum(attacked, policy=POLICY, now=NOW)
    both = notaries.cosigned(SIGNED, ("first", NOW), ("second", NOW))
    assert len(cosignature.verify_quorum(both, policy=POLICY, now=NOW).cosignatures) == 2
