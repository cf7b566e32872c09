"""Laws of the fold: portions do not matter, junk does not matter, and it never fails."""

import functools
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.instant import UnixSeconds
from crypto.log import checkpoint
from idservice.period import DAY
from idservice.register import fold, wire
from idservice.register.change import Drop, SuspendIssuing, WindDown
from idservice.register.entry import Founding
from idservice.register.fold import Register
from tests.fakes import registers
from tests.fakes.registers import ENOUGH, NOTICE, City

QUICK = settings(max_examples=25, deadline=None)
FEW = ("agency-1", "community-2")
FOUNDED = (Founding(change=registers.policy_change("founded"), in_force_until=date(2028, 1, 1)),)


@functools.cache
def story() -> City:
    """Return a city to which much has happened, well and badly."""
    city = City(founding=FOUNDED)
    city.decide(registers.policy_change())
    city.decide(registers.policy_change("other"), seats=FEW)
    city.decide(Drop(subject="policy:founded"), base=1, seats=FEW)
    city.decide(SuspendIssuing(), seats=FEW)
    city.decide(registers.policy_change("hasty"), notice=DAY)
    city.summarise()
    city.decide(registers.policy_change(place="Another branch"), base=1)
    city.decide(WindDown())
    return city


def observed(register: Register, city: City) -> object:
    """Return all that anybody can ask of a register."""
    head = checkpoint.verify(city.note(), log=city.charter.log)
    now = UnixSeconds(city.now)
    return (
        register.in_force(head, now=now),
        register.history(head, now=now),
        register.refusals,
        register.state(at=now),
    )


@QUICK
@given(cuts=st.sets(st.integers(1, len(story().entries))))
def test_portions_do_not_matter(cuts: set[int]) -> None:
    city = story()
    register = fold.start(city.entries[0], pin=None)
    before = observed(
        register.extend(numbered(city, 1, None), heads=registers.leaves(city.entries).head), city
    )
    for begin, end in zip([1, *sorted(cuts)], [*sorted(cuts), None], strict=True):
        register = register.extend(
            numbered(city, begin, end), heads=registers.leaves(city.entries).head
        )
    assert observed(register, city) == before


def numbered(city: City, begin: int, end: int | None) -> list[tuple[int, bytes]]:
    return list(enumerate(city.entries))[begin:end]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@st.composite
def junk(draw: st.DrawFn) -> bytes:
    """Return what is no entry, a changed entry, or an entry of another time and place."""
    octets = draw(st.sampled_from(story().entries))
    match draw(st.sampled_from(["bytes", "json", "member", "flip", "other"])):
        case "bytes":
            return draw(st.binary(max_size=40))
        case "json":
            return canonical_json.serialize({"type": "proposal", "x": draw(JSON)})
        case "member":
            said = canonical_json.parse_object(octets)
            said[draw(st.sampled_from(sorted(said)))] = draw(JSON)
            return canonical_json.serialize(said)
        case "flip":
            place = draw(st.integers(0, len(octets) - 1))
            return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
        case _:
            return octets


@QUICK
@given(portion=st.lists(junk(), max_size=4))
def test_junk_changes_nothing_and_is_never_fatal(portion: list[bytes]) -> None:
    city, clean = City(founding=FOUNDED), City(founding=FOUNDED)
    for octets in portion:
        city.append(octets)
    for each in (city, clean):
        each.decide(registers.policy_change("after"))
    dirty, found = city.in_force(), clean.in_force()
    assert {name: each for name, each in dirty.policies.items() if name == "founded"} == {
        name: each for name, each in found.policies.items() if name == "founded"
    }
    assert dirty.charter == found.charter
    assert dirty.policies == found.policies
    assert len(city.register().refusals) + len(city.register().courses) >= len(portion)


@QUICK
@given(order=st.permutations(["library", "clinic", "school", "bank"]))
def test_order_of_decisions_about_different_subjects_does_not_matter(order: list[str]) -> None:
    city, sorted_city = City(), City()
    for each, names in ((city, order), (sorted_city, sorted(order))):
        proposals = [each.propose(registers.policy_change(name)) for name in names]
        c1 = each.note()
        each.wait(NOTICE)
        c2 = each.note()
        for proposal in reversed(proposals):
            statement = each.statement(proposal, c2)
            each.enact(statement, c1=c1, c2=c2, votes=each.votes(statement, ENOUGH))
    assert city.in_force().policies == sorted_city.in_force().policies
    assert set(city.in_force().policies) == set(order)


@QUICK
@given(end=st.integers(1, len(story().entries)))
def test_a_longer_log_never_changes_what_counted(end: int) -> None:
    city = story()
    whole = city.register()
    part = fold.fold(city.entries[:end], pin=None)
    assert part.refusals == tuple(each for each in whole.refusals if each.index < end)
    assert all(wire.parse(octets) is not None for octets in city.entries[:end])
