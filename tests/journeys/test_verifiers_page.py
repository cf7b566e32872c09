"""The page for verifiers is true: its commands run, in order, and answer what it shows.

A block marked `sh` runs in one shell with those before it, so variables last. A block marked
`python` is saved under the name in its first line and run by a later `sh` block. A block marked
`output` is what the block before it prints, `…` standing for anything. A block marked `text` is
for people only.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "verifiers.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("8080", "8081")
PATIENCE = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of the page."""

    kind: str
    text: str


def blocks() -> list[Block]:
    return [Block(kind=kind, text=text) for kind, text in BLOCK.findall(PAGE.read_text())]


@pytest.fixture
def ports() -> Iterator[dict[str, str]]:
    """Hold a free port for each one on the page; bound, not listening, so nobody takes it."""
    held = []
    for _ in PORTS:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        held.append(one)
    yield {shown: str(one.getsockname()[1]) for shown, one in zip(PORTS, held, strict=True)}
    for one in held:
        one.close()


def script(folder: Path, ports: dict[str, str]) -> str:
    """Write what the page says as one script; the output of each block goes to its own file."""
    lines = ["set -eu"]
    for number, block in enumerate(blocks()):
        text = block.text
        for shown, port in ports.items():
            text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{port}")
            text = text.replace(f"--port {shown}", f"--port {port}")
        if block.kind == "python":
            name = text.partition("\n")[0].removeprefix("# ")
            assert re.fullmatch(r"[a-z]+\.py", name), "a program says its name first"
            (folder / name).write_text(text)
        elif block.kind == "sh":
            lines += ["{", text.rstrip("\n"), f"}} > {number}.out"]
    return "\n".join([*lines, "echo the end"])


def run(text: str, folder: Path) -> tuple[int, str]:
    """Run a script, and end whatever it started and left behind; return its code and words."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("IDSERVICE_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = folder / "said.txt"
    with said.open("wb") as file:
        shell = subprocess.Popen(
            ["bash", "-c", text],
            cwd=folder,
            env={**inherited, "PATH": path, "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        shell.wait(PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    return shell.returncode, said.read_text()


def fits(shown: str, printed: str) -> bool:
    """Compare what the page shows with what was printed; `…` stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")), reason="the page uses bash and curl"
)
def test_the_page_does_what_it_says(tmp_path: Path, ports: dict[str, str]) -> None:
    code, said = run(script(tmp_path, ports), tmp_path)
    outputs = {path.stem: path.read_text() for path in tmp_path.glob("*.out")}
    assert (code, said) == (0, "the end\n"), outputs
    compared = 0
    for number, block in enumerate(blocks()):
        if block.kind == "output":
            printed = outputs[str(number - 1)]
            assert fits(block.text, printed), f"shown:\n{block.text}\nprinted:\n{printed}"
            compared += 1
    assert compared > 5


def test_every_block_says_what_it_is_and_every_program_is_run() -> None:
    found = blocks()
    assert {block.kind for block in found} == {"sh", "python", "output", "text"}
    assert PAGE.read_text().count("```") == 2 * len(found)
    for number, block in enumerate(found):
        if block.kind == "output":
            assert found[number - 1].kind == "sh"
        if block.kind == "python":
            name = block.text.partition("\n")[0].removeprefix("# ")
            assert any(f"python {name}" in later.text for later in found[number:])


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [("a…c", "abc", True), ("a…c\n", "a\nb\nc", True), ("abc", "ab", False), ("a", "ab", False)],
)
def test_what_is_shown_is_compared_whole(shown: str, printed: str, *, expected: bool) -> None:
    assert fits(shown, printed) is expected
