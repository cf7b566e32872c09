"""Periods of 28 days, to which every credential belongs.

All credentials of a period carry the same times, so that no time in them tells when somebody
was issued one. Renewal serves the next period in the current one's last three days.
"""

from datetime import date
from typing import NewType

from crypto.instant import UnixSeconds

Period = NewType("Period", int)
"""Number of a period, counted from the one that began on Monday 2026-01-05 00:00 UTC."""

EPOCH = UnixSeconds(1767571200)
DAY = 86_400
_FIRST_DAY = date(1970, 1, 1).toordinal()
LENGTH = 28 * DAY
GRACE = 7 * DAY
BBS_GRACE = DAY
RENEWAL_WINDOW = 3 * DAY


def of(now: UnixSeconds) -> Period:
    """Return the period in which `now` lies."""
    return Period((now - EPOCH) // LENGTH)


def not_before(period: Period) -> UnixSeconds:
    """Return the first second of the period, the `nbf` of its credentials."""
    return UnixSeconds(EPOCH + period * LENGTH)


def expires(period: Period) -> UnixSeconds:
    """Return the `exp` of the period's credentials: its end plus seven days."""
    return UnixSeconds(EPOCH + (period + 1) * LENGTH + GRACE)


def expires_bbs(period: Period) -> UnixSeconds:
    """Return the `exp` of the period's BBS credentials: its end plus 24 hours."""
    return UnixSeconds(EPOCH + (period + 1) * LENGTH + BBS_GRACE)


def in_renewal_window(now: UnixSeconds) -> bool:
    """Say whether the next period is served already: the last three days of this one."""
    return not_before(Period(of(now) + 1)) - now <= RENEWAL_WINDOW


def day(now: UnixSeconds) -> date:
    """Return the UTC day of `now`."""
    return date.fromordinal(_FIRST_DAY + now // DAY)
