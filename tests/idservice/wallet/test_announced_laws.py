"""Laws of the announced-values rule, on single instances."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url, canonical_json
from crypto.jose import jws
from crypto.sdjwt import sd_jwt
from idservice import catalogue
from idservice.wallet import announced
from idservice.wallet.formats import FORMATS
from idservice.wallet.model import Declined
from tests.fakes import city as fake_city
from tests.fakes.city import RESIDENT

CITY = fake_city.make()
KEY = fake_city.holder_key()
CREDENTIAL = CITY.issue(RESIDENT, KEY.public_key(), 4711)


def check(credential, **changes):
    told = {
        "keys": [KEY],
        "announced": CITY.announced,
        "issuer": CITY.issuer,
        "root": CITY.trust.root,
        "now": CITY.now,
    }
    return announced.check([credential], **(told | changes))


def test_what_is_accepted_is_accepted_again():
    batch = check(CREDENTIAL)
    assert check(batch.credentials[0]) == batch
    assert batch.claims == dict(RESIDENT)


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, len(CREDENTIAL) - 1),
    character=st.sampled_from("ABCxyz019-_~.= \n\u00e9"),
)
def test_every_single_changed_character_is_refused(place, character):
    if CREDENTIAL[place] == character:
        return
    with pytest.raises(Declined):
        check(CREDENTIAL[:place] + character + CREDENTIAL[place + 1 :])


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(len(catalogue.CLAIMS))))
def test_order_of_disclosures_does_not_matter_and_does_not_stay(order):
    parsed = sd_jwt.parse(CREDENTIAL)
    shuffled = sd_jwt.write(parsed.issuer_jwt, [parsed.disclosures[place] for place in order])
    assert check(shuffled) == check(CREDENTIAL)


@settings(max_examples=50, deadline=None)
@given(left_out=st.integers(0, len(catalogue.CLAIMS) - 1))
def test_every_claim_must_be_there(left_out):
    parsed = sd_jwt.parse(CREDENTIAL)
    kept = [text for place, text in enumerate(parsed.disclosures) if place != left_out]
    with pytest.raises(Declined):
        check(sd_jwt.write(parsed.issuer_jwt, kept))


def test_reading_gives_back_every_claim():
    claims = FORMATS[catalogue.FORMAT].read(CREDENTIAL)
    assert claims["address"]["street_address"] == "Quay 7"
    assert claims["vct"] == CITY.announced.vct
    assert "_sd" not in claims


def test_certificate_for_another_issuer_is_refused():
    with pytest.raises(Declined, match="for another issuer"):
        check(CREDENTIAL, issuer="https://other.example")


def test_digest_of_another_length_is_refused():
    parsed = sd_jwt.parse(CREDENTIAL)
    payload = canonical_json.parse_object(parsed.issuer.payload)
    payload["_sd"] = sorted([*payload["_sd"][1:], "AAAA"])
    token = jws.sign(
        header=parsed.issuer.header,
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(CITY.issuer_keys[CITY.period]),
    )
    with pytest.raises(Declined, match="length of digests"):
        check(sd_jwt.write(token, parsed.disclosures))


@pytest.mark.parametrize("payload", [b"[]", b"", b'{"iss":1,"iss":1}'])
def test_payload_that_is_no_object_is_refused(payload):
    parsed = sd_jwt.parse(CREDENTIAL)
    header = parsed.issuer_jwt.split(".")[0]
    token = f"{header}.{base64url.encode(payload)}.{base64url.encode(parsed.issuer.signature)}"
    with pytest.raises(Declined, match="does not parse"):
        check(sd_jwt.write(token, parsed.disclosures))


def test_announcement_of_another_size_bounds_the_index():
    small = dataclasses.replace(
        CITY.announced, status=dataclasses.replace(CITY.announced.status, size=4711)
    )
    with pytest.raises(Declined, match="outside the announced list"):
        check(CREDENTIAL, announced=small)
