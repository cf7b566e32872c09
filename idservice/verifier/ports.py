"""What a verifier needs from outside.

`storage/verifier.py` and `clients/status_lists.py` carry these out, fakes of both stand in
`tests/fakes`.
"""

from datetime import date
from typing import NamedTuple, Protocol

from crypto.instant import UnixSeconds
from idservice.verification.status import StatusLists
from idservice.verification.trust import TrustBundle


class Knowledge(StatusLists, Protocol):
    """The trust bundle and the status lists, as last fetched by a timer, never at a showing."""

    def trust(self) -> TrustBundle | None:
        """Return the bundle in hand, if there is one."""
        ...

    def complete(self, *, now: UnixSeconds) -> bool:
        """Say whether the bundle and every list that credentials of today point to are here."""
        ...

    def unchecked_since(self, *, now: UnixSeconds) -> date | None:
        """Return since when the bundle in hand could not be checked, if that is too long."""
        ...


class StoredAnswer(NamedTuple):
    """The place of an answer: sealed to its creator, filled or not yet."""

    sealed: bytes
    answered: bool


class Store(Protocol):
    """Short-lived rows under hashed keys; every act is one transaction.

    A slot says when a row may go; see `protocol.request_slot` and `protocol.answer_slot`.
    """

    def open(
        self,
        *,
        request_key: bytes,
        request: bytes,
        request_slot: int,
        answer_key: bytes,
        place: bytes,
        answer_slot: int,
    ) -> None:
        """Keep an open request, and the empty place of its answer."""
        ...

    def request(self, key: bytes) -> bytes | None:
        """Return an open request."""
        ...

    def replace(self, key: bytes, *, old: bytes, new: bytes) -> bool:
        """Put `new` for `old` in an open request's row, or say that it holds something else."""
        ...

    def conclude(self, key: bytes, *, answer_key: bytes, sealed: bytes, answer_slot: int) -> bool:
        """Delete the open request and fill the place of its answer, or say that it is gone.

        Of any number of callers one is told yes: this is where a nonce is used up.
        """
        ...

    def answer(self, key: bytes) -> StoredAnswer | None:
        """Look at the place of an answer."""
        ...

    def take(self, key: bytes) -> bool:
        """Delete a filled place; of any number of callers one is told yes."""
        ...

    def reap(self, *, slot: int) -> None:
        """Delete every row whose slot is reached; both kinds count in minutes."""
        ...
