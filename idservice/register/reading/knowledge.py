"""What a reader knows of a city, and how it takes a newer bundle over: never back, never aside.

DESIGN, section 5. The first bundle pins the charter; what came by another way, on the enrolment
sheet, is held against it. From then on a bundle counts only with the same entry 0 and a history
that goes on from the one seen. Every reader does it here: the offices, the wallet, `idservice
verify`. Left out: where the bytes come from, and where `Pinned` is kept.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from crypto.encoding import base64url, canonical_json, members
from crypto.errors import Untrusted
from crypto.instant import UnixSeconds
from idservice.register import bundle, charter
from idservice.register.bundle import Loaded, Seen
from idservice.register.entry import Digest
from idservice.register.state import InForce
from idservice.verification.trust import TrustBundle

_PINNED: Final = frozenset({"charter", "seen"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came by another way than the bundle; it is for the first one."""

    root: bytes | None = None
    """SHA-256 of the root certificate."""
    charter: Digest | None = None
    """SHA-256 of entry 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What a reader keeps: whose register it is, and the newest of it that was seen."""

    charter: Digest
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A bundle that was taken over; only `take` and `own` make it."""

    data: bytes = field(repr=False)
    loaded: Loaded

    @property
    def trust(self) -> TrustBundle:
        """What the root signed; all of it is in force."""
        return self.loaded.trust

    @property
    def in_force(self) -> InForce:
        """What is in force by the register in the bundle."""
        return self.loaded.in_force

    @property
    def marked(self) -> str | None:
        """Return what must be said wherever this city is named; None of a city that binds itself.

        A sandbox waits for seconds only, and a demonstration is vouched for by the city alone.
        """
        if self.in_force.sandbox:
            return "sandbox"
        return "demonstration" if self.trust.demonstration else None

    @property
    def pinned(self) -> Pinned:
        """What is to be kept."""
        return Pinned(charter=self.loaded.in_force.charter_digest, seen=self.loaded.seen)

    def goes_on_from(self, before: "Known") -> bool:
        """Say whether this one, found on a city's own disk, is newer, and of the same register."""
        ours, theirs = self.loaded.seen, before.loaded.seen
        if self.loaded.in_force.charter_digest != before.loaded.in_force.charter_digest:
            return False
        if ours.head.size < theirs.head.size or ours.version < theirs.version:
            return False
        return ours != theirs and self.loaded.checked >= before.loaded.checked

    def unchecked_since(self, *, now: UnixSeconds) -> date | None:
        """Return the last day on which witnesses knew nothing newer, if that is too long ago.

        What is known goes on to verify; whoever answers says this day.
        """
        return self.loaded.unchecked_since(now=now)


def take(data: bytes, *, pinned: Pinned | None, told: Told, now: UnixSeconds) -> Known:
    """Check a bundle and take it over.

    Args:
        data: the file.
        pinned: what the reader keeps; `None` for the first time.
        told: by another way; whatever is in it must fit.
        now: the reader's time.

    Raises:
        CryptoError: as `bundle.load`; or another root or charter than was told.
    """
    loaded = bundle.load(
        data,
        pin=told.charter if pinned is None else pinned.charter,
        seen=None if pinned is None else pinned.seen,
        now=now,
    )
    if told.charter not in {None, loaded.in_force.charter_digest}:
        raise Untrusted("another charter than the one told")
    if told.root not in {None, loaded.trust.root_fingerprint}:
        raise Untrusted("another city root than the one told")
    return Known(data=data, loaded=loaded)


def own(data: bytes, *, now: UnixSeconds) -> Known:
    """Check the bundle that a city's own office finds on its own disk.

    A stale one is read as well: withdrawing and status lists do not wait for witnesses, and
    whether anything may be issued is asked of what is in force.

    Raises:
        CryptoError: as `bundle.read`.
    """
    return Known(data=data, loaded=bundle.read(data, pin=None, seen=None, now=now))


def write_pinned(pinned: Pinned) -> bytes:
    """Write what a reader keeps, as `parse_pinned` reads it."""
    return canonical_json.serialize(
        {
            "charter": base64url.encode(pinned.charter),
            "seen": canonical_json.parse_object(bundle.write_seen(pinned.seen)),
        }
    )


def parse_pinned(data: bytes) -> Pinned:
    """Read what a reader kept.

    Raises:
        Malformed: something else.
    """
    given = members.exact(canonical_json.parse_canonical(data), _PINNED)
    return Pinned(
        charter=charter.digest(given["charter"]),
        seen=bundle.parse_seen(canonical_json.serialize(given["seen"])),
    )
