"""Generated requests at a running office, held to the OpenAPI document that it serves.

Schemathesis is run as its users run it, as a command, in a folder of its own. Beside what it
makes up it is given values that lead further: a policy's id, open questions, a real offer.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What chance would never find."""

    values: Mapping[str, Sequence[str]]
    """By parameter, as `path.identifier` or `body.policy`: taken in half of the cases."""
    bearers: Mapping[str, str]
    """By the name of the security scheme; left out where a check wants to see a refusal."""


_ACCEPTANCE = ("2xx", "3xx", "400", "401", "403", "404", "429")
"""What may become of a request that fits its schema.

400 is among them, because no schema says that JSON is strict (RFC 7493), that a slip has a check
character, or which code is known; 413, 415, 422 and 5xx are not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found."""

    passed: bool
    complete: bool
    cases: int
    reached: frozenset[str]
    """Operations whose request bodies, parameters or keys were accepted at least once."""
    told: str


def run(
    base_url: str,
    folder: Path,
    *,
    known: Known,
    examples: int,
    seed: int | None,
) -> Outcome:
    """Send generated requests to every operation of an office, and check every answer.

    Args:
        base_url: of an office that runs.
        folder: for what the run writes.
        known: what leads further than chance.
        examples: requests to each operation in each random phase, at most.
        seed: of the random numbers; none for the same requests in every run.
    """
    folder.mkdir(parents=True)
    (folder / "schemathesis.toml").write_text(_settings(known))
    chance = (
        ["--generation-deterministic"]
        if seed is None
        else ["--seed", str(seed), "--generation-database", "none"]
    )
    done = subprocess.run(
        [
            sys.executable, "-W", "error", "-m", "schemathesis.cli",
            "--no-color", "--config-file", "schemathesis.toml",
            "run", f"{base_url}/openapi.json",
            "--max-examples", str(examples), *chance,
            "--report", "json", "--report-json-path", "report.json",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    path = folder / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    return Outcome(
        passed=done.returncode == 0,
        complete=report.get("complete", False) and not report.get("errors", True),
        cases=report.get("test_cases", {}).get("generated", 0),
        reached=frozenset(
            operation
            for operation, phases in report.get("valid_rates", {}).items()
            if any(phase["accepted"] for phase in phases.values())
        ),
        told=told,
    )


def _settings(known: Known) -> str:
    # every check of Schemathesis is on unless it is named here
    lines = [
        "[checks]",
        "enabled = true",
        "[checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps(_ACCEPTANCE)}",
        # the secret of an answer is its name too: a wrong one finds nothing, which is 404
        "[[operations]]",
        'include-path = "/v1/requests/answer"',
        "checks.ignored_auth.enabled = false",
    ]
    for name, token in known.bearers.items():
        lines += [f"[auth.openapi.{name}]", f"bearer = {json.dumps(token)}"]
    for number, texts in enumerate(known.values.values()):
        lines += [f"[dictionaries.d{number}]", f"values = {json.dumps(list(texts))}"]
    lines.append("[parameters]")
    for number, name in enumerate(known.values):
        lines.append(f'"{name}" = {{ dictionary = "d{number}", probability = 0.5 }}')
    return "\n".join(lines) + "\n"
