"""BBS credentials as JSON Web Proofs: asked for, issued, received, presented, verified.

Joins `pseudonym`, with one nym secret, to `crypto.jose.web_proof`, as `docs/adr/0009` decides and
as draft-ietf-jose-json-proof-algorithms-13 does for its algorithm `BBS`: under a name of our own,
because that one has no holder's secret. Leaves out every other algorithm. What the headers say
beyond `alg` and `nym_context`, and which claim a slot holds, is the service's care.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from crypto.bbs import ciphersuite, commitment, pseudonym
from crypto.bbs import proof as proofs
from crypto.bbs.blind import Held, Shown
from crypto.bbs.proof import Settlement
from crypto.bbs.signature import PublicKey, SecretKey
from crypto.bls import curve
from crypto.bls.group import POINT_LENGTH, SCALAR_LENGTH, UNIFORM_LENGTH, Point, Scalar, int_of
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused, WrongAlgorithm
from crypto.jose import web_proof

ALG: Final = "idservice-BBS-NYM-SHA256-1"
"""Names interface, suite and state of the drafts; another choice of any is another name."""
ABSENT: Final = b"null"
"""The payload of a claim that is not there; signed as it is in every slot."""

_INTERFACE: Final = pseudonym.interface(ciphersuite.SHA_256)
_NYMS = 1
_NEVER_SHOWN = 1 + _NYMS
"""Behind the payloads are signed the blind and the nym secret."""
_ISSUED_VALUES = 2
"""Signature and entropy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderSecret:
    """What the holder keeps between asking and receiving."""

    nym: bytes = field(repr=False)
    """32 octets: the holder's part of the nym secret."""
    blind: bytes = field(repr=False)
    """32 octets: what blinds the commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A credential whose signature the holder checked; `receive` makes it."""

    header: bytes
    payloads: tuple[bytes, ...] = field(repr=False)
    nym_secret: bytes = field(repr=False)
    blind: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    B: Point | None = field(repr=False)
    """What is signed, as one point: the same in each showing, which hides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """A presentation taken apart; nothing in it is believed."""

    presentation_header: bytes
    header: bytes
    """The issuer's."""
    payloads: Mapping[int, bytes]
    """Those disclosed, by their slot from 0."""
    count: int
    """How many slots there are, the hidden ones included."""
    proof: bytes
    pseudonym: bytes | None


def request(*, random_bytes: RandomBytes) -> tuple[HolderSecret, bytes]:
    """Draw the holder's secret and commit to it.

    Spec: `pseudonym.commit` with one nym and no messages.

    Returns:
        What stays with the holder, and 144 octets for the issuer.

    Raises:
        SigningUnavailable: no constant-time curve library.

    Secret: the first; the second tells nothing of it.
    """
    nym = curve.secret().reduce(random_bytes(UNIFORM_LENGTH))
    made = pseudonym.commit(_INTERFACE, nyms=[nym], random_bytes=random_bytes)
    return HolderSecret(nym=nym, blind=made.blind), made.octets


def check_request(commitment_with_proof: bytes) -> None:
    """Check what a holder sent to an issuer.

    Spec: `commitment.check`, for one nym and no messages.

    Raises:
        Malformed: not 144 octets of a point and three scalars.
        Refused: the proof does not fit the commitment.
    """
    _committed(commitment_with_proof)


def issue(
    *,
    header: bytes,
    payloads: Sequence[bytes],
    hashed: AbstractSet[int],
    commitment_with_proof: bytes,
    secret_key: SecretKey,
    nym_entropy: bytes,
    public_key: PublicKey,
) -> str:
    """Sign payloads and, unseen, the holder's secret.

    Spec: `pseudonym.sign`; issued form of JSON Web Proof with two proof values, the signature and
    the issuer's entropy.

    Args:
        header: the issuer header's octets, JSON with `alg` = `ALG`.
        payloads: within the limits of `web_proof`; `ABSENT` for a claim that is not there.
        hashed: slots whose payload is signed as its SHA-256, unless it is `ABSENT`.
        commitment_with_proof: from the holder.
        secret_key: the issuer's.
        nym_entropy: 32 octets, other for every credential; taken modulo the group's order.
        public_key: the announced one; it must be `secret_key`'s.

    Returns:
        The compact form, the same for the same arguments; the signature was verified before.

    Raises:
        Malformed: the commitment does not parse.
        Refused: its proof does not fit.
        ValueError: a header of another algorithm, payloads beyond the limits, or a wrong key.
        SigningUnavailable: no constant-time curve library.

    Secret: `secret_key`, `payloads`; run time depends on lengths only.
    """
    if _read(header).get("alg") != ALG or secret_key.public != public_key:
        raise ValueError("a header of another algorithm, or a key of somebody else")
    if len(nym_entropy) != SCALAR_LENGTH:
        raise ValueError("entropy has 32 octets")
    entropy = curve.secret().reduce(nym_entropy)
    signed = pseudonym.sign(
        _INTERFACE,
        secret_key=secret_key,
        committed=_committed(commitment_with_proof),
        nyms=_NYMS,
        entropy=entropy,
        header=header,
        messages=_messages(payloads, hashed),
    )
    return web_proof.write((header,), payloads, (signed, entropy))


def receive(
    credential: str, *, secret: HolderSecret, public_key: PublicKey, hashed: AbstractSet[int]
) -> Issued:
    """Take a credential apart, complete the nym secret and verify the signature.

    Spec: `pseudonym.finalize`.

    Args:
        credential: the compact form, as received.
        secret: from `request`.
        public_key: the issuer's, as announced.
        hashed: as `issue`.

    Raises:
        Malformed: not the issued form within the limits of `web_proof`.
        WrongAlgorithm: the header names another.
        BadSignature: not signed by this key over this holder's secret.
        SigningUnavailable: no constant-time curve library.

    Secret: `secret`, the payloads and what is returned; run time depends on lengths only.

    Not checked: what the header and the payloads say.
    """
    (header,), payloads, count, values = web_proof.parse(credential, headers=web_proof.ISSUED)
    if len(payloads) != count or len(values) != _ISSUED_VALUES:
        raise Malformed("JWP: a payload is missing, or another number of proof values")
    _check_algorithm(header)
    signed, entropy = values
    int_of(entropy)
    final = pseudonym.finalize(
        _INTERFACE,
        Held(
            public_key=public_key,
            header=header,
            signature=signed,
            messages=_messages([*payloads.values()], hashed),
            blind=Scalar(secret.blind),
            nym_secrets=(Scalar(secret.nym),),
        ),
        entropy=Scalar(entropy),
    )
    return Issued(
        header=header,
        payloads=tuple(payloads.values()),
        nym_secret=final.nym_secrets[0],
        blind=secret.blind,
        signature=signed,
        B=final.B,
    )


def present(
    issued: Issued,
    *,
    disclosed: Collection[int],
    presentation_header: bytes,
    nym_context: bytes | None,
    public_key: PublicKey,
    hashed: AbstractSet[int],
    random_bytes: RandomBytes,
) -> str:
    """Show some payloads, once, to whom the presentation header names.

    Spec: `pseudonym.prove` with a context, `pseudonym.prove_hidden` without; presented form of
    JSON Web Proof with the proof and, where there is a context, the pseudonym as proof values.

    Args:
        issued: from `receive`.
        disclosed: slots, each once; no others are shown, and never the nym secret.
        presentation_header: octets of JSON with `alg` = `ALG`, and with `nym_context`, in
            base64url, exactly where there is one.
        nym_context: the context that the pseudonym is for, or None for none.
        public_key: as `receive`.
        hashed: as `issue`.
        random_bytes: drawn afresh: two showings that share it can be joined, and tell the secret.

    Raises:
        ValueError: a slot that is none or there twice, or a presentation header that says
            something else.
        SigningUnavailable: no constant-time curve library.

    Secret: `issued` but what is shown of it; run time depends on lengths only.
    """
    said = _read(presentation_header)
    if said.get("alg") != ALG or said.get("nym_context") != _said(nym_context):
        raise ValueError("the presentation header names another algorithm or context")
    held = Held(
        public_key=public_key,
        header=issued.header,
        signature=issued.signature,
        messages=_messages(issued.payloads, hashed),
        blind=Scalar(issued.blind),
        nym_secrets=(Scalar(issued.nym_secret),),
        B=issued.B,
    )
    values: Sequence[bytes]
    if nym_context is None:
        values = [
            pseudonym.prove_hidden(
                _INTERFACE,
                held,
                presentation_header=presentation_header,
                disclosed=disclosed,
                random_bytes=random_bytes,
            )
        ]
    else:
        values = pseudonym.prove(
            _INTERFACE,
            held,
            context=nym_context,
            presentation_header=presentation_header,
            disclosed=disclosed,
            random_bytes=random_bytes,
        )
    shown = frozenset(disclosed)
    slots = [each if at in shown else None for at, each in enumerate(issued.payloads)]
    return web_proof.write((presentation_header, issued.header), slots, values)


def parse(text: str) -> Unverified:
    """Take a presentation apart.

    Spec: `web_proof.parse`.

    Args:
        text: as received.

    Raises:
        Malformed: not the presented form within the limits of `web_proof`, an issuer header that
            is no JSON object, or proof values of another length than the slots ask for.
        WrongAlgorithm: the issuer header names another algorithm, or critical members.

    Not checked: everything else; the presentation header is not even looked at. Callers compare
    both headers and the number of slots with what they expect, and only then `verify`.
    """
    headers, payloads, count, (proof, *names) = web_proof.parse(text, headers=web_proof.PRESENTED)
    presentation_header, header = headers
    _check_algorithm(header)
    if len(proof) != proofs.length(count - len(payloads) + _NEVER_SHOWN):
        raise Malformed("JWP: the proof has another length than the slots ask for")
    if len(names) > 1 or (names and len(names[0]) != POINT_LENGTH):
        raise Malformed("JWP: more than one pseudonym, or one of another length than a point")
    return Unverified(
        presentation_header=presentation_header,
        header=header,
        payloads=MappingProxyType(payloads),
        count=count,
        proof=proof,
        pseudonym=names[0] if names else None,
    )


def verify(
    unverified: Unverified,
    *,
    public_key: PublicKey,
    nym_context: bytes | None,
    hashed: AbstractSet[int],
) -> None:
    """Verify a presentation.

    Spec: `pseudonym.claim` or `pseudonym.claim_hidden`, then the pairing equation.

    Args:
        unverified: from `parse`.
        public_key: the announced issuer's.
        nym_context: the context that the verifier asked for, or None where it asked for none.
        hashed: as `issue`.

    Raises:
        Malformed: a point or scalar in it is not one.
        Refused: a pseudonym where none was asked for, none where one was, or one for another
            context, by the presentation header.
        WrongAlgorithm: the presentation header names another.
        BadSignature: it does not verify.

    Not checked: whose headers these are, and what they and the payloads say.
    """
    left = claim(unverified, public_key=public_key, nym_context=nym_context, hashed=hashed)
    proofs.settle(left, public_key=public_key)


def claim(
    unverified: Unverified,
    *,
    public_key: PublicKey,
    nym_context: bytes | None,
    hashed: AbstractSet[int],
) -> Settlement:
    """Check everything about a presentation but its pairing equation, which is returned.

    Spec, args, raises: as `verify`.

    Not checked: the equation, with `proof.settle` or in a `batch`.
    """
    said = _check_algorithm(unverified.presentation_header)
    name = unverified.pseudonym
    if said.get("nym_context") != _said(nym_context) or (name is None) != (nym_context is None):
        raise Refused("JWP: a pseudonym that nobody asked for, or none, or another context's")
    shown = Shown(
        public_key=public_key,
        header=unverified.header,
        presentation_header=unverified.presentation_header,
        count=unverified.count,
        messages={at: _message(at, each, hashed) for at, each in unverified.payloads.items()},
    )
    if name is None or nym_context is None:
        return pseudonym.claim_hidden(_INTERFACE, shown, proof=unverified.proof, nyms=_NYMS)
    return pseudonym.claim(
        _INTERFACE,
        shown,
        proof=unverified.proof,
        pseudonym=name,
        context=nym_context,
        nyms=_NYMS,
    )


def _committed(octets: bytes) -> commitment.Committed:
    if len(octets) != POINT_LENGTH + (2 + _NYMS) * SCALAR_LENGTH:
        raise Malformed("a commitment to one nym secret has 144 octets")
    return commitment.check(_INTERFACE, octets)


def _message(slot: int, payload: bytes, hashed: AbstractSet[int]) -> bytes:
    """Return what is signed of a payload."""
    if slot in hashed and payload != ABSENT:
        return hashlib.sha256(payload).digest()
    return payload


def _messages(payloads: Sequence[bytes], hashed: AbstractSet[int]) -> tuple[bytes, ...]:
    """Return what is signed of all."""
    return tuple(_message(slot, payload, hashed) for slot, payload in enumerate(payloads))


def _said(nym_context: bytes | None) -> str | None:
    return None if nym_context is None else base64url.encode(nym_context)


def _read(header: bytes) -> JsonObject:
    return canonical_json.parse_object(header)


def _check_algorithm(header: bytes) -> JsonObject:
    """Read a header of our algorithm; `crit` would name what we do not know."""
    said = _read(header)
    if said.get("alg") != ALG or "crit" in said:
        raise WrongAlgorithm("JWP: another algorithm, or critical members")
    return said
