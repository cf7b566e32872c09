"""What the register's office needs from outside.

`storage/governance.py` keeps what may be erased and what was published beside the log; the log is
lent by the office of the log through an adapter in `apps/`. Fakes stand in `tests/fakes`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note
from crypto.log.tree import TreeHead
from idservice.governance.model import Comment, ComplaintKey, CountedComplaint, Digest
from idservice.verification.trust import TrustBundle


class Overtaken(Exception):
    """The log has grown since the caller decided; nothing was recorded."""


class Waiting(Exception):
    """The entry is recorded for ever, and not published yet: too few witnesses answered."""


class LogBook(Protocol):
    """The one log of this register; only this office appends to it."""

    def size(self) -> int:
        """Return how many entries are recorded, published or not."""
        ...

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """Return the recorded entries from number `begin` to before `end`."""
        ...

    def head(self, size: int) -> TreeHead:
        """Return the head of the recorded tree at a size; `Refused` beyond what is recorded."""
        ...

    def published(self) -> SignedCheckpoint | None:
        """Return what is to be seen, with its cosignatures."""
        ...

    def append(self, entry: bytes, *, expected: int) -> SignedCheckpoint:
        """Append an entry and wait until it is published; return what contains it.

        Raises:
            Overtaken: the log has another size by now; nothing was recorded.
            Waiting: recorded, and published as soon as enough witnesses answer.
            ServiceError: `busy` or `unavailable`; it may be recorded: look before trying again.
        """
        ...

    def prove(self, index: int) -> Sequence[str]:
        """Return the inclusion proof of an entry in what is published, in base64."""
        ...


class RegisterStore(Protocol):
    """What stands beside the log; nothing in it says who wrote, from where or when."""

    def keep(self, comment: Comment) -> None:
        """Keep a comment's text and salt; the same one again changes nothing."""
        ...

    def comment(self, digest: Digest) -> Comment | None:
        """Return a comment that is still there."""
        ...

    def comments(self) -> Mapping[Digest, Comment]:
        """Return the comments that are still there."""
        ...

    def erase(self, digests: Collection[Digest]) -> None:
        """Delete texts and salts so that no old page of the database has them."""
        ...

    def keep_document(self, text: str) -> Digest:
        """Keep an official text by its SHA-256; the same one again changes nothing."""
        ...

    def documents(self) -> Mapping[Digest, str]:
        """Return all official texts."""
        ...

    def drop_documents(self, digests: Collection[Digest]) -> None:
        """Delete official texts."""
        ...

    def keep_checkpoint(self, signed: Note, *, size: int) -> None:
        """Keep a published checkpoint by its SHA-256; the same one again changes nothing."""
        ...

    def checkpoints(self) -> Sequence[Note]:
        """Return the checkpoints that were kept, the smallest first."""
        ...

    def count(self, complaint: ComplaintKey) -> None:
        """Count one more."""
        ...

    def complaints(self) -> Sequence[CountedComplaint]:
        """Return all counts, the newest quarter first."""
        ...


class Knowledge(Protocol):
    """What the city has published beside the register."""

    def trust(self) -> TrustBundle | None:
        """Return the newest trust bundle; complaints are held against its root."""
        ...
