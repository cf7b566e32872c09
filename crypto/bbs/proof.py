"""BBS proofs: that a signature exists over messages of which some are shown.

draft-irtf-cfrg-bbs-signatures-09, sections 3.5.3 and 3.5.4 (ProofGen, ProofVerify), 3.7 (their
parts) and 4.2.4.5 (octets_to_proof). The parts stand apart, because the blind and the pseudonym
interface use them over more points, and because a batch settles many pairings at once: `init`,
`challenge` and `finish` for who proves, `Claim.settle` for who verifies. Variables carry the
draft's letters; a hat is what answers the challenge, a tilde what was drawn for it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crypto.bbs import generators
from crypto.bbs import signature as signatures
from crypto.bbs.generators import Generators, Interface
from crypto.bbs.signature import PublicKey, Signature
from crypto.bls import curve
from crypto.bls.group import (
    ORDER,
    POINT_LENGTH,
    SCALAR_LENGTH,
    UNIFORM_LENGTH,
    Point,
    Scalar,
    ints_of,
    octets_of,
)
from crypto.entropy import RandomBytes
from crypto.errors import BadSignature, Malformed, Refused

_POINTS = 3
_FLOOR = _POINTS * POINT_LENGTH + 4 * SCALAR_LENGTH
"""Octets of a proof that hides nothing."""
_COUNT: Final = 8


class Proof(NamedTuple):
    """A proof taken apart; nothing in it is believed."""

    points: tuple[Point, Point, Point]
    """A_bar, B_bar, D."""
    octets: bytes
    """The same, compressed."""
    e_hat: int
    r1_hat: int
    r3_hat: int
    m_hats: tuple[int, ...]
    c: int


class Settlement(NamedTuple):
    """What is left to check once the challenge fits: e(left, W) = e(right, BP2)."""

    left: Point
    right: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a prover has drawn and committed to; it answers one challenge, once."""

    points: bytes
    """A_bar, B_bar, D, T1, T2, compressed."""
    e: Scalar = field(repr=False)
    r1: Scalar = field(repr=False)
    r3: Scalar = field(repr=False)
    e_tilde: Scalar = field(repr=False)
    r1_tilde: Scalar = field(repr=False)
    r3_tilde: Scalar = field(repr=False)
    hidden: tuple[Scalar, ...] = field(repr=False)
    m_tildes: tuple[Scalar, ...] = field(repr=False)


def length(hidden: int) -> int:
    """Return how many octets a proof has that hides so many messages."""
    return _FLOOR + SCALAR_LENGTH * hidden


def prove(
    interface: Interface,
    *,
    public_key: PublicKey,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Collection[int],
    random_bytes: RandomBytes,
) -> bytes:
    """Prove knowledge of a signature, showing some of its messages.

    Spec: section 3.5.3.

    Args:
        interface: as the signature was made under.
        public_key: the signer's.
        signature: 80 octets.
        header: as signed.
        presentation_header: bound to this proof.
        messages: all of them, in order.
        disclosed: places that are shown, from 0.
        random_bytes: 48 octets are drawn for each of five scalars and each hidden message.

    Raises:
        Malformed: the signature does not parse.
        ValueError: a place that is none.
        SigningUnavailable: no constant-time library.

    Secret: signature, hidden messages and what is drawn; run time depends on lengths only.

    Not checked: that the signature verifies (the holder did at receipt).
    """
    chosen = generators.create(interface, len(messages))
    scalars = [interface.secret_message(each) for each in messages]
    domain = generators.domain(
        interface, public_key=public_key.octets, generators=chosen, header=header
    )
    shown = _places(disclosed, len(messages))
    opening = init(
        signatures.parse(signature),
        chosen,
        B=signatures.bind(chosen, domain, scalars),
        messages=scalars,
        disclosed=shown,
        random_bytes=random_bytes,
    )
    c = challenge(
        interface,
        disclosed={place: scalars[place] for place in shown},
        points=opening.points,
        domain=domain,
        presentation_header=presentation_header,
    )
    return finish(opening, c)


def verify(
    interface: Interface,
    *,
    public_key: PublicKey,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    disclosed: Mapping[int, bytes],
) -> None:
    """Verify a proof.

    Spec: section 3.5.4.

    Args:
        interface: as the signature was made under.
        public_key: the signer's, from `load_public_key`.
        proof: its length says how many messages were signed.
        header: as signed.
        presentation_header: as the prover must have bound it.
        disclosed: the messages shown, by their place from 0.

    Raises:
        Malformed: the proof does not parse, a place is out of range, a message is too long.
        BadSignature: it does not verify.
    """
    parsed = parse(proof)
    count = len(parsed.m_hats) + len(disclosed)
    chosen = generators.create(interface, count)
    shown = {
        place: interface.message(disclosed[place]) for place in _places(disclosed.keys(), count)
    }
    domain = generators.domain(
        interface, public_key=public_key.octets, generators=chosen, header=header
    )
    points = recompute(parsed, chosen, domain=domain, disclosed=shown)
    c = challenge(
        interface,
        disclosed={place: octets_of(value) for place, value in shown.items()},
        points=points,
        domain=domain,
        presentation_header=presentation_header,
    )
    settle(answered(parsed, c), public_key=public_key)


def parse(octets: bytes) -> Proof:
    """Take a proof apart.

    Spec: section 4.2.4.5 (octets_to_proof).

    Raises:
        Malformed: another length than a proof can have, a point outside G1 or the identity, a
            scalar that is zero or not below r.
    """
    rest, odd = divmod(len(octets) - _FLOOR, SCALAR_LENGTH)
    if not 0 <= rest <= generators.MOST_MESSAGES or odd:
        raise Malformed("no proof has this length")
    front, decode = _POINTS * POINT_LENGTH, curve.BACKEND.decode
    e_hat, r1_hat, r3_hat, *m_hats, c = ints_of(octets[front:])
    a_bar, b_bar, d = (
        decode(octets[start : start + POINT_LENGTH]) for start in range(0, front, POINT_LENGTH)
    )
    return Proof((a_bar, b_bar, d), octets[:front], e_hat, r1_hat, r3_hat, tuple(m_hats), c)


def init(
    signature: Signature,
    chosen: Generators,
    *,
    B: Point,  # noqa: N803, the draft's letter
    messages: Sequence[Scalar],
    disclosed: Collection[int],
    random_bytes: RandomBytes,
) -> Opening:
    """Draw and commit.

    Spec: section 3.7.1 (ProofInit); the scalars are drawn in the order r1, r2, e~, r1~, r3~, m~.

    Args:
        signature: over the messages.
        chosen: their generators.
        B: of the same messages, from `signature.bind`; it is the same in each of their proofs.
        messages: all of them, in order.
        disclosed: places that are shown.
        random_bytes: as `prove`.

    Secret: everything but `chosen` and `disclosed`; in constant time.
    """
    secret = curve.secret()
    multiply, times = secret.multiply, secret.field

    def draw() -> Scalar:
        return secret.reduce(random_bytes(UNIFORM_LENGTH))

    shown = frozenset(disclosed)
    hidden = [place for place in range(len(messages)) if place not in shown]
    r1, r2, e_tilde, r1_tilde, r3_tilde = (draw() for _ in range(5))
    m_tildes = tuple(draw() for _ in hidden)
    d = multiply(B, r2)
    a_bar = multiply(signature.A, times("mul", r1, r2))
    minus_e = times("sub", octets_of(0), signature.e)
    b_bar = secret.add([multiply(d, r1), multiply(a_bar, minus_e)])
    t1 = secret.add([multiply(a_bar, e_tilde), multiply(d, r1_tilde)])
    h = chosen.points[2:]
    parts = [multiply(h[at], m) for at, m in zip(hidden, m_tildes, strict=True)]
    t2 = secret.add([multiply(d, r3_tilde), *parts])
    return Opening(
        points=secret.encode([a_bar, b_bar, d, t1, t2]),
        e=signature.e,
        r1=r1,
        r3=times("inverse", r2),
        e_tilde=e_tilde,
        r1_tilde=r1_tilde,
        r3_tilde=r3_tilde,
        hidden=tuple(messages[place] for place in hidden),
        m_tildes=m_tildes,
    )


def challenge(
    interface: Interface,
    *,
    disclosed: Mapping[int, Scalar],
    points: bytes,
    domain: int,
    presentation_header: bytes,
    more: bytes = b"",
    tail: bytes = b"",
) -> int:
    """Hash what both sides know to the challenge.

    Spec: section 3.7.4 (ProofChallengeCalculate).

    Args:
        interface: whose tag is used.
        disclosed: scalars of the messages shown, by their place, in order.
        points: A_bar, B_bar, D, T1, T2, compressed.
        domain: as signed.
        presentation_header: octets.
        more: further points that an interface binds, in front of the domain.
        tail: further octets that it binds, at the end.
    """
    shown = b"".join(
        [place.to_bytes(_COUNT, "big") + scalar for place, scalar in disclosed.items()]
    )
    return interface.hash_to_scalar(
        len(disclosed).to_bytes(_COUNT, "big")
        + shown
        + points
        + more
        + octets_of(domain)
        + len(presentation_header).to_bytes(_COUNT, "big")
        + presentation_header
        + tail
    )


def finish(opening: Opening, c: int) -> bytes:
    """Answer the challenge.

    Spec: section 3.7.2 (ProofFinalize).

    Secret: `opening`; in constant time.
    """
    field_, answer = curve.secret().field, octets_of(c)

    def hat(tilde: Scalar, value: Scalar, *, sign: int = 1) -> Scalar:
        return field_("add" if sign > 0 else "sub", tilde, field_("mul", value, answer))

    return b"".join(
        (
            opening.points[: _POINTS * POINT_LENGTH],
            hat(opening.e_tilde, opening.e),
            hat(opening.r1_tilde, opening.r1, sign=-1),
            hat(opening.r3_tilde, opening.r3, sign=-1),
            *(hat(m, v) for m, v in zip(opening.m_tildes, opening.hidden, strict=True)),
            answer,
        )
    )


def recompute(
    proof: Proof, chosen: Generators, *, domain: int, disclosed: Mapping[int, int]
) -> bytes:
    """Return A_bar, B_bar, D, T1, T2 as the challenge takes them.

    Spec: section 3.7.3 (ProofVerifyInit).

    Args:
        proof: from `parse`.
        chosen: generators of all messages.
        domain: as signed.
        disclosed: scalars of the messages shown, by their place; the hidden ones fill the rest.

    Raises:
        Malformed: not as many hidden messages as places for them.
    """
    backend, c = curve.BACKEND, proof.c
    if len(proof.m_hats) + len(disclosed) != chosen.count:
        raise Malformed("not as many messages as were signed")
    a_bar, b_bar, d = proof.points
    t1 = backend.sum_of((b_bar, a_bar, d), (c, proof.e_hat, proof.r1_hat))
    hats = iter(proof.m_hats)
    scalars = [c, c * domain % ORDER]
    for place in range(chosen.count):
        shown = disclosed.get(place)
        scalars.append(next(hats) if shown is None else c * shown % ORDER)
    t2 = chosen.table.sum(scalars, (d,), (proof.r3_hat,))
    return proof.octets + backend.encode([t1, t2])


def answered(proof: Proof, c: int) -> Settlement:
    """Check that the proof answers this challenge; what is left is one equation.

    Raises:
        BadSignature: it answers another one.
    """
    if c != proof.c:
        raise BadSignature("the proof answers another challenge")
    a_bar, b_bar, _ = proof.points
    return Settlement(a_bar, b_bar)


def settle(equation: Settlement, *, public_key: PublicKey) -> None:
    """Check the pairing equation (section 3.6.4, the last step of CoreProofVerify).

    Raises:
        BadSignature: it does not hold.
    """
    if not curve.BACKEND.fits(equation.left, equation.right, public_key.key):
        raise BadSignature("the proof is of no signature by this key")


def _places(disclosed: Collection[int], count: int) -> list[int]:
    """Return places in order.

    Raises:
        Refused: one that is out of range or there twice.
    """
    places = sorted(disclosed)
    if len(set(places)) != len(places) or (places and not 0 <= places[0] <= places[-1] < count):
        raise Refused("a place of a message is out of range, or there twice")
    return places
