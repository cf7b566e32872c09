"""The road: a card is printed, residents are enrolled, three verifiers ask.

Each act shows what was sent and received, and then the rows that issuer and verifier hold, read
from their files.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from idservice.demonstration import cast
from idservice.demonstration import story as stories
from idservice.demonstration.household import Holder
from idservice.demonstration.story import Story

PURPOSES: Final = {"library": "library cards", "bar": "entry from 18 on", "bank": "accounts"}


def print_card(story: Story) -> None:
    """Print a card before any office runs."""
    tell, stage = story.narrator, story.town.stage
    tell.act("The plain card: printed, no server, nothing kept")
    record = {**story.records["Amina"], "portrait": story.records["Mei"]["portrait"]}
    before = _files(stage.folder)
    card = stage.folder / "card.pdf"
    tell.command("idservice enrol --print claims.json --out card.pdf")
    done = stage.command(
        "enrol", "--print", "-", "--city", "Exampleville", "--out", str(card),
        given=json.dumps(record),
    )  # fmt: skip
    tell.received("the command says", done.strip())
    new = sorted(_files(stage.folder) - before)
    tell.say(f"New files anywhere in the city: {', '.join(new)} ({card.stat().st_size:,} octets).")
    tell.say("No office was running. The card has no chip, no radio and no code.")


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def open_offices(story: Story) -> None:
    """Start every office and say who may ask what."""
    tell, town = story.narrator, story.town
    tell.act("The offices open: one process, one port, one database each")
    town.start()
    rows = [("issuer", town.issuer, "issues, renews, withdraws")]
    for name, counter in town.counters.items():
        rows.append((name, counter.base_url, f"checks, for {PURPOSES[name]}"))
    tell.rows("Addresses", ("office", "address", "what it does"), rows)
    tell.say(f"Root fingerprint, on every enrolment sheet: {town.root_fingerprint}")
    policies = []
    for counter in town.counters.values():
        (policy,) = httpx.get(f"{counter.base_url}/v1/policies").json()["policies"]
        asked = [*policy["required"], *(f"({claim})" for claim in policy["optional"])]
        policies.append((policy["verifier"], ", ".join(asked)))
    tell.rows("Who may ask what (optional in brackets)", ("verifier", "facts"), policies)


def enrol(story: Story) -> None:
    """Enrol the residents at the desk; their wallets pick up what was made."""
    tell, town = story.narrator, story.town
    tell.act("Four residents at the desk, each leaves with a slip of paper")
    tell.command("idservice enrol --folder city/issuer --from record.json")
    names = tuple(story.records)
    with ThreadPoolExecutor(max_workers=2) as pool:
        handed = dict(zip(names, pool.map(lambda name: _enrol(story, name), names), strict=True))
    for name in names:
        record = story.records[name]
        who = f"{record['given_name']} {record['family_name']}, born {record['birth_date']}"
        tell.say(f"{name}: {who}{_remark(record)}")
    first = handed["Amina"]
    tell.received("offer (QR)", str(first["offer"]))
    tell.received("transaction code", f"{first['transaction_code']} (said aloud, not in the QR)")
    tell.received("slip", f"{first['slip']} (on paper, nowhere else)")
    stories.show_rows(story, "What the issuer holds before the wallets come", [town.issuer_folder])
    tell.say("Sealed under a code that stands only in each QR; the issuer cannot open them.")
    bundle = town.bundle.read_bytes()
    fingerprint = bytes.fromhex(town.root_fingerprint.replace(" ", ""))
    for name in names:
        holder = story.household.open(name)
        holder.service.pin(bundle, root_fingerprint=fingerprint)
        said = partial(str, handed[name]["transaction_code"])
        holder.service.receive(str(handed[name]["offer"]), transaction_code=said)
        story.holders[name] = holder
        story.slips[name] = str(handed[name]["slip"])
    _tell_exchanges(story, story.holders["Amina"])
    stories.show_rows(story, "What the issuer holds after pick-up", [town.issuer_folder])
    tell.say(
        "No name, no key, no signature. index_rows opens only with the slip; the bitmap says"
        " which numbers are taken, not by whom."
    )


def _remark(record: cast.Json) -> str:
    if record.get("portrait"):
        return " - with a portrait on the card"
    address = record.get("address")
    if isinstance(address, dict) and address.get("care_of"):
        return " - a substitute address: where Rosa lives is nobody's business"
    return "" if address else " - is 17"


def _enrol(story: Story, name: str) -> cast.Json:
    return story.town.stage.answer(
        "enrol", "--folder", str(story.town.issuer_folder), "--from", "-", "--guardian-present",
        given=json.dumps(story.records[name]),
    )  # fmt: skip


def _tell_exchanges(story: Story, holder: Holder) -> None:
    tell = story.narrator
    tell.say(f"{holder.name}'s wallet, on the wire:")
    for sent, response in holder.wire.exchanges:
        path = sent.url.removeprefix(story.town.issuer).replace("/.well-known", "")
        size = f"{len(sent.body):,} octets" if sent.body else "no body"
        tell.sent(f"{sent.method} {path}", f"{size}; answer {len(response.body):,} octets")


def show_three(story: Story) -> None:
    """Let a library, a bar and a bank ask."""
    tell, town = story.narrator, story.town
    tell.act("A library asks Amina one thing: does she live here?")
    stories.ask(story, "library", name="Amina")
    stories.show_rows(story, "What the library holds now", [town.counters["library"].folder])
    tell.act("A bar asks: Mei is 68, Tomas is 17")
    stories.ask(story, "bar", name="Mei", share=("portrait",))
    tell.say("Yes, and a face to compare; no birth date. Now Tomas:")
    stories.ask(story, "bar", name="Tomas")
    stories.show_rows(story, "What the bar holds now", [town.counters["bar"].folder])
    tell.act("A bank asks Rosa for what the law demands, and may ask for an address")
    stories.ask(story, "bank", name="Rosa", share=("address.care_of", "address.street_address"))
    tell.say("The bank must know her name. The address is the substitute one; it cannot tell.")
    stories.show_rows(story, "What the bank holds now", [town.counters["bank"].folder])
