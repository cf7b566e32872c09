"""What the issuer does because time passes: publish status lists, forget, write anew.

Carries out DESIGN sections 2 ("Short-lived rows", "Lasting rows") and 3 (lists are signed daily
at 02:00 UTC, whether changed or not). Each method may be called at any time, by every replica:
what is done already is not done again. The loop that calls them is in `apps/issuer.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from crypto.instant import UnixSeconds
from crypto.jose.jws import Signer
from crypto.status import status_token
from crypto.status.bits import StatusBits
from crypto.status.status_token import StatusToken
from idservice import period
from idservice.issuer import model
from idservice.issuer.ports import Act, Keys, LastingStore
from idservice.issuer.service import Stores
from idservice.period import Period

HOUR: Final = 2 * 3600
"""Seconds after midnight UTC at which lists are signed."""
LIFETIME: Final = 7 * period.DAY
TTL: Final = period.DAY
LEAST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusKey:
    """The one key that signs status lists, and its path to the city root."""

    x5c: tuple[str, ...]
    sign: Signer = field(repr=False)


class Schedule:
    """Acts that nobody asks for."""

    def __init__(self, stores: Stores, *, keys: Keys, status_key: StatusKey) -> None:
        self._stores = stores
        self._keys = keys
        self._status_key = status_key
        self._rewritten: UnixSeconds | None = None

    def tick(self) -> None:
        """Do what is due; once a minute and at start."""
        self.reap()
        self.publish()
        scheduled = last_scheduled(self._stores.clock.now())
        if self._rewritten != scheduled:
            self._stores.lasting.rewrite()
            self._rewritten = scheduled

    def publish(self) -> bool:
        """Sign the lists of the day, unless they are; say whether any was signed here.

        `iat` is the scheduled second, not the one at which it happened to be done.
        """
        now, lasting = self._stores.clock.now(), self._stores.lasting
        scheduled = last_scheduled(now)
        day = scheduled // period.DAY
        signed = False
        for key in self._keys.announced():
            announced = key.announced
            where = announced.period, announced.configuration
            newest = lasting.published(*where)
            if announced.exp <= now or (newest is not None and newest[0] >= day):
                continue
            lasting.lay_out(*where, size=announced.status.size)
            statuses = lasting.statuses(*where) or bytes(announced.status.size // 8)
            token = StatusToken(
                uri=announced.status.uri,
                iat=scheduled,
                exp=UnixSeconds(scheduled + LIFETIME),
                ttl=TTL,
                bits=StatusBits(bits=1, data=statuses),
            )
            text = status_token.sign(
                token, header={"x5c": [*self._status_key.x5c]}, signer=self._status_key.sign
            )
            signed |= lasting.publish(*where, day=day, token=text)
        return signed

    def reap(self) -> None:
        """Delete what is out of date, in both stores."""
        now = self._stores.clock.now()
        self._stores.pending.reap(slot=model.slot(now))
        self._stores.lasting.reap(period=oldest_period(now), quarter=model.quarter(period.day(now)))


def last_scheduled(now: UnixSeconds) -> UnixSeconds:
    """Return the last 02:00 UTC that is not after `now`."""
    return UnixSeconds((now - HOUR) // period.DAY * period.DAY + HOUR)


def oldest_period(now: UnixSeconds) -> Period:
    """Return the oldest period of which a credential may still be valid."""
    current = period.of(now)
    before = Period(current - 1)
    return before if period.expires(before) > now else current


def shown_counts(lasting: LastingStore) -> Mapping[tuple[int, Act], int | None]:
    """Return the quarterly counts; None stands for a number below ten, which is never shown."""
    return {
        (quarter, act): number if number >= LEAST_SHOWN else None
        for quarter, act, number in lasting.counts()
    }
