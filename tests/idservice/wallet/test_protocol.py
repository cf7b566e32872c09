import urllib.parse

import pytest

from crypto.encoding import canonical_json
from crypto.errors import Malformed
from crypto.jose import jwk, jws
from idservice.wallet import protocol
from idservice.wallet.issuing import metadata
from idservice.wallet.model import Declined, Response
from tests.fakes import city as fake_city
from tests.fakes import wire as fake_wire

PUBLISHED = {
    "credential_issuer": "https://credential-issuer.example.com",
    "credential_configuration_ids": ["UniversityDegreeCredential", "org.iso.18013.5.1.mDL"],
    "grants": {
        "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
            "pre-authorized_code": "oaKazRN8I0IbtZ0C7JuMn5",
            "tx_code": {"length": 4, "input_mode": "numeric", "description": "by e-mail"},
        }
    },
}


def test_sec4_1_1_offer_of_the_specification():
    offer = protocol.parse_offer(canonical_json.serialize(PUBLISHED))
    assert offer.issuer == "https://credential-issuer.example.com"
    assert offer.code == "oaKazRN8I0IbtZ0C7JuMn5"
    assert offer.asks_for_transaction_code


def test_sec4_1_offer_as_bare_json_by_value_and_by_reference():
    text = canonical_json.serialize(PUBLISHED).decode()
    assert protocol.parse_link(text) == protocol.parse_link(fake_wire.offer_link(PUBLISHED))
    address = "https://issuer.example/offers/x"
    link = f"openid-credential-offer://?credential_offer_uri={urllib.parse.quote(address)}"
    assert protocol.parse_link(link) == address


def test_sec4_1_both_ways_at_once_is_refused():
    link = fake_wire.offer_link(PUBLISHED) + "&credential_offer_uri=https%3A%2F%2Fa.example"
    with pytest.raises(Malformed):
        protocol.parse_link(link)
    with pytest.raises(Malformed, match="too long"):
        protocol.parse_link("x" * (64 * 1024 + 1))


@pytest.mark.parametrize("begin", ["", "openid-credential-offer://?credential_offer="])
def test_an_offer_that_is_no_text_is_malformed(begin):
    with pytest.raises(Malformed, match="no text"):
        protocol.parse_link(begin + '{"credential_issuer":"\udcff"}')


@pytest.mark.parametrize("token", ["\u00e9", "a\nb", ""])
def test_sec_a12_token_that_no_header_carries_is_malformed(token):
    answer = fake_wire.as_json({"access_token": token, "token_type": "Bearer"})
    with pytest.raises(Malformed):
        protocol.parse_token(answer)


def test_sec6_1_token_request_leaves_the_code_out_where_none_is_asked_for():
    with_code = protocol.token_request("https://a.example/token", code="c", transaction_code="1")
    without = protocol.token_request("https://a.example/token", code="c", transaction_code=None)
    assert fake_wire.form(with_code)["tx_code"] == "1"
    assert fake_wire.form(without) == {"grant_type": protocol.GRANT, "pre-authorized_code": "c"}


def test_f1_key_proof_says_what_it_must_and_nothing_else():
    key = fake_city.holder_key()
    token = protocol.proof(key, issuer="https://a.example", nonce="n", now=fake_city.NOW)
    parsed = jws.verify(token, key=key.public_key(), algorithm="ES256", typ="openid4vci-proof+jwt")
    assert parsed.header["jwk"] == jwk.public_jwk(key.public_key())
    assert parsed.header.keys() == {"alg", "typ", "jwk"}
    assert canonical_json.parse_object(parsed.payload) == {
        "aud": "https://a.example",
        "iat": fake_city.NOW,
        "nonce": "n",
    }


def test_sec8_2_credential_request():
    request = protocol.credential_request(
        "https://a.example/credential",
        access_token="t",
        configuration="c",
        proofs=protocol.key_proofs(["p"]),
    )
    assert canonical_json.parse_object(request.body) == {
        "credential_configuration_id": "c",
        "proofs": {"jwt": ["p"]},
    }
    assert request.headers["Authorization"] == "Bearer t"
    assert request.limit == 2 * 1024 * 1024


@pytest.mark.threat("T33")
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"invalid_grant","error_description":"CANARY"}',
        b'{"error":"CANARY"}',
        b'{"code":"CANARY"}',
        b"CANARY",
    ],
)
def test_free_text_of_an_error_is_never_repeated(body):
    refusal = protocol.refused(Response(status=400, media_type="application/json", body=body))
    assert "CANARY" not in str(refusal)


def test_withdrawal_is_answered_alike_or_refused():
    for status in (200, 202, 204):
        protocol.check_withdrawal(Response(status=status, media_type="", body=b""))
    with pytest.raises(Declined):
        protocol.check_withdrawal(Response(status=400, media_type="", body=b""))


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://a.example", "https://a.example/.well-known/openid-credential-issuer"),
        ("https://a.example/b", "https://a.example/.well-known/openid-credential-issuer/b"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/.well-known/openid-credential-issuer"),
    ],
)
def test_sec12_2_2_where_metadata_lies(issuer, address):
    assert metadata.metadata_request(issuer).url == address


@pytest.mark.parametrize(
    ("address", "under"),
    [
        ("https://a.example/token", True),
        ("https://a.example:444/token", False),
        ("http://a.example/token", False),
        ("https://a.example.evil.example/token", False),
        ("https://a.example@evil.example/token", False),
        ("https://evil.example/https://a.example", False),
        ("https://a.example/token#x", False),
        ("//a.example/token", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_addresses_stay_under_the_issuer(address, under):
    assert metadata.is_under(address, "https://a.example") is under
