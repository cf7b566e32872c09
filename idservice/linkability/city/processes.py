"""Run the same work in several processes, each told its own part, and wait for all."""

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")

Work = Callable[[Part, Callable[[int], None]], Done]
"""A function of a module; it is handed what it reports its steps to."""


class Failed(Exception):
    """A process ended without its result; the text is what it raised."""


class _Waiting(Generic[Part, Done]):
    """Processes at work and what they have handed in."""

    def __init__(self, work: Work[Part, Done], parts: Sequence[Part]) -> None:
        context = multiprocessing.get_context("spawn")
        self.done: dict[int, Done] = {}
        self._processes: list[SpawnProcess] = []
        self._open: dict[Connection, int] = {}
        for place, part in enumerate(parts):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(work, part, there), daemon=True)
            process.start()
            there.close()
            self._open[here] = place
            self._processes.append(process)

    def hear(self, progress: Callable[[int], None]) -> bool:
        """Take what has been told; say whether more is to come."""
        for pipe in wait([*self._open]):
            if isinstance(pipe, Connection):
                self._take(pipe, progress)
        return bool(self._open)

    def _take(self, pipe: Connection, progress: Callable[[int], None]) -> None:
        try:
            kind, told = pipe.recv()
        except EOFError as error:
            raise Failed("it was killed") from error
        if kind == "steps":
            progress(told)
        elif kind == "done":
            self.done[self._open.pop(pipe)] = told
        else:
            raise Failed(told)

    def end(self) -> None:
        """Wait for the processes; those that have not handed in are stopped."""
        for process in self._processes:
            if self._open:
                process.terminate()
            process.join()


def side_by_side(
    work: Work[Part, Done], parts: Sequence[Part], progress: Callable[[int], None]
) -> list[Done]:
    """Do the work for each part in a process of its own.

    Raises:
        Failed: what one of them raised; the others are stopped.
    """
    waiting = _Waiting(work, parts)
    try:
        while waiting.hear(progress):
            pass
    finally:
        waiting.end()
    return [waiting.done[place] for place in range(len(parts))]


def _work(work: Work[Part, Done], part: Part, pipe: Connection) -> None:
    try:
        pipe.send(("done", work(part, lambda steps: pipe.send(("steps", steps)))))
    except Exception as error:  # noqa: BLE001, it is told to the process that waits
        pipe.send(("failed", f"{type(error).__name__}: {error}"))
    finally:
        pipe.close()
