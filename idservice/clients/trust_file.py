"""A reader's folder: the trust bundle that it took over, and what it pinned of the register.

DESIGN, section 5. The first bundle in the folder pins the charter; after it only what goes on
from there is taken over. The bundle is written before what is kept about it: a crash in between
leaves a newer bundle than was noted, which is taken over at the next start. What counts is decided
in `register.reading`. Left out: fetching, which is `status_lists`.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from crypto.errors import Refused
from crypto.instant import UnixSeconds
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known, Pinned, Told

BUNDLE: Final = "bundle.json"
PINNED: Final = "pinned.json"

_PUBLIC: Final = 0o644
_PASSING: Final = ".idservice-"
_LONGEST_WRITING: Final = 3600
"""Seconds after which nobody is still writing a file."""


class TrustFile:
    """The bundle in a folder, and the newest that was read from it or brought to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: Known | None = None
        self._pinned: Pinned | None = None

    @property
    def known(self) -> Known | None:
        """What was taken over last."""
        return self._known

    def load(self, *, now: UnixSeconds) -> None:
        """Read the folder; without a bundle nothing is known.

        Raises:
            CryptoError: the bundle is refused, or somebody changed what is kept about it.
        """
        if not (self._folder / BUNDLE).exists():
            return
        kept = self._folder / PINNED
        if kept.exists():
            self._pinned = knowledge.parse_pinned(kept.read_bytes())
        data = (self._folder / BUNDLE).read_bytes()
        self._keep(knowledge.take(data, pinned=self._pinned, told=Told(), now=now))

    def take_over(self, data: bytes, *, now: UnixSeconds) -> bool:
        """Take a newer bundle over, in the folder as well; say whether it was another one.

        Raises:
            CryptoError: it is refused; the one in hand stays.
        """
        before = self._known
        if before is None or data == before.data:
            return False
        found = knowledge.take(data, pinned=self._pinned, told=Told(), now=now)
        if found.trust.issuer != before.trust.issuer:
            raise Refused("a bundle of another issuer")
        if found.trust.version == before.trust.version and found.trust != before.trust:
            raise Refused("two bundles of one version")
        write(self._folder / BUNDLE, data)
        self._keep(found)
        return True

    def _keep(self, found: Known) -> None:
        self._known = found
        if found.pinned != self._pinned:
            write(self._folder / PINNED, knowledge.write_pinned(found.pinned))
            self._pinned = found.pinned


def write(path: Path, data: bytes) -> None:
    """Replace a public file whole: after a crash there is the old one or the new one.

    Whoever writes it at the same time has a passing name of its own. What a process that ended
    while it wrote left in the folder goes.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor, name = tempfile.mkstemp(".new", _PASSING, path.parent)
    passing = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _PUBLIC)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            now = os.fstat(descriptor).st_mtime  # by the clock that dates the others as well
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)
    for left in path.parent.glob(f"{_PASSING}*.new"):
        with suppress(OSError):  # gone, or somebody else's: it is in nobody's way
            if left.lstat().st_mtime < now - _LONGEST_WRITING:
                left.unlink()
