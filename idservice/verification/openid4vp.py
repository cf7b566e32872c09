"""Presentation requests as pure messages, for the one who asks and the one who shows.

OpenID4VP 1.0, section 5, with the client identifier prefixes `x509_hash` and `x509_san_dns`,
and the response modes `direct_post` and `direct_post.jwt`. The query inside is
`verification/dcql.py`, the answer `verification/openid4vp_answer.py`; who remembers which nonce
is the verifier's service. Left out: every other prefix and response mode, `scope`,
`transaction_data`, encrypted request objects, and presentations without holder binding.
"""

import base64
import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Expired, Malformed, NotYetValid, Refused
from crypto.instant import UnixSeconds
from crypto.jose import jwe, jwk, jws
from crypto.x509 import chain, profile, x5c
from idservice import catalogue
from idservice.verification import dcql

AUDIENCE: Final = "https://self-issued.me/v2"
REQUEST_TYPE: Final = "oauth-authz-req+jwt"
SCHEME: Final = "openid4vp"
POLICY_FORMAT: Final = "idservice-policy"
ENCRYPTIONS: Final = ("A128GCM", "A256GCM")
"""HAIP 1.0, section 5: a verifier lists both."""

HASH_PREFIX: Final = "x509_hash:"
DNS_PREFIX: Final = "x509_san_dns:"

MAX_TEXT: Final = 2048
MAX_REQUEST: Final = 64 * 1024
MAX_INFO: Final = 8
MAX_KEYS: Final = 8

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_FOREIGN: Final = frozenset({"redirect_uri", "scope", "transaction_data", "request", "request_uri"})

_PRINTED = re.compile(r"[!-~]+")
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]{1,512}\Z")
_ALGORITHMS: Final[Mapping[str, JsonObject]] = {
    catalogue.FORMAT: {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]},
    catalogue.BBS_FORMAT: {"alg_values": [jwp.ALG]},
}


class ResponseMode(StrEnum):
    """How the answer travels."""

    DIRECT_POST = "direct_post"
    DIRECT_POST_JWT = "direct_post.jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a QR code or link says: who asks, and where the signed request is."""

    client_id: str
    request_uri: str
    post: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """The passing key to which the answer to one request is encrypted."""

    key: ec.EllipticCurvePublicKey
    kid: str
    encryptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a request object says; authenticated if it came out of `authenticate`."""

    client_id: str
    response_uri: str
    response_mode: ResponseMode
    nonce: str
    state: str | None
    query: dcql.Query
    policy: str | None
    encryption: EncryptionKey | None
    wallet_nonce: str | None


def client_id_for_certificate(der: bytes) -> str:
    """Name a verifier by its leaf certificate (`x509_hash`, section 5.9.3)."""
    return HASH_PREFIX + base64url.encode(hashlib.sha256(der).digest())


def write_invitation(invitation: Invitation) -> str:
    """Write the text of the QR code or link (sections 5.7 and 13.1.2)."""
    text = (
        f"{SCHEME}://?client_id={quote(invitation.client_id, safe='')}"
        f"&request_uri={quote(invitation.request_uri, safe='')}"
    )
    return text + "&request_uri_method=post" if invitation.post else text


def parse_invitation(text: str, *, loopback: bool) -> Invitation:
    """Read the text of a QR code or link.

    Args:
        text: from anybody.
        loopback: whether a request may also be fetched from this machine, over `http`: only in a
            demonstration, because whatever else runs here would be sent what a stranger wrote.

    Raises:
        Malformed: not this scheme, a parameter missing, repeated or too long, a request by
            value, or a request address that is not allowed.
    """
    if len(text) > MAX_TEXT:
        raise Malformed("the invitation is too long")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise Malformed("not an address") from error
    if parts.scheme != SCHEME:
        raise Malformed("not a presentation request (OpenID4VP 13.1.2)")
    parameters = parse_form_text(parts.query)
    method = parameters.get("request_uri_method", "get")
    if method not in {"get", "post"} or "request" in parameters:
        raise Malformed("the request is signed and fetched by get or post (OpenID4VP 5.1)")
    request_uri = _address(parameters.get("request_uri"))
    if not loopback and urlsplit(request_uri).scheme != "https":
        raise Malformed("only a demonstration asks from this machine")
    return Invitation(
        client_id=_text(parameters.get("client_id")),
        request_uri=request_uri,
        post=method == "post",
    )


def parse_form_text(text: str) -> dict[str, str]:
    """Read form-encoded parameters, each of which stands once (RFC 6749, section 3.1)."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=16
        )
    except ValueError as error:
        raise Malformed("parameters do not parse") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise Malformed("a parameter stands twice (RFC 6749, 3.1)")
    return parameters


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise Malformed("a parameter is missing, empty, too long or no text (OpenID4VP 5)")
    return value


def url_safe(value: JsonValue) -> str:
    """Section 5.2: nonce and state only contain characters that need no encoding in a URL."""
    if not isinstance(value, str) or not _URL_SAFE.match(value):
        raise Malformed("a nonce or state is missing or has other characters (OpenID4VP 5.2)")
    return value


def _address(value: JsonValue) -> str:
    """Read an address to which something is sent: `https`, or this machine for trying out."""
    text = _text(value)
    if not _PRINTED.fullmatch(text):  # others are dropped by one reader and sent by another
        raise Malformed("not an address (RFC 3986, 2)")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise Malformed("not an address") from error
    local = host in _LOOPBACK and parts.scheme == "http"
    if not host or not (parts.scheme == "https" or local):
        raise Malformed("an address begins with https:// (OpenID4VP 14.4)")
    if parts.username is not None or parts.fragment:
        raise Malformed("an address has neither user nor fragment")
    return text


def write_request(request: Request) -> JsonObject:
    """Write the payload of a request object (sections 5.1, 5.2, 8.2 and 8.3)."""
    asked = {one.format: _ALGORITHMS.get(one.format, {}) for one in request.query.credentials}
    metadata: JsonObject = {"vp_formats_supported": {**asked}}
    if request.encryption is not None:
        key: JsonObject = {
            **jwk.public_jwk(request.encryption.key),
            "kid": request.encryption.kid,
            "use": "enc",
            "alg": jwe.ALGORITHM,
        }
        metadata["jwks"] = {"keys": [key]}
        metadata["encrypted_response_enc_values_supported"] = list(request.encryption.encryptions)
    payload: JsonObject = {
        "aud": AUDIENCE,
        "client_id": request.client_id,
        "response_type": "vp_token",
        "response_mode": request.response_mode.value,
        "response_uri": request.response_uri,
        "nonce": request.nonce,
        "dcql_query": dcql.write(request.query),
        "client_metadata": metadata,
    }
    if request.state is not None:
        payload["state"] = request.state
    if request.policy is not None:
        payload["verifier_info"] = [{"format": POLICY_FORMAT, "data": {"policy": request.policy}}]
    if request.wallet_nonce is not None:
        payload["wallet_nonce"] = request.wallet_nonce
    return payload


def sign_request(request: Request, *, path: tuple[bytes, ...], signer: jws.Signer) -> str:
    """Sign a request object.

    Spec: OpenID4VP 1.0, section 5; RFC 9101, section 10.8 (the explicit type).

    Args:
        request: what is asked.
        path: DER certificates, the leaf first, the root not among them.
        signer: of the leaf's key.
    """
    certificates: list[JsonValue] = [base64.b64encode(der).decode("ascii") for der in path]
    header: JsonObject = {"alg": "ES256", "typ": REQUEST_TYPE, "x5c": certificates}
    payload = canonical_json.serialize(write_request(request))
    return jws.sign(header=header, payload=payload, signer=signer)


def authenticate(
    token: str,
    *,
    invitation: Invitation,
    wallet_nonce: str | None,
    root: x509.Certificate,
    now: UnixSeconds,
) -> Request:
    """Check who signed a request object and that it answers the invitation; then read it.

    Spec: OpenID4VP 1.0, sections 5.1, 5.8 to 5.10; RFC 9101, section 6.

    Args:
        token: as fetched from the `request_uri`.
        invitation: from the QR code or link; its `client_id` is compared as a whole.
        wallet_nonce: what was sent with the fetch, if anything.
        root: the city root.
        now: compared with the certificates, and with `exp` and `nbf` where they stand.

    Raises:
        Malformed: does not parse, or asks for what is left out here.
        Refused: not signed by whom the `client_id` names, or meant for another occasion.

    Not checked: whether the query keeps to the policy, and whether the policy is in force.
    """
    if len(token) > MAX_REQUEST:
        raise Malformed("the request object is too long")
    signed = jws.parse(token)
    jws.check_header(signed.header, algorithm="ES256", typ=REQUEST_TYPE)
    path = x5c.decode(signed.header.get("x5c"))
    leaf = chain.verify(path, root=root, role=profile.Role.VERIFIER, now=now)
    jws.verify_signature(signed, key=leaf.public_key)
    payload = canonical_json.parse_object(signed.payload)
    request = parse_request(payload)
    if request.client_id != invitation.client_id:
        raise Refused("another verifier than the invitation named (OpenID4VP 5.8)")
    _check_identifier(request, leaf)
    if wallet_nonce is not None and request.wallet_nonce != wallet_nonce:
        raise Refused("the request was made for another occasion (OpenID4VP 5.10)")
    _check_times(payload, now)
    return request


def _check_identifier(request: Request, leaf: chain.Leaf) -> None:
    """Compare the full identifier with the certificate (sections 5.9.3 and 14.5)."""
    prefix, name = request.client_id.split(":", 1)
    if prefix == "x509_hash":
        if name != base64url.encode(leaf.der_sha256):
            raise Refused("the certificate has another hash (OpenID4VP 5.9.3)")
        return
    if name not in leaf.dns_names:
        raise Refused("the certificate has another name (OpenID4VP 5.9.3)")
    if urlsplit(request.response_uri).hostname != name:
        raise Refused("the answer would go elsewhere (OpenID4VP 5.9.3)")


def _check_times(payload: JsonObject, now: UnixSeconds) -> None:
    for name in ("exp", "nbf"):
        if name in payload and not isinstance(payload[name], int):
            raise Malformed("a time is not a number (RFC 7519, 2)")
    expires, begins = payload.get("exp"), payload.get("nbf")
    if isinstance(expires, int) and now >= expires:
        raise Expired("the request is out of date (RFC 7519, 4.1.4)")
    if isinstance(begins, int) and now < begins:
        raise NotYetValid("the request is not yet valid (RFC 7519, 4.1.5)")


def parse_request(payload: JsonObject) -> Request:
    """Read the payload of a request object.

    Raises:
        Malformed: not the shape of section 5, or it asks for what is left out here.

    Not checked: who signed it; call `authenticate`.
    """
    if payload.get("aud") != AUDIENCE or payload.get("response_type") != "vp_token":
        raise Malformed("not a request for a presentation (OpenID4VP 5.6, 5.8)")
    if not _FOREIGN.isdisjoint(payload):
        raise Malformed("asks for something that is left out here (OpenID4VP 5.1, 8.2)")
    response_mode = _response_mode(payload.get("response_mode"))
    metadata = member(payload, "client_metadata")
    query = dcql.parse(payload.get("dcql_query"))
    asked = {one.format for one in query.credentials}
    if asked.isdisjoint(member(metadata, "vp_formats_supported")):
        raise Malformed("the verifier does not read this format (OpenID4VP 11.1)")
    encrypted = response_mode is ResponseMode.DIRECT_POST_JWT
    nonce = payload.get("wallet_nonce")
    return Request(
        client_id=_client_id(payload.get("client_id")),
        response_uri=_address(payload.get("response_uri")),
        response_mode=response_mode,
        nonce=url_safe(payload.get("nonce")),
        state=url_safe(payload["state"]) if "state" in payload else None,
        query=query,
        policy=_policy(payload.get("verifier_info")),
        encryption=_encryption(metadata) if encrypted else None,
        wallet_nonce=nonce if isinstance(nonce, str) else None,
    )


def _response_mode(value: JsonValue) -> ResponseMode:
    try:
        return ResponseMode(_text(value))
    except ValueError as error:
        raise Malformed("another response mode (OpenID4VP 8)") from error


def _client_id(value: JsonValue) -> str:
    text = _text(value)
    if not text.startswith((HASH_PREFIX, DNS_PREFIX)):
        raise Malformed("another client identifier prefix (OpenID4VP 5.9)")
    return text


def member(whole: JsonObject, name: str) -> JsonObject:
    """Read a member that must be an object."""
    value = whole.get(name)
    if not isinstance(value, dict):
        raise Malformed("a member is missing or not an object (OpenID4VP 5.1)")
    return value


def _policy(value: JsonValue) -> str | None:
    """Find the policy that the verifier names; what other ecosystems say there is ignored."""
    if value is None:
        return None
    if not isinstance(value, list) or not 0 < len(value) <= MAX_INFO:
        raise Malformed("verifier_info is not an array, or too long (OpenID4VP 5.1)")
    named = [
        _text(member(one, "data").get("policy"))
        for one in value
        if isinstance(one, dict) and one.get("format") == POLICY_FORMAT
    ]
    if len(named) > 1:
        raise Malformed("more than one policy is named")
    return named[0] if named else None


def _encryption(metadata: JsonObject) -> EncryptionKey:
    """Choose the first key that can be used (section 8.3)."""
    keys = member(metadata, "jwks").get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise Malformed("jwks is not an array, or too long (RFC 7517, 5)")
    offered = metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])
    if not isinstance(offered, list):
        raise Malformed("the encryptions are not an array (OpenID4VP 5.1)")
    encryptions = tuple(one for one in ENCRYPTIONS if one in offered)
    for one in keys if encryptions else ():
        if isinstance(one, dict) and one.get("alg") == jwe.ALGORITHM:
            with contextlib.suppress(Malformed):
                key, kid = jwk.parse_public(one, use="enc"), _text(one.get("kid"))
                return EncryptionKey(key=key, kid=kid, encryptions=encryptions)
    raise Malformed("no key or encryption in common (OpenID4VP 8.3)")
