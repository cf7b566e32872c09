"""A city's register to attack: what is refused must be refused by the fold and offline alike.

Whoever attacks may append to the log what they like, and may have the city root sign any bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Refused
from crypto.instant import UnixSeconds
from crypto.log.note import Note
from idservice.register import bundle, change, entry
from idservice.register.change import Change, SeatKey
from idservice.register.entry import Digest, Enactment, Statement, Vote
from idservice.register.state import Reason
from idservice.verification import policy
from tests.fakes import city, registers
from tests.fakes.registers import NOTICE, City

MADE = city.make()
REGISTER = registers.of_city(MADE)
FEW = ("agency-1", "community-2")
ATTACK = registers.policy_change("attack")


def copied() -> City:
    """Return the register as it stands, to be continued."""
    more = City(charter=REGISTER.charter, founding=REGISTER.founding, now=REGISTER.now)
    more.entries[:] = REGISTER.entries
    return more


def offline(register: City, said: Sequence[Change] = (ATTACK,)) -> bytes:
    """Return a bundle, signed by the root, that says these policies are in force."""
    policies = [policy.write(each.policy) for each in said if isinstance(each, change.PolicyChange)]
    before = MADE.payload["policies"]
    assert isinstance(before, list)
    payload: JsonObject = {**MADE.payload, "policies": [*before, *policies]}
    return registers.bundled(MADE, register, payload=payload)


def load(register: City, data: bytes) -> bundle.Loaded:
    pin = entry.entry_digest(REGISTER.entries[0])
    return bundle.load(data, pin=pin, seen=None, now=UnixSeconds(register.now))


def refused(register: City, reason: Reason, said: Change = ATTACK) -> None:
    """Check that it is refused by the fold, and by whoever is offline."""
    assert reason in [each.reason for each in register.register().refusals]
    found = register.in_force()
    assert "attack" not in found.policies
    assert found.charter == REGISTER.charter
    assert found.version(said.subject) == REGISTER.in_force().version(said.subject)
    register.summarise()
    with pytest.raises(Refused):
        load(register, offline(register))
    load(register, offline(register, ()))


def accepted(register: City) -> None:
    """Check the same, done properly."""
    assert "attack" in register.in_force().policies
    register.summarise()
    assert "attack" in load(register, offline(register)).trust.policies


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A proposal whose notice is over."""

    proposal: Digest
    statement: Statement
    c1: Note
    c2: Note

    def enact(self, register: City, votes: Sequence[Vote], **changed: object) -> int:
        said = Enactment(statement=self.statement, c1=self.c1, c2=self.c2, votes=tuple(votes))
        return register.append(replace(said, **changed))  # type: ignore[arg-type]  # as named


def ready(register: City, said: Change = ATTACK, *, base: int = 0, notice: int = NOTICE) -> Ready:
    until = registers.SUNSET if isinstance(said, SeatKey) else None
    proposal = register.propose(said, base=base, until=until)
    c1 = register.note()
    register.wait(notice)
    c2 = register.note()
    return Ready(proposal=proposal, statement=register.statement(proposal, c2), c1=c1, c2=c2)
