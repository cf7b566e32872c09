"""Encrypted JSON in the compact form: one ephemeral P-256 agreement, one AES-GCM.

Carries out RFC 7516, sections 3.1 and 5, with `ECDH-ES` direct key agreement (RFC 7518,
section 4.6) and `A128GCM` or `A256GCM` (section 5.3). Leaves out key wrapping, every other
algorithm, critical headers, several recipients, and compression: `zip` lets ciphertext length
speak about content. How long a token may be is the caller's limit.
"""

import hashlib
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused, WrongAlgorithm
from crypto.jose import jwk, jws

Encryption = Literal["A128GCM", "A256GCM"]

ALGORITHM = "ECDH-ES"
_KEY_SIZE: dict[str, int] = {"A128GCM": 16, "A256GCM": 32}
_IV_SIZE = 12
_TAG_SIZE = 16
_OURS = frozenset({"alg", "enc", "epk", "zip", "crit"})


class Jwe(NamedTuple):
    """What came out of a token: its header, authenticated, and the plaintext."""

    header: JsonObject
    plaintext: bytes


def encrypt(
    plaintext: bytes,
    *,
    recipient: ec.EllipticCurvePublicKey,
    encryption: Encryption,
    header: JsonObject,
    random_bytes: RandomBytes,
) -> str:
    """Encrypt to the holder of one P-256 key.

    Spec: RFC 7516, section 5.1; RFC 7518, section 4.6.

    Args:
        plaintext: any bytes; their number shows in the token.
        recipient: P-256.
        encryption: the content encryption.
        header: further members, such as `kid`, `apu` and `apv` (the latter two base64url).
        random_bytes: asked for 40 bytes (the ephemeral key), then for 12.

    Returns:
        The compact form.

    Raises:
        ValueError: an encryption not listed, or a header member that this function writes.

    Secret: `plaintext` and what `random_bytes` returns.

    Not checked: whose key `recipient` is. The token does not say who made it.
    """
    if encryption not in _KEY_SIZE or not _OURS.isdisjoint(header):
        raise ValueError("an encryption or a header member that is not the caller's to set")
    ephemeral = jwk.generate(random_bytes=random_bytes)
    epk: JsonObject = {**jwk.public_jwk(ephemeral.public_key())}
    full: JsonObject = {**header, "alg": ALGORITHM, "enc": encryption, "epk": epk}
    key = _content_key(full, ephemeral.exchange(ec.ECDH(), recipient))
    protected = base64url.encode(canonical_json.serialize(full))
    iv = random_bytes(_IV_SIZE)
    sealed = AESGCM(key).encrypt(iv, plaintext, protected.encode("ascii"))
    ciphertext, tag = sealed[:-_TAG_SIZE], sealed[-_TAG_SIZE:]
    return ".".join(
        (
            protected,
            "",
            base64url.encode(iv),
            base64url.encode(ciphertext),
            base64url.encode(tag),
        )
    )


def decrypt(
    token: str, *, private_key: ec.EllipticCurvePrivateKey, encryptions: frozenset[str]
) -> Jwe:
    """Decrypt a token that was made for `private_key`.

    Spec: RFC 7516, section 5.2; RFC 7518, section 4.6; RFC 8725, section 3.1.

    Args:
        token: as received.
        private_key: P-256.
        encryptions: the content encryptions the caller announced.

    Returns:
        Header and plaintext.

    Raises:
        Malformed: not five parts, a header beyond `jws.LARGEST_HEADER`, a part or the header that
            does not parse, an ephemeral key that is no point of P-256, or an encrypted key where
            none belongs.
        WrongAlgorithm: another algorithm, an encryption that is not listed, a critical header,
            or compression.
        Refused: the ciphertext was not made for this key, or was changed.

    Secret: `private_key` and the result.

    Not checked: who made the token: anybody can encrypt.
    """
    parts = token.split(".")
    if len(parts) != 5:  # noqa: PLR2004 - header, key, iv, ciphertext, tag
        raise Malformed("JWE (RFC 7516, section 3.1): not five parts")
    protected = parts[0]
    if len(protected) > jws.LARGEST_HEADER:
        raise Malformed("JWE: a header that is too long")
    header = canonical_json.parse_object(base64url.decode(protected))
    encrypted_key, iv, ciphertext, tag = map(base64url.decode, parts[1:])
    _check_header(header, encryptions)
    if encrypted_key or len(iv) != _IV_SIZE or len(tag) != _TAG_SIZE:
        raise Malformed("JWE (RFC 7516, section 5.2): a part of the wrong length")
    epk = header.get("epk")
    if not isinstance(epk, dict):
        raise Malformed("JWE (RFC 7518, section 4.6.1.1): no ephemeral key")
    ephemeral = jwk.parse_public(epk, use="enc")
    key = _content_key(header, private_key.exchange(ec.ECDH(), ephemeral))
    try:
        plaintext = AESGCM(key).decrypt(iv, ciphertext + tag, protected.encode("ascii"))
    except InvalidTag as error:
        raise Refused("JWE (RFC 7516, section 5.2): does not decrypt") from error
    return Jwe(header, plaintext)


def _check_header(header: JsonObject, encryptions: frozenset[str]) -> None:
    if header.get("alg") != ALGORITHM:
        raise WrongAlgorithm("JWE (RFC 8725, section 3.1): not the algorithm asked for")
    encryption = header.get("enc")
    if not (isinstance(encryption, str) and encryption in encryptions and encryption in _KEY_SIZE):
        raise WrongAlgorithm("JWE (RFC 8725, section 3.1): not an encryption asked for")
    if "zip" in header or "crit" in header:
        raise WrongAlgorithm("JWE (RFC 7516, section 4.1): compressed, or a critical header")


def _content_key(header: JsonObject, shared: bytes) -> bytes:
    """Derive the key of the content encryption (RFC 7518, section 4.6.2; one round of SHA-256).

    Secret: `shared` and the result.
    """
    encryption = str(header["enc"])
    size = _KEY_SIZE[encryption]
    other_info = (
        _with_length(encryption.encode("ascii"))
        + _with_length(_party(header.get("apu", "")))
        + _with_length(_party(header.get("apv", "")))
        + (size * 8).to_bytes(4, "big")
    )
    return hashlib.sha256((1).to_bytes(4, "big") + shared + other_info).digest()[:size]


def _party(text: JsonValue) -> bytes:
    if isinstance(text, str):
        return base64url.decode(text)
    raise Malformed("JWE (RFC 7518, section 4.6.1): party information that is not text")


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
