"""Signed notes: text that people can read, and signatures under it.

Carries out C2SP signed-note v1.0.0, with the two signature types that this house uses: 0x01,
Ed25519 over the text, and 0x04, whose signed message `cosignature` makes. Leaves out what the
text means (`checkpoint`) and who is trusted: the keys are the caller's.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from crypto.encoding import base64
from crypto.errors import Malformed, Untrusted
from crypto.log import ed25519
from crypto.log.ed25519 import PublicKey, Signer

MOST_OCTETS: Final = 512 << 10
"""The longest note that is read."""

MOST_SIGNATURES: Final = 64
"""Signature lines; the specification demands that at least 16 are read."""

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "— "
_ID_LENGTH: Final = 4
_PARTS: Final = 3


class SignatureType(IntEnum):
    """The identifier octet of the signature types that are known here."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name, a type and a public key: what a signature line is checked with."""

    name: str
    type: SignatureType
    public_key: PublicKey

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The four octets that stand before each of its signatures."""
        material = bytes((self.type,)) + self.public_key.octets
        return sha256(self.name.encode() + b"\n" + material).digest()[:_ID_LENGTH]

    @property
    def text(self) -> str:
        """The vkey, as `parse_key` reads it."""
        material = base64.encode(bytes((self.type,)) + self.public_key.octets)
        return f"{self.name}+{self.key_id.hex()}+{material}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line, not verified."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key_id) != _ID_LENGTH or not self.signature:
            raise Malformed("a signature is four octets and more (C2SP signed-note, Format)")

    @property
    def line(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {base64.encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, with its last newline, and the signatures below it; nothing of it is verified."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _check_text(self.text)
        if not self.text.endswith("\n"):
            raise Malformed("a note's text ends in a newline (C2SP signed-note, Format)")
        if not 0 < len(self.signatures) <= MOST_SIGNATURES:
            raise Malformed("a note has 1 to 64 signatures")

    def octets(self) -> bytes:
        """Write the note, as `parse` reads it."""
        return (self.text + "\n" + "".join(each.line for each in self.signatures)).encode()

    def with_signatures(self, more: Iterable[Signature]) -> "Note":
        """Return the note with more signature lines; one that is there already is not repeated."""
        together = tuple(dict.fromkeys((*self.signatures, *more)))
        return Note(text=self.text, signatures=together)


def parse_key(text: str) -> VerifierKey:
    """Read a verifier key (vkey).

    Spec: C2SP signed-note, "Verifier keys".

    Args:
        text: name, key ID in hexadecimal and key material in base64, joined by `+`.

    Raises:
        Malformed: another form, a type that is not known here, or a key ID that is not the
            recommended hash of the rest.
        Refused: the public key is no canonical point of the large subgroup.
    """
    # The name has no `+`, but base64 may: so the first two divide.
    parts = text.split("+", _PARTS - 1)
    if len(parts) != _PARTS:
        raise Malformed("a verifier key has three parts (C2SP signed-note, Verifier keys)")
    material = base64.decode(parts[2])
    try:
        kind = SignatureType(material[0] if material else 0)
    except ValueError as error:
        raise Malformed("a signature type that is not known here") from error
    key = VerifierKey(parts[0], kind, PublicKey(material[1:]))
    if key.text != text:
        raise Malformed("the key ID is not that of the key (C2SP signed-note, Signatures)")
    return key


def parse(octets: bytes) -> Note:
    """Read a note; whatever is accepted is written back as the very same octets.

    Spec: C2SP signed-note, "Format".

    Args:
        octets: at most `MOST_OCTETS`.

    Raises:
        Malformed: too long, no UTF-8, a control character other than newline, no blank line
            before the signatures, no signature or more than `MOST_SIGNATURES`, or a signature
            line of another form.

    Not checked: any signature.
    """
    if len(octets) > MOST_OCTETS:
        raise Malformed("the note is too long")
    try:
        whole = octets.decode()
    except UnicodeDecodeError as error:
        raise Malformed("a note is UTF-8 (C2SP signed-note, Format)") from error
    _check_text(whole)
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Malformed("a blank line, then signature lines (C2SP signed-note, Format)")
    return Note(text=text + "\n", signatures=parse_signatures(below))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Read signature lines, each with its newline, as they stand in a note or a witness's answer.

    Spec: C2SP signed-note, "Format".

    Raises:
        Malformed: more than `MOST_SIGNATURES` or a line of another form.
    """
    if lines.count("\n") > MOST_SIGNATURES:
        raise Malformed("too many signature lines")
    if not lines.endswith("\n"):
        raise Malformed("a signature line ends in a newline (C2SP signed-note, Format)")
    return tuple(_parse_signature(line) for line in lines[:-1].split("\n"))


def sign(text: str, *, key: VerifierKey, signer: Signer) -> Signature:
    """Sign a text with a key of type 0x01.

    Spec: C2SP signed-note, "Ed25519 signatures".

    Args:
        text: ends in a newline.
        key: the public half, with the name that stands in the line.
        signer: the private half; what it returns is checked before it is handed out.

    Raises:
        ValueError: the key is of another type.
        BadSignature: the signer has another private half.
    """
    if key.type is not SignatureType.ED25519:
        raise ValueError("a key of this type does not sign plain text")
    message = text.encode()
    signature = signer(message)
    ed25519.verify(message=message, signature=signature, key=key.public_key)
    return Signature(name=key.name, key_id=key.key_id, signature=signature)


def matching(note: Note, key: VerifierKey) -> tuple[bytes, ...]:
    """Return the signatures that say they are this key's: both name and key ID are the key's."""
    return tuple(
        each.signature
        for each in note.signatures
        if each.name == key.name and each.key_id == key.key_id
    )


def verify(note: Note, *, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Check the signatures of known keys of type 0x01; those of unknown keys are ignored.

    Spec: C2SP signed-note, "Signatures".

    Args:
        note: as parsed.
        keys: those that the caller trusts for this text.

    Returns:
        The keys that signed, at least one, each once however often it signed.

    Raises:
        Untrusted: no signature of a known key is there.
        Malformed: a signature of a known key has not 64 octets.
        BadSignature: a signature of a known key does not verify: then the whole note is refused.
        ValueError: a key is of another type, or two keys cannot be told apart.
    """
    check_distinct(keys)
    message = note.text.encode()
    signed: list[VerifierKey] = []
    for key in keys:
        if key.type is not SignatureType.ED25519:
            raise ValueError("a key of this type does not sign plain text")
        signatures = matching(note, key)
        for signature in signatures:
            ed25519.verify(message=message, signature=signature, key=key.public_key)
        if signatures:
            signed.append(key)
    if not signed:
        raise Untrusted("no signature of a known key (C2SP signed-note, Signatures)")
    return tuple(signed)


def check_distinct(keys: Sequence[VerifierKey]) -> None:
    """Check that no two of the caller's keys share both name and key ID.

    Spec: C2SP signed-note, "Signatures": accidental collisions of both lead to errors.

    Raises:
        ValueError: two of them do.
    """
    if len({(key.name, key.key_id) for key in keys}) != len(keys):
        raise ValueError("two keys with one name and one key ID")


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise Malformed("not a signature line (C2SP signed-note, Format)")
    octets = base64.decode(encoded)
    return Signature(name=name, key_id=octets[:_ID_LENGTH], signature=octets[_ID_LENGTH:])


def _check_text(text: str) -> None:
    if _CONTROL.search(text):
        raise Malformed("a control character (C2SP signed-note, Format)")


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise Malformed("a key's name is not empty and has no space or + (C2SP signed-note)")
