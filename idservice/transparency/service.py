"""The log: entries in, index and proof out, and what is published never takes anything back.

DESIGN section 5. One turn: record entries, tiles and head in one transaction (each number and
each size once, for ever); sign the head and record the signature; collect cosignatures; record
what is to be seen; write tiles and bundles; let the checkpoint be seen. Each step can be done
again from the database, so a crash anywhere publishes exactly once and never two roots of one
size. Entries that wait while a turn runs are recorded together in the next one. Leaves out what
entries mean and who may append: that is the caller's decision, and `expected` ties it to what it
knew.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from threading import Condition
from typing import Final

from crypto.errors import CryptoError
from crypto.log import checkpoint, edge, note, proof, tile, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.proof import ConsistencyProof
from crypto.log.tile import Bundle, Tile
from crypto.log.tree import Hash, NodeReader, TreeHead
from idservice.errors import ServiceError
from idservice.transparency import model
from idservice.transparency.collection import Collector
from idservice.transparency.model import Identity, LogError, Publication, Receipt
from idservice.transparency.ports import Files, LogStore, Raced

_TRIES: Final = 64
"""Times that a turn begins anew because another sequencer was faster."""

_AT_ONCE: Final = 64
"""Tiles that are read from the database together."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """Entries in the queue, and what became of them: nothing yet, receipts or an error."""

    entries: tuple[bytes, ...]
    expected: int | None
    outcome: tuple[Receipt, ...] | LogError | ServiceError | None = None


class Log:
    """One log. Any number of threads may call it; one of them at a time takes a turn for all."""

    def __init__(
        self, identity: Identity, *, store: LogStore, files: Files, collector: Collector | None
    ) -> None:
        if (identity.policy is None) != (collector is None):
            raise ValueError("witnesses are asked where a policy demands them, and only there")
        self._identity = identity
        self._store = store
        self._files = files
        self._collector = collector
        self._changed = Condition()
        self._taken = False
        self._queue: deque[_Waiting] = deque()
        self._shown = 0
        self._broken = False

    def open(self) -> None:
        """Finish what a crash interrupted; begin the log if there is none.

        Raises:
            NotPublished: what is recorded cannot be published now; what was published is seen.
            RolledBack: the database is older than what was published from it, or another log's.
            Broken: a write failed; the process must end.
            ServiceError: the database is away.
        """
        with self._turn():
            octets = self._files.checkpoint()
            if octets is not None:
                self._shown = self._check_not_rolled_back(octets)
            seen = self._store.publication()
            if seen is not None:
                self._show(seen)
            self._finish(again=False)

    def append(self, entry: bytes, *, expected: int | None) -> Receipt:
        """Append an entry and wait until it is published.

        Args:
            entry: at most `model.LONGEST_ENTRY` octets.
            expected: the size of the log that the caller decided on; None where it decided
                without looking.

        Raises:
            Overtaken: the log has another size by now: decide again.
            TooLong: too long for a bundle; nothing was recorded.
            Busy: too many wait, here or elsewhere; nothing was recorded.
            NotPublished: recorded, and published as soon as enough witnesses answer.
            Unknown: recorded or not; look before trying again.
            Broken: a write failed; the process must end.
            ServiceError: the database is away; nothing was recorded.
        """
        return self.append_all([entry], expected=expected)[0]

    def append_all(self, entries: Sequence[bytes], *, expected: int | None) -> Sequence[Receipt]:
        """Append entries in their order, in one turn; otherwise as `append`.

        Where the log was overtaken none of them is recorded.
        """
        if any(len(entry) > model.LONGEST_ENTRY for entry in entries):
            raise model.TooLong
        if len(self._queue) + len(entries) > model.MOST_WAITING:
            raise model.Busy
        waiting = _Waiting(entries=tuple(entries), expected=expected)
        self._queue.append(waiting)
        with self._turn(waiting) as mine:
            if mine:
                self._take_turn()
        match waiting.outcome:
            case LogError() | ServiceError():
                raise waiting.outcome
            case None:
                raise model.Unknown
            case _:
                return waiting.outcome

    def refresh(self) -> None:
        """Publish what waits for witnesses; where nothing does, have it cosigned anew.

        Raises:
            NotPublished: too few witnesses answered.
            Broken: a write failed; the process must end.
            ServiceError: the database is away.
        """
        with self._turn():
            self._finish(again=True)

    def published(self) -> SignedCheckpoint | None:
        """Return what is to be seen, with its cosignatures."""
        seen = self._store.publication()
        return None if seen is None else checkpoint.verify(seen.note, log=self._identity.key)

    def receipt(self, index: int) -> Receipt:
        """Prove that entry number `index` is in what is published.

        Raises:
            NotPublished: it is not.
        """
        published = self.published()
        if published is None or index >= published.checkpoint.head.size:
            raise model.NotPublished
        return self._receipts(published, [index])[0]

    def consistency(self, *, old: int, new: int) -> ConsistencyProof:
        """Prove that the tree of `new` entries extends the tree of `old`; both recorded."""
        return proof.make_consistency(old=old, new=new, read=self._nodes(new))

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """Return the recorded entries from number `begin` to before `end`."""
        return self._store.entries(begin, end)

    def head(self, size: int) -> TreeHead:
        """Compute the head of the recorded tree at a size; the caller knows that it is one."""
        root = tree.subtree_root(0, size, self._nodes(size))
        return TreeHead(size=size, root=root)

    def size(self) -> int:
        """Return how many entries are recorded, published or not: what to decide on."""
        newest = self._store.newest()
        return 0 if newest is None else newest.head.size

    @contextmanager
    def _turn(self, waiting: _Waiting | None = None) -> Iterator[bool]:
        """Wait for a turn, or until somebody else's turn has settled what waits; say which.

        Whoever is settled leaves without a turn: so the next turn finds all that came meanwhile.
        """
        with self._changed:
            while self._taken and (waiting is None or waiting.outcome is None):
                self._changed.wait()
            mine = waiting is None or waiting.outcome is None
            if mine:
                self._taken = True
        try:
            yield mine
        finally:
            if mine:
                with self._changed:
                    self._taken = False
                    self._changed.notify_all()

    # What happens in a turn.

    def _take_turn(self) -> None:
        batch = [self._queue.popleft() for _ in range(len(self._queue))]
        recorded: dict[int, _Waiting] = {}
        try:
            if self._broken:
                raise model.Broken
            recorded = self._record(batch)
            published = self._published_after_recording()
            made = iter(self._receipts(published, _places(recorded)))
            for waiting in recorded.values():
                waiting.outcome = tuple(islice(made, len(waiting.entries)))
        except model.NotPublished:
            for place, waiting in recorded.items():
                waiting.outcome = model.NotPublished(index=place)
        except (LogError, ServiceError) as error:
            for waiting in batch:
                waiting.outcome = waiting.outcome or error

    def _published_after_recording(self) -> SignedCheckpoint:
        try:
            return self._finish(again=False)
        except ServiceError as error:
            raise model.NotPublished from error

    def _record(self, batch: Sequence[_Waiting]) -> dict[int, _Waiting]:
        """Record what the queue holds, by first number; those that were overtaken are told."""
        # Of entries that depend on the size, only the first in a turn can be right.
        ordered = sorted(batch, key=lambda waiting: waiting.expected is None)
        for _ in range(_TRIES):
            placed: dict[int, _Waiting] = {}
            try:
                with self._store.unit() as unit:
                    before = unit.edge()
                    placed = _place(ordered, size=before.size)
                    entries = _entries(placed)
                    if entries:
                        leaves = map(tree.leaf_hash, entries)
                        unit.add(entries, growth=before.extend(leaves))
            except Raced:
                continue
            except ServiceError as error:
                self._look(placed, error)
            except model.Broken:
                self._broken = True
                raise
            for waiting in batch:
                if waiting not in placed.values():
                    waiting.outcome = model.Overtaken()
            return placed
        raise model.Busy

    def _look(self, placed: dict[int, _Waiting], error: ServiceError) -> None:
        """Return if the transaction was committed though its answer was lost."""
        if not placed:
            raise error
        first, entries = min(placed), _entries(placed)
        try:
            found = self._store.entries(first, first + len(entries))
        except ServiceError as again:
            raise model.Unknown from again
        if list(found) != entries:
            raise model.Unknown from error

    def _finish(self, *, again: bool) -> SignedCheckpoint:
        """Publish the newest head; `again`: have it cosigned even if it is published already."""
        if self._broken:
            raise model.Broken
        seen = self._store.publication()
        if seen is not None and seen.size > self._shown:
            self._show(seen)  # another sequencer's, or what a crash kept from being seen
        signed = self._signed()
        size = signed.checkpoint.head.size
        current = seen is not None and seen.size == size
        if seen is not None and current and not (again and self._collector):
            return checkpoint.verify(seen.note, log=self._identity.key)
        if self._collector is not None:
            guess = 0 if seen is None else seen.size
            signed = self._cosigned(signed, self._collector, guess)
        publication = Publication(size=size, note=signed.note)
        if self._store.publish(publication):
            self._show(publication)
            return signed
        return self._finish(again=False)  # another sequencer was faster: what it published counts

    def _signed(self) -> SignedCheckpoint:
        """Return the newest head with the log's signature; both are recorded."""
        newest = self._store.newest()
        if newest is None:
            with suppress(Raced), self._store.unit() as unit:
                unit.add((), growth=edge.EMPTY.extend(()))
            return self._signed()
        if newest.note is not None:
            return checkpoint.verify(newest.note, log=self._identity.key)
        signed = checkpoint.sign(newest.head, log=self._identity.key, signer=self._identity.signer)
        self._store.keep_signature(signed.note, size=newest.head.size)
        return signed

    def _cosigned(
        self, signed: SignedCheckpoint, collector: Collector, guess: int
    ) -> SignedCheckpoint:
        def prove(old: int, new: int) -> ConsistencyProof:
            return self.consistency(old=old, new=new)

        try:
            return collector.collect(signed, guess=guess, prove=prove).signed
        except model.NoQuorum as error:
            raise model.NotPublished from error

    def _show(self, publication: Publication) -> None:
        """Write the files that are new, then let the checkpoint be seen."""
        try:
            self._write_files(self._shown, publication.size)
            self._files.replace_checkpoint(publication.note.octets())
            self._shown = max(self._shown, publication.size)
        except OSError as error:
            # What the page cache says now may never reach the disk: nobody may believe it.
            self._broken = True
            raise model.Broken from error

    def _write_files(self, old: int, new: int) -> None:
        for bundle in tile.bundles_between(old=old, new=new):
            begin = bundle.index * tile.WIDTH
            entries = self._store.entries(begin, begin + bundle.width)
            self._write(bundle, tile.write_entries(entries))
        names = list(tile.tiles_between(old=old, new=new))
        for start in range(0, len(names), _AT_ONCE):
            for name, hashes in self._store.tiles(names[start : start + _AT_ONCE]).items():
                self._write(name, b"".join(hashes))

    def _write(self, name: Tile | Bundle, octets: bytes) -> None:
        self._files.write(name.path, octets)
        if name.width == tile.WIDTH:
            self._files.drop_partial(name.path)

    def _nodes(self, size: int) -> NodeReader:
        """Read nodes from recorded tiles, each tile once."""
        known: dict[Tile, Sequence[Hash]] = {}

        def read(name: Tile) -> Sequence[Hash]:
            if name not in known:
                known.update(self._store.tiles([name]))
            return known[name]

        return tile.node_reader(size=size, read=read)

    def _receipts(self, published: SignedCheckpoint, places: Sequence[int]) -> list[Receipt]:
        size = published.checkpoint.head.size
        nodes = self._nodes(size)
        return [
            Receipt(
                proof=proof.make_inclusion(index=place, size=size, read=nodes),
                checkpoint=published,
            )
            for place in places
        ]

    def _check_not_rolled_back(self, octets: bytes) -> int:
        """Check that the database has all that the folder's checkpoint says; return its size."""
        try:
            signed = checkpoint.verify(note.parse(octets), log=self._identity.key)
        except CryptoError as error:
            raise model.RolledBack from error
        shown = signed.checkpoint.head
        if self.size() < shown.size or self.head(shown.size) != shown:
            raise model.RolledBack
        return shown.size


def _place(ordered: Sequence[_Waiting], *, size: int) -> dict[int, _Waiting]:
    """Number the entries whose callers knew the log as it is."""
    placed: dict[int, _Waiting] = {}
    number = size
    for waiting in ordered:
        if waiting.expected is None or waiting.expected == number:
            placed[number] = waiting
            number += len(waiting.entries)
    return placed


def _places(placed: dict[int, _Waiting]) -> list[int]:
    return [
        number
        for first, waiting in placed.items()
        for number in range(first, first + len(waiting.entries))
    ]


def _entries(placed: dict[int, _Waiting]) -> list[bytes]:
    return [entry for waiting in placed.values() for entry in waiting.entries]
