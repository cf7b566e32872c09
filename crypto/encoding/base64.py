"""Ordinary base64 with one spelling per value: padded, no foreign character, no stray last bits.

Carries out RFC 4648, section 4, as the C2SP specifications of notes and logs demand it. JOSE's
alphabet without padding stands in `base64url`.
"""

import pybase64

from crypto.errors import Malformed


def encode(data: bytes) -> str:
    """Write `data` with padding."""
    return pybase64.b64encode_as_string(data)


def decode(text: str) -> bytes:
    """Read what `encode` writes, and nothing else.

    Spec: RFC 4648, sections 3.5 and 4.

    Args:
        text: any length, the empty text included.

    Returns:
        The bytes whose only spelling `text` is.

    Raises:
        Malformed: a character outside the alphabet, padding missing or too much, or unused bits
            of the last character that are not zero.
    """
    try:
        data = pybase64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed("base64 (RFC 4648, section 4): a foreign character") from error
    # `validate` lets the other alphabet's two characters and stray bits through.
    if encode(data) != text:
        raise Malformed("base64 (RFC 4648, section 3.5): not the one spelling of its value")
    return data
