"""Commitments: what a holder asks a signer to sign unseen, and the proof that the holder knows it.

draft-irtf-cfrg-bbs-blind-signatures at the state of its fixtures (March 2025, -01 and -02):
sections "Commitment Operations", "Core Commitment Computation", "Core Commitment Verification",
"Blind Challenge Calculation". Blind and pseudonym interface share them; what is signed over a
commitment is `blind`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from crypto.bbs import generators
from crypto.bbs.generators import Interface
from crypto.bls import curve
from crypto.bls.group import (
    ORDER,
    POINT_LENGTH,
    SCALAR_LENGTH,
    UNIFORM_LENGTH,
    Point,
    Scalar,
    int_of,
    octets_of,
)
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused

_COUNT = 8
_INTERFACES = 8
_LEAST_SCALARS = 2
"""s^ and the challenge, around one scalar for each committed message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What the holder sends, and what must not leave the holder."""

    octets: bytes
    """Point and proof: the draft's `commitment_with_proof`."""
    blind: Scalar = field(repr=False)
    """The draft's `secret_prover_blind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A commitment whose proof was checked; only `check` makes it."""

    points: tuple[Point, ...]
    """The commitment, or none where nothing is committed to."""
    count: int
    """M, the number of committed scalars."""


@lru_cache(maxsize=_INTERFACES)
def committing(interface: Interface) -> Interface:
    """Return the interface whose generators commit: `BLIND_` in front of the `api_id`."""
    suite = replace(interface.suite, id=b"BLIND_" + interface.suite.id)
    return Interface(suite, interface.name)


def make(
    interface: Interface, messages: Sequence[bytes], *, random_bytes: RandomBytes
) -> Commitment:
    """Commit to messages and prove that they are known.

    Spec: section "Commitment Computation".

    Args:
        interface: suite and api_id.
        messages: any octets; may be none.
        random_bytes: 48 octets are drawn for each of two scalars and each message.

    Raises:
        Malformed: too many or too long messages.
        SigningUnavailable: no constant-time library.

    Secret: everything; run time depends on lengths only.
    """
    scalars = [interface.secret_message(each) for each in messages]
    return make_over(interface, scalars, random_bytes=random_bytes)


def make_over(
    interface: Interface, scalars: Sequence[Scalar], *, random_bytes: RandomBytes
) -> Commitment:
    """Commit to scalars and prove that they are known.

    Spec: section "Core Commitment Computation"; drawn in the order blind, s~, m~.

    Secret: everything; run time depends on the number of scalars only.
    """
    secret = curve.secret()
    chosen = generators.create(committing(interface), len(scalars)).points[1:]
    blind, *tildes = (
        secret.reduce(random_bytes(UNIFORM_LENGTH)) for _ in range(len(scalars) + _LEAST_SCALARS)
    )
    values = (blind, *scalars)
    points = [
        secret.add([secret.multiply(each, by) for each, by in zip(chosen, factors, strict=True)])
        for factors in (values, tildes)
    ]
    c = octets_of(_challenge(interface, chosen, points))
    hats = [
        secret.field("add", tilde, secret.field("mul", value, c))
        for tilde, value in zip(tildes, values, strict=True)
    ]
    return Commitment(octets=secret.encode(points[:1]) + b"".join(hats) + c, blind=blind)


def check(interface: Interface, octets: bytes) -> Committed:
    """Take a commitment apart and check its proof.

    Spec: sections "Commitment Validation and Deserialization", "Core Commitment Verification".

    Args:
        interface: suite and api_id.
        octets: from the holder; none stand for no commitment.

    Raises:
        Malformed: another length than one can have, no point of G1, the identity, or a scalar
            that is zero or not below r.
        Refused: the proof does not fit the commitment.

    Not checked: how many messages it is for; what they say cannot be.
    """
    if not octets:
        return Committed(points=(), count=0)
    if len(octets) < POINT_LENGTH + _LEAST_SCALARS * SCALAR_LENGTH:
        raise Malformed("no commitment is this short")
    if len(octets) > POINT_LENGTH + SCALAR_LENGTH * generators.MOST_MESSAGES:
        raise Malformed("no commitment is this long")
    *hats, c = (
        int_of(octets[start : start + SCALAR_LENGTH])
        for start in range(POINT_LENGTH, len(octets), SCALAR_LENGTH)
    )
    backend = curve.BACKEND
    point = backend.decode(octets[:POINT_LENGTH])
    chosen = generators.create(committing(interface), len(hats) - 1).points[1:]
    again = backend.sum_of([*chosen, point], [*hats, ORDER - c])
    if _challenge(interface, chosen, [point, again]) != c:
        raise Refused("the proof does not fit the commitment")
    return Committed(points=(point,), count=len(hats) - 1)


def _challenge(interface: Interface, chosen: Sequence[Point], points: Sequence[Point]) -> int:
    """Hash generators, commitment and its randomised twin (section "Blind Challenge")."""
    return interface.hash_to_scalar(
        (len(chosen) - 1).to_bytes(_COUNT, "big") + curve.BACKEND.encode([*chosen, *points])
    )
