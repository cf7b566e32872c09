"""The table credential format -> functions of `crypto`, for the one who shows.

Every credential format that the wallet holds has a row. Checking on receipt is `announced.py`
and `receipt/bbs.py`, checking by verifiers `verification/formats.py`, what binds a BBS showing to
its question `verification/showing.py`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from crypto.bbs import jwp, signature
from crypto.bbs.jwp import HolderSecret
from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import disclosure, key_binding, present, sd_jwt
from crypto.sdjwt.sd_jwt import SdJwt
from idservice import catalogue
from idservice.verification import showing
from idservice.verification.trust import AnnouncedBbs
from idservice.wallet.model import Instance
from idservice.wallet.receipt import bbs


@dataclass(frozen=True, slots=True, kw_only=True)
class BbsOccasion:
    """What a BBS showing needs besides."""

    announced: AnnouncedBbs
    """What the credential was checked against at receipt."""
    request_hash: bytes
    """Of the question, from `verification.showing`."""
    nym_context: bytes | None
    """The context of a pseudonym, where its holder wants to be recognised again."""
    random_bytes: RandomBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What binds a showing to one question."""

    audience: str
    nonce: str
    now: UnixSeconds
    bbs: BbsOccasion | None = None
    """Needed where the format is BBS; no other format looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What the wallet does with one credential format."""

    read: Callable[[str], JsonObject]
    """Everything a credential says, with everything disclosed; checked on receipt."""
    show: Callable[[Instance, Collection[str], Occasion], str]
    """Show these claims of an instance, and no others, on this occasion."""


def _read_sd_jwt(credential: str) -> JsonObject:
    parsed = _parse(credential)
    payload = canonical_json.parse_object(parsed.issuer.payload)
    digests = {disclosure.digest(text): disclosure.parse(text) for text in parsed.disclosures}
    return _opened(payload, digests)


def _opened(members: JsonObject, digests: dict[str, disclosure.Disclosure]) -> JsonObject:
    opened: JsonObject = {}
    for name, value in members.items():
        if name not in disclosure.RESERVED:
            opened[name] = _opened(value, digests) if isinstance(value, dict) else value
    hidden = members.get(disclosure.DIGESTS, [])
    for digest in hidden if isinstance(hidden, list) else []:
        said = digests.get(str(digest))
        if said is not None and said.name is not None:
            opened[said.name] = said.value
    return opened


def _show_sd_jwt(instance: Instance, claims: Collection[str], occasion: Occasion) -> str:
    if isinstance(instance.key, HolderSecret):
        raise TypeError("an instance of another format")
    shown = present.present(
        _parse(instance.credential), paths=[tuple(name.split(".")) for name in claims]
    )
    return key_binding.sign(
        shown,
        nonce=occasion.nonce,
        audience=occasion.audience,
        now=occasion.now,
        signer=jws.es256_signer(instance.key),
    )


def _parse(credential: str) -> SdJwt:
    parsed = sd_jwt.parse(credential)
    if not isinstance(parsed, SdJwt):
        raise Malformed("a kept credential has no key binding")
    return parsed


def _read_bbs(credential: str) -> JsonObject:
    claims = bbs.read(credential)
    address: JsonObject = {
        member: claims.pop(f"address.{member}") for member in catalogue.ADDRESS_MEMBERS
    }
    return {**claims, "address": address, "vct": bbs.vct(credential)}


def _show_bbs(instance: Instance, claims: Collection[str], occasion: Occasion) -> str:
    told = occasion.bbs
    if told is None or not isinstance(instance.key, HolderSecret):
        raise TypeError("an instance of another format, or an occasion for one")
    public_key = signature.load_public_key(told.announced.public_key)
    issued = jwp.receive(
        instance.credential,
        secret=instance.key,
        public_key=public_key,
        hashed=told.announced.hashed,
    )
    return jwp.present(
        issued,
        disclosed=[told.announced.slots.index(name) for name in claims],
        presentation_header=showing.presentation_header(
            audience=occasion.audience,
            nonce=occasion.nonce,
            request_hash=told.request_hash,
            nym_context=told.nym_context,
        ),
        nym_context=told.nym_context,
        public_key=public_key,
        hashed=told.announced.hashed,
        random_bytes=told.random_bytes,
    )


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        catalogue.FORMAT: Format(read=_read_sd_jwt, show=_show_sd_jwt),
        catalogue.BBS_FORMAT: Format(read=_read_bbs, show=_show_bbs),
    }
)
