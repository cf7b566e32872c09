"""Credential format -> how a credential is made, and how a shown one is read at renewal.

Carries out DESIGN section 3. Everything that is always visible comes from what the trust bundle
announces for the period; only index, salts, digests, holder key and signature differ between two
instances of SD-JWT, and of BBS nothing that is ever shown. `iat` is left out. Every claim of the
catalogue is there, `null` where a person has none, so that not even the number of digests or
slots tells anything. Whether a shown one is ours, valid
and shown by its holder is for `verification.verify`; here stands what renewal asks beyond that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp
from crypto.bls.group import SigningUnavailable
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Expired, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.sdjwt import issue, verify
from crypto.sdjwt.issue import Frame
from crypto.sealed import offer
from crypto.sealed.handle import Handle, parse_handle
from crypto.status import reference
from crypto.status.reference import Reference
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import claims
from idservice.issuer.claims import Person
from idservice.issuer.model import BbsIssuingKey, Entitlement, IssuingKey
from idservice.verification import formats as presentations
from idservice.verification.trust import Announced, AnnouncedBbs
from idservice.verification.verify import Verified, VerifiedBbs

_FRAME: Final = Frame(disclosable=frozenset(tuple(name.split(".")) for name in catalogue.CLAIMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a credential said when its holder showed the issuer all of it."""

    person: Person = field(repr=False)
    handle: Handle = field(repr=False)
    enrolled_until: date = field(repr=False)
    announced: Announced | AnnouncedBbs
    index: int | None
    """In the announced status list; BBS credentials have none."""


_NYM_ENTROPY: Final = b"idservice bbs nym entropy"
_PORTRAIT_SALT: Final = b"idservice bbs portrait salt"

Holder = tuple[ec.EllipticCurvePublicKey, int]
"""The key and the status index of one instance."""


def issue_sd_jwt(
    key: IssuingKey,
    entitlement: Entitlement,
    holders: Sequence[Holder],
    *,
    on: date,
    random_bytes: RandomBytes,
) -> tuple[str, ...]:
    """Sign one SD-JWT VC for each holder key and its status index; ages are as `on` that day."""
    announced = key.announced
    header: JsonObject = {"alg": "ES256", "typ": verify.TYP, "x5c": [*announced.x5c_text]}
    content: JsonObject = {
        **_claims(entitlement, on),
        "iss": key.issuer,
        "vct": announced.vct,
        "vct#integrity": announced.vct_integrity,
        "nbf": announced.nbf,
        "exp": announced.exp,
    }
    return tuple(
        issue.issue(
            header=header,
            claims={**content, "status": _status(announced.status.uri, index)},
            frame=_FRAME,
            holder=holder,
            signer=key.sign,
            random_bytes=random_bytes,
        )
        for holder, index in holders
    )


def issue_bbs(
    key: BbsIssuingKey,
    entitlement: Entitlement,
    commitment: bytes,
    *,
    on: date,
    token: offer.Secret,
) -> str:
    """Sign one BBS credential over every slot and, unseen, what the holder committed to.

    Args:
        key: of the entitlement's period.
        entitlement: whose.
        commitment: checked before.
        on: ages are as on that day.
        token: what is random in a credential follows from it, so that whoever asks again with the
            same token and commitment gets the same octets; it is used for no other.

    Raises:
        ServiceError: `unavailable`: this machine cannot sign, or signed wrongly.
    """
    content, announced = _claims(entitlement, on), key.announced
    salt = offer.derive(token, info=_PORTRAIT_SALT)
    try:
        return jwp.issue(
            header=announced.header,
            payloads=[_payload(content, name, salt) for name in announced.slots],
            hashed=announced.hashed,
            commitment_with_proof=commitment,
            secret_key=key.secret_key,
            public_key=key.secret_key.public,
            nym_entropy=offer.derive(token, info=_NYM_ENTROPY),
        )
    except (CryptoError, SigningUnavailable) as error:
        raise ServiceError(Code.UNAVAILABLE) from error


def claimed_nonce(presentation: str) -> str:
    """Return the nonce that the holder claims to answer, with nothing checked.

    It says by itself whether it is ours; `verify.verify_credential`, asked with it, checks that
    the holder signed it.

    Raises:
        CryptoError: nothing that can be taken apart, or nobody shows it.
    """
    if presentations.is_bbs(presentation):
        said = presentations.parse_bbs(presentation).presentation_header
    else:
        said = presentations.parse(presentation).key_binding.payload
    nonce = canonical_json.parse_object(said).get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise Malformed("no nonce")
    return nonce


def read_shown(verified: Verified | VerifiedBbs, *, now: UnixSeconds) -> Shown:
    """Read a verified credential off which its holder took nothing.

    Raises:
        CryptoError: something is held back, it has other times than announced, or it ended:
            verifiers bear with clocks that differ, the issuer's own is the city's.
        ValueError: `enrolled_until` is no date.
    """
    content, announced = verified.claims, verified.announced
    if (content.get("nbf"), content.get("exp")) != (announced.nbf, announced.exp):
        raise Refused("other times than announced")
    if now >= announced.exp:
        raise Expired("its period is over")
    if not all(_has(content, name) for name in catalogue.CLAIMS):
        raise Refused("not everything is disclosed")
    handle, until = content["renewal_handle"], content["enrolled_until"]
    if not isinstance(handle, str) or not isinstance(until, str):
        raise Malformed("renewal_handle and enrolled_until are texts")
    return Shown(
        person=claims.from_claims(content, today=period.day(now)),
        handle=parse_handle(base64url.decode(handle)),
        enrolled_until=date.fromisoformat(until),
        announced=announced,
        index=verified.status_index if isinstance(verified, Verified) else None,
    )


def _claims(entitlement: Entitlement, on: date) -> JsonObject:
    """Write every claim of the catalogue."""
    return {
        **entitlement.person.claims(on=on),
        "renewal_handle": base64url.encode(entitlement.handle),
        "enrolled_until": entitlement.enrolled_until.isoformat(),
    }


def _payload(content: JsonObject, name: str, salt: bytes) -> bytes:
    """Write what stands in a slot: canonical JSON, of a portrait the salt and the JPEG."""
    outer, _, inner = name.partition(".")
    value = content[outer]
    if inner and isinstance(value, dict):
        value = value[inner]
    if value is not None and name in catalogue.HASHED_CLAIMS:
        return salt + claims.parse_portrait(value)
    return canonical_json.serialize(value)


def _has(content: JsonObject, name: str) -> bool:
    here: JsonValue = content
    for step in name.split("."):
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def _status(uri: str, index: int) -> JsonObject:
    return reference.claim(Reference(uri=uri, index=index))
