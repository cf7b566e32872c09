"""A presentation of the usual shape, verified in one go: yes, a wrong signature, or nothing.

A shortcut in front of `crypto.sdjwt.verify`, for a verifier that knows what all credentials of a
kind have in common (`shape`): all values shown are text, true, false or null, and the answer has
nothing but its four claims. All checks of RFC 9901, sections 7.1 (steps 2 to 5) and 7.3, are made
for that shape, in another order: what is cheap comes first. Whatever else a presentation is,
wrong ones above all, is left to `verify`, whose word counts and which names the error; tests hold
that nothing passes here that `verify` refuses. Signatures come last and a wrong one is final, so
that nobody can make us check them twice.

It is written out with few calls, and with few different ones: each costs a hundredth of a whole
verification, because the curve has taken its code out of the processor's caches meanwhile.
"""

import hashlib
import struct
from typing import Final

import orjson
import pybase64
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import BadSignature, CryptoError, HolderBinding
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import key_binding
from crypto.sdjwt.sd_jwt import MAX_DISCLOSURES, MAX_SIZE
from crypto.sdjwt.shape import HASH_SIZE, Shape

_ANSWER_HEADER: Final = (
    base64url.encode(canonical_json.serialize({"alg": "ES256", "typ": key_binding.TYP})) + "."
).encode()
_ANSWER_HEADER_SIZE: Final = len(_ANSWER_HEADER)
_MAX_AGE, _SKEW = key_binding.MAX_AGE, key_binding.SKEW
_DOT: Final = ord(".")
_ZERO: Final = ord("0")
_PLUS: Final = ord("+")
_SLASH: Final = ord("/")
_SIGNED: Final = struct.Struct("=32s32sH 32s32sH 32sB 32sB")
"""The issuer's signature, the holder's, and the holder's point, each with what fills it up."""
_SIGNATURE: Final = 86
"""Octets of a signature in base64url."""
_DOT_AND_SIGNATURE: Final = _SIGNATURE + 1
_MOST_DIGITS: Final = 9
"""Of an index, so that it is surely in range; a longer one is for `verify` to judge."""
_NONE: Final[frozenset[str]] = frozenset()
_PLAIN: Final = frozenset({str, bool, type(None)})
_URL: Final = b"-_"
_ARRAY_OF_TEXT: Final = (b"WyI", b"WyJ")
"""base64url of `["` and a character of ASCII."""
_BLANKS: Final = (b"", b"=", b"og", b"g")
"""What is put after base64url of JSON, by its length modulo four: it becomes white space, in which
the bits of the last character that stand for nothing show, if they are not zero, as no JSON."""

_decode, _read = base64url.decode_native, pybase64.b64decode
_write = pybase64.b64encode_as_string
_sha256, _loads, _dumps = hashlib.sha256, orjson.loads, orjson.dumps


class _Unusual(Exception):
    """It has another shape, or something is wrong with it; `verify` will tell."""


Opened = tuple[JsonObject, int, ec.EllipticCurvePublicKey]
"""The disclosed claims in their places and no others, the status index, the holder's key."""


def open_usual(
    text: str,
    *,
    shape: Shape,
    issuer_key: ec.EllipticCurvePublicKey,
    audience: str,
    nonce: str,
    now: UnixSeconds,
) -> Opened | None:
    """Check a presentation, which must be bound to its holder, if it has this shape.

    Spec: RFC 9901, sections 7.1 and 7.3.

    Args:
        text: as received.
        shape: what all credentials of a kind have in common, from `shape.of`.
        issuer_key: P-256, the one that the header in `shape` leads to.
        audience: our own full identifier, an exact string.
        nonce: the one we asked with, an exact string.
        now: seconds, for the answer's `iat`.

    Returns:
        What was shown, everything checked: `verify` returns this and what is in `shape`. Or
        None, which says nothing: ask `verify`.

    Raises:
        BadSignature: everything fits but the issuer's signature.
        HolderBinding: everything fits but the holder's signature.

    Not checked: what `verify` does not check.
    """
    if not (text.startswith(shape.header) and nonce and audience and len(text) <= MAX_SIZE):
        return None
    try:
        return _open(text, shape, issuer_key, audience, nonce, now)
    except (BadSignature, HolderBinding):
        raise
    except (_Unusual, CryptoError, LookupError, TypeError, ValueError, struct.error):
        return None


def _open(
    text: str,
    shape: Shape,
    issuer_key: ec.EllipticCurvePublicKey,
    audience: str,
    nonce: str,
    now: UnixSeconds,
) -> Opened:
    header, so_far, count, (layout, fixed, middle, index_at, index_end, tail), *_ = shape
    data = text.encode()
    first, last = data.find(b"~"), data.rfind(b"~") + 1
    dot = first - _DOT_AND_SIGNATURE
    if (
        # `_read` takes these for characters of base64url; so it would in the point below.
        "=" in text
        or "+" in text
        or "/" in text
        or not data.startswith(_ANSWER_HEADER, last)
        or data[dot] != _DOT
        or data[-_DOT_AND_SIGNATURE] != _DOT
    ):
        raise _Unusual
    # One hash serves the issuer's signature and, carried on, `sd_hash`.
    body = data[len(header) : dot]
    hashing = so_far.copy()
    hashing.update(body)
    signed = hashing.digest()
    hashing.update(data[dot:last])

    # The holder's answer (section 7.3, steps 5.5 to 5.7).
    answered = data[last:-_DOT_AND_SIGNATURE]
    answer = _decode(answered[_ANSWER_HEADER_SIZE:])
    claims = _loads(answer)
    iat = claims["iat"]
    sd_hash = _write(hashing.digest(), _URL)[:-1]
    if (
        type(iat) is not int
        or not now - _MAX_AGE <= iat <= now + _SKEW
        or claims != {"aud": audience, "iat": iat, "nonce": nonce, "sd_hash": sd_hash}
        or _dumps(claims) != answer  # no member twice, as in `canonical_json`
    ):
        raise _Unusual

    # The issuer's payload (section 7.1, steps 2 and 3), cut at the places that are known.
    payload = _decode(body)
    head, listing, piece, x_text, to_y, y_text, to_index = layout.unpack_from(payload)
    index = payload[index_at:index_end]
    point = x_text + b"A" + y_text + b"A"
    if (
        (head, to_y, to_index) != fixed
        or not payload.endswith(tail)
        or not index.isdigit()
        or len(index) > _MOST_DIGITS
        or (index[0] == _ZERO and len(index) > 1)
        or _PLUS in point
        or _SLASH in point
    ):
        raise _Unusual
    listed = _loads(listing)
    digests = {*listed}
    # As many as announced, all of them texts (`join` takes nothing else), none twice (step 4).
    if (
        type(listed) is not list
        or len(digests) != count
        or len("".join(listed)) != HASH_SIZE * count
    ):
        raise _Unusual
    inner = _NONE if piece == middle else _inner_digests(piece, shape, digests)
    shown = _disclosures(data[first + 1 : last - 1].split(b"~"), digests, inner, shape)

    # Signatures and key are read in one go, each filled up with zeros, which must stay zeros.
    raw = _read(data[dot + 1 : first] + b"AA" + data[-_SIGNATURE:] + b"AA" + point, _URL, True)  # noqa: FBT003 - positions cost less than names
    r, s, end, its_r, its_s, its_end, x, x_end, y, y_end = _SIGNED.unpack(raw)
    if end or its_end or x_end or y_end:
        raise _Unusual
    holder = jwk.load_point(x + y)
    jws.check_digest(signed, r, s, issuer_key)
    try:
        jws.check_digest(_sha256(answered).digest(), its_r, its_s, holder)
    except BadSignature as error:
        raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.3): not by the holder") from error
    return shown, int(index), holder


def _inner_digests(piece: bytes, shape: Shape, digests: set[str]) -> frozenset[str]:
    """Find the list of the inner object in what stands between the top list and `x`."""
    start, end, count = shape.to_inner, shape.from_inner, shape.inner.number
    if not (count and piece.startswith(start) and piece.endswith(end)):
        raise _Unusual
    listed = _loads(piece[len(start) : -len(end)])
    found = frozenset(listed)
    if len(found) != count or len("".join(listed)) != HASH_SIZE * count:
        raise _Unusual
    if type(listed) is not list or not found.isdisjoint(digests):
        raise _Unusual
    return found


def _disclosures(
    texts: list[bytes], digests: set[str], inner: frozenset[str], shape: Shape
) -> JsonObject:
    """Read disclosures of plain values and find their digests (sections 4.2.1 and 4.2.3)."""
    if len(texts) > MAX_DISCLOSURES:
        raise _Unusual
    names = shape.top.names
    shown: JsonObject = {}
    members: JsonObject = {}
    for text in texts:
        array = _read(text + _BLANKS[len(text) & 3], _URL, True)  # noqa: FBT003 - as above
        _salt, name, value = _loads(array)
        # A plain value has no member that could stand there twice, and no number to be rounded.
        if not text.startswith(_ARRAY_OF_TEXT) or type(value) not in _PLAIN:
            raise _Unusual
        digest = _write(_sha256(text).digest(), _URL)[:-1]
        if name in names and digest in digests:
            shown[name] = value
        elif name in shape.inner.names and digest in inner:
            members[name] = value
        else:
            raise _Unusual
    if len(shown) + len(members) != len(texts):
        raise _Unusual
    if members:
        shown[shape.inner_name] = members
    return shown
