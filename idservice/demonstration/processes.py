"""How the commands of a city become processes of their own: begun anew, or forked.

`Fresh` begins the interpreter anew, as a shell does: every process loads its own code and sees
its own environment. `Forked` forks a process that has loaded everything once, because a story of
forty commands would be mostly loading; what such a process is told, does and answers is the same,
but it holds code that it never calls.
"""

import importlib
import io
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, Protocol

import idservice

PATIENCE: Final = 60.0
"""Seconds that a command has to end."""

_COMMAND: Final = (sys.executable, "-c", "from idservice.cli.main import app; app()")
_OWN: Final = "IDSERVICE_"
"""What variables of ours begin with: none is inherited."""

_LOADED: Final = (
    "alembic.command",
    "idservice.apps.governance.process",
    "idservice.apps.issuer",
    "idservice.apps.verifier",
    "idservice.cli.board",
    "idservice.cli.enrol",
    "idservice.cli.init",
    "idservice.cli.log",
    "idservice.cli.main",
    "idservice.cli.serve",
    "idservice.cli.voting",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command answered."""

    code: int
    out: str
    err: str


class Running(Protocol):
    """A process that goes on until it is told to stop."""

    @property
    def pid(self) -> int | None:
        """Its number."""

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it without warning, as a power cut would."""

    def wait(self, timeout: float) -> object:
        """Wait some seconds for it to end."""


class Processes(Protocol):
    """Somebody who begins processes."""

    def run(self, arguments: Sequence[str], *, given: str | None) -> Ended:
        """Run one `idservice` command to its end.

        Raises:
            TimeoutError: it does not end.
        """

    def start(self, arguments: Sequence[str], *, listening: socket.socket, log: Path) -> Running:
        """Begin a command that serves a socket: `--fd` with its number is added."""


class Fresh:
    """Begins the interpreter anew for each."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OWN)}
        source = str(Path(idservice.__file__).parents[1])
        self._environment = {**inherited, "PYTHONPATH": source, **environment}

    def run(self, arguments: Sequence[str], *, given: str | None) -> Ended:
        """Run one command to its end."""
        try:
            done = subprocess.run(  # noqa: S603, our own command
                [*_COMMAND, *arguments],
                input=given,
                capture_output=True,
                text=True,
                env=self._environment,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, arguments: Sequence[str], *, listening: socket.socket, log: Path) -> Running:
        """Begin a command that serves."""
        descriptor = listening.fileno()
        with log.open("ab") as said:
            return subprocess.Popen(  # noqa: S603, our own command
                [*_COMMAND, *arguments, "--fd", str(descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )


class _Fork(ForkServerProcess):
    """A forked process, with the words of the others."""

    def poll(self) -> int | None:
        """Return how it ended."""
        return self.exitcode

    def wait(self, timeout: float) -> None:
        """Wait for its end."""
        self.join(timeout)


class Forked:
    """Forks a process that has loaded everything, and begins to load it at once."""

    def __init__(self) -> None:
        forkserver.set_forkserver_preload(list(_LOADED))
        forkserver.ensure_running()

    def run(self, arguments: Sequence[str], *, given: str | None) -> Ended:
        """Run one command to its end."""
        here, there = multiprocessing.Pipe(duplex=False)
        process = _Fork(target=_run, args=(there, tuple(arguments), given or ""))
        process.start()
        there.close()
        with here:
            if not here.poll(PATIENCE):
                process.kill()
                raise TimeoutError
            try:
                ended: Ended = here.recv()
            except EOFError:  # it died before it could answer, and has said so
                process.join()
                return Ended(code=process.exitcode or 1, out="", err="")
        process.join()
        return ended

    def start(self, arguments: Sequence[str], *, listening: socket.socket, log: Path) -> Running:
        """Begin a command that serves."""
        process = _Fork(target=_serve, args=(tuple(arguments), listening, log))
        process.start()
        return process


def _run(told: Connection, arguments: tuple[str, ...], given: str) -> None:
    """Be a command, and tell what it answers."""
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = _be(arguments)
    told.send(Ended(code=code, out=_text(out), err=_text(err)))


def _text(written: io.TextIOWrapper) -> str:
    written.seek(0)
    return written.read()


def _serve(arguments: tuple[str, ...], listening: socket.socket, log: Path) -> None:
    """Be a command that serves, and print into a file."""
    with log.open("ab") as said:
        for descriptor in (1, 2):
            os.dup2(said.fileno(), descriptor)
    sys.exit(_be((*arguments, "--fd", str(listening.detach()))))


def _be(arguments: tuple[str, ...]) -> int:
    for name in [each for each in os.environ if each.startswith(_OWN)]:
        del os.environ[name]
    try:
        importlib.import_module("idservice.cli.main").app(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
