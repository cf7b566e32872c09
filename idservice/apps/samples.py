"""Sample credentials for verifiers to try: one that is valid, one expired, one withdrawn.

DESIGN, section 8 (`init --with-test-hooks`). Of a person who does not exist, signed with the
city's key of the present period, together with the keys of their holders, so that a verifier can
make presentations itself. Made on loopback only, and only in a folder that says so; the present
period's list has three entries less for residents. An "expired" sample says so itself; its
certificates are valid, so that nothing else is wrong with it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.jose import jwk
from crypto.sealed import handle
from idservice import catalogue, period
from idservice.apps import key_files, keys, settings
from idservice.apps.founding import Chances
from idservice.apps.settings import UnusableSettings
from idservice.issuer import formats
from idservice.issuer.claims import Address, Person
from idservice.issuer.model import Entitlement, IssuingKey
from idservice.period import Period
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting

FOLDER: Final = "samples"
VALID: Final = "valid"
EXPIRED: Final = "expired"
WITHDRAWN: Final = "withdrawn"

_NAMES = (VALID, EXPIRED, WITHDRAWN)
_PERSON = Person(
    given_name="Sample",
    family_name="Person",
    birth_date=date(1980, 1, 1),
    locality="Nowhere",
    address=Address(street_address="1 Nowhere Street", postal_code="00000", locality="Nowhere"),
)


def make(folder: Path, *, environ: Mapping[str, str], chances: Chances) -> tuple[Path, ...]:
    """Write the samples of the present period into the city's folder, and return their files.

    The withdrawn one stands in the next list that is signed.

    Raises:
        UnusableSettings: the folder has no test hooks, or is not for loopback.
    """
    told = settings.issuer(folder / "issuer", environ=environ)
    if not told.city.test_hooks:
        raise UnusableSettings("this city was made without --with-test-hooks")
    found = keys.load(told.folder, issuer=told.base_url)
    key = found.issuing(period.of(chances.now), catalogue.CONFIGURATION)
    if key is None:
        raise UnusableSettings("no key is announced for the present period")
    indices = _indices(told.database, key, chances)
    where = told.folder / FOLDER
    where.mkdir(mode=0o700, exist_ok=True)
    files = []
    for name, index in zip(_NAMES, indices, strict=True):
        holder = _holder(where / f"{name}.test.key", chances)
        signing = _long_ago(key) if name == EXPIRED else key
        credential = _issue(signing, holder, index, chances)
        files.append(where / f"{name}.txt")
        key_files.publish(files[-1], credential.encode() + b"\n")
    return tuple(files)


def _indices(database: str, key: IssuingKey, chances: Chances) -> tuple[int, ...]:
    """Take three indices that no resident will get, and withdraw the last."""
    engine.migrate(database, "issuer", short_lived=False)
    opened = engine.open_database(database, short_lived=False)
    announced = key.announced
    where = announced.period, announced.configuration
    try:
        store = SqlLasting(opened)
        store.lay_out(*where, size=announced.status.size)
        with store.serialised(0) as unit:
            before = unit.status_list(*where)
            if before is None:
                raise UnusableSettings("the database has no status list")
            indices, drawn = before.draw(len(_NAMES), random_bytes=chances.random_bytes)
            unit.keep_status_list(*where, drawn.invalidate(indices[-1:]))
    finally:
        engine.close(opened)
    return indices


def _holder(path: Path, chances: Chances) -> ec.EllipticCurvePublicKey:
    """Make the sample holder's key, or take the one made before."""
    if path.exists():
        return key_files.read_p256(path).public_key()
    key = jwk.generate(random_bytes=chances.random_bytes)
    key_files.create_key(path, key)
    return key.public_key()


def _long_ago(key: IssuingKey) -> IssuingKey:
    """The same key, saying the times of the period before the last, which has run out."""
    past = Period(key.announced.period - 2)
    announced = replace(key.announced, nbf=period.not_before(past), exp=period.expires(past))
    return replace(key, announced=announced)


def _issue(key: IssuingKey, holder: ec.EllipticCurvePublicKey, index: int, chances: Chances) -> str:
    slip = handle.new_slip(random_bytes=chances.random_bytes)
    entitlement = Entitlement(
        person=_PERSON,
        handle=handle.handle(slip),
        enrolled_until=date(period.day(chances.now).year + 1, 1, 1),
        period=key.announced.period,
        configuration=catalogue.CONFIGURATION,
        renewal=False,
    )
    (credential,) = formats.issue_sd_jwt(
        key,
        entitlement,
        [(holder, index)],
        on=period.day(chances.now),
        random_bytes=chances.random_bytes,
    )
    return credential
