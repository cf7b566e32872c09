"""The right edge of a tree in tiles: what a log must know to append, and what it must write then.

C2SP tlog-tiles v0.1: appended leaves fill the partial tile of level 0, a full tile gives one hash
to the level above. Leaves out entry bundles, which need no hash, and where tiles are kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crypto.errors import Malformed
from crypto.log import tree
from crypto.log.tile import HEIGHT, WIDTH, Tile, TileReader
from crypto.log.tree import CompactRange, Hash, TreeHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The hashes of the last tile of each level that is not full, lowest level first.

    A level whose tiles are all full has an empty row.
    """

    size: int
    rows: tuple[tuple[Hash, ...], ...]

    def __post_init__(self) -> None:
        if self.size < 0 or tuple(len(row) for row in self.rows) != _widths(self.size):
            raise Malformed("an edge has the partial tiles of its size (C2SP tlog-tiles)")
        for row in self.rows:
            for node in row:
                tree.parse_hash(node)

    def head(self) -> TreeHead:
        """Return the size and the root."""
        peaks = [peak for row in reversed(self.rows) for peak in tree.EMPTY.extend(row).peaks]
        return CompactRange(size=self.size, peaks=tuple(peaks)).head()

    def extend(self, leaves: Iterable[Hash]) -> "Growth":
        """Append leaves, in their order.

        Spec: C2SP tlog-tiles, "Merkle Tree".

        Args:
            leaves: 32 octets each, from `tree.leaf_hash`.

        Returns:
            The new edge and every tile that is new or grew.
        """
        rows = [list(row) for row in self.rows]
        size = self.size
        grown: dict[tuple[int, int], Sequence[Hash]] = {}
        for leaf in leaves:
            size += 1
            node, level, count = leaf, 0, size
            while True:
                if level == len(rows):
                    rows.append([])
                rows[level].append(node)
                if len(rows[level]) < WIDTH:
                    break
                grown[level, count // WIDTH - 1] = rows[level]
                node = tree.root(rows[level])
                rows[level] = []
                level, count = level + 1, count >> HEIGHT
        _add_partial(grown, rows, old=self.size, new=size)
        edge = Edge(size=size, rows=tuple(tuple(row) for row in rows))
        tiles = {
            Tile(level=level, index=index, width=len(hashes)): tuple(hashes)
            for (level, index), hashes in sorted(grown.items())
        }
        return Growth(edge=edge, tiles=tiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A longer tree's edge, and the tiles that the shorter tree did not have."""

    edge: Edge
    tiles: Mapping[Tile, tuple[Hash, ...]]


def read(*, size: int, read_tile: TileReader) -> Edge:
    """Read the edge of a tree from its tiles.

    Args:
        size: of a tree whose tiles can be read.
        read_tile: asked for the partial tile of each level that has one.

    Raises:
        Malformed: a tile has another number of hashes.

    Not checked: that the tiles belong to the tree; compare `Edge.head` with a head.
    """
    return Edge(
        size=size,
        rows=tuple(
            tuple(read_tile(tile)) if tile is not None else () for tile in partial_tiles(size)
        ),
    )


def partial_tiles(size: int) -> tuple[Tile | None, ...]:
    """Name the partial tile of each level, lowest first; None where all tiles are full."""
    return tuple(
        Tile(level=level, index=size >> (HEIGHT * (level + 1)), width=width) if width else None
        for level, width in enumerate(_widths(size))
    )


def _widths(size: int) -> tuple[int, ...]:
    """Return floor(s / 256**l) mod 256 for each level that has a hash (C2SP tlog-tiles)."""
    widths: list[int] = []
    while size:
        widths.append(size % WIDTH)
        size >>= HEIGHT
    return tuple(widths)


def _add_partial(
    grown: dict[tuple[int, int], Sequence[Hash]], rows: list[list[Hash]], *, old: int, new: int
) -> None:
    for level, row in enumerate(rows):
        if row and new >> (HEIGHT * level) > old >> (HEIGHT * level):
            grown[level, new >> (HEIGHT * (level + 1))] = row


EMPTY: Final = Edge(size=0, rows=())
"""The edge of the tree without entries."""
