"""A presentation of the usual shape, verified in one go: yes, a wrong signature, or nothing.

A shortcut in front of `crypto.sdjwt.verify`, for a verifier that sees the same shape all day:
headers known by their text, members of objects disclosed and not elements of arrays, values that
are text, true, false or null, an answer with nothing but its four claims. All checks of RFC 9901,
sections 7.1 (steps 2 to 5) and 7.3, are made for that shape, in another order: what is cheap
comes first. Whatever else a presentation is, wrong ones above all, is left to `verify`, whose
word counts and which names the error; tests hold that nothing passes here that `verify` refuses.
Signatures come last and a wrong one is final, so that nobody can make us check them twice.

It is written out with few calls because each call costs a hundredth of a whole verification.
"""

import hashlib
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import BadSignature, CryptoError, HolderBinding
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import disclosure, key_binding
from crypto.sdjwt.sd_jwt import MAX_DISCLOSURES, MAX_SIZE

_ANSWER_HEADER = base64url.encode(
    canonical_json.serialize({"alg": "ES256", "typ": key_binding.TYP})
).encode()
_ANSWERS = 4
"""Claims of an answer: `aud`, `iat`, `nonce`, `sd_hash`."""
_PLAIN = frozenset({str, bool, type(None)})
_TEXT = {str}
_FORBIDDEN = disclosure.RESERVED | disclosure.ALWAYS_VISIBLE

_decode, _encode_hash = base64url.decode_native, base64url.encode_hash
_sha256, _loads, _dumps = hashlib.sha256, orjson.loads, orjson.dumps
_STRICT = orjson.OPT_STRICT_INTEGER


class _Unusual(Exception):
    """It has another shape, or something is wrong with it; `verify` will tell."""


Opened = tuple[JsonObject, ec.EllipticCurvePublicKey]
"""The processed payload and the holder's key, everything checked."""


def open_usual(
    text: str,
    *,
    issuer_key: ec.EllipticCurvePublicKey,
    audience: str,
    nonce: str,
    now: UnixSeconds,
) -> Opened | None:
    """Check a presentation, which must be bound to its holder, if its shape is the usual one.

    Spec: RFC 9901, sections 7.1 and 7.3.

    Args:
        text: as received; its issuer's header must be known to say ES256, `dc+sd-jwt` and
            nothing critical.
        issuer_key: P-256, the one that this header leads to.
        audience: our own full identifier, an exact string.
        nonce: the one we asked with, an exact string.
        now: seconds, for the answer's `iat`.

    Returns:
        What `verify.verify_usual` makes `VerifiedClaims` of; or None, which says nothing.

    Raises:
        BadSignature: everything fits but the issuer's signature.
        HolderBinding: everything fits but the holder's signature.

    Not checked: the issuer's header; what `verify` does not check.
    """
    if not (nonce and audience and len(text) <= MAX_SIZE):
        return None
    try:
        return _open(text.encode("ascii"), issuer_key, audience, nonce, now)
    except (BadSignature, HolderBinding):
        raise
    except (_Unusual, CryptoError, LookupError, TypeError, ValueError):
        return None


def _open(
    text: bytes, issuer_key: ec.EllipticCurvePublicKey, audience: str, nonce: str, now: UnixSeconds
) -> Opened:
    # Nothing in a presentation may hold one of these, so that each part need not be searched.
    if b"=" in text or b"+" in text or b"/" in text:
        raise _Unusual
    issuer_jwt, _, rest = text.partition(b"~")
    *texts, answer = rest.split(b"~")
    if not texts or len(texts) > MAX_DISCLOSURES:
        raise _Unusual
    signed, _, signature = issuer_jwt.rpartition(b".")
    answered, _, answer_signature = answer.rpartition(b".")
    header, _, answer_payload = answered.partition(b".")
    if header != _ANSWER_HEADER:
        raise _Unusual
    _check_answer(
        _object(_decode(answer_payload)),
        audience=audience,
        nonce=nonce,
        now=now,
        sd_hash=_encode_hash(_sha256(text[: -len(answer)]).digest()),
    )
    payload = _object(_decode(signed.partition(b".")[2]))
    if payload.pop("_sd_alg") != disclosure.HASH_NAME:
        raise _Unusual
    shown = _disclosures(texts)
    _place(payload, shown)
    if shown:
        raise _Unusual
    holder = _holder_key(payload["cnf"])
    jws.check_signature(signed, _decode(signature), key=issuer_key)
    try:
        jws.check_signature(answered, _decode(answer_signature), key=holder)
    except BadSignature as error:
        raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.3): not by the holder") from error
    return payload, holder


def _holder_key(cnf: JsonValue) -> ec.EllipticCurvePublicKey:
    """Find the holder's key (section 7.3, step 5.1)."""
    if type(cnf) is not dict or len(cnf) != 1:
        raise _Unusual
    key = cnf["jwk"]
    if type(key) is not dict:
        raise _Unusual
    return jwk.parse_public(key)


def _check_answer(
    claims: JsonObject, *, audience: str, nonce: str, now: UnixSeconds, sd_hash: str
) -> None:
    """Check the holder's answer, all but its signature (section 7.3, steps 5.5 to 5.7)."""
    if len(claims) != _ANSWERS:
        raise _Unusual
    iat = claims["iat"]
    if type(iat) is not int or not now - key_binding.MAX_AGE <= iat <= now + key_binding.SKEW:
        raise _Unusual
    if claims["nonce"] != nonce or claims["aud"] != audience or claims["sd_hash"] != sd_hash:
        raise _Unusual


def _disclosures(texts: list[bytes]) -> dict[str, tuple[str, JsonValue]]:
    """Read disclosures of plain values, by their digests (sections 4.2.1 and 4.2.3)."""
    found = {}
    for text in texts:
        array = _loads(_decode(text))
        if type(array) is not list:
            raise _Unusual
        salt, name, value = array
        # A plain value has no member that could stand there twice, and no number to be rounded.
        if type(salt) is not str or type(name) is not str or type(value) not in _PLAIN:
            raise _Unusual
        if name in _FORBIDDEN or "\0" in name:
            raise _Unusual
        found[_encode_hash(_sha256(text).digest())] = name, value
    if len(found) != len(texts):
        raise _Unusual
    return found


def _place(payload: JsonObject, shown: dict[str, tuple[str, JsonValue]]) -> None:
    """Let each digest give way to what it stands for (section 7.1, steps 3 and 4)."""
    seen: list[str] = []
    nodes = [payload]
    # It grows while it is walked along.
    for node in nodes:
        if "..." in node or "_sd_alg" in node:
            raise _Unusual
        if "_sd" in node:
            seen += _uncover(node, shown)
        for value in node.values():
            kind = type(value)
            if kind is dict:
                nodes.append(value)  # type: ignore[arg-type]  # `kind` narrows it no further
            elif kind is list:
                raise _Unusual
    # So few nodes are not nested too deep either.
    if len({*seen}) != len(seen) or len(nodes) > canonical_json.MAX_DEPTH:
        raise _Unusual


def _uncover(node: JsonObject, shown: dict[str, tuple[str, JsonValue]]) -> list[str]:
    """Take the digests out of an object, and put in the members that they stand for."""
    digests: Any = node.pop("_sd")
    if type(digests) is not list or {*map(type, digests)} != _TEXT:
        raise _Unusual
    for digest in digests:
        if digest in shown:
            name, value = shown.pop(digest)
            if name in node:
                raise _Unusual
            node[name] = value
    return digests


def _object(data: bytes) -> JsonObject:
    """Read an object as `canonical_json.parse` does, its depth aside."""
    value = _loads(data)
    if type(value) is not dict or _dumps(value, None, _STRICT) != data:
        raise _Unusual
    return value
