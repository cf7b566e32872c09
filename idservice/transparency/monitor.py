"""An outsider checks a log: every entry, every tile, and that nothing was taken back.

DESIGN section 5. Reads only what everybody can read (C2SP tlog-tiles), believes only the
signatures it was told to, and goes on from the last checkpoint that it saw. Two signed heads that
contradict each other are kept as evidence. Leaves out what entries mean: `visit` is given each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from crypto.errors import Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, edge, note, tile, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Policy, Witnessed
from crypto.log.edge import Edge, Growth
from crypto.log.note import Note, VerifierKey
from crypto.log.tile import Bundle, Tile
from crypto.log.tree import HASH_LENGTH, Hash
from idservice.transparency.model import Contradiction
from idservice.transparency.ports import Absent, Resources

CHECKPOINT: Final = "checkpoint"

Visit = Callable[[int, bytes], object]
"""Is given number and octets of each entry that was not seen before, in order.

It must not act on them before `check` returned: until then they may be anybody's.
"""

_AT_ONCE: Final = tile.WIDTH * tile.WIDTH
"""Entries after which tiles are compared, so that no log is too large for the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Whose log it is, who must have cosigned, and how long ago at most."""

    log: VerifierKey
    policy: Policy | None
    most_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A log that holds together; only `check` makes it."""

    signed: SignedCheckpoint
    witnessed: Witnessed | None
    seen: int
    """Entries that were checked at an earlier time."""


def check(
    read: Resources,
    *,
    expected: Expected,
    seen: Note | None,
    now: UnixSeconds,
    visit: Visit,
) -> Checked:
    """Check all that is published, or all since the checkpoint that was `seen`.

    Raises:
        Contradiction: the log signed two heads of which neither extends the other.
        Refused: too few or too old cosignatures, fewer entries than before, or entries and tiles
            that do not make the signed root.
        CryptoError: the checkpoint is not this log's, or something does not parse.
        Absent: something that must be there is not, or nobody answers.
    """
    octets = read(CHECKPOINT, note.MOST_OCTETS)
    signed = checkpoint.verify(note.parse(octets), log=expected.log)
    witnessed = None
    if expected.policy is not None:
        witnessed = cosignature.verify_quorum(signed, policy=expected.policy, now=now)
        cosignature.check_current(witnessed, now=now, most_seconds=expected.most_seconds)
    served = _Served(read, size=signed.checkpoint.head.size)
    start = edge.EMPTY
    if seen is not None:
        start = _resume(checkpoint.verify(seen, log=expected.log), signed, served)
    _follow(start, signed, served, visit)
    return Checked(signed=signed, witnessed=witnessed, seen=start.size)


def _resume(seen: SignedCheckpoint, signed: SignedCheckpoint, served: "_Served") -> Edge:
    """Check that what is served begins with what was seen; return its right edge."""
    old, new = seen.checkpoint.head, signed.checkpoint.head
    if new.size < old.size:
        raise Refused("the log shows fewer entries than it did before")
    if new.size == old.size and new.root != old.root:
        raise Contradiction(first=seen.note, second=signed.note)
    begin = edge.read(size=old.size, read_tile=served.tile)
    if begin.head() == old:
        return begin
    # Nobody is accused because of a spoiled file: all entries must make the newer root.
    leaves = served.leaves(0, _look_away)
    prefix = tree.EMPTY.extend(islice(leaves, old.size))
    if prefix.extend(leaves).head() == new and prefix.head() != old:
        raise Contradiction(first=seen.note, second=signed.note)
    raise Refused("the tiles do not belong to the checkpoint")


def _look_away(_number: int, _entry: bytes) -> None:
    """Visit an entry that was seen before."""


def _follow(start: Edge, signed: SignedCheckpoint, served: "_Served", visit: Visit) -> None:
    head = signed.checkpoint.head
    leaves = served.leaves(start.size, visit)
    reached = start
    while reached.size < head.size:
        growth = reached.extend(islice(leaves, _AT_ONCE - reached.size % _AT_ONCE))
        reached = growth.edge
        served.compare(growth)
    if reached.head() != head:
        raise Refused("the entries do not make the signed root (RFC 9162, 2.1.1)")


class _Served:
    """What is served of a tree whose size is signed; nothing of it is believed."""

    def __init__(self, read: Resources, *, size: int) -> None:
        self._read = read
        self._size = size

    def tile(self, name: Tile) -> tuple[Hash, ...]:
        """Read a tile of this tree or of one that it extends."""
        there = (self._size >> (tile.HEIGHT * name.level)) - name.index * tile.WIDTH
        widest = Tile(level=name.level, index=name.index, width=min(there, tile.WIDTH))
        hashes = tile.parse_hashes(self._tile_octets(widest), width=widest.width)
        return hashes[: name.width]

    def leaves(self, begin: int, visit: Visit) -> Iterator[Hash]:
        """Read entries from number `begin` on, show them, and hash them."""
        for bundle in tile.bundles_between(old=begin, new=self._size):
            first = bundle.index * tile.WIDTH
            for number, entry in enumerate(self._entries(bundle), start=first):
                if number >= begin:
                    visit(number, entry)
                    yield tree.leaf_hash(entry)

    def compare(self, growth: Growth) -> None:
        """Check that the tiles served are those that the entries make."""
        for name, hashes in growth.tiles.items():
            last = growth.edge.size == self._size
            if (name.width == tile.WIDTH or last) and self.tile(name) != hashes:
                raise Refused("a tile does not belong to the entries (C2SP tlog-tiles)")

    def _entries(self, bundle: Bundle) -> tuple[bytes, ...]:
        try:
            octets = self._read(bundle.path, tile.LONGEST_BUNDLE)
            return tile.parse_entries(octets, width=bundle.width)
        except Absent:
            octets = self._read(bundle.full.path, tile.LONGEST_BUNDLE)
            return tile.parse_entries(octets, width=tile.WIDTH)[: bundle.width]

    def _tile_octets(self, name: Tile) -> bytes:
        length = name.width * HASH_LENGTH
        try:
            return self._read(name.path, length)
        except Absent:  # the full tile may have taken its place (C2SP tlog-tiles, Partial Tiles)
            octets = self._read(name.full.path, tile.WIDTH * HASH_LENGTH)
            if len(octets) != tile.WIDTH * HASH_LENGTH:
                raise Malformed("a full tile has 256 hashes (C2SP tlog-tiles)") from None
            return octets[:length]
