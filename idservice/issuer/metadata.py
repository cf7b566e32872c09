"""What the issuer says of itself and of the card: documents made from its settings alone.

Carries out OpenID4VCI 1.0, section 12.2 (credential issuer metadata, plain and signed), RFC 8414
(authorization server metadata), SD-JWT VC, sections 4 (issuer metadata) and 5 (type metadata).
No request header plays a part: every address begins with the configured base address. Logos and
images are left out, because a wallet would fetch them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pybase64

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.jose.jws import Signer
from idservice import catalogue, period
from idservice.issuer.model import IssuingKey
from idservice.issuer.protocol import COMMITMENT, GRANT

SIGNED_TYPE: Final = "openidvci-issuer-metadata+jwt"
TYPE_PATH: Final = "/vct/resident/1"

_LABELS: Final = {
    "given_name": "Given name",
    "family_name": "Family name",
    "birth_date": "Date of birth",
    **{
        name: f"Aged {age} or over"
        for age, name in zip(catalogue.AGE_THRESHOLDS, catalogue.AGE_CLAIMS, strict=True)
    },
    "resident": "Lives in the city",
    "locality": "Place of residence",
    "portrait": "Portrait",
    "gender": "Gender",
    "address.care_of": "Care of",
    "address.street_address": "Street and number",
    "address.postal_code": "Postal code",
    "address.locality": "Post town",
    "renewal_handle": "Renewal (shown to the city only)",
    "enrolled_until": "Enrolled until (shown to the city only)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What is public about the city that issues."""

    issuer: str
    """The base address, without a slash at its end."""
    name: str
    languages: tuple[str, ...]


def vct(issuer: str) -> str:
    """Return the type of the resident's credential."""
    return issuer + TYPE_PATH


def type_metadata(issuer: str) -> bytes:
    """Write the type metadata of the resident's credential (SD-JWT VC, 5.2).

    It depends on the base address alone, so that its hash can be announced beforehand.
    """
    document: JsonObject = {
        "vct": vct(issuer),
        "name": "Resident card",
        "description": "Facts about a resident, each shown by itself.",
        "display": [{"locale": "en", "name": "Resident card"}],
        "claims": [_claim(name, sd="always") for name in catalogue.CLAIMS],
    }
    return canonical_json.serialize(document)


def integrity(document: bytes) -> str:
    """Hash a document as `vct#integrity` does (SD-JWT VC, 5.4; W3C SRI)."""
    return "sha256-" + pybase64.b64encode(hashlib.sha256(document).digest()).decode("ascii")


def credential_issuer(city: City) -> JsonObject:
    """Write the credential issuer metadata (OpenID4VCI, 12.2.4)."""
    display: list[JsonValue] = [
        {"name": city.name, "locale": language} for language in city.languages
    ]
    return {
        "credential_issuer": city.issuer,
        "credential_endpoint": f"{city.issuer}/credential",
        "nonce_endpoint": f"{city.issuer}/nonce",
        "batch_credential_issuance": {"batch_size": catalogue.BATCH},
        "display": display,
        "credential_configurations_supported": {
            catalogue.CONFIGURATION: _configuration(city),
            catalogue.BBS_CONFIGURATION: _bbs_configuration(city),
        },
    }


def sign(metadata: JsonObject, *, x5c: Sequence[str], signer: Signer, now: UnixSeconds) -> str:
    """Sign the credential issuer metadata (OpenID4VCI, 12.2.3); `iat` is the day's beginning."""
    header: JsonObject = {"alg": "ES256", "typ": SIGNED_TYPE, "x5c": [*x5c]}
    issuer = metadata["credential_issuer"]
    payload = {**metadata, "iss": issuer, "sub": issuer, "iat": now - now % period.DAY}
    return jws.sign(header=header, payload=canonical_json.serialize(payload), signer=signer)


def authorization_server(issuer: str) -> JsonObject:
    """Write the authorization server metadata (RFC 8414, section 2; OpenID4VCI, 12.3)."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "pre-authorized_grant_anonymous_access_supported": True,
    }


def jwt_vc_issuer(issuer: str, keys: Iterable[IssuingKey]) -> JsonObject:
    """Write the JWT VC issuer metadata (SD-JWT VC, section 4): the announced keys."""
    published: list[JsonValue] = [
        {**key.public_jwk, "kid": _kid(key.public_jwk), "alg": "ES256", "use": "sig"}
        for key in keys
    ]
    return {"issuer": issuer, "jwks": {"keys": published}}


def well_known(issuer: str, name: str) -> str:
    """Return the path of a well-known document: the base path comes after the name."""
    return f"/.well-known/{name}{urlsplit(issuer).path}"


def _configuration(city: City) -> JsonObject:
    return {
        "format": catalogue.FORMAT,
        "vct": vct(city.issuer),
        "cryptographic_binding_methods_supported": ["jwk"],
        "credential_signing_alg_values_supported": ["ES256"],
        "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
        "credential_metadata": _described(city),
    }


def _bbs_configuration(city: City) -> JsonObject:
    """Write the configuration whose format and proof type are our own."""
    return {
        "format": catalogue.BBS_FORMAT,
        "vct": vct(city.issuer),
        "cryptographic_binding_methods_supported": [COMMITMENT],
        "credential_signing_alg_values_supported": [jwp.ALG],
        "proof_types_supported": {COMMITMENT: {"proof_signing_alg_values_supported": [jwp.ALG]}},
        "credential_metadata": _described(city),
    }


def _described(city: City) -> JsonObject:
    display: list[JsonValue] = [
        {"name": f"{city.name}: resident card", "locale": language} for language in city.languages
    ]
    claims: list[JsonValue] = [_claim(name, sd=None) for name in catalogue.CLAIMS]
    return {"display": display, "claims": claims}


def _claim(name: str, *, sd: str | None) -> JsonObject:
    """Describe one claim; `sd` and `label` are words of type metadata only."""
    path: list[JsonValue] = [*name.split(".")]
    label = "name" if sd is None else "label"
    described: JsonObject = {
        "path": path,
        "mandatory": True,
        "display": [{"locale": "en", label: _LABELS[name]}],
    }
    return described if sd is None else {**described, "sd": sd}


def _kid(public: JsonObject) -> str:
    members = canonical_json.serialize({name: public[name] for name in ("crv", "kty", "x", "y")})
    return base64url.encode(hashlib.sha256(members).digest())
