"""Any choice of claims is shown exactly, in either format."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.bbs import jwp
from idservice import catalogue
from idservice.verification import showing, verify
from idservice.wallet.formats import FORMATS, BbsOccasion, Occasion
from idservice.wallet.model import Instance, Use
from tests.fakes import city as fake_city
from tests.fakes.city import RESIDENT

CITY = fake_city.make()
NAMES = st.sets(st.sampled_from(catalogue.CLAIMS))
SECRET, COMMITMENT = jwp.request(random_bytes=fake_city.chance("holder"))
LASTING = Instance(credential=CITY.issue_bbs(RESIDENT, COMMITMENT), key=SECRET, use=Use.LASTING)
ONE_TIME = Instance(
    credential=CITY.issue(RESIDENT, fake_city.holder_key().public_key(), 4711),
    key=fake_city.holder_key(),
    use=Use.FRESH,
)
NONCE = "a-nonce"
PLAIN = Occasion(audience=CITY.issuer, nonce=NONCE, now=CITY.now)
DRAWN = fake_city.chance("showing")
"""Goes on from one showing to the next, as a wallet's chance does."""
BOUND = dataclasses.replace(
    PLAIN,
    bbs=BbsOccasion(
        announced=CITY.announced_bbs,
        request_hash=showing.direct_request_hash(nonce=NONCE, policy=showing.RENEWAL),
        nym_context=None,
        random_bytes=DRAWN,
    ),
)


def claims(presentation):
    """Return what is shown of the catalogue's claims, checked as the issuer does at renewal."""
    shown = verify.verify_credential(
        presentation, audience=CITY.issuer, nonce=NONCE, trust=CITY.trust, now=CITY.now
    ).claims
    address = shown.get("address", {})
    flat = {f"address.{name}": value for name, value in address.items()} | shown
    return {name: flat[name] for name in catalogue.CLAIMS if name in flat}


@settings(max_examples=25, deadline=None)
@given(names=NAMES)
def test_every_choice_of_a_bbs_cards_slots_is_shown_exactly(names):
    presentation = FORMATS[catalogue.BBS_FORMAT].show(LASTING, names, BOUND)
    assert claims(presentation) == {name: RESIDENT[name] for name in names}


@settings(max_examples=25, deadline=None)
@given(names=NAMES)
def test_every_choice_of_an_sd_jwts_claims_is_shown_exactly(names):
    presentation = FORMATS[catalogue.FORMAT].show(ONE_TIME, names, PLAIN)
    assert claims(presentation) == {name: RESIDENT[name] for name in names}


def test_both_formats_say_the_same():
    first, second = (
        FORMATS[kind].read(one.credential)
        for kind, one in ((catalogue.FORMAT, ONE_TIME), (catalogue.BBS_FORMAT, LASTING))
    )
    assert {name: first[name] for name in second} == second


@pytest.mark.parametrize(
    ("kind", "instance", "occasion"),
    [
        (catalogue.FORMAT, LASTING, BOUND),
        (catalogue.BBS_FORMAT, ONE_TIME, BOUND),
        (catalogue.BBS_FORMAT, LASTING, PLAIN),
    ],
)
def test_formats_are_not_mixed_up(kind, instance, occasion):
    with pytest.raises(TypeError):
        FORMATS[kind].show(instance, ("resident",), occasion)


def test_no_secret_stands_in_a_repr():
    assert repr(SECRET.nym) not in repr(LASTING)
    assert LASTING.credential not in repr(LASTING)
