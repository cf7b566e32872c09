"""Checkpoints: a log's name, the size of its tree and the root, as a signed note.

Carries out C2SP tlog-checkpoint v1.0.0, narrower in three points: a log signs with a key whose
name is its origin (there SHOULD), by Ed25519, and extension lines (NOT RECOMMENDED, because no
monitor can audit them) are refused. Leaves out witnesses (`cosignature`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from crypto.encoding import base64
from crypto.errors import Malformed, Refused
from crypto.log import note, tree
from crypto.log.ed25519 import Signer
from crypto.log.note import Note, Signature, VerifierKey
from crypto.log.tree import TreeHead

_LINES: Final = 3
_MOST_DIGITS: Final = 19
_ZERO: Final = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says; by itself nobody vouches for it."""

    origin: str
    head: TreeHead

    def __post_init__(self) -> None:
        if not self.origin or not self.origin.isprintable():
            raise Malformed("an origin is one line and not empty (C2SP tlog-checkpoint)")

    @property
    def text(self) -> str:
        """The note text, as `parse` reads it."""
        return f"{self.origin}\n{self.head.size}\n{base64.encode(self.head.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint whose log's signature was made or verified here; only this module makes it.

    `note` is the whole note, other signatures included: nothing is known of those.
    """

    checkpoint: Checkpoint
    note: Note

    def with_signatures(self, more: Iterable[Signature]) -> "SignedCheckpoint":
        """Return it with more signature lines, of which nothing is known either.

        Raises:
            Malformed: too many.
        """
        return SignedCheckpoint(checkpoint=self.checkpoint, note=self.note.with_signatures(more))

    def alone(self, *, log: VerifierKey) -> "SignedCheckpoint":
        """Return it with the log's own signatures only."""
        lines = tuple(
            each
            for each in self.note.signatures
            if each.name == log.name and each.key_id == log.key_id
        )
        return SignedCheckpoint(
            checkpoint=self.checkpoint, note=Note(text=self.note.text, signatures=lines)
        )


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint's note; what is accepted is written back the very same.

    Spec: C2SP tlog-checkpoint, "Note text".

    Args:
        text: the note's text with its last newline, without signatures.

    Raises:
        Malformed: other than three lines, an empty or unprintable origin, a size that is not
            canonical decimal below 2^63, or a root that is not canonical base64 of 32 octets.

    Not checked: any signature, and that a tree of size 0 has the empty root.
    """
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[_LINES]:
        raise Malformed("origin, size and root, and no more (C2SP tlog-checkpoint, Note text)")
    root = tree.parse_hash(base64.decode(lines[2]))
    head = TreeHead(size=parse_size(lines[1]), root=root)
    return Checkpoint(origin=lines[0], head=head)


def parse_size(text: str) -> int:
    """Read a tree size: ASCII decimal without leading zeros.

    Spec: C2SP tlog-checkpoint, "Note text", line 2.

    Raises:
        Malformed: another spelling, or 2^63 and more.
    """
    digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not digits or (text[0] == _ZERO and text != _ZERO):
        raise Malformed("a size is decimal without leading zeros (C2SP tlog-checkpoint)")
    size = int(text)
    if size > tree.MOST_ENTRIES:
        raise Malformed("a tree has 0 to 2^63 - 1 entries")
    return size


def sign(head: TreeHead, *, log: VerifierKey, signer: Signer) -> SignedCheckpoint:
    """Sign a head as the log.

    Spec: C2SP tlog-checkpoint, "Signatures".

    Args:
        head: must extend each head that this log ever signed; see Not checked.
        log: the log's key, whose name is the origin.
        signer: the private half.

    Raises:
        BadSignature: the signer has another private half.

    Not checked: whether an earlier signed head contradicts this one. The caller must have
        recorded it, in place of its predecessor, before.
    """
    checkpoint = Checkpoint(origin=log.name, head=head)
    signature = note.sign(checkpoint.text, key=log, signer=signer)
    signed = Note(text=checkpoint.text, signatures=(signature,))
    return SignedCheckpoint(checkpoint=checkpoint, note=signed)


def verify(signed: Note, *, log: VerifierKey) -> SignedCheckpoint:
    """Check that a note is a checkpoint of this log.

    Spec: C2SP tlog-checkpoint; C2SP signed-note, "Signatures".

    Args:
        signed: as `note.parse` reads it; signatures of other keys are carried along.
        log: the log's key, whose name is the origin.

    Raises:
        Malformed: the text is no checkpoint.
        Refused: another origin.
        Untrusted: the log did not sign.
        BadSignature: the log's signature does not verify.

    Not checked: its age, whether another checkpoint contradicts it, and any cosignature.
    """
    checkpoint = parse(signed.text)
    if checkpoint.origin != log.name:
        raise Refused("the checkpoint of another log (C2SP tlog-checkpoint, Note text)")
    note.verify(signed, keys=(log,))
    return SignedCheckpoint(checkpoint=checkpoint, note=signed)
