"""The part of `idservice register` for which a seat's key is needed, and enacting.

DESIGN section 5. A member signs on an own device: the whole register is read and checked against
the pinned charter first, what is signed is shown in plain words made from the entry itself, and
nothing that the register's counter says is believed without its log. Reading, commenting and the
desk's acts stand in `register`, what all commands share in `board`.
"""

import secrets
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, ed25519, note
from crypto.log.cosignature import Witnessed
from crypto.log.note import Note
from idservice import period
from idservice.apps import key_files
from idservice.cli import board, parts
from idservice.cli.board import (
    Access,
    Address,
    AsJson,
    Desk,
    Key,
    Misuse,
    Number,
    Offset,
    Pin,
    Refused,
    Seat,
    Seen,
    Words,
    Yes,
)
from idservice.clients.register import HttpRegister
from idservice.clock import SystemClock
from idservice.governance import plain_words
from idservice.register import approval, change, entry, wire
from idservice.register.change import CharterChange, PolicyChange
from idservice.register.entry import (
    Approval,
    Proposal,
    Statement,
    Vote,
    Withdrawal,
    WithdrawalReason,
)
from idservice.register.state import Course
from idservice.verification import policy

app = typer.Typer(
    cls=parts.later("drill"),
    help="Propose, comment on, answer, vote on and enact changes; read what is in force.",
    no_args_is_help=True,
)

ENACT_WITHIN: Final = 180
"""Days, where a proposal does not say by when it must be enacted."""


@app.command(epilog="Example: idservice register key community-1.key")
def key(
    path: Annotated[Path, typer.Argument(help="A new file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a seat's key on your own device, and print the public half for the charter."""
    with board.exits(as_json=as_json):
        seed = secrets.token_bytes(32)
        key_files.create_key(path, Ed25519PrivateKey.from_private_bytes(seed))
        public = base64url.encode(ed25519.public_key(seed).octets)
        board.show({"public_key": public}, public, as_json=as_json)


@app.command(
    epilog="Example: idservice register propose change.json --impact note.txt --seat council-1"
    " --key council-1.key --register URL --charter HEX"
)
def propose(  # noqa: PLR0913, one option for each thing that a proposal says
    file: Annotated[Path, typer.Argument(help="The change as JSON: kind, and what it says.")],
    *,
    impact: Annotated[Path, typer.Option(help="What it means for people; a text file.")],
    seat: Seat,
    key_file: Key,
    address: Address,
    charter: Pin,
    until: Annotated[
        str | None, typer.Option(help="Its last day; policies and charters say it themselves.")
    ] = None,
    enact_by: Annotated[str | None, typer.Option(help="Last day on which it counts.")] = None,
    seen: Seen = None,
    yes: Yes = False,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Propose a change: it is public at once, and its notice begins."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        decided, text = change.parse(board.read_json(file)), board.read_text(impact)
        last = _last_day(decided, until)
        today = period.day(SystemClock(offset=clock_offset).now())
        by = policy.parse_day(enact_by) if enact_by else today + timedelta(days=ENACT_WITHIN)
        proposal = Proposal(
            change=decided,
            base=desk.believed.in_force.version(decided.subject),
            in_force_until=last,
            enact_by=min(by, last),
            impact_note=entry.entry_digest(text.encode()),
            vote=Vote(seat=seat, signature=bytes(ed25519.SIGNATURE_LENGTH)),
        )
        message = approval.proposal_message(proposal, scope=desk.believed.register.scope)
        board.agree(
            _proposal_text(proposal, text),
            words=plain_words.six_words(entry.entry_digest(message)),
            told=None,
            yes=yes,
            as_json=as_json,
        )
        vote = Vote(seat=seat, signature=board.signer(key_file)(message))
        signed = replace(proposal, vote=vote)
        _post(desk.counter, "/v1/proposals", signed, {"impact_note": text}, as_json=as_json)


@app.command(
    epilog="Example: idservice register approve 12 --seat community-1 --key community-1.key"
    " --register URL --charter HEX --words 'lusab babad ...'"
)
def approve(  # noqa: PLR0913, one option for each thing that a vote says
    number: Number,
    *,
    seat: Seat,
    key_file: Key,
    address: Address,
    charter: Pin,
    hearing: Annotated[str | None, typer.Option(help="Day of the public hearing.")] = None,
    minutes: Annotated[Path | None, typer.Option(help="Its minutes; a text file.")] = None,
    words: Words = None,
    seen: Seen = None,
    yes: Yes = False,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Vote yes with your own key, over exactly what is shown to you."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        course = desk.course(number)
        text = None if minutes is None else board.read_text(minutes)
        said, c2 = _statement(desk, course, hearing=hearing, minutes=text)
        message = approval.statement_message(said, scope=desk.believed.register.scope)
        board.agree(
            _vote_text(desk, course, said),
            words=plain_words.six_words(course.digest),
            told=words,
            yes=yes,
            as_json=as_json,
        )
        vote = Vote(seat=seat, signature=board.signer(key_file)(message))
        more: JsonObject = {"checkpoint": c2, "minutes": text}
        signed = Approval(statement=said, vote=vote)
        _post(desk.counter, "/v1/approvals", signed, more, as_json=as_json)


@app.command(epilog="Example: idservice register enact 12 --register URL --charter HEX")
def enact(
    number: Number,
    *,
    address: Address,
    charter: Pin,
    seen: Seen = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Put the votes together and enact; anybody may, the votes decide."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        course = desk.course(number)
        voting = desk.counter.get(f"/v1/proposals/{number}").get("voting")
        said = _enactment(desk, course, members.any_object(voting))
        octets = canonical_json.serialize({"entry": said})
        board.tell_logged(desk.counter.post("/v1/enactments", octets), as_json=as_json)


@app.command(
    epilog="Example: idservice register withdraw 12 --reason objections --seat council-1"
    " --key council-1.key --register URL --charter HEX"
)
def withdraw(  # noqa: PLR0913, one option for each thing that a withdrawal says
    number: Number,
    *,
    reason: Annotated[WithdrawalReason, typer.Option(help="Why.")],
    seat: Seat,
    key_file: Key,
    address: Address,
    charter: Pin,
    seen: Seen = None,
    yes: Yes = False,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Take your own proposal back."""
    access = Access(address=address, charter=charter, seen=seen, clock_offset=clock_offset)
    with board.exits(as_json=as_json), board.opened(access) as desk:
        course = desk.course(number)
        message = approval.withdrawal_message(
            course.digest, reason, scope=desk.believed.register.scope
        )
        title = plain_words.title(course.proposal.change)
        board.agree(
            f"You take back proposal {number}, {title}: {plain_words.spaced(reason)}.",
            words=plain_words.six_words(course.digest),
            told=None,
            yes=yes,
            as_json=as_json,
        )
        vote = Vote(seat=seat, signature=board.signer(key_file)(message))
        signed = Withdrawal(proposal=course.digest, reason=reason, vote=vote)
        _post(desk.counter, "/v1/withdrawals", signed, {}, as_json=as_json)


def _last_day(decided: change.Change, until: str | None) -> date:
    match decided:
        case PolicyChange():
            return decided.policy.expires
        case CharterChange():
            return decided.charter.sunset
        case _ if until is not None:
            try:
                return policy.parse_day(until)
            except Malformed as error:
                raise Misuse("--until is a day, written YYYY-MM-DD.") from error
        case _:
            raise Misuse("Say by --until when it ends: everything that is decided does.")


def _proposal_text(proposal: Proposal, impact: str) -> str:
    return (
        f"{plain_words.title(proposal.change)}\n{board.lines(plain_words.rows(proposal.change))}\n"
        f"  Would be in force until: {proposal.in_force_until}\n"
        f"  Must be enacted by: {proposal.enact_by}\n\nWhat it means for people:\n{impact}"
    )


def _vote_text(desk: Desk, course: Course, said: Statement) -> str:
    proposal, size = course.proposal, desk.believed.head.checkpoint.head.size
    heard = sum(each.index < size for each in course.comments)
    answered = "none" if said.answer is None else f"SHA-256 {said.answer.hex()}"
    return (
        f"You vote yes to proposal {course.index}:\n{plain_words.title(proposal.change)}\n"
        f"{board.lines(plain_words.rows(proposal.change))}\n"
        f"  Would be in force until: {proposal.in_force_until}\n"
        f"  Proposed by the seat: {proposal.vote.seat}\n"
        f"  Comments that were made: {heard}\n"
        f"  Written answer to objections: {answered}\n"
        f"  Public hearing: {said.hearing or 'none'}"
    )


def _statement(
    desk: Desk, course: Course, *, hearing: str | None, minutes: str | None
) -> tuple[Statement, str]:
    """Say what is voted on: what another seat voted on already, or what is published now.

    Votes count together only if they are over the same checkpoint, so a later voter takes the
    first one's, after checking that it is one of this log and leaves no comment out. A vote from
    before the notice is over would never count: none is signed, and nobody is held to one.
    """
    digest = None if minutes is None else entry.entry_digest(minutes.encode())
    day = None if hearing is None else policy.parse_day(hearing)
    voting = members.any_object(desk.counter.get(f"/v1/proposals/{course.index}").get("voting"))
    begin = _notice_over(desk, course, voting)
    for each in members.array(voting.get("statements")):
        text = members.text(members.any_object(each).get("checkpoint"))
        signed = note.parse(text.encode())
        known = next(
            (said for said in course.votes if said.checkpoint == entry.note_digest(signed)), None
        )
        same = known is not None and (hearing is None or known.hearing == day)
        same = same and (minutes is None or known is None or known.minutes == digest)
        if known is not None and same and _seen(desk, signed).earliest >= begin:
            return known, text
    if desk.believed.in_force.earliest < begin:
        raise Refused(f"Its notice lasts until {_day(begin)}; a vote before then cannot count.")
    signed = desk.believed.head.note
    size = desk.believed.head.checkpoint.head.size
    return (
        Statement(
            proposal=course.digest,
            checkpoint=entry.note_digest(signed),
            comments=course.heard(size),
            answer=course.answers[-1] if course.answers else None,
            hearing=day,
            minutes=digest,
        ),
        signed.octets().decode(),
    )


def _notice_over(desk: Desk, course: Course, voting: JsonObject) -> UnixSeconds:
    """Return from when on a vote can count, by the witnesses' clocks."""
    if change.shrinks(course.proposal.change):
        return UnixSeconds(0)
    first = voting.get("c1")
    if not isinstance(first, str):
        raise Refused("No witnesses have cosigned it yet; its notice has not begun.")
    begun = _seen(desk, note.parse(first.encode())).latest
    return UnixSeconds(begun + desk.believed.register.charter.notice_s)


def _seen(desk: Desk, published: Note) -> Witnessed:
    """Say when a quorum saw a checkpoint."""
    charter = desk.believed.register.charter
    return cosignature.verify_quorum(
        checkpoint.verify(published, log=charter.log),
        policy=charter.witness_policy,
        now=UnixSeconds(cosignature.LATEST),
    )


def _day(moment: UnixSeconds) -> str:
    return period.day(UnixSeconds(moment + period.DAY - 1)).isoformat()


def _enactment(desk: Desk, course: Course, voting: JsonObject) -> JsonObject:
    """Put an enactment together from the statement with the most votes, those too early last."""
    found = [members.any_object(each) for each in members.array(voting.get("statements"))]
    if not found:
        raise Refused("Nobody has voted yet.")
    begin = _notice_over(desk, course, voting)

    def weight(each: JsonObject) -> tuple[bool, int]:
        c2 = note.parse(members.text(each.get("checkpoint")).encode())
        return _seen(desk, c2).earliest >= begin, len(members.array(each.get("votes")))

    most = max(found, key=weight)
    statement = dict(members.any_object(most.get("statement")))
    del statement["checkpoint"]
    shrinks = change.shrinks(course.proposal.change)
    return {
        "type": entry.Enactment.type,
        **statement,
        "c1": None if shrinks else voting.get("c1"),
        "c2": most.get("checkpoint"),
        "votes": most.get("votes"),
    }


def _post(
    counter: HttpRegister, path: str, said: entry.Entry, more: JsonObject, *, as_json: bool
) -> None:
    body: JsonObject = {"entry": canonical_json.parse_object(wire.write(said)), **more}
    board.tell_logged(counter.post(path, canonical_json.serialize(body)), as_json=as_json)
