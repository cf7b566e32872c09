"""What binds a BBS showing to one question: the presentation header, and a pseudonym's context.

Carries out DESIGN section 3 (`jwp+bbs`). The header is canonical JSON with members that both
sides know, so the verifier rebuilds it and compares octets before any curve work; there is no
time in it and no member of the wallet's choosing, so it cannot tell who shows. `compare` does
that and everything else that costs no curve work. Left out: the proof itself (`formats`) and what
an answer must say (`verify`).
"""

import hashlib
from typing import Final, NamedTuple

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import (
    Expired,
    HolderBinding,
    Malformed,
    NotYetValid,
    Untrusted,
    WrongAudience,
    WrongNonce,
)
from crypto.instant import UnixSeconds
from idservice.period import Period
from idservice.verification import formats
from idservice.verification.formats import SKEW, UnverifiedBbs
from idservice.verification.trust import AnnouncedBbs, TrustBundle

RENEWAL: Final = "renewal"
"""What stands for a policy where the issuer itself asks, at renewal."""

_CONTEXT_TYPE = "idservice-nym-context-v1"


class Question(NamedTuple):
    """What a showing must answer."""

    audience: str
    nonce: str
    policy: str
    """The policy's id, or `RENEWAL`."""
    pseudonym: str | None
    """The policy's label, where a pseudonym may be shown too."""
    request_hashes: tuple[bytes, ...]
    """Of each request object that asked it; any of them may be answered."""


class Compared(NamedTuple):
    """A showing that fits in everything but its proof, which nobody has checked."""

    unverified: UnverifiedBbs
    announced: AnnouncedBbs
    nym_context: bytes | None
    claims: JsonObject
    """Those disclosed, in their places; not to be believed before the proof is checked."""


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
        "alg": jwp.ALG,
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


def compare(
    presentation: str, question: Question, *, trust: TrustBundle, now: UnixSeconds
) -> Compared:
    """Compare a showing with what is announced and what was asked; no curve work is done.

    Args:
        presentation: as received.
        question: what it must answer.
        trust: the bundle in hand.
        now: seconds.

    Raises:
        Malformed: not the presented form, another number of slots than announced, or a payload
            in another spelling.
        WrongAlgorithm: the issuer header names another algorithm.
        Untrusted: an issuer header that was not announced.
        Expired: its period and the grace after it are over.
        NotYetValid: its period has not begun.
        WrongAudience: made for another verifier.
        WrongNonce: made for another question.
        HolderBinding: a presentation header that differs otherwise, or a pseudonym that nobody
            asked for.
        ValueError: an empty nonce or audience: the caller's mistake.

    Not checked: the proof; call `formats.verify_bbs`.
    """
    if not (question.audience and question.nonce):
        raise ValueError("a showing is bound to an audience and a nonce")
    unverified = formats.parse_bbs(presentation)
    announced = _announced(unverified.header, trust)
    if now >= announced.exp + SKEW:
        raise Expired("the credential's period is over")
    if now < announced.nbf - SKEW:
        raise NotYetValid("the credential's period has not begun")
    context = None
    if unverified.pseudonym is not None:
        if question.pseudonym is None:
            raise HolderBinding("a pseudonym that nobody asked for")
        context = nym_context(
            label=question.pseudonym,
            city=trust.issuer,
            policy=question.policy,
            period=announced.period,
        )
    _check_header(unverified.presentation_header, question, context)
    if unverified.count != len(announced.slots):
        raise Malformed("another number of slots than announced")
    claims = formats.bbs_claims(unverified.payloads, announced)
    return Compared(unverified, announced, context, claims)


def _announced(header: bytes, trust: TrustBundle) -> AnnouncedBbs:
    for announced in trust.announced_bbs:
        if announced.header == header:
            return announced
    raise Untrusted("an issuer header that was not announced")


def _check_header(header: bytes, question: Question, context: bytes | None) -> None:
    """Rebuild the presentation header and compare it, octet by octet."""
    for each in question.request_hashes:
        if header == presentation_header(
            audience=question.audience,
            nonce=question.nonce,
            request_hash=each,
            nym_context=context,
        ):
            return
    said = canonical_json.parse_object(header)
    if said.get("aud") != question.audience:
        raise WrongAudience("made for somebody else")
    if said.get("nonce") != question.nonce:
        raise WrongNonce("made for another question")
    raise HolderBinding("another presentation header than the question's")
