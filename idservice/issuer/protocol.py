"""What wallets say to the issuer, parsed and checked; nonces; offers. No I/O.

Carries out OpenID4VCI 1.0, sections 4.1 (offer), 6.1 (token request), 7 (nonce), 8.2 (credential
request) and appendices F.1 and F.4 (key proofs). A proof binds its key by `jwk` alone; attested
keys, `kid` and `x5c` are not announced and refused. For BBS there is a proof type of our own: one
commitment to the holder's secret, with its proof of knowledge. Left out, because not announced:
authorization code, `authorization_details`, encryption, deferred issuing, notifications.

Nonces are sealed values that carry their own expiry, so nothing is stored for one; a proof that
is sent again can only make an instance for the key that signed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import nacl.exceptions
import nacl.secret
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sealed import offer
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.issuer.model import TRANSACTION_CODE_DIGITS

GRANT: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PROOF_TYPE: Final = "openid4vci-proof+jwt"
COMMITMENT: Final = "bbs_commitment"
"""The proof type of BBS credentials."""
NONCE_LIFETIME: Final = 300
PROOF_AGE: Final = 300
SKEW: Final = 60

_EXPIRY_OCTETS = 8
_LONGEST_NONCE = 256
_LONGEST_COMMITMENT = 256
_FOREIGN_KEYS = frozenset({"kid", "x5c", "key_attestation", "trust_chain"})


_PROOF_TYPES: Final[Mapping[str, tuple[str, frozenset[int]]]] = MappingProxyType(
    {
        catalogue.CONFIGURATION: ("jwt", frozenset({1, catalogue.BATCH})),
        catalogue.BBS_CONFIGURATION: (COMMITMENT, frozenset({1})),
    }
)
"""Proof type and allowed counts by configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A code to be traded for a token."""

    code: offer.Secret = field(repr=False)
    transaction_code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRequest:
    """Key proofs, one an instance, not verified yet."""

    configuration: str
    proofs: tuple[str, ...] = field(repr=False)
    """Of the one proof type that the configuration has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Keys whose holder answered our nonce; made by `verify_proofs` alone."""

    keys: tuple[ec.EllipticCurvePublicKey, ...] = field(repr=False)
    thumbprints: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a holder committed to and proved to know; made by `verify_commitment` alone."""

    octets: bytes = field(repr=False)


def write_offer(
    *, issuer: str, configuration: str, code: offer.Secret, with_transaction_code: bool
) -> JsonObject:
    """Write a credential offer (OpenID4VCI, 4.1.1)."""
    grant: JsonObject = {"pre-authorized_code": base64url.encode(code)}
    if with_transaction_code:
        grant["tx_code"] = {"input_mode": "numeric", "length": TRANSACTION_CODE_DIGITS}
    return {
        "credential_issuer": issuer,
        "credential_configuration_ids": [configuration],
        "grants": {GRANT: grant},
    }


def offer_link(content: JsonObject) -> str:
    """Write an offer by value as a link (OpenID4VCI, 4.1.2)."""
    text = canonical_json.serialize(content).decode()
    return f"openid-credential-offer://?credential_offer={quote(text, safe='')}"


def offer_address(*, issuer: str, configuration: str, reference: offer.Reference) -> str:
    """Return where an offer lies; it is recomputed there, never stored (OpenID4VCI, 4.1.3)."""
    return f"{issuer}/offers/{configuration}/{base64url.encode(reference)}"


def offer_link_by_reference(address: str) -> str:
    """Write an offer by reference as a link, short enough for a QR code."""
    return f"openid-credential-offer://?credential_offer_uri={quote(address, safe='')}"


def parse_secret(text: str) -> offer.Secret:
    """Read a code or a token.

    Raises:
        Malformed: not 32 octets in base64url.
    """
    octets = base64url.decode(text)
    if len(octets) != offer.SECRET_LENGTH:
        raise Malformed("a code or a token has 32 octets")
    return offer.Secret(octets)


def parse_token_request(form: Mapping[str, str]) -> TokenRequest:
    """Read a token request (OpenID4VCI, 6.1); `client_id` is not needed and not looked at.

    What is sent without a value is as if it were left out (RFC 6749, 3.2).

    Raises:
        ServiceError: `invalid_request`, `unsupported_grant_type`, or `invalid_grant` for a code
            that cannot be one of ours.
    """
    grant, code = form.get("grant_type"), form.get("pre-authorized_code")
    if not grant or form.get("authorization_details"):
        raise ServiceError(Code.INVALID_REQUEST)
    if grant != GRANT:
        raise ServiceError(Code.UNSUPPORTED_GRANT_TYPE)
    if not code:
        raise ServiceError(Code.INVALID_REQUEST)
    try:
        secret = parse_secret(code)
    except Malformed as error:
        raise ServiceError(Code.INVALID_GRANT) from error
    return TokenRequest(code=secret, transaction_code=form.get("tx_code") or None)


def parse_credential_request(body: JsonObject) -> CredentialRequest:
    """Read a credential request (OpenID4VCI, 8.2); members that are not ours are ignored.

    Raises:
        ServiceError: the code of section 8.3.1.2 that belongs to the first thing wrong.
    """
    if "credential_response_encryption" in body:
        raise ServiceError(Code.INVALID_ENCRYPTION_PARAMETERS)
    if ("credential_identifier" in body) is ("credential_configuration_id" in body):
        raise ServiceError(Code.INVALID_CREDENTIAL_REQUEST)
    if "credential_identifier" in body:
        raise ServiceError(Code.UNKNOWN_CREDENTIAL_IDENTIFIER)
    configuration = body["credential_configuration_id"]
    if not isinstance(configuration, str):
        raise ServiceError(Code.INVALID_CREDENTIAL_REQUEST)
    if configuration not in catalogue.CONFIGURATIONS:
        raise ServiceError(Code.UNKNOWN_CREDENTIAL_CONFIGURATION)
    proofs = _proofs(body.get("proofs"), configuration)
    return CredentialRequest(configuration=configuration, proofs=proofs)


def verify_proofs(
    request: CredentialRequest, *, audience: str, nonce_key: bytes, now: UnixSeconds
) -> Proven:
    """Check every key proof of a request (OpenID4VCI, F.4); one bad proof refuses all.

    Raises:
        ServiceError: `invalid_nonce` for a nonce that is not ours or out of date;
            `invalid_proof` for everything else: another type, algorithm or audience, a time
            outside the window, a key given in another way, the same key twice, two nonces.
    """
    try:
        parsed = [jws.parse(text) for text in request.proofs]
        payloads = [canonical_json.parse_object(token.payload) for token in parsed]
        nonces = {_claimed_nonce(payload) for payload in payloads}
        if len(nonces) != 1:
            raise Malformed("proofs that answer different nonces (OpenID4VCI, F.4)")
        check_nonce(nonces.pop(), key=nonce_key, now=now)
        keys = tuple(
            _verify_proof(token, payload, audience=audience, now=now)
            for token, payload in zip(parsed, payloads, strict=True)
        )
    except CryptoError as error:
        raise ServiceError(Code.INVALID_PROOF) from error
    thumbprints = tuple(jwk.thumbprint(key) for key in keys)
    if len(set(thumbprints)) != len(thumbprints):
        raise ServiceError(Code.INVALID_PROOF)
    return Proven(keys=keys, thumbprints=thumbprints)


def verify_commitment(request: CredentialRequest) -> Committed:
    """Check the one commitment of a request for a BBS credential.

    It answers no nonce: the token, which is used once, is bound to it.

    Raises:
        ServiceError: `invalid_proof`.
    """
    (text,) = request.proofs
    try:
        if len(text) > _LONGEST_COMMITMENT:
            raise Malformed("longer than a commitment")
        octets = base64url.decode(text)
        jwp.check_request(octets)
    except CryptoError as error:
        raise ServiceError(Code.INVALID_PROOF) from error
    return Committed(octets=octets)


def new_nonce(*, key: bytes, now: UnixSeconds, random_bytes: RandomBytes) -> str:
    """Make a nonce that says, to us alone, until when it holds."""
    expiry = (now + NONCE_LIFETIME).to_bytes(_EXPIRY_OCTETS, "big")
    drawn = random_bytes(nacl.secret.SecretBox.NONCE_SIZE)
    return base64url.encode(bytes(nacl.secret.SecretBox(key).encrypt(expiry, drawn)))


def check_nonce(text: str, *, key: bytes, now: UnixSeconds) -> None:
    """Check that a nonce is ours and still holds.

    Raises:
        ServiceError: `invalid_nonce`.
    """
    try:
        if len(text) > _LONGEST_NONCE:
            raise Malformed("longer than a nonce")
        expiry = nacl.secret.SecretBox(key).decrypt(base64url.decode(text))
    except (CryptoError, nacl.exceptions.CryptoError, ValueError) as error:
        raise ServiceError(Code.INVALID_NONCE) from error
    if int.from_bytes(expiry, "big") <= now:
        raise ServiceError(Code.INVALID_NONCE)


def _proofs(member: JsonValue, configuration: str) -> tuple[str, ...]:
    """Read the one proof type we announce, as often as we announce."""
    kind, counts = _PROOF_TYPES[configuration]
    if not isinstance(member, dict) or member.keys() != {kind}:
        raise ServiceError(Code.INVALID_PROOF)
    tokens = member[kind]
    if not isinstance(tokens, list) or len(tokens) not in counts:
        raise ServiceError(Code.INVALID_PROOF)
    texts = tuple(token for token in tokens if isinstance(token, str))
    if len(texts) != len(tokens):
        raise ServiceError(Code.INVALID_PROOF)
    return texts


def _verify_proof(
    token: jws.Jws, payload: JsonObject, *, audience: str, now: UnixSeconds
) -> ec.EllipticCurvePublicKey:
    jws.check_header(token.header, algorithm="ES256", typ=PROOF_TYPE)
    given = token.header.get("jwk")
    if not isinstance(given, dict) or not _FOREIGN_KEYS.isdisjoint(token.header):
        raise Malformed("the key is not given by jwk alone (OpenID4VCI, F.1)")
    key = jwk.parse_public(given)
    jws.verify_signature(token, key=key)
    if payload.get("aud") != audience:
        raise Malformed("meant for another issuer (OpenID4VCI, F.4)")
    if not _is_recent(payload.get("iat"), now):
        raise Malformed("outside the time allowed (OpenID4VCI, F.4)")
    return key


def _is_recent(iat: JsonValue, now: UnixSeconds) -> bool:
    # `type`, because True is an int too; some wallets write seconds with a fraction.
    if type(iat) is not int and type(iat) is not float:
        return False
    return now - PROOF_AGE <= iat <= now + SKEW


def _claimed_nonce(payload: JsonObject) -> str:
    nonce = payload.get("nonce")
    if not isinstance(nonce, str):
        raise Malformed("a proof without nonce (OpenID4VCI, 8.3.1.2)")
    return nonce
