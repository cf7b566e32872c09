"""One turn of a process's timer: what is due is done in a thread, and a fault ends no timer.

What is due, and how often somebody looks, stands with each process in `apps/`.
"""

import asyncio
from collections.abc import Callable

from idservice.errors import ServiceError
from idservice.web import redaction


async def turn(act: Callable[[], object], *, office: str) -> None:
    """Run one turn; a fault of ours costs this turn and one log line."""
    try:
        await asyncio.to_thread(act)
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
