"""Tiles: the tree and its entries cut into files that never change once they are full.

Carries out C2SP tlog-tiles v0.1: names, hash tiles, entry bundles. A tile is 256 nodes of each
eighth level; a bundle, 256 entries. Leaves out pruning, compression and where files are kept;
what is read here is only believed once a root or proof made of it meets a checkpoint (`proof`).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crypto.errors import Malformed
from crypto.log import tree
from crypto.log.tree import HASH_LENGTH, Hash, NodeReader, TreeHead

WIDTH: Final = 256
"""Nodes or entries in a full tile or bundle."""

HEIGHT: Final = 8
"""Levels of the tree between a tile and the one above it."""

LONGEST_ENTRY: Final = (1 << 16) - 1
"""Octets in an entry: its length is written in two."""

LONGEST_BUNDLE: Final = WIDTH * (2 + LONGEST_ENTRY)

_LONGEST_NAME: Final = 64
_GROUP: Final = 1000
_NAME: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)"
    r"/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Which hashes: `width` nodes at `level * 8` of the tree, from number `index * 256` on."""

    level: int
    index: int
    width: int

    def __post_init__(self) -> None:
        if self.level < 0:
            raise Malformed("a tile's level counts from 0 (C2SP tlog-tiles)")
        _check_place(self.index, self.width, HEIGHT * self.level)

    @property
    def path(self) -> str:
        """The name below the log's prefix."""
        return f"tile/{self.level}/{_place(self.index, self.width)}"

    @property
    def full(self) -> "Tile":
        """The same tile when it has 256 hashes."""
        return Tile(level=self.level, index=self.index, width=WIDTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Which entries: `width` of them, from number `index * 256` on."""

    index: int
    width: int

    def __post_init__(self) -> None:
        _check_place(self.index, self.width, 0)

    @property
    def path(self) -> str:
        """The name below the log's prefix."""
        return f"tile/entries/{_place(self.index, self.width)}"

    @property
    def full(self) -> "Bundle":
        """The same bundle when it has 256 entries."""
        return Bundle(index=self.index, width=WIDTH)


TileReader = Callable[[Tile], Sequence[Hash]]
"""Returns the hashes of a tile, from `parse_hashes`."""


def parse_path(path: str) -> Tile | Bundle:
    """Read the name of a tile or bundle; what is accepted is written back the very same.

    Spec: C2SP tlog-tiles, "Merkle Tree" and "Log entries".

    Args:
        path: below the log's prefix, without a leading slash.

    Raises:
        Malformed: another form, needless leading groups or zeros, or beyond 2^63 - 1 entries.
    """
    found = _NAME.fullmatch(path) if len(path) <= _LONGEST_NAME else None
    if found is None:
        raise Malformed("no name of a tile (C2SP tlog-tiles)")
    index = int(found["index"].replace("x", "").replace("/", ""))
    width = WIDTH if found["width"] is None else int(found["width"])
    named: Tile | Bundle
    if found["level"] == "entries":
        named = Bundle(index=index, width=width)
    else:
        named = Tile(level=int(found["level"]), index=index, width=width)
    if named.path != path:
        raise Malformed("not the one name of this tile (C2SP tlog-tiles)")
    return named


def parse_hashes(octets: bytes, *, width: int) -> tuple[Hash, ...]:
    """Read the contents of a hash tile.

    Spec: C2SP tlog-tiles, "Merkle Tree".

    Raises:
        Malformed: not 32 octets for each of `width` hashes.
    """
    if len(octets) != width * HASH_LENGTH:
        raise Malformed("a tile has 32 octets for each hash (C2SP tlog-tiles)")
    return tuple(
        Hash(octets[start : start + HASH_LENGTH]) for start in range(0, len(octets), HASH_LENGTH)
    )


def parse_entries(octets: bytes, *, width: int) -> tuple[bytes, ...]:
    """Read the contents of an entry bundle.

    Spec: C2SP tlog-tiles, "Log entries".

    Raises:
        Malformed: not exactly `width` entries, each after its length in two octets.
    """
    entries: list[bytes] = []
    begin = 0
    for _ in range(width):
        end = begin + 2 + int.from_bytes(octets[begin : begin + 2])
        if begin + 2 > len(octets) or end > len(octets):
            raise Malformed("the bundle is too short (C2SP tlog-tiles)")
        entries.append(octets[begin + 2 : end])
        begin = end
    if begin != len(octets):
        raise Malformed("the bundle is too long (C2SP tlog-tiles)")
    return tuple(entries)


def write_entries(entries: Sequence[bytes]) -> bytes:
    """Write the contents of an entry bundle, as `parse_entries` reads it.

    Spec: C2SP tlog-tiles, "Log entries".

    Args:
        entries: at most `LONGEST_ENTRY` octets each.

    Raises:
        OverflowError: an entry is longer.
    """
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def tiles_between(*, old: int, new: int) -> Iterator[Tile]:
    """Name the hash tiles of the tree of `new` entries that the tree of `old` has not.

    Spec: C2SP tlog-tiles, "Partial Tiles".

    Returns:
        Level by level from 0, in each level by index; at most the last of each is partial.
        With `old` 0, all tiles of the tree.
    """
    level = 0
    while nodes := new >> (HEIGHT * level):
        for index, width in _between(old >> (HEIGHT * level), nodes):
            yield Tile(level=level, index=index, width=width)
        level += 1


def bundles_between(*, old: int, new: int) -> Iterator[Bundle]:
    """Name the entry bundles of the tree of `new` entries that the tree of `old` has not.

    Spec: C2SP tlog-tiles, "Log entries".
    """
    for index, width in _between(old, new):
        yield Bundle(index=index, width=width)


def node_reader(*, size: int, read: TileReader) -> NodeReader:
    """Read the nodes of a tree of `size` entries from its tiles.

    Spec: C2SP tlog-tiles, "Merkle Tree".

    Args:
        size: of a tree for which a checkpoint was made: its partial tiles exist.
        read: asked for one tile for each node; it may keep what it read.

    Returns:
        What `proof` and `tree.subtree_root` need.

    Not checked: that the tiles belong to the tree; whatever is made from these nodes must be
        checked against a head.
    """

    def node(level: int, index: int) -> Hash:
        if (index + 1) << level > size:
            raise ValueError("no full node of this tree")
        row, inside = divmod(level, HEIGHT)
        begin = index << inside
        tile = begin // WIDTH
        width = min(WIDTH, (size >> (HEIGHT * row)) - tile * WIDTH)
        hashes = read(Tile(level=row, index=tile, width=width))
        begin -= tile * WIDTH
        return tree.root(hashes[begin : begin + (1 << inside)])

    return node


def head_from_tiles(*, size: int, read: TileReader) -> TreeHead:
    """Compute the head of a tree from its tiles.

    Spec: RFC 9162, section 2.1.1; C2SP tlog-tiles.

    Not checked: that it is the head of a checkpoint; nor tiles below a full one, which are not
        read.
    """
    nodes = node_reader(size=size, read=read)
    return TreeHead(size=size, root=tree.subtree_root(0, size, nodes))


def _between(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Cut nodes [0, new) into 256s, and leave out those that were there with `old` nodes."""
    if new > old:
        for index in range(old // WIDTH, (new + WIDTH - 1) // WIDTH):
            yield index, min(WIDTH, new - index * WIDTH)


def _place(index: int, width: int) -> str:
    """Write `<N>[.p/<W>]`."""
    index, last = divmod(index, _GROUP)
    text = f"{last:03}"
    while index:
        index, group = divmod(index, _GROUP)
        text = f"x{group:03}/{text}"
    return text if width == WIDTH else f"{text}.p/{width}"


def _check_place(index: int, width: int, level: int) -> None:
    if index < 0 or not 0 < width <= WIDTH:
        raise Malformed("a tile has 1 to 256 hashes or entries (C2SP tlog-tiles)")
    if (index * WIDTH + width) << level > tree.MOST_ENTRIES:
        raise Malformed("beyond 2^63 - 1 entries")
