"""The processing steps in their order: signature, digests, the holder's answer.

Carries out RFC 9901, sections 7.1 (steps 2 to 5) and 7.3, and of SD-JWT VC, section 2.2.2, which
claims hide nothing. Leaves out step 6: `exp`, `nbf`, `iss`, `vct` and `status` are judged by who
knows the issuer's announced values, `aud` of the payload by nobody: no issuer here writes one.
Hashes other than SHA-256 are refused.

This is the hottest path there is, hence plain dicts inside, one walk, and no dataclass.
"""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import MAX_DEPTH, JsonObject, JsonValue
from crypto.errors import HolderBinding, Malformed, Refused, WrongAlgorithm
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import disclosure, key_binding
from crypto.sdjwt.sd_jwt import SdJwt, SdJwtWithKeyBinding

TYP = "dc+sd-jwt"
_ABSENT: list[JsonValue] = []
_TEXT_ONLY = {str}


class IssuedClaims(NamedTuple):
    """The claims of an SD-JWT that its issuer signed; nobody has shown it yet."""

    claims: JsonObject


class VerifiedClaims(NamedTuple):
    """The claims that the holder of `holder` shows; made by `verify` alone."""

    claims: JsonObject
    holder: ec.EllipticCurvePublicKey


def verify(
    presentation: SdJwt | SdJwtWithKeyBinding,
    *,
    issuer_key: ec.EllipticCurvePublicKey,
    audience: str,
    nonce: str,
    now: UnixSeconds,
    typ: str = TYP,
    max_age: int = key_binding.MAX_AGE,
    skew: int = key_binding.SKEW,
) -> VerifiedClaims:
    """Check a presentation, which must be bound to its holder.

    Spec: RFC 9901, section 7.3.

    Args:
        presentation: from `sd_jwt.parse`.
        issuer_key: P-256, trusted by the caller for this issuer.
        audience: our own full identifier, an exact string.
        nonce: the one we asked with, an exact string.
        now: seconds, for the answer's `iat`.
        typ: of the issuer-signed JWT.
        max_age: how old the holder's answer may be, in seconds.
        skew: how far ahead the holder's clock may be, in seconds.

    Returns:
        The payload with the disclosed claims in their places, all digests gone.

    Raises:
        Malformed: something in it does not parse.
        WrongAlgorithm: `alg`, `typ` or `_sd_alg` is another one, or a header is critical.
        BadSignature: not signed by `issuer_key`.
        HolderBinding: no key binding, no usable holder key, or an answer that does not fit.
        WrongNonce: an answer to another question.
        WrongAudience: an answer for somebody else.
        Refused: the disclosures and the digests contradict each other, or there is a digest in
            a claim that is always visible.

    Not checked: `exp`, `nbf`, `iss`, `vct`, `status`, and `aud` of the payload; that the nonce
    was not used before.
    """
    if not isinstance(presentation, SdJwtWithKeyBinding):
        raise HolderBinding("SD-JWT (RFC 9901, section 7.3, step 2): no key binding")
    claims = _issued_claims(presentation.sd_jwt, issuer_key, typ)
    holder = _holder_key(claims)
    key_binding.verify(
        presentation,
        key=holder,
        nonce=nonce,
        audience=audience,
        now=now,
        max_age=max_age,
        skew=skew,
    )
    return VerifiedClaims(claims, holder)


def verify_issued(
    sd_jwt: SdJwt | SdJwtWithKeyBinding,
    *,
    issuer_key: ec.EllipticCurvePublicKey,
    typ: str = TYP,
) -> IssuedClaims:
    """Check an SD-JWT as its holder does on receipt.

    Spec: RFC 9901, sections 7.1 and 7.2.

    Args:
        sd_jwt: from `sd_jwt.parse`.
        issuer_key: P-256, trusted by the caller for this issuer.
        typ: of the issuer-signed JWT.

    Returns:
        The payload with the disclosed claims in their places, all digests gone.

    Raises:
        Malformed: something in it does not parse.
        WrongAlgorithm: `alg`, `typ` or `_sd_alg` is another one, or a header is critical.
        BadSignature: not signed by `issuer_key`.
        HolderBinding: it carries a key binding: somebody showed it before.
        Refused: as `verify`, or a salt is short (section 9.3): what its holder does not show
            could be guessed.

    Not checked: whose key `cnf` holds; `exp`, `nbf`, `iss`, `vct`, `status`, `aud`.
    """
    if not isinstance(sd_jwt, SdJwt):
        raise HolderBinding("SD-JWT (RFC 9901, section 7.2): a key binding where none belongs")
    claims = _issued_claims(sd_jwt, issuer_key, typ)
    for text in sd_jwt.disclosures:
        if len(disclosure.parse(text).salt) < disclosure.SALT_TEXT_SIZE:
            raise Refused("SD-JWT (RFC 9901, section 9.3): a salt of fewer than 128 bits")
    return IssuedClaims(claims)


def _issued_claims(sd_jwt: SdJwt, issuer_key: ec.EllipticCurvePublicKey, typ: str) -> JsonObject:
    """Take steps 2 to 5 of section 7.1."""
    issuer = sd_jwt.issuer
    jws.check_header(issuer.header, algorithm="ES256", typ=typ)
    jws.verify_signature(issuer, key=issuer_key)
    payload = canonical_json.parse_object(issuer.payload)
    if payload.pop("_sd_alg", disclosure.HASH_NAME) != disclosure.HASH_NAME:
        raise WrongAlgorithm("SD-JWT (RFC 9901, section 4.1.1): not the hash we use")
    unused = {disclosure.digest(text): text for text in sd_jwt.disclosures}
    if len(unused) != len(sd_jwt.disclosures):
        raise Refused("SD-JWT (RFC 9901, section 7.1, step 4): a disclosure twice")
    walk = _Walk(unused)
    for name in disclosure.ALWAYS_VISIBLE & payload.keys():
        walk.below(payload[name], 1)
    if walk.count:
        raise Refused("SD-JWT VC (section 2.2.2): a claim that its holder could choose")
    walk.object(payload, 1)
    if walk.count != len(walk.seen):
        raise Refused("SD-JWT (RFC 9901, section 7.1, step 4): a digest twice")
    if unused:
        raise Refused("SD-JWT (RFC 9901, section 7.1, step 5): a disclosure without digest")
    return payload


def _holder_key(claims: JsonObject) -> ec.EllipticCurvePublicKey:
    """Find the holder's key in `cnf`, and nowhere else (section 7.3, step 5.1)."""
    cnf = claims.get("cnf")
    if isinstance(cnf, dict) and len(cnf) == 1:
        key = cnf.get("jwk")
        if isinstance(key, dict):
            try:
                return jwk.parse_public(key)
            except Malformed as error:
                raise HolderBinding("cnf (RFC 7800, section 3.2): not a usable key") from error
    raise HolderBinding("cnf (RFC 7800, section 3): not exactly one key")


class _Walk:
    """Step 3 of section 7.1: each digest gives way to what it stands for.

    `unused` shrinks, so that no disclosure is followed twice and the walk ends; `seen` and
    `count` tell afterwards whether a digest stood in two places.
    """

    __slots__ = ("count", "seen", "unused")

    def __init__(self, unused: dict[str, str]) -> None:
        self.unused = unused
        self.seen: set[JsonValue] = set()
        self.count = 0

    def object(self, members: JsonObject, depth: int) -> None:
        """Take the `_sd` out of an object, and put the disclosed members in (step 3.3.2)."""
        if depth > MAX_DEPTH:
            raise Malformed("SD-JWT: nested too deep")
        if "..." in members or "_sd_alg" in members:
            raise Malformed("SD-JWT (RFC 9901, sections 4.1 and 4.1.1): a reserved name")
        digests = members.pop("_sd", _ABSENT)
        for value in members.values():
            if type(value) is dict:
                self.object(value, depth + 1)
            elif type(value) is list:
                self.array(value, depth + 1)
        if digests is not _ABSENT:
            self._members(members, digests, depth)

    def _members(self, members: JsonObject, digests: JsonValue, depth: int) -> None:
        if not isinstance(digests, list):
            raise Malformed("SD-JWT (RFC 9901, section 4.2.4.1): `_sd` is not an array")
        if digests and {*map(type, digests)} != _TEXT_ONLY:
            raise Malformed("SD-JWT (RFC 9901, section 4.2.4.1): a digest that is not text")
        self.seen.update(digests)
        self.count += len(digests)
        unused = self.unused
        if unused.keys().isdisjoint(digests):
            return
        for digest in digests:
            if digest in unused:
                self.below(_insert(members, unused.pop(digest), depth), depth)

    def array(self, items: list[JsonValue], depth: int) -> None:
        """Replace placeholders by disclosed elements, and drop the others (step 3.3.3)."""
        if depth > MAX_DEPTH:
            raise Malformed("SD-JWT: nested too deep")
        kept: list[JsonValue] = []
        for item in items:
            if type(item) is dict and "..." in item:
                kept.extend(self._placeholder(item))
            else:
                kept.append(item)
        for value in kept:
            self.below(value, depth)
        items[:] = kept

    def below(self, value: JsonValue, depth: int) -> None:
        """Walk on, if `value` can hold digests (steps 3.3.2.5 and 3.3.3.3)."""
        if type(value) is dict:
            self.object(value, depth + 1)
        elif type(value) is list:
            self.array(value, depth + 1)

    def _placeholder(self, item: JsonObject) -> tuple[JsonValue, ...]:
        digest = item["..."]
        if len(item) != 1 or type(digest) is not str:
            raise Malformed("SD-JWT (RFC 9901, section 4.2.4.2): not a placeholder")
        self.seen.add(digest)
        self.count += 1
        text = self.unused.pop(digest, None)
        if text is None:
            return ()
        _, name, value = disclosure.parse(text)
        if name is not None:
            raise Malformed("SD-JWT (RFC 9901, 7.1, step 3.3.3.1): not two elements")
        return (value,)


def _insert(members: JsonObject, text: str, depth: int) -> JsonValue:
    """Take steps 3.3.2.1 to 3.3.2.4; return the value, which may hold digests in its turn."""
    _, name, value = disclosure.parse(text)
    if name is None:
        raise Malformed("SD-JWT (RFC 9901, 7.1, step 3.3.2.1): not three elements")
    if name in disclosure.RESERVED:
        raise Refused("SD-JWT (RFC 9901, 7.1, step 3.3.2.2): a reserved name")
    if name in members:
        raise Refused("SD-JWT (RFC 9901, 7.1, step 3.3.2.3): a claim of this name exists")
    if depth == 1 and name in disclosure.ALWAYS_VISIBLE:
        raise Refused("SD-JWT VC (section 2.2.2): a claim that is never disclosed")
    members[name] = value
    return value
