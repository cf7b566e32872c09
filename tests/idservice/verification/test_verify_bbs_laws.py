"""Laws of BBS showings at the one core: what is shown comes out, and nothing that was changed."""

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from idservice import catalogue
from tests.fakes import bbs_city
from tests.fakes.bbs_city import Counter, show

CITY = bbs_city.make(library_card={"pseudonym": "member"})
AT_BANK = Counter(city=CITY, policy="bank-account", audience="x509_san_dns:bank.example")
AT_LIBRARY = Counter(city=CITY)
LISTED = CITY.policies["bank-account"].required + CITY.policies["bank-account"].optional
SHOWN = show("resident", "given_name")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~="


@given(st.sets(st.sampled_from(catalogue.BBS_SLOTS)))
@settings(max_examples=40, deadline=None)
def test_any_slots_can_be_shown_and_the_listed_ones_come_out(names: set[str]) -> None:
    required = CITY.policies["bank-account"].required
    shown = show(*sorted(names | set(required)), audience=AT_BANK.audience, policy="bank-account")
    there = {name for name in LISTED if bbs_city.RESIDENT[name] is not None}
    expected = {name: bbs_city.RESIDENT[name] for name in there & (names | set(required))}
    assert AT_BANK.check(shown).facts == expected


@given(st.integers(0, len(SHOWN) - 1), st.sampled_from(ALPHABET))
@settings(max_examples=150, deadline=None)
def test_every_change_of_a_character_is_refused(place: int, character: str) -> None:
    changed = SHOWN[:place] + character + SHOWN[place + 1 :]
    assert (AT_LIBRARY.refusal(changed) is None) is (changed == SHOWN)


@given(st.text(ALPHABET, max_size=40), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_part_is_refused_and_breaks_nothing(text: str, part: int) -> None:
    parts = SHOWN.split(".")
    parts[part] = text
    assert AT_LIBRARY.refusal(".".join(parts)) is not None


@functools.cache
def pool() -> tuple[str, ...]:
    return (
        SHOWN,
        show("resident", seed="another"),
        show("resident", nonce="other"),
        show("given_name"),
        show("resident", nym_context=bbs_city.context()),
        bbs_city.with_slot(SHOWN, 0, b'"Mallory"'),
        bbs_city.with_slot(SHOWN, 0, b'"Eve"'),
        "...",
        "",
    )


@functools.cache
def alone(place: int) -> object:
    (answer,) = AT_LIBRARY.together([pool()[place]])
    one = AT_LIBRARY.refusal(pool()[place])
    assert one is None or one is answer
    return answer


@given(st.lists(st.integers(0, 8), max_size=12))
@settings(max_examples=25, deadline=None)
def test_a_batch_says_of_each_what_is_said_of_it_alone(places: list[int]) -> None:
    answers = AT_LIBRARY.together([pool()[place] for place in places])
    assert answers == [alone(place) for place in places]
