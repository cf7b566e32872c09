"""What a log asks a witness, and what the witness answers, as octets.

C2SP tlog-witness, `add-checkpoint`. Leaves out `sign-subtree` (optional there) and the monitoring
prefix: whoever monitors reads the log itself.
"""

from dataclasses import dataclass
from typing import Final

from crypto.encoding import base64
from crypto.errors import Malformed
from crypto.log import checkpoint, note, proof, tree
from crypto.log.note import Note, Signature
from crypto.log.proof import ConsistencyProof

LARGEST_REQUEST: Final = 64 << 10
LARGEST_ANSWER: Final = 16 << 10
SIZE_TYPE: Final = "text/x.tlog.size"
"""The media type of the answer to a wrong old size."""

_OLD: Final = "old "


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A checkpoint, and the proof that it extends the one of `old` entries; nothing verified."""

    old: int
    proof: ConsistencyProof
    signed: Note


def write_request(request: AddCheckpoint) -> bytes:
    """Write the body, as `parse_request` reads it."""
    lines = [f"{_OLD}{request.old}", *map(base64.encode, request.proof.path)]
    return ("\n".join(lines) + "\n\n").encode() + request.signed.octets()


def parse_request(body: bytes) -> AddCheckpoint:
    """Read the body of `add-checkpoint`.

    Raises:
        Malformed: too long, another form, more than 63 hashes, no note, or a larger old size
            than the checkpoint's.
    """
    if len(body) > LARGEST_REQUEST:
        raise Malformed("the request is too long")
    before, blank, signed = body.partition(b"\n\n")
    if not blank:
        raise Malformed("a blank line before the checkpoint (C2SP tlog-witness, add-checkpoint)")
    try:
        first, *path = before.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("old size and proof are ASCII (C2SP tlog-witness)") from error
    if not first.startswith(_OLD) or len(path) > proof.LONGEST:
        raise Malformed("old size, then at most 63 hashes (C2SP tlog-witness, add-checkpoint)")
    return AddCheckpoint(
        old=checkpoint.parse_size(first.removeprefix(_OLD)),
        proof=ConsistencyProof(path=tuple(tree.parse_hash(base64.decode(each)) for each in path)),
        signed=note.parse(signed),
    )


def parse_answer(body: bytes) -> tuple[Signature, ...]:
    """Read a witness's signature lines; whether they verify is another question.

    Raises:
        Malformed: too long, not UTF-8, or no signature lines.
    """
    if len(body) > LARGEST_ANSWER:
        raise Malformed("the answer is too long")
    try:
        return note.parse_signatures(body.decode())
    except UnicodeDecodeError as error:
        raise Malformed("signature lines are UTF-8 (C2SP signed-note)") from error


def parse_size(body: bytes) -> int:
    """Read the answer to a wrong old size.

    Raises:
        Malformed: not one decimal line.
    """
    text = body.decode("ascii", "replace")
    if not text.endswith("\n"):
        raise Malformed("the size ends in a newline (C2SP tlog-witness, add-checkpoint)")
    return checkpoint.parse_size(text[:-1])
