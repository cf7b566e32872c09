"""The processes of a city on one machine, each with its own port, folder and databases.

Each office listens on a socket that is bound before its base address is written anywhere, and
is handed to the process; so no port is guessed, and an office can be stopped and started again
at another time of day without losing its address. Everything is done through the `idservice`
command, as a city would do it.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from idservice.demonstration.processes import Ended, Forked, Fresh, Processes, Running

PATIENCE: Final = 30.0
"""Seconds that an office has to become ready or to stop."""


class Stuck(Exception):
    """An office did not start, or a command failed, with what it printed."""


@dataclass(kw_only=True)
class _Office:
    socket: socket.socket
    base_url: str
    process: Running | None = None


@dataclass(kw_only=True)
class Stage:
    """Offices that run, by name; use it as `with stage.opened(folder) as city`."""

    folder: Path
    processes: Processes
    _offices: dict[str, _Office] = field(default_factory=dict)

    def reserve(self, name: str, *, host: str = "127.0.0.1") -> str:
        """Bind a free port for an office and return its base address."""
        bound = socket.create_server((host, 0), backlog=128)
        bound.set_inheritable(True)
        base_url = f"http://{host}:{bound.getsockname()[1]}"
        self._offices[name] = _Office(socket=bound, base_url=base_url)
        return base_url

    def base_url(self, name: str) -> str:
        """Return the base address of an office."""
        return self._offices[name].base_url

    def run(self, *arguments: str, given: str | None = None) -> Ended:
        """Run one `idservice` command to its end, whatever it answers."""
        try:
            return self.processes.run(arguments, given=given)
        except TimeoutError as error:
            raise Stuck(f"idservice {arguments[0]} does not end") from error

    def command(self, *arguments: str, given: str | None = None) -> str:
        """Run one `idservice` command that must succeed, and return what it printed."""
        done = self.run(*arguments, given=given)
        if done.code:
            raise Stuck(f"idservice {arguments[0]} failed: {done.out}{done.err}")
        return done.out

    def answer(self, *arguments: str, given: str | None = None) -> dict[str, object]:
        """Run one `idservice` command with `--json` and return what it answered."""
        answered: dict[str, object] = json.loads(self.command(*arguments, "--json", given=given))
        return answered

    def start(self, name: str, kind: str, folder: Path, *, clock_offset: int = 0) -> None:
        """Start an office on its reserved socket; return when the process exists."""
        office = self._offices[name]
        arguments = ("serve", kind, "--folder", str(folder), "--clock-offset", str(clock_offset))
        log = self._log_path(name)
        office.process = self.processes.start(arguments, listening=office.socket, log=log)

    def ready(self, *names: str) -> None:
        """Wait until the offices answer that they can do their work."""
        deadline = time.monotonic() + PATIENCE
        for name in names:
            office = self._offices[name]
            while not self._is_ready(office):
                ended = office.process is None or office.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise Stuck(f"the office {name} is not ready: {self.log(name)}")
                time.sleep(0.03)

    @staticmethod
    def _is_ready(office: _Office) -> bool:
        try:
            return httpx.get(f"{office.base_url}/readyz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def stop(self, *names: str) -> None:
        """Ask offices to stop, and wait until they have."""
        running = [process for name in names if (process := self._offices[name].process)]
        for process in running:
            process.terminate()
        for process in running:
            process.wait(PATIENCE)

    def kill(self, name: str) -> None:
        """Kill an office without warning, as a power cut would."""
        process = self._offices[name].process
        if process is not None:
            process.kill()
            process.wait(PATIENCE)

    def log(self, name: str) -> str:
        """Return everything that an office has printed since the stage was opened."""
        path = self._log_path(name)
        return path.read_text() if path.exists() else ""

    def _log_path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def close(self) -> None:
        """Stop every office and give the ports back."""
        self.stop(*self._offices)
        for office in self._offices.values():
            office.socket.close()


@contextmanager
def opened(folder: Path, **environment: str) -> Iterator[Stage]:
    """Open a stage in a folder and close it at the end, whatever happened."""
    yield from _closed(Stage(folder=folder, processes=Fresh(environment)))


@contextmanager
def quick(folder: Path) -> Iterator[Stage]:
    """Open a stage whose processes have loaded their code when they begin."""
    yield from _closed(Stage(folder=folder, processes=Forked()))


def _closed(stage: Stage) -> Iterator[Stage]:
    try:
        yield stage
    finally:
        stage.close()
