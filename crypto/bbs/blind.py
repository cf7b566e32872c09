"""Blind BBS: messages that the holder commits to are signed unseen.

draft-irtf-cfrg-bbs-blind-signatures at the state of its fixtures (March 2025, -01 and -02):
BlindSign, VerifyBlindSign, BlindProofGen and BlindProofVerify. The base draft's cores do the work
over one longer list of generators: Q_1, H_1 ... H_L, then of the interface `BLIND_` || api_id Q_2,
J_1 ... J_M. As in the fixtures, `e` is hashed from the secret key and B, which has the domain in
it. Commitments are `commitment`; the pseudonym interface, which takes the same steps, is
`pseudonym`. Left out: committed disclosure, which later texts add and no fixture covers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crypto.bbs import commitment, generators
from crypto.bbs import proof as proofs
from crypto.bbs import signature as signatures
from crypto.bbs.ciphersuite import Ciphersuite
from crypto.bbs.commitment import Committed
from crypto.bbs.generators import Generators, Interface
from crypto.bbs.proof import Opening, Proof, Settlement
from crypto.bbs.signature import PublicKey, SecretKey
from crypto.bls import curve
from crypto.bls.group import Point, Scalar, octets_of
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused

NAME: Final = b"BLIND_H2G_HM2S_"
"""What follows the suite's id in the interface's `api_id`."""
ZERO: Final = octets_of(0)
"""The blind where nothing was committed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A signature and all that it is over, as its holder knows it."""

    public_key: PublicKey
    header: bytes
    signature: bytes = field(repr=False)
    messages: tuple[bytes, ...] = field(repr=False)
    committed: tuple[bytes, ...] = field(default=(), repr=False)
    blind: Scalar = field(default=ZERO, repr=False)
    nym_secrets: tuple[Scalar, ...] = field(default=(), repr=False)
    """Signed behind everything else; the pseudonym interface's."""
    B: Point | None = field(default=None, repr=False, compare=False)
    """From `verify`, so that proofs need not compute it again."""

    def scalars(self, interface: Interface) -> list[Scalar]:
        """Return what is signed, in the order of the generators."""
        to_scalar = interface.secret_message
        return [
            *map(to_scalar, self.messages),
            self.blind,
            *map(to_scalar, self.committed),
            *self.nym_secrets,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a verifier holds against a proof."""

    public_key: PublicKey
    header: bytes
    presentation_header: bytes
    count: int
    """L, the number of messages that the signer knew, hidden ones included."""
    messages: Mapping[int, bytes]
    """Of those, the disclosed ones by their place from 0."""
    committed: Mapping[int, bytes] = field(default_factory=dict[int, bytes])
    """The same of the committed ones."""


class Bound(NamedTuple):
    """What goes into a challenge besides the presentation header."""

    disclosed: dict[int, Scalar]
    points: bytes
    domain: int


def interface(suite: Ciphersuite) -> Interface:
    """Return the blind interface of a suite."""
    return Interface(suite, NAME)


def sign(
    interface: Interface,
    *,
    secret_key: SecretKey,
    committed: Committed,
    header: bytes,
    messages: Sequence[bytes],
    entropy: Scalar = ZERO,
) -> bytes:
    """Sign messages and, unseen, those committed to.

    Spec: sections "Blind Signature Generation" and "Finalize Blind Sign".

    Args:
        interface: suite and api_id.
        secret_key: the signer's.
        committed: from `commitment.check` under the same interface.
        header: bound to the signature.
        messages: those that the signer knows.
        entropy: added to the last committed scalar (`pseudonym`).

    Returns:
        80 octets, the same for the same arguments, verified before they are handed out.

    Raises:
        Malformed: too many or too long messages.
        Refused: B is the identity.
        SigningUnavailable: no constant-time library.

    Secret: `secret_key` and `messages`; run time depends on lengths only.
    """
    secret = curve.secret()
    chosen = layout(interface, count=len(messages), committed=committed.count)
    unseen = [ZERO] * (committed.count + 1)
    unseen[-1] = entropy
    scalars = [interface.secret_message(each) for each in messages]
    domain = _domain(interface, public_key=secret_key.public, chosen=chosen, header=header)
    known = signatures.bind(chosen, domain, [*scalars, *unseen])
    B = secret.add([known, *committed.points])  # noqa: N806, the draft's letter
    if secret.is_identity(B):
        raise Refused("the commitment takes away what is signed")
    e = signatures.secret_scalar(interface, secret_key.scalar + secret.encode([B]), b"H2S_")
    return signatures.seal(B, e=e, secret_key=secret_key)


def verify(interface: Interface, held: Held) -> Point:
    """Verify a signature with all that it is over: the holder's check at receipt.

    Spec: section "Blind Signature Verification".

    Returns:
        B, with which each proof begins.

    Raises:
        Malformed: the signature does not parse, or too many or too long messages.
        BadSignature: it does not verify.
        SigningUnavailable: no constant-time library.

    Secret: `held`; the sum over its scalars is made in constant time.
    """
    scalars = held.scalars(interface)
    chosen = layout(
        interface, count=len(held.messages), committed=len(scalars) - len(held.messages) - 1
    )
    domain = _domain(interface, public_key=held.public_key, chosen=chosen, header=held.header)
    B = signatures.bind(chosen, domain, scalars)  # noqa: N806, the draft's letter
    signatures.check(signatures.parse(held.signature), B, public_key=held.public_key)
    return B


def prove(
    interface: Interface,
    held: Held,
    *,
    presentation_header: bytes,
    disclosed: Collection[int],
    disclosed_committed: Collection[int] = (),
    random_bytes: RandomBytes,
) -> bytes:
    """Prove knowledge of a signature, showing some of its messages.

    Spec: section "Proof Generation". Blind and nym secrets stay hidden always.

    Args:
        interface: as the signature was made under.
        held: as `verify` accepted it.
        presentation_header: bound to this proof.
        disclosed: places of messages that are shown, from 0.
        disclosed_committed: the same of committed messages.
        random_bytes: 48 octets are drawn for each of five scalars and each hidden one.

    Raises:
        Malformed: the signature does not parse.
        ValueError: a place that is none.
        SigningUnavailable: no constant-time library.

    Secret: `held` but its header, and what is drawn; run time depends on lengths only.
    """
    opening, bound = start(
        interface,
        held,
        disclosed=places(held, disclosed, disclosed_committed),
        random_bytes=random_bytes,
    )
    c = proofs.challenge(interface, **bound._asdict(), presentation_header=presentation_header)
    return proofs.finish(opening, c)


def verify_proof(interface: Interface, shown: Shown, *, proof: bytes) -> None:
    """Verify a proof.

    Spec: section "Proof Verification".

    Raises:
        Malformed: the proof does not parse, is too short for the messages, or a message is too
            long or at a place out of range.
        BadSignature: it does not verify.

    Not checked: how many messages were committed to; the proof's length says it.
    """
    proofs.settle(claim(interface, shown, proof=proof), public_key=shown.public_key)


def claim(interface: Interface, shown: Shown, *, proof: bytes) -> Settlement:
    """Check everything about a proof but its pairing equation, which is returned.

    Spec, raises: as `verify_proof`.
    """
    parsed = proofs.parse(proof)
    bound = recompute(interface, shown, parsed=parsed, header=shown.header)
    c = proofs.challenge(
        interface, **bound._asdict(), presentation_header=shown.presentation_header
    )
    return proofs.answered(parsed, c)


def layout(interface: Interface, *, count: int, committed: int) -> Generators:
    """Return Q_1, H_1 ... H_L, Q_2, J_1 ... J_M as one list.

    Spec: section "Prepare Parameters".
    """
    return generators.create(
        interface, count, more=((commitment.committing(interface), committed + 1),)
    )


def places(
    held: Held, disclosed: Collection[int], disclosed_committed: Collection[int]
) -> list[int]:
    """Return the places of what is shown, the blind's place left out, in order.

    Raises:
        ValueError: one that is none, or there twice.
    """
    count = len(held.messages)
    for chosen, most in ((disclosed, count), (disclosed_committed, len(held.committed))):
        if len(set(chosen)) != len(chosen) or not all(0 <= each < most for each in chosen):
            raise ValueError("a place of a message that is none, or there twice")
    return sorted([*disclosed, *(count + 1 + each for each in disclosed_committed)])


def start(
    interface: Interface, held: Held, *, disclosed: Sequence[int], random_bytes: RandomBytes
) -> tuple[Opening, Bound]:
    """Draw and commit for a proof.

    Spec: the base draft's ProofInit over the longer list.

    Secret: as `prove`.
    """
    scalars = held.scalars(interface)
    chosen = layout(
        interface, count=len(held.messages), committed=len(scalars) - len(held.messages) - 1
    )
    domain = _domain(interface, public_key=held.public_key, chosen=chosen, header=held.header)
    opening = proofs.init(
        signatures.parse(held.signature),
        chosen,
        B=held.B or signatures.bind(chosen, domain, scalars),
        messages=scalars,
        disclosed=disclosed,
        random_bytes=random_bytes,
    )
    return opening, Bound({at: scalars[at] for at in disclosed}, opening.points, domain)


def recompute(
    interface: Interface, shown: Shown, *, parsed: Proof, header: bytes, never_shown: int = 0
) -> Bound:
    """Return what the challenge of an honest proof would have been made of.

    Spec: the base draft's ProofVerifyInit over the longer list.

    Args:
        interface: as the signature was made under.
        shown: what the proof is checked against, but for its header.
        parsed: the proof.
        header: as signed.
        never_shown: how many committed scalars cannot be shown; the pseudonym interface's nym
            secrets.

    Raises:
        Malformed: as `verify_proof`.
    """
    count, places = shown.count, len(shown.messages) + len(shown.committed)
    committed = len(parsed.m_hats) + places - count - 1
    known = _scalars(interface, shown.messages, first=0, most=count)
    unseen = _scalars(interface, shown.committed, first=count + 1, most=committed - never_shown)
    if committed < never_shown:
        raise Malformed("the proof is too short for these messages")
    chosen = layout(interface, count=count, committed=committed)
    domain = _domain(interface, public_key=shown.public_key, chosen=chosen, header=header)
    scalars = {**known, **unseen}
    points = proofs.recompute(parsed, chosen, domain=domain, disclosed=scalars)
    return Bound({at: octets_of(value) for at, value in scalars.items()}, points, domain)


def _scalars(
    interface: Interface, messages: Mapping[int, bytes], *, first: int, most: int
) -> dict[int, int]:
    """Map messages to scalars, in order of their places, which begin at `first`."""
    found = {}
    for at in sorted(messages):
        if not 0 <= at < most:
            raise Malformed("a place of a message is out of range")
        found[first + at] = interface.message(messages[at])
    return found


def _domain(
    interface: Interface, *, public_key: PublicKey, chosen: Generators, header: bytes
) -> int:
    return generators.domain(
        interface, public_key=public_key.octets, generators=chosen, header=header
    )
