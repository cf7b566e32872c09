"""What the wallet knows: its holder's cards, the instances in them, and what is pinned.

DESIGN sections 2 and 3: an issuing of SD-JWT is twenty instances; one is kept unshown for
renewal, the others are shown once each. One of BBS is a single instance that is shown any number
of times. There is no list of where a card was shown unless the holder asked for receipts. How it
is kept on the disk stands in `storage/wallet.py`; what is sent and received in `protocol.py` and
`question.py`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs.jwp import HolderSecret
from crypto.bls.group import SigningUnavailable
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice import catalogue, period
from idservice.period import Period
from idservice.register.reading.knowledge import Pinned

RECEIPT_LIFETIME: Final = 30 * period.DAY
"""A receipt is gone after this, whatever else happens."""

RESUME_LIFETIME: Final = 15 * 60
"""How long the issuer answers the same token and keys again (DESIGN, "Sealed offers")."""

FORMAT_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        catalogue.CONFIGURATION: catalogue.FORMAT,
        catalogue.BBS_CONFIGURATION: catalogue.BBS_FORMAT,
    }
)
"""The configurations that this wallet keeps, and the format of each."""


class WalletError(Exception):
    """Something was not done; the text is a sentence for the holder and names no claim's value."""


class Declined(WalletError):
    """A well-formed no: the wallet or the other side refused."""


class Unusable(WalletError):
    """The wallet could not try: an unreadable file, a wrong passphrase, nobody answering."""


class AllShown(Declined):
    """Every instance that may be shown has been; the holder decides whether to reuse one."""


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn an error of `crypto`, whose text never holds input, into a sentence."""
    try:
        yield
    except CryptoError as error:
        raise Declined(f"{what} cannot be used: {error}.") from error
    except SigningUnavailable as error:
        raise Unusable(str(error)) from error


class Use(StrEnum):
    """What has become of an instance."""

    FRESH = "fresh"
    SHOWN = "shown"
    KEPT = "kept"
    """Set aside for renewal and never shown to a verifier."""
    RENEWED = "renewed"
    """Shown to the issuer, at renewal, and to nobody else."""
    LASTING = "lasting"
    """Shown any number of times, to verifiers and to the issuer: no showing tells of another, so
    none is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One copy of a credential with its own secret."""

    credential: str = field(repr=False)
    key: ec.EllipticCurvePrivateKey | HolderSecret = field(repr=False)
    """A key that signs, or what a BBS credential was signed over unseen."""
    use: Use
    showings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One issuing: the same claims in instances that nobody can tell to be one person's."""

    configuration: str
    vct: str
    period: Period
    not_before: UnixSeconds
    expires: UnixSeconds
    instances: tuple[Instance, ...] = field(repr=False)

    @property
    def format(self) -> str:
        """The credential format."""
        return FORMAT_OF[self.configuration]

    @property
    def lasting(self) -> bool:
        """Whether it can be shown any number of times."""
        return all(one.use is Use.LASTING for one in self.instances)

    def fresh(self) -> int:
        """Count the instances that can still be shown for the first time."""
        return sum(instance.use is Use.FRESH for instance in self.instances)

    def valid(self, now: UnixSeconds) -> bool:
        """Say whether the card's time has begun and is not over."""
        return self.not_before <= now < self.expires

    def pick(self, *uses: Use) -> int | None:
        """Return the place of the least shown instance in one of these uses."""
        places = [place for place, one in enumerate(self.instances) if one.use in uses]
        return min(places, key=lambda place: self.instances[place].showings, default=None)

    def marked(self, place: int, use: Use) -> "Card":
        """Return the card with one more showing of one instance."""
        old = self.instances[place]
        new = dataclasses.replace(old, use=use, showings=old.showings + 1)
        return dataclasses.replace(
            self, instances=(*self.instances[:place], new, *self.instances[place + 1 :])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A secret and the one commitment to it that is ever sent, so that a retry is the same."""

    secret: HolderSecret = field(repr=False)
    commitment: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An issuing whose token is spent and whose credentials have not arrived."""

    code: str = field(repr=False)
    configuration: str
    access_token: str = field(repr=False)
    keys: tuple[ec.EllipticCurvePrivateKey, ...] | Committed = field(repr=False)
    until: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was shown to whom, on which day; kept only where the holder switched receipts on."""

    day: str
    verifier: str
    policy: str
    claims: tuple[str, ...]
    pseudonym: bool
    """Whether a name was shown with them, by which this policy recognises its holder."""
    until: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """Everything in the file."""

    root_fingerprint: bytes | None = None
    pinned: Pinned | None = None
    """Whose register it is, and the newest of it that was seen."""
    bundle: bytes = field(default=b"", repr=False)
    cards: tuple[Card, ...] = ()
    pending: tuple[Pending, ...] = ()
    """One a configuration at most."""
    receipts_on: bool = False
    receipts: tuple[Receipt, ...] = ()

    def counting(self, now: UnixSeconds) -> "Wallet":
        """Return the wallet without cards whose time is over; `swept` besides."""
        cards = tuple(card for card in self.cards if now < card.expires)
        return dataclasses.replace(self.swept(now), cards=cards)

    def swept(self, now: UnixSeconds) -> "Wallet":
        """Return the wallet without what is past its time: issuings begun, and receipts.

        No card is among it: a clock that was wrong once may not cost its holder one.
        """
        return dataclasses.replace(
            self,
            pending=tuple(one for one in self.pending if now < one.until),
            receipts=tuple(receipt for receipt in self.receipts if now < receipt.until),
        )

    def newest(self, configuration: str) -> Card | None:
        """Return the card of the latest period, of one configuration."""
        cards = (card for card in self.cards if card.configuration == configuration)
        return max(cards, key=lambda card: card.period, default=None)

    def awaited(self, configuration: str) -> Pending | None:
        """Return the issuing of a configuration that is not finished."""
        waiting = (one for one in self.pending if one.configuration == configuration)
        return next(waiting, None)

    def awaiting(self, pending: Pending) -> "Wallet":
        """Return the wallet with an issuing begun, in the place of another of its kind."""
        others = self._without(pending.configuration)
        return dataclasses.replace(self, pending=(*others, pending))

    def holding(self, card: Card) -> "Wallet":
        """Return the wallet with a card whose issuing is finished."""
        others = self._without(card.configuration)
        return dataclasses.replace(self, cards=(*self.cards, card), pending=others)

    def _without(self, configuration: str) -> tuple[Pending, ...]:
        return tuple(one for one in self.pending if one.configuration != configuration)

    def current(self, card: Card) -> Card:
        """Return what is kept now of a card that was read earlier."""
        for kept in self.cards:
            if (kept.configuration, kept.period) == (card.configuration, card.period):
                return kept
        raise Declined("The card is no longer in the wallet.")

    def marked(self, card: Card, place: int, use: Use) -> "Wallet":
        """Return the wallet with one more showing of one instance of a card."""
        cards = tuple(one.marked(place, use) if one is card else one for one in self.cards)
        return dataclasses.replace(self, cards=cards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, as a value."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    limit: int = 64 * 1024
    """Octets of the answer's body that will be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer, as a value; `media_type` is lower case without parameters."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
