import dataclasses

import pytest

from idservice import catalogue
from idservice.verification import dcql
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

LASTING = """\
Who       Exampleton Library
          x509_san_dns:library.example
Why       library membership, at the counter
          To give you a library card.
Kept      nothing
What      [x] that you live in the city
          [ ] given name - your choice (given_name)
Name      [ ] a name to be recognised by - your choice, never needed: whoever
          asks under this policy then knows you again until 2027-02-02, and
          under no other. Not for ever: a quantum computer could one day tie
          such names together.
Copies    can be shown any number of times; nobody can tie two showings
          together, beyond the facts and without a name"""


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


@pytest.fixture(scope="module")
def lasting():
    holder = holders.make(holders.taking_bbs(fake_city.make()))
    holder.receive_bbs()
    return holder


def asked_bbs(holder, name):
    verifier = holder.city.verifiers[name]
    query = dcql.for_facts(
        vct=verifier.policy.vct,
        required=verifier.policy.required,
        optional=verifier.policy.optional,
        credential_format=catalogue.BBS_FORMAT,
    )
    asking = fake_wire.asking(verifier, query=query)
    return holder.service.ask(fake_wire.put(holder.wire, asking))


def test_card_that_lasts_says_what_nobody_can_tie(lasting):
    question = asked_bbs(lasting, "library")
    assert consent.text(question, shared=(), languages=("en",)) == LASTING


def test_name_is_a_line_of_its_own_and_off_unless_it_is_picked(lasting):
    question = asked_bbs(lasting, "library")
    off = consent.text(question, shared=("given_name",), languages=("en",))
    on = consent.text(question, shared=(), languages=("en",), pseudonym=True)
    assert "[ ] a name to be recognised by" in off
    assert "[x] a name to be recognised by" in on


def test_policy_without_a_label_has_no_line_for_a_name(lasting):
    screen = consent.text(asked_bbs(lasting, "bar"), shared=(), languages=("en",))
    assert "recognised" not in screen
    assert screen.endswith("nobody can tie two showings\n          together, beyond the facts")


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


@pytest.mark.parametrize(
    "said",
    ["図書館" * 60, "図書館 card " * 30, "a" * 67 + "図" * 40, "कु" * 120, "x" * 500],
)
def test_no_script_leaves_its_column(holder, said):
    question = asked(holder, "bank")
    policy = dataclasses.replace(question.policy, retention=said, erase=None)
    long = dataclasses.replace(question, policy=policy)
    screen = consent.text(long, shared=(), languages=("en",))
    kept = screen.partition("\nKept")[2].partition("\nWhat")[0].splitlines()
    assert len(kept) > 1
    assert "".join(kept).replace(" ", "") == said.replace(" ", "")
    for line in kept:
        assert sum(2 if one in "図書館" else one != "\u0941" for one in line) <= consent.WIDTH


def test_used_up_copies_are_told(holder):
    question = asked(holder, "library")
    card = question.holding.card
    for place in range(19):
        card = card.marked(place, card.instances[place].use.SHOWN)
    empty = dataclasses.replace(question, holding=dataclasses.replace(question.holding, card=card))
    assert "can be noticed" in consent.text(empty, shared=(), languages=("en",))
