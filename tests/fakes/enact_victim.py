"""A register's process that enacts a change which is ready, to be killed at any step of it."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.log import note
from crypto.log.note import Note
from idservice.apps.governance import process, settings
from idservice.apps.governance.process import Parts
from idservice.register import approval, entry, wire
from idservice.register.entry import Approval, Enactment, Proposal, Vote
from idservice.storage.published import FolderLog
from idservice.transparency import monitor
from idservice.transparency.monitor import Expected
from tests.fakes import city as cities
from tests.fakes import register_folder, registers
from tests.fakes.log_office import MovedClock

READY = "enactment.json"
SAID = "said"
BEGIN = register_folder.NOW
LATER = BEGIN + registers.NOTICE + 60

_SET_PTRACER = 0x59616D61
"""Linux's PR_SET_PTRACER: let a process that is not our parent watch us."""


@contextmanager
def opened(folder: Path, *, time: int = LATER) -> Iterator[Parts]:
    """Put the process together, without its counter."""
    told = settings.read(folder, environ={})
    parts = process.assemble(told, clock=MovedClock(time), random_bytes=cities.chance("register"))
    with closing(_Closing(parts)):
        yield parts


@dataclass(frozen=True)
class _Closing:
    parts: Parts

    def close(self) -> None:
        self.parts.close()


def prepare(folder: Path) -> None:
    """Propose, wait, vote; what is left is to enact."""
    register_folder.make(folder)
    with opened(folder, time=BEGIN) as parts:
        number = _propose(parts)
    with opened(folder) as parts:
        parts.log.refresh()
        parts.office.keep_current()
        enactment = _vote(parts, number)
        (folder / READY).write_bytes(canonical_json.serialize(enactment))


def _propose(parts: Parts) -> int:
    change, text = registers.policy_change(), "Nobody needs a card for this."
    proposal = Proposal(
        change=change,
        base=0,
        in_force_until=registers.lasts(change),
        enact_by=registers.lasts(change),
        impact_note=entry.entry_digest(text.encode()),
        vote=Vote(seat="council-1", signature=bytes(64)),
    )
    scope = parts.office.snapshot().register.scope
    vote = registers.vote("council-1", approval.proposal_message(proposal, scope=scope))
    signed = registers.replace(proposal, vote=vote)
    return parts.office.propose(_json(signed), impact_note=text).number


def _vote(parts: Parts, number: int) -> JsonObject:
    published = parts.log.published()
    assert published is not None
    c2, register = published.note, parts.office.snapshot().register
    (course,) = register.courses.values()
    statement = entry.Statement(
        proposal=course.digest,
        checkpoint=entry.note_digest(c2),
        comments=entry.comments_digest(()),
        answer=None,
        hearing=None,
        minutes=None,
    )
    message = approval.statement_message(statement, scope=register.scope)
    votes = tuple(registers.vote(seat, message) for seat in registers.ENOUGH)
    for vote in votes:
        said = Approval(statement=statement, vote=vote)
        told = c2.octets().decode()
        parts.office.approve(_json(said), checkpoint_note=told, minutes=None)
    c1 = note.parse(str(parts.office.votes(number)["c1"]).encode())
    return _json(Enactment(statement=statement, c1=c1, c2=c2, votes=votes))


def _json(said: entry.Entry) -> JsonObject:
    return canonical_json.parse_object(wire.write(said))


def enact(folder: Path, *, time: int = LATER) -> None:
    """Enact, and write down the number once it is there."""
    ready = canonical_json.parse_object((folder / READY).read_bytes())
    with opened(folder, time=time) as parts:
        logged = parts.office.enact(ready)
        kept = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(kept, f"{logged.number}\n".encode())
        os.close(kept)


def victim(folder: str, told: Connection, time: int) -> None:
    """Wait until somebody watches, then enact; `time`: this process may be younger than `LATER`."""
    ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    told.send(os.getpid())
    told.recv()
    enact(Path(folder), time=time)
    os._exit(0)


def published(folder: Path, seen: Note | None) -> tuple[Note, list[bytes]]:
    """Read the log as an outsider who remembers what was seen; it must go on from there."""
    first = settings.logged_first(folder)
    expected = Expected(
        log=first.charter.log, policy=first.charter.witness_policy, most_seconds=1 << 31
    )
    entries: list[bytes] = []
    read = FolderLog(folder / settings.LOG_FOLDER / settings.PUBLIC)
    now = MovedClock(LATER + 3600).now()
    monitor.check(read, expected=expected, seen=seen, now=now, visit=lambda _n, _each: None)
    found = monitor.check(
        read, expected=expected, seen=None, now=now, visit=lambda _n, each: entries.append(each)
    )
    return found.signed.note, entries


def check(folder: Path) -> None:
    """Look at what the crash left, start anew, enact again: it is enacted exactly once."""
    seen, before = published(folder, None)
    assert kinds(before).count("enactment") in {0, 1}
    if (folder / SAID).exists():
        assert kinds(before).count("enactment") == 1, "what was answered is published"
    enact(folder)
    enact(folder)
    _, entries = published(folder, seen)
    expected = ["charter", "proposal", *["approval"] * 3, "enactment", "summary"]
    assert kinds(entries) == expected, (kinds(before), kinds(entries))
    assert entries[: len(before)] == before
    (number,) = set((folder / SAID).read_text().split())
    assert int(number) == len(entries) - 2
    with opened(folder) as parts:
        face = parts.office.face()
        assert [each.subject for each in face.asking] == ["policy:library-card"]
        assert parts.office.snapshot().register.refusals == ()


def kinds(entries: list[bytes]) -> list[str]:
    return [wire.parse(each).type for each in entries]
