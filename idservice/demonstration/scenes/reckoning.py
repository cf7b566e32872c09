"""The end: a search of every office's files, and who knows what.

Each line has the letter of what it rests on: M mathematics, C the published code while it runs,
P law and policy.
"""

from typing import Final

from idservice.demonstration import ledger
from idservice.demonstration.stage import Stuck
from idservice.demonstration.story import Story

KNOWN: Final = (
    ("issuer", "that somebody was enrolled, while it lasts", "nothing of it afterwards", "C"),
    ("issuer", "which list numbers are taken or withdrawn", "whose they are", "M"),
    ("issuer", "nothing when a card is shown: nobody calls it", "where, when, to whom", "C"),
    ("library", "somebody lives here", "who; whether they came before", "M"),
    ("bar", "somebody is over 18, and a face for a moment", "name, birth date", "C"),
    ("bank", "name, birth date, the address it was given", "whether it is a substitute", "C"),
    ("all three together", "the facts each was shown", "that two showings are one person", "M"),
    ("issuer + a verifier", "nothing from their files", "(had the issuer recorded: all)", "C"),
    ("everybody, of BBS cards", "the facts each was shown", "whose they are, records or not", "M"),
    ("thief", "Rosa's card, until the next list", "anything after the slip", "C"),
    ("who runs the servers", "everybody, from a changed program on", "the past", "P"),
)


def search_everything(story: Story) -> None:
    """Look for every text about a resident in every file of every office."""
    tell, town = story.narrator, story.town
    tell.act("Everybody's files, searched for everybody")
    folders = [town.city, *(counter.folder for counter in town.counters.values())]
    logs = "".join(town.stage.log(name) for name in ("issuer", *town.counters))
    canaries = story.canaries()
    hits = ledger.search(folders, [*canaries, *story.slips.values()])
    files = sum(1 for folder in folders for path in folder.rglob("*") if path.is_file())
    tell.say(
        f"{len(canaries)} names, dates, addresses and faces and {len(story.slips)} slips, in plain,"
        f" hex and base64, in {files} files of issuer and verifiers: {len(hits)} found."
    )
    tell.say(f"All logs of all offices together: {len(logs.encode()):,} octets.")
    if hits or logs:
        raise Stuck(f"something was kept: {hits} {logs}")


def who_knows_what(story: Story) -> None:
    """Print who knows what, each line with its letter."""
    tell = story.narrator
    tell.act("Who knows what")
    tell.rows(
        "M: mathematics   C: while the published code runs   P: law and policy only",
        ("who", "knows", "does not know", ""),
        KNOWN,
    )
