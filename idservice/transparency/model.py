"""What the log's office knows: heads, receipts, and why something was not done.

DESIGN section 5. What an entry means, and who may append one, is decided by whoever calls; here
entries are octets. Trees, checkpoints and cosignatures are values of `crypto.log`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crypto.log import tile
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Policy
from crypto.log.ed25519 import Signer
from crypto.log.note import Note, VerifierKey
from crypto.log.proof import InclusionProof
from crypto.log.tree import TreeHead

LONGEST_ENTRY: Final = tile.LONGEST_ENTRY
"""Octets."""

MOST_WAITING: Final = 1024
"""Entries that may wait for their turn; the next one is told to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A log: its key, whose name is its origin, and who must cosign what it publishes.

    Without a policy nobody but the log vouches for what is published: a demonstration.
    """

    key: VerifierKey
    signer: Signer
    policy: Policy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHead:
    """A head that was decided; `note` is the log's signature over it, None before it signed."""

    head: TreeHead
    note: Note | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The checkpoint that whoever asks is to see, with its cosignatures."""

    size: int
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where an entry stands, and the published checkpoint that contains it."""

    proof: InclusionProof
    checkpoint: SignedCheckpoint


class LogError(Exception):
    """Why the log did not do what it was asked to."""


class Overtaken(LogError):
    """The log has grown since the caller decided; nothing was recorded."""


class TooLong(LogError):
    """An entry is longer than an entry bundle can hold; nothing was recorded."""


class Busy(LogError):
    """Too many entries wait already; nothing was recorded."""


class NotPublished(LogError):
    """The entry is recorded for ever and not published yet: too few witnesses answered.

    `index` is its number, None where none was asked for.
    """

    def __init__(self, *, index: int | None = None) -> None:
        super().__init__("recorded, and not published yet")
        self.index = index


class Unknown(LogError):
    """The database went away meanwhile: the entry may be recorded or not. Look before retrying."""


class Broken(LogError):
    """A write failed, so what is on disk cannot be known: the process must end and start anew."""


class RolledBack(LogError):
    """The database has not what was published from it: to go on would be to sign a second tree."""


class NoQuorum(LogError):
    """Too few witnesses cosigned."""


class Reason(StrEnum):
    """Why a witness does not cosign (C2SP tlog-witness, add-checkpoint)."""

    MALFORMED = "malformed"
    UNKNOWN_LOG = "unknown_log"
    NOT_SIGNED = "not_signed"
    CONFLICT = "conflict"
    INCONSISTENT = "inconsistent"


class NotCosigned(Exception):
    """A witness's refusal; `size` is that of the head it knows, where another was asked about."""

    def __init__(self, reason: Reason, *, size: int | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.size = size


class Contradiction(Exception):
    """A log signed two heads of which neither extends the other: both notes are the evidence."""

    def __init__(self, *, first: Note, second: Note) -> None:
        super().__init__("the log signed two heads that contradict each other")
        self.first = first
        self.second = second
