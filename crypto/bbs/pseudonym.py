"""BBS with a nym secret: one name per holder and context, or none at all.

draft-irtf-cfrg-bbs-per-verifier-linkability at the state of its fixtures (July 2025, -02 and -03):
a vector of nym secrets, of which the holder commits to its part and the signer adds entropy to
the last. Blind BBS over one more kind of scalar: the nym secrets are signed behind everything
else and never shown. A proof goes with a pseudonym (`prove`), or keeps the nym secrets hidden and
names none (`prove_hidden`). Left out: what a context is made of (`idservice.verification`).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from crypto.bbs import blind, commitment
from crypto.bbs import proof as proofs
from crypto.bbs.blind import Bound, Held, Shown
from crypto.bbs.ciphersuite import Ciphersuite
from crypto.bbs.commitment import Commitment, Committed
from crypto.bbs.generators import Interface
from crypto.bbs.proof import Proof, Settlement
from crypto.bbs.signature import SecretKey
from crypto.bls import curve
from crypto.bls.group import ORDER, POINT_LENGTH, Point, Scalar, octets_of
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused

NAME: Final = b"H2G_HM2S_PSEUDONYM_"
"""What follows the suite's id in the interface's `api_id`."""

_COUNT = 8


class Named(NamedTuple):
    """A proof and the pseudonym that it is about."""

    proof: bytes
    pseudonym: bytes
    """48 octets, a compressed point."""


def interface(suite: Ciphersuite) -> Interface:
    """Return the pseudonym interface of a suite."""
    return Interface(suite, NAME)


def commit(
    interface: Interface,
    *,
    nyms: Sequence[Scalar],
    messages: Sequence[bytes] = (),
    random_bytes: RandomBytes,
) -> Commitment:
    """Commit to messages and to the holder's part of the nym secrets.

    Spec: section "Commitment" (CommitWithNym).

    Args:
        interface: suite and api_id.
        nyms: one scalar at least, drawn by the holder.
        messages: further messages that the signer must not see.
        random_bytes: 48 octets are drawn for two scalars, each message and each nym.

    Raises:
        Malformed: too many or too long messages.
        SigningUnavailable: no constant-time library.

    Secret: everything; run time depends on lengths only.
    """
    scalars = [*map(interface.secret_message, messages), *nyms]
    return commitment.make_over(interface, scalars, random_bytes=random_bytes)


def sign(
    interface: Interface,
    *,
    secret_key: SecretKey,
    committed: Committed,
    nyms: int,
    entropy: Scalar,
    header: bytes,
    messages: Sequence[bytes],
) -> bytes:
    """Sign messages and, unseen, the holder's nym secrets with entropy added to the last.

    Spec: section "Blind Issuance" (BlindSignWithNym).

    Args:
        interface: suite and api_id.
        secret_key: the signer's.
        committed: from `commitment.check` under the same interface.
        nyms: N, how many of the committed scalars are nym secrets.
        entropy: the signer's, other for every holder: nobody can have somebody else's nym secret
            signed a second time. It need be neither secret nor uniform.
        header: bound to the signature, together with `nyms`.
        messages: those that the signer knows.

    Returns:
        80 octets, the same for the same arguments, verified before they are handed out.

    Raises:
        Malformed: too many or too long messages, or fewer committed scalars than `nyms`.
        Refused: B is the identity.
        SigningUnavailable: no constant-time library.

    Secret: `secret_key` and `messages`; run time depends on lengths only.
    """
    if not 0 < nyms <= committed.count:
        raise Malformed("fewer scalars are committed to than there are nym secrets")
    return blind.sign(
        interface,
        secret_key=secret_key,
        committed=committed,
        header=_combined(header, nyms),
        messages=messages,
        entropy=entropy,
    )


def finalize(interface: Interface, held: Held, *, entropy: Scalar) -> Held:
    """Add the signer's entropy to the last nym secret, and verify the signature.

    Spec: section "Verification and Finalization" (VerifyFinalizeWithNym).

    Args:
        interface: suite and api_id.
        held: its nym secrets are the holder's part, as committed to.
        entropy: as the signer sent it.

    Returns:
        The same with the final nym secrets: what can be shown from now on.

    Raises:
        Malformed: the signature does not parse, or too many or too long messages.
        Refused: the last nym secret comes out as zero.
        BadSignature: the signature does not verify.
        SigningUnavailable: no constant-time library.

    Secret: `held`; in constant time.
    """
    *first, last = held.nym_secrets
    last = curve.secret().field("add", last, entropy)
    if last == blind.ZERO:
        raise Refused("the signer's entropy takes away the nym secret")
    final = replace(held, nym_secrets=(*first, last))
    return replace(final, B=blind.verify(interface, _headed(final)))


def context_point(interface: Interface, context: bytes) -> Point:
    """Return OP, the point whose multiple a pseudonym is.

    Spec: section "Pseudonym Calculation Procedure".
    """
    return interface.suite.hash_to_curve(context, interface.api_id)


def prove(
    interface: Interface,
    held: Held,
    *,
    context: bytes,
    presentation_header: bytes,
    disclosed: Collection[int],
    disclosed_committed: Collection[int] = (),
    random_bytes: RandomBytes,
) -> Named:
    """Prove knowledge of a signature, and name its holder for one context.

    Spec: sections "Proof Generation with Pseudonym" and "Core Proof Generation".

    Args:
        interface: as the signature was made under.
        held: from `finalize`.
        context: any octets; the same ones give the same pseudonym.
        presentation_header: bound to this proof.
        disclosed: places of messages that are shown, from 0.
        disclosed_committed: the same of committed messages; no nym secret among them.
        random_bytes: as `blind.prove`.

    Raises:
        Malformed: the signature does not parse.
        ValueError: a place that is none.
        SigningUnavailable: no constant-time library.

    Secret: `held` but its header, and what is drawn; run time depends on lengths only.
    """
    secret = curve.secret()
    opening, bound = blind.start(
        interface,
        _headed(held),
        disclosed=blind.places(held, disclosed, disclosed_committed),
        random_bytes=random_bytes,
    )
    nyms = len(held.nym_secrets)
    point = context_point(interface, context)
    name, again = (
        secret.multiply(point, _secret_value(interface, context, scalars))
        for scalars in (held.nym_secrets, opening.m_tildes[-nyms:])
    )
    octets = secret.encode([name, again])
    c = _challenge(
        interface, bound, presentation_header=presentation_header, more=octets, context=context
    )
    return Named(proofs.finish(opening, c), octets[:POINT_LENGTH])


def claim(
    interface: Interface, shown: Shown, *, proof: bytes, pseudonym: bytes, context: bytes, nyms: int
) -> Settlement:
    """Check everything about a named proof but its pairing equation, which is returned.

    Spec: sections "Proof Verification with Pseudonym" and "Core Proof Verification".

    Args:
        interface: as the signature was made under.
        shown: what the proof is checked against.
        proof: its length says how many messages are hidden.
        pseudonym: 48 octets.
        context: as the verifier knows it, never as somebody sent it.
        nyms: N, the number of nym secrets.

    Raises:
        Malformed: proof or pseudonym do not parse, the pseudonym is the identity, or a message is
            too long or at a place out of range.
        Refused: the pseudonym's proof is about the identity.
        BadSignature: the challenge is another one.

    Not checked: the equation, with `proof.settle` or in a batch.
    """
    backend = curve.BACKEND
    parsed = proofs.parse(proof)
    bound = _recompute(interface, shown, parsed=parsed, nyms=nyms)
    name = backend.decode(pseudonym)
    again = backend.sum_of(
        [context_point(interface, context), name],
        [_value(interface, context, parsed.m_hats[-nyms:]), ORDER - parsed.c],
    )
    if backend.is_identity(again):
        raise Refused("the pseudonym's proof is about the identity")
    c = _challenge(
        interface,
        bound,
        presentation_header=shown.presentation_header,
        more=pseudonym + backend.encode([again]),
        context=context,
    )
    return proofs.answered(parsed, c)


def prove_hidden(
    interface: Interface,
    held: Held,
    *,
    presentation_header: bytes,
    disclosed: Collection[int],
    disclosed_committed: Collection[int] = (),
    random_bytes: RandomBytes,
) -> bytes:
    """Prove knowledge of a signature and of its nym secrets, and name nobody.

    Not in the draft: it is the base draft's ProofGen over the draft's generators, header and
    `api_id`, with blind and nym secrets among the hidden messages.

    It is sound: the base proof is a proof of knowledge of the signature and of every hidden
    scalar, under any generators of unknown logarithm, so only who has the nym secrets makes it;
    and it shows nothing of them, so two showings cannot be joined. Neither kind of proof can be
    passed off as the other. Behind the five points that both challenges begin with, this one has
    the domain, a scalar, whose first bit is zero; the named one has the pseudonym, a compressed
    point, whose first bit is one: no octet string is hashed for both. And the presentation
    header, which both challenges cover, names the context exactly where there is a pseudonym
    (`jwp` sees to it), so a verifier who expects one kind has another header than the other kind
    was made for.

    Args, raises, secret: as `prove`.
    """
    return blind.prove(
        interface,
        _headed(held),
        presentation_header=presentation_header,
        disclosed=disclosed,
        disclosed_committed=disclosed_committed,
        random_bytes=random_bytes,
    )


def claim_hidden(interface: Interface, shown: Shown, *, proof: bytes, nyms: int) -> Settlement:
    """Check everything about a nameless proof but its pairing equation, which is returned.

    As `prove_hidden` makes it; why it is sound is said there.

    Args, raises: as `claim`.

    Not checked: the equation, with `proof.settle` or in a batch.
    """
    parsed = proofs.parse(proof)
    bound = _recompute(interface, shown, parsed=parsed, nyms=nyms)
    c = proofs.challenge(
        interface, **bound._asdict(), presentation_header=shown.presentation_header
    )
    return proofs.answered(parsed, c)


def _recompute(interface: Interface, shown: Shown, *, parsed: Proof, nyms: int) -> Bound:
    header = _combined(shown.header, nyms)
    return blind.recompute(interface, shown, parsed=parsed, header=header, never_shown=nyms)


def _headed(held: Held) -> Held:
    return replace(held, header=_combined(held.header, len(held.nym_secrets)))


def _combined(header: bytes, nyms: int) -> bytes:
    """Return the header that is signed: how many nym secrets there are belongs to it."""
    return header + nyms.to_bytes(_COUNT, "big")


def _challenge(
    interface: Interface, bound: Bound, *, presentation_header: bytes, more: bytes, context: bytes
) -> int:
    """Hash what both sides know to the challenge (section "Challenge Calculation")."""
    return proofs.challenge(
        interface,
        **bound._asdict(),
        presentation_header=presentation_header,
        more=more,
        tail=len(context).to_bytes(_COUNT, "big") + context,
    )


def _power(interface: Interface, context: bytes) -> int:
    """Return z, at which the nym secrets are evaluated as a polynomial."""
    return interface.suite.hash_to_scalar(context, interface.api_id + b"VECT_NYM_SECRETS")


def _value(interface: Interface, context: bytes, scalars: Sequence[int]) -> int:
    """Evaluate public scalars at z."""
    z, total = _power(interface, context), 0
    for scalar in reversed(scalars):
        total = (total * z + scalar) % ORDER
    return total


def _secret_value(interface: Interface, context: bytes, scalars: Sequence[Scalar]) -> Scalar:
    """Evaluate secret scalars at z, in constant time."""
    field, z, total = curve.secret().field, octets_of(_power(interface, context)), blind.ZERO
    for scalar in reversed(scalars):
        total = field("add", field("mul", total, z), scalar)
    return total
