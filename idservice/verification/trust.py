"""The trust bundle: what somebody offline needs to check a card of this city.

DESIGN, section 3: city root, announced values of each period, policies; canonical JSON, signed by
the root with Ed25519, its version strictly growing. The root's fingerprint comes by another way
(the enrolment sheet) and is pinned; without a pin the bundle vouches for itself only. Left out:
whether what it says was decided (the member `register`, `idservice.register.bundle`), fetching
(`clients`), and the path from a key to the root at the time of use (`crypto.x509.chain`).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from types import MappingProxyType
from typing import Final

import nacl.exceptions
import nacl.signing
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import BadSignature, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.x509 import chain, x5c
from idservice import catalogue
from idservice.period import Period
from idservice.verification import policy
from idservice.verification.policy import Policy

SIGNED_PREFIX: Final = b"idservice-bundle-v1\0"
TYPE: Final = "idservice-bundle"
LARGEST_BUNDLE: Final = 4 << 20
"""Octets."""

SMALLEST_LIST: Final = 1 << 17
LARGEST_LIST: Final = 1 << 24
"""Entries."""

_BASE = re.compile(r"https?://[a-z0-9.\[\]:-]{1,253}(?:/[A-Za-z0-9._~-]{1,64}){0,8}")
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_INTEGRITY = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")
_BUNDLE = frozenset({"payload", "root", "signature"})
REGISTER: Final = "register"
"""What stands beside them; read where it is checked, in `idservice.register.bundle`."""
_PAYLOAD = frozenset(
    {
        "type",
        "version",
        "day",
        "city",
        "demonstration",
        "languages",
        "issuer",
        "announced",
        "policies",
    }
)
ANNOUNCED = frozenset(
    {
        "configuration",
        "format",
        "vct",
        "vct_integrity",
        "period",
        "nbf",
        "exp",
        "x5c",
        "status",
        "digests",
        "address_digests",
    }
)
_STATUS = frozenset({"uri", "size", "bits"})
_BBS_KEY_LENGTH = 96
_MOST_SLOTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedStatus:
    """The one status list of a period."""

    uri: str
    size: int
    """Entries."""
    bits: int
    """Bits an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What all credentials of one configuration and period have in common."""

    configuration: str
    format: str
    vct: str
    vct_integrity: str
    period: Period
    nbf: UnixSeconds
    exp: UnixSeconds
    x5c: tuple[bytes, ...]
    x5c_text: tuple[str, ...]
    """The same as it stands in the header of each credential."""
    status: AnnouncedStatus
    digests: int
    address_digests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedBbs:
    """What all BBS credentials of one configuration and period have in common."""

    configuration: str
    format: str
    vct: str
    schema: int
    period: Period
    nbf: UnixSeconds
    exp: UnixSeconds
    public_key: bytes
    """96 octets, a point of G2; checked where it is used."""
    header: bytes
    """The issuer header, octet by octet the same in every credential."""
    slots: tuple[str, ...]
    """The claim in each slot."""

    @property
    def hashed(self) -> frozenset[int]:
        """The slots that are signed by their digest."""
        return frozenset(
            place for place, name in enumerate(self.slots) if name in catalogue.HASHED_CLAIMS
        )


ANNOUNCED_BBS = frozenset(each.name for each in fields(AnnouncedBbs))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBundle:
    """A bundle whose signature was checked; only `parse` makes it."""

    version: int
    day: date
    city: str
    demonstration: bool
    languages: tuple[str, ...]
    issuer: str
    root: x509.Certificate
    root_fingerprint: bytes
    announced: tuple[Announced, ...]
    announced_bbs: tuple[AnnouncedBbs, ...]
    policies: Mapping[str, Policy]
    status_lists: Mapping[str, AnnouncedStatus]
    """The same lists by their address."""

    def find(self, *, configuration: str, period: Period) -> Announced | None:
        """Return what is announced for a configuration and period."""
        for announced in self.announced:
            if announced.configuration == configuration and announced.period == period:
                return announced
        return None

    def find_bbs(self, *, configuration: str, period: Period) -> AnnouncedBbs | None:
        """Return what is announced for a BBS configuration and period."""
        for announced in self.announced_bbs:
            if announced.configuration == configuration and announced.period == period:
                return announced
        return None


def parse(
    data: bytes, *, root_fingerprint: bytes | None, at_least_version: int | None
) -> TrustBundle:
    """Check a bundle and read it.

    Args:
        data: as published, at most `LARGEST_BUNDLE` octets.
        root_fingerprint: SHA-256 of the root certificate, 32 octets; `None` only where the
            bundle comes from the city's own disk or is to be pinned now.
        at_least_version: the version last seen; the same again is no roll-back.

    Raises:
        Malformed: not canonical JSON, or a member is missing, unknown or ill-typed.
        BadSignature: not signed by its root.
        Untrusted: another root than the one pinned, or no city root.
        Refused: older than one already seen, or with a policy that may not be.

    Not checked: whether the root or an announced key is valid now (`chain.verify` at each use).
    """
    if len(data) > LARGEST_BUNDLE:
        raise Malformed("bundle too large")
    value = canonical_json.parse_canonical(data)
    return read(value, root_fingerprint=root_fingerprint, at_least_version=at_least_version)


def read(
    value: JsonValue, *, root_fingerprint: bytes | None, at_least_version: int | None
) -> TrustBundle:
    """Check a bundle that was parsed as JSON already; otherwise as `parse`."""
    outer = dict(members.any_object(value))
    outer.pop(REGISTER, None)
    members.exact(outer, _BUNDLE)
    der = base64url.decode(members.text(outer["root"]))
    found = hashlib.sha256(der).digest()
    if root_fingerprint is not None and not hmac.compare_digest(found, root_fingerprint):
        raise Untrusted("another city root than the one pinned")
    root = chain.load_root(der)
    signature = base64url.decode(members.text(outer["signature"]))
    _check_signature(root, signature, canonical_json.serialize(outer["payload"]))
    bundle = _payload(members.exact(outer["payload"], _PAYLOAD), root=root, fingerprint=found)
    if at_least_version is not None and bundle.version < at_least_version:
        raise Refused("an older bundle than one already seen")
    return bundle


def write(payload: JsonObject, *, root_der: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Write and sign a bundle.

    Args:
        payload: as DESIGN says; not checked here, so that its maker parses what comes out.
        root_der: the city root's certificate.
        sign: Ed25519 with the root's key; 64 octets.
    """
    signature = sign(SIGNED_PREFIX + canonical_json.serialize(payload))
    bundle: JsonObject = {
        "payload": payload,
        "root": base64url.encode(root_der),
        "signature": base64url.encode(signature),
    }
    return canonical_json.serialize(bundle)


def announce(announced: Announced) -> JsonObject:
    """Return the JSON object in which one configuration and period is announced."""
    return {
        "configuration": announced.configuration,
        "format": announced.format,
        "vct": announced.vct,
        "vct_integrity": announced.vct_integrity,
        "period": announced.period,
        "nbf": announced.nbf,
        "exp": announced.exp,
        "x5c": [*announced.x5c_text],
        "status": {
            "uri": announced.status.uri,
            "size": announced.status.size,
            "bits": announced.status.bits,
        },
        "digests": announced.digests,
        "address_digests": announced.address_digests,
    }


def announce_bbs(announced: AnnouncedBbs) -> JsonObject:
    """Return the JSON object in which one BBS configuration and period is announced."""
    return {
        "configuration": announced.configuration,
        "format": announced.format,
        "vct": announced.vct,
        "schema": announced.schema,
        "period": announced.period,
        "nbf": announced.nbf,
        "exp": announced.exp,
        "public_key": base64url.encode(announced.public_key),
        "header": base64url.encode(announced.header),
        "slots": [*announced.slots],
    }


def bbs_header(
    *,
    issuer: str,
    vct: str,
    schema: int,
    period: Period,
    nbf: UnixSeconds,
    exp: UnixSeconds,
) -> bytes:
    """Return the one issuer header of a period's BBS credentials."""
    return canonical_json.serialize(
        {
            "alg": jwp.ALG,
            "typ": "jwp",
            "iss": issuer,
            "vct": vct,
            "schema": schema,
            "period": period,
            "nbf": nbf,
            "exp": exp,
        }
    )


def fingerprint_text(fingerprint: bytes) -> str:
    """Write a root fingerprint for people: hexadecimal, in groups of four."""
    digits = fingerprint.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def parse_fingerprint(text: str) -> bytes:
    """Read a root fingerprint as people write it: case, spaces, colons and dashes do not matter.

    Raises:
        Malformed: not 32 octets in hexadecimal.
    """
    digits = text.translate(str.maketrans("", "", " :-\t\r\n"))
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise Malformed("a root fingerprint has 64 hexadecimal digits")
    return bytes.fromhex(digits)


def _check_signature(root: x509.Certificate, signature: bytes, payload: bytes) -> None:
    key = root.public_key()
    if not isinstance(key, ed25519.Ed25519PublicKey):  # pragma: no cover
        raise Untrusted("chain.load_root lets no other key pass")
    try:
        verify_key = nacl.signing.VerifyKey(key.public_bytes_raw())
        verify_key.verify(SIGNED_PREFIX + payload, signature)
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise BadSignature("the city root did not sign this bundle") from error


def _payload(given: JsonObject, *, root: x509.Certificate, fingerprint: bytes) -> TrustBundle:
    if given["type"] != TYPE:
        raise Malformed("not a trust bundle")
    issuer = members.matching(_BASE, given["issuer"])
    announced, announced_bbs = _all_announced(members.array(given["announced"]), issuer)
    lists = {each.status.uri: each.status for each in announced}
    policies = tuple(policy.parse(each) for each in members.array(given["policies"]))
    by_id = {each.id: each for each in policies}
    if len(by_id) != len(policies):
        raise Refused("a policy stands there twice")
    return TrustBundle(
        version=members.whole(given["version"]),
        day=policy.parse_day(given["day"]),
        city=policy.sentence(given["city"], longest=policy.LONGEST_NAME),
        demonstration=members.flag(given["demonstration"]),
        languages=tuple(
            members.matching(_LANGUAGE, each) for each in members.array(given["languages"])
        ),
        issuer=issuer,
        root=root,
        root_fingerprint=fingerprint,
        announced=announced,
        announced_bbs=announced_bbs,
        policies=MappingProxyType(by_id),
        status_lists=MappingProxyType(lists),
    )


def _all_announced(
    values: list[JsonValue], issuer: str
) -> tuple[tuple[Announced, ...], tuple[AnnouncedBbs, ...]]:
    plain: list[Announced] = []
    bbs: list[AnnouncedBbs] = []
    for value in values:
        match members.any_object(value).get("format"):
            case catalogue.FORMAT:
                plain.append(_announced(value, issuer))
            case catalogue.BBS_FORMAT:
                bbs.append(_announced_bbs(value, issuer))
            case _:
                raise Refused("an unknown format")
    instances = {(each.configuration, each.period) for each in plain}
    instances |= {(each.configuration, each.period) for each in bbs}
    lists = {each.status.uri for each in plain}
    headers = {each.header for each in bbs}  # one with two keys would tell holders apart
    if len(instances) != len(values) or len(lists) + len(headers) != len(values):
        raise Refused("a configuration, period, status list or header is announced twice")
    return tuple(plain), tuple(bbs)


def _times(given: JsonObject) -> tuple[UnixSeconds, UnixSeconds]:
    nbf, exp = members.whole(given["nbf"]), members.whole(given["exp"])
    if nbf >= exp:
        raise Refused("a period ends before it begins")
    return UnixSeconds(nbf), UnixSeconds(exp)


def _announced_bbs(value: JsonValue, issuer: str) -> AnnouncedBbs:
    given = members.exact(value, ANNOUNCED_BBS)
    nbf, exp = _times(given)
    vct = _below(issuer, given["vct"])
    schema, period = members.whole(given["schema"]), Period(members.whole(given["period"]))
    header = bbs_header(issuer=issuer, vct=vct, schema=schema, period=period, nbf=nbf, exp=exp)
    if given["header"] != base64url.encode(header):
        raise Refused("an issuer header that says something else, or more, than is announced")
    public_key = base64url.decode(members.text(given["public_key"]))
    if len(public_key) != _BBS_KEY_LENGTH:
        raise Malformed("a BBS public key has 96 octets")
    slots = members.texts(given["slots"])
    if not 0 < len(slots) <= _MOST_SLOTS or set(slots) != set(catalogue.CLAIMS):
        raise Refused("slots for other claims than the catalogue's")
    if len(set(slots)) != len(slots):
        raise Refused("two slots for one claim")
    return AnnouncedBbs(
        configuration=members.matching(_NAME, given["configuration"]),
        format=catalogue.BBS_FORMAT,
        vct=vct,
        schema=schema,
        period=period,
        nbf=nbf,
        exp=exp,
        public_key=public_key,
        header=header,
        slots=slots,
    )


def _announced(value: JsonValue, issuer: str) -> Announced:
    given = members.exact(value, ANNOUNCED)
    nbf, exp = _times(given)
    return Announced(
        configuration=members.matching(_NAME, given["configuration"]),
        format=catalogue.FORMAT,
        vct=_below(issuer, given["vct"]),
        vct_integrity=members.matching(_INTEGRITY, given["vct_integrity"]),
        period=Period(members.whole(given["period"])),
        nbf=nbf,
        exp=exp,
        x5c=x5c.decode(given["x5c"]),
        x5c_text=members.texts(given["x5c"]),
        status=_status(given["status"], issuer),
        digests=members.whole(given["digests"]),
        address_digests=members.whole(given["address_digests"]),
    )


def _status(value: JsonValue, issuer: str) -> AnnouncedStatus:
    given = members.exact(value, _STATUS)
    size, bits = members.whole(given["size"]), members.whole(given["bits"])
    if not SMALLEST_LIST <= size <= LARGEST_LIST or size & (size - 1):
        raise Refused("a status list is a power of two from 2^17 to 2^24 long")
    if bits != 1:
        raise Refused("a status list has one bit an entry")
    return AnnouncedStatus(uri=_below(issuer, given["uri"]), size=size, bits=bits)


def _below(issuer: str, value: JsonValue) -> str:
    found = members.matching(_BASE, value)
    if not found.startswith(issuer + "/"):
        raise Refused("an address of another issuer")
    return found
