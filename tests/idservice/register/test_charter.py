"""What no city's charter may say."""

import pytest

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed, Refused
from idservice.register import charter
from idservice.register.charter import SeatClass
from tests.fakes import notaries, registers

SEATS = registers.charter_json()["seats"]
WITNESSES = registers.charter_json()["witnesses"]
assert isinstance(SEATS, list)
assert isinstance(WITNESSES, list)


def seat(place: int, **changed: object) -> list[JsonObject]:
    found = [dict(each) for each in SEATS]  # type: ignore[arg-type]  # objects
    found[place].update(changed)  # type: ignore[arg-type]  # tests say what they like
    return found


def test_charter_is_written_back_as_it_was_read() -> None:
    said = registers.charter_json()
    found = charter.parse(said)
    assert charter.write(found) == said
    assert not found.demonstration
    assert found.seat("agency-1") in found.of_class(SeatClass.AGENCY)
    assert found.seat("nobody") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"seats": SEATS[:4]},
        {"seats": SEATS * 7},
        {"seats": seat(3, **{"class": "agency"})},
        {"seats": seat(0, id="council-2")},
        {"seats": seat(0, key=registers.key("council-2"))},
        {"seats": seat(0, key=registers.key("council-2 next"))},
        {"seats": seat(0, successor=registers.key("council-1"))},
        {"threshold": 2},
        {"threshold": 6},
        {"emergency": 1},
        {"emergency": 4},
        {"notice_s": 30 * 86_400 - 1},
        {"notice_s": 367 * 86_400},
        {"sandbox": True, "notice_s": 0},
        {"witnesses": []},
        {"witnesses": WITNESSES[:1]},
        {"witness_threshold": 0},
        {"witness_threshold": 4},
        {"least_group": 9},
        {"sunset": "2026-01-05"},
        {"offline_days": 0},
        {"offline_days": 91},
        {"seats": seat(0, key="AQ" + "A" * 41)},
    ],
)
def test_rules_that_no_city_may_loosen(changed: dict[str, object]) -> None:
    with pytest.raises((Refused, Malformed)):
        registers.board(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"city": "Sampleton\u202e"},
        {"log": notaries.witness_key("w.example/w").text},
        {"log": "x"},
        {"root": "AAAA"},
        {"seats": seat(0, **{"class": "mayor"})},
        {"seats": seat(0, more=1)},
        {"seats": seat(0, key="AAAA")},
        {"witnesses": [{"key": notaries.log_key("w.example/w").text, "run_by_city": True}]},
        {"witnesses": [{**WITNESSES[0], "run_by_city": 1}]},  # type: ignore[dict-item]  # object
        {"languages": []},
        {"languages": ["en", "en"]},
        {"adopted": "5 January"},
        {"notice_s": True},
        {"more": 1},
    ],
)
def test_charter_that_does_not_parse(changed: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        registers.board(**changed)


def test_two_witnesses_with_one_key_are_refused() -> None:
    with pytest.raises(CryptoError):
        registers.board(witnesses=[WITNESSES[0], WITNESSES[0]])
