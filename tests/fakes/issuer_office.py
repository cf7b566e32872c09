"""An issuer's office for tests: a fake city's keys, a clock that is set by hand, any stores.

`Resident` is a holder who does what the standards say, and no more; the project's own wallet is
tested elsewhere.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs import jwp, signature
from crypto.bbs.jwp import HolderSecret, Issued
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import key_binding, sd_jwt, verify
from crypto.sealed import handle, offer
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import claims, protocol
from idservice.issuer.claims import Person
from idservice.issuer.model import BbsIssuingKey, Enrolment, IssuingKey
from idservice.issuer.ports import LastingStore, PendingStore
from idservice.issuer.schedule import Schedule, StatusKey
from idservice.issuer.service import Desk, Issuer, Stores
from idservice.period import Period
from idservice.verification import formats, showing
from idservice.verification.trust import AnnouncedBbs
from tests.fakes import city as cities
from tests.fakes.certificates import p256
from tests.fakes.city import FakeCity
from tests.fakes.issuer_stores import MemoryLasting, MemoryPending

NONCE_KEY = hashlib.sha256(b"nonce key").digest()

ADA: JsonObject = {
    "resident": True,
    "given_name": "Ada",
    "family_name": "Okonkwo",
    "birth_date": "1990-04-12",
    "locality": "Exampleton",
    "address": {"street_address": "Quay 7", "postal_code": "1234", "locality": "Exampleton"},
}


class HandClock:
    """Shows what it was set to."""

    def __init__(self, now: UnixSeconds) -> None:
        self.time = now

    def now(self) -> UnixSeconds:
        return self.time

    def forward(self, seconds: int) -> None:
        self.time = UnixSeconds(self.time + seconds)


class CityKeys:
    """The keys of the announced periods, as far as this test lends them."""

    def __init__(self, city: FakeCity) -> None:
        self.trust = city.trust
        self.stopped = False
        self._keys = {
            (each.configuration, each.period): IssuingKey(
                issuer=city.issuer,
                announced=each,
                public_jwk={**jwk.public_jwk(city.issuer_keys[each.period].public_key())},
                sign=jws.es256_signer(city.issuer_keys[each.period]),
            )
            for each in city.trust.announced
        }
        self._bbs_keys = {
            (each.configuration, each.period): BbsIssuingKey(
                issuer=city.issuer, announced=each, secret_key=city.bbs_keys[each.period]
            )
            for each in city.trust.announced_bbs
        }

    def issuing(self, number: Period, configuration: str) -> IssuingKey | None:
        return self._keys.get((configuration, number))

    def issuing_bbs(self, number: Period, configuration: str) -> BbsIssuingKey | None:
        return self._bbs_keys.get((configuration, number))

    def may_issue(self, number: Period, configuration: str, *, now: UnixSeconds) -> bool:
        return not self.stopped and (configuration, number, now) != ("", 0, 0)

    def announced(self) -> Sequence[IssuingKey]:
        return tuple(self._keys.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything about one issuer."""

    city: FakeCity
    keys: CityKeys
    clock: HandClock
    desk: Desk
    issuer: Issuer
    schedule: Schedule
    stores: Stores
    random_bytes: RandomBytes

    def enrol(self, record: JsonObject = ADA) -> tuple["Resident", Enrolment]:
        """Enrol somebody, who leaves with an offer and a slip."""
        person = claims.from_record(record, today=period.day(self.clock.now()))
        return self.enrol_person(person)

    def enrol_person(self, person: Person) -> tuple["Resident", Enrolment]:
        enrolment = self.desk.enrol(person)
        return Resident(office=self), enrolment

    def enrol_bbs(self, record: JsonObject = ADA) -> tuple["BbsResident", Enrolment]:
        """Enrol somebody for a BBS credential."""
        person = claims.from_record(record, today=period.day(self.clock.now()))
        enrolment = self.desk.enrol(person, configuration=catalogue.BBS_CONFIGURATION)
        return BbsResident(office=self), enrolment

    def late(self) -> None:
        """Go to the last days of the present period, in which the next one is served."""
        begun = period.not_before(period.of(self.clock.now()))
        self.clock.time = UnixSeconds(begun + 26 * period.DAY)

    def withdrawn(self, number: Period | None = None) -> tuple[int, ...]:
        """Return the indices whose bits are set in a period's list."""
        number = period.of(self.clock.now()) if number is None else number
        statuses = self.stores.lasting.statuses(number, catalogue.CONFIGURATION) or b""
        bits = int.from_bytes(statuses, "little")
        return tuple(index for index in range(bits.bit_length()) if bits >> index & 1)


@dataclass(slots=True)
class Resident:
    """Somebody with a standard wallet."""

    office: Office
    keys: list[ec.EllipticCurvePrivateKey] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)

    def take(
        self, enrolment: Enrolment, *, count: int = catalogue.BATCH, label: str = "key"
    ) -> list[str]:
        """Walk from the offer to the credentials."""
        token = self.office.issuer.token(token_request(enrolment))
        return self.issue(token, count=count, label=label)

    def take_renewal(self, content: JsonObject, *, label: str) -> list[str]:
        """Walk from a renewal's offer to the credentials."""
        request = protocol.TokenRequest(code=code_of(content), transaction_code=None)
        return self.issue(self.office.issuer.token(request), label=label)

    def issue(
        self, token: offer.Secret, *, count: int = catalogue.BATCH, label: str = "key"
    ) -> list[str]:
        """Ask for credentials with fresh keys made from `label`."""
        self.keys = [p256(f"{label} {number}") for number in range(count)]
        body = credential_body(self.office, self.keys)
        self.credentials = list(self.office.issuer.credential(token, body))
        return self.credentials

    def present(self, number: int = -1, *, nonce: str | None = None, **changes: str) -> str:
        """Show everything of one instance to the issuer."""
        return key_binding.sign(
            self.credentials[number],
            nonce=nonce or self.office.issuer.nonce(),
            audience=changes.get("audience", self.office.city.issuer),
            now=self.office.clock.now(),
            signer=jws.es256_signer(self.keys[number]),
        )

    def renew(self) -> JsonObject:
        """Ask for a renewal with the last instance."""
        return self.office.issuer.renew(self.present())

    def claims(self, number: int = 0) -> JsonObject:
        """Return everything one instance says, its signature checked."""
        return read(self.office, self.credentials[number])

    def indices(self) -> list[int]:
        """Return the status indices of all instances."""
        return [index_of(self.claims(number)) for number in range(len(self.credentials))]


@dataclass(slots=True)
class BbsResident:
    """Somebody with a wallet that holds BBS credentials."""

    office: Office
    secret: HolderSecret | None = None
    commitment: bytes = b""
    credential: str = ""

    def take(self, enrolment: Enrolment, *, label: str = "holder") -> str:
        """Walk from the offer to the credential."""
        return self.issue(self.office.issuer.token(token_request(enrolment)), label=label)

    def take_renewal(self, content: JsonObject, *, label: str) -> str:
        """Walk from a renewal's offer to the credential."""
        request = protocol.TokenRequest(code=code_of(content), transaction_code=None)
        return self.issue(self.office.issuer.token(request), label=label)

    def issue(self, token: offer.Secret, *, label: str = "holder") -> str:
        """Ask for a credential over a secret made from `label`."""
        self.secret, self.commitment = jwp.request(random_bytes=cities.chance(label))
        (self.credential,) = self.office.issuer.credential(token, bbs_body(self.commitment))
        return self.credential

    @property
    def announced(self) -> AnnouncedBbs:
        """What is announced for the credential."""
        header = base64url.decode(self.credential.split(".")[0])
        found = [each for each in self.office.city.trust.announced_bbs if each.header == header]
        (announced,) = found
        return announced

    @property
    def issued(self) -> Issued:
        """The credential, its signature checked as its holder does."""
        assert self.secret is not None
        return jwp.receive(
            self.credential,
            secret=self.secret,
            public_key=signature.load_public_key(self.announced.public_key),
            hashed=self.announced.hashed,
        )

    def claims(self) -> JsonObject:
        """Return everything the credential says, by the places of the claims."""
        return formats.bbs_claims(dict(enumerate(self.issued.payloads)), self.announced)

    def present(
        self,
        *,
        nonce: str | None = None,
        audience: str | None = None,
        asked: str = showing.RENEWAL,
        hidden: Collection[str] = (),
    ) -> str:
        """Show everything that is not `hidden` to the issuer."""
        nonce = nonce or self.office.issuer.nonce()
        slots = [at for at, name in enumerate(self.announced.slots) if name not in hidden]
        return jwp.present(
            self.issued,
            disclosed=slots,
            presentation_header=showing.presentation_header(
                audience=audience or self.office.city.issuer,
                nonce=nonce,
                request_hash=showing.direct_request_hash(nonce=nonce, policy=asked),
                nym_context=None,
            ),
            nym_context=None,
            public_key=signature.load_public_key(self.announced.public_key),
            hashed=self.announced.hashed,
            random_bytes=self.office.random_bytes,
        )

    def renew(self) -> JsonObject:
        """Ask for a renewal."""
        return self.office.issuer.renew(self.present())


def make(
    *,
    pending: PendingStore | None = None,
    lasting: LastingStore | None = None,
    now: UnixSeconds = cities.NOW,
    random_bytes: RandomBytes | None = None,
    tokens_per_minute: int = 10_000,
    city: FakeCity | None = None,
) -> Office:
    """Put an office together; its lists are published."""
    city = city or cities.make(now=now)
    clock = HandClock(now)
    stores = Stores(
        issuer=city.issuer,
        pending=pending or MemoryPending(),
        lasting=lasting or MemoryLasting(),
        clock=clock,
        random_bytes=random_bytes or cities.chance("office"),
    )
    keys = CityKeys(city)
    status_key = StatusKey(
        x5c=tuple(map(str, city.status_x5c)), sign=jws.es256_signer(city.status_key)
    )
    office = Office(
        city=city,
        keys=keys,
        clock=clock,
        desk=Desk(stores),
        issuer=Issuer(stores, keys=keys, nonce_key=NONCE_KEY, tokens_per_minute=tokens_per_minute),
        schedule=Schedule(stores, keys=keys, status_key=status_key),
        stores=stores,
        random_bytes=stores.random_bytes,
    )
    office.schedule.tick()
    return office


def offered(enrolment: Enrolment) -> JsonObject:
    """Read the offer in an enrolment's link."""
    return protocol_offer(enrolment.offer)


def protocol_offer(link: str) -> JsonObject:
    """Read an offer by value out of its link."""
    return canonical_json.parse_object(
        parse_qs(urlsplit(link).query)["credential_offer"][0].encode()
    )


def code_of(content: JsonObject) -> offer.Secret:
    """Read the pre-authorized code of an offer."""
    grants = content["grants"]
    assert isinstance(grants, dict)
    grant = grants[protocol.GRANT]
    assert isinstance(grant, dict)
    return protocol.parse_secret(str(grant["pre-authorized_code"]))


def token_request(enrolment: Enrolment) -> protocol.TokenRequest:
    """Trade an enrolment's code with its transaction code."""
    return protocol.TokenRequest(
        code=code_of(offered(enrolment)), transaction_code=enrolment.transaction_code
    )


def proof(
    office: Office,
    key: ec.EllipticCurvePrivateKey,
    *,
    nonce: str,
    header: Mapping[str, JsonValue] | None = None,
    payload: Mapping[str, JsonValue] | None = None,
) -> str:
    """Sign a key proof; `header` and `payload` change members, None takes one out."""
    head: JsonObject = {
        "alg": "ES256",
        "typ": "openid4vci-proof+jwt",
        "jwk": {**jwk.public_jwk(key.public_key())},
        **(header or {}),
    }
    content: JsonObject = {
        "aud": office.city.issuer,
        "iat": office.clock.now(),
        "nonce": nonce,
        **(payload or {}),
    }
    head = {name: value for name, value in head.items() if value is not None}
    content = {name: value for name, value in content.items() if value is not None}
    signing_input = ".".join(
        base64url.encode(canonical_json.serialize(part)) for part in (head, content)
    )
    signature = jws.es256_signer(key)(signing_input.encode())
    return f"{signing_input}.{base64url.encode(signature)}"


def credential_body(
    office: Office, keys: Sequence[ec.EllipticCurvePrivateKey], *, nonce: str | None = None
) -> JsonObject:
    """Write a credential request for these keys."""
    nonce = nonce or office.issuer.nonce()
    proofs: list[JsonValue] = [proof(office, key, nonce=nonce) for key in keys]
    return {
        "credential_configuration_id": catalogue.CONFIGURATION,
        "proofs": {"jwt": proofs},
    }


def bbs_body(commitment: bytes) -> JsonObject:
    """Write a request for a BBS credential."""
    return {
        "credential_configuration_id": catalogue.BBS_CONFIGURATION,
        "proofs": {protocol.COMMITMENT: [base64url.encode(commitment)]},
    }


def read(office: Office, credential: str) -> JsonObject:
    """Check a credential as its holder does, and return what it says."""
    parsed = sd_jwt.parse(credential)
    assert isinstance(parsed, sd_jwt.SdJwt)
    chain = parsed.issuer.header["x5c"]
    announced = next(each for each in office.city.trust.announced if [*each.x5c_text] == chain)
    key = office.city.issuer_keys[announced.period].public_key()
    return verify.verify_issued(parsed, issuer_key=key).claims


def index_of(content: JsonObject) -> int:
    """Return the status index in a credential's claims."""
    status = content["status"]
    assert isinstance(status, dict)
    entry = status["status_list"]
    assert isinstance(entry, dict)
    index = entry["idx"]
    assert isinstance(index, int)
    return index


def slip_of(enrolment: Enrolment) -> handle.Slip:
    """Read an enrolment's slip."""
    return handle.parse_slip(enrolment.slip)


def rows(office: Office) -> object:
    """Everything the issuer holds."""
    lasting, pending = office.stores.lasting, office.stores.pending
    assert isinstance(lasting, MemoryLasting)
    assert isinstance(pending, MemoryPending)
    return deepcopy((lasting._content, pending._offers, pending._tokens))


def refused(act: Callable[[], object], code: Code) -> None:
    """Hold that `act` is refused with `code`, which is all that is said."""
    with pytest.raises(ServiceError) as caught:
        act()
    assert caught.value.code is code
    assert str(caught.value) == code.value
