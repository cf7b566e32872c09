"""P-256 keys as JSON Web Keys, and their thumbprints.

Carries out RFC 7517, sections 4 and 5, RFC 7518, section 6.2, and RFC 7638. Leaves out every
other key type and curve, key sets, and the members `x5c`, `x5t` and `x5u`: a certificate is
read by `crypto.x509`, and nothing is ever fetched.
"""

import hashlib
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed

Use = Literal["sig", "enc"]

_P_256 = ec.SECP256R1()
_UNCOMPRESSED = b"\x04"
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""What stands before x and y in a SubjectPublicKeyInfo of P-256 (RFC 5480, section 2)."""
_SIZE = 32
_TEXT_SIZE = 43
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EXTRA_SIZE = 40
_MINIMAL = {"kty", "crv", "x", "y"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_ALGORITHM: dict[Use, str] = {"sig": "ES256", "enc": "ECDH-ES"}
_OPERATIONS: dict[Use, frozenset[str]] = {
    "sig": frozenset({"verify"}),
    "enc": frozenset({"deriveKey", "deriveBits"}),
}


def parse_public(jwk: JsonObject, *, use: Use = "sig") -> ec.EllipticCurvePublicKey:
    """Read a public P-256 key that may serve for `use`.

    Spec: RFC 7517, section 4; RFC 7518, section 6.2.1.

    Args:
        jwk: an object as parsed; members this module does not know are ignored (section 4).
        use: what the caller will do with the key: check signatures, or encrypt to it.

    Returns:
        The key; its point is on the curve and not the identity.

    Raises:
        Malformed: another key type or curve, a private member, `alg`, `use` or `key_ops` that
            contradict the use, a coordinate of another length, or a point off the curve.
    """
    if jwk.keys() != _MINIMAL:
        _check_members(jwk, use)
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise Malformed("JWK (RFC 7518, section 6.2.1): not a P-256 key")
    point = _coordinate(jwk.get("x")) + _coordinate(jwk.get("y"))
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_P_256, _UNCOMPRESSED + point)
    except ValueError as error:
        raise Malformed("JWK (RFC 7518, section 6.2.1): not a point of P-256") from error


def load_point(point: bytes) -> ec.EllipticCurvePublicKey:
    """Load a public P-256 key from its coordinates; for hot paths.

    Spec: RFC 7518, section 6.2.1; RFC 5480, section 2.2.

    Args:
        point: 64 octets, x then y.

    Returns:
        The key; its point is on the curve and not the identity.

    Raises:
        Malformed: another length, or a point off the curve.

    Not checked: the JWK that it comes from.
    """
    try:
        return load_der_public_key(_SPKI + point)  # type: ignore[return-value] # `_SPKI` says which
    except ValueError as error:
        raise Malformed("JWK (RFC 7518, section 6.2.1): not a point of P-256") from error


def parse_private(jwk: JsonObject) -> ec.EllipticCurvePrivateKey:
    """Read a private P-256 key.

    Spec: RFC 7518, section 6.2.2.

    Raises:
        Malformed: as `parse_public`, or `d` is missing, out of range, or the private half of
            another point.

    Secret: `jwk`; the run time does not depend on `d` beyond its being in range.
    """
    scalar = int.from_bytes(_coordinate(jwk.get("d")), "big")
    if not 0 < scalar < _ORDER:
        raise Malformed("JWK (RFC 7518, section 6.2.2.1): out of range")
    public = parse_public({name: jwk[name] for name in _MINIMAL & jwk.keys()})
    private = ec.derive_private_key(scalar, _P_256)
    if private.public_key() != public:
        raise Malformed("JWK (RFC 7518, section 6.2.2): two halves that do not belong together")
    return private


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Write a public key as the four members that define it.

    Spec: RFC 7518, section 6.2.1.

    Returns:
        Exactly `kty`, `crv`, `x` and `y`.

    Raises:
        ValueError: a key on another curve.
    """
    if key.curve.name != "secp256r1":
        raise ValueError("not a P-256 key")
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url.encode(point[1 : 1 + _SIZE]),
        "y": base64url.encode(point[1 + _SIZE :]),
    }


def private_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Write a private key.

    Spec: RFC 7518, section 6.2.2.

    Returns:
        The members of `public_jwk` and `d`.

    Secret: the result.
    """
    scalar = key.private_numbers().private_value.to_bytes(_SIZE, "big")
    return {**public_jwk(key.public_key()), "d": base64url.encode(scalar)}


def thumbprint(key: ec.EllipticCurvePublicKey) -> bytes:
    """Hash a public key into its name.

    Spec: RFC 7638, section 3, with SHA-256.

    Returns:
        32 bytes.
    """
    jwk = public_jwk(key)
    text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    return hashlib.sha256(text.encode("ascii")).digest()


def generate(*, random_bytes: RandomBytes) -> ec.EllipticCurvePrivateKey:
    """Make a key pair from lent randomness.

    Spec: FIPS 186-5, appendix A.2.1 (extra random bits).

    Args:
        random_bytes: asked once, for 40 bytes; the same bytes give the same key.

    Secret: the result.
    """
    excess = int.from_bytes(random_bytes(_EXTRA_SIZE), "big")
    return ec.derive_private_key(excess % (_ORDER - 1) + 1, _P_256)


def _check_members(jwk: JsonObject, use: Use) -> None:
    if not _PRIVATE.isdisjoint(jwk):
        raise Malformed("JWK (RFC 7517, section 4): a private member in a public key")
    if "use" in jwk and jwk["use"] != use:
        raise Malformed("JWK (RFC 7517, section 4.2): meant for another use")
    if "alg" in jwk and jwk["alg"] != _ALGORITHM[use]:
        raise Malformed("JWK (RFC 7517, section 4.4): meant for another algorithm")
    operations = jwk.get("key_ops")
    if "key_ops" in jwk and not (
        isinstance(operations, list)
        and all(isinstance(operation, str) for operation in operations)
        and len(set(map(str, operations))) == len(operations)
        and not _OPERATIONS[use].isdisjoint(map(str, operations))
    ):
        raise Malformed("JWK (RFC 7517, section 4.3): meant for another operation")


def _coordinate(text: JsonValue) -> bytes:
    """Read a field element at its full length (RFC 7518, sections 6.2.1.2 and 6.2.2.1)."""
    if isinstance(text, str) and len(text) == _TEXT_SIZE:
        return base64url.decode(text)
    raise Malformed("JWK (RFC 7518, section 6.2): a coordinate that is not 32 octets")
