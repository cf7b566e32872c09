"""Measure everything and write `results/latest.json`, then the page made from it.

`python -m benchmarks.run`. pytest-benchmark runs and stores the single benchmarks (its file stays
in `.benchmarks/`, which is not tracked); here one number per figure is kept, with machine,
versions, sizes and spread. Host name and commit are left out: they tell whose machine it was.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

from benchmarks import material, peers, record, report
from benchmarks.figures import BBS_PEERS, FIGURES
from crypto.bls import curve
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
_DISTRIBUTIONS = (
    "cryptography",
    "ckzg",
    "py-arkworks-bls12381",
    "orjson",
    "pybase64",
    "uvicorn",
    "starlette",
)
_NODE_PEERS = (
    "@sd-jwt/sd-jwt-vc",
    *(peer.name for peer in BBS_PEERS),
)
_OPTIMISING = ("-O", "-flto", "-fprofile-use", "-march", "-mtune", "-fno-semantic-interposition")
_PEERS = ("sd-jwt", "openvc-core")


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
            "machine": _machine(load),
            "versions": _versions(),
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


def _machine(load: float) -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "note": f"load average {load:.1f} when it began",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def _versions() -> dict[str, str]:
    versions = {
        "Python": platform.python_version(),
        "built": _build(),
        "curve backend": curve.BACKEND.name,
        "OpenSSL": _openssl(),
    }
    versions |= {name: metadata.version(name) for name in (*_DISTRIBUTIONS, *_PEERS)}
    if peers.why_no_node() is None:
        lock = json.loads((peers.NODE_FOLDER / "package-lock.json").read_text("utf-8"))
        versions["Node"] = subprocess.run(
            ["node", "--version"],  # noqa: S607 - whichever Node the machine has
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in _NODE_PEERS:
            versions[name] = lock["packages"][f"node_modules/{name}"]["version"]
    return versions


def _build() -> str:
    """Say how the interpreter was compiled; options that name places are left out."""
    asked = shlex.split(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = shlex.split(
        " ".join(sysconfig.get_config_var(name) or "" for name in ("PY_CFLAGS", "PY_CFLAGS_NODIST"))
    )
    chosen = dict.fromkeys(each for each in flags if each.startswith(_OPTIMISING))
    options = [each for each in asked if each.startswith("--") and "/" not in each]
    if "--enable-optimizations" not in options:
        options.append("without --enable-optimizations")
    return " ".join(["with", platform.python_compiler(), *chosen, "configured", *options])


def _openssl() -> str:
    """Name the OpenSSL inside `cryptography`."""
    return backend.openssl_version_text().split()[1]


if __name__ == "__main__":
    main()
