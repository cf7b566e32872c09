"""What the wallet does, one method per act: pin, receive, ask, answer, refuse, renew, withdraw.

DESIGN sections 2 to 4. The order in each act is decide, record, sign, hand over: a one-time
instance is marked as shown and on the disk before the answer that shows it is signed, so a crash
can waste an instance and never show one twice; of showing a lasting one nothing is written. How
credentials are picked up stands in `issuing/collect.py`. Nothing is fetched at a showing but the
request itself; the trust bundle comes from a file that somebody fetched earlier (`pinning`).
Refusing, not having and a request beyond its policy post the same words after the same pause
(`pause` is lent by the caller).
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.sealed import handle
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.period import Period
from idservice.verification import dcql, openid4vp, openid4vp_answer, showing
from idservice.verification.trust import TrustBundle
from idservice.wallet import protocol, question
from idservice.wallet.formats import FORMATS, BbsOccasion, Occasion
from idservice.wallet.issuing.collect import Collector
from idservice.wallet.model import (
    RECEIPT_LIFETIME,
    AllShown,
    Card,
    Declined,
    Instance,
    Pending,
    Receipt,
    Unusable,
    Use,
    Wallet,
    understood,
)
from idservice.wallet.pinning import Pinning
from idservice.wallet.ports import WalletStore, Wire
from idservice.wallet.question import Holding, Objection, Question
from idservice.wallet.receipt import values

_NONCE_LENGTH = 16


class WalletService:
    """One holder's wallet at work."""

    def __init__(
        self,
        *,
        store: WalletStore,
        wire: Wire,
        clock: Clock,
        random_bytes: RandomBytes,
        pause: Callable[[], None],
    ) -> None:
        self._store = store
        self._pinning = Pinning(store, clock=clock)
        self._wire = wire
        self._clock = clock
        self._random_bytes = random_bytes
        self._pause = pause

    # what the wallet holds

    def wallet(self) -> Wallet:
        """Return what counts now; saving this is for a card that an issuer has just given.

        Until then a card whose time is over is kept unseen, because the clock may be wrong.
        """
        return self._store.load().counting(self._clock.now())

    def _kept(self) -> Wallet:
        """Return what may be saved again at any time."""
        return self._store.load().swept(self._clock.now())

    def trust(self) -> TrustBundle:
        """Return the pinned bundle."""
        return self._pinning.known().trust

    def says(self, card: Card) -> JsonObject:
        """Return the claims of a card, by the names of the catalogue."""
        claims = _read(card)
        return {name: _member(claims, name) for name in catalogue.CLAIMS}

    def city(self) -> str:
        """Name the city, and say it if it is none in earnest."""
        known = self._pinning.known()
        return known.trust.city + ("" if known.marked is None else f" (a {known.marked})")

    def unchecked_since(self) -> date | None:
        """Return since when new keys and policies may be missing, if that is too long ago."""
        return self._pinning.unchecked_since()

    def pin(
        self, data: bytes, *, root_fingerprint: bytes | None, charter: bytes | None = None
    ) -> TrustBundle:
        """Take a newer trust bundle; the first one pins the city, see `Pinning.pin`."""
        return self._pinning.pin(data, root=root_fingerprint, charter=charter).trust

    def keep_receipts(self, *, on: bool) -> None:
        """Switch receipts on or off; switching off forgets those that are there."""
        wallet = self._kept()
        receipts = wallet.receipts if on else ()
        self._store.save(dataclasses.replace(wallet, receipts_on=on, receipts=receipts))

    def forget(self, which: Period, *, configuration: str | None = None) -> None:
        """Drop the cards of one period, or the one of this configuration."""
        wallet = self._kept()
        kinds = {configuration or card.configuration for card in wallet.cards}
        left = tuple(
            card for card in wallet.cards if card.period != which or card.configuration not in kinds
        )
        if len(left) == len(wallet.cards):
            raise Declined("There is no card of this period.")
        self._store.save(dataclasses.replace(wallet, cards=left))

    # receiving

    def receive(self, link: str, *, transaction_code: Callable[[], str]) -> Card:
        """Pick up an offer made in person.

        Args:
            link: what the QR code says.
            transaction_code: asks the holder; called only where the code is needed.
        """
        bundle, wallet = self.trust(), self.wallet()
        self._pinning.check_issuing()
        collector = self._collector(bundle)
        offer = collector.offer(link)
        configuration = protocol.check_offer(offer, issuer=bundle.issuer)
        if wallet.newest(configuration) is not None:
            raise Declined("This wallet holds a card already; use another folder, or forget it.")
        periods = _servable(self._clock.now())
        collector.check_announced(configuration, periods=periods)
        pending = wallet.awaited(configuration)
        if pending is None or pending.code != offer.code:
            if not offer.asks_for_transaction_code:
                raise Declined("The offer has no transaction code, so anybody could take it.")
            pending = collector.take(offer, configuration, transaction_code=transaction_code())
        card, _ = collector.collect(pending, periods=periods)
        self._store.save(self.wallet().holding(card))
        return card

    def renewable_from(self, card: Card) -> UnixSeconds:
        """Return when the card can be renewed: by the calendar, never by use."""
        following = period.not_before(Period(card.period + 1))
        return UnixSeconds(following - period.RENEWAL_WINDOW)

    def renewable(self) -> tuple[str, ...]:
        """Return the configurations whose newest card can be renewed now."""
        now, wallet = self._clock.now(), self.wallet()
        cards = filter(None, map(wallet.newest, catalogue.CONFIGURATIONS))
        due = (card for card in cards if now >= self.renewable_from(card))
        return tuple(card.configuration for card in due)

    def renew(self, configuration: str = catalogue.CONFIGURATION) -> Card:
        """Trade a card for one of the period that is served now; it counts from its own time on.

        Args:
            configuration: the kind of card.
        """
        now, bundle, wallet = self._clock.now(), self.trust(), self.wallet()
        card = wallet.newest(configuration)
        if card is None:
            raise Declined("There is no card whose time is running, so none to renew.")
        if now < self.renewable_from(card):
            day = period.day(self.renewable_from(card))
            raise Declined(f"The card can be renewed from {day} on.")
        self._pinning.check_issuing()
        current = period.of(now)
        target = Period(current + 1) if card.period == current else current
        collector = self._collector(bundle)
        collector.check_announced(configuration, periods=(target,))
        pending = wallet.awaited(configuration) or self._offered_for(card, collector, bundle)
        new, claims = collector.collect(pending, periods=(target,))
        values.check_same(self.says(card), claims)
        self._store.save(self.wallet().holding(new))
        return new

    def withdraw(self, slip: str) -> None:
        """Withdraw at the pinned city's issuer; what this wallet holds is left alone."""
        withdraw(slip, issuer=self.trust().issuer, wire=self._wire)

    # showing

    def ask(self, link: str) -> Question | Objection:
        """Fetch and authenticate a request, and hold it against its policy and the cards.

        Raises:
            Declined: nobody known signed it; nothing is ever posted to such an address.
        """
        now, bundle = self._clock.now(), self.trust()
        with understood("The request"):
            invitation = openid4vp.parse_invitation(link, loopback=bundle.demonstration)
        nonce = base64url.encode(self._random_bytes(_NONCE_LENGTH)) if invitation.post else None
        response = self._wire.send(question.fetch(invitation, wallet_nonce=nonce))
        with understood("The request"):
            request_object = question.request_object(response)
            request = openid4vp.authenticate(
                request_object,
                invitation=invitation,
                wallet_nonce=nonce,
                root=bundle.root,
                now=now,
            )
        return self._considered(request, showing.request_hash(request_object), bundle)

    def ask_directly(self, policy: str, *, client_id: str, nonce: str) -> Question | Objection:
        """Hold a policy and a nonce that the holder was given against the cards.

        For `present`: nothing is fetched and nothing posted. A card that lasts is preferred.

        Args:
            policy: its id, in the pinned bundle.
            client_id: to whom the answer will be worth something.
            nonce: that verifier's, used once.
        """
        bundle = self.trust()
        known = bundle.policies.get(policy)
        if known is None:
            raise Declined("There is no such policy in the city's bundle.")
        held = {card.format for card in self._running(self._clock.now())}
        preferred = (catalogue.BBS_FORMAT, *known.formats)
        fitting = [one for one in preferred if one in known.formats and one in held]
        with understood("The question"):
            request = question.directly(
                policy=known,
                client_id=client_id,
                nonce=nonce,
                credential_format=(*fitting, *known.formats)[0],
            )
        direct = showing.direct_request_hash(nonce=nonce, policy=policy)
        return self._considered(request, direct, bundle)

    def answer(
        self, asked: Question, *, shared: Sequence[str], reuse: bool, pseudonym: bool = False
    ) -> str | None:
        """Show what is needed and what the holder picked; each one-time instance once.

        Args:
            asked: from `ask`, after the holder's yes.
            shared: optional claims that the holder picked.
            reuse: whether an instance that was shown before may be shown again.
            pseudonym: whether the holder said yes to being recognised again, a yes of its own.

        Returns:
            Where the holder's browser goes on, if the verifier says so.

        Raises:
            AllShown: nothing unshown is left, and reuse was not allowed; nothing was sent.
        """
        presentation = self.present(asked, shared=shared, reuse=reuse, pseudonym=pseudonym)
        form = openid4vp_answer.write_answer(
            asked.request, presentation, random_bytes=self._random_bytes
        )
        response = self._wire.send(question.post(asked.request, form))
        with understood("The verifier's reply"):
            return question.redirect(response)

    def present(
        self, asked: Question, *, shared: Sequence[str], reuse: bool, pseudonym: bool = False
    ) -> str:
        """Make the presentation that `answer` posts, to be handed over; otherwise as `answer`."""
        if not set(shared) <= set(asked.choices):
            raise Unusable("Only claims that the request leaves to your choice can be shared.")
        if pseudonym and asked.pseudonym is None:
            raise Unusable("This policy knows no pseudonym, or none with this kind of card.")
        now, wallet = self._clock.now(), self._kept()
        card = wallet.current(asked.holding.card)
        place = card.pick(Use.FRESH, Use.LASTING)
        if place is None and reuse:
            place = card.pick(Use.SHOWN)
        if place is None:
            raise AllShown("Every copy that may be shown has been shown once already.")
        claims = (*asked.needed, *(name for name in asked.choices if name in shared))
        occasion = self._occasion(asked, card, pseudonym=pseudonym)
        marked = wallet if card.lasting else wallet.marked(card, place, Use.SHOWN)
        noted = _with_receipt(marked, asked, claims, now, pseudonym=pseudonym)
        if noted is not wallet:
            self._store.save(noted)
        return _show(card.instances[place], card, claims, occasion)

    def refuse(self, request: openid4vp.Request) -> None:
        """Answer no, in the same words after the same pause whatever the reason is."""
        self._pause()
        form = openid4vp_answer.write_refusal(request)
        self._wire.send(question.post(request, form))

    def _considered(
        self, request: openid4vp.Request, request_hash: bytes, bundle: TrustBundle
    ) -> Question | Objection:
        now = self._clock.now()
        return question.consider(
            request,
            request_hash=request_hash,
            trust=bundle,
            today=period.day(now),
            holdings=[Holding(card=card, claims=_read(card)) for card in self._running(now)],
        )

    def _running(self, now: UnixSeconds) -> list[Card]:
        """Return the cards whose time is running, the preferred first."""
        running = [card for card in self.wallet().cards if card.valid(now)]
        running.sort(key=lambda card: (card.lasting or card.fresh() > 0, card.period), reverse=True)
        return running

    def _occasion(self, asked: Question, card: Card, *, pseudonym: bool) -> Occasion:
        """Say what the answer is bound to; the pseudonym's context is of our own making."""
        bundle, context = self.trust(), None
        if pseudonym and asked.pseudonym is not None:
            context = showing.nym_context(
                label=asked.pseudonym,
                city=bundle.issuer,
                policy=asked.policy.id,
                period=card.period,
            )
        return Occasion(
            audience=asked.request.client_id,
            nonce=asked.request.nonce,
            now=self._clock.now(),
            bbs=self._bbs(card, bundle, request_hash=asked.request_hash, nym_context=context),
        )

    def _bbs(
        self, card: Card, bundle: TrustBundle, *, request_hash: bytes, nym_context: bytes | None
    ) -> BbsOccasion | None:
        if card.format != catalogue.BBS_FORMAT:
            return None
        entry = bundle.find_bbs(configuration=card.configuration, period=card.period)
        if entry is None:
            raise Declined("The city no longer announces the period of this card.")
        return BbsOccasion(
            announced=entry,
            request_hash=request_hash,
            nym_context=nym_context,
            random_bytes=self._random_bytes,
        )

    def _collector(self, bundle: TrustBundle) -> Collector:
        return Collector(
            bundle,
            store=self._store,
            wire=self._wire,
            clock=self._clock,
            random_bytes=self._random_bytes,
        )

    def _offered_for(self, card: Card, collector: Collector, bundle: TrustBundle) -> Pending:
        """Show the issuer everything, by the instance kept for it, for a new offer."""
        place = card.pick(Use.KEPT, Use.RENEWED, Use.LASTING)
        if place is None:
            raise Declined("No instance was kept for renewal; the card runs out at its date.")
        nonce = collector.nonce(card.configuration)
        if not card.lasting:
            wallet = self._kept()
            self._store.save(wallet.marked(wallet.current(card), place, Use.RENEWED))
        direct = showing.direct_request_hash(nonce=nonce, policy=showing.RENEWAL)
        occasion = Occasion(
            audience=bundle.issuer,
            nonce=nonce,
            now=self._clock.now(),
            bbs=self._bbs(card, bundle, request_hash=direct, nym_context=None),
        )
        presentation = _show(card.instances[place], card, catalogue.CLAIMS, occasion)
        response = self._wire.send(
            protocol.renewal_request(bundle.issuer, presentation=presentation)
        )
        with understood("The renewed offer"):
            offer = protocol.parse_renewal(response)
        if protocol.check_offer(offer, issuer=bundle.issuer) != card.configuration:
            raise Declined("The issuer offers another kind of card than the one to be renewed.")
        return collector.take(offer, card.configuration, transaction_code=None)


def withdraw(slip: str, *, issuer: str, wire: Wire) -> None:
    """Tell an issuer to withdraw everything issued on a slip; no wallet is needed for it.

    Args:
        slip: as somebody typed it.
        issuer: the issuer's base address.
        wire: sends the one request.
    """
    with understood("The slip"):
        written = handle.write_slip(handle.parse_slip(slip))
    response = wire.send(protocol.withdrawal_request(issuer.rstrip("/"), slip=written))
    protocol.check_withdrawal(response)


def _member(claims: JsonObject, name: str) -> JsonValue:
    found = dcql.find(claims, tuple(name.split(".")))
    return found[0] if found else None


def _servable(now: UnixSeconds) -> tuple[Period, ...]:
    current = period.of(now)
    following = (Period(current + 1),) if period.in_renewal_window(now) else ()
    return (current, *following)


def _read(card: Card) -> JsonObject:
    return FORMATS[card.format].read(card.instances[0].credential)


def _show(instance: Instance, card: Card, claims: Sequence[str], occasion: Occasion) -> str:
    with understood("The kept card"):
        return FORMATS[card.format].show(instance, claims, occasion)


def _with_receipt(
    wallet: Wallet,
    asked: Question,
    claims: tuple[str, ...],
    now: UnixSeconds,
    *,
    pseudonym: bool,
) -> Wallet:
    if not wallet.receipts_on:
        return wallet
    receipt = Receipt(
        day=period.day(now).isoformat(),
        verifier=asked.policy.verifier,
        policy=asked.policy.id,
        claims=claims,
        pseudonym=pseudonym,
        until=UnixSeconds(now + RECEIPT_LIFETIME),
    )
    return dataclasses.replace(wallet, receipts=(*wallet.receipts, receipt))
