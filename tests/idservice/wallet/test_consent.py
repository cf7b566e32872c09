import dataclasses

import pytest

from idservice.wallet import consent
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire

LIBRARY = """\
Who       Exampleton Library
          x509_san_dns:library.example
Why       library membership, at the counter
          To give you a library card.
Kept      nothing
What      [x] that you live in the city
          [ ] given name - your choice (given_name)
Copies    one of 19 that were never shown; no two can be linked by who checks
          them"""

BANK = """\
Who       Exampleton Savings Bank
          x509_san_dns:bank.example
Why       opening an account, in the branch
          To open an account in your name.
Kept      Name and date of birth are kept while the account is open.
          erase it at https://bank.example/erase
What      [x] given name
          [x] family name
          [x] date of birth
          [ ] address: street - your choice (address.street_address)
          [x] address: postal code - your choice (address.postal_code)
          [ ] address: town - your choice (address.locality)
Copies    one of 19 that were never shown; no two can be linked by who checks
          them"""


@pytest.fixture(scope="module")
def holder():
    holder = holders.make(fake_city.make())
    holder.receive()
    return holder


def asked(holder, name):
    asking = fake_wire.asking(holder.city.verifiers[name])
    return holder.service.ask(fake_wire.put(holder.wire, asking))


def test_who_what_why_and_how_long(holder):
    assert consent.text(asked(holder, "library"), shared=(), languages=("en",)) == LIBRARY


def test_what_is_kept_and_where_to_erase_it(holder):
    screen = consent.text(asked(holder, "bank"), shared=("address.postal_code",), languages=("en",))
    assert screen == BANK


def test_no_value_of_a_claim_stands_on_the_screen(holder):
    screen = consent.text(asked(holder, "bank"), shared=(), languages=("en",))
    for value in ("Ada", "Okonkwo", "1990", "Quay"):
        assert value not in screen


@pytest.mark.threat("T44")
@pytest.mark.parametrize(
    ("languages", "sentence"),
    [(("es",), "Para darle."), (("fr", "en"), "To give."), (("ja",), "Para darle.")],
)
def test_notice_in_the_holders_language(languages, sentence):
    notices = {"es": "Para darle.", "en": "To give."}
    assert consent.notice(notices, languages) == sentence


def test_every_line_fits_a_terminal(holder):
    question = asked(holder, "bank")
    long = dataclasses.replace(
        question, policy=dataclasses.replace(question.policy, retention="word " * 100)
    )
    for width in (40, 78):
        lines = consent.text(long, shared=(), languages=("en",), width=width).splitlines()
        assert max(map(len, lines)) <= width


def test_used_up_copies_are_told(holder):
    question = asked(holder, "library")
    card = question.holding.card
    for place in range(19):
        card = card.marked(place, card.instances[place].use.SHOWN)
    empty = dataclasses.replace(question, holding=dataclasses.replace(question.holding, card=card))
    assert "can be noticed" in consent.text(empty, shared=(), languages=("en",))
