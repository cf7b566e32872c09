"""The table credential format -> functions of `crypto`, for the one who shows.

Every credential format that the wallet holds has a row; today that is `dc+sd-jwt` alone.
Checking on receipt is `announced.py`, checking by verifiers `verification/formats.py`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import disclosure, key_binding, present, sd_jwt
from crypto.sdjwt.sd_jwt import SdJwt
from idservice import catalogue
from idservice.wallet.model import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What binds a showing to one question."""

    audience: str
    nonce: str
    now: UnixSeconds


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


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {catalogue.FORMAT: Format(read=_read_sd_jwt, show=_show_sd_jwt)}
)
