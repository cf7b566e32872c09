import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.errors import BadSignature, CryptoError, Malformed, WrongAlgorithm
from crypto.jose import jwk, jws
from tests.fakes import sd_jwts

# RFC 7515, appendix A.3.
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
TOKEN = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
    "lSApmWQxfKTUJqPP3-Kg6NU1Q"
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PUBLIC = jwk.parse_private({**KEY}).public_key()
SIGNED = jws.sign(
    header={"alg": "ES256", "typ": "test+jwt"},
    payload=b'{"a":1}',
    signer=jws.es256_signer(sd_jwts.ISSUER),
)


def verify(token: str) -> jws.Jws:
    return jws.verify(token, key=sd_jwts.ISSUER_KEY, algorithm="ES256", typ="test+jwt")


def test_appendix_a3_verifies() -> None:
    parsed = jws.parse(TOKEN)
    jws.verify_signature(parsed, key=PUBLIC)
    assert parsed.header == {"alg": "ES256"}
    assert json.loads(parsed.payload)["iss"] == "joe"


def test_rfc6979_appendix_a2_5_signatures_are_deterministic() -> None:
    d = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    signer = jws.es256_signer(ec.derive_private_key(d, ec.SECP256R1()))
    assert signer(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


def test_what_is_signed_is_verified_and_read_back() -> None:
    parsed = verify(SIGNED)
    assert parsed.header == {"alg": "ES256", "typ": "test+jwt"}
    assert parsed.payload == b'{"a":1}'
    assert base64url.encode(parsed.signature) == SIGNED.rpartition(".")[2]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(SIGNED) - 1), st.characters(codec="ascii"))
def test_every_single_character_change_is_refused(at: int, character: str) -> None:
    changed = SIGNED[:at] + character + SIGNED[at + 1 :]
    if changed != SIGNED:
        with pytest.raises(CryptoError):
            verify(changed)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "e30.e30",
        f"{SIGNED}.AA",
        f"{SIGNED}.AA.AA",
        "e30.e30.AA.AA",
        SIGNED.replace(".", "~", 1),
        f" {SIGNED}",
        f"{SIGNED}\n",
        f"{SIGNED}=",
        f"{sd_jwts.b64('[]')}.e30.AA",
        f"{sd_jwts.b64('')}.e30.AA",
        f"{sd_jwts.b64('{} {}')}.e30.AA",
        "e30.é.AA",
        "e30.e30.é",
    ],
)
def test_sec3_1_what_is_not_three_parts_and_a_header_is_malformed(token: str) -> None:
    with pytest.raises(Malformed):
        jws.parse(token)


def test_a_header_beyond_its_limit_is_malformed() -> None:
    longest = b"{}".ljust(jws.LARGEST_HEADER * 3 // 4)
    assert jws.parse(f"{base64url.encode(longest)}.e30.AA").header == {}
    with pytest.raises(Malformed):
        jws.parse(f"{base64url.encode(longest + b' ')}.e30.AA")


HEADERS: dict[str, dict[str, Any]] = {
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "lower case": {"alg": "es256"},
    "space": {"alg": "ES256 "},
    "HS256": {"alg": "HS256"},
    "ES384": {"alg": "ES384"},
    "list": {"alg": ["ES256"]},
    "null": {"alg": None},
    "typ JWT": {"typ": "JWT"},
    "typ upper case": {"typ": "TEST+JWT"},
    "typ with application": {"typ": "application/test+jwt"},
    "typ null": {"typ": None},
    "crit unknown": {"crit": ["x"], "x": 1},
    "crit empty": {"crit": []},
    "crit no list": {"crit": "alg"},
    "crit alg": {"crit": ["alg"]},
    "b64": {"b64": False},
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS.keys())
def test_sec4_1_a_header_that_is_not_the_one_asked_for_is_refused(change: Any) -> None:
    header = {"alg": "ES256", "typ": "test+jwt", **change}
    with pytest.raises(WrongAlgorithm):
        verify(sd_jwts.token(header, {"a": 1}))


@pytest.mark.parametrize("missing", ["alg", "typ"])
def test_rfc8725_sec3_11_algorithm_and_type_must_be_there(missing: str) -> None:
    header = {"alg": "ES256", "typ": "test+jwt"}
    del header[missing]
    with pytest.raises(WrongAlgorithm):
        verify(sd_jwts.token(header, {"a": 1}))


def with_signature(signature: bytes) -> str:
    return SIGNED.rpartition(".")[0] + "." + base64url.encode(signature)


def test_rfc7518_sec3_4_signatures_of_other_shapes_are_refused() -> None:
    good = base64url.decode(SIGNED.rpartition(".")[2])
    r, s = good[:32], good[32:]
    n = ORDER.to_bytes(32, "big")
    zero = bytes(32)
    der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    for bad in (
        b"",
        good[:-1],
        good + b"\0",
        b"\0" + r + b"\0" + s,
        der,
        s + r,
        zero + zero,
        zero + s,
        r + zero,
        n + s,
        r + n,
        n + n,
        b"\xff" * 64,
    ):
        with pytest.raises(BadSignature):
            verify(with_signature(bad))


def test_rfc7518_sec3_4_small_halves_keep_their_leading_zeros() -> None:
    # Out of a few hundred signatures, some have an r or s that begins with a zero octet.
    short = 0
    for count in range(400):
        signature = jws.es256_signer(sd_jwts.ISSUER)(count.to_bytes(2, "big"))
        if signature[0] == 0 or signature[32] == 0:
            short += 1
            parsed = jws.Jws({}, b"", count.to_bytes(2, "big"), signature)
            jws.verify_signature(parsed, key=sd_jwts.ISSUER_KEY)
    assert short


def test_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        jws.verify_signature(jws.parse(SIGNED), key=sd_jwts.STRANGER.public_key())


def test_keys_on_other_curves_and_other_algorithms_are_our_own_mistake() -> None:
    key = ec.derive_private_key(5, ec.SECP256K1())
    with pytest.raises(ValueError, match="P-256"):
        jws.verify_signature(jws.parse(SIGNED), key=key.public_key())
    with pytest.raises(ValueError, match="P-256"):
        jws.es256_signer(key)
    with pytest.raises(ValueError, match="ES256"):
        jws.sign(header={"alg": "none"}, payload=b"", signer=lambda _: bytes(64))
    with pytest.raises(ValueError, match="64 octets"):
        jws.sign(header={"alg": "ES256"}, payload=b"", signer=lambda _: bytes(63))


def test_error_texts_hold_nothing_of_the_input() -> None:
    secret = "Ada-Example-1990"
    for token in (
        sd_jwts.token({"alg": secret, "typ": secret}, {"a": secret}),
        sd_jwts.token({"alg": "ES256", "typ": "test+jwt", secret: 1}, secret) + "AAAA",
        f"{secret}.{secret}.{secret}",
        sd_jwts.token(f'{{"{secret}": 1,}}', secret),
    ):
        with pytest.raises(CryptoError) as caught:
            verify(token)
        assert secret not in str(caught.value)
