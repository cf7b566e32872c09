"""A city's issuer on real files, and residents who pick up, so that a test may take the files.

The desk and the issuer are the real services on the real SQLite stores; the city around them is
`city.py`. What a resident holds is kept apart, as no office ever has it.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, jws
from crypto.sdjwt import key_binding, present, sd_jwt
from idservice import catalogue
from idservice.issuer import claims, protocol
from idservice.issuer.model import BbsIssuingKey, Enrolment, IssuingKey
from idservice.issuer.protocol import TokenRequest
from idservice.issuer.schedule import Schedule, StatusKey
from idservice.issuer.service import Desk, Issuer, Stores
from idservice.period import Period
from idservice.verification.trust import TrustBundle
from tests.fakes import city as cities
from tests.fakes import engines
from tests.fakes.city import FakeCity

NONCE_KEY = bytes(range(32))


class MovingClock:
    """A clock that a test moves."""

    def __init__(self, now: int) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


@dataclass(frozen=True, slots=True, kw_only=True)
class CityKeys:
    """The issuer's keys, those of the fake city."""

    city: FakeCity

    @property
    def trust(self) -> TrustBundle:
        return self.city.trust

    def issuing(self, period: Period, configuration: str) -> IssuingKey | None:
        found = self.city.trust.find(configuration=configuration, period=period)
        if found is None:
            return None
        key = self.city.issuer_keys[period]
        return IssuingKey(
            issuer=self.city.issuer,
            announced=found,
            public_jwk={**jwk.public_jwk(key.public_key())},
            sign=jws.es256_signer(key),
        )

    def issuing_bbs(self, period: Period, configuration: str) -> BbsIssuingKey | None:
        found = self.city.trust.find_bbs(configuration=configuration, period=period)
        if found is None:
            return None
        key = self.city.bbs_keys[period]
        return BbsIssuingKey(issuer=self.city.issuer, announced=found, secret_key=key)

    def may_issue(self, period: Period, configuration: str, *, now: int) -> bool:
        assert configuration
        return now > 0 and period > 0

    def announced(self) -> list[IssuingKey]:
        found = [
            self.issuing(each.period, each.configuration) for each in self.city.trust.announced
        ]
        return [key for key in found if key is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """What one person holds."""

    record: JsonObject
    enrolment: Enrolment
    keys: tuple[ec.EllipticCurvePrivateKey, ...]
    credentials: tuple[str, ...]

    def show(self, place: int, names: tuple[str, ...], *, audience: str, now: int) -> str:
        """Show claims of one instance."""
        shown = present.present(
            sd_jwt.parse(self.credentials[place]),
            paths=[tuple(name.split(".")) for name in names],
        )
        return key_binding.sign(
            shown,
            nonce="question",
            audience=audience,
            now=now,
            signer=jws.es256_signer(self.keys[place]),
        )


@dataclass(slots=True, kw_only=True)
class SeizedCity:
    """Desk, issuer and their files."""

    folder: Path
    city: FakeCity
    clock: MovingClock
    stores: Stores
    desk: Desk
    issuer: Issuer
    schedule: Schedule
    _keys: Iterator[ec.EllipticCurvePrivateKey] = field(repr=False)

    def enrol(self, record: JsonObject) -> Enrolment:
        """Enrol somebody at the desk."""
        data = canonical_json.serialize(record)
        return self.desk.enrol(claims.parse(data, today=self.today()))

    def pick_up(self, enrolment: Enrolment, record: JsonObject) -> Resident:
        """Do what the resident's wallet does."""
        token = self.issuer.token(
            TokenRequest(code=code_of(enrolment), transaction_code=enrolment.transaction_code)
        )
        keys = tuple(next(self._keys) for _ in range(catalogue.BATCH))
        nonce = self.issuer.nonce()
        proofs = [self._proof(key, nonce) for key in keys]
        body: JsonObject = {
            "credential_configuration_id": catalogue.CONFIGURATION,
            "proofs": {"jwt": proofs},
        }
        issued = self.issuer.credential(token, body)
        return Resident(record=record, enrolment=enrolment, keys=keys, credentials=issued)

    def resident(self, record: JsonObject) -> Resident:
        """Enrol somebody and pick up."""
        return self.pick_up(self.enrol(record), record)

    def today(self) -> object:
        return cities.period.day(self.clock.now())

    def files(self) -> Mapping[str, bytes]:
        """Take every file of the issuer's folder, as a thief or an officer would."""
        found = {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}
        assert "lasting.db" in found
        return found

    def rows(self, stem: str) -> Mapping[str, list[tuple[object, ...]]]:
        """Read every row of a database."""
        path = self.folder / f"{stem}.db"
        with closing(sqlite3.connect(path)) as database:
            query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
            names = [name for (name,) in database.execute(query)]
            return {
                name: database.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
                for name in names
                if name != "alembic_version"
            }

    def _proof(self, key: ec.EllipticCurvePrivateKey, nonce: str) -> str:
        return jws.sign(
            header={
                "alg": "ES256",
                "typ": protocol.PROOF_TYPE,
                "jwk": {**jwk.public_jwk(key.public_key())},
            },
            payload=canonical_json.serialize(
                {"aud": self.city.issuer, "iat": self.clock.now(), "nonce": nonce}
            ),
            signer=jws.es256_signer(key),
        )


def code_of(enrolment: Enrolment) -> object:
    """Read the pre-authorized code out of the QR's text."""
    (text,) = parse_qs(urlsplit(enrolment.offer).query)["credential_offer"]
    grants = canonical_json.parse_object(text.encode())["grants"]
    return protocol.parse_secret(str(grants[protocol.GRANT]["pre-authorized_code"]))


@contextmanager
def opened(folder: Path, *, random_bytes: object = None) -> Iterator[SeizedCity]:
    """Make a city whose issuer keeps its rows in `folder`."""
    around = cities.make()
    chance = random_bytes or cities.chance("seizure")
    clock = MovingClock(around.now)
    with engines.sqlite_databases(folder) as databases:
        stores = Stores(
            issuer=around.issuer,
            pending=databases.pending,
            lasting=databases.lasting,
            clock=clock,
            random_bytes=chance,
        )
        keys = CityKeys(city=around)
        status_key = StatusKey(
            x5c=tuple(map(str, around.status_x5c)), sign=jws.es256_signer(around.status_key)
        )
        schedule = Schedule(stores, keys=keys, status_key=status_key)
        schedule.tick()
        yield SeizedCity(
            folder=folder,
            city=around,
            clock=clock,
            stores=stores,
            desk=Desk(stores),
            schedule=schedule,
            issuer=Issuer(
                stores,
                keys=keys,
                nonce_key=NONCE_KEY,
                tokens_per_minute=10_000,
            ),
            _keys=iter(lambda: jwk.generate(random_bytes=chance), None),
        )


def record(number: int = 0, **more: object) -> JsonObject:
    """Return an enrolment record whose every value is unmistakable."""
    return {
        "resident": True,
        "given_name": f"Quillfeather{number:03}",
        "family_name": f"Vantongeren{number:03}",
        "birth_date": f"19{50 + number % 50}-0{1 + number % 9}-17",
        "locality": "Exampleton",
        "address": {"street_address": f"Hollyhock Passage {number:03}", "postal_code": "90417"},
        **more,
    }


def texts(credential: str) -> set[str]:
    """Take a credential or presentation apart into everything that a machine could compare."""
    parsed = sd_jwt.parse(credential)
    inner = getattr(parsed, "sd_jwt", parsed)
    found: set[str] = set()
    _collect(inner.issuer.header, "header", found)
    _collect(canonical_json.parse_object(inner.issuer.payload), "", found)
    found.add(f"signature={base64url.encode(inner.issuer.signature)}")
    for text in inner.disclosures:
        found.add(f"disclosure={text}")
        salt, *said = canonical_json.parse(base64url.decode(text))
        found.add(f"salt={salt}")
        found.add(f"said={said}")
    return found


def _collect(value: object, path: str, found: set[str]) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _collect(member, f"{path}.{name}", found)
    elif isinstance(value, list):
        for member in value:
            _collect(member, f"{path}[]", found)
    else:
        found.add(f"{path}={value}")
