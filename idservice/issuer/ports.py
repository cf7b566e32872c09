"""What the issuer needs from outside: two stores and its keys.

Carries out DESIGN section 2, "Short-lived rows" and "Lasting rows". Each method is one unit of
work; `serialised` is one that the caller fills. `storage/issuer_pending.py` and
`storage/issuer.py` do it in SQL, `tests/fakes/issuer_stores.py` in memory; one contract test
runs on all.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from crypto.instant import UnixSeconds
from idservice.issuer.model import BbsIssuingKey, IssuingKey, StatusList
from idservice.period import Period
from idservice.verification.trust import TrustBundle


class Act(StrEnum):
    """What is counted, city-wide and by quarter of a year."""

    ISSUED = "issued"
    RENEWED = "renewed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """What is kept of an access token."""

    sealed: bytes = field(repr=False)
    thumbprints: bytes | None
    """SHA-256 over the ordered key thumbprints of the first request; None before it."""


class PendingStore(Protocol):
    """Sealed, short-lived rows. `slot` is the present slot: a row whose slot has come is gone."""

    def add_offer(self, key: bytes, *, sealed: bytes, slot: int) -> None:
        """Keep a sealed offer until `slot`."""
        ...

    def has_offer(self, key: bytes, *, tries: int, slot: int) -> bool:
        """Say whether there is such an offer, with tries left."""
        ...

    def try_offer(self, key: bytes, *, tries: int, slot: int) -> bytes | None:
        """Count one try in one atomic statement; return the seal if there were tries left."""
        ...

    def trade(self, offer: bytes, *, token: bytes, sealed: bytes, slot: int) -> bool:
        """Delete the offer and keep the token until `slot`, at once; False if it was gone."""
        ...

    def token(self, key: bytes, *, slot: int) -> TokenRow | None:
        """Return the token's row."""
        ...

    def attempt(self, key: bytes, *, sealed: bytes, thumbprints: bytes, slot: int) -> bool:
        """Replace the token's seal and bind it to its keys; False if it was gone."""
        ...

    def try_renewal(self, key: bytes, *, tries: int, slot: int) -> bool:
        """Count one renewal in one atomic statement, until `slot`; False if none was left."""
        ...

    def reap(self, *, slot: int) -> None:
        """Delete what is out of date, and leave no trace of it in files."""
        ...


class Unit(Protocol):
    """A unit of work on lasting rows, alone with its handle."""

    def is_withdrawn(self, key: bytes) -> bool:
        """Say whether this handle is withdrawn."""
        ...

    def withdraw(self, key: bytes, *, quarter: int) -> None:
        """Keep until after `quarter` that this handle is withdrawn."""
        ...

    def is_marked(self, key: bytes) -> bool:
        """Say whether this handle was issued to in a period."""
        ...

    def mark(self, key: bytes, *, period: Period) -> None:
        """Keep that this handle was issued to in a period."""
        ...

    def index_row(self, key: bytes) -> bytes | None:
        """Return a sealed index row."""
        ...

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Add a sealed index row, unless there is one."""
        ...

    def put_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Write a sealed index row, whatever stood in its place."""
        ...

    def remove_index_row(self, key: bytes) -> None:
        """Delete a sealed index row."""
        ...

    def status_list(self, period: Period, configuration: str) -> StatusList | None:
        """Return a list that was laid out, and hold it until the unit of work ends."""
        ...

    def keep_status_list(self, period: Period, configuration: str, content: StatusList) -> None:
        """Replace a list."""
        ...

    def count(self, act: Act, *, quarter: int) -> None:
        """Count one act."""
        ...


class LastingStore(Protocol):
    """Rows that last, without a time finer than a day and without order."""

    def serialised(self, lock: int) -> AbstractContextManager[Unit]:
        """Begin a unit of work that no other with the same lock overlaps; commit at its end."""
        ...

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Add the index row of a new handle: all that a clerk may do here."""
        ...

    def lay_out(self, period: Period, configuration: str, *, size: int) -> None:
        """Make an empty list, unless there is one."""
        ...

    def statuses(self, period: Period, configuration: str) -> bytes | None:
        """Return the statuses of a list that was laid out."""
        ...

    def publish(self, period: Period, configuration: str, *, day: int, token: str) -> bool:
        """Keep the signed list of a day; False if there is one of that day or a later one."""
        ...

    def published(self, period: Period, configuration: str) -> tuple[int, str] | None:
        """Return day and text of the newest signed list."""
        ...

    def counts(self) -> Sequence[tuple[int, Act, int]]:
        """Return quarter, act and number."""
        ...

    def reap(self, *, period: Period, quarter: int) -> None:
        """Delete rows of periods before `period` and withdrawn hashes of quarters before."""
        ...

    def rewrite(self) -> None:
        """Write all rows anew in key order, where the engine keeps their order in time."""
        ...

    def ready(self) -> bool:
        """Say whether the store answers."""
        ...


class Keys(Protocol):
    """The issuer's keys, as far as the trust bundle announces them."""

    @property
    def trust(self) -> TrustBundle:
        """The bundle in force; a later reading may find a newer one."""
        ...

    def issuing(self, period: Period, configuration: str) -> IssuingKey | None:
        """Return the key of a period, None where none is announced."""
        ...

    def issuing_bbs(self, period: Period, configuration: str) -> BbsIssuingKey | None:
        """Return the BBS key of a period, None where none is announced."""
        ...

    def may_issue(self, period: Period, configuration: str, *, now: UnixSeconds) -> bool:
        """Say whether the register lets anything of a period be issued now."""
        ...

    def announced(self) -> Sequence[IssuingKey]:
        """Return all announced keys of the format that has status lists."""
        ...
