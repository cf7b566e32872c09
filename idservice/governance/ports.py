"""What the register's office needs from outside.

`storage/governance.py` keeps what may be erased; a fake of it stands in `tests/fakes`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from idservice.governance.model import Comment, ComplaintKey, CountedComplaint, Digest


class ErasableStore(Protocol):
    """Texts that may be erased, and counts; nothing in it says who, from where or when."""

    def keep(self, comment: Comment) -> None:
        """Keep a comment's text and salt; the same one again changes nothing."""
        ...

    def comments(self, digests: Collection[Digest]) -> Mapping[Digest, Comment]:
        """Return the comments that are still there."""
        ...

    def digests(self) -> frozenset[Digest]:
        """Name everything that is kept."""
        ...

    def erase(self, digests: Collection[Digest]) -> None:
        """Delete texts and salts so that no old page of the database has them."""
        ...

    def count(self, complaint: ComplaintKey) -> None:
        """Count one more."""
        ...

    def complaints(self) -> Sequence[CountedComplaint]:
        """Return all counts, the newest quarter first."""
        ...
