"""The simulated city: equal facts, real messages, stores that carry out the issuer's ports."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from idservice import catalogue, period
from idservice.linkability.city import (
    formats,
    offices,
    population,
    processes,
    simulation,
    tagging,
)
from idservice.linkability.city.formats import Office, Trip
from idservice.linkability.city.offices import InMemory
from idservice.linkability.city.population import Resident

TODAY = period.day(offices.NOW)
PEOPLE = 24


@pytest.fixture(scope="module")
def city() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield offices.found(Path(folder) / "city", residents=PEOPLE, seed=1)


def walk(office: Office, resident: Resident, *, format_id: str) -> Trip:
    """Let one resident be issued and show twice."""
    asked = simulation.occasions(offices.chance(1, "verifiers"))
    return formats.FORMATS[format_id].walk(office, resident, asked)


def test_whoever_is_compared_is_another_of_the_same_half_with_equal_facts() -> None:
    made = population.make(400, today=TODAY, seed=3)
    for resident in made.residents:
        other = made.residents[made.partner[resident.number]]
        assert other.number != resident.number
        assert made.half[other.number] == made.half[resident.number]
        assert other.asked == resident.asked
        said = [each.person.claims(on=TODAY) for each in (resident, other)]
        assert [said[0][name] for name in resident.asked] == [
            said[1][name] for name in resident.asked
        ]
    assert sorted(made.partner.tolist()) == list(range(400))


def test_the_same_seed_makes_the_same_people() -> None:
    one, other = (population.make(50, today=TODAY, seed=5) for _ in "ab")
    assert one.residents == other.residents
    assert one.residents != population.make(50, today=TODAY, seed=6).residents


def test_in_a_town_everybody_is_issued_and_shows_twice_to_verifiers_who_accept(city: Path) -> None:
    people = population.make(PEOPLE, today=TODAY, seed=1)
    steps: list[int] = []
    seen = simulation.run(city, people, format_id=catalogue.FORMAT, seed=1, progress=steps.append)
    assert sum(steps) == PEOPLE
    assert seen.first.count == seen.second.count == seen.issued.count == PEOPLE
    given = int.from_bytes(seen.allocated, "little").bit_count()
    assert given == PEOPLE * catalogue.BATCH
    indices = np.concatenate(
        [each.numbers["1/0/status/status_list/idx"] for each in (seen.first, seen.second)]
    )
    assert len(set(indices.tolist())) == 2 * PEOPLE
    bits = np.unpackbits(np.frombuffer(seen.allocated, dtype=np.uint8), bitorder="little")
    assert bits[indices.astype(int)].all()
    assert seen.store.count > 5 * PEOPLE  # token, index row, mark, two answers, and the keys


def test_two_offices_in_memory_give_out_different_indices(city: Path) -> None:
    at_work = [InMemory(city, seed=1, shard=shard, residents=PEOPLE) for shard in (0, 1)]
    people = population.make(PEOPLE, today=TODAY, seed=1)
    for office in at_work:
        for resident in people.residents[:2]:
            walk(office.office, resident, format_id=catalogue.FORMAT)
    lists = [each.seize(catalogue.CONFIGURATION) for each in at_work]
    given = [int.from_bytes(each.allocated, "little") for each in lists]
    assert [each.bit_count() for each in given] == [2 * catalogue.BATCH] * 2
    assert not given[0] & given[1]


@pytest.mark.parametrize("format_id", sorted(formats.FORMATS))
def test_the_same_seed_writes_the_same_messages(city: Path, format_id: str) -> None:
    resident = population.make(PEOPLE, today=TODAY, seed=1).residents[0]
    trips = [
        walk(
            InMemory(city, seed=1, shard=0, residents=PEOPLE).office,
            resident,
            format_id=format_id,
        )
        for _ in "ab"
    ]
    assert trips[0].shown == trips[1].shown


def test_a_withdrawn_card_is_seen_in_the_list_of_the_stores_in_memory(city: Path) -> None:
    office = InMemory(city, seed=2, shard=0, residents=PEOPLE)
    resident = population.make(PEOPLE, today=TODAY, seed=1).residents[0]
    office.withdraw(walk(office.office, resident, format_id=catalogue.FORMAT))
    seized = office.seize(catalogue.CONFIGURATION)
    assert int.from_bytes(seized.statuses, "little").bit_count() == catalogue.BATCH


@pytest.mark.parametrize("format_id", sorted(tagging.FORMATS))
def test_wallets_notice_an_issuer_that_tags(city: Path, format_id: str) -> None:
    found = tagging.attempts(city, format_id, seed=1)
    assert [attempt.mark for attempt in found if attempt.kept] == [tagging.HONEST]
    assert all(attempt.as_it_should for attempt in found)
    assert len(found) >= 5


def double(part: int, progress: object) -> int:
    assert callable(progress)
    progress(part)
    return 2 * part


def stumble(part: int, _progress: object) -> int:
    raise ValueError(f"part {part}")


def test_work_is_done_side_by_side_and_handed_back_in_order() -> None:
    steps: list[int] = []
    assert processes.side_by_side(abs_twice, [3, -4], steps.append) == [6, 8]


def abs_twice(part: int, progress: object) -> int:
    return double(abs(part), progress)


def test_a_process_that_stumbles_ends_all() -> None:
    with pytest.raises(processes.Failed, match="ValueError"):
        processes.side_by_side(stumble, [1, 2], lambda _: None)
