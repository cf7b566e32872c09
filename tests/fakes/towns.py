"""A running town for tests: the demonstration's processes, founded once for a module."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from idservice import clock
from idservice.apps import issuer, settings, verifier
from idservice.demonstration import cast, stage, town
from idservice.demonstration.town import Counter, Town

Json = dict[str, object]


@contextmanager
def running(
    folder: Path, *, verifiers: Sequence[str] = ("library",), test_hooks: bool = False
) -> Iterator[Town]:
    """Found a town and start its offices; stop them at the end."""
    with stage.opened(folder) as opened:
        found = town.found(opened, verifiers=verifiers, test_hooks=test_hooks)
        found.start()
        yield found


def enrol(found: Town, record: cast.Json) -> Json:
    """Enrol somebody at the desk of a running town; return offer, code and slip."""

    return found.stage.answer(
        "enrol", "--folder", str(found.issuer_folder), "--from", "-", "--guardian-present",
        given=json.dumps(record),
    )  # fmt: skip


def start_request(counter: Counter, **more: object) -> Json:
    """Start a request as a counter does."""
    response = httpx.post(
        f"{counter.base_url}/v1/requests",
        headers={"Authorization": f"Bearer {counter.api_key}"},
        json={"policy": counter.policy, **more},
    )
    assert response.status_code == httpx.codes.CREATED, response.text
    started: Json = response.json()
    return started


def fetch_answer(counter: Counter, started: Json) -> httpx.Response:
    """Fetch what became of a request."""
    return httpx.get(
        f"{counter.base_url}/v1/requests/answer",
        headers={"Authorization": f"Bearer {started['answer_secret']}"},
    )


def reap_later(found: Town, *, offset: int) -> None:
    """Do what the timer of each office does at another time of day, as one more replica."""
    chance, late = os.urandom, clock.SystemClock(offset=offset)
    told = settings.issuer(found.issuer_folder, environ={})
    office = issuer.assemble(told, clock=late, random_bytes=chance)
    office.schedule.reap()
    office.close()
    for counter in found.counters.values():
        desk = verifier.assemble(
            settings.verifier(counter.folder, environ={}), clock=late, random_bytes=chance
        )
        desk.service.reap()
        desk.close()
