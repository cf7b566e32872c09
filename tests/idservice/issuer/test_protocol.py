"""The issuer's messages, without service or stores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64url, canonical_json
from crypto.instant import UnixSeconds
from crypto.sealed import offer
from idservice.errors import Code, ServiceError
from idservice.issuer import metadata, model, protocol
from idservice.issuer.model import Attempt, Authorisation, Entitlement, Offer
from tests.fakes import issuer_office as offices
from tests.fakes.city import NOW, chance

CODE = base64url.encode(bytes(range(32)))
GOOD = {"grant_type": protocol.GRANT, "pre-authorized_code": CODE}


def test_token_request_is_read() -> None:
    request = protocol.parse_token_request({**GOOD, "tx_code": "012345", "client_id": "wallet"})
    assert (request.code, request.transaction_code) == (bytes(range(32)), "012345")
    assert CODE not in repr(request)


def test_parameter_without_a_value_is_as_if_it_were_left_out() -> None:
    request = protocol.parse_token_request({**GOOD, "tx_code": "", "authorization_details": ""})
    assert request.transaction_code is None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, Code.INVALID_REQUEST),
        ({"grant_type": ""}, Code.INVALID_REQUEST),
        ({"grant_type": "authorization_code", "code": "x"}, Code.UNSUPPORTED_GRANT_TYPE),
        ({"grant_type": protocol.GRANT.upper()}, Code.UNSUPPORTED_GRANT_TYPE),
        ({"grant_type": protocol.GRANT}, Code.INVALID_REQUEST),
        ({**GOOD, "pre-authorized_code": ""}, Code.INVALID_REQUEST),
        ({**GOOD, "pre-authorized_code": CODE[:-1]}, Code.INVALID_GRANT),
        ({**GOOD, "pre-authorized_code": CODE + "AA"}, Code.INVALID_GRANT),
        ({**GOOD, "pre-authorized_code": "CANARY!"}, Code.INVALID_GRANT),
        ({**GOOD, "pre-authorized_code": "é" * 43}, Code.INVALID_GRANT),
    ],
)
def test_token_request_that_is_not_one_is_refused(form: dict[str, str], code: Code) -> None:
    with pytest.raises(ServiceError) as caught:
        protocol.parse_token_request(form)
    assert caught.value.code is code


def test_nonce_holds_for_five_minutes() -> None:
    key = bytes(32)
    nonce = protocol.new_nonce(key=key, now=NOW, random_bytes=chance())
    for later in (0, 1, 299):
        protocol.check_nonce(nonce, key=key, now=UnixSeconds(NOW + later))
    with pytest.raises(ServiceError, match=Code.INVALID_NONCE):
        protocol.check_nonce(nonce, key=key, now=UnixSeconds(NOW + 300))
    with pytest.raises(ServiceError, match=Code.INVALID_NONCE):
        protocol.check_nonce(nonce, key=bytes([1]) * 32, now=NOW)


@given(st.data())
def test_nonce_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    nonce = protocol.new_nonce(key=bytes(32), now=NOW, random_bytes=chance())
    place = data.draw(st.integers(0, len(nonce) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda each: each != nonce[place]))
    with pytest.raises(ServiceError, match=Code.INVALID_NONCE):
        protocol.check_nonce(nonce[:place] + other + nonce[place + 1 :], key=bytes(32), now=NOW)


def test_two_nonces_differ_and_tell_nothing() -> None:
    random_bytes = chance()
    nonces = {
        protocol.new_nonce(key=bytes(32), now=NOW, random_bytes=random_bytes) for _ in range(50)
    }
    assert len(nonces) == 50
    assert {len(nonce) for nonce in nonces} == {64}


@given(st.binary(min_size=32, max_size=32))
def test_secret_is_read_as_it_was_written(secret: bytes) -> None:
    assert protocol.parse_secret(base64url.encode(secret)) == secret


def test_sealed_contents_are_read_as_they_were_written() -> None:
    day = offices.period.day(NOW)
    entitlement = Entitlement(
        person=offices.claims.from_record(offices.ADA, today=day),
        handle=offices.handle.Handle(b"\t" + bytes(31)),
        enrolled_until=day,
        period=offices.Period(13),
        configuration="resident_sd_jwt",
        renewal=True,
    )
    for code in (None, "012345"):
        offered = Offer(entitlement=entitlement, transaction_code=code)
        assert Offer.parse(offered.write(), today=day) == offered
    held = Authorisation(entitlement=entitlement, day=day)
    held = held.attempted(Attempt(row=bytes(32), indices=(1, 2, 3)))
    assert Authorisation.parse(held.write(), today=day) == held
    assert "Ada" not in repr(held)


def test_largest_content_fits_into_one_size_of_seal() -> None:
    """So that no row tells by its size whether somebody has a portrait, or retried."""
    day = offices.period.day(NOW)
    jpeg = b"\xff\xd8\xff" + bytes(24 * 1024 - 5) + b"\xff\xd9"
    long = "\U00020000" * 100
    record = {
        **dict.fromkeys(("given_name", "family_name", "locality", "gender"), long),
        "resident": True,
        "birth_date": "1990-04-12",
        "portrait": offices.claims.portrait_claim(jpeg),
        "address": dict.fromkeys(("care_of", "street_address", "postal_code", "locality"), long),
    }
    held = Authorisation(
        entitlement=Entitlement(
            person=offices.claims.from_record(record, today=day),  # type: ignore[arg-type]
            handle=offices.handle.Handle(bytes(32)),
            enrolled_until=day,
            period=offices.Period(13),
            configuration="resident_sd_jwt",
            renewal=True,
        ),
        day=day,
    )
    for _ in range(model.ATTEMPTS):
        held = held.attempted(Attempt(row=bytes(32), indices=tuple(range(10**7, 10**7 + 20))))
    assert len(held.write()) + 4 <= offer.PADDED_LENGTH


def test_type_metadata_depends_on_the_address_alone() -> None:
    document = metadata.type_metadata("https://issuer.example")
    assert document == metadata.type_metadata("https://issuer.example")
    assert canonical_json.parse_canonical(document)["vct"] == metadata.vct("https://issuer.example")
    assert metadata.integrity(document) != metadata.integrity(
        metadata.type_metadata("https://other.example")
    )
    assert metadata.integrity(b"").startswith("sha256-47DEQpj8HBSa")
