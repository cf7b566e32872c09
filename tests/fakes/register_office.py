"""The register's office in memory: a real log, real witnesses, a board whose keys are known."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from fastapi import FastAPI

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.log import note
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note
from idservice.apps.governance.book import Book
from idservice.governance import web
from idservice.governance.ports import RegisterStore
from idservice.governance.service import RegisterOffice
from idservice.period import DAY
from idservice.register import approval, change, entry, wire
from idservice.register.approval import Scope
from idservice.register.change import Change
from idservice.register.entry import (
    Approval,
    CharterEntry,
    Digest,
    Enactment,
    Entry,
    Founding,
    Proposal,
    Statement,
    Vote,
    Withdrawal,
    WithdrawalReason,
)
from idservice.register.state import Course
from idservice.verification.trust import TrustBundle
from idservice.web import application
from tests.fakes import asgi, log_office, notaries, registers
from tests.fakes import city as cities
from tests.fakes.city import FakeCity
from tests.fakes.log_office import LogOffice, MovedClock
from tests.fakes.register_store import MemoryRegister

BASE_URL = "https://register.example"
DESK_KEY = "desk-1"
IMPACT = "Nobody needs a card for this.\nForty people were asked."
SUNSET = date(2040, 1, 1)


@dataclass
class Trust:
    """What the city has published."""

    known: TrustBundle | None

    def trust(self) -> TrustBundle | None:
        return self.known


@dataclass(kw_only=True)
class Office:
    """The office and everything around it."""

    city: FakeCity
    log: LogOffice
    store: RegisterStore
    office: RegisterOffice
    trust: Trust
    clock: MovedClock
    pin: Digest
    lines: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        return application.create(
            application.Counter(
                office="governance",
                title="Register",
                version="0",
                hot=(),
                router=web.router(
                    self.office,
                    base_url=BASE_URL,
                    desk_keys=(bytes(32), entry.entry_digest(DESK_KEY.encode())),
                ),
                ready=self.office.ready,
                write=self.lines.append,
            )
        )

    def client(self) -> asgi.Client:
        return asgi.Client(app=self.app(), base_url=BASE_URL)

    def restarted(self) -> "Office":
        """Start the process anew on what is kept."""
        log = self.log.reopened()
        log.log.open()
        office = assemble(log, self.store, self.trust, self.clock)
        office.open(pin=self.pin)
        return replace(self, log=log, office=office)

    @property
    def scope(self) -> Scope:
        return self.office.snapshot().register.scope

    def course(self, number: int) -> Course:
        found = self.office.snapshot().register.courses.values()
        return next(each for each in found if each.index == number)

    def entries(self) -> list[Entry]:
        return [wire.parse(each) for each in self.office.snapshot().entries]

    def wait(self, seconds: int) -> None:
        """Let time pass for the witnesses, and have the log cosigned again."""
        self.clock.time += seconds
        self.log.log.refresh()
        self.office.keep_current()

    def published(self) -> SignedCheckpoint:
        found = self.log.log.published()
        assert found is not None
        return found

    def proposal(
        self,
        said: Change,
        *,
        seat: str = "council-1",
        base: int = 0,
        enact_by: date = date(2027, 12, 1),
        by: str | None = None,
    ) -> JsonObject:
        """Write and sign a proposal."""
        proposal = Proposal(
            change=said,
            base=base,
            in_force_until=registers.lasts(said),
            enact_by=min(enact_by, registers.lasts(said)),
            impact_note=entry.entry_digest(IMPACT.encode()),
            vote=Vote(seat=seat, signature=bytes(64)),
        )
        message = approval.proposal_message(proposal, scope=self.scope)
        return as_json(replace(proposal, vote=registers.vote(seat, message, by=by)))

    def propose(self, said: Change, **how: object) -> int:
        signed = self.proposal(said, **how)  # type: ignore[arg-type]  # as `proposal` takes them
        return self.office.propose(signed, impact_note=IMPACT).number

    def statement(
        self, number: int, c2: Note | None = None, *, answer: Digest | None = None
    ) -> Statement:
        signed = c2 or self.published().note
        size = self.published().checkpoint.head.size
        course = self.course(number)
        return Statement(
            proposal=course.digest,
            checkpoint=entry.note_digest(signed),
            comments=course.heard(size),
            answer=answer,
            hearing=None,
            minutes=None,
        )

    def approval(self, statement: Statement, seat: str, *, by: str | None = None) -> JsonObject:
        message = approval.statement_message(statement, scope=self.scope)
        return as_json(Approval(statement=statement, vote=registers.vote(seat, message, by=by)))

    def approve(self, number: int, *seats: str, answer: Digest | None = None) -> Statement:
        """Let these seats vote over what is published now."""
        c2 = self.published().note
        statement = self.statement(number, c2, answer=answer)
        for seat in seats:
            self.office.approve(
                self.approval(statement, seat),
                checkpoint_note=c2.octets().decode(),
                minutes=None,
            )
        return statement

    def enactment(self, number: int, statement: Statement) -> JsonObject:
        """Put an enactment together from what the office tells."""
        course, kept = self.course(number), self.store.checkpoints()
        notes = {entry.note_digest(each): each for each in kept}
        c1 = None
        if not change.shrinks(course.proposal.change):
            c1 = note.parse(str(self.office.votes(number)["c1"]).encode())
        return as_json(
            Enactment(
                statement=statement,
                c1=c1,
                c2=notes[statement.checkpoint],
                votes=course.votes[statement],
            )
        )

    def decide(self, said: Change, *, seats: Sequence[str] = registers.ENOUGH) -> int:
        """Propose, wait, vote, enact; return the proposal's number."""
        number = self.propose(said)
        self.wait(registers.NOTICE + 1)
        statement = self.approve(number, *seats)
        self.office.enact(self.enactment(number, statement))
        return number

    def withdrawal(self, number: int, seat: str = "council-1") -> JsonObject:
        digest, reason = self.course(number).digest, WithdrawalReason.OBJECTIONS
        message = approval.withdrawal_message(digest, reason, scope=self.scope)
        said = Withdrawal(proposal=digest, reason=reason, vote=registers.vote(seat, message))
        return as_json(said)


def as_json(said: Entry) -> JsonObject:
    return canonical_json.parse_object(wire.write(said))


def charter(made: FakeCity, founding: Sequence[Founding] = (), **changed: object) -> CharterEntry:
    said = registers.board(
        **{
            "log": notaries.log_key().text,
            "root": base64url.encode(made.trust.root_fingerprint),
            "sunset": SUNSET.isoformat(),
            "adopted": "2027-01-01",
            **changed,
        }
    )
    return CharterEntry(charter=said, founding=tuple(founding))


def assemble(
    log: LogOffice, store: RegisterStore, trust: Trust, clock: MovedClock
) -> RegisterOffice:
    return RegisterOffice(
        book=Book(log.log),
        store=store,
        knowledge=trust,
        clock=clock,
        random_bytes=cities.chance("register"),
    )


@functools.cache
def _city() -> FakeCity:
    return cities.make()


def make(*, store: RegisterStore | None = None, **changed: object) -> Office:
    """Found a register and open its office; `changed` are members of the charter."""
    made = _city()
    log = log_office.witnessed(*registers.WITNESSES, threshold=2)
    log.clock.time = cities.NOW
    first = wire.write(charter(made, **changed))
    log.log.append(first, expected=0)
    store, trust = store or MemoryRegister(), Trust(made.trust)
    office = assemble(log, store, trust, log.clock)
    pin = entry.entry_digest(first)
    office.open(pin=pin)
    return Office(
        city=made, log=log, store=store, office=office, trust=trust, clock=log.clock, pin=pin
    )


__all__ = ["DAY", "Office", "make"]
