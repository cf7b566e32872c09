"""A founded city, and its issuer's office in memory: the real service, its stores forget nothing.

So a large city takes minutes. A small town has its offices as they run (`town.py`).
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crypto.encoding import base64url
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.sealed import handle
from idservice import period
from idservice.apps import founding, settings
from idservice.apps.founding import Chances
from idservice.apps.issuer import Folder
from idservice.apps.settings import City
from idservice.issuer.service import Desk, Issuer, Stores
from idservice.linkability.city import recording
from idservice.linkability.city.formats import FixedClock, Format, Office, Trip
from idservice.linkability.city.population import Resident
from idservice.period import Period
from idservice.wallet.formats import Occasion

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
        sandbox=True,
    )
    return where


def chance(seed: int, label: str) -> RandomBytes:
    """Return a source that is the same in every run with this seed."""
    counter = itertools.count()

    def random_bytes(length: int) -> bytes:
        return hashlib.shake_256(f"{seed} {label} {next(counter)}".encode()).digest(length)

    return random_bytes


class InMemory:
    """The issuer's service on stores in memory, and whoever asks its residents."""

    def __init__(self, folder: Path, chosen: Format, *, seed: int) -> None:
        self._chosen = chosen
        clock = FixedClock(time=NOW)
        found_settings = settings.issuer(folder / "issuer", environ={})
        own = Folder(found_settings, clock=clock)
        loaded = own.current
        self._pending, self._lasting = recording.Pending(), recording.Lasting()
        stores = Stores(
            issuer=loaded.trust.issuer,
            pending=self._pending,
            lasting=self._lasting,
            clock=clock,
            random_bytes=chance(seed, "issuer"),
        )
        for announced in loaded.trust.announced:
            self._lasting.lay_out(
                announced.period, announced.configuration, size=announced.status.size
            )
        self._office = Office(
            desk=Desk(stores),
            issuer=Issuer(
                stores, keys=own, nonce_key=loaded.nonce_key, tokens_per_minute=_UNLIMITED
            ),
            clock=clock,
            trust=loaded.trust,
            random_bytes=chance(seed, "wallets"),
        )
        self._ask = chance(seed, "verifiers")

    def walk(self, resident: Resident) -> Trip:
        """Let one resident be enrolled, issued, and show what two verifiers ask for."""
        asked = self._asked(b"first"), self._asked(b"second")
        return self._chosen.walk(self._office, resident, asked)

    def withdraw(self, trip: Trip) -> None:
        """Withdraw whatever was issued on somebody's slip."""
        self._office.issuer.withdraw(handle.parse_slip(trip.slip))

    def seize(self) -> Contents:
        """Take everything that was ever written."""
        listed = self._lasting.status_list(period.of(NOW), self._chosen.configuration)
        return Contents(
            allocated=b"" if listed is None else listed.allocated,
            statuses=b"" if listed is None else listed.statuses,
            rows=(*self._pending.written, *self._lasting.written),
        )

    def _asked(self, verifier: bytes) -> Occasion:
        """Let a verifier ask with a nonce, at its own second of a day."""
        return Occasion(
            audience=f"x509_hash:{base64url.encode(hashlib.sha256(verifier).digest())}",
            nonce=base64url.encode(self._ask(32)),
            now=UnixSeconds(NOW + int.from_bytes(self._ask(4), "big") % period.DAY),
        )
