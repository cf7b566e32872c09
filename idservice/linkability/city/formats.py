"""One resident's way in each credential format: enrolled, issued, checked, shown twice.

Everything is done by the services' own code; only HTTP is left out. `REAL` names what an ideal
world replaces by random octets: whatever is not said in the clear. A format is one entry of
`FORMATS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from crypto.bbs import jwp
from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.sealed import handle
from idservice import catalogue, period
from idservice.issuer import protocol as counter
from idservice.issuer.service import Desk, Issuer
from idservice.linkability.city import bbs
from idservice.linkability.city.population import Resident
from idservice.verification import showing
from idservice.verification.trust import TrustBundle
from idservice.wallet import announced, protocol
from idservice.wallet import formats as wallet_formats
from idservice.wallet.formats import BbsOccasion, Occasion
from idservice.wallet.model import Declined, Instance, Use
from idservice.wallet.receipt import bbs as receipt
from idservice.wallet.receipt.bbs import Received

SHOWN: Final = 2
"""Instances of a batch that are shown, and that the game's wallets check at receipt."""


@dataclass(slots=True, kw_only=True)
class FixedClock:
    """Shows what it was set to: the hour is outside the game."""

    time: UnixSeconds

    def now(self) -> UnixSeconds:
        """Return it."""
        return self.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """An issuer's office and what wallets pinned of the city."""

    desk: Desk
    issuer: Issuer
    clock: FixedClock
    trust: TrustBundle
    bbs_key: bbs.Key = field(repr=False)
    random_bytes: RandomBytes = field(repr=False)
    """Of the wallets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What became of one resident."""

    shown: tuple[str, str] = field(repr=False)
    """As the two verifiers received it."""
    recorded: tuple[bytes, ...] = field(repr=False)
    """What an issuer sees of the issuing, if it records everything."""
    issued: str = field(repr=False)
    """The credential, or the first of a batch."""
    slip: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A credential format in the game."""

    id: str
    configuration: str
    walk: Callable[[Office, Resident, tuple[Occasion, Occasion]], Trip]
    recorded: Callable[[tuple[str, ...]], tuple[bytes, ...]]
    """What an issuer would keep of the credentials that it handed out."""
    in_town: bool
    """Whether the offices of a small town issue and take it as they run."""
    real: tuple[str, ...]
    """Beginnings of the paths of leaves that an ideal world draws at random."""
    real_numbers: tuple[str, ...]
    """The same for numbers."""
    stride: int
    """Octets between two windows of what is recorded."""

    @property
    def listed(self) -> bool:
        """Say whether a public list tells which cards are withdrawn."""
        return bool(self.real_numbers)


def _walk_sd_jwt(office: Office, resident: Resident, occasions: tuple[Occasion, Occasion]) -> Trip:
    enrolment = office.desk.enrol(resident.person)
    offer = protocol.parse_link(enrolment.offer)
    if isinstance(offer, str):
        raise Declined("An offer by value was expected.")
    token = office.issuer.token(
        counter.TokenRequest(
            code=counter.parse_secret(offer.code), transaction_code=enrolment.transaction_code
        )
    )
    holder_keys = [jwk.generate(random_bytes=office.random_bytes) for _ in range(catalogue.BATCH)]
    now, nonce = office.clock.now(), office.issuer.nonce()
    proofs: list[JsonValue] = [
        protocol.proof(key, issuer=office.trust.issuer, nonce=nonce, now=now) for key in holder_keys
    ]
    body: JsonObject = {
        "credential_configuration_id": catalogue.CONFIGURATION,
        "proofs": {"jwt": proofs},
    }
    credentials = office.issuer.credential(token, body)
    batch = announced.check(
        credentials[:SHOWN],
        keys=holder_keys[:SHOWN],
        announced=announced.find(
            office.trust.announced,
            credentials[0],
            configuration=catalogue.CONFIGURATION,
            periods=(period.of(now),),
        ),
        issuer=office.trust.issuer,
        root=office.trust.root,
        now=now,
    )
    show = wallet_formats.FORMATS[catalogue.FORMAT].show
    first, second = (
        show(Instance(credential=credential, key=key, use=Use.SHOWN), resident.asked, occasion)
        for credential, key, occasion in zip(
            batch.credentials, holder_keys, occasions, strict=False
        )
    )
    return Trip(
        shown=(first, second),
        recorded=_recorded_sd_jwt(credentials),
        issued=credentials[0],
        slip=enrolment.slip,
    )


def _recorded_sd_jwt(credentials: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the signatures of all instances: what is surest to be seen again."""
    tokens = (credential.partition("~")[0] for credential in credentials)
    return tuple(base64url.decode(token.rpartition(".")[2]) for token in tokens)


SD_JWT: Final = Format(
    id=catalogue.FORMAT,
    configuration=catalogue.CONFIGURATION,
    walk=_walk_sd_jwt,
    recorded=_recorded_sd_jwt,
    in_town=True,
    real=(
        "1/0/_sd/",
        "1/0/address/_sd/",
        "1/0/cnf/jwk/x",
        "1/0/cnf/jwk/y",
        "1/0/status/status_list/idx",
        "2/0",
        "2/1/0",
        "2/2/0",
        "4/0/sd_hash",
        "4/0",
    ),
    real_numbers=("1/0/status/status_list/idx",),
    stride=64,
)


def _walk_bbs(office: Office, resident: Resident, occasions: tuple[Occasion, Occasion]) -> Trip:
    slip = handle.new_slip(random_bytes=office.random_bytes)
    secret, commitment = jwp.request(random_bytes=office.random_bytes)
    now = office.clock.now()
    content = bbs.payloads(
        resident.person,
        handle=handle.handle(slip),
        enrolled_until=period.day(UnixSeconds(now + period.LENGTH)),
        on=period.day(now),
        random_bytes=office.random_bytes,
    )
    credential = bbs.issue(office.bbs_key, content, commitment=commitment, mark=resident.number)
    received = receipt.check(
        credential,
        secret=secret,
        entries=[office.bbs_key.announced],
        configuration=catalogue.BBS_CONFIGURATION,
        periods=(period.of(now),),
    )
    instance = Instance(credential=credential, key=secret, use=Use.LASTING)
    show = wallet_formats.FORMATS[catalogue.BBS_FORMAT].show
    first, second = (
        show(instance, resident.asked, _bound(occasion, received, office.random_bytes))
        for occasion in occasions
    )
    return Trip(
        shown=(first, second),
        recorded=(commitment, *_recorded_bbs((credential,))),
        issued=credential,
        slip=handle.write_slip(slip),
    )


def _bound(occasion: Occasion, received: Received, random_bytes: RandomBytes) -> Occasion:
    """Bind a BBS showing to a question that no request object carried."""
    told = BbsOccasion(
        announced=received.announced,
        request_hash=showing.direct_request_hash(nonce=occasion.nonce, policy="the-game"),
        nym_context=None,
        random_bytes=random_bytes,
    )
    return replace(occasion, bbs=told)


def _recorded_bbs(credentials: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return everything in the credential: payloads, signature, entropy."""
    _, payloads, values = credentials[0].split(".")
    return tuple(map(base64url.decode, (*payloads.split("~"), *values.split("~"))))


BBS: Final = Format(
    id=catalogue.BBS_FORMAT,
    configuration=catalogue.BBS_CONFIGURATION,
    walk=_walk_bbs,
    recorded=_recorded_bbs,
    in_town=False,
    real=("3/0",),
    real_numbers=(),
    stride=4,
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({SD_JWT.id: SD_JWT, BBS.id: BBS})
"""By the format's identifier."""
