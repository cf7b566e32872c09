"""A founded city, and its issuer's office in memory: the real service, its stores forget nothing.

So a large city takes minutes. A small town has its offices as they run (`town.py`).
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from typing_extensions import override

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.sealed import handle
from idservice import period
from idservice.apps import founding, keys, settings
from idservice.apps.founding import Chances
from idservice.apps.settings import City
from idservice.issuer.service import Desk, Issuer, Stores
from idservice.linkability.city import bbs, recording
from idservice.linkability.city.formats import FixedClock, Office, Trip
from idservice.period import Period

NOW: Final = UnixSeconds(period.not_before(Period(14)) + 9 * period.DAY + 9 * 3600)
"""The second of every act: the hour is outside the game."""
ISSUER: Final = "https://issuer.example"

_NAME = "Exampleville"
_UNLIMITED = 1 << 30

StoredRows = Sequence[Sequence[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What lies in an issuer's stores."""

    allocated: bytes
    """One bit an index; empty where a format has no list."""
    statuses: bytes
    rows: StoredRows


def found(where: Path, *, residents: int, seed: int) -> Path:
    """Found a city in a folder that is not there yet, and return the folder."""
    founding.found_city(
        where,
        City(name=_NAME, issuer=ISSUER, languages=["en"]),
        residents=residents,
        chances=Chances(now=NOW, random_bytes=chance(seed, "city")),
    )
    return where


def chance(seed: int, label: str) -> RandomBytes:
    """Return a source that is the same in every run with this seed."""
    counter = itertools.count()

    def random_bytes(length: int) -> bytes:
        return hashlib.shake_256(f"{seed} {label} {next(counter)}".encode()).digest(length)

    return random_bytes


class InMemory:
    """The issuer's service on stores in memory, one of two that share a status list."""

    def __init__(self, folder: Path, *, seed: int, shard: int, residents: int) -> None:
        clock = FixedClock(time=NOW)
        found_settings = settings.issuer(folder / "issuer", environ={})
        loaded = keys.load(found_settings.folder, issuer=found_settings.base_url)
        self._pending = recording.Pending()
        self._lasting = _HalfOfTheLists(taken=_half(seed, shard=shard, residents=residents))
        stores = Stores(
            issuer=loaded.trust.issuer,
            pending=self._pending,
            lasting=self._lasting,
            clock=clock,
            random_bytes=chance(seed, f"issuer {shard}"),
        )
        for announced in loaded.trust.announced:
            self._lasting.lay_out(
                announced.period, announced.configuration, size=announced.status.size
            )
        self.office = Office(
            desk=Desk(stores),
            issuer=Issuer(
                stores, keys=loaded, nonce_key=loaded.nonce_key, tokens_per_minute=_UNLIMITED
            ),
            clock=clock,
            trust=loaded.trust,
            bbs_key=_bbs(seed),
            random_bytes=chance(seed, f"wallets {shard}"),
        )

    def withdraw(self, trip: Trip) -> None:
        """Withdraw whatever was issued on somebody's slip."""
        self.office.issuer.withdraw(handle.parse_slip(trip.slip))

    def seize(self, configuration: str) -> Contents:
        """Take everything that was ever written."""
        listed = self._lasting.status_list(period.of(NOW), configuration)
        allocated = b"" if listed is None else self._lasting.mine(listed.allocated)
        return Contents(
            allocated=allocated,
            statuses=b"" if listed is None else listed.statuses,
            rows=(*self._pending.written, *self._lasting.written),
        )


class _HalfOfTheLists(recording.Lasting):
    """Stores whose lists have the other half of all indices given out already."""

    def __init__(self, *, taken: bytes) -> None:
        super().__init__()
        self._taken = np.frombuffer(taken, dtype=np.uint8)

    @override
    def empty_list(self, size: int) -> bytes:
        return bytes(self._taken[: size // 8]).ljust(size // 8, b"\0")

    def mine(self, allocated: bytes) -> bytes:
        """Leave out what the other half gives out."""
        given = np.frombuffer(allocated, dtype=np.uint8)
        return np.asarray(given & ~self._taken[: len(given)], dtype=np.uint8).tobytes()


def _bbs(seed: int) -> bbs.Key:
    return bbs.key(ISSUER, period.of(NOW), random_bytes=chance(seed, "bbs"))


def _half(seed: int, *, shard: int, residents: int) -> bytes:
    """Return, for one of two, the half of all indices that the other draws from."""
    drawn = chance(seed, "halves")(founding.list_size(residents) // 8)
    return drawn if shard == 0 else bytes(each ^ 0xFF for each in drawn)
