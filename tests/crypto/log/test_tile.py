"""C2SP tlog-tiles: names, contents, and which of them a tree has."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Malformed
from crypto.log import note, proof, tile, tree
from crypto.log.checkpoint import parse as parse_checkpoint
from crypto.log.tile import Bundle, Tile
from crypto.log.tree import Hash
from tests.fakes import trees

VECTORS = Path(__file__).parents[2] / "vectors" / "tlog"
TESSERA = VECTORS / "tessera-log"
NAVIGLI = VECTORS / "navigli2025h2-tiles"
ENTRIES = json.loads((TESSERA / "vkey.json").read_bytes())["entries"]
SIZES = st.one_of(st.integers(1, 600), st.integers(1, 1 << 62))


def hashes(named: Tile) -> tuple[Hash, ...]:
    """Return what a tile holds by its definition in the specification."""
    level = tile.HEIGHT * named.level
    first = named.index * tile.WIDTH
    return tuple(trees.node(level, first + place) for place in range(named.width))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/x002",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/X001/002",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/8/000",
        "tile/64/000",
        "tile/63/000",
        "tile/a/000",
        "tile/entry/000",
        "tile/data/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/-1",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "tile/0/" + "\N{ARABIC-INDIC DIGIT ZERO}" * 3,
        "tile/0/../../etc/passwd",
        "tile/0/x001/../000",
        "tile/0/%30%30%30",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x001/" * 1000 + "000",
        "tile/entries/x036/x028/x797/x018/x963/x968",
    ],
)
def test_what_is_no_name_of_a_tile_is_malformed(path: str) -> None:
    with pytest.raises(Malformed):
        tile.parse_path(path)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("tile/0/x001/x234/067", Tile(level=0, index=1234067, width=256)),
        ("tile/0/000.p/255", Tile(level=0, index=0, width=255)),
        ("tile/7/000.p/1", Tile(level=7, index=0, width=1)),
        ("tile/entries/x001/000", Bundle(index=1000, width=256)),
        ("tile/entries/999.p/1", Bundle(index=999, width=1)),
    ],
)
def test_names_are_read_and_written(path: str, named: Tile | Bundle) -> None:
    assert tile.parse_path(path) == named
    assert named.path == path


@given(st.integers(0, 6), st.integers(0, 1 << 62), st.integers(1, 256))
def test_every_name_is_read_back(level: int, index: int, width: int) -> None:
    index >>= 8 * (level + 1)
    for named in (Tile(level=level, index=index, width=width), Bundle(index=index, width=width)):
        assert tile.parse_path(named.path) == named
        assert named.full.path == named.path.split(".")[0]


def test_the_specification_counts_the_tiles_of_70000_entries() -> None:
    tiles = list(tile.tiles_between(old=0, new=70_000))
    widths = [(each.level, each.width) for each in tiles]
    assert widths == [(0, 256)] * 273 + [(0, 112), (1, 256), (1, 17), (2, 1)]
    assert [each.path for each in tile.tiles_between(old=0, new=256)] == [
        "tile/0/000",
        "tile/1/000.p/1",
    ]
    assert list(tile.tiles_between(old=0, new=0)) == list(tile.bundles_between(old=0, new=0)) == []


@given(st.integers(0, 200_000), st.integers(0, 70_000))
def test_the_tiles_between_two_trees_are_those_that_the_older_has_not(old: int, more: int) -> None:
    before = set(tile.tiles_between(old=0, new=old))
    after = set(tile.tiles_between(old=0, new=old + more))
    assert set(tile.tiles_between(old=old, new=old + more)) == after - before
    entries = set(tile.bundles_between(old=0, new=old + more)) - set(
        tile.bundles_between(old=0, new=old)
    )
    assert set(tile.bundles_between(old=old, new=old + more)) == entries


@pytest.mark.parametrize("size", [*range(1, 20), 255, 256, 257, 300, 511, 512, 65_536, 65_793])
def test_tiles_written_and_read_give_the_root(size: int) -> None:
    written = {each.path: b"".join(hashes(each)) for each in tile.tiles_between(old=0, new=size)}

    def read(named: Tile) -> Sequence[Hash]:
        return tile.parse_hashes(written[named.path], width=named.width)

    head = tile.head_from_tiles(size=size, read=read)
    assert head == trees.head(size)
    nodes = tile.node_reader(size=size, read=read)
    for index in {0, size // 2, size - 1}:
        made = proof.make_inclusion(index=index, size=size, read=nodes)
        proof.verify_inclusion(leaf=trees.leaf(index), proof=made, head=head)
        shown = proof.make_consistency(old=index, new=size, read=nodes)
        proof.verify_consistency(old=trees.head(index), new=head, proof=shown)


def test_a_node_that_is_not_full_is_misuse() -> None:
    nodes = tile.node_reader(size=5, read=hashes)
    with pytest.raises(ValueError, match="no full node"):
        nodes(1, 2)


@pytest.mark.parametrize("width", [1, 2, 4, 5, 7, 8, 10, 11, 15])
def test_tessera_tiles_and_bundles(width: int) -> None:
    bundle = Bundle(index=0, width=width)
    octets = (TESSERA / bundle.path).read_bytes()
    entries = tile.parse_entries(octets, width=width)
    assert [entry.decode() for entry in entries] == ENTRIES[:width]
    assert tile.write_entries(entries) == octets

    def read(named: Tile) -> Sequence[Hash]:
        return tile.parse_hashes((TESSERA / named.path).read_bytes(), width=named.width)

    leaves = read(Tile(level=0, index=0, width=width))
    assert list(leaves) == [tree.leaf_hash(entry) for entry in entries]
    signed = note.parse((TESSERA / f"checkpoint.{width}").read_bytes())
    assert tile.head_from_tiles(size=width, read=read) == parse_checkpoint(signed.text).head


def test_real_tiles_make_proofs_for_the_root_of_their_leaves() -> None:
    size = 3 * 256 + 10

    def read(named: Tile) -> Sequence[Hash]:
        if named.level:  # only level 0 was published: the level above follows from it
            below = [Tile(level=0, index=place, width=256) for place in range(named.width)]
            return [tree.root(read(each)) for each in below]
        return tile.parse_hashes((NAVIGLI / named.path).read_bytes(), width=named.width)

    leaves = [
        leaf
        for each in tile.tiles_between(old=0, new=size)
        if not each.level
        for leaf in read(each)
    ]
    head = tile.head_from_tiles(size=size, read=read)
    assert head.root == tree.root(leaves)
    full = tile.parse_hashes((NAVIGLI / "tile/0/003").read_bytes(), width=256)
    assert tuple(leaves[768:]) == full[:10]
    nodes = tile.node_reader(size=size, read=read)
    for index in range(0, size, 7):
        made = proof.make_inclusion(index=index, size=size, read=nodes)
        proof.verify_inclusion(leaf=leaves[index], proof=made, head=head)


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65, 96])
def test_a_tile_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        tile.parse_hashes(bytes(length), width=2)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_bundle_is_read_back_and_nothing_shorter_or_longer(entries: list[bytes]) -> None:
    octets = tile.write_entries(entries)
    width = len(entries)
    assert tile.parse_entries(octets, width=width) == tuple(entries)
    for wrong in (octets[:-1], octets + b"\0", b""):
        with pytest.raises(Malformed):
            tile.parse_entries(wrong, width=width)
    with pytest.raises(Malformed):
        tile.parse_entries(octets, width=width + 1)


def test_an_entry_that_no_bundle_can_hold_is_misuse() -> None:
    tile.write_entries([bytes(tile.LONGEST_ENTRY)])
    with pytest.raises(OverflowError):
        tile.write_entries([bytes(tile.LONGEST_ENTRY + 1)])


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (8, 0, 1)]
)
def test_a_tile_that_no_tree_has_is_malformed(level: int, index: int, width: int) -> None:
    with pytest.raises(Malformed):
        Tile(level=level, index=index, width=width)
