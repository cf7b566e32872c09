"""Who lives in the simulated city, what each is asked for, and who is compared with whom.

Everything follows from the seed. Each resident shows the same facts twice; whoever they are
compared with shows equal facts, so that nothing disclosed can decide. What stays hidden differs:
age, address, gender, portrait, the length of a name. Residents with something unusual hidden are
looked at as groups of their own.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from idservice import catalogue
from idservice.issuer import claims
from idservice.issuer.claims import Address, Person
from idservice.linkability.statistics import Integers

NAMES: Final = (
    *("Ada", "Amina", "Bo", "Chidi", "Dolores", "Elif", "Farid", "Grace", "Hana", "Ines"),
    *("Jamal", "Kim", "Leila", "Mateo", "Nadia", "Omar", "Priya", "Rosa", "Tomas", "Yusuf"),
)
LONG_NAME: Final = "Wilhelmina-Konstantina Theodorakopoulou-Featherstonehaugh"
ASKED: Final = (("resident",), ("age_over_18",), ("resident", "given_name"))
"""What the two verifiers ask for; the third is the second's required and optional claim."""
SHARES: Final = (0.5, 0.3, 0.2)
ADULT: Final = 18

_STREETS = ("Quay", "Mill Lane", "Hollyhock Passage", "Town Hall Square", "Ludgrove Street")
_PORTRAIT = b"\xff\xd8\xff\xe0", b"\xff\xd9"
_OLDEST_DAYS, _YOUNGEST_DAYS = 90 * 365, 11 * 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """One resident and what they are asked for, both times."""

    number: int
    person: Person = field(repr=False)
    asked: tuple[str, ...]
    groups: tuple[str, ...]
    """What is unusual about them and never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Everybody, split into halves; `partner` says whose second showing is the wrong one."""

    residents: tuple[Resident, ...]
    half: Integers
    partner: Integers
    facts: Integers
    """Residents with the same number, of the same half, show equal facts."""


def make(count: int, *, today: date, seed: int) -> Population:
    """Make a population.

    Args:
        count: so many that two in each half show equal facts.
        today: ages are as of this day.
        seed: of everything that is drawn here, not negative.

    Raises:
        ValueError: too few.
    """
    chance = np.random.default_rng([seed, 1])
    half = chance.permutation(np.arange(count) % 2).astype(np.int64)
    residents = _without_loners([_resident(n, today, chance) for n in range(count)], half, today)
    partner = np.zeros(count, dtype=np.int64)
    facts = np.zeros(count, dtype=np.int64)
    for number, members in enumerate(_by_facts(residents, half, today).values()):
        circle = chance.permutation(members)
        partner[circle] = np.roll(circle, -1)
        facts[circle] = number
    if (partner == np.arange(count)).any():
        raise ValueError("too few residents: somebody has nobody to be compared with")
    return Population(residents=tuple(residents), half=half, partner=partner, facts=facts)


def _resident(number: int, today: date, chance: np.random.Generator) -> Resident:
    rare = chance.random(4) < (0.02, 0.1, 0.02, 0.5)
    long_name, hidden_address, with_portrait, with_gender = (bool(each) for each in rare)
    born = today - timedelta(days=int(chance.integers(_YOUNGEST_DAYS, _OLDEST_DAYS)))
    age = claims.age(born, on=today)
    family = LONG_NAME if long_name else f"{chance.choice(NAMES)}son"
    person = Person(
        given_name=str(chance.choice(NAMES)),
        family_name=family,
        birth_date=born,
        locality="Exampleville",
        portrait=_portrait(chance) if with_portrait else None,
        gender=str(chance.choice(("F", "M", "X"))) if with_gender else None,
        address=Address() if hidden_address else _address(chance),
    )
    asked = ASKED[int(chance.choice(len(ASKED), p=SHARES))]
    told = {
        "child": age < ADULT,
        "aged 65 or over": age >= catalogue.AGE_THRESHOLDS[-1],
        "long name": long_name,
        "no address": hidden_address,
        "portrait": with_portrait,
    }
    groups = tuple(name for name, applies in told.items() if applies)
    if age < ADULT and "age_over_18" in asked:
        asked = ASKED[0]
    return Resident(number=number, person=person, asked=asked, groups=groups or ("usual",))


def _address(chance: np.random.Generator) -> Address:
    return Address(
        care_of="Post Desk 7" if chance.random() < 0.05 else None,  # noqa: PLR2004, a share
        street_address=f"{chance.choice(_STREETS)} {int(chance.integers(1, 400))}",
        postal_code=f"{int(chance.integers(10_000, 10_060))}",
        locality="Exampleville",
    )


def _portrait(chance: np.random.Generator) -> str:
    begin, end = _PORTRAIT
    return claims.portrait_claim(begin + chance.bytes(int(chance.integers(600, 1_400))) + end)


def _without_loners(found: list[Resident], half: Integers, today: date) -> list[Resident]:
    """Ask whoever shows facts like nobody else in their half for what everybody can show."""
    alone = {members[0] for members in _by_facts(found, half, today).values() if len(members) == 1}
    return [
        Resident(
            number=each.number,
            person=each.person,
            asked=ASKED[0] if each.number in alone else each.asked,
            groups=each.groups,
        )
        for each in found
    ]


def _by_facts(
    residents: list[Resident], half: Integers, today: date
) -> Mapping[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for each in residents:
        said = each.person.claims(on=today)
        facts = tuple((name, said[name]) for name in each.asked)
        found[int(half[each.number]), facts].append(each.number)
    return found
