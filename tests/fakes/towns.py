"""A running town for tests: the demonstration's processes, founded once for a module."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

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
