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
    simulation,
    tagging,
)
from idservice.linkability.city.offices import InMemory

TODAY = period.day(offices.NOW)
PEOPLE = 12


@pytest.fixture(scope="module")
def city() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield offices.found(Path(folder) / "city", residents=PEOPLE, seed=1)


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


def test_too_few_to_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        population.make(2, today=TODAY, seed=1)


def test_the_same_seed_makes_the_same_people() -> None:
    one, other = (population.make(50, today=TODAY, seed=5) for _ in "ab")
    assert one.residents == other.residents
    assert one.residents != population.make(50, today=TODAY, seed=6).residents


def test_in_a_town_everybody_is_issued_and_shows_twice_to_verifiers_who_accept(city: Path) -> None:
    people = population.make(PEOPLE, today=TODAY, seed=1)
    steps: list[int] = []
    seen = simulation.run(city, people, formats.SD_JWT, in_town=True, seed=1, progress=steps.append)
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


@pytest.mark.parametrize("format_id", sorted(formats.FORMATS))
def test_the_same_seed_writes_the_same_messages(city: Path, format_id: str) -> None:
    resident = population.make(PEOPLE, today=TODAY, seed=1).residents[0]
    chosen = formats.FORMATS[format_id]
    trips = [InMemory(city, chosen, seed=seed).walk(resident) for seed in (1, 1, 2)]
    assert trips[0].shown == trips[1].shown != trips[2].shown


def test_a_withdrawn_card_is_seen_in_the_list_of_the_stores_in_memory(city: Path) -> None:
    office = InMemory(city, formats.SD_JWT, seed=2)
    resident = population.make(PEOPLE, today=TODAY, seed=1).residents[0]
    office.withdraw(office.walk(resident))
    seized = office.seize()
    assert int.from_bytes(seized.statuses, "little").bit_count() == catalogue.BATCH


@pytest.mark.parametrize("format_id", sorted(formats.FORMATS))
def test_wallets_notice_an_issuer_that_tags(city: Path, format_id: str) -> None:
    found = tagging.attempts(city, format_id, seed=1)
    assert [attempt.mark for attempt in found if attempt.kept] == [tagging.HONEST]
    assert all(attempt.as_it_should for attempt in found)
    assert len(found) >= 5
