"""RFC 9162, section 2.1.1: roots and compact ranges against the recursion as it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Malformed
from crypto.log import tree
from crypto.log.tree import CompactRange, Hash, TreeHead
from tests.fakes import trees

ALL_SIZES = range(301)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert tree.EMPTY.head() == TreeHead(size=0, root=tree.EMPTY_ROOT)
    assert tree.root(()) == tree.EMPTY_ROOT


def test_appending_one_by_one_gives_the_root_of_every_size() -> None:
    grown = tree.EMPTY
    for size in ALL_SIZES:
        assert grown.head() == trees.head(size)
        assert tree.peaks(0, size, trees.node) == grown.peaks
        grown = grown.append(trees.leaf(size))


@given(st.integers(0, 5000), st.integers(0, 700))
def test_appending_many_at_once_is_appending_one_by_one(old: int, more: int) -> None:
    start = CompactRange(size=old, peaks=tree.peaks(0, old, trees.node))
    grown = start.extend(trees.leaf(number) for number in range(old, old + more))
    assert grown.head() == trees.head(old + more)


def test_the_root_of_a_subtree_is_read_from_full_nodes() -> None:
    for end in range(1, 65):
        for level in range(7):
            for begin in range(0, end, 1 << level):
                if end - begin <= 1 << level:
                    assert tree.subtree_root(begin, end, trees.node) == trees.mth(begin, end)


@pytest.mark.parametrize(("begin", "end"), [(1, 3), (2, 5), (5, 4), (3, 0)])
def test_what_is_no_subtree_is_misuse(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match="no subtree"):
        tree.subtree_root(begin, end, trees.node)


@pytest.mark.parametrize("size", [-1, 1 << 63])
def test_a_size_that_no_tree_has_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        TreeHead(size=size, root=tree.EMPTY_ROOT)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        TreeHead(size=1, root=Hash(bytes(length)))
    with pytest.raises(Malformed):
        CompactRange(size=1, peaks=(Hash(bytes(length)),))


@pytest.mark.parametrize(("size", "peaks"), [(0, 1), (1, 0), (3, 1), (4, 2), (-1, 1)])
def test_a_compact_range_has_a_hash_for_each_set_bit(size: int, peaks: int) -> None:
    with pytest.raises(Malformed):
        CompactRange(size=size, peaks=(tree.EMPTY_ROOT,) * peaks)
