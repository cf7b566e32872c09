"""The compact form of a JSON Web Proof: headers, payload slots and proof values.

Carries out draft-ietf-jose-json-web-proof-13, section "Compact Serialization", within named
limits. An algorithm gives the parts their meaning: see `crypto.bbs.jwp`. Leaves out the CBOR form,
detached payloads, and values of no octets (`_`), which nothing here writes.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from crypto.encoding import base64url
from crypto.errors import Malformed

MAX_SIZE: Final = 64 * 1024
"""Characters."""
MAX_SLOTS: Final = 64
MAX_PAYLOAD: Final = 40 * 1024
"""Octets of one payload."""
ISSUED: Final = 1
"""Headers of the issued form: the issuer's."""
PRESENTED: Final = 2
"""Headers of the presented form: the presentation's, then the issuer's."""

_FURTHER_SEGMENTS = 2
_MAX_VALUES = MAX_SLOTS + 1


class WebProof(NamedTuple):
    """A JSON Web Proof taken apart; nothing in it is verified."""

    headers: tuple[bytes, ...]
    payloads: Mapping[int, bytes]
    """Those that are there, by their slot from 0."""
    slots: int
    """How many slots there are."""
    values: tuple[bytes, ...]
    """The proof."""


def parse(text: str, *, headers: int) -> WebProof:
    """Take the compact form apart.

    Args:
        text: as received.
        headers: `ISSUED` or `PRESENTED`.

    Raises:
        Malformed: more than `MAX_SIZE` characters, another number of segments, more than
            `MAX_SLOTS` slots or one proof value more, a payload above `MAX_PAYLOAD`, or a part
            that is not base64url in its one spelling or, payloads excepted, is empty.

    Not checked: everything that headers, payloads and proof say.
    """
    if len(text) > MAX_SIZE or not text.isascii():
        raise Malformed("JWP: too long, or a foreign character")
    segments = text.split(".")
    if len(segments) != headers + _FURTHER_SEGMENTS:
        raise Malformed("JWP: another number of segments")
    *front, payloads, proof = segments
    slots, values = payloads.split("~"), proof.split("~")
    if len(slots) > MAX_SLOTS or len(values) > _MAX_VALUES:
        raise Malformed("JWP: too many slots or proof values")
    if "" in front or "" in values:
        raise Malformed("JWP: an empty header or proof value")
    decode = base64url.decode
    found = {place: decode(slot) for place, slot in enumerate(slots) if slot}
    if found and max(map(len, found.values())) > MAX_PAYLOAD:
        raise Malformed("JWP: a payload is too long")
    return WebProof(tuple(map(decode, front)), found, len(slots), tuple(map(decode, values)))


def write(headers: Sequence[bytes], slots: Sequence[bytes | None], values: Sequence[bytes]) -> str:
    """Write the compact form.

    Args:
        headers: one for the issued form, two for the presented one.
        slots: 1 to `MAX_SLOTS`, None for a payload that is left out.
        values: the proof.

    Raises:
        ValueError: parts that `parse` would refuse.
    """
    present = [each for each in slots if each is not None]
    if not 0 < len(slots) <= MAX_SLOTS or not all((*headers, *present, *values)):
        raise ValueError("no slots or too many, or a part of no octets")
    encode = base64url.encode
    text = ".".join(
        (
            *map(encode, headers),
            "~".join([encode(each or b"") for each in slots]),
            "~".join(map(encode, values)),
        )
    )
    if len(text) > MAX_SIZE or any(len(each) > MAX_PAYLOAD for each in present):
        raise ValueError("beyond the limits")
    return text
