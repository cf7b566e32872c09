from typing import Any

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.errors import CryptoError, Malformed, Refused, WrongAlgorithm
from crypto.jose import jwe, jwk, jws
from tests.fakes import sd_jwts

KEY = jwk.generate(random_bytes=sd_jwts.stream("recipient"))
BOTH = frozenset({"A128GCM", "A256GCM"})

# RFC 7518, appendix C.
ALICE = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
}
BOB = {
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}


def token(header: dict[str, Any] | None = None, encryption: jwe.Encryption = "A128GCM") -> str:
    return jwe.encrypt(
        b"an answer",
        recipient=KEY.public_key(),
        encryption=encryption,
        header=header or {"kid": "1"},
        random_bytes=sd_jwts.stream("ephemeral"),
    )


def with_header(change: dict[str, Any], *, without: str = "") -> str:
    protected, _, rest = token().partition(".")
    header = canonical_json.parse_object(base64url.decode(protected)) | change
    header.pop(without, None)
    return f"{base64url.encode(canonical_json.serialize(header))}.{rest}"


def decrypt(text: str, encryptions: frozenset[str] = BOTH) -> jwe.Jwe:
    return jwe.decrypt(text, private_key=KEY, encryptions=encryptions)


def test_rfc7518_appendix_c_gives_the_derived_key() -> None:
    header: dict[str, Any] = {"enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i"}
    from_alice = jwk.parse_private({**ALICE}).exchange(
        jwe.ec.ECDH(), jwk.parse_private({**BOB}).public_key()
    )
    assert base64url.encode(jwe._content_key(header, from_alice)) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.mark.parametrize("encryption", ["A128GCM", "A256GCM"])
def test_what_is_encrypted_is_decrypted(encryption: jwe.Encryption) -> None:
    text = token({"kid": "1", "apu": "QQ", "apv": "Qg"}, encryption)
    header, plaintext = decrypt(text, frozenset({encryption}))
    assert plaintext == b"an answer"
    assert header["kid"] == "1"
    assert header["enc"] == encryption
    assert text == token({"kid": "1", "apu": "QQ", "apv": "Qg"}, encryption)


def test_sec5_2_every_changed_part_is_refused() -> None:
    text = token()
    for at in range(0, len(text), 3):
        for character in "A.~":
            changed = text[:at] + character + text[at + 1 :]
            if changed != text:
                with pytest.raises(CryptoError):
                    decrypt(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "ECDH-ES+A128KW"},
        {"alg": "dir"},
        {"alg": "none"},
        {"alg": None},
        {"enc": "A128CBC-HS256"},
        {"enc": "A192GCM"},
        {"enc": ["A128GCM"]},
        {"zip": "DEF"},
        {"crit": ["x"], "x": 1},
    ],
)
def test_rfc8725_sec3_1_other_algorithms_and_compression_are_refused(change: Any) -> None:
    with pytest.raises(WrongAlgorithm):
        decrypt(with_header(change))


def test_rfc8725_sec3_1_an_encryption_not_announced_is_refused() -> None:
    with pytest.raises(WrongAlgorithm):
        decrypt(token(), frozenset({"A256GCM"}))
    with pytest.raises(WrongAlgorithm):
        decrypt(with_header({"enc": "A192GCM"}), frozenset({"A192GCM"}))


@pytest.mark.parametrize(
    "change",
    [
        {"epk": None},
        {"epk": "x"},
        {"epk": {**BOB}},
        {"epk": {**jwk.public_jwk(KEY.public_key()), "y": "A" * 43}},
        {"epk": {**jwk.public_jwk(KEY.public_key()), "crv": "P-384"}},
        {"apu": 1},
        {"apv": "Q"},
    ],
)
def test_rfc7518_sec4_6_1_an_ephemeral_key_off_the_curve_is_refused(change: Any) -> None:
    with pytest.raises(Malformed):
        decrypt(with_header(change))


def test_sec3_1_parts_of_the_wrong_number_or_length_are_refused() -> None:
    protected, key, iv, ciphertext, tag = token().split(".")
    for parts in (
        [protected, key, iv, ciphertext],
        [protected, key, iv, ciphertext, tag, ""],
        [protected, "AAAA", iv, ciphertext, tag],
        [protected, key, iv[:-4], ciphertext, tag],
        [protected, key, iv, ciphertext, tag[:4]],
        [protected, key, iv, ciphertext + tag, ""],
    ):
        with pytest.raises(Malformed):
            decrypt(".".join(parts))


def test_a_header_beyond_its_limit_is_malformed_before_it_is_read() -> None:
    with pytest.raises(Malformed):
        decrypt(token({"kid": "1" * jws.LARGEST_HEADER}))


def test_another_recipient_cannot_read() -> None:
    with pytest.raises(Refused):
        jwe.decrypt(token(), private_key=sd_jwts.STRANGER, encryptions=BOTH)


def test_a_changed_but_well_formed_header_is_refused() -> None:
    with pytest.raises(Refused):
        decrypt(with_header({"kid": "2"}))


@pytest.mark.parametrize("header", [{"zip": "DEF"}, {"alg": "dir"}, {"epk": {}}])
def test_header_members_that_encrypt_writes_are_our_own_mistake(header: Any) -> None:
    with pytest.raises(ValueError, match="header member"):
        token(header)


def test_an_unknown_encryption_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="encryption"):
        token(encryption="A192GCM")
