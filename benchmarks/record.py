"""How a benchmark hands its figures to the run: as extra information of pytest-benchmark."""

from collections.abc import Mapping

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.rounds import Ratio

FIGURES = "figures"
REASONS = "reasons"
TIMES = "times_in_raw2"
TABLES = "tables"


def figure(benchmark: BenchmarkFixture, name: str, ratio: Ratio) -> None:
    """Hand over one figure with its spread."""
    benchmark.extra_info.setdefault(FIGURES, {})[name] = {
        "median": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "rounds": ratio.rounds,
    }


def impossible(benchmark: BenchmarkFixture, name: str, reason: str) -> None:
    """Say why a figure was not measured."""
    benchmark.extra_info.setdefault(REASONS, {})[name] = reason


def time(benchmark: BenchmarkFixture, name: str, in_raw2: float) -> None:
    """Hand over what one verification costs, for the chart."""
    benchmark.extra_info.setdefault(TIMES, {})[name] = in_raw2


def table(benchmark: BenchmarkFixture, name: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Hand over a table of plain numbers: rows by name, cells by column."""
    benchmark.extra_info.setdefault(TABLES, {})[name] = rows
