"""Charts of the page: horizontal bars, written as SVG without any library."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from benchmarks.figures import PEERS

OURS, OURS_TOO, GIVEN, THEIRS = "#0b6e4f", "#3d9970", "#8a8f98", "#b3541e"

_WIDTH = 720
_LEFT = 300
_ROW = 34
_TOP = 46


class Bar(NamedTuple):
    """One line of a chart."""

    name: str
    value: float
    colour: str


def draw(bars: Sequence[Bar], *, title: str, heading: str) -> str:
    """Draw bars under a heading.

    Args:
        bars: from top to bottom.
        title: for those who do not see it.
        heading: for those who do.
    """
    scale = (_WIDTH - _LEFT - 70) / max(each.value for each in bars)
    height = _TOP + _ROW * len(bars) + 12
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
            ' aria-labelledby="t" font-family="sans-serif" font-size="14">'
        ),
        f'<title id="t">{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-weight="bold">{escape(heading)}</text>',
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


def sd_jwt(run: Mapping[str, Any]) -> str:
    """Draw what one verification costs."""
    times: Mapping[str, float] = run["about"]["times_in_raw2"]
    bars = [
        Bar("two bare signature checks (RAW2)", 1.0, GIVEN),
        Bar("idservice, everything on", times["verify"], OURS),
        Bar("idservice, status and policy off", times["verify_bare"], OURS_TOO),
        *(
            Bar(peer.name.replace("`", ""), times[peer.time], THEIRS)
            for peer in PEERS
            if peer.time in times
        ),
    ]
    return draw(
        bars,
        title="What one verification costs, in units of RAW2; shorter is better",
        heading="One verification, in units of RAW2 (shorter is better)",
    )


def bbs(run: Mapping[str, Any]) -> str:
    """Draw what one showing costs, alone and with others."""
    tables = run["about"]["tables"]
    alone = tables.get("bbs_ms", {}).get("the credential", {})
    bars = [
        Bar(name, alone[key], colour)
        for name, key, colour in (
            ("its group operations alone (floor)", "floor", GIVEN),
            ("verified alone", "verify_proof", OURS),
            ("verified alone, on arkworks", "arkworks", THEIRS),
        )
        if key in alone
    ]
    for size, cells in tables.get("bbs_batch_ms", {}).items():
        if int(size) > 1:
            bars.append(Bar(f"in a batch of {int(size):,}", cells["blst"], OURS_TOO))
    if not bars:
        bars = [Bar("not measured yet", 1.0, GIVEN)]
    return draw(
        bars,
        title="What verifying one BBS showing costs, in milliseconds; shorter is better",
        heading="One BBS showing, in milliseconds (shorter is better)",
    )
