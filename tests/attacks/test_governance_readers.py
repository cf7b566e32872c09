"""The corpus's attacks on whoever keeps a fetched bundle until the next run."""

from pathlib import Path

import pytest

from idservice.apps.settings import UnusableSettings
from idservice.clients.trust_file import BUNDLE, PINNED
from tests.fakes import register_readers, registers
from tests.fakes.register_readers import FIRST, MADE, copied, published
from tests.fakes.verifier_office import FakeClock

ATTACK = registers.policy_json("attack")


@pytest.mark.attack("GOV-007")
def test_bundle_that_was_fetched_and_refused_is_nowhere_at_the_next_start(tmp_path: Path) -> None:
    register = copied()
    register.decide(registers.policy_change("attack"), seats=("council-1", "agency-1"))
    refused = published(register, ATTACK)
    assert not register_readers.running_office(tmp_path, refused, "attack", register.now)
    kept = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert not any(b'"attack"' in each for each in kept)
    assert (tmp_path / BUNDLE).read_bytes() == FIRST
    hands = FakeClock(MADE.now)
    parts = register_readers.assemble(tmp_path, hands)
    assert parts.knowledge.trust() == MADE.trust
    parts.close()


@pytest.mark.attack("GOV-007")
def test_bundle_that_was_put_into_the_folder_is_checked_like_a_fetched_one(tmp_path: Path) -> None:
    register = copied()
    register.decide(registers.policy_change("attack"), seats=("council-1", "agency-1"))
    refused = published(register, ATTACK)
    assert register_readers.running_office(tmp_path, FIRST, "library-card", MADE.now)
    (tmp_path / BUNDLE).write_bytes(refused)
    pinned = (tmp_path / PINNED).read_bytes()
    with pytest.raises(UnusableSettings):
        register_readers.assemble(tmp_path, FakeClock(register.now))
    assert (tmp_path / PINNED).read_bytes() == pinned


@pytest.mark.attack("GOV-007")
def test_the_same_done_properly_is_there_at_the_next_start(tmp_path: Path) -> None:
    register = copied()
    register.decide(registers.policy_change("attack"))
    good = published(register, ATTACK)
    assert register_readers.running_office(tmp_path, good, "attack", register.now)
    assert (tmp_path / BUNDLE).read_bytes() == good
    parts = register_readers.assemble(tmp_path, FakeClock(register.now))
    known = parts.knowledge.trust()
    parts.close()
    assert known is not None
    assert "attack" in known.policies
