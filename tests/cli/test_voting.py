"""What a member signs, and what whoever enacts puts together, whatever the counter answers."""

from dataclasses import dataclass, replace
from datetime import date
from typing import cast

import pytest

from crypto.encoding.canonical_json import JsonObject
from idservice.cli import voting
from idservice.cli.board import Desk
from idservice.clients.register import Believed, HttpRegister
from idservice.period import DAY
from idservice.register import approval
from idservice.register.entry import Statement
from tests.fakes import register_office, registers
from tests.fakes.register_office import Office

CHANGE = registers.policy_change()


@dataclass
class Counter:
    """The register's counter, without HTTP."""

    office: Office

    def get(self, path: str) -> JsonObject:
        _, number, last = path.removeprefix("/v1/").split("/")
        assert last == "voting"
        return self.office.office.votes(int(number))


def desk(office: Office) -> Desk:
    snapshot, now = office.office.snapshot(), office.clock.now()
    head = office.published()
    return Desk(
        counter=cast("HttpRegister", Counter(office)),
        believed=Believed(
            register=snapshot.register,
            entries=snapshot.entries,
            head=head,
            in_force=snapshot.register.in_force(head, now=now),
        ),
        now=now,
    )


def offered(office: Office, number: int, *, hearing: date | None = None) -> tuple[Statement, str]:
    """Return what is offered to a voter, and how it is shown."""
    course = office.course(number)
    said, c2 = voting._statement(desk(office), course, hearing=hearing, minutes=None)
    return said, voting._vote_text(course, said, size=voting._size(c2))


@pytest.fixture
def office() -> Office:
    return register_office.make()


@pytest.fixture
def number(office: Office) -> int:
    found = office.propose(CHANGE)
    office.office.comment(found, "Why?")
    office.office.answer(found, "Because.")
    office.wait(registers.NOTICE + 1)
    return found


def answer(office: Office, number: int) -> bytes:
    return office.course(number).answers[-1]


def test_a_later_voter_takes_what_another_seat_voted_on(office: Office, number: int) -> None:
    first = office.approve(number, "council-1", answer=answer(office, number))
    office.office.comment(number, "Once more: why?")
    said, text = offered(office, number)
    assert said == first
    assert "Comments that were made: 1\n" in text
    assert "Comments made since, which this vote leaves out: 1\n" in text
    assert offered(office, number, hearing=date(2027, 1, 2))[0] != first


@pytest.mark.parametrize(
    "poison", [{"comments": b"\1" * 32}, {"answer": None}, {"answer": b"\1" * 32}]
)
def test_what_cannot_count_is_offered_to_nobody(
    office: Office, number: int, poison: dict[str, bytes | None]
) -> None:
    c2 = office.published().note
    honest = office.statement(number, c2, answer=answer(office, number))
    poisoned = replace(honest, **poison)  # type: ignore[arg-type]  # as named
    told = {"checkpoint_note": c2.octets().decode(), "minutes": None}
    office.office.approve(office.approval(poisoned, "agency-1"), **told)  # type: ignore[arg-type]  # as named
    said, _ = offered(office, number)
    course = office.course(number)
    assert said != poisoned
    assert (said.comments, said.answer) == (course.heard(1 << 20), course.answers[-1])


def test_the_statement_of_the_most_seats_is_enacted_without_votes_of_lost_keys(
    office: Office, number: int
) -> None:
    said = office.approve(number, "council-1", "agency-1", answer=answer(office, number))
    asked, course = desk(office), office.course(number)
    other = replace(said, hearing=date(2027, 1, 2))
    message = approval.statement_message(other, scope=office.scope)
    often = tuple(registers.vote("agency-1", message) for _ in range(3))
    lost = registers.vote("council-2", message, by="a key of before")
    crowded = replace(course, votes={**course.votes, other: (*often, lost)})
    told = voting._voting(asked, course)
    assert voting._enactment(asked, crowded, told).statement == said
    alone = replace(course, votes={other: (*often, lost)})
    assert voting._enactment(asked, alone, told).votes == often


def test_a_statement_that_has_grown_old_is_offered_to_nobody_and_enacted_last(
    office: Office, number: int
) -> None:
    old = office.approve(number, "council-1", "agency-1", answer=answer(office, number))
    office.wait(14 * DAY - 1)
    assert offered(office, number)[0] == old
    office.wait(2 * DAY)
    fresh, _ = offered(office, number)
    assert fresh != old
    office.approve(number, "community-1", answer=answer(office, number))
    asked, course = desk(office), office.course(number)
    told = voting._voting(asked, course)
    assert voting._enactment(asked, course, told).statement == fresh
    office.wait(400 * DAY)
    assert offered(office, number)[0] not in {old, fresh}
