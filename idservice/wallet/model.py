"""What the wallet knows: its holder's cards, the one-time instances in them, and what is pinned.

DESIGN sections 2 and 3: an issuing is twenty instances; one is kept unshown for renewal, the
others are shown once each. There is no list of where a card was shown unless the holder asked
for receipts. How it is kept on the disk stands in `storage/wallet.py`; what is sent and received
in `protocol.py` and `question.py`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.instant import UnixSeconds
from idservice import period
from idservice.period import Period

RECEIPT_LIFETIME: Final = 30 * period.DAY
"""A receipt is gone after this, whatever else happens."""

RESUME_LIFETIME: Final = 15 * 60
"""How long the issuer answers the same token and keys again (DESIGN, "Sealed offers")."""


class WalletError(Exception):
    """Something was not done; the text is a sentence for the holder and names no claim's value."""


class Declined(WalletError):
    """A well-formed no: the wallet or the other side refused."""


class Unusable(WalletError):
    """The wallet could not try: an unreadable file, a wrong passphrase, nobody answering."""


class AllShown(Declined):
    """Every instance that may be shown has been; the holder decides whether to reuse one."""


class Use(StrEnum):
    """What has become of an instance."""

    FRESH = "fresh"
    SHOWN = "shown"
    KEPT = "kept"
    """Set aside for renewal and never shown to a verifier."""
    RENEWED = "renewed"
    """Shown to the issuer, at renewal, and to nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One copy of a credential with its own key."""

    credential: str = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)
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
class Pending:
    """An issuing whose token is spent and whose credentials have not arrived."""

    code: str = field(repr=False)
    configuration: str
    access_token: str = field(repr=False)
    keys: tuple[ec.EllipticCurvePrivateKey, ...] = field(repr=False)
    until: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was shown to whom, on which day; kept only where the holder switched receipts on."""

    day: str
    verifier: str
    policy: str
    claims: tuple[str, ...]
    until: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """Everything in the file."""

    root_fingerprint: bytes | None = None
    bundle: bytes = field(default=b"", repr=False)
    cards: tuple[Card, ...] = ()
    pending: Pending | None = None
    receipts_on: bool = False
    receipts: tuple[Receipt, ...] = ()

    def swept(self, now: UnixSeconds) -> "Wallet":
        """Return the wallet without what is past its time."""
        pending = self.pending if self.pending and now < self.pending.until else None
        return dataclasses.replace(
            self,
            cards=tuple(card for card in self.cards if now < card.expires),
            pending=pending,
            receipts=tuple(receipt for receipt in self.receipts if now < receipt.until),
        )

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
