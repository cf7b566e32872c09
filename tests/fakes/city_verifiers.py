"""The verifiers of the fake city, and what each may ask."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.x509 import issue as certificates
from crypto.x509 import x5c
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue
from idservice.verification import policy
from idservice.verification.policy import Policy
from tests.fakes.certificates import der, p256

ASKING: Mapping[str, JsonObject] = MappingProxyType(
    {
        "library": {
            "id": "library-card",
            "verifier": "Exampleton Library",
            "purpose": "library_membership",
            "place": "at the counter",
            "required": ["resident"],
            "optional": ["given_name"],
            "notice": {"en": "To give you a library card."},
        },
        "bar": {
            "id": "bar-entry",
            "verifier": "The Bar",
            "purpose": "age_check",
            "place": "at the door",
            "required": ["age_over_18"],
            "optional": ["portrait"],
            "notice": {"en": "To let in adults only."},
        },
        "bank": {
            "id": "bank-account",
            "verifier": "Exampleton Savings Bank",
            "purpose": "account_opening",
            "place": "in the branch",
            "required": ["given_name", "family_name", "birth_date"],
            "optional": [*catalogue.ADDRESS_CLAIMS, "portrait"],
            "notice": {"en": "To open an account in your name."},
            "retention": "Name and date of birth are kept while the account is open.",
            "erase": "https://bank.example/erase",
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeVerifier:
    """One verifier: its key, its certificate, and who it says to be."""

    name: str
    dns_name: str
    key: ec.EllipticCurvePrivateKey
    x5c: list[JsonValue]
    hash_client_id: str
    dns_client_id: str
    policy: Policy


def make(root: Authority, validity: Validity, *, name: str, serial: int, vct: str) -> FakeVerifier:
    """Make the one of this name in `ASKING`, with a certificate under the city's root."""
    key, dns_name = p256(f"verifier {name}"), f"{name}.example"
    leaf = certificates.leaf_certificate(
        role=Role.VERIFIER,
        public_key=key.public_key(),
        authority=root,
        common_name=str(ASKING[name]["verifier"]),
        names=Names(dns_names=(dns_name,), uris=(f"https://{dns_name}",)),
        validity=validity,
        serial=serial,
    )
    digest = hashlib.sha256(der(leaf)).digest()
    client_ids = [f"x509_hash:{base64url.encode(digest)}", f"x509_san_dns:{dns_name}"]
    asking: JsonObject = {
        "client_ids": [*client_ids],
        "vct": vct,
        "formats": ["dc+sd-jwt"],
        "status_max_age_s": policy.STATUS_MAX_AGE,
        "retention": policy.NOTHING_KEPT,
        "erase": None,
        "expires": date(2040, 1, 1).isoformat(),
        **ASKING[name],
    }
    return FakeVerifier(
        name=str(asking["verifier"]),
        dns_name=dns_name,
        key=key,
        x5c=x5c.encode([leaf]),
        hash_client_id=client_ids[0],
        dns_client_id=client_ids[1],
        policy=policy.parse(asking),
    )
