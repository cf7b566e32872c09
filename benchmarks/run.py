"""Measure everything and write `results/latest.json`, then the page made from it.

`python -m benchmarks.run`. pytest-benchmark runs and stores the single benchmarks (its file stays
in `.benchmarks/`, which is not tracked); here one number per figure is kept, with machine,
versions, sizes and spread. Host name and commit are left out: they tell whose machine it was.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine, material, record, report
from benchmarks.figures import FIGURES
from idservice import clock, period

HERE = Path(__file__).parent
STORED = HERE.parent / ".benchmarks" / "latest-raw.json"
BENCHMARKS = (
    "bench_sdjwt.py",
    "bench_bbs.py",
    "bench_issuance.py",
    "bench_http.py",
    "bench_log.py",
    "bench_register.py",
)


def main() -> None:
    """Run, keep, write."""
    load = os.getloadavg()[0]
    STORED.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    files = [str(HERE / name) for name in BENCHMARKS]
    subprocess.run(  # noqa: S603 - a fixed command
        [*command, *files, f"--benchmark-json={STORED}"], cwd=HERE.parent, check=True
    )
    stored = json.loads(STORED.read_text("utf-8"))
    result = summary([each["extra_info"] for each in stored["benchmarks"]], load=load)
    report.LATEST.parent.mkdir(exist_ok=True)
    report.LATEST.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    report.main()


def summary(extras: list[dict[str, Any]], *, load: float) -> dict[str, Any]:
    """Make one number per figure, and say how it came about."""
    found: dict[str, dict[str, Any]] = {}
    reasons: dict[str, str] = {}
    times: dict[str, float] = {}
    tables: dict[str, dict[str, Any]] = {}
    for extra in extras:
        found |= extra.get(record.FIGURES, {})
        reasons |= extra.get(record.REASONS, {})
        times |= extra.get(record.TIMES, {})
        for name, rows in extra.get(record.TABLES, {}).items():
            tables.setdefault(name, {}).update(rows)
    for figure in FIGURES:
        if figure.id not in found:
            reasons.setdefault(figure.id, "nothing measures it yet")
    values = {
        figure.id: round(found[figure.id]["median"], 3) if figure.id in found else None
        for figure in FIGURES
    }
    spread = {
        name: {
            "low": round(one["low"], 3),
            "high": round(one["high"], 3),
            "rounds": one["rounds"],
        }
        for name, one in found.items()
        if name in values
    }
    first = next(extra for extra in extras if "raw2_us" in extra)
    return {
        **values,
        "about": {
            "day": period.day(clock.SystemClock().now()).isoformat(),
            "machine": machine.describe(load),
            "versions": machine.versions(),
            "material": {
                "presentations": material.PRESENTATIONS,
                "claims": len(material.CLAIMS),
                "disclosed": len(material.SHOWN),
                "certificates": "one certificate",
                "octets": first["octets"],
            },
            "raw2_us": round(first["raw2_us"], 1),
            "spread": spread,
            "times_in_raw2": {name: round(value, 3) for name, value in times.items()},
            "tables": tables,
            "reasons": reasons,
        },
    }


if __name__ == "__main__":
    main()
