"""BBS signatures: keys, signing, verifying.

draft-irtf-cfrg-bbs-signatures-09, sections 3.4 (keys), 3.5.1 and 3.5.2 (Sign, Verify), 3.6.1 and
3.6.2 (their cores). The steps stand apart, because the blind and the pseudonym interface take
the same ones over more points: `bind` makes B, `seal` the signature over it, `check` verifies.
Showing a signature without showing it is `proof`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crypto.bbs import generators
from crypto.bbs.ciphersuite import Ciphersuite
from crypto.bbs.generators import Generators, Interface
from crypto.bls import curve
from crypto.bls.group import (
    POINT_LENGTH,
    SCALAR_LENGTH,
    UNIFORM_LENGTH,
    Key,
    Point,
    Scalar,
    int_of,
    octets_of,
)
from crypto.entropy import RandomBytes
from crypto.errors import BadSignature, Malformed

LENGTH: Final = POINT_LENGTH + SCALAR_LENGTH
"""Octets of a signature."""
LEAST_MATERIAL: Final = 32
"""Octets of key material (section 3.4.1)."""

_LONGEST_INFO = 65_535
BASE: Final = b"H2G_HM2S_"
"""What follows the suite's id in the base interface's `api_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that passed KeyValidate; `load_public_key` makes it."""

    octets: bytes
    key: Key = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A signing key."""

    scalar: Scalar = field(repr=False)
    public: PublicKey


class Signature(NamedTuple):
    """A signature taken apart."""

    A: Point
    e: Scalar


def derive_key(
    suite: Ciphersuite, *, material: bytes, info: bytes = b"", dst: bytes | None = None
) -> SecretKey:
    """Derive a key pair from secret octets.

    Spec: section 3.4.1.

    Args:
        suite: whose hash is used.
        material: at least 32 octets with as much entropy.
        info: at most 65,535 octets.
        dst: the draft's `key_dst`; its default where nothing is given.

    Raises:
        ValueError: `material` too short or `info` too long.

    Secret: `material`; run time depends on its length only.
    """
    if len(material) < LEAST_MATERIAL or len(info) > _LONGEST_INFO:
        raise ValueError("key material has at least 32 octets, its info at most 65,535")
    tag = suite.id + BASE + b"KEYGEN_DST_" if dst is None else dst
    uniform = suite.expand(material + len(info).to_bytes(2, "big") + info, tag, UNIFORM_LENGTH)
    return load_secret_key(curve.secret().reduce(uniform))


def new_key(*, random_bytes: RandomBytes) -> SecretKey:
    """Draw a key pair.

    Secret: what `random_bytes` returns.
    """
    return load_secret_key(curve.secret().reduce(random_bytes(UNIFORM_LENGTH)))


def load_secret_key(octets: bytes) -> SecretKey:
    """Read a signing key: 32 octets, above zero and below the order.

    Raises:
        Malformed: anything else.
    """
    int_of(octets)
    scalar = Scalar(octets)
    public = load_public_key(curve.secret().public_key(scalar))
    return SecretKey(scalar=scalar, public=public)


def load_public_key(octets: bytes) -> PublicKey:
    """Read and validate a public key once, and lay its pairing out.

    Spec: sections 4.2.4.4 (octets_to_pubkey) and 5.1 (KeyValidate).

    Args:
        octets: 96, a compressed point of G2.

    Raises:
        Malformed: not such a point, outside the subgroup, or the identity.
    """
    return PublicKey(octets=octets, key=curve.BACKEND.load_key(octets))


def sign(
    interface: Interface, *, secret_key: SecretKey, header: bytes, messages: Sequence[bytes]
) -> bytes:
    """Sign messages.

    Spec: section 3.5.1.

    Args:
        interface: suite and api_id.
        secret_key: the signer's.
        header: bound to the signature, shown with every proof.
        messages: at most 256.

    Returns:
        80 octets, verified before they are handed out.

    Raises:
        Malformed: too many or too long messages.
        SigningUnavailable: no constant-time library.

    Secret: `secret_key` and `messages`; run time depends on lengths only.
    """
    public = secret_key.public
    chosen = generators.create(interface, len(messages))
    scalars = [interface.secret_message(each) for each in messages]
    domain = generators.domain(
        interface, public_key=public.octets, generators=chosen, header=header
    )
    e = secret_scalar(interface, secret_key.scalar + b"".join(scalars) + octets_of(domain), b"H2S_")
    return seal(bind(chosen, domain, scalars), e=e, secret_key=secret_key)


def verify(
    interface: Interface,
    *,
    public_key: PublicKey,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
) -> None:
    """Verify a signature over all its messages.

    Spec: section 3.5.2.

    Raises:
        Malformed: not 80 octets of a point and a scalar, or too many or too long messages.
        BadSignature: it does not verify.

    Secret: nothing; messages are public here.
    """
    parsed = parse(signature)
    chosen = generators.create(interface, len(messages))
    domain = generators.domain(
        interface, public_key=public_key.octets, generators=chosen, header=header
    )
    scalars = [interface.message(each) for each in messages]
    check(parsed, chosen.table.sum([1, domain, *scalars]), public_key=public_key)


def parse(octets: bytes) -> Signature:
    """Take a signature apart.

    Spec: section 4.2.4.3 (octets_to_signature).

    Raises:
        Malformed: another length, no point of G1, the identity, or `e` zero or not below r.
    """
    if len(octets) != LENGTH:
        raise Malformed("a signature has 80 octets")
    e = octets[POINT_LENGTH:]
    int_of(e)
    return Signature(curve.BACKEND.decode(octets[:POINT_LENGTH]), Scalar(e))


def bind(chosen: Generators, domain: int, messages: Sequence[Scalar]) -> Point:
    """Return B: P1 + Q_1 * domain + the sum of H_i * message_i.

    Spec: section 3.6.1, step 3.

    Secret: `messages`; each multiple is made in constant time.
    """
    secret = curve.secret()
    if len(messages) != chosen.count:
        raise ValueError("as many messages as generators")
    p1, *rest = chosen.points
    scalars = [octets_of(domain), *messages]
    return secret.add(
        [p1, *(secret.multiply(point, m) for point, m in zip(rest, scalars, strict=True))]
    )


def seal(B: Point, *, e: Scalar, secret_key: SecretKey) -> bytes:  # noqa: N803, the draft's letter
    """Return the signature over B, after verifying it: a fault must not leak the key.

    Spec: section 3.6.1, steps 4 to 6.

    Raises:
        BadSignature: the signature that came out is wrong: the machine is.

    Secret: `secret_key`; in constant time.
    """
    secret = curve.secret()
    inverse = secret.field("inverse", secret.field("add", secret_key.scalar, e))
    A = secret.multiply(B, inverse)  # noqa: N806, the draft's letter
    check(Signature(A, e), B, public_key=secret_key.public)
    return secret.encode([A]) + e


def check(signature: Signature, B: Point, *, public_key: PublicKey) -> None:  # noqa: N803
    """Check e(A, W + BP2 * e) = e(B, BP2), as e(A, W) = e(B - A * e, BP2).

    Spec: section 3.6.2.

    Raises:
        BadSignature: it does not hold.
    """
    backend = curve.BACKEND
    A, e = signature.A, int.from_bytes(signature.e, "big")  # noqa: N806, the draft's letter
    right = backend.add([B, backend.negative(backend.sum_of([A], [e]))])
    if not backend.fits(A, right, public_key.key):
        raise BadSignature("the signature does not verify")


def secret_scalar(interface: Interface, secret: bytes, tag: bytes) -> Scalar:
    """Hash octets that may be secret to a scalar under the interface's `tag`.

    Secret: `secret`; reduced in constant time.
    """
    uniform = interface.suite.expand(secret, interface.api_id + tag, UNIFORM_LENGTH)
    return curve.secret().reduce(uniform)
