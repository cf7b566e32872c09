"""T01, T07, T08, T09: what two verifiers could compare is the same for everybody, or random."""

import itertools
from pathlib import Path

import pytest

from crypto.encoding import canonical_json
from crypto.sdjwt import sd_jwt
from tests.fakes import seizure

CLAIMS = ("age_over_18",)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("city")
    with seizure.opened(folder) as city:
        # born in the same year, so that what is disclosed is equal
        yield city, city.resident(seizure.record(1)), city.resident(seizure.record(2))


@pytest.mark.threat("T01")
def test_two_showings_of_one_person_share_no_more_than_those_of_two_persons(people) -> None:
    city, one, other = people
    now = city.clock.now()

    def shown(person, place: int) -> set[str]:
        return seizure.texts(person.show(place, CLAIMS, audience=f"v{place}", now=now))

    for place in range(1, 19):
        of_one = shown(one, 0) & shown(one, place)
        of_two = shown(one, 0) & shown(other, place)
        assert of_one == of_two


@pytest.mark.threat("T01")
def test_what_showings_share_is_the_citys_and_the_disclosed_fact(people) -> None:
    city, one, _ = people
    now = city.clock.now()
    shared = seizure.texts(one.show(0, CLAIMS, audience="v", now=now)) & seizure.texts(
        one.show(1, CLAIMS, audience="v", now=now)
    )
    assert {text.partition("=")[0] for text in shared} == {
        "header.alg",
        "header.typ",
        "header.x5c[]",
        "._sd_alg",
        ".cnf.jwk.crv",
        ".cnf.jwk.kty",
        ".exp",
        ".iss",
        ".nbf",
        ".status.status_list.uri",
        ".vct",
        ".vct#integrity",
        "said",
    }


@pytest.mark.threat("T07")
def test_indices_are_distinct_and_in_no_order(people) -> None:
    _, one, other = people
    indices = [
        canonical_json.parse_object(sd_jwt.parse(text).issuer.payload)["status"]["status_list"][
            "idx"
        ]
        for person in (one, other)
        for text in person.credentials
    ]
    assert len(set(indices)) == len(indices)
    assert indices != sorted(indices)
    neighbours = sum(b - a == 1 for a, b in itertools.pairwise(indices))
    assert neighbours <= 1


@pytest.mark.threat("T08")
def test_a_bare_record_and_a_full_one_have_the_same_shape(people) -> None:
    city, full, _ = people
    bare = city.resident({"resident": True})

    def shape(person) -> tuple[object, ...]:
        payload = canonical_json.parse_object(sd_jwt.parse(person.credentials[0]).issuer.payload)
        return sorted(payload), len(payload["_sd"]), len(payload["address"]["_sd"])

    assert shape(bare) == shape(full)


@pytest.mark.threat("T09")
def test_the_only_times_are_the_periods(people) -> None:
    city, one, _ = people
    city.clock.time += 3600
    later = city.resident(seizure.record(3))
    city.clock.time -= 3600
    for person in (one, later):
        payload = canonical_json.parse_object(sd_jwt.parse(person.credentials[0]).issuer.payload)
        announced = city.city.announced
        assert (payload["nbf"], payload["exp"]) == (announced.nbf, announced.exp)
        assert "iat" not in payload
