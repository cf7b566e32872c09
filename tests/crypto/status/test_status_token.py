import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.errors import (
    BadSignature,
    CryptoError,
    Expired,
    Malformed,
    NotYetValid,
    Refused,
    WrongAlgorithm,
)
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.status import bits, status_token
from crypto.status.bits import StatusBits
from crypto.status.status_token import Shape, StatusToken
from crypto.x509 import x5c
from tests.fakes import certificates
from tests.fakes.certificates import NOW

VECTORS = Path(__file__).parents[2] / "vectors" / "token-status-list"
URI = "https://issuer.example/v1/status/resident_sd_jwt/11"
KEY = certificates.p256("leaf")
SIGNER = jws.es256_signer(KEY)
LIST = StatusBits.empty(bits=1, size=64).with_statuses({3: 1})
SHAPE = Shape(bits=1, size=64)
TOKEN = StatusToken(
    uri=URI,
    iat=UnixSeconds(NOW - 100),
    exp=UnixSeconds(NOW + 100),
    ttl=50,
    bits=LIST,
)
PATH = (certificates.leaf(certificates.root()),)
HEADER = {"x5c": x5c.encode(PATH)}
PAYLOAD = {
    "sub": URI,
    "iat": NOW - 100,
    "exp": NOW + 100,
    "ttl": 50,
    "status_list": {"bits": 1, "lst": bits.encode(LIST)},
}


def verify(token: str, *, now: int = NOW, uri: str = URI, shape: Shape = SHAPE) -> StatusToken:
    return status_token.verify(
        status_token.parse(token),
        key=KEY.public_key(),
        uri=uri,
        shape=shape,
        now=UnixSeconds(now),
    )


def signed(payload: object, **header: object) -> str:
    return jws.sign(
        header={"alg": "ES256", "typ": "statuslist+jwt", **header},
        payload=canonical_json.serialize(payload),
        signer=SIGNER,
    )


def test_sec5_1_a_list_is_read_back_with_its_path() -> None:
    text = status_token.sign(TOKEN, header=HEADER, signer=SIGNER)
    assert verify(text) == TOKEN
    parsed = status_token.parse(text)
    assert parsed.x5c == tuple(map(certificates.der, PATH))
    assert parsed.jws.header["typ"] == "statuslist+jwt"


def test_ttl_may_be_left_out() -> None:
    token = replace(TOKEN, ttl=None)
    assert verify(status_token.sign(token, header={}, signer=SIGNER)) == token


def test_the_published_token_verifies() -> None:
    vector = json.loads((VECTORS / "status-list-jwt.json").read_bytes())
    public = {name: vector["key"][name] for name in ("kty", "crv", "x", "y")}
    parsed = status_token.parse(vector["jwt"])
    token = status_token.verify(
        parsed,
        key=jwk.parse_public(public),
        uri=vector["payload"]["sub"],
        shape=Shape(bits=1, size=16),
        now=UnixSeconds(vector["payload"]["iat"]),
    )
    assert parsed.x5c == ()
    assert (token.exp, token.ttl) == (2291720170, 43200)
    assert [token.bits.get(index) for index in range(4)] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW - 161, NotYetValid),
        (NOW - 160, None),
        (NOW + 99, None),
        (NOW + 100, Expired),
    ],
)
def test_sec8_3_times_are_checked(now: int, expected: type[CryptoError] | None) -> None:
    text = signed(PAYLOAD)
    if expected is None:
        assert verify(text, now=now).iat == NOW - 100
    else:
        with pytest.raises(expected):
            verify(text, now=now)


def _without(name: str) -> dict[str, object]:
    return {member: value for member, value in PAYLOAD.items() if member != name}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (_without("sub"), Refused),
        ({**PAYLOAD, "sub": URI + "/"}, Refused),
        (_without("iat"), Malformed),
        (_without("exp"), Malformed),
        ({**PAYLOAD, "iat": 1.5}, Malformed),
        ({**PAYLOAD, "exp": True}, Malformed),
        ({**PAYLOAD, "exp": -1}, Malformed),
        ({**PAYLOAD, "ttl": 0}, Malformed),
        ({**PAYLOAD, "ttl": "50"}, Malformed),
        (_without("status_list"), Malformed),
        ({**PAYLOAD, "status_list": {"bits": 1}}, Malformed),
        ({**PAYLOAD, "status_list": {"lst": bits.encode(LIST)}}, Malformed),
        ({**PAYLOAD, "status_list": {"bits": 1, "lst": 7}}, Malformed),
        ({**PAYLOAD, "status_list": {"bits": 3, "lst": bits.encode(LIST)}}, Malformed),
        ({**PAYLOAD, "status_list": {"bits": True, "lst": bits.encode(LIST)}}, Malformed),
        ({**PAYLOAD, "status_list": {"bits": 2, "lst": bits.encode(LIST)}}, Refused),
        ([PAYLOAD], Malformed),
    ],
)
def test_a_wrong_payload_is_refused(payload: object, expected: type[CryptoError]) -> None:
    with pytest.raises(expected):
        verify(signed(payload))


@pytest.mark.parametrize(
    ("size", "expected"), [(32, Malformed), (56, Malformed), (72, Refused), (1 << 17, Refused)]
)
def test_a_list_of_another_length_than_announced_is_refused(
    size: int, expected: type[CryptoError]
) -> None:
    with pytest.raises(expected):
        verify(signed(PAYLOAD), shape=Shape(bits=1, size=size))


@pytest.mark.parametrize(
    "header",
    [{"typ": "JWT"}, {"typ": "application/statuslist+jwt"}, {"crit": ["exp"]}],
)
def test_another_type_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(WrongAlgorithm):
        verify(signed(PAYLOAD, **header))


def test_another_key_is_refused() -> None:
    text = status_token.sign(
        TOKEN, header=HEADER, signer=jws.es256_signer(certificates.p256("other"))
    )
    with pytest.raises(BadSignature):
        verify(text)


@given(st.data())
@settings(max_examples=60)
def test_every_changed_character_is_refused(data: st.DataObject) -> None:
    text = signed(PAYLOAD)
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("Aa0_-.=é").filter(lambda each: each != text[position]))
    with pytest.raises(CryptoError):
        verify(text[:position] + other + text[position + 1 :])


def test_the_largest_list_passes_though_nothing_compresses_it() -> None:
    chance = hashlib.shake_128(b"2^24 entries").digest(bits.MOST_ENTRIES // 8)
    largest = replace(TOKEN, bits=StatusBits(bits=1, data=chance))
    text = status_token.sign(largest, header=HEADER, signer=SIGNER)
    assert len(text) > status_token.LARGEST_TOKEN * 3 // 4
    shape = Shape(bits=1, size=bits.MOST_ENTRIES)
    unverified = status_token.parse(text)
    assert largest == status_token.verify(
        unverified, key=KEY.public_key(), uri=URI, shape=shape, now=UnixSeconds(NOW)
    )


def test_a_token_beyond_the_limit_is_malformed() -> None:
    with pytest.raises(Malformed):
        status_token.parse("a" * (status_token.LARGEST_TOKEN + 1))
