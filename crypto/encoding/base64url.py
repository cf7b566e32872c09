"""base64url with one spelling per value: no padding, no foreign character, no stray last bits.

Carries out RFC 4648, section 5, as narrowed by RFC 7515, section 2. Leaves out ordinary
base64: `base64` reads what logs write, `crypto.x509` the `x5c` members (RFC 7515, 4.1.6).
"""

import pybase64

from crypto.errors import Malformed

_read = pybase64.b64decode
_PAD = (b"", b"", b"==", b"=")
_ENDS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""What the last character may be, by length modulo four, so that its unused bits are zero."""


def encode(data: bytes) -> str:
    """Write `data` without padding."""
    return pybase64.b64encode_as_string(data, b"-_").rstrip("=")


def encode_hash(data: bytes) -> str:
    """Write 32 octets, as `encode` does: always 43 characters and one of padding to drop."""
    return pybase64.b64encode_as_string(data, b"-_")[:-1]


def decode(text: str | bytes) -> bytes:
    """Read what `encode` writes, and nothing else.

    Spec: RFC 4648, sections 3.5 and 5; RFC 7515, section 2.

    Args:
        text: any length, the empty text included; ASCII if given as bytes.

    Returns:
        The bytes whose only spelling `text` is.

    Raises:
        Malformed: a character outside the alphabet, padding, an impossible length, or unused
            bits of the last character that are not zero.
    """
    try:
        data = text.encode("ascii") if isinstance(text, str) else text
        # `validate` lets the characters of ordinary base64 and padding through.
        if b"=" in data or b"+" in data or b"/" in data:
            raise Malformed("base64url (RFC 7515, section 2): a foreign character")
        return decode_native(data)
    except ValueError as error:
        raise Malformed("base64url (RFC 7515, section 2): a foreign character") from error


def decode_native(text: bytes) -> bytes:
    """Read what `encode` writes, where no `=`, `+` or `/` is in `text`: for hot paths.

    Spec: as `decode`.

    Args:
        text: that none of the three is in it was checked, perhaps for a whole message at once.

    Returns:
        As `decode`.

    Raises:
        Malformed: an impossible length, or unused bits that are not zero.
        ValueError: another character outside the alphabet.

    Not checked: whether one of the three is in it.
    """
    rest = len(text) & 3
    if rest and text[-1] not in _ENDS[rest]:
        raise Malformed("base64url (RFC 4648, section 3.5): stray bits or a wrong length")
    return _read(text + _PAD[rest], b"-_", True)  # noqa: FBT003 - positions cost less than names
