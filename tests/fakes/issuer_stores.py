"""The issuer's stores in memory; they pass the same contract test as those in SQL."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from idservice.issuer.model import StatusList
from idservice.issuer.ports import Act, TokenRow, Unit
from idservice.period import Period


@dataclass
class _Offer:
    sealed: bytes
    slot: int
    tries: int = 0


@dataclass
class _Token:
    sealed: bytes
    slot: int
    thumbprints: bytes | None = None


class MemoryPending:
    """Short-lived rows."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._offers: dict[bytes, _Offer] = {}
        self._tokens: dict[bytes, _Token] = {}
        self._renewals: dict[bytes, tuple[int, int]] = {}

    def add_offer(self, key: bytes, *, sealed: bytes, slot: int) -> None:
        with self._lock:
            self._offers[key] = _Offer(sealed, slot)

    def has_offer(self, key: bytes, *, tries: int, slot: int) -> bool:
        offer = self._offer(key, slot)
        return offer is not None and offer.tries < tries

    def try_offer(self, key: bytes, *, tries: int, slot: int) -> bytes | None:
        with self._lock:
            offer = self._offer(key, slot)
            if offer is None or offer.tries >= tries:
                return None
            offer.tries += 1
            return offer.sealed

    def trade(self, offer: bytes, *, token: bytes, sealed: bytes, slot: int) -> bool:
        with self._lock:
            if self._offers.pop(offer, None) is None:
                return False
            self._tokens[token] = _Token(sealed, slot)
            return True

    def token(self, key: bytes, *, slot: int) -> TokenRow | None:
        with self._lock:
            row = self._tokens.get(key)
            if row is None or row.slot <= slot:
                return None
            return TokenRow(sealed=row.sealed, thumbprints=row.thumbprints)

    def attempt(self, key: bytes, *, sealed: bytes, thumbprints: bytes, slot: int) -> bool:
        with self._lock:
            row = self._tokens.get(key)
            if row is None or row.slot <= slot:
                return False
            row.sealed, row.thumbprints = sealed, thumbprints
            return True

    def try_renewal(self, key: bytes, *, tries: int, slot: int) -> bool:
        with self._lock:
            counted, until = self._renewals.get(key, (0, slot))
            if counted >= tries:
                return False
            self._renewals[key] = (counted + 1, until)
            return True

    def reap(self, *, slot: int) -> None:
        with self._lock:
            self._renewals = {k: row for k, row in self._renewals.items() if row[1] > slot}
            self._offers = {key: row for key, row in self._offers.items() if row.slot > slot}
            self._tokens = {key: row for key, row in self._tokens.items() if row.slot > slot}

    def _offer(self, key: bytes, slot: int) -> _Offer | None:
        offer = self._offers.get(key)
        return offer if offer is not None and offer.slot > slot else None


@dataclass
class _Content:
    rows: dict[bytes, tuple[Period, bytes]] = field(default_factory=dict)
    marks: dict[bytes, Period] = field(default_factory=dict)
    withdrawn: dict[bytes, int] = field(default_factory=dict)
    lists: dict[tuple[Period, str], StatusList] = field(default_factory=dict)
    published: dict[tuple[Period, str], tuple[int, str]] = field(default_factory=dict)
    counts: dict[tuple[int, Act], int] = field(default_factory=dict)

    def copy(self) -> "_Content":
        return _Content(
            dict(self.rows),
            dict(self.marks),
            dict(self.withdrawn),
            dict(self.lists),
            dict(self.published),
            dict(self.counts),
        )


class MemoryLasting:
    """Lasting rows; one lock serialises all."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._content = _Content()

    @contextmanager
    def serialised(self, lock: int) -> Iterator[Unit]:
        assert -(2**63) <= lock < 2**63
        with self._lock:
            work = self._content.copy()
            yield MemoryUnit(work)
            self._content = work

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        with self._lock:
            assert key not in self._content.rows
            self._content.rows[key] = (period, sealed)

    def lay_out(self, period: Period, configuration: str, *, size: int) -> None:
        with self._lock:
            self._content.lists.setdefault((period, configuration), StatusList.empty(size))

    def statuses(self, period: Period, configuration: str) -> bytes | None:
        with self._lock:
            found = self._content.lists.get((period, configuration))
            return None if found is None else found.statuses

    def publish(self, period: Period, configuration: str, *, day: int, token: str) -> bool:
        with self._lock:
            newest = self._content.published.get((period, configuration))
            if newest is not None and newest[0] >= day:
                return False
            self._content.published[period, configuration] = (day, token)
            return True

    def published(self, period: Period, configuration: str) -> tuple[int, str] | None:
        with self._lock:
            return self._content.published.get((period, configuration))

    def counts(self) -> Sequence[tuple[int, Act, int]]:
        with self._lock:
            return [(*key, number) for key, number in sorted(self._content.counts.items())]

    def reap(self, *, period: Period, quarter: int) -> None:
        with self._lock:
            content = self._content
            content.rows = {k: row for k, row in content.rows.items() if row[0] >= period}
            content.marks = {k: number for k, number in content.marks.items() if number >= period}
            content.lists = {k: row for k, row in content.lists.items() if k[0] >= period}
            content.published = {k: row for k, row in content.published.items() if k[0] >= period}
            content.withdrawn = {k: q for k, q in content.withdrawn.items() if q >= quarter}

    def rewrite(self) -> None:
        """Memory has no order."""

    def ready(self) -> bool:
        return True


class MemoryUnit:
    """One unit of work on a copy."""

    def __init__(self, content: _Content) -> None:
        self._content = content

    def is_withdrawn(self, key: bytes) -> bool:
        return key in self._content.withdrawn

    def withdraw(self, key: bytes, *, quarter: int) -> None:
        self._content.withdrawn.setdefault(key, quarter)

    def is_marked(self, key: bytes) -> bool:
        return key in self._content.marks

    def mark(self, key: bytes, *, period: Period) -> None:
        self._content.marks.setdefault(key, period)

    def index_row(self, key: bytes) -> bytes | None:
        row = self._content.rows.get(key)
        return None if row is None else row[1]

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        self._content.rows.setdefault(key, (period, sealed))

    def put_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        self._content.rows[key] = (period, sealed)

    def remove_index_row(self, key: bytes) -> None:
        self._content.rows.pop(key, None)

    def status_list(self, period: Period, configuration: str) -> StatusList | None:
        return self._content.lists.get((period, configuration))

    def keep_status_list(self, period: Period, configuration: str, content: StatusList) -> None:
        if (period, configuration) in self._content.lists:
            self._content.lists[period, configuration] = content

    def count(self, act: Act, *, quarter: int) -> None:
        number = self._content.counts.get((quarter, act), 0)
        self._content.counts[quarter, act] = number + 1
