"""Plots of a run as SVG: how far each adversary is from its ideal world, and the whole curves.

Written by hand; colours follow the reader's light or dark scheme.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from idservice.linkability import game
from idservice.linkability.game import Row

_STYLE: Final = """<style>
text{fill:#1c1e21;font:13px sans-serif}.paper{fill:#fff}.axis{stroke:#767b83;fill:none}
.band{fill:#dcefe6}.real{stroke:#0b6e4f;fill:#0b6e4f}.bad{stroke:#b3541e;fill:#b3541e}
.ideal{stroke:#767b83}.v{stroke:#0b6e4f}.d{stroke:#1d5fa8}.m{stroke:#b3541e}.i{stroke:#8a4baf}
.line{fill:none;stroke-width:2}.dash{stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){text{fill:#e6e8eb}.paper{fill:#16181c}.band{fill:#173d2f}
.real{stroke:#5fd3a4;fill:#5fd3a4}.bad{stroke:#f0965a;fill:#f0965a}.v{stroke:#5fd3a4}
.d{stroke:#7db5f0}.m{stroke:#f0965a}.i{stroke:#c79be6}}
</style>"""
_WIDTH: Final = 720
_LEFT: Final = 270
_ROW: Final = 30
_TOP: Final = 52
_REACH: Final = 0.03
"""Difference at the edge of the plot; what lies beyond is drawn at the edge."""
_CLASSES: Final = ("v", "d", "m", "i")
_PANEL: Final = 320
_LEAST: Final = 1e-4
_TICKS: Final = ((_LEAST, "0.01 %", "start"), (0.01, "1 %", "middle"), (1.0, "100 %", "end"))


def differences(rows: Sequence[Row]) -> str:
    """Draw each row's AUC minus that of its ideal world, with its 99 % interval."""
    height = _TOP + _ROW * len(rows) + 40
    scale = (_WIDTH - _LEFT - 90) / (2 * _REACH)

    def across(value: float) -> float:
        return _LEFT + (min(max(value, -_REACH), _REACH) + _REACH) * scale

    bottom = _TOP + _ROW * len(rows)
    lines = _begin(_WIDTH, height, "AUC minus that of the ideal world, with 99 % intervals")
    band = across(game.BOUND) - across(-game.BOUND)
    lines.append(
        f'<rect class="band" x="{across(-game.BOUND):.1f}" y="{_TOP - 8}" width="{band:.1f}"'
        f' height="{bottom - _TOP + 8}"/>'
    )
    for value in (-game.BOUND, 0.0, game.BOUND):
        lines += [
            (
                f'<line class="axis" x1="{across(value):.1f}" x2="{across(value):.1f}"'
                f' y1="{_TOP - 8}" y2="{bottom}"/>'
            ),
            (
                f'<text x="{across(value):.1f}" y="{bottom + 18}" text-anchor="middle">'
                f"{value:g}</text>"
            ),
        ]
    for place, row in enumerate(rows):
        y = _TOP + _ROW * place + 12
        apart = row.difference
        kind = "real" if apart.within(game.BOUND, of=0) else "bad"
        beyond = f" {apart.value:+.2f}" if abs(apart.value) > _REACH else ""
        lines += [
            f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(_name(row))}</text>',
            (
                f'<line class="{kind}" stroke-width="2" x1="{across(apart.low):.1f}"'
                f' x2="{across(apart.high):.1f}" y1="{y}" y2="{y}"/>'
            ),
            f'<circle class="{kind}" cx="{across(apart.value):.1f}" cy="{y}" r="4"/>',
            f'<text x="{across(apart.high) + 8:.1f}" y="{y + 4}">{beyond}</text>',
        ]
    return _end(lines)


def curves(rows: Sequence[Row]) -> str:
    """Draw true against false positive rates, both logarithmic, a panel for each format."""
    names = list(dict.fromkeys(row.format for row in rows))
    width = 40 + (_PANEL + 40) * len(names)
    most = max(sum(row.format == name for row in rows) for name in names)
    height = _TOP + _PANEL + 50 + 18 * most
    lines = _begin(width, height, "True against false positive rate; dashed: the ideal world")
    for panel, name in enumerate(names):
        left = 60 + (_PANEL + 40) * panel
        lines += _axes(left, name)
        for place, row in enumerate(row for row in rows if row.format == name):
            kind = _CLASSES[place % len(_CLASSES)]
            y = _TOP + _PANEL + 46 + 18 * place
            lines += [
                f'<polyline class="line ideal dash" points="{_points(row, 2, left)}"/>',
                f'<polyline class="line {kind}" points="{_points(row, 1, left)}"/>',
                f'<line class="line {kind}" x1="{left}" x2="{left + 24}" y1="{y}" y2="{y}"/>',
                f'<text x="{left + 32}" y="{y + 4}">{escape(_case(row))}</text>',
            ]
    return _end(lines)


def _axes(left: float, name: str) -> list[str]:
    lines = [
        f'<rect class="axis" x="{left}" y="{_TOP}" width="{_PANEL}" height="{_PANEL}"/>',
        f'<text x="{left + 8}" y="{_TOP + 18}" font-weight="bold">{escape(name)}</text>',
    ]
    for rate, label, anchor in _TICKS:
        along = _along(rate)
        lines.append(
            f'<text x="{left + along:.0f}" y="{_TOP + _PANEL + 18}" text-anchor="{anchor}">'
            f"{label}</text>"
        )
        if rate > _LEAST and left < _PANEL:
            lines.append(
                f'<text x="{left - 6}" y="{_TOP + _PANEL - along + 4:.0f}" text-anchor="end">'
                f"{label}</text>"
            )
    return lines


def _points(row: Row, column: int, left: float) -> str:
    return " ".join(
        f"{left + _along(point[0]):.1f},{_TOP + _PANEL - _along(point[column]):.1f}"
        for point in row.curve
        if point[0] > 0
    )


def _along(rate: float) -> float:
    return _PANEL * (1 - math.log10(max(rate, _LEAST)) / math.log10(_LEAST))


def _name(row: Row) -> str:
    return f"{row.format}, {_case(row)}"


def _case(row: Row) -> str:
    return f"{row.adversary.value}: {row.links}"


def _begin(width: int, height: int, title: str) -> list[str]:
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            ' aria-labelledby="t">'
        ),
        f'<title id="t">{escape(title)}</title>',
        _STYLE,
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text x="16" y="26" font-weight="bold">{escape(title)}</text>',
    ]


def _end(lines: list[str]) -> str:
    return "\n".join([*lines, "</svg>", ""])
