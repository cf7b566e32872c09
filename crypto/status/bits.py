"""Statuses packed into octets, and their compressed form.

Token Status List draft-21, sections 4.1 and 4.2: 1, 2, 4 or 8 bits an entry, the first entry in
the lowest bits of the first octet; compressed as one zlib stream (RFC 1950). Reading a stream is
bounded, and everything that is not exactly one zlib stream is refused. What a value means stands
in `status_token`; which entries belong to whom is known to nobody here.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from crypto.encoding import base64url
from crypto.errors import Malformed, Refused

WIDTHS: Final = (1, 2, 4, 8)
MOST_ENTRIES: Final = 1 << 24
"""What is inflated at most; a caller that knows the announced size demands that."""

_OCTET = 8
_ONE_ZLIB_STREAM = 15
_BEST = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusBits:
    """A list of statuses; `data` holds them packed."""

    bits: int
    data: bytes

    def __post_init__(self) -> None:
        if self.bits not in WIDTHS:
            raise Malformed("an entry has 1, 2, 4 or 8 bits (Token Status List, 4.1)")

    @classmethod
    def empty(cls, *, bits: int, size: int) -> "StatusBits":
        """Make a list of `size` entries, filling whole octets, that are all 0."""
        if size < 0 or bits not in WIDTHS or size * bits % _OCTET:
            raise ValueError("whole octets of 1, 2, 4 or 8 bit entries")
        return cls(bits=bits, data=bytes(size * bits // _OCTET))

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.data) * _OCTET // self.bits

    def get(self, index: int) -> int:
        """Return the status at `index`, counted from 0.

        Spec: Token Status List, section 8.3, step 4.

        Raises:
            Refused: the list has no such entry.
        """
        bits = self.bits
        position = index * bits
        if index < 0 or position >> 3 >= len(self.data):
            raise Refused("the index lies outside the list (Token Status List, 8.3)")
        return self.data[position >> 3] >> (position & 7) & ((1 << bits) - 1)

    def with_statuses(self, changes: Mapping[int, int]) -> "StatusBits":
        """Return a list in which the entries named in `changes` have a new status.

        Raises:
            ValueError: an index or a status that does not fit the list.
        """
        data = bytearray(self.data)
        mask = (1 << self.bits) - 1
        for index, status in changes.items():
            if not (0 <= index < self.size and 0 <= status <= mask):
                raise ValueError("index or status does not fit the list")
            octet, shift = divmod(index * self.bits, _OCTET)
            data[octet] = data[octet] & ~(mask << shift) | status << shift
        return StatusBits(bits=self.bits, data=bytes(data))


def compress(lst: StatusBits) -> bytes:
    """Write the list as one zlib stream at the highest level.

    Spec: Token Status List, section 4.1.
    """
    return zlib.compress(lst.data, level=_BEST)


def inflate(compressed: bytes, *, bits: int, max_entries: int) -> StatusBits:
    """Read a list that holds at most `max_entries` entries.

    Spec: Token Status List, section 4.1; RFC 1950.

    Args:
        compressed: exactly one zlib stream, without preset dictionary.
        bits: 1, 2, 4 or 8.
        max_entries: no more than this is ever held in memory.

    Raises:
        Malformed: another width, more entries, not a zlib stream (raw deflate and gzip
            included), cut off, with a wrong checksum, or with something after its end.
    """
    if bits not in WIDTHS:
        raise Malformed("an entry has 1, 2, 4 or 8 bits (Token Status List, 4.1)")
    limit = -(-max_entries * bits // _OCTET)
    stream = zlib.decompressobj(wbits=_ONE_ZLIB_STREAM)
    try:
        data = stream.decompress(compressed, limit + 1)
    except zlib.error as error:
        raise Malformed("not a zlib stream (RFC 1950, 2.2)") from error
    if len(data) > limit:
        raise Malformed("more entries than expected (Token Status List, 11.1)")
    if not stream.eof or stream.unused_data:
        raise Malformed("not exactly one zlib stream (RFC 1950, 2.2)")
    return StatusBits(bits=bits, data=data)


def encode(lst: StatusBits) -> str:
    """Write the `lst` member: the zlib stream in base64url."""
    return base64url.encode(compress(lst))


def decode(text: str, *, bits: int, max_entries: int) -> StatusBits:
    """Read the `lst` member; raises as `inflate` does."""
    return inflate(base64url.decode(text), bits=bits, max_entries=max_entries)
