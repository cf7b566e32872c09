"""The bundle: one file with what is in force and the chain that justifies it, checked offline.

DESIGN, sections 3 and 5. Its payload is the trust bundle as it always was (`verification.trust`);
beside it stands the register: the entries that justify what the payload says, the checkpoints
that they speak of, the newest one, and a partial tree from which the roots of all of them follow.
A summary, which is an entry as well, says that nothing was left out; whoever reads the whole log
catches a false one. A reader who saw another bundle before refuses an older or another history.
Left out: fetching it, and where `Seen` is kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from crypto.encoding import base64url, canonical_json, members
from crypto.instant import UnixSeconds
from crypto.log import tree
from crypto.log.note import Note
from crypto.log.proof import ConsistencyProof
from crypto.log.tree import TreeHead
from idservice.register import charter
from idservice.register.entry import Digest, Enactment, RoutineEntry
from idservice.register.state import InForce
from idservice.verification.trust import TrustBundle

LARGEST: Final = 8 << 20
"""Octets."""
MOST_ENTRIES: Final = 16_384
MOST_SIZES: Final = 4096

_BUNDLE = frozenset({"payload", "root", "signature", "register"})
_REGISTER = frozenset({"checkpoint", "checkpoints", "earlier", "entries", "nodes"})
_SEEN = frozenset({"size", "root", "bundle", "version"})
_PAIR = 2
_DECIDING = frozenset({Enactment.type, RoutineEntry.type})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reader keeps of the newest bundle that it took over."""

    head: TreeHead
    bundle: Digest
    """SHA-256 of the file."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A bundle that was checked against the register; only `load` makes it."""

    trust: TrustBundle
    """The same values as without a register; every one of them is in force."""
    in_force: InForce
    seen: Seen
    """To be kept, and given to `load` the next time."""
    checked: UnixSeconds
    """When a whole quorum of witnesses knew nothing newer."""
    stale: bool
    """Not checked since `checked`: what is known verifies, nothing new is taken over."""


def load(
    data: bytes,
    *,
    pin: Digest | None,
    seen: Seen | None,
    now: UnixSeconds,
    consistency: ConsistencyProof | None = None,
) -> Loaded:
    """Check a bundle against the register inside it, offline.

    Args:
        data: the file.
        pin: SHA-256 of entry 0; `None` only where it is to be pinned now.
        seen: what was taken over last, `None` for the first time.
        now: the reader's time.
        consistency: from the tree that was seen to this one, where the bundle itself does not
            tell that size.

    Raises:
        Malformed: not canonical JSON, or a member is missing, unknown or ill-typed.
        Untrusted: another charter than the one pinned, or another city root than the charter's.
        BadSignature: not signed by the root, or a signature of the log or a witness is wrong.
        Expired: stale, and not the one that was taken over already.
        Refused: something in the payload is not in force, something was left out, too few
            witnesses, an older history than was seen, or another one.
    """
    raise NotImplementedError


def write(
    signed: bytes, *, entries: Sequence[bytes], head: Note, earlier: Collection[int]
) -> bytes:
    """Write a bundle.

    Args:
        signed: the trust bundle, as `trust.write` makes it.
        entries: the whole log up to `head`.
        head: the newest checkpoint with its cosignatures.
        earlier: sizes of the checkpoints of earlier bundles: whoever has one of them needs no
            other proof that this history goes on from there.

    Not checked: that the payload is in force; `load` what comes out before publishing it.
    """
    raise NotImplementedError


def write_seen(seen: Seen) -> bytes:
    """Write what a reader keeps, as `parse_seen` reads it."""
    return canonical_json.serialize(
        {
            "size": seen.head.size,
            "root": base64url.encode(seen.head.root),
            "bundle": base64url.encode(seen.bundle),
            "version": seen.version,
        }
    )


def parse_seen(data: bytes) -> Seen:
    """Read what a reader kept.

    Raises:
        Malformed: something else.
    """
    given = members.exact(canonical_json.parse_canonical(data), _SEEN)
    root = tree.parse_hash(base64url.decode(members.text(given["root"])))
    return Seen(
        head=TreeHead(size=members.whole(given["size"]), root=root),
        bundle=charter.digest(given["bundle"]),
        version=members.whole(given["version"]),
    )
