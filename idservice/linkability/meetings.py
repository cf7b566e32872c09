"""Find the strings of octets that stand in two places, in whatever member of whatever message.

A string is a window of eight octets, told from others by its value alone. Those that few things
have join the things that have them; so do rows of a store in which both stand. Nothing here knows
which message belongs to whom. How messages are taken apart stands in `traces.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from idservice.linkability.statistics import Floats, Integers
from idservice.linkability.traces import WIDEST, WINDOW, Traces, Windows

COMMON: Final = 40
"""A string that stands in more things than this is nobody's own."""

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MOST_BITS: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Strings of octets that somebody kept, each with the number of the row it stood in."""

    count: int
    windows: Windows
    owners: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Meetings:
    """Which pairs of things share strings that are nobody else's, and how many."""

    width: int
    keys: Integers
    """Sorted; left number times `width` plus right number."""
    counts: Integers

    def of(self, left: Integers, right: Integers) -> Floats:
        """Return for each pair how many strings it shares."""
        if not len(self.keys):
            return np.zeros(np.broadcast(left, right).shape)
        wanted = left * self.width + right
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, self.counts[place], 0).astype(np.float64)


def keep(rows: Sequence[Sequence[bytes]], *, stride: int) -> Rows:
    """Keep strings of rows, one window at every `stride` octets of each value."""
    found = [
        b"".join(
            value[at : at + WINDOW]
            for value in values
            for at in range(0, min(len(value), WIDEST) - WINDOW + 1, stride)
        )
        for values in rows
    ]
    return Rows(
        count=len(rows),
        windows=np.frombuffer(b"".join(found), dtype=np.uint64),
        owners=np.repeat(np.arange(len(rows)), [len(each) // WINDOW for each in found]),
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """Put rows one below the other."""
    starts = np.cumsum([0, *(part.count for part in parts)])
    return Rows(
        count=int(starts[-1]),
        windows=np.concatenate([part.windows for part in parts]),
        owners=np.concatenate(
            [part.owners + start for part, start in zip(parts, starts, strict=False)]
        ),
    )


def strings(traces: Traces, *, digests: bool = False) -> Iterator[Windows]:
    """Walk over the strings of octets in messages, path by path; `digests` adds their hashes.

    Each step yields a row of windows for each message, 0 where there is none.
    """
    for path, rows in traces.octets.items():
        if rows.shape[1] < WINDOW:
            continue
        view = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=1)
        windows = np.array(view, order="C").view(np.uint64)[..., 0]
        lengths = traces.lengths[path]
        if lengths.min() < rows.shape[1]:
            starts = np.arange(windows.shape[1])
            windows[starts[None, :] + WINDOW > lengths[:, None]] = 0
        yield windows
    if digests:
        yield traces.digests


def rows_of(traces: Traces, *, stride: int) -> Rows:
    """Keep the strings of messages, one window at every `stride` octets of each leaf."""
    kept = [each[:, ::stride] for each in strings(traces)]
    owners = [np.nonzero(each)[0] for each in kept]
    return Rows(
        count=traces.count,
        windows=np.concatenate([each[each != 0] for each in kept]),
        owners=np.concatenate(owners),
    )


class Index:
    """Rows in which strings can be looked up."""

    def __init__(self, rows: Rows) -> None:
        order = np.argsort(rows.windows)
        self.windows, self.owners = rows.windows[order], rows.owners[order]
        self._bits = min(8 + len(order).bit_length(), _MOST_BITS)
        self._filled = np.zeros(1 << self._bits, dtype=bool)
        self._filled[self._slot(self.windows)] = True

    def candidates(self, asked: Windows) -> tuple[Windows, Integers]:
        """Return the windows that may be here, and in which message each stands."""
        askers, places = np.nonzero(self._filled[self._slot(asked)])
        return asked[askers, places], askers

    def _slot(self, windows: Windows) -> Windows:
        """Spread windows over the filter; text would crowd a few places of it otherwise."""
        return np.asarray((windows * _MIX) >> np.uint64(64 - self._bits))


def between(left: Index, right: Iterable[Windows], *, width: int) -> Meetings:
    """Find every pair of a left and a right thing that share a string which few others have."""
    found = [left.candidates(each) for each in right]
    nobody = np.zeros(0, dtype=np.int64)
    if not found or not len(left.windows):
        return Meetings(width=width, keys=nobody, counts=nobody)
    asked = np.concatenate([windows for windows, _ in found])
    askers = np.concatenate([who for _, who in found])
    order = np.argsort(asked)  # sorted questions are answered many times faster
    asked, askers = asked[order], askers[order]
    begin = np.searchsorted(left.windows, asked, side="left")
    many = np.searchsorted(left.windows, asked, side="right") - begin
    often = np.searchsorted(asked, asked, side="right") - np.searchsorted(asked, asked)
    rare = (many > 0) & (many <= COMMON) & (often <= COMMON) & (asked != 0)
    askers, begin, many = askers[rare], begin[rare], many[rare]
    shift = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    whose = left.owners[np.repeat(begin, many) + shift]
    keys, counts = np.unique(whose * width + np.repeat(askers, many), return_counts=True)
    return Meetings(width=width, keys=keys, counts=counts)


def through(left: Meetings, right: Meetings) -> Meetings:
    """Join two meetings with the same rows: which left and right things stand in one row.

    A row that many stand in says nothing about any of them.
    """
    rows_left, ones = np.divmod(left.keys, left.width)
    rows_right, others = np.divmod(right.keys, right.width)
    crowded = Counter(rows_left.tolist()) | Counter(rows_right.tolist())
    barred = np.array([row for row, many in crowded.items() if many > COMMON], dtype=np.int64)
    kept = ~np.isin(rows_left, barred)
    rows_left, ones = rows_left[kept], ones[kept]
    begin = np.searchsorted(rows_right, rows_left, side="left")
    many = np.searchsorted(rows_right, rows_left, side="right") - begin
    shift = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    met = others[np.repeat(begin, many) + shift]
    keys, counts = np.unique(np.repeat(ones, many) * right.width + met, return_counts=True)
    return Meetings(width=right.width, keys=keys, counts=counts)
