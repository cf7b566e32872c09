"""What an interface of BBS fixes: generators, messages as scalars, and the domain.

draft-irtf-cfrg-bbs-signatures-09, sections 4.1.1 (generators), 4.2.1 (domain), 4.1.2 (messages to
scalars). An interface is a suite and an `api_id`; base, blind and pseudonym interface differ in
it, so that nothing made under one counts under another. Generators are made once for each number
of messages and laid out for sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from crypto.bbs.ciphersuite import Ciphersuite
from crypto.bls import curve
from crypto.bls.group import UNIFORM_LENGTH, Point, Scalar, Table, octets_of
from crypto.errors import Malformed

MOST_MESSAGES: Final = 256
LONGEST_MESSAGE: Final = 65_536
"""Octets; longer ones are refused before they are hashed."""

_COUNT = 8
_SETS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Interface:
    """A suite and the `api_id` under which it is used."""

    suite: Ciphersuite
    name: bytes
    """What follows the suite's id in the `api_id`."""

    @property
    def api_id(self) -> bytes:
        """The octets that separate this interface from all others."""
        return self.suite.id + self.name

    def hash_to_scalar(self, message: bytes) -> int:
        """Hash public octets to a scalar, under the interface's own tag."""
        return self.suite.hash_to_scalar(message, self.api_id + b"H2S_")

    def message(self, message: bytes) -> int:
        """Map a message that is shown to its scalar.

        Raises:
            Malformed: longer than `LONGEST_MESSAGE`.
        """
        return self.suite.hash_to_scalar(_checked(message), self._message_tag())

    def secret_message(self, message: bytes) -> Scalar:
        """Map a message that may stay hidden to its scalar, reduced in constant time."""
        uniform = self.suite.expand(_checked(message), self._message_tag(), UNIFORM_LENGTH)
        return curve.secret().reduce(uniform)

    def _message_tag(self) -> bytes:
        return self.api_id + b"MAP_MSG_TO_SCALAR_AS_HASH_"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generators:
    """Q_1 and the H_i of one number of messages, with P1 in front where they are summed."""

    points: tuple[Point, ...]
    """P1, Q_1, H_1 ... H_L."""
    octets: bytes
    """Q_1, H_1 ... H_L, compressed, as the domain takes them."""
    table: Table
    """The same points laid out."""

    @property
    def count(self) -> int:
        """L, the number of messages."""
        return len(self.points) - 2


def create(
    interface: Interface, count: int, *, more: tuple[tuple[Interface, int], ...] = ()
) -> Generators:
    """Return generators for so many messages.

    Spec: section 4.1.1; for `more`, the drafts on blind signatures and pseudonyms, which put
    generators of other interfaces behind the first.

    Raises:
        Malformed: more than `MOST_MESSAGES`.
    """
    if count + sum(each for _, each in more) > MOST_MESSAGES:
        raise Malformed("more messages than this can be used for")
    return _create(interface, count, more)


@lru_cache(maxsize=_SETS_KEPT)
def _create(
    interface: Interface, count: int, more: tuple[tuple[Interface, int], ...]
) -> Generators:
    backend = curve.BACKEND
    found = list(hashed(interface, count + 1))
    for other, number in more:
        found += hashed(other, number)
    points = (backend.decode(interface.suite.p1), *found)
    return Generators(points=points, octets=backend.encode(points[1:]), table=backend.table(points))


def hashed(interface: Interface, count: int) -> Sequence[Point]:
    """Return the first points of an interface's series (`hash_to_generators`)."""
    suite, api_id = interface.suite, interface.api_id
    tag = api_id + b"SIG_GENERATOR_SEED_"
    state = suite.expand(api_id + b"MESSAGE_GENERATOR_SEED", tag, UNIFORM_LENGTH)
    points = []
    for number in range(1, count + 1):
        state = suite.expand(state + number.to_bytes(_COUNT, "big"), tag, UNIFORM_LENGTH)
        points.append(suite.hash_to_curve(state, api_id + b"SIG_GENERATOR_DST_"))
    return points


@lru_cache(maxsize=_SETS_KEPT)
def domain(
    interface: Interface, *, public_key: bytes, generators: Generators, header: bytes
) -> int:
    """Bind key, generators, interface and header into one scalar.

    Kept for the last few: an issuer has one key and one header a period.

    Spec: section 4.2.1.
    """
    return interface.hash_to_scalar(
        public_key
        + generators.count.to_bytes(_COUNT, "big")
        + generators.octets
        + interface.api_id
        + len(header).to_bytes(_COUNT, "big")
        + header
    )


def scalars(messages: Sequence[int]) -> bytes:
    """Write public scalars one after another (section 4.2.4.1, `serialize`)."""
    return b"".join(map(octets_of, messages))


def _checked(message: bytes) -> bytes:
    if len(message) > LONGEST_MESSAGE:
        raise Malformed("a message is longer than can be signed")
    return message
