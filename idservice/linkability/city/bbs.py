"""The issuer's side of BBS: a key for the period, and what it signs for a resident.

The issuer of the game chooses the one value that it may choose freely, the entropy in the nym
secret, as a mark: the resident's own number. No wallet can object to that, and nothing of it may
come back in a showing.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from crypto.bbs import jwp, signature
from crypto.bbs.signature import SecretKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonValue
from crypto.entropy import RandomBytes
from idservice import catalogue, period
from idservice.issuer import claims, metadata
from idservice.issuer.claims import Person
from idservice.period import Period
from idservice.verification import trust
from idservice.verification.trust import AnnouncedBbs

_ENTROPY: Final = 32
_SALT: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The issuer's key of a period, and what is announced with it."""

    announced: AnnouncedBbs
    secret: SecretKey = field(repr=False)


def key(issuer: str, number: Period, *, random_bytes: RandomBytes) -> Key:
    """Make the key of a period."""
    secret = signature.new_key(random_bytes=random_bytes)
    nbf, exp, vct = period.not_before(number), period.expires_bbs(number), metadata.vct(issuer)
    header = trust.bbs_header(
        issuer=issuer, vct=vct, schema=catalogue.BBS_SCHEMA, period=number, nbf=nbf, exp=exp
    )
    announced = AnnouncedBbs(
        configuration=catalogue.BBS_CONFIGURATION,
        format=catalogue.BBS_FORMAT,
        vct=vct,
        schema=catalogue.BBS_SCHEMA,
        period=number,
        nbf=nbf,
        exp=exp,
        public_key=secret.public.octets,
        header=header,
        slots=catalogue.BBS_SLOTS,
    )
    return Key(announced=announced, secret=secret)


def payloads(
    person: Person, *, handle: bytes, enrolled_until: date, on: date, random_bytes: RandomBytes
) -> tuple[bytes, ...]:
    """Return what is signed in each slot."""
    said: dict[str, JsonValue] = {
        **person.claims(on=on),
        "renewal_handle": base64url.encode(handle),
        "enrolled_until": enrolled_until.isoformat(),
    }
    address = said.pop("address")
    if isinstance(address, dict):
        said |= {f"address.{name}": value for name, value in address.items()}
    found = [canonical_json.serialize(said[name]) for name in catalogue.BBS_SLOTS]
    if person.portrait is not None:
        slot = catalogue.BBS_SLOTS.index("portrait")
        found[slot] = random_bytes(_SALT) + claims.parse_portrait(person.portrait)
    return tuple(found)


def issue(key: Key, content: tuple[bytes, ...], *, commitment: bytes, mark: int) -> str:
    """Issue a credential that carries a mark where no wallet can see one."""
    return jwp.issue(
        header=key.announced.header,
        payloads=content,
        hashed=key.announced.hashed,
        commitment_with_proof=commitment,
        secret_key=key.secret,
        nym_entropy=(mark + 1).to_bytes(_ENTROPY, "big"),
        public_key=key.secret.public,
    )
