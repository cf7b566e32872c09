"""One resident's way in BBS: a commitment, a credential, a check of it, two showings.

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
from idservice.verification import showing, trust

HASHED: Final = frozenset(
    place for place, name in enumerate(catalogue.BBS_SLOTS) if name in catalogue.HASHED_CLAIMS
)

_ENTROPY = 32
_SALT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The issuer's key of a period, and the header that everybody's credential has."""

    secret: SecretKey = field(repr=False)
    header: bytes


def key(issuer: str, number: Period, *, random_bytes: RandomBytes) -> Key:
    """Make the key of a period."""
    header = trust.bbs_header(
        issuer=issuer,
        vct=metadata.vct(issuer),
        schema=catalogue.BBS_SCHEMA,
        period=number,
        nbf=period.not_before(number),
        exp=period.expires_bbs(number),
    )
    return Key(secret=signature.new_key(random_bytes=random_bytes), header=header)


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
        (slot,) = HASHED
        found[slot] = random_bytes(_SALT) + claims.parse_portrait(person.portrait)
    return tuple(found)


def issue(key: Key, content: tuple[bytes, ...], *, commitment: bytes, mark: int) -> str:
    """Issue a credential that carries a mark where no wallet can see one."""
    return jwp.issue(
        header=key.header,
        payloads=content,
        hashed=HASHED,
        commitment_with_proof=commitment,
        secret_key=key.secret,
        nym_entropy=(mark + 1).to_bytes(_ENTROPY, "big"),
        public_key=key.secret.public,
    )


def show(
    key: Key,
    issued: jwp.Issued,
    asked: tuple[str, ...],
    *,
    audience: str,
    nonce: str,
    random_bytes: RandomBytes,
) -> str:
    """Show claims to a verifier that asked by itself, without a request object."""
    request_hash = showing.direct_request_hash(nonce=nonce, policy="the-game")
    return jwp.present(
        issued,
        disclosed=[catalogue.BBS_SLOTS.index(name) for name in asked],
        presentation_header=showing.presentation_header(
            audience=audience, nonce=nonce, request_hash=request_hash, nym_context=None
        ),
        nym_context=None,
        public_key=key.secret.public,
        hashed=HASHED,
        random_bytes=random_bytes,
    )
