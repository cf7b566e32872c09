"""A city's keys: the root, one for lists, one for metadata, one for each period and format.

DESIGN, sections 3 and 8 (`init city`, `init announce`). Every key is on disk before the register
announces it, and in the register before the bundle; a key file that a crash has left behind is
used by the next run, so that none is ever overwritten. Verifiers are admitted in `admission`,
samples for them made in `samples`, and the register is founded in `register.founding`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.bbs import signature
from crypto.bls.group import SigningUnavailable
from crypto.encoding import canonical_json, members
from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.x509 import chain, issue, x5c
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, loopback, period
from idservice.apps import city_folder, key_files, keys, settings
from idservice.apps.city_folder import Root
from idservice.apps.register import announcing, city_log, publication
from idservice.apps.register import founding as register
from idservice.apps.register.charters import Terms
from idservice.apps.register.city_log import NotWitnessed
from idservice.apps.register.founding import Beginning
from idservice.apps.register.publication import Publisher
from idservice.apps.settings import City, UnusableSettings
from idservice.clock import SetClock
from idservice.issuer import metadata
from idservice.period import Period
from idservice.register.state import InForce
from idservice.verification import trust
from idservice.verification.policy import Policy
from idservice.verification.trust import Announced, AnnouncedBbs, AnnouncedStatus, TrustBundle

ROOT_DAYS: Final = 20 * 365
LASTING_DAYS: Final = 10 * 365
"""For the keys that sign status lists and metadata."""

AHEAD: Final = 2
"""Periods announced after the current one."""

INSTANCES_PER_RESIDENT: Final = 2 * catalogue.BATCH
"""One issuing and one more, in a period: some are enrolled anew."""

LONGEST_NAME: Final = 40
"""Octets of a city's name in UTF-8; it stands in each certificate, which holds 64."""

_SERIAL_LENGTH = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """What a certificate of the issuer's own keys says."""

    role: Role
    issuer: str
    city: str
    validity: Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """What the shell lends: the present time, and chance."""

    now: UnixSeconds
    random_bytes: RandomBytes


def nobody(_root: Root) -> Sequence[Policy]:
    """Let no verifier in from the beginning."""
    return ()


def nothing(_folder: Path) -> None:
    """Make nothing besides."""


def found_city(
    folder: Path,
    city: City,
    *,
    residents: int,
    chances: Chances,
    terms: Terms | None = None,
    sandbox: bool = False,
    joining: Callable[[Root], Sequence[Policy]] = nobody,
    completing: Callable[[Path], object] = nothing,
) -> TrustBundle:
    """Make a city's folder with root, keys, register and first bundle, and return the bundle.

    Args:
        folder: new, or empty.
        city: as it will stand in `city.json`.
        residents: how many are expected: the size of status lists.
        chances: time and chance.
        terms: of its charter; without them the city is a demonstration and says so.
        sandbox: a demonstration in which changes wait for seconds only.
        joining: given the new root, returns the policies that are in force from the beginning.
        completing: given the folder with all else in it, makes what a published city has besides;
            where that fails, there is no city.

    Raises:
        NotWitnessed: everything is made and recorded, but the charter's witnesses do not know this
            log yet: `announce` publishes the bundle when they do.
        UnusableSettings: there is something in the folder already, or the address, name,
            languages or charter may not be.
    """
    if terms is None:
        city = city.model_copy(update={"demonstration": True})
    check(city)
    size = list_size(residents)
    with city_folder.new(folder) as unfinished:
        for name in ("root", "issuer", "issuer/keys"):
            (unfinished / name).mkdir(mode=0o700)
        content = canonical_json.serialize(city.model_dump())
        key_files.publish(unfinished / "city.json", content + b"\n")
        root = _new_root(unfinished / "root", city.name, chances)
        where = unfinished / "issuer" / keys.FOLDER
        validity = lasting(root, chances.now, LASTING_DAYS)
        for role in (Role.STATUS, Role.METADATA):
            leaf = _Leaf(role=role, issuer=city.issuer, city=city.name, validity=validity)
            _key_and_certificate(where, role.value, leaf, root=root, chances=chances)
        key_files.create(where / "nonce.key", chances.random_bytes(keys.NONCE_KEY_LENGTH))
        publisher = Publisher(city=city, root=root)
        current = period.of(chances.now)
        missing = {name: _ahead(current) for name in catalogue.CONFIGURATIONS}
        beginning = Beginning(
            terms=terms,
            sandbox=sandbox,
            announced=_make(where, publisher, missing, size=size, chances=chances),
            policies=joining(root),
        )
        loaded = register.found(
            unfinished,
            publisher,
            beginning,
            now=chances.now,
            random_bytes=chances.random_bytes,
        )
        if loaded is not None:
            completing(unfinished)
    if loaded is None:
        raise NotWitnessed("the city is founded, but its witnesses do not know its log yet")
    return loaded.trust


def announce(folder: Path, *, residents: int | None, chances: Chances) -> TrustBundle:
    """Make keys for the current period and those ahead, log them, and publish what is in force.

    What an interrupted run has made or logged is taken up.

    Args:
        folder: the city's.
        residents: how many are expected, if that has changed: the size of new status lists.
        chances: time and chance.

    Raises:
        NotWitnessed: recorded, but too few witnesses answer; the bundle before stays.
        UnusableSettings: the folder is not a city's, or another command is at work in it.
    """
    clock = SetClock(chances.now)
    with city_folder.alone(folder) as city, city_log.opened(folder, clock=clock) as held:
        publisher = Publisher(city=city, root=city_folder.read_root(folder))
        in_force = held.in_force()
        size = _size_before(in_force) if residents is None else list_size(residents)
        missing = {
            name: [
                each
                for each in _ahead(period.of(chances.now))
                if (name, each) not in in_force.announced and announcing.is_open(in_force, each)
            ]
            for name in catalogue.CONFIGURATIONS
        }
        where = folder / "issuer" / keys.FOLDER
        made = _make(where, publisher, missing, size=size, chances=chances)
        announcing.log_missing(held, made, root=publisher.root.key)
        return publication.publish(folder, held, publisher, now=chances.now).trust


def check(city: City) -> None:
    """Refuse a city that could not be announced."""
    settings.check_base_url(city.issuer)
    if city.test_hooks and not loopback.holds(city.issuer):
        raise UnusableSettings("test hooks are refused outside loopback")
    if not 1 <= len(city.name.encode()) <= LONGEST_NAME or not city.languages:
        raise UnusableSettings(
            f"a city has a name of at most {LONGEST_NAME} octets in UTF-8, and a language"
        )


def list_size(residents: int) -> int:
    """Return how long a status list is for so many residents: a power of two, twice the need."""
    size = trust.SMALLEST_LIST
    while size < 2 * residents * INSTANCES_PER_RESIDENT:
        size *= 2
    if size > trust.LARGEST_LIST:
        raise UnusableSettings("more residents than one status list can hold")
    return size


def serial(random_bytes: RandomBytes) -> int:
    """Draw the serial number of a certificate (RFC 5280, 4.1.2.2)."""
    return int.from_bytes(random_bytes(_SERIAL_LENGTH), "big") | 1


def lasting(root: Root, now: UnixSeconds, days: int) -> Validity:
    """Return a validity from the present period's begin, cut at the root's end."""
    ends = int(root.certificate.not_valid_after_utc.timestamp())
    begin = period.not_before(period.of(now))
    return Validity(
        not_before=begin,
        not_after=UnixSeconds(min(begin + days * period.DAY, ends)),
    )


def _new_root(where: Path, name: str, chances: Chances) -> Root:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(chances.random_bytes(32))
    begin = period.not_before(period.of(chances.now))
    end = begin + ROOT_DAYS * period.DAY
    certificate = issue.root_certificate(
        key=key,
        common_name=f"{name} city root",
        validity=Validity(not_before=begin, not_after=UnixSeconds(end)),
        serial=serial(chances.random_bytes),
    )
    key_files.create_key(where / "root.key", key)
    key_files.publish(where / "root.crt", certificate.public_bytes(Encoding.PEM))
    return Root(certificate=certificate, key=key)


def _ahead(current: Period) -> list[Period]:
    return [Period(each) for each in range(current, current + AHEAD + 1)]


def _make(
    where: Path,
    publisher: Publisher,
    missing: Mapping[str, Iterable[Period]],
    *,
    size: int,
    chances: Chances,
) -> list[JsonObject]:
    """Make the keys that are missing, and return what is to be announced of them."""
    city, root = publisher.city, publisher.root
    made: list[JsonObject] = []
    for each in missing[catalogue.CONFIGURATION]:
        validity = Validity(not_before=period.not_before(each), not_after=period.expires(each))
        leaf = _Leaf(role=Role.ISSUER, issuer=city.issuer, city=city.name, validity=validity)
        name = keys.file_name(catalogue.CONFIGURATION, each)
        certificate = _key_and_certificate(where, name, leaf, root=root, chances=chances)
        made.append(trust.announce(_announced(city.issuer, each, certificate, size)))
    for each in missing[catalogue.BBS_CONFIGURATION]:
        key = _bbs_key(where, each, chances)
        made.append(trust.announce_bbs(_announced_bbs(city.issuer, each, key)))
    return made


def _announced(issuer: str, number: Period, leaf: x509.Certificate, size: int) -> Announced:
    return Announced(
        configuration=catalogue.CONFIGURATION,
        format=catalogue.FORMAT,
        vct=metadata.vct(issuer),
        vct_integrity=metadata.integrity(metadata.type_metadata(issuer)),
        period=number,
        nbf=period.not_before(number),
        exp=period.expires(number),
        x5c=(leaf.public_bytes(Encoding.DER),),
        x5c_text=tuple(map(str, x5c.encode([leaf]))),
        status=AnnouncedStatus(
            uri=f"{issuer}/v1/status/{catalogue.CONFIGURATION}/{number}", size=size, bits=1
        ),
        digests=sum("." not in name for name in catalogue.CLAIMS),
        address_digests=len(catalogue.ADDRESS_MEMBERS),
    )


def _announced_bbs(issuer: str, number: Period, public_key: bytes) -> AnnouncedBbs:
    nbf, exp = period.not_before(number), period.expires_bbs(number)
    vct, schema = metadata.vct(issuer), catalogue.BBS_SCHEMA
    return AnnouncedBbs(
        configuration=catalogue.BBS_CONFIGURATION,
        format=catalogue.BBS_FORMAT,
        vct=vct,
        schema=schema,
        period=number,
        nbf=nbf,
        exp=exp,
        public_key=public_key,
        header=trust.bbs_header(
            issuer=issuer, vct=vct, schema=schema, period=number, nbf=nbf, exp=exp
        ),
        slots=catalogue.BBS_SLOTS,
    )


def _bbs_key(where: Path, number: Period, chances: Chances) -> bytes:
    """Make a period's BBS key, or take what a run before this one has left; return its public."""
    path = where / f"{keys.file_name(catalogue.BBS_CONFIGURATION, number)}.key"
    if path.exists():
        return key_files.read_bbs(path).public.octets
    try:
        key = signature.new_key(random_bytes=chances.random_bytes)
    except SigningUnavailable as error:
        raise UnusableSettings(str(error)) from error
    key_files.create(path, key.scalar)
    return key.public.octets


def _key_and_certificate(
    where: Path, name: str, leaf: _Leaf, *, root: Root, chances: Chances
) -> x509.Certificate:
    """Make a key and its certificate, or take what a run before this one has left of them."""
    path = where / f"{name}.key"
    if path.exists():
        key = key_files.read_p256(path)
    else:
        key = jwk.generate(random_bytes=chances.random_bytes)
        key_files.create_key(path, key)
    left = _left_certificate(where / f"{name}.crt", key.public_key(), leaf, root)
    if left is not None:
        return left
    certificate = issue.leaf_certificate(
        role=leaf.role,
        public_key=key.public_key(),
        authority=root.authority,
        common_name=f"{leaf.city} {leaf.role.value}",
        names=Names(uris=(leaf.issuer,)),
        validity=leaf.validity,
        serial=serial(chances.random_bytes),
    )
    key_files.publish(where / f"{name}.crt", certificate.public_bytes(Encoding.PEM))
    return certificate


def _left_certificate(
    path: Path, key: ec.EllipticCurvePublicKey, wanted: _Leaf, root: Root
) -> x509.Certificate | None:
    """Return the certificate that is there already, if it says what is wanted.

    One key has one certificate, so that nobody is ever given two chains for one period.
    """
    if not path.exists():
        return None
    certificate = keys.read_certificate(path)
    try:
        found = chain.verify(
            (certificate.public_bytes(Encoding.DER),),
            root=root.certificate,
            role=wanted.role,
            now=wanted.validity.not_before,
        )
    except CryptoError as error:
        raise UnusableSettings(f"{path.name} is not of this city: {error}") from error
    if (found.public_key, found.uris) != (key, (wanted.issuer,)):
        raise UnusableSettings(f"{path.name} is for another key or another city")
    return certificate


def _size_before(in_force: InForce) -> int:
    """Return the largest of the status lists that were announced."""
    said = [canonical_json.parse_object(each.octets) for each in in_force.announced.values()]
    lists = [members.any_object(each["status"]) for each in said if "status" in each]
    return max((members.whole(each["size"]) for each in lists), default=trust.SMALLEST_LIST)
