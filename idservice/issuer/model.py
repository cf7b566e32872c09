"""What the issuer knows while it acts; none of it outlives its sealed row.

Carries out DESIGN section 2. `Offer` lies sealed under the pre-authorized code, `Authorisation`
under the access token; both forget themselves within 15 minutes. `StatusList` is what lasts: which
indices of a period are given out, and which are withdrawn, with nothing that says whose they are.
How a row is sealed stands in `crypto.sealed`, where it is kept in `storage/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from crypto.bbs.signature import SecretKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.jose.jws import Signer
from crypto.sealed.handle import Handle, parse_handle
from crypto.status import status_token
from crypto.status.bits import StatusBits
from idservice.errors import Code, ServiceError
from idservice.issuer import claims
from idservice.issuer.claims import Person
from idservice.period import Period
from idservice.verification.trust import Announced, AnnouncedBbs

SLOT: Final = 300
"""Seconds: expiry is kept as the number of a five-minute slot, never as a time."""
LIFETIME: Final = 600
"""Seconds that an offer or a token is promised to live; rounded up to a slot, at most 900."""
TRIES: Final = 5
TRANSACTION_CODE_DIGITS: Final = 6
RENEWALS: Final = 5
"""Offers to one handle for one period and configuration, as long as the first of them lives."""
ATTEMPTS: Final = 10
"""Answers to one token, so that none can use up the indices of a period."""
YEARS: Final = 5
"""Longest enrolment, and how long the hash of a withdrawn handle is kept."""

_INDEX_OCTETS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one resident may be issued once."""

    person: Person = field(repr=False)
    handle: Handle = field(repr=False)
    enrolled_until: date = field(repr=False)
    period: Period
    configuration: str
    renewal: bool

    def write(self) -> JsonObject:
        """Write it for sealing."""
        return {
            "person": self.person.record(),
            "handle": base64url.encode(self.handle),
            "enrolled_until": self.enrolled_until.isoformat(),
            "period": self.period,
            "configuration": self.configuration,
            "renewal": self.renewal,
        }

    @classmethod
    def parse(cls, value: JsonValue, *, today: date) -> "Entitlement":
        """Read what `write` wrote."""
        content = _object(value)
        period = content.get("period")
        if not isinstance(period, int):
            raise Malformed("period")
        return cls(
            person=claims.from_record(_object(content.get("person")), today=today),
            handle=parse_handle(base64url.decode(_text(content, "handle"))),
            enrolled_until=_day(content, "enrolled_until"),
            period=Period(period),
            configuration=_text(content, "configuration"),
            renewal=content.get("renewal") is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An entitlement before the token call; renewal has no transaction code."""

    entitlement: Entitlement
    transaction_code: str | None = field(repr=False)

    def write(self) -> bytes:
        """Write it for sealing."""
        content: JsonObject = {
            "entitlement": self.entitlement.write(),
            "transaction_code": self.transaction_code,
        }
        return canonical_json.serialize(content)

    @classmethod
    def parse(cls, data: bytes, *, today: date) -> "Offer":
        """Read what `write` wrote."""
        content = canonical_json.parse_object(data)
        code = content.get("transaction_code")
        return cls(
            entitlement=Entitlement.parse(content.get("entitlement"), today=today),
            transaction_code=code if isinstance(code, str) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Indices drawn for one answer, and the sealed index row that went with them.

    Which of several attempts took effect is told by the row that lasts: a crash between the two
    stores leaves an attempt behind whose indices may since belong to somebody else.
    """

    row: bytes
    """SHA-256 of the sealed index row."""
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """An entitlement after the token call."""

    entitlement: Entitlement
    day: date
    """Of the token call; ages are as they were then, so that a retry says the same."""
    attempts: tuple[Attempt, ...] = ()

    def attempted(self, attempt: Attempt) -> "Authorisation":
        """Return the next state: one more answer is about to be made."""
        return replace(self, attempts=(*self.attempts, attempt))

    def write(self) -> bytes:
        """Write it for sealing."""
        attempts: list[JsonValue] = [
            {"row": base64url.encode(attempt.row), "indices": list(attempt.indices)}
            for attempt in self.attempts
        ]
        content: JsonObject = {
            "entitlement": self.entitlement.write(),
            "day": self.day.isoformat(),
            "attempts": attempts,
        }
        return canonical_json.serialize(content)

    @classmethod
    def parse(cls, data: bytes, *, today: date) -> "Authorisation":
        """Read what `write` wrote."""
        content = canonical_json.parse_object(data)
        attempts = content.get("attempts")
        if not isinstance(attempts, list):
            raise Malformed("attempts")
        return cls(
            entitlement=Entitlement.parse(content.get("entitlement"), today=today),
            day=_day(content, "day"),
            attempts=tuple(_attempt(_object(entry)) for entry in attempts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """The indices of one period and configuration, one bit each, least significant bit first."""

    allocated: bytes
    statuses: bytes

    @classmethod
    def empty(cls, size: int) -> "StatusList":
        """Return a list with nothing given out; `size` is a power of two, at least 8."""
        return cls(allocated=bytes(size // 8), statuses=bytes(size // 8))

    def draw(
        self, count: int, *, random_bytes: RandomBytes
    ) -> tuple[tuple[int, ...], "StatusList"]:
        """Draw indices that nobody has, at random, so that none tells when it was given out.

        No two of one drawing lie side by side.

        Raises:
            ServiceError: `unavailable`, when more than three quarters would be given out: the
                city expected fewer instances than it has.
        """
        bits = bytearray(self.allocated)
        size = len(bits) * 8
        if (int.from_bytes(bits, "little").bit_count() + count) * 4 > size * 3:
            raise ServiceError(Code.UNAVAILABLE)
        drawn: list[int] = []
        while len(drawn) < count:
            index = int.from_bytes(random_bytes(_INDEX_OCTETS), "big") % size
            beside = index - 1 in drawn or index + 1 in drawn
            if not beside and not bits[index >> 3] >> (index & 7) & 1:
                bits[index >> 3] |= 1 << (index & 7)
                drawn.append(index)
        return tuple(drawn), replace(self, allocated=bytes(bits))

    def invalidate(self, indices: Sequence[int]) -> "StatusList":
        """Set the status of these indices to 1, INVALID."""
        before = StatusBits(bits=1, data=self.statuses)
        after = before.with_statuses(dict.fromkeys(indices, status_token.INVALID))
        return replace(self, statuses=after.data)

    def is_valid(self, index: int) -> bool:
        """Say whether the status of an index is 0, VALID."""
        lst = StatusBits(bits=1, data=self.statuses)
        return 0 <= index < lst.size and lst.get(index) == status_token.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingKey:
    """The one key of a period and configuration, and what the bundle announces with it."""

    issuer: str
    announced: Announced
    public_jwk: JsonObject
    sign: Signer = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BbsIssuingKey:
    """The one BBS key of a period and configuration, and what the bundle announces with it."""

    issuer: str
    announced: AnnouncedBbs
    secret_key: SecretKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a clerk hands over, told apart: the QR, the transaction code, the slip."""

    offer: str = field(repr=False)
    """The offer as a link, by value."""
    offer_by_reference: str = field(repr=False)
    transaction_code: str = field(repr=False)
    slip: str = field(repr=False)


def slot(now: UnixSeconds, *, lifetime: int = 0) -> int:
    """Return the slot in which something that lives so long ends; a row is gone at its slot."""
    return -((now + lifetime) // -SLOT) if lifetime else now // SLOT


def quarter(day: date) -> int:
    """Return the number of a quarter of a year."""
    return day.year * 4 + (day.month - 1) // 3


def _attempt(content: JsonObject) -> Attempt:
    indices = content.get("indices")
    if not isinstance(indices, list):
        raise Malformed("indices")
    return Attempt(
        row=base64url.decode(_text(content, "row")),
        indices=tuple(index for index in indices if isinstance(index, int)),
    )


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise Malformed("an object is missing")
    return value


def _text(content: JsonObject, name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise Malformed("a text is missing")
    return value


def _day(content: JsonObject, name: str) -> date:
    try:
        return date.fromisoformat(_text(content, name))
    except ValueError as error:
        raise Malformed("a day is missing") from error
