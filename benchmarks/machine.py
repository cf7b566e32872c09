"""On what a run was measured: machine, interpreter and its build, libraries, peers.

No host name, no path: they tell whose machine it was.
"""

import json
import os
import platform
import shlex
import subprocess
import sysconfig
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

from benchmarks import node_process
from benchmarks.figures import BBS_PEERS
from crypto.bls import curve

_DISTRIBUTIONS = (
    "cryptography",
    "ckzg",
    "py-arkworks-bls12381",
    "orjson",
    "pybase64",
    "uvicorn",
    "starlette",
)
_PEERS = ("sd-jwt", "openvc-core")
_NODE_PEERS = ("@sd-jwt/sd-jwt-vc", *(peer.name for peer in BBS_PEERS))
_OPTIMISING = ("-O", "-flto", "-fprofile-use", "-march", "-mtune", "-fno-semantic-interposition")
_GUIDED = "--enable-optimizations"


def describe(load: float) -> dict[str, Any]:
    """Say what machine this is, and how busy it was."""
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


def versions() -> dict[str, str]:
    """Name what was measured, the interpreter and how it was built first."""
    found = {
        "Python": platform.python_version(),
        "built": build(),
        "curve backend": curve.BACKEND.name,
        "OpenSSL": _openssl(),
    }
    for name in (*_DISTRIBUTIONS, *_PEERS):
        with suppress(metadata.PackageNotFoundError):  # a peer, where only the tests are set up
            found[name] = metadata.version(name)
    if node_process.why_none() is None:
        lock = json.loads((node_process.FOLDER / "package-lock.json").read_text("utf-8"))
        found["Node"] = subprocess.run(
            ["node", "--version"],  # noqa: S607 - whichever Node the machine has
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in _NODE_PEERS:
            found[name] = lock["packages"][f"node_modules/{name}"]["version"]
    return found


def build() -> str:
    """Say how the interpreter was compiled; options that name places are left out."""
    asked = shlex.split(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = shlex.split(
        " ".join(sysconfig.get_config_var(name) or "" for name in ("PY_CFLAGS", "PY_CFLAGS_NODIST"))
    )
    chosen = dict.fromkeys(each for each in flags if each.startswith(_OPTIMISING))
    options = [each for each in asked if each.startswith("--") and "/" not in each]
    if _GUIDED not in options:
        options.append(f"without {_GUIDED}")
    return " ".join(["with", platform.python_compiler(), *chosen, "configured", *options])


def _openssl() -> str:
    """Name the OpenSSL inside `cryptography`."""
    return backend.openssl_version_text().split()[1]
