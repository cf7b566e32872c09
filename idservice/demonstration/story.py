"""What every scene shares: the town, the residents with their phones, and how a verifier asks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from idservice import clock, period
from idservice.catalogue import FORMAT
from idservice.demonstration import cast, ledger
from idservice.demonstration.household import Holder, Household
from idservice.demonstration.narrator import Narrator
from idservice.demonstration.stage import Stuck
from idservice.demonstration.town import Town
from idservice.wallet import consent
from idservice.wallet.question import Objection, Question


@dataclass(kw_only=True)
class Story:
    """Everything that the acts share."""

    town: Town
    narrator: Narrator
    household: Household
    records: dict[str, cast.Json]
    slips: dict[str, str] = field(default_factory=dict, repr=False)
    holders: dict[str, Holder] = field(default_factory=dict)
    clock_offset: int = 0
    """Seconds by which issuer and library are ahead at the end."""

    def canaries(self) -> list[str]:
        """Return every text about a resident that must stand in no office's file."""
        return [
            text
            for record in self.records.values()
            for text in _texts(record.values())
            if text not in {"Exampleville", "X"}
        ]


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if isinstance(value, dict):
            yield from _texts(value.values())
        elif isinstance(value, str):
            yield value[:400]  # the beginning of a portrait finds the whole


def show_rows(story: Story, heading: str, folders: Sequence[Path]) -> None:
    """Print every table of the databases in the folders."""
    rows = [
        (content.table, str(content.count), content.sample)
        for folder in folders
        for content in ledger.tables(folder)
    ]
    story.narrator.rows(heading, ("table", "rows", "one of them"), rows)


def ask(story: Story, verifier: str, *, share: Sequence[str] = (), name: str) -> None:
    """Let a verifier ask a resident, who reads the consent screen and answers."""
    tell = story.narrator
    counter = story.town.counters[verifier]
    started = start_request(story, verifier)
    tell.sent("counter asks", f"POST /v1/requests policy={counter.policy}")
    holder = story.holders[name]
    asked = holder.service.ask(str(started["authorization_request"]))
    if isinstance(asked, Objection):
        tell.say(f"{name}'s wallet: {asked.sentence}")
        holder.service.refuse(asked.request)
    else:
        screen = consent.text(asked, shared=share, languages=("en",), width=72)
        for line in screen.splitlines():
            tell.say(f"| {line}")
        holder.service.answer(asked, shared=share, reuse=False)
    answer = fetch_answer(story, verifier, str(started["answer_secret"]))
    tell.received("counter gets", summary(answer))


def start_request(
    story: Story, verifier: str, *, format_id: str = FORMAT, response_mode: str = "direct_post.jwt"
) -> cast.Json:
    """Start a request as a counter does, with its API key."""
    counter = story.town.counters[verifier]
    response = httpx.post(
        f"{counter.base_url}/v1/requests",
        headers={"Authorization": f"Bearer {counter.api_key}"},
        json={"policy": counter.policy, "format": format_id, "response_mode": response_mode},
    )
    if not response.is_success:
        raise Stuck(f"the {verifier} cannot ask: {response.text}")
    started: cast.Json = response.json()
    return started


def fetch_answer(story: Story, verifier: str, secret: str) -> cast.Json:
    """Fetch what became of a request, as its creator."""
    response = httpx.get(
        f"{story.town.counters[verifier].base_url}/v1/requests/answer",
        headers={"Authorization": f"Bearer {secret}"},
    )
    if response.status_code != httpx.codes.OK:
        raise Stuck(f"the {verifier} got no answer: {response.status_code}")
    answer: cast.Json = response.json()
    return answer


def summary(answer: cast.Json) -> str:
    """Write an answer for people: a picture by its size only."""
    facts = answer.get("facts")
    shown = dict(answer)
    if isinstance(facts, dict) and "portrait" in facts:
        size = len(str(facts["portrait"]))
        shown["facts"] = {**facts, "portrait": f"(a JPEG in {size:,} characters)"}
    return json.dumps(shown, ensure_ascii=False)


def question(story: Story, name: str, verifier: str) -> tuple[Holder, Question, str]:
    """Start a request that somebody's wallet is willing to answer."""
    started = start_request(story, verifier)
    holder = story.holders[name]
    asked = holder.service.ask(str(started["authorization_request"]))
    if isinstance(asked, Objection):
        raise Stuck(f"{name}'s wallet objects: {asked.sentence}")
    return holder, asked, str(started["answer_secret"])


def records() -> dict[str, cast.Json]:
    """Return who comes to the desk today."""
    return cast.residents(period.day(clock.SystemClock().now()))
