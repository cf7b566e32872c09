"""T18, T19: hiding leaves no mark, and hidden values have neither length nor shape."""

from pathlib import Path

import pytest

from crypto.encoding import canonical_json
from crypto.errors import Refused
from crypto.sdjwt import sd_jwt
from idservice import catalogue
from idservice.verification import policy
from tests.fakes import seizure
from tests.fakes.seizure import Resident, SeizedCity

SHOWN = ("resident", "age_over_18")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("city")
    with seizure.opened(folder) as opened:
        yield opened


def length_without_index(city: SeizedCity, person: Resident) -> int:
    """Measure what is sent; the index is random and has one to six digits for everybody."""
    shown = person.show(0, SHOWN, audience="v", now=city.clock.now())
    payload = canonical_json.parse_object(sd_jwt.parse(shown).sd_jwt.issuer.payload)
    payload["status"]["status_list"]["idx"] = 0
    return len(canonical_json.serialize(payload)) + sum(
        len(text) for text in sd_jwt.parse(shown).sd_jwt.disclosures
    )


@pytest.mark.threat("T18")
def test_a_withheld_address_looks_like_any_other(city: SeizedCity) -> None:
    here = city.resident(seizure.record(1))
    withheld = city.resident(seizure.record(2, address=None))
    care_of = city.resident(seizure.record(3, address={"care_of": "Desk 7"}))
    lengths = {length_without_index(city, person) for person in (here, withheld, care_of)}
    assert len(lengths) == 1


@pytest.mark.threat("T19")
def test_hidden_values_do_not_change_what_is_sent(city: SeizedCity) -> None:
    short = city.resident(seizure.record(4, given_name="A"))
    long = city.resident(seizure.record(5, given_name="B" * 100, gender="X"))
    assert length_without_index(city, short) == length_without_index(city, long)


@pytest.mark.threat("T18")
@pytest.mark.parametrize("claim", catalogue.ADDRESS_CLAIMS)
def test_no_policy_may_require_an_address(city: SeizedCity, claim: str) -> None:
    allowed = policy.write(city.city.verifiers["bank"].policy)
    policy.parse(allowed)
    required = {**allowed, "required": [*allowed["required"], claim]}
    required["optional"] = [name for name in allowed["optional"] if name != claim]
    with pytest.raises(Refused):
        policy.parse(required)
