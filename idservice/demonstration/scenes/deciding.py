"""The register: who may ask what is decided in public, and not by whoever has the root key.

The board's keys lie in the city's folder here, for the demonstration only, and so do the
witnesses', whose clocks are moved with the offices'. All acts are the commands that a board types.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from idservice import period
from idservice.apps import city_folder
from idservice.apps.register import city_log
from idservice.demonstration.processes import Ended
from idservice.demonstration.stage import Stuck
from idservice.demonstration.story import Story
from idservice.demonstration.town import Town
from idservice.verification import policy

NAME: Final = "register"
_BY_THE_CITY: Final = ("council-1", "council-2", "agency-1")
_COMMUNITY: Final = "community-1"
_NOTICE: Final = 31
"""Days: the notice and one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What every command about the register is told."""

    story: Story
    charter: str
    folder: Path
    """Where the texts lie that people write."""

    def run(self, *arguments: str, seat: str | None = None) -> Ended:
        """Run one command, as a seat where one is named."""
        town = self.story.town
        where = ["--register", town.stage.base_url(NAME), "--charter", self.charter]
        key = str(town.city / "board" / f"{seat}.key")
        signing = ["--seat", seat, "--key", key, "--yes"] if seat else []
        offset = ["--clock-offset", str(self.story.clock_offset)]
        return town.stage.run("register", *arguments, *signing, *where, *offset)

    def done(self, *arguments: str, seat: str | None = None) -> str:
        """Run one command that must succeed."""
        done = self.run(*arguments, seat=seat)
        if done.code:
            raise Stuck(f"register {arguments[0]}: {done.out}{done.err}")
        return done.out

    def refused(self, *arguments: str, seat: str | None = None) -> str:
        """Run one command that must be refused, and return the last sentence said."""
        done = self.run(*arguments, seat=seat)
        if not done.code:
            raise Stuck(f"register {arguments[0]} was not refused: {done.out}")
        return done.err.strip().splitlines()[-1]

    def propose(self, name: str, **other: object) -> list[str]:
        """Write a change of a policy down, and return the command that proposes it."""
        known = city_folder.current_bundle(self.story.town.city).policies[name]
        change = {"kind": "policy", "policy": {**policy.write(known), **other}}
        file = self.folder / "change.json"
        file.write_text(json.dumps(change))
        return ["propose", str(file), "--impact", str(self.text("impact", "Nobody must show it."))]

    def text(self, name: str, text: str) -> Path:
        """Write a text down."""
        file = self.folder / f"{name}.txt"
        file.write_text(text)
        return file


def decide(story: Story) -> None:
    """Let the city try to ask more in three ways that fail, and in one that does not."""
    tell, town = story.narrator, story.town
    tell.act("The register: a policy is changed in public or not at all")
    desk = _open(story)
    tell.say("The bar's owner has a friend in the council, who proposes for the bar:")
    for label, other in (
        ("birth dates, at the door", {"required": ["age_over_18", "birth_date"]}),
        ("for immigration enforcement", {"purpose": "immigration_enforcement"}),
    ):
        tell.sent("propose", label)
        tell.bad(desk.refused(*desk.propose("bar-age-18", **other), seat="council-1"))
    wish = desk.propose("library-card", optional=["given_name", "locality"])
    tell.say("The library would like to know the town, if people like; that may be proposed:")
    number = str(json.loads(desk.done(*wish, "--json", seat="agency-1"))["number"])
    tell.good(f"entry {number} of the log, public at once; notice begins")
    comment = desk.text("comment", "Why the town? All of us live in this one.")
    _register(story, "comment", number, str(comment))
    tell.received("comment", comment.read_text())
    answer = desk.text("answer", "Two towns share the branch at the river.")
    _register(story, "answer", number, str(answer), "--desk-key", str(_desk_key(town)))
    tell.received("written answer", answer.read_text())
    tell.sent("vote at once", "to have it decided before people notice")
    tell.bad(desk.refused("approve", number, seat=_BY_THE_CITY[0]))
    _wait(story)
    tell.say(f"{_NOTICE} days on (the demonstration's clock and its witnesses' were moved):")
    _vote(desk, number, *_BY_THE_CITY)
    tell.sent("enact", "three of five seats, all of the city's own")
    tell.bad(desk.refused("enact", number))
    _vote(desk, number, _COMMUNITY)
    tell.sent("enact", "and one of the community's")
    desk.done("enact", number)
    tell.good("it is in force, for everybody who reads the log")
    _verify(story, desk)
    _take_effect(story)


def _open(story: Story) -> _Desk:
    """Open the register's counter over the log that the city was founded with."""
    tell, town = story.narrator, story.town
    town.stage.reserve(NAME)
    made = town.stage.answer(
        "register", "create", str(town.city),
        "--address", town.stage.base_url(NAME), "--desk-key", str(_desk_key(town)),
    )  # fmt: skip
    start(story)
    tell.say(
        "Entry 0 of a public log is the charter: five seats, two of them the community's; three"
        " must sign, one of those two among them; 30 days' notice, by the clocks of witnesses."
    )
    tell.say("Both witnesses are the city's own here, so everything says 'demonstration'.")
    tell.received("charter", str(made["charter"]))
    folder = town.stage.folder / "texts"
    folder.mkdir()
    return _Desk(story=story, charter=str(made["charter"]), folder=folder)


def _desk_key(town: Town) -> Path:
    return town.stage.folder / "desk.key"


def _register(story: Story, *arguments: str) -> None:
    stage = story.town.stage
    stage.command("register", *arguments, "--register", stage.base_url(NAME))


def start(story: Story) -> None:
    """Start the register's counter at the time of day of the story."""
    stage = story.town.stage
    stage.start(NAME, NAME, story.town.city, clock_offset=story.clock_offset)
    stage.ready(NAME)


def _vote(desk: _Desk, number: str, *seats: str) -> None:
    """Let seats sign, each on its own device, at the same time."""
    with ThreadPoolExecutor(max_workers=len(seats)) as pool:
        list(pool.map(lambda seat: desk.done("approve", number, seat=seat), seats))


def _wait(story: Story) -> None:
    """Let the notice pass."""
    story.town.stage.stop(NAME)
    story.clock_offset += _NOTICE * period.DAY
    start(story)


def _take_effect(story: Story) -> None:
    """Publish the next bundle, and let the library read it."""
    tell, town = story.narrator, story.town
    town.stage.stop(NAME)
    tell.command("idservice init announce city")
    offset = str(story.clock_offset)
    town.stage.command("init", "announce", str(town.city), "--clock-offset", offset)
    town.move_clock(story.clock_offset, "issuer", "library")
    address = f"{town.counters['library'].base_url}/v1/policies"
    (asked,) = httpx.get(address).json()["policies"]
    if "locality" not in asked["optional"]:
        raise Stuck("what was enacted did not take effect")
    tell.received("the library may ask", ", ".join([*asked["required"], *asked["optional"]]))


def _verify(story: Story, desk: _Desk) -> None:
    """Check the whole history as an outsider."""
    tell, stage = story.narrator, story.town.stage
    tell.command("idservice register history")
    for line in desk.done("history").splitlines()[-8:]:
        tell.say(line)
    tell.command("idservice log verify ADDRESS/log")
    key = city_log.public_key(story.town.city).text
    said = stage.command("log", "verify", f"{stage.base_url(NAME)}/log", "--log", key)
    tell.received("an outsider", said.strip())
    tell.say("(The witnesses' clocks are ahead of this machine's; 'history' has asked them.)")
