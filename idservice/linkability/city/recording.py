"""The issuer's stores in memory, which forget nothing: everything ever written, in rows.

They carry out `issuer.ports`, so the real service fills them. Whoever seizes these has more than
a thief of the database: what was deleted is still here. The town of `town.py` has the SQL stores
instead.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from idservice.issuer.model import StatusList
from idservice.issuer.ports import Act, TokenRow, Unit
from idservice.period import Period


@dataclass(slots=True)
class _Offer:
    sealed: bytes
    tries: int = 0


@dataclass(slots=True)
class Pending:
    """Short-lived rows; nothing is ever out of date, because no time passes in the game."""

    written: list[tuple[bytes, ...]] = field(default_factory=list)
    _offers: dict[bytes, _Offer] = field(default_factory=dict)
    _tokens: dict[bytes, TokenRow] = field(default_factory=dict)

    def add_offer(self, key: bytes, *, sealed: bytes, slot: int) -> None:  # noqa: ARG002, the port
        """Keep a sealed offer."""
        self.written.append((key, sealed))
        self._offers[key] = _Offer(sealed)

    def has_offer(self, key: bytes, *, tries: int, slot: int) -> bool:  # noqa: ARG002, the port
        """Say whether there is such an offer, with tries left."""
        return key in self._offers and self._offers[key].tries < tries

    def try_offer(
        self,
        key: bytes,
        *,
        tries: int,
        slot: int,  # noqa: ARG002, the port
    ) -> bytes | None:
        """Count one try; return the seal if there were tries left."""
        offer = self._offers.get(key)
        if offer is None or offer.tries >= tries:
            return None
        offer.tries += 1
        return offer.sealed

    def trade(self, offer: bytes, *, token: bytes, sealed: bytes, slot: int) -> bool:  # noqa: ARG002, the port
        """Delete the offer and keep the token."""
        if self._offers.pop(offer, None) is None:
            return False
        self.written.append((offer, token, sealed))
        self._tokens[token] = TokenRow(sealed=sealed, thumbprints=None)
        return True

    def token(self, key: bytes, *, slot: int) -> TokenRow | None:  # noqa: ARG002, the port
        """Return the token's row."""
        return self._tokens.get(key)

    def attempt(self, key: bytes, *, sealed: bytes, thumbprints: bytes, slot: int) -> bool:  # noqa: ARG002, the port
        """Replace the token's seal and bind it to its keys."""
        if key not in self._tokens:
            return False
        self.written.append((key, sealed, thumbprints))
        self._tokens[key] = TokenRow(sealed=sealed, thumbprints=thumbprints)
        return True

    def try_renewal(self, key: bytes, *, tries: int, slot: int) -> bool:  # noqa: ARG002, the port
        """Count nothing: in the game nobody asks again and again."""
        self.written.append((key,))
        return True

    def reap(self, *, slot: int) -> None:
        """Forget nothing."""


@dataclass
class Lasting:
    """Lasting rows."""

    written: list[tuple[bytes, ...]] = field(default_factory=list)
    lists: dict[tuple[Period, str], StatusList] = field(default_factory=dict)
    _rows: dict[bytes, bytes] = field(default_factory=dict)
    _marks: set[bytes] = field(default_factory=set)
    _withdrawn: set[bytes] = field(default_factory=set)

    @contextmanager
    def serialised(self, lock: int) -> Iterator[Unit]:  # noqa: ARG002, the port
        """Begin a unit of work; there is one caller only."""
        yield self

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:  # noqa: ARG002, the port
        """Add a sealed index row, unless there is one."""
        self.written.append((key, sealed))
        self._rows.setdefault(key, sealed)

    def put_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:  # noqa: ARG002, the port
        """Write a sealed index row, whatever stood in its place."""
        self.written.append((key, sealed))
        self._rows[key] = sealed

    def index_row(self, key: bytes) -> bytes | None:
        """Return a sealed index row."""
        return self._rows.get(key)

    def remove_index_row(self, key: bytes) -> None:
        """Delete a sealed index row."""
        self._rows.pop(key, None)

    def is_withdrawn(self, key: bytes) -> bool:
        """Say whether this handle is withdrawn."""
        return key in self._withdrawn

    def withdraw(self, key: bytes, *, quarter: int) -> None:  # noqa: ARG002, the port
        """Keep that this handle is withdrawn."""
        self.written.append((key,))
        self._withdrawn.add(key)

    def is_marked(self, key: bytes) -> bool:
        """Say whether this handle was issued to in a period."""
        return key in self._marks

    def mark(self, key: bytes, *, period: Period) -> None:  # noqa: ARG002, the port
        """Keep that this handle was issued to in a period."""
        self.written.append((key,))
        self._marks.add(key)

    def lay_out(self, period: Period, configuration: str, *, size: int) -> None:
        """Make a list, unless there is one."""
        empty = StatusList(allocated=bytes(size // 8), statuses=bytes(size // 8))
        self.lists.setdefault((period, configuration), empty)

    def status_list(self, period: Period, configuration: str) -> StatusList | None:
        """Return a list that was laid out."""
        return self.lists.get((period, configuration))

    def keep_status_list(self, period: Period, configuration: str, content: StatusList) -> None:
        """Replace a list."""
        self.lists[period, configuration] = content

    def statuses(self, period: Period, configuration: str) -> bytes | None:
        """Return the statuses of a list."""
        found = self.lists.get((period, configuration))
        return None if found is None else found.statuses

    def publish(self, period: Period, configuration: str, *, day: int, token: str) -> bool:  # noqa: ARG002, the port
        """Publishing is the same for all and done elsewhere."""
        return False

    def published(self, period: Period, configuration: str) -> tuple[int, str] | None:  # noqa: ARG002, the port
        """Return nothing: see `publish`."""
        return None

    def count(self, act: Act, *, quarter: int) -> None:
        """Count nothing: a number of all."""

    def counts(self) -> Sequence[tuple[int, Act, int]]:
        """Return no counts."""
        return ()

    def reap(self, *, period: Period, quarter: int) -> None:
        """Forget nothing."""

    def rewrite(self) -> None:
        """Memory has no order."""

    def ready(self) -> bool:
        """Say that the store answers."""
        return True
