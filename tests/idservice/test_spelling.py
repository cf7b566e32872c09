"""What people are let read, and what desk and wallet let into a card: one look, one spelling."""

import pytest

from crypto.errors import Malformed
from idservice import spelling
from idservice.issuer import claims
from idservice.period import day
from tests.fakes import city as cities

_PERSIAN = "\u0645\u06cc\u200c\u062e\u0648"
SEEN = (
    "Ada",
    "Mary Ann",
    "Nadia O'Neill-Żak",
    "Амина",
    "美玲",
    _PERSIAN,
    "क\u094d\u200dष",
    "葛\U000e0100飾",
)
UNSEEN = {
    "zero width space": "A\u200bda",
    "joiner between Latin letters": "A\u200dda",
    "joiner at an end": "می\u200c",
    "two joiners": "می\u200c\u200cخو",
    "joiner between ideographs": "美\u200d玲",
    "joiner after a dash": "م\u2014\u200dم",
    "variation selector": "Ada\ufe0f",
    "supplementary variation selector": "Ada\U000e0101",
    "two variation selectors": "葛\U000e0100\U000e0101",
    "Mongolian variation selector": "Ada\u180b",
    "Hangul initial filler": "\u115fa",
    "Hangul medial filler": "a\u1160",
    "halfwidth filler": "A\uffa0",
    "Khmer inherent vowel": "A\u17b4",
    "a pile of marks": "z" + "\u0321" * 5,
    "right to left": "A\u202eda",
    "line separator": "A\u2028da",
    "no-break space": "A\u00a0da",
    "combining grapheme joiner": "A\u034fda",
    "Hangul filler": "A\u3164",
    "braille blank": "A\u2800a",
    "control": "A\tda",
    "private use": "A\ue000",
    "tag": "A\U000e0041",
}


@pytest.mark.parametrize("text", SEEN)
def test_a_name_as_people_write_it_is_taken(text: str) -> None:
    assert spelling.is_visible(text)
    assert claims.from_record({"resident": True, "given_name": text}, today=day(cities.NOW))


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN.keys())
def test_what_nobody_sees_is_refused_by_desk_and_wallet_alike(text: str) -> None:
    assert not spelling.is_visible(text)
    with pytest.raises(Malformed, match="given_name: "):
        claims.from_record({"resident": True, "given_name": text}, today=day(cities.NOW))


PLAIN = (
    *SEEN,
    "",
    " ",
    "Två ord",
    "Pourquoi\u00a0?",
    "図書館\u3000本館",
    "ש\u05c1\u05bc\u05b8\u0591",
)


@pytest.mark.parametrize("text", PLAIN)
def test_words_as_people_write_them_hide_nothing(text: str) -> None:
    assert spelling.hides_nothing(text)


@pytest.mark.parametrize("text", ["a\u00a0\u00a0b", "a \u3000b", "\u00a0a", "a\u2003"])
def test_odd_blanks_stand_alone_between_words(text: str) -> None:
    assert not spelling.hides_nothing(text)


@pytest.mark.parametrize("text", sorted(set(UNSEEN.values()) - {UNSEEN["no-break space"]}))
def test_what_nobody_sees_is_hidden_in_words_too(text: str) -> None:
    assert not spelling.hides_nothing(text)


def test_one_spelling_the_desk_makes_it_and_the_wallet_asks_for_it() -> None:
    apart = "Ame\u0301lie"
    assert not spelling.is_visible(apart)
    made = claims.from_record({"resident": True, "given_name": apart}, today=day(cities.NOW))
    assert made.given_name == "Am\u00e9lie"
