"""One resident's way in each credential format: enrolled, issued, checked, shown twice.

Everything is done by the service's own code; HTTP is left out. A format is one entry of
`FORMATS`; its `real` names what an ideal world replaces by random octets, which is whatever is not
said in the clear.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from crypto.bbs import jwp, signature
from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from idservice import catalogue, period
from idservice.issuer import protocol as counter
from idservice.issuer.service import Desk, Issuer
from idservice.linkability.city.population import Resident
from idservice.verification import showing
from idservice.verification.trust import TrustBundle
from idservice.wallet import announced, protocol
from idservice.wallet import formats as wallet_formats
from idservice.wallet.formats import Occasion
from idservice.wallet.model import Declined, Instance, Use

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
    keys = [jwk.generate(random_bytes=office.random_bytes) for _ in range(catalogue.BATCH)]
    now, nonce = office.clock.now(), office.issuer.nonce()
    proofs = [protocol.proof(key, issuer=office.trust.issuer, nonce=nonce, now=now) for key in keys]
    slip, credentials = _issued(
        office, resident, catalogue.CONFIGURATION, protocol.key_proofs(proofs)
    )
    batch = announced.check(
        credentials[:SHOWN],
        keys=keys[:SHOWN],
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
        for credential, key, occasion in zip(batch.credentials, keys, occasions, strict=False)
    )
    return Trip(
        shown=(first, second),
        recorded=_recorded_sd_jwt(credentials),
        issued=credentials[0],
        slip=slip,
    )


def _issued(
    office: Office, resident: Resident, configuration: str, proofs: JsonObject
) -> tuple[str, tuple[str, ...]]:
    """Enrol a resident and trade the offer for credentials; return the slip and these."""
    enrolment = office.desk.enrol(resident.person, configuration=configuration)
    offer = protocol.parse_link(enrolment.offer)
    if isinstance(offer, str):
        raise Declined("An offer by value was expected.")
    token = office.issuer.token(
        counter.TokenRequest(
            code=counter.parse_secret(offer.code), transaction_code=enrolment.transaction_code
        )
    )
    body: JsonObject = {"credential_configuration_id": configuration, "proofs": proofs}
    return enrolment.slip, office.issuer.credential(token, body)


def _recorded_sd_jwt(credentials: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the signatures of all instances: what is surest to be seen again."""
    tokens = (credential.partition("~")[0] for credential in credentials)
    return tuple(base64url.decode(token.rpartition(".")[2]) for token in tokens)


SD_JWT: Final = Format(
    id=catalogue.FORMAT,
    configuration=catalogue.CONFIGURATION,
    walk=_walk_sd_jwt,
    recorded=_recorded_sd_jwt,
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
    """Verify the signature once; the town's wallets look closer, and verify it at each showing."""
    secret, commitment = jwp.request(random_bytes=office.random_bytes)
    proofs = protocol.commitment_proof(commitment)
    slip, (credential,) = _issued(office, resident, catalogue.BBS_CONFIGURATION, proofs)
    (values,) = (
        each for each in office.trust.announced_bbs if each.period == period.of(office.clock.now())
    )
    public_key = signature.load_public_key(values.public_key)
    issued = jwp.receive(credential, secret=secret, public_key=public_key, hashed=values.hashed)
    first, second = (
        jwp.present(
            issued,
            disclosed=[values.slots.index(name) for name in resident.asked],
            presentation_header=showing.presentation_header(
                audience=occasion.audience,
                nonce=occasion.nonce,
                request_hash=showing.direct_request_hash(nonce=occasion.nonce, policy="the-game"),
                nym_context=None,
            ),
            nym_context=None,
            public_key=public_key,
            hashed=values.hashed,
            random_bytes=office.random_bytes,
        )
        for occasion in occasions
    )
    return Trip(
        shown=(first, second),
        recorded=(commitment, *_recorded_bbs((credential,))),
        issued=credential,
        slip=slip,
    )


def _recorded_bbs(credentials: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return everything in the credential: payloads, signature, entropy."""
    _, payloads, values = credentials[0].split(".")
    return tuple(map(base64url.decode, (*payloads.split("~"), *values.split("~"))))


BBS: Final = Format(
    id=catalogue.BBS_FORMAT,
    configuration=catalogue.BBS_CONFIGURATION,
    walk=_walk_bbs,
    recorded=_recorded_bbs,
    real=("3/0",),
    real_numbers=(),
    stride=4,
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({SD_JWT.id: SD_JWT, BBS.id: BBS})
"""By the format's identifier."""
