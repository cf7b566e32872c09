"""A peer in a process of its own, spoken to over standard input and output, which times itself.

The scripts lie in `node/`; which peers they are is `peers`.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent / "node"

Ask = Callable[[object], dict[str, float]]
"""Sends one JSON value to a peer and returns its answer."""


def why_none() -> str | None:
    """Say why the Node peer cannot run here, if it cannot."""
    if shutil.which("node") is None:
        return "Node is not installed on this machine"
    if not (FOLDER / "node_modules").is_dir():
        return "`npm ci` has not been run in benchmarks/node"
    return None


@contextmanager
def talk(script: str, first: Mapping[str, object]) -> Iterator[Ask]:
    """Run a peer in a process of its own, which is told `first` what there is and times itself."""
    with subprocess.Popen(  # noqa: S603 - scripts of this folder
        ["node", script],  # noqa: S607 - whichever Node the machine has
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answered = process.stdin, process.stdout

        def ask(said: object) -> dict[str, float]:
            asked.write(json.dumps(said) + "\n")
            asked.flush()
            answer: dict[str, float] = json.loads(answered.readline())
            return answer

        ask(first)
        yield ask
        asked.close()
