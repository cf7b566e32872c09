"""Signed JSON in the compact form, ES256 only.

Carries out RFC 7515, sections 3.1 and 5, RFC 7518, section 3.4, and of RFC 8725 the sections
3.1 (the caller names the algorithm), 3.10 (no key from the header) and 3.11 (explicit
types). Leaves out the JSON serialisations, detached and unencoded payloads, critical headers
and every other algorithm. Where the key comes from is the caller's matter: `jwk`, `jku`, `x5u`
and `kid` are never looked at here.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import BadSignature, Malformed, WrongAlgorithm

Signer = Callable[[bytes], bytes]
"""Takes the signing input and returns 64 octets, r then s; the key may live in hardware."""

LARGEST_HEADER = 16 * 1024
"""Characters; one with two certificates of 4 KiB has fewer. It is read before anything is known."""
SIGNATURE_SIZE = 64
_HALF = 32
_HIGH_BIT = 0x80
_DER = (
    ((b"\x30\x44\x02\x20", b"\x02\x20"), (b"\x30\x45\x02\x20", b"\x02\x21\0")),
    ((b"\x30\x45\x02\x21\0", b"\x02\x20"), (b"\x30\x46\x02\x21\0", b"\x02\x21\0")),
)
"""What stands before r and before s, by the highest bits of both, if none has leading zeros."""
_VERIFYING = ec.ECDSA(Prehashed(SHA256()))
_SIGNING = ec.ECDSA(SHA256(), deterministic_signing=True)


class Jws(NamedTuple):
    """A compact JWS taken apart; nothing in it is verified."""

    header: JsonObject
    payload: bytes
    signing_input: bytes
    signature: bytes


def parse(token: str) -> Jws:
    """Take a compact JWS apart.

    Spec: RFC 7515, sections 3.1 and 5.2, steps 1 to 7.

    Returns:
        Header as parsed, payload as it was signed; the payload need not be JSON.

    Raises:
        Malformed: not three parts, a part that is not base64url, or a header that is larger than
            `LARGEST_HEADER` or not one JSON object without repeated members.

    Not checked: everything else; see `check_header` and `verify_signature`.
    """
    signing_input, _, signature = token.rpartition(".")
    header, dot, payload = signing_input.partition(".")
    # A further dot would be a foreign character of the payload.
    if not dot:
        raise Malformed("JWS (RFC 7515, section 3.1): not three parts")
    if len(header) > LARGEST_HEADER:
        raise Malformed("JWS: a header that is too long")
    return Jws(
        canonical_json.parse_object(base64url.decode(header)),
        base64url.decode(payload),
        signing_input.encode("ascii"),
        base64url.decode(signature),
    )


def check_header(header: Mapping[str, JsonValue], *, algorithm: str, typ: str) -> None:
    """Check that the header says what the caller expects.

    Spec: RFC 7515, sections 4.1.1, 4.1.9 and 4.1.11; RFC 8725, sections 3.1 and 3.11.

    Args:
        header: as parsed, not yet verified.
        algorithm: compared as an exact string.
        typ: compared as an exact string; this project writes every type in one way.

    Raises:
        WrongAlgorithm: another algorithm or type, or a critical or unencoded-payload header,
            none of which is understood here.
    """
    if header.get("alg") != algorithm:
        raise WrongAlgorithm("JWS (RFC 8725, section 3.1): not the algorithm asked for")
    if header.get("typ") != typ:
        raise WrongAlgorithm("JWS (RFC 8725, section 3.11): not the type asked for")
    if "crit" in header or "b64" in header:
        raise WrongAlgorithm("JWS (RFC 7515, section 4.1.11): a critical header")


def verify_signature(jws: Jws, *, key: ec.EllipticCurvePublicKey) -> None:
    """Check the ES256 signature of `jws` under `key`.

    Spec: RFC 7518, section 3.4.

    Raises:
        BadSignature: not 64 octets, or not a signature of these bytes by this key.
        ValueError: a key on another curve: our own mistake.

    Not checked: the header (`check_header`), and whose key it is.
    """
    check_signature(jws.signing_input, jws.signature, key=key)


def check_signature(
    signing_input: bytes, signature: bytes, *, key: ec.EllipticCurvePublicKey
) -> None:
    """Check an ES256 signature over `signing_input` under `key`; as `verify_signature`.

    Spec: RFC 7518, section 3.4.

    Args:
        signing_input: header and payload as they travel, with the dot between them.
        signature: 64 octets, r then s.
        key: P-256.

    Raises:
        BadSignature: not 64 octets, or not a signature of these bytes by this key.
        ValueError: a key on another curve: our own mistake.

    Not checked: the header (`check_header`), and whose key it is.
    """
    if key.curve.name != "secp256r1":
        raise ValueError("not a P-256 key")
    if len(signature) != SIGNATURE_SIZE:
        raise BadSignature("JWS (RFC 7518, section 3.4): not 64 octets")
    # Hashed here, because `hashlib` has its SHA-256 ready and `cryptography` looks for it.
    digest = hashlib.sha256(signing_input).digest()
    check_digest(digest, signature[:_HALF], signature[_HALF:], key)


def check_digest(digest: bytes, r: bytes, s: bytes, key: ec.EllipticCurvePublicKey) -> None:
    """Check an ES256 signature over what hashes to `digest`; for hot paths.

    Spec: RFC 7518, section 3.4.

    Args:
        digest: SHA-256 of header and payload as they travel, with the dot between them.
        r: 32 octets, and so has `s`.
        s: the other half of the signature.
        key: P-256.

    Raises:
        BadSignature: not a signature of this digest by this key.

    Not checked: that `key` is one of P-256 and that both halves have 32 octets; the header, and
    whose key it is.
    """
    try:
        key.verify(_der(r, s), digest, _VERIFYING)
    except InvalidSignature as error:
        raise BadSignature("JWS (RFC 7515, section 5.2): the signature does not verify") from error


def verify(token: str, *, key: ec.EllipticCurvePublicKey, algorithm: str, typ: str) -> Jws:
    """Parse a compact JWS, check its header and its signature.

    Spec: RFC 7515, section 5.2.

    Args:
        token: as received.
        key: P-256, trusted by the caller for this type.
        algorithm: `ES256` is the only one that can succeed.
        typ: the exact type expected.

    Returns:
        The parts, the signature verified.

    Raises:
        Malformed: as `parse`.
        WrongAlgorithm: as `check_header`.
        BadSignature: as `verify_signature`.

    Not checked: anything inside the payload.
    """
    jws = parse(token)
    check_header(jws.header, algorithm=algorithm, typ=typ)
    verify_signature(jws, key=key)
    return jws


def sign(*, header: JsonObject, payload: bytes, signer: Signer) -> str:
    """Write and sign a compact JWS.

    Spec: RFC 7515, section 5.1.

    Args:
        header: `alg` must be ES256; written canonically, so equal headers give equal bytes.
        payload: any bytes.
        signer: asked once.

    Returns:
        The compact form.

    Raises:
        ValueError: another algorithm, or a signer that does not return 64 octets.
    """
    if header.get("alg") != "ES256":
        raise ValueError("only ES256 is written")
    head = base64url.encode(canonical_json.serialize(header))
    signing_input = f"{head}.{base64url.encode(payload)}"
    signature = signer(signing_input.encode("ascii"))
    if len(signature) != SIGNATURE_SIZE:
        raise ValueError("a signer returns 64 octets, r then s")
    return f"{signing_input}.{base64url.encode(signature)}"


def es256_signer(private_key: ec.EllipticCurvePrivateKey) -> Signer:
    """Make a signer from a key held in memory.

    Spec: RFC 7518, section 3.4; RFC 6979 (deterministic).

    Raises:
        ValueError: a key on another curve.

    Secret: `private_key`.
    """
    if private_key.curve.name != "secp256r1":
        raise ValueError("not a P-256 key")

    def signer(signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(private_key.sign(signing_input, _SIGNING))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    return signer


def _der(r: bytes, s: bytes) -> bytes:
    """Write r and s as an ASN.1 SEQUENCE; by hand, because it stands on the hottest path."""
    first_of_r, first_of_s = r[0], s[0]
    if first_of_r and first_of_s:
        before_r, before_s = _DER[first_of_r >> 7][first_of_s >> 7]
        return before_r + r + before_s + s
    r, s = _integer(r), _integer(s)
    return b"\x30%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)


def _integer(half: bytes) -> bytes:
    digits = half.lstrip(b"\0") or b"\0"
    return b"\0" + digits if digits[0] >= _HIGH_BIT else digits
