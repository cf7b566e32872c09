"""From an offer to credentials that may be kept: fetch, trade, prove, collect, check.

DESIGN section 4, road 2, from the holder's side. What is needed to ask again, the token and the
secrets of the holder, is on the disk before the credentials are asked for, so a crash after that
loses nothing: the issuer answers the same request once more. What is said is `protocol.py`, what
may be kept `announced.py` and `receipt/bbs.py`; which card is wanted when is `service.py`.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from idservice import catalogue
from idservice.clock import Clock
from idservice.period import Period
from idservice.verification.trust import Announced, AnnouncedBbs, TrustBundle
from idservice.wallet import announced, protocol
from idservice.wallet.issuing import metadata
from idservice.wallet.issuing.metadata import Metadata
from idservice.wallet.model import (
    RESUME_LIFETIME,
    Card,
    Committed,
    Declined,
    Instance,
    Pending,
    Response,
    Use,
    understood,
)
from idservice.wallet.ports import WalletStore, Wire
from idservice.wallet.protocol import Offer
from idservice.wallet.receipt import bbs

_OK: Final = 200


class Collector:
    """Picks up what one city's issuer offers."""

    def __init__(
        self,
        trust: TrustBundle,
        *,
        store: WalletStore,
        wire: Wire,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._trust = trust
        self._store = store
        self._wire = wire
        self._clock = clock
        self._random_bytes = random_bytes

    def check_announced(self, configuration: str, *, periods: Sequence[Period]) -> None:
        """Make sure that what comes could be checked, before anything is spent on it."""
        entries: tuple[Announced | AnnouncedBbs, ...] = (
            *self._trust.announced,
            *self._trust.announced_bbs,
        )
        if not any(one.configuration == configuration and one.period in periods for one in entries):
            raise Declined(
                "The trust bundle in this wallet announces no such card for this time; take a newer"
                " one (--trust FILE)."
            )

    def offer(self, link: str) -> Offer:
        """Read an offer, or fetch it from where it lies."""
        with understood("The offer"):
            found = protocol.parse_link(link)
            if isinstance(found, Offer):
                return found
            if not metadata.is_under(found, self._trust.issuer):
                raise Declined("The offer lies at another address than the pinned issuer's.")
            response = self._wire.send(protocol.offer_request(found))
            if response.status != _OK:
                raise protocol.refused(response)
            return protocol.parse_offer(response.body)

    def nonce(self, configuration: str) -> str:
        """Ask the issuer for something fresh to sign."""
        return self._nonce(self._metadata(configuration))

    def take(self, offer: Offer, configuration: str, *, transaction_code: str | None) -> Pending:
        """Trade the offer's code for a token, and write down the token and fresh secrets."""
        keys = self._secrets(configuration)
        server = self._wire.send(metadata.server_request(self._trust.issuer))
        with understood("The issuer's metadata"):
            endpoint = metadata.parse_server(server, issuer=self._trust.issuer)
        response = self._wire.send(
            protocol.token_request(endpoint, code=offer.code, transaction_code=transaction_code)
        )
        with understood("The issuer's token"):
            token = protocol.parse_token(response)
        now = self._clock.now()
        pending = Pending(
            code=offer.code,
            configuration=configuration,
            access_token=token.access_token,
            keys=keys,
            until=UnixSeconds(now + RESUME_LIFETIME),
        )
        self._store.save(self._store.load().swept(now).awaiting(pending))
        return pending

    def collect(self, pending: Pending, *, periods: Sequence[Period]) -> tuple[Card, JsonObject]:
        """Fetch the credentials and hold them against the announcement.

        Args:
            pending: from `take`; the same as often as needed.
            periods: those that the issuer may serve now.

        Returns:
            The card, which is not kept yet, and what it says.
        """
        found = self._metadata(pending.configuration)
        match pending.keys:
            case Committed() as committed:
                return self._collect_bbs(pending, committed, found, periods)
            case keys:
                return self._collect_sd_jwt(pending, keys, found, periods)

    def _secrets(self, configuration: str) -> tuple[ec.EllipticCurvePrivateKey, ...] | Committed:
        if configuration == catalogue.BBS_CONFIGURATION:
            with understood("The commitment"):
                secret, commitment = jwp.request(random_bytes=self._random_bytes)
            return Committed(secret=secret, commitment=commitment)
        drawn = (jwk.generate(random_bytes=self._random_bytes) for _ in range(catalogue.BATCH))
        return tuple(drawn)

    def _collect_bbs(
        self, pending: Pending, committed: Committed, found: Metadata, periods: Sequence[Period]
    ) -> tuple[Card, JsonObject]:
        response = self._ask(pending, found, protocol.commitment_proof(committed.commitment))
        with understood("The issuer's answer"):
            (credential,) = protocol.parse_credentials(response, count=1)
        received = bbs.check(
            credential,
            secret=committed.secret,
            entries=self._trust.announced_bbs,
            configuration=pending.configuration,
            periods=periods,
        )
        instance = Instance(credential=credential, key=committed.secret, use=Use.LASTING)
        return _card(received.announced, (instance,)), received.claims

    def _collect_sd_jwt(
        self,
        pending: Pending,
        keys: tuple[ec.EllipticCurvePrivateKey, ...],
        found: Metadata,
        periods: Sequence[Period],
    ) -> tuple[Card, JsonObject]:
        """Prove the keys first; the last instance is set aside for renewal."""
        nonce, now = self._nonce(found), self._clock.now()
        proofs = [
            protocol.proof(key, issuer=self._trust.issuer, nonce=nonce, now=now) for key in keys
        ]
        response = self._ask(pending, found, protocol.key_proofs(proofs))
        with understood("The issuer's answer"):
            credentials = protocol.parse_credentials(response, count=len(keys))
            values = announced.find(
                self._trust.announced,
                credentials[0],
                configuration=pending.configuration,
                periods=periods,
            )
        batch = announced.check(
            credentials,
            keys=keys,
            announced=values,
            issuer=self._trust.issuer,
            root=self._trust.root,
            now=now,
        )
        uses = (*(Use.FRESH,) * (len(keys) - 1), Use.KEPT)
        instances = tuple(
            Instance(credential=credential, key=key, use=use)
            for credential, key, use in zip(batch.credentials, keys, uses, strict=True)
        )
        return _card(values, instances), batch.claims

    def _metadata(self, configuration: str) -> Metadata:
        response = self._wire.send(metadata.metadata_request(self._trust.issuer))
        with understood("The issuer's metadata"):
            found = metadata.parse_metadata(
                response,
                issuer=self._trust.issuer,
                root=self._trust.root,
                now=self._clock.now(),
            )
        found.check(configuration)
        return found

    def _nonce(self, found: Metadata) -> str:
        response = self._wire.send(protocol.nonce_request(found.nonce_endpoint))
        with understood("The issuer's nonce"):
            return protocol.parse_nonce(response)

    def _ask(self, pending: Pending, found: Metadata, proofs: JsonObject) -> Response:
        return self._wire.send(
            protocol.credential_request(
                found.credential_endpoint,
                access_token=pending.access_token,
                configuration=pending.configuration,
                proofs=proofs,
            )
        )


def _card(values: Announced | AnnouncedBbs, instances: tuple[Instance, ...]) -> Card:
    return Card(
        configuration=values.configuration,
        vct=values.vct,
        period=values.period,
        not_before=values.nbf,
        expires=values.exp,
        instances=instances,
    )
