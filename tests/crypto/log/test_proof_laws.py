"""Proofs hold for every tree, and for no other: RFC 9162, sections 2.1.3 and 2.1.4."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import CryptoError, Malformed, Refused
from crypto.log import proof, tree
from crypto.log.proof import ConsistencyProof, InclusionProof
from crypto.log.tree import Hash, TreeHead
from tests.fakes import trees

LARGE = st.integers(1, 1 << 20).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def twisted(path: tuple[Hash, ...], bits: range) -> Iterator[tuple[Hash, ...]]:
    """Turn over each of these bits of each hash, one at a time."""
    for place, each in enumerate(path):
        for bit in bits:
            octets = bytearray(each)
            octets[bit >> 3] ^= 1 << (bit & 7)
            yield (*path[:place], Hash(bytes(octets)), *path[place + 1 :])


def included(index: int, size: int) -> InclusionProof:
    return proof.make_inclusion(index=index, size=size, read=trees.node)


def consistent(old: int, new: int) -> ConsistencyProof:
    return proof.make_consistency(old=old, new=new, read=trees.node)


def path_as_written(m: int, begin: int, end: int) -> tuple[Hash, ...]:
    """PATH(m, D[begin:end]), RFC 9162, section 2.1.3.1."""
    n = end - begin
    if n == 1:
        return ()
    k = 1 << ((n - 1).bit_length() - 1)
    if m < k:
        return (*path_as_written(m, begin, begin + k), trees.mth(begin + k, end))
    return (*path_as_written(m - k, begin + k, end), trees.mth(begin, begin + k))


def subproof_as_written(m: int, begin: int, end: int, *, known: bool) -> tuple[Hash, ...]:
    """SUBPROOF(m, D[begin:end], b), RFC 9162, section 2.1.4.1."""
    n = end - begin
    if m == n:
        return () if known else (trees.mth(begin, end),)
    k = 1 << ((n - 1).bit_length() - 1)
    if m <= k:
        rest = subproof_as_written(m, begin, begin + k, known=known)
        return (*rest, trees.mth(begin + k, end))
    rest = subproof_as_written(m - k, begin + k, end, known=False)
    return (*rest, trees.mth(begin, begin + k))


def test_inclusion_holds_for_every_entry_of_every_tree_up_to_300() -> None:
    for size in range(1, 301):
        head = trees.head(size)
        for index in range(size):
            made = included(index, size)
            assert made.path == path_as_written(index, 0, size)
            proof.verify_inclusion(leaf=trees.leaf(index), proof=made, head=head)


def test_consistency_holds_for_every_pair_of_trees_up_to_300() -> None:
    for new in range(301):
        head = trees.head(new)
        for old in range(new + 1):
            made = consistent(old, new)
            if old:
                assert made.path == subproof_as_written(old, 0, new, known=True)
            proof.verify_consistency(old=trees.head(old), new=head, proof=made)


@given(LARGE)
def test_proofs_hold_for_large_trees(sizes: tuple[int, int]) -> None:
    old, new = sizes
    zeros = [tree.leaf_hash(b"")]
    for _ in range(20):
        zeros.append(tree.node_hash(zeros[-1], zeros[-1]))

    def read(level: int, _index: int) -> Hash:  # all entries are the same: any size is cheap
        return zeros[level]

    def head(size: int) -> TreeHead:
        return TreeHead(size=size, root=tree.subtree_root(0, size, read))

    made = proof.make_consistency(old=old, new=new, read=read)
    proof.verify_consistency(old=head(old), new=head(new), proof=made)
    index = min(old, new - 1)
    inclusion = proof.make_inclusion(index=index, size=new, read=read)
    proof.verify_inclusion(leaf=zeros[0], proof=inclusion, head=head(new))


def test_every_single_bit_change_of_a_small_proof_is_refused() -> None:
    for new in range(1, 10):
        for old in range(1, new):
            for path in twisted(consistent(old, new).path, range(256)):
                changed = ConsistencyProof(path=path)
                with pytest.raises(Refused):
                    proof.verify_consistency(
                        old=trees.head(old), new=trees.head(new), proof=changed
                    )
        for index in range(new):
            for path in twisted(included(index, new).path, range(256)):
                twin = InclusionProof(index=index, path=path)
                with pytest.raises(Refused):
                    proof.verify_inclusion(leaf=trees.leaf(index), proof=twin, head=trees.head(new))


def test_a_bit_change_in_any_hash_of_a_proof_is_refused_up_to_300() -> None:
    for new in range(10, 301):
        old = 1 + (new * 7919) % (new - 1)
        for path in twisted(consistent(old, new).path, range(new % 256, new % 256 + 1)):
            with pytest.raises(Refused):
                proof.verify_consistency(
                    old=trees.head(old), new=trees.head(new), proof=ConsistencyProof(path=path)
                )
        for path in twisted(included(old, new).path, range(new % 256, new % 256 + 1)):
            twin = InclusionProof(index=old, path=path)
            with pytest.raises(Refused):
                proof.verify_inclusion(leaf=trees.leaf(old), proof=twin, head=trees.head(new))


def test_a_proof_holds_for_no_other_size_index_leaf_or_root() -> None:
    for size in range(1, 40):
        for index in range(size):
            made = included(index, size)
            wrong = [
                (trees.leaf(index + 1), made, trees.head(size)),
                (trees.leaf(index), made, trees.head(size + 1)),
                (trees.leaf(index), made, TreeHead(size=size, root=trees.mth(1, size + 1))),
                (trees.leaf(index), InclusionProof(index=index + 1, path=made.path),
                 trees.head(size)),
            ]  # fmt: skip
            for leaf, twin, head in wrong:
                with pytest.raises(CryptoError):
                    proof.verify_inclusion(leaf=leaf, proof=twin, head=head)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 1 << 63)])
def test_a_proof_of_what_no_tree_has_is_misuse(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such entry"):
        proof.make_inclusion(index=index, size=size, read=trees.node)


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3), (0, 1 << 63)])
def test_a_proof_between_sizes_in_the_wrong_order_is_misuse(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="not larger"):
        proof.make_consistency(old=old, new=new, read=trees.node)


def test_a_proof_that_no_tree_needs_is_malformed() -> None:
    with pytest.raises(Malformed):
        ConsistencyProof(path=(tree.EMPTY_ROOT,) * 64)
    with pytest.raises(Malformed):
        InclusionProof(index=(1 << 63) - 1, path=())
    with pytest.raises(Malformed):
        InclusionProof(index=0, path=(Hash(b""),))
