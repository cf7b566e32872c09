"""The journal decides on what is recorded, whatever an answer said or how many call at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

import pytest

from crypto.encoding import members
from crypto.log import ed25519
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.tree import TreeHead
from idservice.apps.governance.book import Book
from idservice.errors import Code, ServiceError
from idservice.governance import ports
from idservice.governance.model import NotLogged
from idservice.governance.service import RegisterOffice
from idservice.register import approval, change, entry, wire
from idservice.register.change import Delegation, Routine
from idservice.register.entry import RoutineEntry
from idservice.register.state import Reason
from tests.fakes import city as cities
from tests.fakes import notaries, register_office, registers
from tests.fakes.register_office import IMPACT, Office

CHANGE = registers.policy_change()


@dataclass
class Interrupted:
    """A log in front of which something happens."""

    book: Book
    before: Callable[[bytes, int], None]
    after: Callable[[], None]

    def size(self) -> int:
        return self.book.size()

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        return self.book.entries(begin, end)

    def head(self, size: int) -> TreeHead:
        return self.book.head(size)

    def published(self) -> SignedCheckpoint | None:
        return self.book.published()

    def append(self, entry: bytes, *, expected: int) -> SignedCheckpoint:
        self.before(entry, expected)
        signed = self.book.append(entry, expected=expected)
        self.after()
        return signed

    def prove(self, index: int) -> Sequence[str]:
        return self.book.prove(index)


def nothing(*_told: object) -> None:
    """Nothing happens."""


def interrupted(
    office: Office,
    *,
    before: Callable[[bytes, int], None] = nothing,
    after: Callable[[], None] = nothing,
) -> RegisterOffice:
    book: ports.LogBook = Interrupted(Book(office.log.log), before, after)
    made = RegisterOffice(
        book=book,
        store=office.store,
        knowledge=office.trust,
        clock=office.clock,
        random_bytes=cities.chance("interrupted"),
    )
    made.open(pin=office.pin)
    return made


@pytest.fixture
def office() -> Office:
    return register_office.make()


def test_an_answer_that_was_lost_is_found_in_the_log(office: Office) -> None:
    lost = [True]

    def after() -> None:
        if lost.pop() if lost else False:
            raise ServiceError(Code.UNAVAILABLE)

    desk = interrupted(office, after=after)
    signed = office.proposal(CHANGE)
    with pytest.raises(ServiceError):
        desk.propose(signed, impact_note=IMPACT)
    assert office.log.log.size() == 2
    assert desk.propose(signed, impact_note=IMPACT).number == 1
    assert office.log.log.size() == 2
    assert desk.face().courses[0].number == 1


def test_whoever_was_overtaken_decides_anew(office: Office) -> None:
    other = office.proposal(registers.policy_change("another"))
    pending = [True]

    def before(_entry: bytes, _expected: int) -> None:
        if pending:
            pending.pop()
            office.office.propose(other, impact_note=IMPACT)

    desk = interrupted(office, before=before)
    assert desk.propose(office.proposal(CHANGE), impact_note=IMPACT).number == 2
    assert [each.index for each in desk.snapshot().register.courses.values()] == [1, 2]


def test_a_log_that_is_always_faster_is_given_up(office: Office) -> None:
    def before(_entry: bytes, _expected: int) -> None:
        raise ports.Overtaken

    with pytest.raises(ServiceError) as refused:
        interrupted(office, before=before).propose(office.proposal(CHANGE), impact_note=IMPACT)
    assert refused.value.code is Code.BUSY
    assert office.log.log.size() == 1


def test_many_at_once_lose_and_double_nothing(office: Office) -> None:
    number = office.propose(CHANGE)
    with ThreadPoolExecutor(8) as pool:
        receipts = list(
            pool.map(lambda each: office.office.comment(number, f"Comment {each}"), range(32))
        )
    assert sorted(each.number for each in receipts) == list(range(2, 34))
    assert len({each.digest for each in receipts}) == 32
    shown = office.office.face().courses[0].comments
    assert {each.text for each in shown} == {f"Comment {each}" for each in range(32)}


def routine(office: Office, *, by: str, label: str = "announcements") -> dict[str, object]:
    said = members.array(office.city.payload["announced"])[-1]
    announced = change.announcement(said)
    message = approval.routine_message(label, announced, scope=office.scope)
    signature = notaries.signer(by)(message)
    return register_office.as_json(
        RoutineEntry(delegation=label, change=announced, signature=signature)
    )


def test_a_delegated_key_logs_what_it_may_and_no_more(office: Office) -> None:
    delegation = Delegation(
        label="announcements",
        key=ed25519.public_key(notaries.seed("root")),
        routine=(Routine.ANNOUNCEMENT,),
        most=1,
        until=date(2028, 1, 1),
    )
    office.decide(delegation)
    for said in (routine(office, by="another"), routine(office, by="root", label="unknown")):
        with pytest.raises(NotLogged):
            office.office.log_routine(said)  # type: ignore[arg-type]  # JSON, as it came
    logged = office.office.log_routine(routine(office, by="root"))  # type: ignore[arg-type]  # JSON, as it came
    assert office.office.face().events[-1 - logged.number].type == "routine"
    assert office.entries()[-1].type == "summary"
    titles = [each.title for each in office.office.face().others]
    assert any(each.startswith("Keys for") for each in titles)


def test_without_witnesses_nothing_holds_and_it_is_said(office: Office) -> None:
    office.decide(CHANGE)
    published = office.published()
    bare = replace(published, note=notaries.signed(published.checkpoint.head).note)

    class Alone(Book):
        def published(self) -> SignedCheckpoint | None:
            return bare

    desk = RegisterOffice(
        book=Alone(office.log.log),
        store=office.store,
        knowledge=office.trust,
        clock=office.clock,
        random_bytes=cities.chance("alone"),
    )
    desk.open(pin=office.pin)
    face = desk.face()
    assert (face.asking, face.log.witnessed) == ((), None)
    assert "nobody can rely on it" in face.issuing


def test_what_is_in_force_is_told_while_an_entry_is_being_logged(office: Office) -> None:
    office.decide(CHANGE)
    told: list[tuple[str, int]] = []

    def look(*_told: object) -> None:
        office.clock.time += 1  # not the face of a moment ago
        face = desk.face()
        told.append((face.issuing, len(face.asking)))

    desk = interrupted(office, before=look, after=look)
    desk.propose(office.proposal(registers.policy_change("another")), impact_note=IMPACT)
    assert told == [("Cards are issued.", 1)] * 2


def test_what_is_in_force_is_told_while_witnesses_are_away(office: Office) -> None:
    office.decide(CHANGE)
    for each in office.log.witnesses.values():
        each.away = True
    number = office.propose(registers.policy_change("another"))
    for desk in (office.office, interrupted(office)):
        face = desk.face()
        assert (face.issuing, len(face.asking)) == ("Cards are issued.", 1)
        assert face.courses[0].number == number


def test_an_entry_that_does_not_count_is_shown_as_such(office: Office) -> None:
    office.log.log.append(b"whatever somebody put there", expected=1)
    office.office.keep_current()
    office.log.log.append(
        wire.write(entry.Answer(proposal=bytes(32), answer=bytes(32))), expected=2
    )
    office.office.keep_current()
    said = [each.said for each in office.office.face().events]
    assert said[:2] == [
        "An entry that does not count: unknown proposal",
        "An entry that does not count: malformed",
    ]
    reasons = [each.reason for each in office.office.snapshot().register.refusals]
    assert reasons == [Reason.MALFORMED, Reason.UNKNOWN_PROPOSAL]
