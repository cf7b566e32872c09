"""The part of `idservice register` for which a seat's key is needed, and enacting.

DESIGN section 5. A member signs on an own device: the whole register is read and checked against
the pinned charter first, what is signed is shown in plain words made from the entry itself, and
nothing that the register's counter says is believed without its log. Reading, commenting and the
desk's acts stand in `register`, what all commands share in `board`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, ed25519, note
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
from idservice.governance import plain_words
from idservice.register import approval, change, entry, wire
from idservice.register.change import CharterChange, PolicyChange
from idservice.register.entry import (
    Approval,
    Digest,
    Enactment,
    Proposal,
    Statement,
    Vote,
    Withdrawal,
    WithdrawalReason,
)
from idservice.register.ledger import FRESH
from idservice.register.state import Course, end_of

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
        decided, text = _change(file), board.read_text(impact)
        last = _last_day(decided, until)
        by = period.day(desk.now) + timedelta(days=ENACT_WITHIN)
        if enact_by is not None:
            by = board.parse_day(enact_by, "--enact-by")
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
        day = None if hearing is None else board.parse_day(hearing, "--hearing")
        said, c2 = _statement(desk, course, hearing=day, minutes=text)
        message = approval.statement_message(said, scope=desk.believed.register.scope)
        board.agree(
            _vote_text(course, said, size=_size(c2)),
            words=plain_words.six_words(course.digest),
            told=words,
            yes=yes,
            as_json=as_json,
        )
        vote = Vote(seat=seat, signature=board.signer(key_file)(message))
        more: JsonObject = {"checkpoint": c2.octets().decode(), "minutes": text}
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
        said = _enactment(desk, course, _voting(desk, course))
        _post(desk.counter, "/v1/enactments", said, {}, as_json=as_json)


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


def _change(file: Path) -> change.Change:
    try:
        return change.parse(board.read_json(file))
    except Malformed as error:
        raise Misuse(
            f"The file {file.name} is no change that can be proposed ({error})."
        ) from error


def _last_day(decided: change.Change, until: str | None) -> date:
    match decided:
        case PolicyChange():
            return decided.policy.expires
        case CharterChange():
            return decided.charter.sunset
        case _ if until is not None:
            return board.parse_day(until, "--until")
        case _:
            raise Misuse("Say by --until when it ends: everything that is decided does.")


def _proposal_text(proposal: Proposal, impact: str) -> str:
    return (
        f"{plain_words.title(proposal.change)}\n{board.lines(plain_words.rows(proposal.change))}\n"
        f"  Would be in force until: {proposal.in_force_until}\n"
        f"  Must be enacted by: {proposal.enact_by}\n\nWhat it means for people:\n{impact}"
    )


def _vote_text(course: Course, said: Statement, *, size: int) -> str:
    """Say what is voted on: over the log as it was when it had so many entries."""
    proposal = course.proposal
    heard = sum(each.index < size for each in course.comments)
    answered = "none" if said.answer is None else f"SHA-256 {said.answer.hex()}"
    minutes = "none" if said.minutes is None else f"SHA-256 {said.minutes.hex()}"
    return (
        f"You vote yes to proposal {course.index}:\n{plain_words.title(proposal.change)}\n"
        f"{board.lines(plain_words.rows(proposal.change))}\n"
        f"  Would be in force until: {proposal.in_force_until}\n"
        f"  Proposed by the seat: {proposal.vote.seat}\n"
        f"  Comments that were made: {heard}\n"
        f"  Comments made since, which this vote leaves out: {len(course.comments) - heard}\n"
        f"  Written answer to objections: {answered}\n"
        f"  Public hearing: {said.hearing or 'none'}\n"
        f"  Minutes of it: {minutes}"
    )


def _statement(
    desk: Desk, course: Course, *, hearing: date | None, minutes: str | None
) -> tuple[Statement, Note]:
    """Say what is voted on: what another seat voted on already, or what is published now.

    Votes count together only if they are over the same checkpoint, so a later voter takes the
    first one's, if it can count: enough witnesses saw it after the notice and not a fortnight ago,
    and all comments that it contains are heard and answered. Comments made since are told to the
    voter, and stop nobody: else anybody could keep a board from ever voting. A vote from before the
    notice is over would never count: none is signed, and nobody is held to one.
    """
    digest = None if minutes is None else entry.entry_digest(minutes.encode())
    voting = _voting(desk, course)
    begin, notes = _notice_over(desk, course, voting), _checkpoints(voting)
    for known in course.votes:
        signed = notes.get(known.checkpoint)
        same = hearing in {None, known.hearing} and digest in {None, known.minutes}
        if signed is None or not same or not _is_heard(course, known, size=_size(signed)):
            continue
        if _in_time(desk, course, signed, begin):
            return known, signed
    if desk.believed.in_force.earliest < begin:
        raise Refused(f"Its notice lasts until {_day(begin)}; a vote before then cannot count.")
    signed = desk.believed.head.note
    return (
        Statement(
            proposal=course.digest,
            checkpoint=entry.note_digest(signed),
            comments=course.heard(_size(signed)),
            answer=course.answers[-1] if course.answers else None,
            hearing=hearing,
            minutes=digest,
        ),
        signed,
    )


def _is_heard(course: Course, said: Statement, *, size: int) -> bool:
    """Say whether a vote for this leaves out no comment that its checkpoint contains."""
    if said.answer is None:
        answered = all(each.index >= size for each in course.comments)
    else:
        answered = said.answer in course.answers
    return course.index < size and answered and said.comments == course.heard(size)


def _voting(desk: Desk, course: Course) -> JsonObject:
    """Ask for the checkpoints that votes are over; the votes themselves are in the log."""
    return desk.counter.get(f"/v1/proposals/{course.index}/voting")


def _checkpoints(voting: JsonObject) -> Mapping[Digest, Note]:
    """Read the checkpoints, by what a statement calls each."""
    texts = (members.any_object(each) for each in members.array(voting.get("statements")))
    notes = (note.parse(members.text(each.get("checkpoint")).encode()) for each in texts)
    return {entry.note_digest(each): each for each in notes}


def _size(signed: Note) -> int:
    return checkpoint.parse(signed.text).head.size


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
    """Say when a quorum saw a checkpoint, under which nobody else wrote anything."""
    return desk.believed.register.witnessed(published, now=desk.now)


def _in_time(desk: Desk, course: Course, published: Note, begin: UnixSeconds) -> bool:
    """Say whether votes over a checkpoint can count: after the notice, and not for ever."""
    try:
        seen = _seen(desk, published)
    except CryptoError:
        return False
    last = min(course.proposal.enact_by, desk.believed.register.charter.sunset)
    fresh = desk.believed.in_force.earliest <= seen.latest + FRESH
    return fresh and begin <= seen.earliest and seen.latest < end_of(last)


def _day(moment: UnixSeconds) -> str:
    return period.day(UnixSeconds(moment + period.DAY - 1)).isoformat()


def _enactment(desk: Desk, course: Course, voting: JsonObject) -> Enactment:
    """Put an enactment together from the statement of the most seats, one that can count first."""
    register, decided, notes = desk.believed.register, course.proposal.change, _checkpoints(voting)
    keys = approval.possible_keys(decided, register.charter)

    def counting(said: Statement) -> tuple[Vote, ...]:
        message = approval.statement_message(said, scope=register.scope)
        votes = course.votes[said]  # signed when they were logged; a key may have changed since
        return tuple(each for each in votes if approval.signers((each,), message, keys))

    found = {each: counting(each) for each in course.votes if each.checkpoint in notes}
    if not any(found.values()):
        raise Refused("Nobody has voted yet.")
    begin = _notice_over(desk, course, voting)

    def weight(said: Statement) -> tuple[bool, int]:
        signed = notes[said.checkpoint]
        fit = _is_heard(course, said, size=_size(signed)) and _in_time(desk, course, signed, begin)
        return fit, len({each.seat for each in found[said]})

    most = max(found, key=weight)
    first = voting.get("c1")
    return Enactment(
        statement=most,
        c1=None if change.shrinks(decided) else note.parse(members.text(first).encode()),
        c2=notes[most.checkpoint],
        votes=found[most],
    )


def _post(
    counter: HttpRegister, path: str, said: entry.Entry, more: JsonObject, *, as_json: bool
) -> None:
    body: JsonObject = {"entry": canonical_json.parse_object(wire.write(said)), **more}
    board.tell_logged(counter.post(path, canonical_json.serialize(body)), as_json=as_json)
