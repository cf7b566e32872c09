"""`idservice demo`: a city on this machine, to be watched from the first card to the last row."""

import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from idservice import period
from idservice.demonstration import household, stage, town
from idservice.demonstration import story as stories
from idservice.demonstration.narrator import Narrator
from idservice.demonstration.scenes import attacks, deciding, pooling, reckoning, road
from idservice.demonstration.stage import Stuck
from idservice.demonstration.story import Story

_INTERRUPTED: Final = 130
"""What a shell says of a command that Ctrl-C ended."""


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End by itself; do not stay up.")] = False,
) -> None:
    """Found a city in a temporary folder, walk the whole road, show what everybody keeps."""
    narrator = Narrator()
    folder = Path(tempfile.mkdtemp(prefix="idservice-demo-"))
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:  # nohup has one ignored, and so it stays
            signal.signal(ending, signal.default_int_handler)
    try:
        with stage.quick(folder) as running, household.opened(folder / "phones") as phones:
            narrator.title("A city that keeps next to nothing")
            story = Story(
                town=town.found(running),
                narrator=narrator,
                household=phones,
                records=stories.records(),
            )
            for act in (
                road.print_card,
                road.open_offices,
                road.enrol,
                road.show_three,
                pooling.compare,
                attacks.ask_too_much,
                attacks.replay,
                attacks.steal,
                deciding.decide,
                reckoning.search_everything,
                reckoning.who_knows_what,
            ):
                act(story)
            if not once:
                _stay(story)
    except KeyboardInterrupt as error:
        narrator.say("Stopped before the end.")
        raise typer.Exit(_INTERRUPTED) from error
    except Stuck as error:
        typer.echo(f"The demonstration stopped: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stay(story: Story) -> None:
    """Keep the offices up until Ctrl-C, all at the time of day at which the story ended."""
    tell, found = story.narrator, story.town
    tell.act("The city stays open")
    found.move_clock(story.clock_offset, "bar", "bank")
    deciding.start(story)
    rows = [("issuer", found.issuer), ("register", found.stage.base_url(deciding.NAME))]
    rows += [(name, counter.base_url) for name, counter in found.counters.items()]
    tell.rows("Try them", ("office", "address"), rows)
    days = story.clock_offset // period.DAY
    tell.say(f"Their clocks are {days} days ahead; in another terminal, enrol yourself:")
    tell.command(
        f"idservice enrol --folder {found.issuer_folder} --clock-offset {story.clock_offset}"
    )
    tell.say("and look at what is published about everybody, the same for everybody:")
    tell.command(f"curl {found.issuer}/v1/bundle")
    with suppress(KeyboardInterrupt):
        tell.say("Ctrl-C ends everything and removes the city.")
        signal.pause()
    tell.say("Stopped.")


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.command("demo", epilog="Example: idservice demo --once")(demo)
