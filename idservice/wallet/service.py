"""What the wallet does, one method per act: pin, receive, ask, answer, refuse, renew, withdraw.

DESIGN sections 2 to 4. The order in each act is decide, record, sign, hand over: an instance is
marked as shown and on the disk before the answer that shows it is signed, so a crash can waste
an instance and never show one twice. Nothing is fetched at a showing but the request itself; the
trust bundle comes from a file that somebody fetched earlier. Refusing, not having and a request
beyond its policy post the same words after the same pause (`pause` is lent by the caller).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.sealed import handle
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.period import Period
from idservice.verification import dcql, openid4vp, openid4vp_answer, trust
from idservice.verification.trust import Announced, TrustBundle
from idservice.wallet import announced, metadata, protocol, question
from idservice.wallet.formats import FORMATS, Occasion
from idservice.wallet.metadata import Metadata
from idservice.wallet.model import (
    RECEIPT_LIFETIME,
    RESUME_LIFETIME,
    AllShown,
    Card,
    Declined,
    Instance,
    Pending,
    Receipt,
    Unusable,
    Use,
    Wallet,
)
from idservice.wallet.ports import WalletStore, Wire
from idservice.wallet.protocol import Offer
from idservice.wallet.question import Holding, Objection, Question

STALE_AFTER_DAYS: Final = 7
"""A bundle older than this is shown as "not checked since DATE"."""

_NONCE_LENGTH = 16
_OK = 200


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
        self._wire = wire
        self._clock = clock
        self._random_bytes = random_bytes
        self._pause = pause

    # what the wallet holds

    def wallet(self) -> Wallet:
        """Return what is kept, without what is past its time."""
        return self._store.load().swept(self._clock.now())

    def trust(self) -> TrustBundle:
        """Return the pinned bundle."""
        return _bundle(self._store.load())

    def says(self, card: Card) -> JsonObject:
        """Return the claims of a card, by the names of the catalogue."""
        claims = FORMATS[catalogue.FORMAT].read(card.instances[0].credential)
        return {name: _member(claims, name) for name in catalogue.CLAIMS}

    def stale(self) -> bool:
        """Say whether the bundle is so old that new keys and policies may be missing."""
        return (period.day(self._clock.now()) - self.trust().day).days > STALE_AFTER_DAYS

    def pin(self, data: bytes, *, root_fingerprint: bytes | None) -> TrustBundle:
        """Take a newer trust bundle; the first one pins the city root.

        Args:
            data: the bundle's file.
            root_fingerprint: as printed on the enrolment sheet; needed the first time.
        """
        wallet = self._store.load()
        pinned = wallet.root_fingerprint or root_fingerprint
        if pinned is None:
            raise Unusable("The first bundle needs the root's fingerprint (enrolment sheet).")
        if root_fingerprint not in {None, pinned}:
            raise Declined("This wallet has another city root pinned.")
        known = _bundle(wallet).version if wallet.bundle else None
        with _understood("The trust bundle"):
            bundle = trust.parse(data, root_fingerprint=pinned, at_least_version=known)
        self._store.save(dataclasses.replace(wallet, root_fingerprint=pinned, bundle=data))
        return bundle

    def keep_receipts(self, *, on: bool) -> None:
        """Switch receipts on or off; switching off forgets those that are there."""
        wallet = self.wallet()
        receipts = wallet.receipts if on else ()
        self._store.save(dataclasses.replace(wallet, receipts_on=on, receipts=receipts))

    def forget(self, which: Period) -> None:
        """Drop the card of one period."""
        wallet = self.wallet()
        left = tuple(card for card in wallet.cards if card.period != which)
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
        bundle = self.trust()
        with _understood("The offer"):
            found = protocol.parse_link(link)
            offer = found if isinstance(found, Offer) else self._fetch_offer(found, bundle)
        protocol.check_offer(offer, issuer=bundle.issuer)
        if any(card.configuration == catalogue.CONFIGURATION for card in self.wallet().cards):
            raise Declined("This wallet holds a card already; use another folder, or forget it.")
        pending = self.wallet().pending
        if pending is None or pending.code != offer.code:
            if not offer.asks_for_transaction_code:
                raise Declined("The offer has no transaction code, so anybody could take it.")
            pending = self._take(offer, bundle, transaction_code=transaction_code())
        card, _ = self._collect(pending, bundle, periods=_servable(self._clock.now()))
        wallet = self.wallet()
        self._finish(wallet, (*wallet.cards, card))
        return card

    def renewable_from(self, card: Card) -> UnixSeconds:
        """Return when the card can be renewed: by the calendar, never by use."""
        following = period.not_before(Period(card.period + 1))
        return UnixSeconds(following - period.RENEWAL_WINDOW)

    def renew(self) -> Card:
        """Trade the instance kept for it for a card of the period that is served now."""
        now, bundle, wallet = self._clock.now(), self.trust(), self.wallet()
        card = max((one for one in wallet.cards), key=lambda one: one.period, default=None)
        if card is None or not card.valid(now):
            raise Declined("There is no card whose time is running, so none to renew.")
        if now < self.renewable_from(card):
            day = period.day(self.renewable_from(card))
            raise Declined(f"The card can be renewed from {day} on.")
        current = period.of(now)
        target = Period(current + 1) if card.period == current else current
        pending = wallet.pending or self._offered_for(card, bundle)
        new, claims = self._collect(pending, bundle, periods=(target,))
        announced.check_same(self.says(card), claims)
        wallet = self.wallet()
        self._finish(wallet, (*wallet.cards, new))
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
        with _understood("The request"):
            invitation = openid4vp.parse_invitation(link)
        nonce = base64url.encode(self._random_bytes(_NONCE_LENGTH)) if invitation.post else None
        response = self._wire.send(question.fetch(invitation, wallet_nonce=nonce))
        with _understood("The request"):
            request = openid4vp.authenticate(
                question.request_object(response),
                invitation=invitation,
                wallet_nonce=nonce,
                root=bundle.root,
                now=now,
            )
        running = [card for card in self.wallet().cards if card.valid(now)]
        running.sort(key=lambda card: (card.fresh() > 0, card.period), reverse=True)
        read = FORMATS[catalogue.FORMAT].read
        holdings = [
            Holding(card=card, claims=read(card.instances[0].credential)) for card in running
        ]
        return question.consider(request, trust=bundle, today=period.day(now), holdings=holdings)

    def answer(self, asked: Question, *, shared: Sequence[str], reuse: bool) -> str | None:
        """Show what is needed and what the holder picked; each instance once.

        Args:
            asked: from `ask`, after the holder's yes.
            shared: optional claims that the holder picked.
            reuse: whether an instance that was shown before may be shown again.

        Returns:
            Where the holder's browser goes on, if the verifier says so.

        Raises:
            AllShown: nothing unshown is left, and reuse was not allowed; nothing was sent.
        """
        if not set(shared) <= set(asked.choices):
            raise Unusable("Only claims that the request leaves to your choice can be shared.")
        now, wallet = self._clock.now(), self.wallet()
        card = wallet.current(asked.holding.card)
        place = card.pick(Use.FRESH)
        if place is None and reuse:
            place = card.pick(Use.SHOWN)
        if place is None:
            raise AllShown("Every copy that may be shown has been shown once already.")
        claims = (*asked.needed, *(name for name in asked.choices if name in shared))
        wallet = wallet.marked(card, place, Use.SHOWN)
        self._store.save(_with_receipt(wallet, asked, claims, now))
        occasion = Occasion(audience=asked.request.client_id, nonce=asked.request.nonce, now=now)
        presentation = FORMATS[catalogue.FORMAT].show(card.instances[place], claims, occasion)
        form = openid4vp_answer.write_answer(
            asked.request, presentation, random_bytes=self._random_bytes
        )
        response = self._wire.send(question.post(asked.request, form))
        with _understood("The verifier's reply"):
            return question.redirect(response)

    def refuse(self, request: openid4vp.Request) -> None:
        """Answer no, in the same words after the same pause whatever the reason is."""
        self._pause()
        form = openid4vp_answer.write_refusal(request)
        self._wire.send(question.post(request, form))

    # the road of an issuing

    def _fetch_offer(self, address: str, bundle: TrustBundle) -> Offer:
        if not metadata.is_under(address, bundle.issuer):
            raise Declined("The offer lies at another address than the pinned issuer's.")
        response = self._wire.send(protocol.offer_request(address))
        if response.status != _OK:
            raise protocol.refused(response)
        return protocol.parse_offer(response.body)

    def _metadata(self, bundle: TrustBundle) -> Metadata:
        response = self._wire.send(metadata.metadata_request(bundle.issuer))
        with _understood("The issuer's metadata"):
            found = metadata.parse_metadata(
                response, issuer=bundle.issuer, root=bundle.root, now=self._clock.now()
            )
        if found.formats.get(catalogue.CONFIGURATION) != catalogue.FORMAT:
            raise Declined("The issuer does not issue the resident card in this format.")
        return found

    def _take(self, offer: Offer, bundle: TrustBundle, *, transaction_code: str | None) -> Pending:
        """Trade the offer's code for a token, and write down the token and fresh keys."""
        server = self._wire.send(metadata.server_request(bundle.issuer))
        with _understood("The issuer's metadata"):
            endpoint = metadata.parse_server(server, issuer=bundle.issuer)
        response = self._wire.send(
            protocol.token_request(endpoint, code=offer.code, transaction_code=transaction_code)
        )
        with _understood("The issuer's token"):
            token = protocol.parse_token(response)
        keys = (jwk.generate(random_bytes=self._random_bytes) for _ in range(catalogue.BATCH))
        pending = Pending(
            code=offer.code,
            configuration=catalogue.CONFIGURATION,
            access_token=token.access_token,
            keys=tuple(keys),
            until=UnixSeconds(self._clock.now() + RESUME_LIFETIME),
        )
        self._store.save(dataclasses.replace(self.wallet(), pending=pending))
        return pending

    def _collect(
        self, pending: Pending, bundle: TrustBundle, *, periods: Sequence[Period]
    ) -> tuple[Card, JsonObject]:
        """Prove the keys, fetch the instances, and hold them against the announcement."""
        found = self._metadata(bundle)
        nonce = self._nonce(found)
        now = self._clock.now()
        proofs = [
            protocol.proof(key, issuer=bundle.issuer, nonce=nonce, now=now) for key in pending.keys
        ]
        response = self._wire.send(
            protocol.credential_request(
                found.credential_endpoint,
                access_token=pending.access_token,
                configuration=pending.configuration,
                proofs=proofs,
            )
        )
        with _understood("The issuer's answer"):
            credentials = protocol.parse_credentials(response, count=len(pending.keys))
            values = announced.find(
                bundle.announced,
                credentials[0],
                configuration=pending.configuration,
                periods=periods,
            )
        batch = announced.check(
            credentials,
            keys=pending.keys,
            announced=values,
            issuer=bundle.issuer,
            root=bundle.root,
            now=now,
        )
        return _card(batch.credentials, pending, values), batch.claims

    def _nonce(self, found: Metadata) -> str:
        response = self._wire.send(protocol.nonce_request(found.nonce_endpoint))
        with _understood("The issuer's nonce"):
            return protocol.parse_nonce(response)

    def _offered_for(self, card: Card, bundle: TrustBundle) -> Pending:
        """Show the kept instance to the issuer, all claims disclosed, for a new offer."""
        place = card.pick(Use.KEPT, Use.RENEWED)
        if place is None:
            raise Declined("No instance was kept for renewal; the card runs out at its date.")
        nonce = self._nonce(self._metadata(bundle))
        wallet = self.wallet()
        self._store.save(wallet.marked(wallet.current(card), place, Use.RENEWED))
        occasion = Occasion(audience=bundle.issuer, nonce=nonce, now=self._clock.now())
        presentation = FORMATS[catalogue.FORMAT].show(
            card.instances[place], catalogue.CLAIMS, occasion
        )
        response = self._wire.send(
            protocol.renewal_request(bundle.issuer, presentation=presentation)
        )
        with _understood("The renewed offer"):
            offer = protocol.parse_renewal(response)
        protocol.check_offer(offer, issuer=bundle.issuer)
        return self._take(offer, bundle, transaction_code=None)

    def _finish(self, wallet: Wallet, cards: tuple[Card, ...]) -> None:
        self._store.save(dataclasses.replace(wallet, cards=cards, pending=None))


def withdraw(slip: str, *, issuer: str, wire: Wire) -> None:
    """Tell an issuer to withdraw everything issued on a slip; no wallet is needed for it.

    Args:
        slip: as somebody typed it.
        issuer: the issuer's base address.
        wire: sends the one request.
    """
    with _understood("The slip"):
        written = handle.write_slip(handle.parse_slip(slip))
    response = wire.send(protocol.withdrawal_request(issuer.rstrip("/"), slip=written))
    protocol.check_withdrawal(response)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Turn an error of `crypto`, whose text never holds input, into a sentence."""
    try:
        yield
    except CryptoError as error:
        raise Declined(f"{what} cannot be used: {error}.") from error


def _bundle(wallet: Wallet) -> TrustBundle:
    if not wallet.bundle:
        raise Unusable("The wallet knows no city yet; `wallet receive --trust FILE` pins one.")
    with _understood("The pinned trust bundle"):
        return trust.parse(
            wallet.bundle, root_fingerprint=wallet.root_fingerprint, at_least_version=None
        )


def _member(claims: JsonObject, name: str) -> JsonValue:
    found = dcql.find(claims, tuple(name.split(".")))
    return found[0] if found else None


def _servable(now: UnixSeconds) -> tuple[Period, ...]:
    current = period.of(now)
    following = (Period(current + 1),) if period.in_renewal_window(now) else ()
    return (current, *following)


def _card(credentials: Sequence[str], pending: Pending, values: Announced) -> Card:
    """Make a card of a batch; the last instance is set aside for renewal."""
    uses = (*(Use.FRESH,) * (len(credentials) - 1), Use.KEPT)
    return Card(
        configuration=pending.configuration,
        vct=values.vct,
        period=Period(values.period),
        not_before=UnixSeconds(values.nbf),
        expires=UnixSeconds(values.exp),
        instances=tuple(
            Instance(credential=credential, key=key, use=use)
            for credential, key, use in zip(credentials, pending.keys, uses, strict=True)
        ),
    )


def _with_receipt(
    wallet: Wallet, asked: Question, claims: tuple[str, ...], now: UnixSeconds
) -> Wallet:
    if not wallet.receipts_on:
        return wallet
    receipt = Receipt(
        day=period.day(now).isoformat(),
        verifier=asked.policy.verifier,
        policy=asked.policy.id,
        claims=claims,
        until=UnixSeconds(now + RECEIPT_LIFETIME),
    )
    return dataclasses.replace(wallet, receipts=(*wallet.receipts, receipt))
