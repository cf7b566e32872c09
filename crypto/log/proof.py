"""Proofs that an entry stands in a tree, and that a later tree extends an earlier one.

Carries out RFC 9162, sections 2.1.3 and 2.1.4. Proofs are made from nodes that the caller reads
(`tile.node_reader` reads them from tiles) and checked against heads. Leaves out who signed the
heads (`checkpoint`, `cosignature`) and proofs about subtrees, which nothing here asks for.
"""

from dataclasses import dataclass
from typing import Final

from crypto.errors import Malformed, Refused
from crypto.log import tree
from crypto.log.tree import Hash, NodeReader, TreeHead

LONGEST: Final = 63
"""Hashes in a proof: no tree of 2^63 - 1 entries needs more (C2SP tlog-witness, add-checkpoint)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """The siblings on the way from entry number `index` to the root, lowest first."""

    index: int
    path: tuple[Hash, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.index < tree.MOST_ENTRIES:
            raise Malformed("an index counts from 0 to 2^63 - 2")
        _check_path(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """The nodes from which both roots follow, in the order of RFC 9162, section 2.1.4.1."""

    path: tuple[Hash, ...]

    def __post_init__(self) -> None:
        _check_path(self.path)


def make_inclusion(*, index: int, size: int, read: NodeReader) -> InclusionProof:
    """Make the proof that entry number `index` stands in the tree of `size` entries.

    Spec: RFC 9162, section 2.1.3.1, PATH(m, D_n).

    Args:
        index: counts from 0.
        size: more than `index`, at most 2^63 - 1.
        read: the nodes of this tree or of any that extends it.

    Raises:
        ValueError: the tree has no such entry.

    Not checked: what `read` returns.
    """
    if not 0 <= index < size <= tree.MOST_ENTRIES:
        raise ValueError("the tree has no such entry")
    path: list[Hash] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(tree.subtree_root(middle, end, read))
            end = middle
        else:
            path.append(tree.subtree_root(begin, middle, read))
            begin = middle
    return InclusionProof(index=index, path=tuple(reversed(path)))


def make_consistency(*, old: int, new: int, read: NodeReader) -> ConsistencyProof:
    """Make the proof that the tree of `new` entries extends the tree of `old` entries.

    Spec: RFC 9162, section 2.1.4.1, PROOF(m, D_n); empty where `old` is 0 or equals `new`, as
    C2SP tlog-witness demands.

    Args:
        old: at least 0.
        new: at least `old`, at most 2^63 - 1.
        read: the nodes of the newer tree or of any that extends it.

    Raises:
        ValueError: the sizes are not in this order.

    Not checked: what `read` returns.
    """
    if not 0 <= old <= new <= tree.MOST_ENTRIES:
        raise ValueError("the older tree is not larger than the newer one")
    if old in {0, new}:
        return ConsistencyProof(path=())
    path: list[Hash] = []
    begin, end = 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(tree.subtree_root(middle, end, read))
            end = middle
        else:
            path.append(tree.subtree_root(begin, middle, read))
            begin = middle
    if begin:  # b of SUBPROOF(m, D, b) is false: whoever checks does not know this node
        path.append(tree.subtree_root(begin, end, read))
    return ConsistencyProof(path=tuple(reversed(path)))


def verify_inclusion(*, leaf: Hash, proof: InclusionProof, head: TreeHead) -> None:
    """Check that `leaf` is entry number `proof.index` of the tree that `head` commits to.

    Spec: RFC 9162, section 2.1.3.2.

    Args:
        leaf: 32 octets, from `tree.leaf_hash`, never the raw entry.
        proof: `index` counts from 0; `path` holds 32-octet hashes, lowest sibling first.
        head: the tree's size and root.

    Raises:
        Malformed: the index or the length of the path cannot belong to this tree, or `leaf` has
            not 32 octets.
        Refused: the path leads to another root.

    Not checked: the signature on `head`, its age, and whether another head contradicts it.
    """
    r = tree.parse_hash(leaf)
    if proof.index >= head.size:
        raise Malformed("the index lies outside the tree (RFC 9162, 2.1.3.2, step 1)")
    fn, sn = proof.index, head.size - 1
    for p in proof.path:
        if sn == 0:
            raise Malformed("the path is too long (RFC 9162, 2.1.3.2, step 4)")
        if fn & 1 or fn == sn:
            r = tree.node_hash(p, r)
            fn, sn = _to_right_child(fn, sn)
        else:
            r = tree.node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Malformed("the path is too short (RFC 9162, 2.1.3.2, step 5)")
    if r != head.root:
        raise Refused("the path leads to another root (RFC 9162, 2.1.3.2, step 5)")


def verify_consistency(*, old: TreeHead, new: TreeHead, proof: ConsistencyProof) -> None:
    """Check that the tree of `new` has all entries of the tree of `old`, first and unchanged.

    Spec: RFC 9162, section 2.1.4.2; for size 0 and equal sizes C2SP tlog-witness,
    add-checkpoint: the proof is empty.

    Args:
        old: the earlier head, size 0 included.
        new: the later head, not smaller.
        proof: 32-octet hashes in the order of `make_consistency`.

    Raises:
        Malformed: `new` is smaller than `old`, or the length of the path cannot belong to them.
        Refused: the path leads to another root, or the two heads are of one size and differ, or
            a tree of size 0 has not the root of the empty tree.

    Not checked: the signatures on both heads and their age.
    """
    if new.size < old.size:
        raise Malformed("the later tree is smaller (RFC 9162, 2.1.4)")
    for head in (old, new):
        if not head.size and head.root != tree.EMPTY_ROOT:
            raise Refused("not the root of the empty tree (RFC 9162, 2.1.1)")
    if not old.size or old.size == new.size:
        if proof.path:
            raise Malformed("such a proof is empty (C2SP tlog-witness, add-checkpoint)")
        if old.size == new.size and old.root != new.root:
            raise Refused("two roots of one size")
        return
    _check_both_roots(old, new, proof.path)


def _check_both_roots(old: TreeHead, new: TreeHead, path: tuple[Hash, ...]) -> None:
    """Run RFC 9162, section 2.1.4.2, where 0 < old.size < new.size."""
    if not path:
        raise Malformed("the path is too short (RFC 9162, 2.1.4.2, step 1)")
    fn, sn = old.size - 1, new.size - 1
    levels = (old.size & -old.size).bit_length() - 1  # step 4: while LSB(fn) is set
    fn, sn = fn >> levels, sn >> levels
    if fn:
        first, path = path[0], path[1:]
    else:  # step 2: the older size is a power of two, so its root is itself a node
        first = old.root
    fr = sr = first
    for c in path:
        if sn == 0:
            raise Malformed("the path is too long (RFC 9162, 2.1.4.2, step 6)")
        if fn & 1 or fn == sn:
            fr, sr = tree.node_hash(c, fr), tree.node_hash(c, sr)
            fn, sn = _to_right_child(fn, sn)
        else:
            sr = tree.node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Malformed("the path is too short (RFC 9162, 2.1.4.2, step 7)")
    if fr != old.root or sr != new.root:
        raise Refused("the path leads to another root (RFC 9162, 2.1.4.2, step 7)")


def _to_right_child(fn: int, sn: int) -> tuple[int, int]:
    """Go up until LSB(fn) is set or fn is 0."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _check_path(path: tuple[Hash, ...]) -> None:
    if len(path) > LONGEST:
        raise Malformed("a proof has at most 63 hashes")
    for node in path:
        tree.parse_hash(node)


def _split(width: int) -> int:
    """Return the largest power of two below `width` (RFC 9162, section 2.1.1)."""
    return 1 << ((width - 1).bit_length() - 1)
