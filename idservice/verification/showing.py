"""What binds a BBS showing to one question: the presentation header, and a pseudonym's context.

Carries out DESIGN section 3 (`jwp+bbs`). The header is canonical JSON with members that both
sides know, so the verifier rebuilds it and compares octets before any curve work; there is no
time in it and no member of the wallet's choosing, so it cannot tell who shows. Left out: the
proof itself (`crypto.bbs.jwp`) and what an answer must say (`verify`).
"""

import hashlib
from typing import Final

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from idservice.period import Period
from idservice.verification import trust

RENEWAL: Final = "renewal"
"""What stands for a policy where the issuer itself asks, at renewal."""

_CONTEXT_TYPE = "idservice-nym-context-v1"


def presentation_header(
    *, audience: str, nonce: str, request_hash: bytes, nym_context: bytes | None
) -> bytes:
    """Write the header that a showing for this question has.

    Args:
        audience: the verifier's full client identifier, its prefix included.
        nonce: the verifier's.
        request_hash: 32 octets, from `request_hash` or `direct_request_hash`.
        nym_context: from `nym_context`, where a pseudonym is shown.
    """
    header: JsonObject = {
        "alg": trust.BBS_ALG,
        "aud": audience,
        "nonce": nonce,
        "request_hash": base64url.encode(request_hash),
    }
    if nym_context is not None:
        header["nym_context"] = base64url.encode(nym_context)
    return canonical_json.serialize(header)


def request_hash(request_object: str) -> bytes:
    """Return the SHA-256 of a signed request object, as it was served."""
    return hashlib.sha256(request_object.encode()).digest()


def direct_request_hash(*, nonce: str, policy: str) -> bytes:
    """Return what stands for a request object where nobody signed one.

    Args:
        nonce: the caller's.
        policy: the policy's id, or `RENEWAL`.
    """
    return hashlib.sha256(canonical_json.serialize({"nonce": nonce, "policy": policy})).digest()


def nym_context(*, label: str, city: str, policy: str, period: Period) -> bytes:
    """Return the context of a pseudonym; wallets derive it, no request may name one.

    Args:
        label: of the policy in force.
        city: the issuer's base address.
        policy: the policy's id.
        period: of the credential, so that no pseudonym outlives it.
    """
    return hashlib.sha256(
        canonical_json.serialize(
            {
                "type": _CONTEXT_TYPE,
                "label": label,
                "city": city,
                "policy": policy,
                "period": period,
            }
        )
    ).digest()
