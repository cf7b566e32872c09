"""Do the same work in several processes, each told its own part, and wait for all."""

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, Protocol, TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")


class Progress(Protocol):
    """Is told what is being done, and how far it is."""

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Announce a stretch of work; call what is returned with each number of steps done."""
        ...


Work = Callable[[Part, Progress], Done]
"""A function of a module, so that another process finds it."""


class Failed(Exception):
    """A process ended without its result; the text is what it raised."""


class _Told:
    """The progress of a process, told to the one that waits; one stretch at a time."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Say that a stretch begins."""
        self._pipe.send(("begin", (what, total)))
        return lambda steps: self._pipe.send(("steps", steps))


class _Waiting(Generic[Part, Done]):
    """Processes at work and what they have handed in."""

    def __init__(self, work: Work[Part, Done], parts: Sequence[Part], progress: Progress) -> None:
        context = multiprocessing.get_context("spawn")
        self.done: dict[int, Done] = {}
        self._progress = progress
        self._processes: list[SpawnProcess] = []
        self._open: dict[Connection, int] = {}
        self._step: dict[Connection, Callable[[int], None]] = {}
        for place, part in enumerate(parts):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(work, part, there), daemon=True)
            process.start()
            there.close()
            self._open[here] = place
            self._processes.append(process)

    def hear(self) -> bool:
        """Take what has been told; say whether more is to come."""
        for pipe in wait([*self._open]):
            if isinstance(pipe, Connection):
                self._take(pipe)
        return bool(self._open)

    def _take(self, pipe: Connection) -> None:
        try:
            kind, told = pipe.recv()
        except EOFError as error:
            raise Failed("one of its processes was killed") from error
        match kind:
            case "begin":
                self._step[pipe] = self._progress.begin(*told)
            case "steps":
                self._step[pipe](told)
            case "done":
                self.done[self._open.pop(pipe)] = told
            case _:
                raise Failed(told)

    def end(self) -> None:
        """Wait for the processes; those that have not handed in are stopped."""
        for process in self._processes:
            if self._open:
                process.terminate()
            process.join()


def side_by_side(work: Work[Part, Done], parts: Sequence[Part], progress: Progress) -> list[Done]:
    """Do the work for each part in a process of its own; for a single part, in this one.

    Raises:
        Failed: what one of them raised; the others are stopped.
    """
    if len(parts) == 1:
        return [work(parts[0], progress)]
    waiting = _Waiting(work, parts, progress)
    try:
        while waiting.hear():
            pass
    finally:
        waiting.end()
    return [waiting.done[place] for place in range(len(parts))]


def _work(work: Work[Part, Done], part: Part, pipe: Connection) -> None:
    try:
        pipe.send(("done", work(part, _Told(pipe))))
    except Exception as error:  # noqa: BLE001, it is told to the process that waits
        pipe.send(("failed", f"{type(error).__name__}: {error}"))
    finally:
        pipe.close()
