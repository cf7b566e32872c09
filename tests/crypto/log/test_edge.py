"""The right edge of a tree in tiles: it grows as the tree does."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Malformed
from crypto.log import edge, tile
from crypto.log.edge import Edge
from crypto.log.tile import Tile
from crypto.log.tree import Hash
from tests.fakes import trees


def read_tile(named: Tile) -> Sequence[Hash]:
    level = tile.HEIGHT * named.level
    first = named.index * tile.WIDTH
    return tuple(trees.node(level, first + place) for place in range(named.width))


def edge_of(size: int) -> Edge:
    return edge.read(size=size, read_tile=read_tile)


def test_the_edge_of_nothing_is_empty() -> None:
    assert edge_of(0) == edge.EMPTY
    assert edge.EMPTY.head() == trees.head(0)
    assert edge.EMPTY.extend(()).tiles == {}


@pytest.mark.parametrize("size", [*range(1, 20), 255, 256, 257, 511, 512, 65_535, 65_536, 66_000])
def test_the_edge_has_the_head_of_its_tree(size: int) -> None:
    assert edge_of(size).head() == trees.head(size)


@given(st.integers(0, 70_000), st.integers(0, 600))
def test_an_edge_grows_as_the_tree_does_and_names_every_new_tile(old: int, more: int) -> None:
    new = old + more
    growth = edge_of(old).extend(trees.leaf(number) for number in range(old, new))
    assert growth.edge == edge_of(new)
    assert growth.edge.head() == trees.head(new)
    assert list(growth.tiles) == list(tile.tiles_between(old=old, new=new))
    for named, hashes in growth.tiles.items():
        assert hashes == read_tile(named)


def test_what_is_no_edge_is_malformed() -> None:
    leaf = trees.leaf(0)
    for size, rows in (
        (-1, ()),
        (0, ((),)),
        (1, ()),
        (1, ((leaf, leaf),)),
        (256, ((),)),
        (2, ((leaf,),)),
    ):
        with pytest.raises(Malformed):
            Edge(size=size, rows=rows)
    with pytest.raises(Malformed):
        Edge(size=1, rows=((Hash(b""),),))
