"""What the register's office keeps beside the log: comments' texts and counts of complaints.

DESIGN section 5. Proposals, votes and what is in force stand in the log, and what they mean is
decided by `idservice.register`. Here is only what may be erased, and what is counted.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType

from crypto.errors import Malformed
from idservice import spelling
from idservice.register.state import Reason

Digest = NewType("Digest", bytes)
"""SHA-256 over salt and text, 32 octets: all that the log learns of a comment."""

SALT_LENGTH: Final = 32
LONGEST_COMMENT: Final = 4000
"""Characters."""

NO_POLICY: Final = ""
"""What stands for the policy of a request that named none that was ever in force."""

_AS_READ: Final = str.maketrans(
    dict.fromkeys("\n\u00a0\u3000", " ") | dict.fromkeys("\u200c\u200d\u200e\u200f\ufe0f", "")
)
"""Line breaks and blanks, direction marks and what emoji are made of pass wherever they stand."""


class Stage(StrEnum):
    """Where a proposal stands, for people and for machines."""

    WAITING = "waiting"
    IN_NOTICE = "in_notice"
    VOTING = "voting"
    ENACTED = "enacted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What somebody wrote, and the salt that makes its digest tell nothing once it is erased."""

    salt: bytes = field(repr=False)
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) != SALT_LENGTH:
            raise Malformed("a comment's salt has 32 octets")
        if len(self.text) > LONGEST_COMMENT:
            raise Malformed("a comment is too long")
        check_shown(self.text)

    @property
    def digest(self) -> Digest:
        """SHA-256 over salt and text."""
        return Digest(hashlib.sha256(self.salt + self.text.encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintKey:
    """What is published of a complaint, and nothing finer: who, which policy, what, when."""

    quarter: str
    """Such as 2027-Q1."""
    verifier: str
    policy: str
    excess: str
    """As `over_asking.Kind`, with the claims after a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedComplaint:
    """How often that was proved; the same file may have been handed in more than once."""

    key: ComplaintKey
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What somebody who commented gets, and nobody else keeps together."""

    number: int
    """Of the entry."""
    digest: str
    salt: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Where an entry stands."""

    number: int
    witnessed: bool
    """Whether enough witnesses have cosigned a checkpoint that contains it."""


class NotLogged(Exception):
    """The register's own rules refuse an entry, so it was not logged; nothing was changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Unusable(Exception):
    """The log is not the one that this office was founded on, or somebody changed its rows."""


def document_digest(text: str) -> Digest:
    """Return what the log holds of an official text: no salt, it is meant to be found."""
    return Digest(hashlib.sha256(text.encode()).digest())


def check_shown(text: str) -> None:
    """Check that people see all of a text; an empty one, or one that hides something, is not.

    Raises:
        Malformed: it is empty, or has characters that nobody sees (`spelling.hides_nothing`).
    """
    read = text.translate(_AS_READ)
    if not read.strip() or not spelling.hides_nothing(read):
        raise Malformed("a text is empty, or has characters that nobody sees")
