"""The slip in a resident's hand, and everything the issuer derives from it.

DESIGN, "The slip" and "Index rows". The slip is 130 bits, written as 26 characters and a check
symbol. From it comes an X25519 key pair, whose public half is the handle that travels in the
credential. The issuer keeps hashes of the handle and boxes sealed to it, never the handle; only
who has the slip opens a box. Rows, locks and the rules of withdrawal are the issuer's.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Final, NewType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.entropy import RandomBytes
from crypto.errors import Malformed
from crypto.sealed import box

Slip = NewType("Slip", bytes)
"""The 130 bits as 17 octets, big-endian, the upper six bits zero. Secret."""

Handle = NewType("Handle", bytes)
"""The X25519 public key, 32 octets."""

SYMBOLS: Final = 26
INDICES: Final = 20
PAD: Final = 0xFFFFFFFF

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {symbol: value for value, symbol in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_SEPARATORS = str.maketrans("", "", " -\t\r\n")
_LONGEST_TEXT = 128
_SLIP_LENGTH = 17
_GROUP = 3
_INDEX_FORMAT = struct.Struct(f">{INDICES}I")


def new_slip(*, random_bytes: RandomBytes) -> Slip:
    """Draw the secret of a new slip: 130 uniformly random bits."""
    drawn = int.from_bytes(random_bytes(_SLIP_LENGTH), "big") & ((1 << 5 * SYMBOLS) - 1)
    return Slip(drawn.to_bytes(_SLIP_LENGTH, "big"))


def write_slip(slip: Slip) -> str:
    """Write a slip as 26 characters and a check symbol, in nine groups of three.

    The alphabet is Crockford's base32: no I, L, O or U. The check symbol finds every single
    wrong character and every exchange of two.

    Secret: `slip` and the answer; the run time depends on them, which only their holder sees.
    """
    number = int.from_bytes(slip, "big")
    values = [(number >> shift) & 31 for shift in range(5 * (SYMBOLS - 1), -1, -5)]
    values.append(_check_value(values))
    text = "".join(_ALPHABET[value] for value in values)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def parse_slip(text: str) -> Slip:
    """Read a slip as somebody typed or said it.

    Case, spaces and dashes do not matter; O is read as 0, I and L as 1.

    Raises:
        Malformed: a foreign character, another length, or a check symbol that does not fit.

    Secret: `text` and the answer; the run time depends on them, before anything is looked up.
    """
    if len(text) > _LONGEST_TEXT or not text.isascii():
        raise Malformed("not a slip")
    symbols = text.upper().translate(_SEPARATORS)
    if len(symbols) != SYMBOLS + 1 or not all(symbol in _VALUES for symbol in symbols):
        raise Malformed("a slip has 27 letters and digits")
    values = [_VALUES[symbol] for symbol in symbols]
    if _check_value(values[:-1]) != values[-1]:
        raise Malformed("the slip has a typing error")
    number = 0
    for value in values[:-1]:
        number = number << 5 | value
    return Slip(number.to_bytes(_SLIP_LENGTH, "big"))


def handle(slip: Slip) -> Handle:
    """Derive the handle that stands in the credential.

    Spec: RFC 5869 with SHA-256, no salt, info "renewal"; RFC 7748, section 6.1.

    Secret: `slip`; the run time does not depend on it.
    """
    return Handle(box.public_key(_private_key(slip)))


def parse_handle(octets: bytes) -> Handle:
    """Read a handle that somebody else wrote.

    Raises:
        Malformed: not 32 octets.
        Refused: a point of low order, which no slip has.
    """
    box.check_recipient(octets)
    return Handle(octets)


def row_key(handle: Handle, *, period: int, configuration: str) -> bytes:
    """Name the index row of a handle: 32 octets that tell nothing without the handle."""
    return _hash(b"row", handle, _instance(period, configuration))


def mark(handle: Handle, *, period: int, configuration: str) -> bytes:
    """Name the fact that a handle was issued to in a period: 32 octets."""
    return _hash(b"mark", handle, _instance(period, configuration))


def renewal_key(handle: Handle, *, period: int, configuration: str) -> bytes:
    """Name the renewals that were begun for a period: 32 octets, not to be joined with the mark."""
    return _hash(b"renewal", handle, _instance(period, configuration))


def withdrawn_key(handle: Handle) -> bytes:
    """Name the fact that a handle is withdrawn: 32 octets, kept for five years."""
    return _hash(b"withdrawn", handle)


def lock_id(handle: Handle) -> int:
    """Return 64 bits, as a signed integer, by which acts on one handle are serialised."""
    return int.from_bytes(_hash(b"lock", handle)[:8], "big", signed=True)


def seal_indices(handle: Handle, *, indices: Sequence[int], random_bytes: RandomBytes) -> bytes:
    """Seal at most 20 status indices to the slip; each box has the same length.

    Args:
        handle: 32 octets.
        indices: each at least 0 and below 2^32 - 1.
        random_bytes: asked for 32 octets.

    Raises:
        Refused: the handle is a point of low order.
        ValueError: too many indices, or one out of range.

    Secret: nothing but the octets drawn; indices are public in the credentials.
    """
    if len(indices) > INDICES or not all(0 <= index < PAD for index in indices):
        raise ValueError("at most 20 indices of 32 bits")
    padded = (*indices, *(PAD,) * (INDICES - len(indices)))
    return box.seal(_INDEX_FORMAT.pack(*padded), recipient=handle, random_bytes=random_bytes)


def open_indices(sealed: bytes, *, slip: Slip) -> tuple[int, ...]:
    """Open the status indices that were sealed to the handle of `slip`.

    Raises:
        Malformed: not a box of 20 indices.
        Refused: sealed to another handle, or changed.

    Secret: `slip`; the run time does not depend on it.
    """
    content = box.unseal(sealed, private_key=_private_key(slip))
    if len(content) != _INDEX_FORMAT.size:
        raise Malformed("an index row holds 20 indices")
    return tuple(index for index in _INDEX_FORMAT.unpack(content) if index != PAD)


def _private_key(slip: Slip) -> bytes:
    hkdf = HKDF(algorithm=hashes.SHA256(), length=box.KEY_LENGTH, salt=None, info=b"renewal")
    return hkdf.derive(slip)


def _hash(label: bytes, handle: Handle, rest: bytes = b"") -> bytes:
    if len(handle) != box.KEY_LENGTH:
        raise Malformed("a handle has 32 octets")
    return hashlib.sha256(label + handle + rest).digest()


def _instance(period: int, configuration: str) -> bytes:
    return period.to_bytes(8, "big", signed=True) + configuration.encode()


def _check_value(values: Sequence[int]) -> int:
    """Sum the values over GF(32), each weighted by another power of x (x^5 + x^2 + 1).

    Weights that differ from each other and are not zero make the sum change with any one value
    and with any two that change places. By Horner's rule the first weight is x^26, the last x.
    """
    total = 0
    for value in values:
        total = _times_x(total ^ value)
    return total


def _times_x(element: int) -> int:
    doubled = element << 1
    return doubled ^ 0b100101 if doubled & 0b100000 else doubled
