"""The journal: what is in the log, folded, and how one more entry gets in.

DESIGN section 5. Every entry is folded before it is logged, by the same fold that wallets,
verifiers and outsiders use; one that would not count is not logged. The log decides: whatever an
answer said, the next act begins with what is recorded, and the very same entry again is the same
act. Left out: texts beside the log (`service.py`), and the log itself (`idservice.transparency`).
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from crypto.errors import CryptoError, Refused
from crypto.instant import UnixSeconds
from crypto.log import note, partial, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Witnessed
from idservice.clock import Clock
from idservice.errors import Code, ServiceError
from idservice.governance import model, ports
from idservice.governance.model import Logged, NotLogged
from idservice.register import entry, fold, wire
from idservice.register.entry import Digest, Summary
from idservice.register.fold import Register
from idservice.register.state import Course, InForce, Reason

_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that was logged up to some moment."""

    register: Register
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was published last, and what its entries mean: neither is ahead of the other."""

    register: Register
    head: SignedCheckpoint

    def in_force(self, *, now: UnixSeconds) -> InForce | None:
        """Return what holds, None where too few witnesses vouch for it."""
        try:
            return self.register.in_force(self.head, now=now)
        except CryptoError:
            return None


class Journal:
    """The one that appends; any number of threads may call it, and readers wait for nobody."""

    def __init__(self, *, book: ports.LogBook, store: ports.RegisterStore, clock: Clock) -> None:
        self._book = book
        self._store = store
        self._clock = clock
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None
        self._standing: Standing | None = None
        self._kept: tuple[Witnessed, ...] = ()
        self._known: dict[Digest, int] = {}

    def open(self, *, pin: Digest) -> None:
        """Fold the whole log.

        Args:
            pin: SHA-256 of entry 0.

        Raises:
            Unusable: another charter, or the log's rows are not those that it signed.
            ServiceError: the database is away.
        """
        with self._lock:
            entries = tuple(self._book.entries(0, self._book.size()))
            if not entries:
                raise model.Unusable("the log has no charter")
            whole = partial.whole(map(tree.leaf_hash, entries))
            self._check_signed(whole)
            try:
                begun = fold.start(entries[0], pin=pin)
            except CryptoError as error:
                raise model.Unusable("entry 0 is not this register's charter") from error
            numbered = list(enumerate(entries))
            published = self._book.published()
            seen = 1 if published is None else max(1, published.checkpoint.head.size)
            register = begun.extend(numbered[1:seen], heads=whole.head)
            if published is not None:
                self._vouch(register, published)
            after = register.extend(numbered[seen:], heads=whole.head)
            self._known = {entry.entry_digest(each): place for place, each in numbered}
            self._snapshot = Snapshot(register=after, entries=entries)
            self._kept = tuple(self._read_kept())

    def snapshot(self) -> Snapshot:
        """Return all that was logged.

        Raises:
            ServiceError: `unavailable` before it was opened.
        """
        if self._snapshot is None:
            raise ServiceError(Code.UNAVAILABLE)
        return self._snapshot

    def standing(self) -> Standing | None:
        """Return what witnesses vouch for; None where they never did since the start."""
        return self._standing

    def course(self, number: int) -> Course:
        """Find a proposal by the number of its entry.

        Raises:
            ServiceError: `not_found`.
        """
        found = self.snapshot().register.courses.values()
        course = next((each for each in found if each.index == number), None)
        if course is None:
            raise ServiceError(Code.NOT_FOUND)
        return course

    def keep_current(self) -> None:
        """Catch up with the log, keep what is published first, and summarise what is in force."""
        with self._lock:
            self._catch_up()
            published = self._book.published()
            if published is not None:
                self._after(published)

    def check(self, octets: bytes) -> None:
        """Refuse an entry that would not count, before anything is kept for it.

        Raises:
            NotLogged: it would not count.
        """
        with self._lock:
            self._catch_up()
            if entry.entry_digest(octets) not in self._known:
                self._folded(octets)

    def log(self, octets: bytes) -> Logged:
        """Log an entry that counts; the very same again is the same act.

        Raises:
            NotLogged: it would not count; nothing was changed.
            ServiceError: `busy` or `unavailable`; it may be logged: try the very same again.
        """
        with self._lock:
            for _ in range(_TRIES):
                self._catch_up()
                place = self._known.get(entry.entry_digest(octets))
                if place is not None:
                    return Logged(number=place, witnessed=self._is_seen(place))
                after = self._folded(octets)
                place = after.size - 1
                try:
                    signed = self._book.append(octets, expected=place)
                except ports.Overtaken:
                    continue
                except ports.Waiting:
                    self._take_over((octets,), after)
                    return Logged(number=place, witnessed=False)
                self._take_over((octets,), after)
                self._after(signed)
                return Logged(number=place, witnessed=True)
        raise ServiceError(Code.BUSY)

    def kept(self) -> Sequence[Witnessed]:
        """Return the published checkpoints that were kept."""
        return self._kept

    def keep(self, witnessed: Witnessed) -> None:
        """Keep a published checkpoint; the same one again changes nothing."""
        with self._lock:
            size = witnessed.signed.checkpoint.head.size
            self._store.keep_checkpoint(witnessed.signed.note, size=size)
            if witnessed not in self._kept:
                self._kept = (*self._kept, witnessed)

    def first_after(self, index: int) -> Witnessed | None:
        """Return the earliest checkpoint kept that contains an entry: its notice counts from it."""
        found = (each for each in self._kept if each.signed.checkpoint.head.size > index)
        return min(found, key=lambda each: each.latest, default=None)

    def cosigned(self, text: str) -> Witnessed:
        """Read a checkpoint that a voter brings: this log's, of this tree, cosigned.

        Raises:
            NotLogged: it is another.
        """
        register = self.snapshot().register
        try:
            found = register.witnessed(note.parse(text.encode()), now=self._clock.now())
            head = found.signed.checkpoint.head
            if head.size > register.size or self._book.head(head.size) != head:
                raise NotLogged(Reason.CHECKPOINT)
        except CryptoError as error:
            raise NotLogged(Reason.CHECKPOINT) from error
        return found

    def _read_kept(self) -> Iterator[Witnessed]:
        for each in self._store.checkpoints():
            with suppress(CryptoError):  # cosigned as another charter demanded
                yield self.snapshot().register.witnessed(each, now=self._clock.now())

    def _check_signed(self, whole: partial.PartialTree) -> None:
        """Check that the rows are those whose root the log signed and published."""
        published = self._book.published()
        signed = None if published is None else published.checkpoint.head
        try:
            same = signed is None or whole.head(signed.size) == signed
        except Refused:
            same = False
        if not same or whole.head(whole.size) != self._book.head(whole.size):
            raise model.Unusable("the log's rows are not those that it signed")

    def _folded(self, octets: bytes) -> Register:
        before = self.snapshot().register
        after = before.extend([(before.size, octets)], heads=self._book.head)
        if len(after.refusals) > len(before.refusals):
            raise NotLogged(after.refusals[-1].reason)
        return after

    def _catch_up(self) -> None:
        """Fold what was recorded though its answer was lost."""
        before, size = self.snapshot().register, self._book.size()
        if size > before.size:
            more = tuple(self._book.entries(before.size, size))
            numbered = enumerate(more, start=before.size)
            self._take_over(more, before.extend(numbered, heads=self._book.head))

    def _take_over(self, more: Sequence[bytes], after: Register) -> None:
        before = self.snapshot().entries
        for place, each in enumerate(more, start=len(before)):
            self._known.setdefault(entry.entry_digest(each), place)
        self._snapshot = Snapshot(register=after, entries=(*before, *more))

    def _after(self, published: SignedCheckpoint) -> None:
        """Keep a checkpoint that is the first to contain an entry; say what is in force."""
        register, size = self.snapshot().register, published.checkpoint.head.size
        self._vouch(register, published)
        # what cannot be done now is done at the next turn of the timer
        with suppress(CryptoError, NotLogged, ServiceError):
            witnessed = register.witnessed(published.note, now=self._clock.now())
            if all(each.signed.checkpoint.head.size < size for each in self._kept):
                self.keep(witnessed)
            if register.summarised_from is None:
                said = register.state(at=witnessed.latest)
                self.log(wire.write(Summary(checkpoint=published.note, state=said)))

    def _vouch(self, register: Register, published: SignedCheckpoint) -> None:
        if published.checkpoint.head.size == register.size:
            self._standing = Standing(register=register, head=published)

    def _is_seen(self, place: int) -> bool:
        published = self._book.published()
        return published is not None and published.checkpoint.head.size > place
