"""Credential format -> how an instance is made, and how a shown one is read at renewal.

Carries out DESIGN section 3. Everything that is always visible comes from what the trust bundle
announces for the period; only index, salts, digests, holder key and signature differ between two
instances. `iat` is left out. Every claim of the catalogue is there, `null` where a person has
none, so that not even the number of digests tells anything. Whether a shown one is ours, valid
and shown by its holder is for `verification.verify`; here stands what renewal asks beyond that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Expired, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.sdjwt import issue, verify
from crypto.sdjwt.issue import Frame
from crypto.sealed.handle import Handle
from crypto.status import reference
from crypto.status.reference import Reference
from idservice import catalogue, period
from idservice.issuer import claims
from idservice.issuer.claims import Person
from idservice.issuer.model import Entitlement, IssuingKey
from idservice.verification import formats as presentations
from idservice.verification.trust import Announced
from idservice.verification.verify import Verified

_FRAME: Final = Frame(disclosable=frozenset(tuple(name.split(".")) for name in catalogue.CLAIMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a credential said when its holder showed the issuer all of it."""

    person: Person = field(repr=False)
    handle: Handle = field(repr=False)
    enrolled_until: date = field(repr=False)
    announced: Announced
    index: int


Holder = tuple[ec.EllipticCurvePublicKey, int]
"""The key and the status index of one instance."""


class Issue(Protocol):
    """Makes one instance for each holder key and status index."""

    def __call__(  # noqa: D102, the class says it
        self,
        key: IssuingKey,
        entitlement: Entitlement,
        holders: Sequence[Holder],
        *,
        on: date,
        random_bytes: RandomBytes,
    ) -> tuple[str, ...]: ...


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
        **entitlement.person.claims(on=on),
        "iss": key.issuer,
        "vct": announced.vct,
        "vct#integrity": announced.vct_integrity,
        "nbf": announced.nbf,
        "exp": announced.exp,
        "renewal_handle": base64url.encode(entitlement.handle),
        "enrolled_until": entitlement.enrolled_until.isoformat(),
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


ISSUE: Final[Mapping[str, Issue]] = MappingProxyType({catalogue.CONFIGURATION: issue_sd_jwt})
"""Credential configuration to how it is made."""


def claimed_nonce(presentation: str) -> str:
    """Return the nonce that the holder claims to answer, with nothing checked.

    It says by itself whether it is ours; `verify.verify_credential`, asked with it, checks that
    the holder signed it.

    Raises:
        CryptoError: nothing that can be taken apart, or nobody shows it.
    """
    answer = presentations.parse(presentation).key_binding
    nonce = canonical_json.parse_object(answer.payload).get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise Malformed("no nonce")
    return nonce


def read_shown(verified: Verified, *, now: UnixSeconds) -> Shown:
    """Read a verified instance off which its holder took nothing.

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
        handle=Handle(base64url.decode(handle)),
        enrolled_until=date.fromisoformat(until),
        announced=announced,
        index=verified.status_index,
    )


def _has(content: JsonObject, name: str) -> bool:
    here: JsonValue = content
    for step in name.split("."):
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def _status(uri: str, index: int) -> JsonObject:
    return reference.claim(Reference(uri=uri, index=index))
