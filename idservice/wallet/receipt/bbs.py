"""The announced-values rule for BBS credentials: nothing that is ever shown may mark a person.

DESIGN section 3 (`jwp+bbs`). A showing has the issuer header in the clear, the number of slots,
and what its holder discloses; so the header is compared octet by octet with the announced one,
every slot must be there, in the announced order, with its claim in the one spelling that it has.
Signature and entropy are never shown, so whatever an issuer hides in them stays with the holder.
Left out: the bundle in which the values are announced (`verification/trust.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pybase64

from crypto.bbs import jwp, signature
from crypto.bbs.jwp import HolderSecret
from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError, Malformed
from crypto.jose import web_proof
from idservice import catalogue
from idservice.period import Period
from idservice.verification.trust import AnnouncedBbs
from idservice.wallet.model import Declined
from idservice.wallet.receipt import values

SALT_LENGTH: Final = 32
"""Octets before a portrait, so that its digest tells nothing of the picture."""

_JPEG_BEGIN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A credential that may be kept."""

    announced: AnnouncedBbs
    claims: JsonObject = field(repr=False)
    """By the names of the catalogue."""


def check(
    credential: str,
    *,
    secret: HolderSecret,
    entries: Sequence[AnnouncedBbs],
    configuration: str,
    periods: Collection[Period],
) -> Received:
    """Hold a credential against the announcement, then verify its signature.

    Args:
        credential: as received.
        secret: whose commitment was sent.
        entries: the bundle's.
        configuration: what was asked for.
        periods: those that the issuer may serve now.

    Raises:
        Declined: what differs, in a sentence without any value.
    """
    header, payloads = _parts(credential)
    announced = _announced(header, entries, configuration=configuration, periods=periods)
    if (announced.schema, announced.slots) != (catalogue.BBS_SCHEMA, catalogue.BBS_SLOTS):
        raise Declined("The city announces another order of claims than this wallet knows.")
    claims = _claims(payloads, announced)
    values.check(claims)
    try:
        jwp.receive(
            credential,
            secret=secret,
            public_key=signature.load_public_key(announced.public_key),
            hashed=announced.hashed,
        )
    except CryptoError as error:
        raise Declined("The credential is not signed with the city's key over yours.") from error
    return Received(announced=announced, claims=claims)


def read(credential: str) -> JsonObject:
    """Return the claims of a credential that was checked at receipt, by their names."""
    _, payloads = _parts(credential)
    named = zip(catalogue.BBS_SLOTS, payloads.values(), strict=True)
    return {name: _value(name, payload) for name, payload in named}


def vct(credential: str) -> JsonValue:
    """Return the type that the issuer header names."""
    header, _ = _parts(credential)
    return canonical_json.parse_object(header)["vct"]


def _parts(credential: str) -> tuple[bytes, Mapping[int, bytes]]:
    """Take the header and the payloads, all of which must be there."""
    try:
        parsed = web_proof.parse(credential, headers=web_proof.ISSUED)
    except Malformed as error:
        raise Declined("The credential does not parse.") from error
    (header,) = parsed.headers
    if len(parsed.payloads) != parsed.slots:
        raise values.differs("number of filled slots")
    return header, parsed.payloads


def _announced(
    header: bytes,
    entries: Sequence[AnnouncedBbs],
    *,
    configuration: str,
    periods: Collection[Period],
) -> AnnouncedBbs:
    """Find the announcement whose header the credential has."""
    for entry in entries:
        if entry.header == header and entry.configuration == configuration:
            if entry.period not in periods:
                raise Declined("The credential belongs to no period that is served now.")
            return entry
    raise values.differs("credential's header")


def _claims(payloads: Mapping[int, bytes], announced: AnnouncedBbs) -> JsonObject:
    if len(payloads) != len(announced.slots):
        raise values.differs("number of slots")
    claims: JsonObject = {}
    for name, payload in zip(announced.slots, payloads.values(), strict=True):
        try:
            claims[name] = _value(name, payload)
        except Malformed as error:
            raise values.differs(f"spelling of the claim {name}") from error
    return claims


def _value(name: str, payload: bytes) -> JsonValue:
    if name in catalogue.HASHED_CLAIMS and payload != jwp.ABSENT:
        return _portrait(payload)
    value = canonical_json.parse(payload)
    if canonical_json.serialize(value) != payload:
        raise Malformed("a value in another spelling")
    return value


def _portrait(payload: bytes) -> str:
    """Read salt and picture; the claim is the same text as in an SD-JWT."""
    picture = payload[SALT_LENGTH:]
    if len(picture) > catalogue.PORTRAIT_LIMIT:
        raise Malformed("a portrait of more than 24 KiB")
    if not (picture.startswith(_JPEG_BEGIN) and picture.endswith(_JPEG_END)):
        raise Malformed("a portrait without salt, or no JPEG")
    return values.PORTRAIT_PREFIX + pybase64.b64encode(picture).decode("ascii")
