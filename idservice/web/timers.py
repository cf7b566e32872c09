"""One turn of a process's timer: what is due is done in a thread, and a fault ends no timer.

What is due, and how often somebody looks, stands with each process in `apps/`. A process that
stops lets a turn that has begun come to its end, but waits for none that is stuck: whatever a turn
writes is whole or not there.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from idservice.errors import ServiceError
from idservice.web import redaction

GRACE: Final = 5.0
"""Seconds that a stopping process gives to a turn that has begun."""


async def turn(act: Callable[[], object], *, office: str) -> None:
    """Run one turn; a fault of ours costs this turn and one log line."""
    ended: Future[None] = Future()

    def run() -> None:
        _run(act, office)
        ended.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    ending = asyncio.wrap_future(ended)
    try:
        await asyncio.shield(ending)
    finally:
        await asyncio.wait([ending], timeout=GRACE)


def _run(act: Callable[[], object], office: str) -> None:
    try:
        act()
    except ServiceError:
        return  # the database is away; the next turn tries again
    except Exception as error:  # noqa: BLE001, a timer must outlive a fault, and say so without data
        redaction.to_standard_error(
            redaction.line(
                event="fault",
                office=office,
                route="timer",
                error=type(error).__name__,
                where=redaction.where(error.__traceback__),
            )
        )
