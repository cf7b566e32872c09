"""Turns of a timer: a stopping process waits for what has begun, and for nothing that is stuck."""

import asyncio
import contextlib
import subprocess
import sys
import threading

from idservice.web import timers

STUCK = """
import asyncio, threading
from idservice.web import timers
timers.GRACE = 0.01
begun = threading.Event()
def act():
    begun.set()
    threading.Event().wait()
async def stop():
    turn = asyncio.create_task(timers.turn(act, office="test"))
    await asyncio.to_thread(begun.wait)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
asyncio.run(stop())
"""


def test_a_stuck_turn_does_not_hold_the_process() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", STUCK], timeout=60, check=False)
    assert done.returncode == 0


def test_a_turn_that_has_begun_comes_to_its_end() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def act() -> None:
        begun.set()
        go_on.wait()
        done.append("all of it")

    async def stop() -> None:
        turn = asyncio.create_task(timers.turn(act, office="test"))
        await asyncio.to_thread(begun.wait)
        turn.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        with contextlib.suppress(asyncio.CancelledError):
            await turn
        assert turn.cancelled()
        assert done == ["all of it"]

    asyncio.run(stop())
