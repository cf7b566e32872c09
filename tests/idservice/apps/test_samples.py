import stat
from pathlib import Path

import pytest

from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import key_binding, present, sd_jwt
from crypto.sdjwt.sd_jwt import SdJwt
from idservice import period
from idservice.apps import founding, key_files, keys, samples
from idservice.apps.founding import Chances
from idservice.apps.settings import City, UnusableSettings
from idservice.clock import Clock
from idservice.errors import Refusal
from idservice.issuer.schedule import Schedule
from idservice.issuer.service import Stores
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.verification import policy, status, verify
from idservice.verification.policy import Policy
from idservice.verification.status import KeptLists
from tests.fakes import city as cities
from tests.fakes.issuer_office import HandClock
from tests.fakes.issuer_stores import MemoryPending

NOW = cities.NOW
BASE = "http://127.0.0.1:8080"
CITY = City(name="Exampleton", issuer=BASE, languages=["en"], demonstration=True, test_hooks=True)
AUDIENCE = "x509_san_dns:library.example"


def chances(seed: str, now: int = NOW) -> Chances:
    return Chances(now=UnixSeconds(now), random_bytes=cities.chance(seed))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    founding.found_city(tmp_path / "city", CITY, residents=1, chances=chances("city"))
    return tmp_path / "city"


def test_samples_are_written_with_the_keys_of_their_holders(city: Path) -> None:
    files = samples.make(city, environ={}, chances=chances("samples"))
    assert [path.name for path in files] == ["valid.txt", "expired.txt", "withdrawn.txt"]
    for path in files:
        holder = path.with_suffix(".test.key")
        assert stat.S_IMODE(holder.stat().st_mode) == 0o600
        assert key_files.read_p256(holder)


def test_making_samples_again_keeps_the_holders_keys(city: Path) -> None:
    first = samples.make(city, environ={}, chances=chances("samples"))
    kept = [path.with_suffix(".test.key").read_bytes() for path in first]
    texts = [path.read_bytes() for path in first]
    again = samples.make(city, environ={}, chances=chances("again"))
    assert [path.with_suffix(".test.key").read_bytes() for path in again] == kept
    assert [path.read_bytes() for path in again] != texts


def test_samples_are_refused_where_they_were_not_asked_for(tmp_path: Path) -> None:
    plain = CITY.model_copy(update={"test_hooks": False})
    founding.found_city(tmp_path / "city", plain, residents=1, chances=chances("city"))
    with pytest.raises(UnusableSettings, match="--with-test-hooks"):
        samples.make(tmp_path / "city", environ={}, chances=chances("samples"))
    assert not (tmp_path / "city" / "issuer" / "samples").exists()


def test_samples_are_refused_outside_loopback(city: Path) -> None:
    told = (city / "city.json").read_text().replace(BASE, "https://id.example")
    (city / "city.json").write_text(told)
    with pytest.raises(UnusableSettings, match="loopback"):
        samples.make(city, environ={}, chances=chances("samples"))


def test_samples_need_a_key_of_the_present_period(city: Path) -> None:
    with pytest.raises(UnusableSettings, match="no key"):
        samples.make(city, environ={}, chances=chances("samples", NOW + 200 * period.DAY))


class _OneList:
    """The status lists of a city, signed as its schedule does."""

    def __init__(self, folder: Path) -> None:
        self.keys = keys.load(folder / "issuer", issuer=BASE)
        clock: Clock = HandClock(NOW)
        opened = engine.open_database(f"sqlite:///{folder}/issuer/lasting.db", short_lived=False)
        self.store = SqlLasting(opened)
        stores = Stores(
            issuer=BASE,
            lasting=self.store,
            pending=MemoryPending(),
            clock=clock,
            random_bytes=cities.chance("stores"),
        )
        Schedule(stores, keys=self.keys, status_key=self.keys.status).publish()
        announced = self.keys.announced()[0].announced
        found = self.store.published(announced.period, announced.configuration)
        opened.dispose()
        assert found is not None
        self.lists = KeptLists()
        self.lists.keep(
            status.read(found[1], uri=announced.status.uri, trust=self.keys.trust, now=NOW)
        )


def asking() -> Policy:
    return policy.parse(
        {
            "id": "library-card",
            "verifier": "City Library",
            "client_ids": [AUDIENCE],
            "purpose": "library_membership",
            "place": "at the counter",
            "vct": f"{BASE}/vct/resident/1",
            "formats": ["dc+sd-jwt"],
            "required": ["resident"],
            "optional": [],
            "retention": "none",
            "erase": None,
            "notice": {"en": "To give you a card."},
            "expires": "2030-01-01",
        }
    )


def _parsed(path: Path) -> SdJwt:
    parsed = sd_jwt.parse(path.read_text().strip())
    assert isinstance(parsed, SdJwt)
    return parsed


def test_samples_are_what_they_are_called(city: Path) -> None:
    """Shown with their test keys and checked against the list that the city signs."""
    files = samples.make(city, environ={}, chances=chances("samples"))
    office = _OneList(city)
    answers = {}
    for path in files:
        shown = present.present(_parsed(path), paths=[("resident",)])
        holder = key_files.read_p256(path.with_suffix(".test.key"))
        bound = key_binding.sign(
            shown, nonce="n" * 22, audience=AUDIENCE, now=NOW, signer=jws.es256_signer(holder)
        )
        try:
            accepted = verify.verify_presentation(
                bound,
                policy=asking(),
                audience=AUDIENCE,
                nonce="n" * 22,
                trust=office.keys.trust,
                status=office.lists,
                now=NOW,
            )
            answers[path.stem] = dict(accepted.facts)
        except verify.PresentationRefused as refused:
            answers[path.stem] = refused.code
    assert answers == {
        "valid": {"resident": True},
        "expired": Refusal.EXPIRED,
        "withdrawn": Refusal.WITHDRAWN,
    }
