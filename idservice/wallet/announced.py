"""The announced-values rule for SD-JWT: nothing an issuer chooses may mark a person.

DESIGN section 3. All credentials of a period look alike except for holder key, status index,
digests and signature, and what they look like is announced in the trust bundle. Here the whole
payload that must be there is written down from the announcement and compared octet by octet, so
that neither another value, nor one more member, nor another spelling of the same JSON can mark
somebody. Salts, digests, indices and signatures are random where the issuer is honest; nothing
here can tell (letter C, `docs/threat-model.md`). The shape of single claims is
`receipt/values.py`, the rule for BBS `receipt/bbs.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.sdjwt import disclosure, sd_jwt, verify
from crypto.sdjwt.disclosure import Disclosure
from crypto.sdjwt.sd_jwt import SdJwt
from crypto.x509 import chain
from crypto.x509.profile import Role
from idservice import catalogue
from idservice.period import Period
from idservice.verification.trust import Announced
from idservice.wallet.model import Declined
from idservice.wallet.receipt import values

_TOP = frozenset(name for name in catalogue.CLAIMS if "." not in name)
_SALT_LENGTH = 16
_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Instances that passed; disclosures stand in the order of their digests."""

    credentials: tuple[str, ...] = field(repr=False)
    claims: JsonObject = field(repr=False)
    """What every instance says, by the names of the catalogue."""


def find(
    entries: Sequence[Announced], credential: str, *, configuration: str, periods: Sequence[Period]
) -> Announced:
    """Find the announcement that a credential claims to follow, by its `nbf`.

    Args:
        entries: the bundle's.
        credential: the first of a batch, nothing verified yet.
        configuration: what was asked for.
        periods: those that the issuer may serve now.
    """
    begins = canonical_json.parse_object(_parse(credential).issuer.payload).get("nbf")
    for entry in entries:
        named = entry.configuration == configuration and entry.period in periods
        if named and entry.nbf == begins and not isinstance(begins, bool):
            return entry
    raise Declined("The credential belongs to no period that is announced and served now.")


def check(
    credentials: Sequence[str],
    *,
    keys: Sequence[ec.EllipticCurvePrivateKey],
    announced: Announced,
    issuer: str,
    root: x509.Certificate,
    now: UnixSeconds,
) -> Batch:
    """Hold a batch against the announcement; one wrong instance refuses all.

    Args:
        credentials: as received, one for each key, in the keys' order.
        keys: those whose possession was proved.
        announced: the values of this configuration and period.
        issuer: the bundle's.
        root: the pinned city root.
        now: the certificates are judged at this time, or at the period's begin if that is later.

    Raises:
        Declined: what differs, in a sentence without any value.
    """
    issuer_key = _issuer_key(announced, issuer=issuer, root=root, now=now)
    header = _header(announced)
    checked = []
    for credential, key in zip(credentials, keys, strict=True):
        parsed = _parse(credential)
        if parsed.issuer_jwt.split(".", 1)[0] != header:
            raise _differs("header")
        _check_payload(parsed, key=key, announced=announced, issuer=issuer)
        try:
            verify.verify_issued(parsed, issuer_key=issuer_key)
        except CryptoError as error:
            raise Declined("The signature or the digests of an instance are wrong.") from error
        checked.append(parsed)
    claims = [_claims(parsed) for parsed in checked]
    if any(one != claims[0] for one in claims):
        raise Declined("The instances do not all say the same.")
    _check_distinct(checked)
    return Batch(credentials=tuple(_sorted(parsed) for parsed in checked), claims=claims[0])


def _issuer_key(
    announced: Announced, *, issuer: str, root: x509.Certificate, now: UnixSeconds
) -> ec.EllipticCurvePublicKey:
    moment = UnixSeconds(max(now, announced.nbf))
    try:
        leaf = chain.verify(announced.x5c, root=root, role=Role.ISSUER, now=moment)
    except CryptoError as error:
        raise Declined("The issuer's key does not lead up to the pinned city root.") from error
    if leaf.uris != (issuer,):
        raise Declined("The issuer's certificate is for another issuer.")
    return leaf.public_key


def _parse(credential: str) -> SdJwt:
    try:
        parsed = sd_jwt.parse(credential)
    except CryptoError as error:
        raise Declined("An instance does not parse.") from error
    if not isinstance(parsed, SdJwt):
        raise Declined("An instance carries a key binding where none belongs.")
    return parsed


def _header(announced: Announced) -> str:
    x5c: list[JsonValue] = list(announced.x5c_text)
    header: JsonObject = {"alg": "ES256", "typ": verify.TYP, "x5c": x5c}
    return base64url.encode(canonical_json.serialize(header))


def _check_payload(
    parsed: SdJwt, *, key: ec.EllipticCurvePrivateKey, announced: Announced, issuer: str
) -> None:
    try:
        payload = canonical_json.parse_object(parsed.issuer.payload)
    except Malformed as error:
        raise Declined("An instance does not parse.") from error
    expected: JsonObject = {
        "iss": issuer,
        "vct": announced.vct,
        "vct#integrity": announced.vct_integrity,
        "nbf": announced.nbf,
        "exp": announced.exp,
        "cnf": {"jwk": {**jwk.public_jwk(key.public_key())}},
        "status": {"status_list": {"idx": _index(payload, announced), "uri": announced.status.uri}},
        "_sd_alg": disclosure.HASH_NAME,
        "_sd": _digests(payload, announced.digests),
        "address": {"_sd": _digests(payload.get("address"), announced.address_digests)},
    }
    for name in sorted(expected.keys() | payload.keys()):
        if name not in payload or name not in expected or payload[name] != expected[name]:
            raise _differs(name if name in expected else "payload's number of members")
    if parsed.issuer.payload != canonical_json.serialize(expected):
        raise _differs("payload's spelling")


def _index(payload: JsonObject, announced: Announced) -> int:
    status = payload.get("status")
    reference = status.get("status_list") if isinstance(status, dict) else None
    index = reference.get("idx") if isinstance(reference, dict) else None
    if isinstance(index, bool) or not isinstance(index, int):
        raise _differs("status")
    if not 0 <= index < announced.status.size:
        raise Declined("A status index lies outside the announced list.")
    return index


def _digests(value: JsonValue, count: int) -> JsonValue:
    digests = value.get("_sd") if isinstance(value, dict) else None
    if not isinstance(digests, list) or len(digests) != count:
        raise _differs("number of digests")
    texts = [one for one in digests if isinstance(one, str)]
    if len(set(texts)) != count or texts != sorted(texts):
        raise _differs("order of digests")
    if any(len(_octets(one)) != _DIGEST_LENGTH for one in texts):
        raise _differs("length of digests")
    return digests


def _claims(parsed: SdJwt) -> JsonObject:
    payload = canonical_json.parse_object(parsed.issuer.payload)
    address = payload["address"]
    top = _disclosed(parsed, payload["_sd"])
    members = _disclosed(parsed, address["_sd"] if isinstance(address, dict) else None)
    if top.keys() != _TOP or members.keys() != set(catalogue.ADDRESS_MEMBERS):
        raise Declined("The claims are not exactly those of the catalogue.")
    claims = top | {f"address.{name}": value for name, value in members.items()}
    values.check(claims)
    return claims


def _disclosed(parsed: SdJwt, digests: JsonValue) -> JsonObject:
    here = set(digests) if isinstance(digests, list) else set()
    found: JsonObject = {}
    for text in parsed.disclosures:
        if disclosure.digest(text) not in here:
            continue
        said = _disclosure(text)
        if said.name is None or said.name in found:
            raise Declined("The claims are not exactly those of the catalogue.")
        found[said.name] = said.value
    return found


def _disclosure(text: str) -> Disclosure:
    try:
        said = disclosure.parse(text)
        if disclosure.write(said) != text:
            raise _differs("spelling of a claim")
        if len(_octets(said.salt)) != _SALT_LENGTH:
            raise _differs("length of a salt")
    except (Malformed, ValueError) as error:
        raise Declined("A claim does not parse.") from error
    return said


def _check_distinct(batch: Sequence[SdJwt]) -> None:
    payloads = [canonical_json.serialize(_status(parsed)) for parsed in batch]
    if len(set(payloads)) != len(payloads):
        raise Declined("Two instances share a status index.")
    salts = [disclosure.parse(text).salt for parsed in batch for text in parsed.disclosures]
    if len(set(salts)) != len(salts):
        raise Declined("Two claims share a salt.")


def _status(parsed: SdJwt) -> JsonValue:
    return canonical_json.parse_object(parsed.issuer.payload)["status"]


def _sorted(parsed: SdJwt) -> str:
    return sd_jwt.write(parsed.issuer_jwt, sorted(parsed.disclosures, key=disclosure.digest))


def _octets(text: str) -> bytes:
    try:
        return base64url.decode(text)
    except Malformed:
        return b""


def _differs(what: str) -> Declined:
    return values.differs(f"{what} of an instance")
