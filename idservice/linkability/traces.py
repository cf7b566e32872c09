"""Take messages apart into whatever a machine could compare, without knowing their format.

A message is split at its dots and tildes, base64url is decoded, JSON is walked; every leaf is
kept as octets under its path, every number also as a number, the spelling of each JSON text as a
digest, and the length of everything. Strings of octets that stand in two places are found by
`meetings.py`. Nothing here knows which message belongs to whom.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonValue
from crypto.errors import Malformed
from idservice.linkability.statistics import Floats, Integers

Octets = NDArray[np.uint8]
Windows = NDArray[np.uint64]

WINDOW: Final = 8
"""Octets that must be equal in two places to count as the same string."""
WIDEST: Final = 1024
"""Octets of one leaf, or of one stored value, that are looked at."""

_LEAF = re.compile(rb'"(?:[^"\\]|\\.)*"(?!:)|-?\d[\d.eE+-]*|true|false|null')
_ENCODED = re.compile(r"[A-Za-z0-9_-]{16,}")
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What can be compared of many messages of one kind; row n is message n."""

    count: int
    octets: Mapping[str, Octets]
    """By path; padded with zeros on the right."""
    lengths: Mapping[str, Integers]
    """By path; -1 where a message has no such leaf."""
    numbers: Mapping[str, Floats]
    """By path; not a number where a message has none."""
    digests: Windows
    """The first octets of SHA-256 over each longer leaf, in octets and as text; 0 pads."""


@dataclass(slots=True)
class _Leaves:
    octets: dict[str, bytes] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    digests: list[bytes] = field(default_factory=list)


class Dissector:
    """Takes messages apart; what was the same in the first messages is not decoded again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Leaves] = {}

    def gather(self, messages: Sequence[str]) -> Traces:
        """Take messages apart and stack them."""
        return _stack([self.take_apart(message) for message in messages])

    def take_apart(self, message: str) -> _Leaves:
        """Take one message apart."""
        whole = _Leaves(numbers={"length": len(message)})
        for first, part in enumerate(message.split(".")):
            whole.numbers[f"length/{first}"] = len(part)
            for second, text in enumerate(part.split("~")):
                leaves = self._segment(f"{first}/{second}", text)
                whole.octets |= leaves.octets
                whole.numbers |= leaves.numbers
                whole.digests += leaves.digests
        return whole

    def _segment(self, path: str, text: str) -> _Leaves:
        known = self._seen.get((path, text))
        if known is not None:
            return known
        leaves = _Leaves()
        _add_text(leaves, path, text)
        if len(self._seen) < _REMEMBERED:
            self._seen[path, text] = leaves
        return leaves


def _add_text(leaves: _Leaves, path: str, text: str) -> None:
    try:
        decoded = base64url.decode(text)
    except Malformed:
        _add_octets(leaves, path, text.encode(), text)
        return
    try:
        value = orjson.loads(decoded) if decoded[:1] in {b"{", b"[", b'"'} else None
    except orjson.JSONDecodeError:
        value = None
    if value is None:
        _add_octets(leaves, path, decoded, text)
        return
    shape = hashlib.sha256(_LEAF.sub(b"", decoded)).digest()[:WINDOW]
    leaves.octets[f"{path}/spelling"] = shape
    _walk(leaves, path, value)


def _walk(leaves: _Leaves, path: str, value: JsonValue) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _walk(leaves, f"{path}/{name}", member)
    elif isinstance(value, list):
        for place, member in enumerate(value):
            _walk(leaves, f"{path}/{place}", member)
    elif isinstance(value, str):
        _add_octets(leaves, path, _decoded(value), value)
    elif isinstance(value, int) and not isinstance(value, bool):
        leaves.numbers[path] = value
        leaves.octets[path] = value.to_bytes(WINDOW, "big", signed=True)
    else:
        leaves.octets[path] = repr(value).encode()


def _decoded(text: str) -> bytes:
    if _ENCODED.fullmatch(text):
        try:
            return base64url.decode(text)
        except Malformed:
            pass
    return text.encode()


def _add_octets(leaves: _Leaves, path: str, octets: bytes, text: str) -> None:
    leaves.octets[path] = octets[:WIDEST]
    if len(octets) >= 2 * WINDOW:
        leaves.digests.append(hashlib.sha256(octets).digest()[:WINDOW])
        leaves.digests.append(hashlib.sha256(text.encode()).digest()[:WINDOW])


def _stack(messages: Sequence[_Leaves]) -> Traces:
    count = len(messages)
    by_path: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    numbers: dict[str, Floats] = {}
    widest = max((len(each.digests) for each in messages), default=0)
    digests = np.zeros((count, widest), dtype=np.uint64)
    for place, leaves in enumerate(messages):
        for path, octets in leaves.octets.items():
            by_path[path].append((place, octets))
        for path, number in leaves.numbers.items():
            numbers.setdefault(path, np.full(count, np.nan))[place] = number
        if leaves.digests:
            found = np.frombuffer(b"".join(leaves.digests), dtype=np.uint64)
            digests[place, : len(found)] = found
    stacked, lengths = {}, {}
    for path, found_here in by_path.items():
        width = max(len(octets) for _, octets in found_here)
        rows = np.zeros((count, width), dtype=np.uint8)
        length = np.full(count, -1, dtype=np.int64)
        places = [place for place, _ in found_here]
        padded = b"".join(octets.ljust(width, b"\0") for _, octets in found_here)
        rows[places] = np.frombuffer(padded, dtype=np.uint8).reshape(len(places), width)
        length[places] = [len(octets) for _, octets in found_here]
        stacked[path], lengths[path] = rows, length
    return Traces(count=count, octets=stacked, lengths=lengths, numbers=numbers, digests=digests)


def merge(parts: Sequence[Traces]) -> Traces:
    """Put traces one below the other."""
    paths = list(dict.fromkeys(path for part in parts for path in part.octets))
    octets: dict[str, Octets] = {}
    lengths: dict[str, Integers] = {}
    for path in paths:
        length = np.concatenate(
            [part.lengths.get(path, np.full(part.count, -1, dtype=np.int64)) for part in parts]
        )
        width = max(part.octets[path].shape[1] for part in parts if path in part.octets)
        octets[path] = np.concatenate([_padded(part, path, width) for part in parts])
        lengths[path] = length
    names = dict.fromkeys(name for part in parts for name in part.numbers)
    numbers = {
        name: np.concatenate(
            [part.numbers.get(name, np.full(part.count, np.nan)) for part in parts]
        )
        for name in names
    }
    widest = max(part.digests.shape[1] for part in parts)
    digests = [
        np.pad(part.digests, ((0, 0), (0, widest - part.digests.shape[1]))) for part in parts
    ]
    return Traces(
        count=sum(part.count for part in parts),
        octets=octets,
        lengths=lengths,
        numbers=numbers,
        digests=np.concatenate(digests),
    )


def varying(traces: Traces) -> Traces:
    """Leave out the leaves and numbers that all messages have in common."""
    paths = [
        path
        for path, rows in traces.octets.items()
        if (rows != rows[:1]).any() or len(np.unique(traces.lengths[path])) > 1
    ]
    return Traces(
        count=traces.count,
        octets={path: traces.octets[path] for path in paths},
        lengths={path: traces.lengths[path] for path in paths},
        numbers={name: column for name, column in traces.numbers.items() if _varies(column)},
        digests=traces.digests,
    )


def _padded(part: Traces, path: str, width: int) -> Octets:
    found = part.octets.get(path)
    if found is None:
        return np.zeros((part.count, width), dtype=np.uint8)
    return np.pad(found, ((0, 0), (0, width - found.shape[1])))


def _varies(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return len(known) < len(column) or bool((known != known[:1]).any())
