"""The only reader of the time."""

import time
from typing import Protocol

from crypto.instant import UnixSeconds


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> UnixSeconds:
        """Return the present second."""
        ...


class SystemClock:
    """The machine's clock, moved by a fixed offset (demonstration folders only)."""

    def __init__(self, *, offset: int = 0) -> None:
        self._offset = offset

    def now(self) -> UnixSeconds:
        """Return the present second plus the offset."""
        return UnixSeconds(int(time.time()) + self._offset)
