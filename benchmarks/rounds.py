"""Timing in interleaved rounds, so that a busy machine slows every side of a ratio alike.

A block does a fixed amount of work once. Each round runs every block once, in an order that
turns from round to round; what is reported is the median of the per-round ratios, with the
quartiles as its spread. Time is `time.thread_time`: what other processes do to the clock on
the wall does not count. Left out: absolute speed, which travels from no machine to another.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 31
WARM_UP = 2

Block = Callable[[], object]
Seconds = Callable[[], float]
"""Runs a block and says how long it took; a peer in another process measures itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure and how far apart the rounds lie."""

    median: float
    low: float
    high: float
    rounds: int


def timed(block: Block) -> Seconds:
    """Measure `block` by this thread's processor time."""

    def seconds() -> float:
        began = time.thread_time()
        block()
        return time.thread_time() - began

    return seconds


def interleave(blocks: Mapping[str, Seconds], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Run all blocks in each of `rounds` rounds and return the seconds of each, by name."""
    order = list(blocks)
    for name in order * WARM_UP:
        blocks[name]()
    taken: dict[str, list[float]] = {name: [] for name in order}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in order:
                taken[name].append(blocks[name]())
            order.append(order.pop(0))
    finally:
        gc.enable()
    return taken


def ratio(over: list[float], under: list[float]) -> Ratio:
    """Compare two blocks round by round."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    low, median, high = statistics.quantiles(each, n=4)
    return Ratio(median=median, low=low, high=high, rounds=len(each))
