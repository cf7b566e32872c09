"""The real world, ideal ones and one with a planted leak, and what is joined with what in each.

An ideal world is the same simulation with whatever is neither a fact nor a question replaced by
random octets of its length. Who wins what in a world is found out in `game.py`.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from idservice.linkability import meetings, scores
from idservice.linkability.city.formats import Format
from idservice.linkability.city.simulation import Seen
from idservice.linkability.meetings import Index, Meetings
from idservice.linkability.scores import Evidence
from idservice.linkability.statistics import Integers
from idservice.linkability.traces import Octets, Traces

PLANTED: Final = 0.02
"""Share of residents in whose messages the control leaves a mark."""
MARK: Final = 12
"""Octets of that mark."""

_NEIGHBOURS = 32
_STRIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is joined with what in one world."""

    showings: Evidence
    issuance: Evidence
    strings: Meetings
    store: Meetings
    record: Meetings
    issued: Meetings
    recorded: Meetings


def planted(seen: Seen, chosen: Format, *, chance: np.random.Generator) -> Seen:
    """Return the same world, some residents' messages carrying a mark of theirs."""
    path = _longest(seen.second, chosen)
    marked = np.flatnonzero(chance.random(seen.first.count) < PLANTED)
    marks = chance.integers(0, 256, (seen.first.count, MARK), dtype=np.uint8)
    return replace(
        seen,
        first=_marked(seen.first, path, marks, marked, chance),
        second=_marked(seen.second, path, marks, marked, chance),
    )


def _longest(found: Traces, chosen: Format) -> str:
    """Return the path of the longest leaf that everybody has and no fact determines."""
    return max(
        (path for path in found.octets if path.startswith(chosen.real)),
        key=lambda path: int(found.lengths[path].min()),
    )


def _marked(
    found: Traces, path: str, marks: Octets, marked: Integers, chance: np.random.Generator
) -> Traces:
    """Write each marked resident's mark somewhere into one leaf."""
    rows = found.octets[path].copy()
    for place in marked:
        at = int(chance.integers(0, found.lengths[path][place] - MARK + 1))
        rows[place, at : at + MARK] = marks[place]
    return replace(found, octets={**found.octets, path: rows})


def with_public_lists(seen: Seen, chosen: Format) -> Seen:
    """Add what the lists say at an index: withdrawn since, and how crowded its neighbourhood."""
    if not chosen.real_numbers:
        return seen
    (name,) = chosen.real_numbers
    size = len(seen.statuses) * 8
    withdrawn = np.unpackbits(np.frombuffer(seen.statuses, dtype=np.uint8), bitorder="little")
    given = np.unpackbits(np.frombuffer(seen.allocated, dtype=np.uint8), bitorder="little")
    before = np.concatenate([[0], np.cumsum(given, dtype=np.int64)])

    def told(found: Traces) -> Traces:
        index = found.numbers[name].astype(np.int64)
        low, high = np.maximum(index - _NEIGHBOURS, 0), np.minimum(index + _NEIGHBOURS, size)
        more = {
            "withdrawn": withdrawn[index].astype(np.float64),
            "crowd": (before[high] - before[low]).astype(np.float64),
        }
        return replace(found, numbers={**found.numbers, **more})

    return replace(seen, first=told(seen.first), second=told(seen.second))


def ideal(seen: Seen, chosen: Format, *, chance: np.random.Generator) -> Seen:
    """Replace whatever is no fact and no question by random octets of its length."""

    def drawn(found: Traces) -> Traces:
        octets = {
            path: _random(rows, found.lengths[path], chance)
            if path.startswith(chosen.real)
            else rows
            for path, rows in found.octets.items()
        }
        numbers = dict(found.numbers)
        for name in chosen.real_numbers:
            numbers[name] = chance.integers(0, len(seen.statuses) * 8, found.count).astype(
                np.float64
            )
        digests = chance.integers(1, 1 << 63, found.digests.shape).astype(np.uint64)
        return replace(found, octets=octets, numbers=numbers, digests=digests)

    first, second = drawn(seen.first), drawn(seen.second)
    return with_public_lists(replace(seen, first=first, second=second), chosen)


def _random(rows: Octets, lengths: Integers, chance: np.random.Generator) -> Octets:
    fresh = chance.integers(0, 256, rows.shape, dtype=np.uint8)
    fresh[np.arange(rows.shape[1])[None, :] >= lengths[:, None]] = 0
    return fresh


def showings(first: Traces, second: Traces) -> Evidence:
    """Compare first with second showings."""
    return Evidence(
        left=first, right=second, aligned=scores.aligned_paths(first, second), crossed=False
    )


def strings(first: Traces, second: Traces) -> Meetings:
    """Find the strings of octets that stand in both."""
    left = Index(meetings.rows_of(first, stride=_STRIDE))
    return meetings.between(left, meetings.strings(second), width=second.count)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What adversaries hold beside messages, the same in every world."""

    store: Index
    record: Index

    @classmethod
    def of(cls, seen: Seen) -> "Holdings":
        """Index what was seized and what was recorded."""
        return cls(Index(seen.store), Index(seen.recorded))


def joined(seen: Seen, held: Holdings, chosen: Format) -> World:
    """Find everything that joins two things of a world."""
    first, second, issued = seen.first, seen.second, seen.issued
    proof = _longest(second, chosen)
    aligned = (
        *scores.aligned_paths(issued, second),
        *((path, proof) for path in issued.octets if path != proof),
    )
    store, record = (
        [
            meetings.between(index, meetings.strings(side, digests=True), width=side.count)
            for side in (first, second)
        ]
        for index in (held.store, held.record)
    )
    return World(
        showings=showings(first, second),
        issuance=Evidence(left=issued, right=second, aligned=aligned, crossed=True),
        strings=strings(first, second),
        store=meetings.through(*store),
        record=meetings.through(*record),
        issued=strings(issued, second),
        recorded=record[1],
    )
