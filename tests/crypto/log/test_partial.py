"""A partial tree proves all its entries and all its sizes, with no hash too many."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import Malformed, Refused
from crypto.log import partial, tree
from crypto.log.partial import Outline
from crypto.log.tree import Hash
from tests.fakes import trees


def outline(size: int, indices: set[int], sizes: set[int]) -> Outline:
    return Outline(size=size, indices=frozenset(indices), sizes=frozenset(sizes))


def built(drawn: Outline, carried: tuple[Hash, ...] | None = None) -> partial.PartialTree:
    leaves = {index: trees.leaf(index) for index in drawn.indices}
    hashes = partial.carry(drawn, trees.node) if carried is None else carried
    return partial.build(drawn, leaves=leaves, carried=hashes)


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    size = draw(st.integers(0, 300))
    indices = draw(st.sets(st.integers(0, size - 1), max_size=12)) if size else set()
    return outline(size, indices, draw(st.sets(st.integers(0, size), max_size=6)))


@settings(max_examples=200, deadline=None)
@given(drawn=outlines())
def test_every_size_of_the_outline_has_the_root_of_rfc9162(drawn: Outline) -> None:
    found = built(drawn)
    for size in {*drawn.sizes, drawn.size, *(index + 1 for index in drawn.indices)}:
        assert found.head(size) == trees.head(size)


@settings(max_examples=200, deadline=None)
@given(drawn=outlines(), data=st.data())
def test_another_entry_or_hash_gives_another_root(drawn: Outline, data: st.DataObject) -> None:
    leaves = {index: trees.leaf(index) for index in drawn.indices}
    carried = partial.carry(drawn, trees.node)
    places = [*leaves, *(-1 - place for place in range(len(carried)))]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    other = Hash(b"\7" * 32)
    if place >= 0:
        leaves[place] = other
    else:
        carried = (*carried[: -1 - place], other, *carried[-place:])
    spoiled = partial.build(drawn, leaves=leaves, carried=carried)
    assert spoiled.head(drawn.size) != trees.head(drawn.size)


@settings(max_examples=100, deadline=None)
@given(drawn=outlines())
def test_no_hash_too_many_and_none_too_few(drawn: Outline) -> None:
    carried = partial.carry(drawn, trees.node)
    with pytest.raises(Malformed):
        built(drawn, (*carried, trees.leaf(0)))
    if carried:
        with pytest.raises(Malformed):
            built(drawn, carried[:-1])
    # No more than separate proofs of the same would carry.
    separate = (len(drawn.indices) + len(drawn.sizes) + 1) * (drawn.size.bit_length() + 1)
    assert len(carried) <= separate


def test_a_size_that_is_not_told_is_refused() -> None:
    found = built(outline(200, {3}, {100}))
    with pytest.raises(Refused):
        found.head(77)
    with pytest.raises(Refused):
        found.head(201)


@pytest.mark.parametrize(
    ("size", "indices", "sizes"),
    [(3, {3}, set()), (3, {-1}, set()), (3, set(), {4}), (-1, set(), set())],
)
def test_impossible_outlines_are_malformed(size: int, indices: set[int], sizes: set[int]) -> None:
    with pytest.raises(Malformed):
        outline(size, indices, sizes)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 100])
def test_the_whole_tree_tells_every_size(size: int) -> None:
    found = partial.whole(map(trees.leaf, range(size)))
    for smaller in range(size + 1):
        assert found.head(smaller) == trees.head(smaller)
    assert tree.root([trees.leaf(each) for each in range(size)]) == found.head(size).root
