"""Which format a presentation has, and the functions of `crypto` that open and check it.

The only place that joins a credential format's name (DESIGN section 3) with `crypto`: SD-JWT VC
(`dc+sd-jwt`) and BBS (`jwp+bbs`), whose claims come out in the same shape. What a BBS showing
must answer is `showing`'s; whether what a presentation says is enough for anybody is decided in
`verify`.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import pybase64
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import batch, jwp, signature
from crypto.bbs.signature import PublicKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, HolderBinding, Malformed, Untrusted
from crypto.jose import jws
from crypto.sdjwt import sd_jwt, shape, usual, verify
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding
from crypto.sdjwt.shape import Hidden, Shape
from crypto.x509.chain import Leaf
from idservice import catalogue
from idservice.verification.trust import Announced, AnnouncedBbs

SKEW: Final = 60
"""Seconds by which `exp` may have passed, and `nbf` lie ahead."""

Unverified = SdJwtWithKeyBinding
"""A presentation taken apart; nothing in it is believed."""

verify_bound: Final = verify.verify
"""Checks signatures, disclosures and the binding to the holder, as the format has them."""


open_usual: Final = usual.open_usual
"""The same in one go, for a presentation of a known shape; it says nothing of others."""

usual_claims: Final = shape.claims
"""What `verify_bound` would have returned for it."""

_NAMES: Final = frozenset(name for name in catalogue.CLAIMS if "." not in name)
_ADDRESS: Final = "address"
_MEMBERS: Final = frozenset(catalogue.ADDRESS_MEMBERS)

UnverifiedBbs = jwp.Unverified
"""A BBS showing taken apart; nothing in it is believed."""
parse_bbs: Final = jwp.parse
"""Takes one apart; `Malformed` or `WrongAlgorithm`."""

_DOTS_OF_JWP: Final = 3
_KEYS_KEPT: Final = 16
_SALT: Final = 32
_DATA_ADDRESS: Final = "data:image/jpeg;base64,"


class Kind(NamedTuple):
    """How to recognise what was announced for a chain that leads to the city root."""

    shape: Shape
    issuer_key: ec.EllipticCurvePublicKey
    announced: Announced
    begins: int
    """From this second on chain and credentials count."""
    ends: int
    """The last second in which they do."""


def kinds(leaf: Leaf, announced: Announced, *, issuer: str) -> Iterator[Kind]:
    """Say how to recognise credentials that are as announced, if they have a shape at all."""
    found = usual_shape(announced, issuer=issuer)
    if found is not None:
        yield Kind(
            shape=found,
            issuer_key=leaf.public_key,
            announced=announced,
            begins=max(leaf.not_before, announced.nbf - SKEW),
            ends=min(leaf.not_after, announced.exp + SKEW - 1),
        )


def usual_shape(announced: Announced, *, issuer: str) -> Shape | None:
    """Say what all credentials that are as announced have in common; none hide nothing."""
    if not announced.digests:
        return None
    return shape.of(
        header=usual_header([*announced.x5c_text]),
        visible={
            "iss": issuer,
            "vct": announced.vct,
            "vct#integrity": announced.vct_integrity,
            "nbf": announced.nbf,
            "exp": announced.exp,
        },
        uri=announced.status.uri,
        top=Hidden(_NAMES, announced.digests),
        inner_name=_ADDRESS,
        inner=Hidden(_MEMBERS, announced.address_digests),
    )


def parse(presentation: str) -> Unverified:
    """Take a presentation of any format apart.

    Args:
        presentation: as received.

    Raises:
        Malformed: no format that is known here.
        HolderBinding: nobody shows it: the holder's answer is missing.
    """
    parsed = sd_jwt.parse(presentation)
    if isinstance(parsed, SdJwtWithKeyBinding):
        return parsed
    raise HolderBinding("SD-JWT (RFC 9901, section 7.3, step 2): no key binding")


def check_type(header: JsonObject) -> None:
    """Check algorithm and type, before any key is looked for.

    Raises:
        WrongAlgorithm: another algorithm or type, or a critical header.
    """
    jws.check_header(header, algorithm="ES256", typ=verify.TYP)


def usual_header(x5c: JsonValue) -> str:
    """Return the text of the header that our issuers write for a chain."""
    return base64url.encode(
        canonical_json.serialize({"alg": "ES256", "typ": verify.TYP, "x5c": x5c})
    )


def is_bbs(presentation: str) -> bool:
    """Tell the formats apart by what no other one looks like; the sender is not asked."""
    return presentation.count(".") == _DOTS_OF_JWP


def bbs_claims(payloads: Mapping[int, bytes], announced: AnnouncedBbs) -> JsonObject:
    """Read disclosed slots as claims in their places, as an SD-JWT has them.

    Args:
        payloads: by slot, all of them announced.
        announced: says which claim stands where.

    Raises:
        Malformed: a payload that is not the one spelling of a value.

    Not checked: that anybody signed them.
    """
    claims: JsonObject = {}
    address: JsonObject = {}
    for slot, payload in payloads.items():
        name = announced.slots[slot]
        outer, _, inner = name.partition(".")
        if inner:
            address[inner] = _value(name, payload)
            claims[outer] = address
        else:
            claims[name] = _value(name, payload)
    return claims


def verify_bbs(
    unverified: UnverifiedBbs, *, announced: AnnouncedBbs, nym_context: bytes | None
) -> None:
    """Check the proof of a showing under the announced key.

    Raises:
        Untrusted: no key was announced that could sign.
        CryptoError: as `jwp.verify`.

    Not checked: the headers and the number of slots; `showing.compare` comes before.
    """
    jwp.verify(
        unverified,
        public_key=_public_key(announced.public_key),
        nym_context=nym_context,
        hashed=announced.hashed,
    )


def verify_bbs_batch(
    unverified: Sequence[UnverifiedBbs], *, announced: AnnouncedBbs, random_bytes: RandomBytes
) -> tuple[CryptoError | None, ...]:
    """Check many proofs under one announced key, none with a pseudonym; see `batch.verify`.

    Returns:
        For each in order None, or the error that `verify_bbs` would raise.
    """
    try:
        key = _public_key(announced.public_key)
    except Untrusted as error:
        return (error,) * len(unverified)
    return batch.verify(
        unverified, public_key=key, hashed=announced.hashed, random_bytes=random_bytes
    )


@functools.lru_cache(maxsize=_KEYS_KEPT)
def _public_key(octets: bytes) -> PublicKey:
    """Lay out the pairing of an announced key once; there are as many as periods in use."""
    try:
        return signature.load_public_key(octets)
    except Malformed as error:
        raise Untrusted("a key was announced that is none") from error


def _value(name: str, payload: bytes) -> JsonValue:
    if payload == jwp.ABSENT:
        return None
    if name in catalogue.HASHED_CLAIMS:
        if not _SALT < len(payload) <= _SALT + catalogue.PORTRAIT_LIMIT:
            raise Malformed("a portrait without its salt, or too large")
        return _DATA_ADDRESS + pybase64.b64encode(payload[_SALT:]).decode("ascii")
    value = canonical_json.parse(payload)
    if canonical_json.serialize(value) != payload:
        raise Malformed("a claim in another spelling than the one it has (RFC 8785)")
    return value
