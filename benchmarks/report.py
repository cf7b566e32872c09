"""Write `benchmarks/README.md` and its chart from `benchmarks/results/latest.json`.

`python -m benchmarks.report` writes both files; a test compares them with what is generated.
The measuring itself stands in `run.py`.
"""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.figures import FIGURES, PEERS, Figure

FOLDER = Path(__file__).parent
LATEST = FOLDER / "results" / "latest.json"
README = FOLDER / "README.md"
CHART = FOLDER / "results" / "chart.svg"

_INTRODUCTION = """\
# Benchmarks

`make bench` measures; this page and its chart are made from `results/latest.json` by
`python -m benchmarks.report`. Everything is a ratio between blocks that take turns in the same
run, because ratios travel between machines and absolute times do not.

**RAW2** is the least that any verifier of such a presentation must do: the issuer's and the
holder's P-256 signature, keys preloaded, nothing else.
"""

_METHOD = """\
## How it is measured

- Each round runs every block once, in an order that turns; a block verifies all presentations
  once. A figure is the median of the per-round ratios, its spread the quartiles. Time is
  `time.thread_time` (for Node the main thread's processor time, read from the kernel).
- Everything on: certificate path (kept by the exact `x5c`, its validity looked at in each call),
  both signatures, disclosures, key binding, times, type, status list, policy. Nothing of a
  holder is kept between calls: each presentation has its own holder key, salts and index.
- Signatures stubbed: the two signature checks, and the loading of the holder's key that only
  they need, do nothing; all else runs.
- No verifier keeps a holder's key, so each one is loaded, and used for the first time, inside the
  call: RAW2 with the holder's key loaded anew says what that alone costs.
- Peers are compared with our call without status and policy, the issuer's key given to them; what
  they leave out beside that makes them faster than they would otherwise be.
- HTTP: one worker pinned to one core, `wrk` with 16 connections on another, the in-process
  figure taken in the same run on the server's core. Higher is better; 1 would mean that HTTP
  costs nothing.
- Issuance: `credential_over_sign` is the format alone, from claims to the signed text;
  `batch20_over_raw20` adds what a wallet's 20 key proofs cost.
"""


def read(path: Path = LATEST) -> dict[str, Any]:
    """Read one run."""
    run: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return run


def readme(run: Mapping[str, Any]) -> str:
    """Write the page."""
    about = run["about"]
    parts = [
        _INTRODUCTION,
        "## Figures\n",
        _figures(run),
        _where_it_goes(run),
        "![What one verification costs, in units of RAW2](results/chart.svg)\n",
        "## Peers\n",
        _peers(about),
        _METHOD,
        "## This run\n",
        _about(about),
    ]
    return "\n".join(parts)


def _figures(run: Mapping[str, Any]) -> str:
    rows = ["| what | figure | spread | bar | |", "| --- | --- | --- | --- | --- |"]
    notes = []
    for figure in FIGURES:
        value = run[figure.id]
        bar = f"{figure.sign} {figure.bar:.2f}" if figure.bar is not None else ""
        if value is None:
            rows.append(f"| {figure.title} | - | | {bar} | not measured |")
            notes.append(f"`{figure.id}` was not measured: {run['about']['reasons'][figure.id]}.\n")
            continue
        spread = run["about"]["spread"][figure.id]
        rows.append(
            f"| {figure.title} | {value:.2f} | {spread['low']:.2f} to {spread['high']:.2f}"
            f" | {bar} | {_verdict(figure, value)} |"
        )
    return "\n".join([*rows, "", *notes])


def _where_it_goes(run: Mapping[str, Any]) -> str:
    """Take the first figure apart."""
    whole, fresh, rest = (
        run[f"sdjwt.{name}"]
        for name in ("verify_over_raw2", "fresh_holder_over_raw2", "overhead_over_raw2")
    )
    return (
        f"Of the {whole:.2f} that a verification costs, {fresh:.2f} are the two signatures with a\n"
        f"holder's key never seen before, {rest:.2f} is everything else when it runs alone, and\n"
        f"{whole - fresh - rest:.2f} is what both lose by taking turns: interpreted code and curve"
        " arithmetic\nevict each other from one core's caches and branch predictors.\n"
    )


def _verdict(figure: Figure, value: float) -> str:
    if figure.bar is None:
        return ""
    return "reached" if figure.reached(value) else "**missed**"


def _peers(about: Mapping[str, Any]) -> str:
    rows = ["| peer | version | what this call does not check |", "| --- | --- | --- |"]
    rows += [
        f"| {peer.name} | {about['versions'].get(peer.version, 'not run')} | {peer.omits} |"
        for peer in PEERS
    ]
    return "\n".join([*rows, ""])


def _about(about: Mapping[str, Any]) -> str:
    material = about["material"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        (
            f"- Measured on {about['day']}: {about['machine']['processor']},"
            f" {about['machine']['cores']} cores, {about['machine']['system']}"
            f" ({about['machine']['note']})."
        ),
        f"- {versions}.",
        (
            f"- {material['presentations']} distinct presentations of {material['octets']} octets"
            f" in the mean: {material['claims']} claims, {material['disclosed']} disclosed, `x5c`"
            f" of {material['certificates']}, status, key binding."
        ),
        f"- RAW2 took {about['raw2_us']:.0f} microseconds here.",
    ]
    return "\n".join([*lines, ""])


_WIDTH = 720
_LEFT = 300
_ROW = 34
_TOP = 46


def chart(run: Mapping[str, Any]) -> str:
    """Draw what one verification costs, as horizontal bars."""
    times: Mapping[str, float] = run["about"]["times_in_raw2"]
    bars = [
        ("two bare signature checks (RAW2)", 1.0, "#8a8f98"),
        ("idservice, everything on", times["verify"], "#0b6e4f"),
        ("idservice, status and policy off", times["verify_bare"], "#3d9970"),
        *(
            (peer.name.replace("`", ""), times[peer.time], "#b3541e")
            for peer in PEERS
            if peer.time in times
        ),
    ]
    scale = (_WIDTH - _LEFT - 70) / max(value for _, value, _ in bars)
    height = _TOP + _ROW * len(bars) + 12
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
            ' aria-labelledby="t" font-family="sans-serif" font-size="14">'
        ),
        '<title id="t">What one verification costs, in units of RAW2; shorter is better</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        (
            '<text x="16" y="26" font-weight="bold">One verification, in units of RAW2'
            " (shorter is better)</text>"
        ),
    ]
    for row, (name, value, colour) in enumerate(bars):
        y = _TOP + _ROW * row
        lines += [
            f'<text x="{_LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(name)}</text>',
            (
                f'<rect x="{_LEFT}" y="{y + 4}" width="{value * scale:.1f}" height="22"'
                f' fill="{colour}"/>'
            ),
            f'<text x="{_LEFT + value * scale + 8:.1f}" y="{y + 19}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Write both files."""
    run = read()
    README.write_text(readme(run), "utf-8")
    CHART.write_text(chart(run), "utf-8")


if __name__ == "__main__":
    main()
