"""The only reader of the time."""

import time
from typing import Final, Protocol

from crypto.instant import UnixSeconds

FARTHEST: Final = 10 * 365 * 86_400
"""Seconds by which a demonstration may be moved at most, either way."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> UnixSeconds:
        """Return the present second."""
        ...


class SetClock:
    """A clock that stands where it was set last: one moment of a command, or a rehearsed year."""

    def __init__(self, now: UnixSeconds) -> None:
        self._now = now

    def now(self) -> UnixSeconds:
        """Return the second that was set."""
        return self._now

    def set(self, now: UnixSeconds) -> None:
        """Move it."""
        self._now = now


class SystemClock:
    """The machine's clock, moved by a fixed offset (demonstration folders only)."""

    def __init__(self, *, offset: int = 0) -> None:
        self._offset = offset

    def now(self) -> UnixSeconds:
        """Return the present second plus the offset."""
        return UnixSeconds(int(time.time()) + self._offset)
