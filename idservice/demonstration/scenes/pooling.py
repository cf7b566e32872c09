"""Two residents at two verifiers, under both formats, and what everybody's pooled logs reveal.

Nobody here keeps such logs: the demonstration plays the parties that do. What all of them saw is
taken to pieces (parts of tokens, members of JSON, decoded where that is possible), and the pieces
that point to Amina alone are counted. `idservice audit linkability` does this with statistics.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qs

import orjson

from crypto.encoding import base64url
from crypto.errors import CryptoError
from idservice import catalogue
from idservice.demonstration import cast
from idservice.demonstration import story as stories
from idservice.demonstration.stage import Stuck
from idservice.demonstration.story import Story
from idservice.wallet.question import Objection

_PEOPLE = ("Amina", "Mei")
_PLACES = ("library", "bar")
_FORMATS = {catalogue.FORMAT: "SD-JWT", catalogue.BBS_FORMAT: "BBS"}
_SHORTEST = 8
"""Octets of a piece that counts; shorter ones are common words and numbers."""

Pieces = frozenset[bytes]


def compare(story: Story) -> None:
    """Let two residents show both formats twice, and pool what issuer and verifiers saw."""
    tell = story.narrator
    tell.act("Amina at two verifiers, under both formats; then everybody pools")
    tell.say(
        "Amina and Mei fetch a BBS credential too: one, to be shown any number of times. Both go"
        " to the library and to the bar, once with each format."
    )
    with ThreadPoolExecutor(max_workers=len(_PEOPLE)) as pool:
        handed = list(pool.map(lambda name: _enrol(story, name), _PEOPLE))
    for name, made in zip(_PEOPLE, handed, strict=True):
        said = partial(str, made["transaction_code"])
        story.holders[name].service.receive(str(made["offer"]), transaction_code=said)
    links = {}
    for format_id in _FORMATS:
        issued = {name: _issued(story, name, format_id) for name in _PEOPLE}
        shown = {
            (name, place): _show(story, name, place, format_id)
            for name in _PEOPLE
            for place in _PLACES
        }
        links[format_id] = _links(issued, shown)
    rows = [
        (who, *(_text(links[format_id][number]) for format_id in _FORMATS))
        for number, who in enumerate(("library + bar", "... + an issuer that recorded it all"))
    ]
    tell.rows("What points to Amina alone", ("who pools", *_FORMATS.values()), rows)
    tell.say(
        "SD-JWT: two verifiers learn nothing, but an issuer that kept a copy knows each showing."
        " BBS: every proof is new, and there is nothing to look up; that is mathematics (M)."
    )
    (apart, recorded), bbs = links[catalogue.FORMAT], links[catalogue.BBS_FORMAT]
    if apart or not recorded or any(bbs):
        raise Stuck(f"other links than promised: {apart} {recorded} {bbs}")


def _links(issued: dict[str, Pieces], shown: dict[tuple[str, str], Pieces]) -> tuple[int, int]:
    """Count what two showings of Amina share, and what they share with her issuing.

    What Mei has as well is the same for everybody.
    """
    library, bar = (shown["Amina", place] for place in _PLACES)
    others = issued["Mei"].union(*(shown["Mei", place] for place in _PLACES))
    return len((library & bar) - others), len((issued["Amina"] & (library | bar)) - others)


def _text(number: int) -> str:
    return f"{number} pieces: linked" if number else "nothing"


def _enrol(story: Story, name: str) -> cast.Json:
    return story.town.stage.answer(
        "enrol", "--folder", str(story.town.issuer_folder), "--from", "-",
        "--format", catalogue.BBS_FORMAT, given=json.dumps(story.records[name]),
    )  # fmt: skip


def _issued(story: Story, name: str, format_id: str) -> Pieces:
    """Return what an issuer that keeps everything would have seen of one issuing."""
    place = list(_FORMATS).index(format_id)
    sent, received = [
        exchange
        for exchange in story.holders[name].wire.exchanges
        if exchange[0].url.endswith("/credential")
    ][place]
    return frozenset((*_pieces(sent.body), *_pieces(received.body)))


def _show(story: Story, name: str, place: str, format_id: str) -> Pieces:
    """Return what the verifier sees of one showing: the answer, not encrypted for once."""
    started = stories.start_request(story, place, format_id=format_id, response_mode="direct_post")
    holder = story.holders[name]
    asked = holder.service.ask(str(started["authorization_request"]))
    if isinstance(asked, Objection):
        raise Stuck(f"{name}'s wallet objects: {asked.sentence}")
    holder.service.answer(asked, shared=(), reuse=False)
    stories.fetch_answer(story, place, str(started["answer_secret"]))
    (token,) = parse_qs(holder.wire.last_post().body.decode())["vp_token"]
    return frozenset(_pieces(token.encode()))


def _pieces(value: object) -> Iterator[bytes]:
    """Take something to pieces: JSON into its leaves, tokens into their parts, decoded."""
    match value:
        case dict():
            for each in value.values():
                yield from _pieces(each)
        case list():
            for each in value:
                yield from _pieces(each)
        case str():
            yield from _pieces(value.encode())
        case bytes():
            yield from _taken_apart(value)
        case _:  # numbers and the like are too short to point to anybody
            return


def _taken_apart(octets: bytes) -> Iterator[bytes]:
    try:
        yield from _pieces(orjson.loads(octets))
    except orjson.JSONDecodeError:
        parts = octets.replace(b"~", b".").split(b".")
        for part in parts:
            if len(part) >= _SHORTEST:
                yield part
            decoded = _decoded(part)
            if len(decoded) >= _SHORTEST:
                yield decoded
                yield from _inside(decoded)


def _inside(decoded: bytes) -> Iterator[bytes]:
    try:
        found = orjson.loads(decoded)
    except orjson.JSONDecodeError:
        return
    yield from _pieces(found)


def _decoded(part: bytes) -> bytes:
    try:
        return base64url.decode(part.decode())
    except (CryptoError, UnicodeDecodeError):
        return b""
