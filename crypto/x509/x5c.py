"""The path of certificates in the header of a signed message.

RFC 7515, section 4.1.6: an array of DER certificates in ordinary base64, the signer's first.
Only the text is read and written here; what it is worth stands in `chain`.
"""

from collections.abc import Iterable

import pybase64
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding.canonical_json import JsonValue
from crypto.errors import Malformed
from crypto.x509 import chain


def encode(path: Iterable[x509.Certificate]) -> list[JsonValue]:
    """Write the member; the leaf first, without the root."""
    return [pybase64.b64encode(each.public_bytes(Encoding.DER)).decode("ascii") for each in path]


def decode(member: JsonValue) -> tuple[bytes, ...]:
    """Read the member.

    Spec: RFC 7515, section 4.1.6; RFC 4648, section 4.

    Returns:
        The certificates in DER, in the order of the array, not parsed.

    Raises:
        Malformed: no array of texts, too many or too long ones, or not ordinary base64 in its
            one spelling (with padding, without line breaks, unused bits zero).
    """
    if not isinstance(member, list) or not 1 <= len(member) <= chain.LONGEST_PATH:
        raise Malformed("x5c is an array of one or two certificates (RFC 7515, 4.1.6)")
    return tuple(_octets(item) for item in member)


def _octets(item: JsonValue) -> bytes:
    if not isinstance(item, str) or len(item) > 2 * chain.LARGEST_CERTIFICATE:
        raise Malformed("x5c holds texts (RFC 7515, 4.1.6)")
    try:
        octets = pybase64.b64decode(item, validate=True)
    except ValueError as error:
        raise Malformed("x5c holds base64 (RFC 4648, 4)") from error
    if pybase64.b64encode(octets).decode("ascii") != item:
        raise Malformed("base64 in another spelling (RFC 4648, 3.5)")
    return octets
