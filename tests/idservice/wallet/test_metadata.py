"""Metadata that lead elsewhere, or come from somebody else."""

import dataclasses

import pytest

from crypto.encoding import canonical_json
from idservice.wallet.model import Declined
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.wire import FakeWire


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    return holders.make(city)


@pytest.mark.parametrize(
    ("place", "member"),
    [
        ("openid-credential-issuer", "credential_issuer"),
        ("oauth-authorization-server", "issuer"),
    ],
)
def test_metadata_of_another_issuer_is_refused(holder, place, member):
    address = f"{holder.city.issuer}/.well-known/{place}"
    honest = holder.wire._answer(fake_wire.Request(method="GET", url=address))
    value = canonical_json.parse_object(honest.body) | {member: "https://evil.example"}
    holder.wire.answers[address] = fake_wire.as_json(value)
    with pytest.raises(Declined, match="another issuer"):
        holder.receive()
    assert holder.service.wallet().cards == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"credential_endpoint": "https://evil.example/credential"}, "outside the issuer"),
        ({"nonce_endpoint": "https://issuer.example:8443/nonce"}, "outside the issuer"),
        ({"authorization_servers": ["https://evil.example"]}, "foreign authorization server"),
        ({"batch_credential_issuance": {"batch_size": 5}}, "20 instances at once"),
        ({"batch_credential_issuance": None}, "20 instances at once"),
        ({"credential_configurations_supported": {}}, "does not issue"),
        ({"credential_configurations_supported": []}, "cannot be used"),
        ({"credential_endpoint": None}, "cannot be used"),
    ],
)
def test_metadata_that_leads_elsewhere_is_refused(holder, change, words):
    address = f"{holder.city.issuer}/.well-known/openid-credential-issuer"
    value = canonical_json.parse_object(holder.wire._metadata().body) | change
    holder.wire.answers[address] = fake_wire.as_json(value)
    with pytest.raises(Declined, match=words):
        holder.receive()


def test_metadata_signed_by_another_city_is_refused(holder):
    stranger = FakeWire(city=fake_city.make(now=holder.city.now - 1), signed_metadata=True)
    address = f"{holder.city.issuer}/.well-known/openid-credential-issuer"
    signed = stranger._metadata()
    tampered = signed.body[:-4] + b"AAAA"
    for body in (tampered, b"a.b.c", b"\xff"):
        holder.wire.answers[address] = dataclasses.replace(signed, body=body)
        with pytest.raises(Declined, match="metadata"):
            holder.receive()
