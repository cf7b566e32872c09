"""What all credentials of one kind have in common, and where each has something of its own.

An issuer that marks nobody announces one header, the same visible claims and the same number of
digests for all credentials of a kind, and writes payloads canonically (RFC 8785). Then only
digests, the holder's key and the status index differ, each at a known place: a verifier cuts a
payload there and compares the rest octet by octet, which leaves no room for a member twice. Left
out: payloads of another shape, which `crypto.sdjwt.verify` reads; the cutting (`usual`).
"""

import hashlib
import struct
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk
from crypto.sdjwt import disclosure

HASH_SIZE: Final = 43
"""Octets of a digest in base64url, and of one coordinate of a key."""
_HOLE: Final = "<hole>"
_MARK: Final = f'"{_HOLE}"'.encode()
_BEFORE_INNER, _AFTER_INNER = disclosure.HASH_CLAIM, "cnf"
"""Between which members of a payload the inner object stands."""


class Hidden(NamedTuple):
    """What one object hides: the names that may come to light, and the number of digests."""

    names: frozenset[str]
    number: int


class Cuts(NamedTuple):
    """The fixed pieces of a payload, and where what lies between begins and ends."""

    layout: struct.Struct
    """Everything up to the status index: `head`, the top list of digests, what stands between it
    and `x`, `x`, `to_y`, `y`, `to_index`."""
    fixed: tuple[bytes, bytes, bytes]
    """`head`, `to_y` and `to_index`."""
    middle: bytes
    """From the end of that list up to `x`; or nothing where an inner list lies in it."""
    index_at: int
    index_end: int
    """Counted from the end."""
    tail: bytes
    """From the end of the index on."""


class Shape(NamedTuple):
    """What is common to all credentials of one kind; `of` makes it."""

    header: str
    """The issuer's header as it travels, and the dot."""
    hashing: "hashlib._Hash"
    """SHA-256 of that, to be copied and carried on."""
    number: int
    """Digests at the top."""
    cuts: Cuts
    top: Hidden
    inner: Hidden
    inner_name: str
    """The one object that hides members of its own."""
    to_inner: bytes
    """From the end of the top list up to the bracket of the inner one."""
    from_inner: bytes
    """From the end of the inner list up to `x`."""
    visible: JsonObject
    """What anybody sees, without `cnf` and `status`."""
    uri: str
    """Of the status list."""


def of(
    *, header: str, visible: JsonObject, uri: str, top: Hidden, inner_name: str, inner: Hidden
) -> Shape:
    """Describe the credentials of one kind.

    Spec: RFC 9901, section 4.1; Token Status List, section 6.2.

    Args:
        header: the issuer's, as it travels; it says ES256, `dc+sd-jwt` and nothing critical.
        visible: what anybody sees, without `cnf`, `status` and the members for digests.
        uri: of the one status list.
        top: what the payload itself hides, at least one claim.
        inner_name: the one object in it that hides members of its own.
        inner: what that hides; with a number of zero there is no such object.

    Raises:
        ValueError: a name that no hidden claim may have, or no digest: our own mistake.
    """
    visible_names = visible.keys() | {inner_name} | disclosure.ALWAYS_VISIBLE
    if top.number < 1 or not (visible_names | disclosure.RESERVED).isdisjoint(top.names):
        raise ValueError("a usual credential hides claims that may be hidden")
    if not disclosure.RESERVED.isdisjoint(inner.names) or inner_name in visible:
        raise ValueError("the inner object hides members that may be hidden")
    if not _BEFORE_INNER < inner_name < _AFTER_INNER:
        raise ValueError("the inner object stands elsewhere")
    hole: JsonObject = {disclosure.DIGESTS: _HOLE}
    payload: JsonObject = {
        **visible,
        **hole,
        disclosure.HASH_CLAIM: disclosure.HASH_NAME,
        **({inner_name: hole} if inner.number else {}),
        "cnf": {"jwk": {"crv": "P-256", "kty": "EC", "x": _HOLE, "y": _HOLE}},
        "status": {"status_list": {"idx": _HOLE, "uri": uri}},
    }
    pieces = canonical_json.serialize(payload).split(_MARK)
    if not inner.number:
        pieces.insert(1, b"")
    head, to_inner, from_inner, to_y, to_index, tail = pieces
    from_inner, to_y, to_index = from_inner + b'"', b'"' + to_y + b'"', b'"' + to_index
    digests, inner_list = _list_size(top.number), _list_size(inner.number)
    between = len(to_inner) + inner_list + len(from_inner)
    layout = struct.Struct(
        f"{len(head)}s{digests}s{between}s{HASH_SIZE}s{len(to_y)}s{HASH_SIZE}s{len(to_index)}s"
    )
    cuts = Cuts(
        layout=layout,
        fixed=(head, to_y, to_index),
        middle=b"" if inner.number else from_inner,
        index_at=layout.size,
        index_end=-len(tail),
        tail=tail,
    )
    return Shape(
        header=header + ".",
        hashing=hashlib.sha256(f"{header}.".encode("ascii")),
        number=top.number,
        cuts=cuts,
        top=top,
        inner=inner,
        inner_name=inner_name,
        to_inner=to_inner,
        from_inner=from_inner,
        visible=visible,
        uri=uri,
    )


def claims(
    shape: Shape, *, shown: JsonObject, index: int, holder: ec.EllipticCurvePublicKey
) -> JsonObject:
    """Put together the processed payload that `verify` would return.

    Spec: RFC 9901, section 7.1, step 3.

    Args:
        shape: of the credential.
        shown: the disclosed claims in their places.
        index: in the status list.
        holder: whose key stands in `cnf`.
    """
    empty: JsonObject = {shape.inner_name: {}} if shape.inner.number else {}
    return {
        **shape.visible,
        "cnf": {"jwk": {**jwk.public_jwk(holder)}},
        "status": {"status_list": {"idx": index, "uri": shape.uri}},
        **empty,
        **shown,
    }


def _list_size(count: int) -> int:
    """Say how many octets a list of digests has."""
    return count * (HASH_SIZE + len('"",')) + len("[]") - len(",") if count else 0
