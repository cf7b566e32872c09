"""The Merkle tree: leaf, node, root, and the few hashes that let it grow.

Carries out RFC 9162, section 2.1.1, with SHA-256 (the same as RFC 6962, section 2.1). Leaves
out proofs (`proof`), how nodes are kept and named (`tile`) and who signs a head (`checkpoint`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NewType

from crypto.errors import Malformed

Hash = NewType("Hash", bytes)
"""32 octets: SHA-256 of a leaf or a node, with the prefix that tells which."""

NodeReader = Callable[[int, int], Hash]
"""Returns the node at (level, index): the root of entries [index << level, (index + 1) << level).

Level 0 are the leaves. It is asked for full nodes only, those all of whose entries exist.
"""

HASH_LENGTH: Final = 32
MOST_ENTRIES: Final = (1 << 63) - 1
"""The largest tree size; implementations of the C2SP specifications count in 63 bits."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(entry: bytes) -> Hash:
    """Hash one entry.

    Spec: RFC 9162, section 2.1.1, MTH({d[0]}).
    """
    return Hash(sha256(_LEAF + entry).digest())


def node_hash(left: Hash, right: Hash) -> Hash:
    """Hash two nodes into the one above.

    Spec: RFC 9162, section 2.1.1.

    Not checked: that both have 32 octets.
    """
    return Hash(sha256(_NODE + left + right).digest())


EMPTY_ROOT: Final = Hash(sha256(b"").digest())
"""The root of the tree without entries."""


def parse_hash(octets: bytes) -> Hash:
    """Read a hash that came from outside.

    Raises:
        Malformed: not 32 octets.
    """
    if len(octets) != HASH_LENGTH:
        raise Malformed("a hash has 32 octets (RFC 9162, 2.1.1)")
    return Hash(octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """What commits to a tree: how many entries, and their root."""

    size: int
    root: Hash

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MOST_ENTRIES:
            raise Malformed("a tree has 0 to 2^63 - 1 entries")
        parse_hash(self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRange:
    """The roots of the full subtrees that a tree consists of: all that is needed to append.

    `peaks` stand from left (the largest) to right, one for each bit of `size` that is set.
    """

    size: int
    peaks: tuple[Hash, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MOST_ENTRIES or len(self.peaks) != self.size.bit_count():
            raise Malformed("a compact range has one hash for each bit of its size that is set")
        for peak in self.peaks:
            parse_hash(peak)

    def append(self, leaf: Hash) -> "CompactRange":
        """Return the range with one more entry; at most log2(size) hashes are computed.

        Args:
            leaf: 32 octets, from `leaf_hash`.
        """
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[Hash]) -> "CompactRange":
        """Return the range with more entries, in their order.

        Args:
            leaves: 32 octets each, from `leaf_hash`.
        """
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, full = leaf, size
            while full & 1:
                node = Hash(sha256(_NODE + peaks.pop() + node).digest())
                full >>= 1
            peaks.append(node)
            size += 1
        return CompactRange(size=size, peaks=tuple(peaks))

    def head(self) -> TreeHead:
        """Return the size and the root."""
        return TreeHead(size=self.size, root=_fold(self.peaks))


EMPTY: Final = CompactRange(size=0, peaks=())
"""Where every tree begins."""


def root(leaves: Sequence[Hash]) -> Hash:
    """Return the root of the tree with these leaves.

    Spec: RFC 9162, section 2.1.1, MTH(D_n).

    Args:
        leaves: 32 octets each, from `leaf_hash`, in the order of the entries.
    """
    return EMPTY.extend(leaves).head().root


def subtree_root(begin: int, end: int, read: NodeReader) -> Hash:
    """Return MTH(D[begin:end]) from full nodes.

    Spec: RFC 9162, section 2.1.1.

    Args:
        begin: a multiple of the smallest power of two that is not below `end - begin`, as every
            left edge is at which the recursion of MTH arrives.
        end: beyond `begin`, unless both are 0.
        read: asked once for each bit of `end - begin` that is set.

    Returns:
        The hash; `EMPTY_ROOT` for the empty tree.

    Raises:
        ValueError: `begin` is no edge at which MTH arrives.
    """
    width = end - begin
    if width < 0 or (width and begin % (1 << (width - 1).bit_length())):
        raise ValueError("no subtree of MTH begins and ends there")
    return _fold(peaks(begin, end, read))


def peaks(begin: int, end: int, read: NodeReader) -> tuple[Hash, ...]:
    """Read the roots of the full subtrees that entries [begin, end) consist of, left to right.

    Args:
        begin: as for `subtree_root`.
        end: as for `subtree_root`.
        read: asked once for each of them.
    """
    found: list[Hash] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append(read(level, begin >> level))
        begin += 1 << level
    return tuple(found)


def _fold(nodes: Sequence[Hash]) -> Hash:
    if not nodes:
        return EMPTY_ROOT
    folded = nodes[-1]
    for node in reversed(nodes[:-1]):
        folded = node_hash(node, folded)
    return folded
