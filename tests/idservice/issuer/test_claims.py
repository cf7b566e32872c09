"""A record in a clerk's hand: what is read, what is refused, what is computed."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Malformed
from idservice import catalogue
from idservice.issuer import claims

TODAY = date(2027, 1, 15)
JPEG = b"\xff\xd8\xff" + bytes(16) + b"\xff\xd9"


def parse(record: object) -> claims.Person:
    return claims.parse(json.dumps(record).encode(), today=TODAY)


def test_only_resident_must_stand_there() -> None:
    found = parse({"resident": True}).claims(on=TODAY)
    assert found.pop("resident") is True
    assert found.pop("address") == dict.fromkeys(catalogue.ADDRESS_MEMBERS)
    assert set(found.values()) == {None}


def test_every_claim_that_a_policy_may_list_is_written() -> None:
    found = parse({"resident": True}).claims(on=TODAY)
    flat = {name for name in found if name != "address"}
    address = found["address"]
    assert isinstance(address, dict)
    assert flat | {f"address.{name}" for name in address} == set(catalogue.PUBLIC_CLAIMS)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"resident": False},
        {"resident": None},
        {"resident": 1},
        {"resident": "true"},
        [],
        None,
        {"resident": True, "age_over_18": True},
        {"resident": True, "CANARY": "CANARY"},
        {"resident": True, "nationality": "CANARY"},
        {"resident": True, "renewal_handle": "CANARY"},
        {"resident": True, "address": {"country": "CANARY"}},
        {"resident": True, "address": ["CANARY"]},
        {"resident": True, "given_name": ""},
        {"resident": True, "given_name": " CANARY"},
        {"resident": True, "given_name": 7},
        {"resident": True, "given_name": "C" * 101},
        {"resident": True, "given_name": "CANARY\x00"},
        {"resident": True, "given_name": "CANARY\n"},
        {"resident": True, "given_name": "CAN\u202eARY"},
        {"resident": True, "given_name": "CAN\u2067ARY"},
        {"resident": True, "given_name": "CAN\u200fARY"},
        {"resident": True, "given_name": "CAN\u2028ARY"},
        {"resident": True, "given_name": "CAN\ue000ARY"},
        {"resident": True, "birth_date": "2017-01-16"},
        {"resident": True, "birth_date": "1896-01-14"},
        {"resident": True, "birth_date": "2028-01-01"},
        {"resident": True, "birth_date": "19900412"},
        {"resident": True, "birth_date": "1990-02-30"},
        {"resident": True, "birth_date": "1990-W15-4"},
        {"resident": True, "birth_date": 19900412},
        {"resident": True, "portrait": "CANARY"},
        {"resident": True, "portrait": "data:image/png;base64,iVBORw0KGgo="},
        {"resident": True, "portrait": "data:image/jpeg;base64,CANARY!"},
        {"resident": True, "portrait": "data:image/jpeg;base64,aGVsbG8="},
    ],
)
def test_record_that_is_not_one_is_refused_and_not_repeated(record: Any) -> None:
    with pytest.raises(Malformed) as caught:
        parse(record)
    assert "CANARY" not in str(caught.value)


def test_repeated_member_is_refused() -> None:
    with pytest.raises(Malformed):
        claims.parse(b'{"resident": true, "resident": true}', today=TODAY)


@pytest.mark.parametrize("name", ["Zoë", "李明", "Жанна", "عائشة", "می‌نا", "Ðøñ", "שרה", "आयुष"])
def test_names_of_all_scripts_are_kept(name: str) -> None:
    person = parse({"resident": True, "given_name": name})
    assert person.claims(on=TODAY)["given_name"] == name


def test_names_are_written_in_one_way() -> None:
    person = parse({"resident": True, "given_name": "Zoe\u0308"})
    assert person.given_name == "Zo\u00eb"
    assert parse({"resident": True, "given_name": "e\u0308" * 100}).given_name == "\u00eb" * 100
    with pytest.raises(Malformed, match="100"):
        parse({"resident": True, "given_name": "e\u0308" * 101})


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(2009, 1, 15), TODAY, 18),
        (date(2009, 1, 16), TODAY, 17),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_age_is_full_years(born: date, on: date, years: int) -> None:
    assert claims.age(born, on=on) == years


def test_without_birth_date_no_age_is_known() -> None:
    with pytest.raises(ValueError, match="no birth date"):
        claims.age(None, on=TODAY)


def test_ages_are_computed() -> None:
    found = parse({"resident": True, "birth_date": "1962-01-15"}).claims(on=TODAY)
    assert [found[name] for name in catalogue.AGE_CLAIMS] == [True] * 6
    found = parse({"resident": True, "birth_date": "2010-01-14"}).claims(on=TODAY)
    assert [found[name] for name in catalogue.AGE_CLAIMS] == [True, True] + [False] * 4


def test_portrait_is_a_jpeg_of_limited_size() -> None:
    text = claims.portrait_claim(JPEG)
    assert claims.parse_portrait(text) == JPEG
    largest = b"\xff\xd8\xff" + bytes(catalogue.PORTRAIT_LIMIT - 5) + b"\xff\xd9"
    assert claims.parse_portrait(claims.portrait_claim(largest)) == largest
    too_large = b"\xff\xd8\xff" + bytes(catalogue.PORTRAIT_LIMIT - 4) + b"\xff\xd9"
    with pytest.raises(Malformed, match="24 KiB"):
        claims.parse_portrait(claims.portrait_claim(too_large))


def test_second_spelling_of_a_portrait_is_refused() -> None:
    text = claims.portrait_claim(b"\xff\xd8\xff\x01\x02\x03\xff\xd9")
    assert text.endswith("/9k=")
    for spelling in (text.replace("/9k=", "/9l="), text.rstrip("="), text + "=", text + "\n"):
        with pytest.raises(Malformed):
            claims.parse_portrait(spelling)


TEXT = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=50)


@given(
    given_name=st.none() | TEXT,
    family_name=st.none() | TEXT,
    birth_date=st.none() | st.dates(date(1920, 1, 1), date(2016, 1, 1)).map(date.isoformat),
    street=st.none() | TEXT,
)
def test_record_is_written_back_as_it_was_read(
    given_name: str | None, family_name: str | None, birth_date: str | None, street: str | None
) -> None:
    person = parse(
        {
            "resident": True,
            "given_name": given_name,
            "family_name": family_name,
            "birth_date": birth_date,
            "address": {"street_address": street},
        }
    )
    assert claims.from_record(person.record(), today=TODAY) == person
    assert claims.from_claims(person.claims(on=TODAY), today=TODAY) == person
