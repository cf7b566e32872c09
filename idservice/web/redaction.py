"""What a log line may hold: an allow-list.

An office logs that a request failed by its own fault, and nothing else. There is no line for a
request that was answered, so a log cannot tell when anybody was checked. No address, header, path,
body, identifier or exception text is ever written: exception texts of libraries repeat their
input.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import orjson

FIELDS: Final = ("event", "office", "route", "status", "duration", "error", "where")
"""Every field that a line may have; `docs/data-inventory.toml` lists the same."""

_BUCKETS = ((0.01, "<10ms"), (0.1, "<100ms"), (1.0, "<1s"), (10.0, "<10s"))

Write = Callable[[str], object]


def bucket(seconds: float) -> str:
    """Return the coarse class of a duration."""
    return next((name for bound, name in _BUCKETS if seconds < bound), ">=10s")


def where(traceback: TracebackType | None) -> str:
    """Return file name and line of the last frame: code, never data."""
    place = "unknown"
    while traceback is not None:
        place = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def line(**fields: str) -> str:
    """Write one log line; a field that is not on the list is a bug of ours."""
    if not fields.keys() <= set(FIELDS):
        msg = "a log line may hold listed fields only"
        raise ValueError(msg)
    return orjson.dumps(fields).decode()


def to_standard_error(text: str) -> None:
    """Write a line to standard error, the only log there is."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
