"""A partial tree: as few hashes as prove some entries, and some earlier sizes, of one tree.

RFC 9162, section 2.1, for many proofs at once: whoever holds the entries and these hashes
computes the root of the tree, and the root of each of the earlier sizes, so every entry's
inclusion and every earlier tree's consistency follow from one comparison each, and no hash is
carried twice. Which hashes those are follows from the indices and sizes; no position is written.
Left out: proofs about one entry or one earlier tree (`proof`), and who signed the roots.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crypto.errors import Malformed, Refused
from crypto.log import tree
from crypto.log.tree import Hash, NodeReader, TreeHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Of what tree, which entries are known, and which earlier sizes are to be told."""

    size: int
    indices: frozenset[int]
    sizes: frozenset[int]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= tree.MOST_ENTRIES:
            raise Malformed("a tree has 0 to 2^63 - 1 entries")
        if any(not 0 <= index < self.size for index in self.indices):
            raise Malformed("an index lies outside the tree")
        if any(not 0 <= size <= self.size for size in self.sizes):
            raise Malformed("an earlier tree is larger")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialTree:
    """What could be computed; whether it is the tree that somebody signed is for `head` to show."""

    size: int
    nodes: Mapping[tuple[int, int], Hash]
    """By level and index."""

    def head(self, size: int) -> TreeHead:
        """Compute the head of this tree, or of an earlier one.

        Spec: RFC 9162, section 2.1.1.

        Args:
            size: of this tree, or one of the outline's sizes; others may be known by chance.

        Raises:
            Refused: the tree is smaller, or what is known is not enough.
        """
        if not 0 <= size <= self.size:
            raise Refused("the tree has fewer entries")
        return TreeHead(size=size, root=tree.subtree_root(0, size, self._read))

    def _read(self, level: int, index: int) -> Hash:
        node = self.nodes.get((level, index))
        if node is None:
            raise Refused("the partial tree does not tell this size")
        return node


def needed(outline: Outline) -> Iterator[tuple[int, int]]:
    """Name the hashes to carry, by level and index, in their one order.

    Args:
        outline: which entries and sizes.
    """
    plan = _Plan(outline)
    for level, index in plan.peaks():
        for node in plan.below(level, index):
            if not plan.opened(*node) and not plan.known(*node):
                yield node


def carry(outline: Outline, read: NodeReader) -> tuple[Hash, ...]:
    """Read the hashes to carry.

    Args:
        outline: which entries and sizes.
        read: the nodes of this tree or of any that extends it.

    Not checked: what `read` returns.
    """
    return tuple(read(level, index) for level, index in needed(outline))


def build(outline: Outline, *, leaves: Mapping[int, Hash], carried: Sequence[Hash]) -> PartialTree:
    """Compute every node that follows from the entries and the carried hashes.

    Spec: RFC 9162, section 2.1.1.

    Args:
        outline: which entries and sizes.
        leaves: for each index of the outline, 32 octets from `tree.leaf_hash`.
        carried: 32 octets each, as `carry` returned them.

    Raises:
        Malformed: another number of hashes than this outline needs.

    Not checked: that it is the tree of any checkpoint; compare `PartialTree.head`.
    """
    plan = _Plan(outline)
    nodes: dict[tuple[int, int], Hash] = {(0, index): leaves[index] for index in outline.indices}
    rest = iter(carried)
    for peak in plan.peaks():
        opened: list[tuple[int, int]] = []
        for node in plan.below(*peak):
            if plan.opened(*node):
                opened.append(node)
            elif not plan.known(*node):
                found = next(rest, None)
                if found is None:
                    raise Malformed("too few hashes for these entries and sizes")
                nodes[node] = found
        for level, index in reversed(opened):  # children before their parents
            left, right = nodes[level - 1, 2 * index], nodes[level - 1, 2 * index + 1]
            nodes[level, index] = tree.node_hash(left, right)
    if next(rest, None) is not None:
        raise Malformed("too many hashes for these entries and sizes")
    return PartialTree(size=outline.size, nodes=nodes)


def whole(leaves: Iterable[Hash]) -> PartialTree:
    """Compute the tree of all entries; it tells every size.

    Args:
        leaves: 32 octets each, from `tree.leaf_hash`, in the order of the entries.
    """
    row = list(leaves)
    size, level = len(row), 0
    nodes: dict[tuple[int, int], Hash] = {}
    while row:
        nodes.update({(level, index): node for index, node in enumerate(row)})
        pairs = range(0, len(row) - 1, 2)
        row = [tree.node_hash(row[left], row[left + 1]) for left in pairs]
        level += 1
    return PartialTree(size=size, nodes=nodes)


class _Plan:
    """Which nodes must be opened: those across which an entry or a size draws a border."""

    def __init__(self, outline: Outline) -> None:
        beside = {each + 1 for each in outline.indices}
        self._borders = sorted(outline.indices | beside | outline.sizes)
        self._indices = outline.indices
        self._size = outline.size

    def peaks(self) -> Iterator[tuple[int, int]]:
        """Name the full subtrees that the tree consists of, left to right."""
        begin = 0
        while begin < self._size:
            level = (self._size - begin).bit_length() - 1
            yield level, begin >> level
            begin += 1 << level

    def below(self, level: int, index: int) -> Iterator[tuple[int, int]]:
        """Name a node and, if it is opened, those below it; parents before their children."""
        waiting = [(level, index)]
        while waiting:
            node = waiting.pop()
            yield node
            if self.opened(*node):
                up, place = node
                waiting += [(up - 1, 2 * place + 1), (up - 1, 2 * place)]

    def opened(self, level: int, index: int) -> bool:
        """Say whether a border lies inside the node."""
        begin, end = index << level, (index + 1) << level
        after = bisect_right(self._borders, begin)
        return after < len(self._borders) and self._borders[after] < end

    def known(self, level: int, index: int) -> bool:
        """Say whether the node is an entry that everybody holds."""
        return level == 0 and index in self._indices
