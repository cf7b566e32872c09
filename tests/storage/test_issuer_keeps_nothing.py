"""After 200 people were enrolled and served, the issuer's stores are searched for any of them.

Every value, key, signature and secret is looked for as octets, base64url and hexadecimal, in
every file of SQLite, free pages included, and in all rows and a dump of PostgreSQL.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, web_proof
from crypto.sdjwt import disclosure, sd_jwt
from crypto.sealed import handle
from idservice import catalogue
from idservice.issuer import claims
from idservice.storage import engine, issuer, issuer_pending
from tests.fakes import engines, postgres
from tests.fakes import issuer_office as offices
from tests.fakes.engines import Databases
from tests.fakes.issuer_office import BbsResident, Office, Resident

PEOPLE = 200
PAGE = 4096
SHORTEST = 8


@dataclass
class Needles:
    """What must not be found."""

    octets: set[bytes] = field(default_factory=set)

    def add(self, value: bytes | str) -> None:
        raw = value.encode() if isinstance(value, str) else value
        assert len(raw) >= SHORTEST
        self.octets |= {raw, base64url.encode(raw).encode(), raw.hex().encode()}

    def found_in(self, hay: bytes) -> set[bytes]:
        return {needle for needle in self.octets if needle in hay}


def record(number: int) -> JsonObject:
    portrait = b"\xff\xd8\xff" + f"portrait-of-{number:03}".encode() * 40 + b"\xff\xd9"
    return {
        "resident": True,
        "given_name": f"Given-{number:03}-Amalthea",
        "family_name": f"Family-{number:03}-Bosphorus",
        "birth_date": f"{1940 + number % 60}-03-{1 + number % 28:02}",
        "locality": f"Locality-{number:03}",
        "gender": f"gender-{number:03}",
        "portrait": claims.portrait_claim(portrait),
        "address": {
            "care_of": f"Careof-{number:03}",
            "street_address": f"Street-{number:03}",
            "postal_code": f"Postal-{number:03}",
        },
    }


def serve(office: Office, number: int, *, instances: int) -> Needles:
    """Enrol and issue; return everything about this person that must not stay."""
    needles = Needles()
    bbs = is_bbs(number)
    resident, enrolment = (office.enrol_bbs if bbs else office.enrol)(record(number))
    request = offices.token_request(enrolment)
    token = office.issuer.token(request)
    if isinstance(resident, BbsResident):
        resident.issue(token, label=f"holder {number}")
        add_bbs(needles, resident)
    else:
        resident.issue(token, count=instances, label=f"holder {number}")
        add_batch(needles, resident)
    slip = offices.slip_of(enrolment)
    for secret in (request.code, token, slip, handle.handle(slip), enrolment.slip):
        needles.add(secret)
    flat = {**record(number), **dict(record(number)["address"])}  # type: ignore[arg-type]
    for value in flat.values():
        if isinstance(value, str):
            needles.add(value[:200])
    return needles


def is_bbs(number: int) -> bool:
    """Every fourth takes the other configuration, the last of the first four among them."""
    return number % 4 == 3


def add_batch(needles: Needles, resident: Resident) -> None:
    for key in resident.keys:
        public = jwk.public_jwk(key.public_key())
        for part in (public["x"], public["y"]):
            needles.add(base64url.decode(part))
        needles.add(jwk.thumbprint(key.public_key()))
    for credential in resident.credentials:
        add_credential(needles, credential)


def add_bbs(needles: Needles, resident: BbsResident) -> None:
    """The credential, every slot of it, and what its holder committed to, whole and in parts."""
    assert resident.secret is not None
    issued, commitment = resident.issued, resident.commitment
    parsed = web_proof.parse(resident.credential, headers=web_proof.ISSUED)
    for secret in (
        *parsed.values,
        resident.secret.nym,
        resident.secret.blind,
        commitment,
        commitment[:48],
    ):
        needles.add(secret)
    for part in (issued.signature[:48], issued.signature[48:], issued.nym_secret):
        needles.add(part)
    for slot, payload in enumerate(issued.payloads):
        if len(payload) >= SHORTEST:
            needles.add(payload[:200])
        if slot in resident.announced.hashed:
            needles.add(payload[:32])
            needles.add(hashlib.sha256(payload).digest())


def add_credential(needles: Needles, credential: str) -> None:
    parsed = sd_jwt.parse(credential)
    assert isinstance(parsed, sd_jwt.SdJwt)
    needles.add(parsed.issuer.signature)
    for text in parsed.disclosures:
        needles.add(base64url.decode(disclosure.digest(text)))
        needles.add(disclosure.parse(text).salt)


def files(folder: Path) -> Callable[[], bytes]:
    """Return everything in the folder's files, without pages of nothing but zeros."""

    def read() -> bytes:
        hay = b""
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            pages = (content[at : at + PAGE] for at in range(0, len(content), PAGE))
            hay += b"".join(page for page in pages if page.strip(b"\0"))
        return hay

    return read


def rows(databases: Databases, server: postgres.Server) -> Callable[[], bytes]:
    """Return all values of all rows, and a logical dump of them."""
    name = make_url(databases.lasting_url).database
    assert name is not None

    def read() -> bytes:
        hay = [server.dump(name)]
        opened = engine.open_database(databases.lasting_url, short_lived=False)
        with engine.read(opened) as connection:
            for metadata in (issuer.metadata, issuer_pending.metadata):
                for table in metadata.sorted_tables:
                    for row in connection.execute(select(table)):
                        hay += [v if isinstance(v, bytes) else str(v).encode() for v in row]
        opened.dispose()
        return b"\n".join(hay)

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    databases: Databases
    hay: Callable[[], bytes]


@pytest.fixture(params=["sqlite", "postgresql"])
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    if request.param == "sqlite":
        with engines.quick_folder() as folder, engines.sqlite_databases(folder) as made:
            yield Setting(databases=made, hay=files(folder))
    else:
        server: postgres.Server = request.getfixturevalue("postgres_server")
        with engines.postgres_databases(server) as made:
            yield Setting(databases=made, hay=rows(made, server))


def serve_everybody(setting: Setting, *, instances: int) -> None:
    office = offices.make(pending=setting.databases.pending, lasting=setting.databases.lasting)
    office.stores.pending.add_offer(b"\x01" * 32, sealed=b"planted-to-be-found", slot=10**7)
    needles = Needles()
    for number in range(PEOPLE):
        needles.octets |= serve(office, number, instances=instances).octets
        if number == 3:
            assert needles.found_in(setting.hay()) == set()
    office.clock.forward(900)
    office.schedule.tick()
    assert b"planted-to-be-found" in setting.hay()
    assert needles.found_in(setting.hay()) == set()
    _check_lasting_rows(setting.databases, instances=instances)


def _check_lasting_rows(databases: Databases, *, instances: int) -> None:
    """No row says who belongs together, and no number is a time finer than a day."""
    opened = engine.open_database(databases.lasting_url, short_lived=False)
    with engine.read(opened) as connection:
        index_rows = connection.execute(select(issuer.index_rows)).all()
        lists = connection.execute(select(issuer.lists)).all()
        numbers = [
            value
            for table in issuer.metadata.sorted_tables
            for row in connection.execute(select(table))
            for value in row
            if isinstance(value, int)
        ]
    opened.dispose()
    assert len(index_rows) == PEOPLE
    assert {(len(row.key), len(row.sealed)) for row in index_rows} == {(32, 48 + 80)}
    given_out = sum(byte.bit_count() for row in lists for byte in row.allocated)
    assert given_out == PEOPLE * 3 // 4 * instances
    assert {row.configuration for row in lists} == {catalogue.CONFIGURATION}
    assert max(numbers) < 100_000


@pytest.mark.threat("T27")
@pytest.mark.attack("PRIV-017")
def test_nobody_of_two_hundred_is_found(setting: Setting) -> None:
    serve_everybody(setting, instances=1)


@pytest.mark.long
def test_nobody_of_two_hundred_with_full_batches_is_found(setting: Setting) -> None:
    serve_everybody(setting, instances=20)
