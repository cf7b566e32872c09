"""What the log, a witness and an outsider need from outside.

`storage/transparency.py`, `storage/published.py` and `storage/witness.py` keep, fakes of them
stand in `tests/fakes`; `clients/transparency.py` asks others.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from crypto.log.edge import Edge, Growth
from crypto.log.note import Note
from crypto.log.tile import Tile
from crypto.log.tree import Hash, TreeHead
from idservice.transparency.model import Publication, RecordedHead

Resources = Callable[[str, int], bytes]
"""Returns what a log serves under a name, such as `checkpoint`, at most so many octets.

Raises `Absent` where there is nothing under that name.
"""


class Absent(Exception):
    """There is nothing under this name, or nobody answers; nothing follows from it."""


class Unit(Protocol):
    """A unit of work on the log's rows, alone with them."""

    def edge(self) -> Edge:
        """Read the right edge of the newest recorded tree."""
        ...

    def add(self, entries: Sequence[bytes], *, growth: Growth) -> None:
        """Add entries, the tiles that grew, and the head: each number and size once, for ever."""
        ...


class Raced(Exception):
    """Another sequencer took these numbers first; nothing was recorded."""


class LogStore(Protocol):
    """The log's rows: entries, tiles and heads, never changed once they are full."""

    def unit(self) -> AbstractContextManager[Unit]:
        """Begin a unit of work; commit at its end.

        Raises:
            Raced: by another sequencer; nothing was recorded.
            ServiceError: `unavailable`; whether it was recorded is unknown.
            Broken: the disk failed; whether it was recorded is unknown.
        """
        ...

    def newest(self) -> RecordedHead | None:
        """Return the newest recorded head."""
        ...

    def keep_signature(self, signed: Note, *, size: int) -> None:
        """Keep the log's own signature over the head of this size, unless there is one."""
        ...

    def publication(self) -> Publication | None:
        """Return what is to be seen; None before the first."""
        ...

    def publish(self, publication: Publication) -> bool:
        """Replace what is to be seen, unless that is already larger; say whether it was done."""
        ...

    def tiles(self, names: Sequence[Tile]) -> Mapping[Tile, tuple[Hash, ...]]:
        """Return tiles of recorded trees, as wide as asked for."""
        ...

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """Return the entries that there are, from number `begin` to before `end`."""
        ...


class Files(Protocol):
    """The published log, as static files; a failed write raises `OSError`, and nothing is seen."""

    def write(self, path: str, octets: bytes) -> None:
        """Write a file that never changes; it is on disk, whole, when this returns."""
        ...

    def replace_checkpoint(self, octets: bytes) -> None:
        """Let whoever asks see another checkpoint, whole; it is on disk when this returns."""
        ...

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint that is to be seen."""
        ...

    def drop_partial(self, path: str) -> None:
        """Delete the partial tiles of which `path` is the full one."""
        ...


class Witness(Protocol):
    """Somebody else's witness (C2SP tlog-witness)."""

    def add_checkpoint(self, body: bytes) -> bytes:
        """Ask for a cosignature.

        Raises:
            NotCosigned: it refuses.
            Absent: it does not answer as a witness does.
        """
        ...


class WitnessStore(Protocol):
    """One row for each log: the newest head that this witness cosigned."""

    def head(self, origin: str) -> TreeHead | None:
        """Return the newest head."""
        ...

    def advance(self, origin: str, *, old: TreeHead | None, new: TreeHead) -> bool:
        """Replace `old` by `new` at once; False, and nothing changed, if it is not `old`."""
        ...
