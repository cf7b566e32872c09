"""A status list with its address, its times and the signature of the city.

Token Status List draft-21, sections 5.1 and 8.3, as JWT. Left out: CWT, aggregation, historical
queries (a `time` parameter could follow a holder, section 12.7), statuses other than valid and
withdrawn. Which list is older than another, and how old it may be, is decided by
`verification/status.py`.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Expired, Malformed, NotYetValid, Refused
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.jose.jws import Jws, Signer
from crypto.status import bits
from crypto.status.bits import StatusBits
from crypto.x509 import x5c

TYPE: Final = "statuslist+jwt"
MEDIA_TYPE: Final = "application/statuslist+jwt"
VALID: Final = 0
INVALID: Final = 1

SKEW: Final = 60
"""Seconds by which the signer's clock may be ahead."""

LARGEST_TOKEN: Final = 4 << 20
"""Characters; 2^24 entries of one bit that no compression makes smaller need 3.6 MiB of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedStatusToken:
    """Parsed, and believed by nobody yet."""

    x5c: tuple[bytes, ...]
    """Who says to have signed it, for `chain.verify`; empty if the header does not tell."""
    jws: Jws


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusToken:
    """A list that the city signed."""

    uri: str
    iat: UnixSeconds
    exp: UnixSeconds
    ttl: int | None
    """Seconds for which a copy may be used without asking again."""
    bits: StatusBits


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many entries of how many bits a list has, as announced."""

    bits: int
    size: int


def sign(token: StatusToken, *, header: JsonObject, signer: Signer) -> str:
    """Write the token in compact form.

    Spec: Token Status List, section 5.1.

    Args:
        token: the list with its address and times.
        header: what the header holds beside `alg` and `typ`: usually `x5c`.
        signer: ES256, with the key of a status certificate.
    """
    payload: JsonObject = {
        "sub": token.uri,
        "iat": token.iat,
        "exp": token.exp,
        "status_list": {"bits": token.bits.bits, "lst": bits.encode(token.bits)},
    }
    if token.ttl is not None:
        payload["ttl"] = token.ttl
    return jws.sign(
        header={**header, "alg": "ES256", "typ": TYPE},
        payload=canonical_json.serialize(payload),
        signer=signer,
    )


def parse(token: str) -> UnverifiedStatusToken:
    """Take a token apart, to learn by whom it says to be signed.

    Raises:
        Malformed: too long, not a compact JWS, or a bad `x5c`.
    """
    if len(token) > LARGEST_TOKEN:
        raise Malformed("status list too long")
    parsed = jws.parse(token)
    member = parsed.header.get("x5c")
    path = () if member is None else x5c.decode(member)
    return UnverifiedStatusToken(x5c=path, jws=parsed)


def verify(
    unverified: UnverifiedStatusToken,
    *,
    key: ec.EllipticCurvePublicKey,
    uri: str,
    shape: Shape,
    now: UnixSeconds,
) -> StatusToken:
    """Check signature, type, address, times and shape of a list.

    Spec: Token Status List, section 8.3, steps 3 and 4, and section 5.1.

    Args:
        unverified: from `parse`.
        key: of a status certificate, the path followed to the city root.
        uri: the address in the credential, compared as it stands.
        shape: as announced; bounds what is inflated.
        now: compared with `exp`, and with `iat` minus `SKEW`.

    Raises:
        Malformed: a member is missing or ill-typed, or the list does not inflate.
        WrongAlgorithm: not ES256, or not a status list.
        BadSignature: signed by another key.
        Refused: the list of another address, or of another shape.
        NotYetValid: `iat` lies in the future.
        Expired: `exp` is reached.

    Not checked: whether a newer list is known, and how old this one may be.
    """
    jws.check_header(unverified.jws.header, algorithm="ES256", typ=TYPE)
    jws.verify_signature(unverified.jws, key=key)
    payload = canonical_json.parse_object(unverified.jws.payload)
    if payload.get("sub") != uri:
        raise Refused("the list of another address (Token Status List, 8.3)")
    iat, exp = _seconds(payload.get("iat")), _seconds(payload.get("exp"))
    if iat > now + SKEW:
        raise NotYetValid("a list from the future (Token Status List, 8.3)")
    if exp <= now:
        raise Expired("the list has run out (Token Status List, 8.3)")
    ttl = _seconds(payload["ttl"]) if "ttl" in payload else None
    if ttl == 0:
        raise Malformed("ttl is positive (Token Status List, 5.1)")
    lst = _list(payload.get("status_list"), shape)
    return StatusToken(uri=uri, iat=iat, exp=exp, ttl=ttl, bits=lst)


def _list(member: JsonValue, shape: Shape) -> StatusBits:
    if not isinstance(member, dict):
        raise Malformed("status_list is missing (Token Status List, 5.1)")
    width, text = member.get("bits"), member.get("lst")
    if type(width) is not int or not isinstance(text, str):
        raise Malformed("status_list holds bits and lst (Token Status List, 4.2)")
    if width not in bits.WIDTHS:
        raise Malformed("an entry has 1, 2, 4 or 8 bits (Token Status List, 4.1)")
    if width != shape.bits:
        raise Refused("entries of another width than announced")
    lst = bits.decode(text, bits=width, max_entries=shape.size)
    if lst.size != shape.size:
        raise Refused("fewer entries than announced")
    return lst


def _seconds(value: JsonValue) -> UnixSeconds:
    if type(value) is not int or value < 0:
        raise Malformed("iat, exp and ttl are whole seconds (Token Status List, 5.1)")
    return UnixSeconds(value)
