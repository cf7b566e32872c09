"""An office starts only as the register decided, and follows it while it runs."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import sqlalchemy

from crypto.encoding import members
from crypto.instant import UnixSeconds
from idservice import catalogue, period
from idservice.apps import city_folder, issuer, settings
from idservice.apps.register import (
    announcing,
    board,
    city_log,
    enforcement,
    publication,
    software,
)
from idservice.apps.register.publication import Publisher
from idservice.apps.register.road import Road
from idservice.apps.settings import UnusableSettings
from idservice.auditor import schema
from idservice.cli import desk
from idservice.clock import SetClock
from idservice.period import DAY
from idservice.register.change import (
    Change,
    Component,
    Drop,
    Inventory,
    ResumeIssuing,
    SuspendIssuing,
    WindDown,
)
from idservice.register.reading import knowledge
from tests.fakes import city as cities
from tests.fakes import issuer_app, register_readers, registers, verifier_folder
from tests.fakes.register_readers import MADE, REGISTER
from tests.fakes.registers import City
from tests.fakes.verifier_office import FakeClock

Decided = Callable[[Change], Change | None]


def no_component(said: Change) -> Change | None:
    return None if isinstance(said, Component) else said


def other_component(said: Change) -> Change | None:
    return replace(said, name="other") if isinstance(said, Component) else said


def other_version(said: Change) -> Change | None:
    return replace(said, version="0.0.1") if isinstance(said, Component) else said


def no_inventory(said: Change) -> Change | None:
    return None if isinstance(said, Inventory) else said


def other_inventory(said: Change) -> Change | None:
    return replace(said, digest=bytes(32)) if isinstance(said, Inventory) else said


def column_missing(said: Change) -> Change | None:
    return replace(said, columns=said.columns[1:]) if isinstance(said, Inventory) else said


REFUSED: Mapping[str, Decided] = MappingProxyType(
    {
        "no component idservice in force": no_component,
        "no component idservice": other_component,
        "0.0.1 in force": other_version,
        "no data inventory in force": no_inventory,
        "another than the one enacted": other_inventory,
        "columns that were not enacted": column_missing,
    }
)


def decided_otherwise(otherwise: Decided) -> bytes:
    """Return the city's bundle with another founding of its register."""
    founding = []
    for each in REGISTER.founding:
        said = otherwise(each.change)
        if said is not None:
            founding.append(replace(each, change=said))
    city = City(charter=REGISTER.charter, founding=tuple(founding), now=MADE.now)
    announced = map(members.any_object, members.array(MADE.payload["announced"]))
    for each in announcing.entries(announced, root=MADE.root_key, scope=city.scope):
        city.append(each)
    return registers.bundled(MADE, city)


@pytest.mark.parametrize("why", REFUSED)
def test_verifier_starts_only_as_the_register_decided(tmp_path: Path, why: str) -> None:
    folder = verifier_folder.write(tmp_path, MADE)
    (folder / "bundle.json").write_bytes(decided_otherwise(REFUSED[why]))
    with pytest.raises(UnusableSettings, match=why):
        register_readers.assemble(folder, FakeClock())


@pytest.mark.parametrize("why", REFUSED)
def test_the_issuer_looks_at_the_same(why: str) -> None:
    known = knowledge.own(decided_otherwise(REFUSED[why]), now=MADE.now)
    with pytest.raises(UnusableSettings, match=why):
        enforcement.check_software(known)


def test_register_as_it_was_decided_lets_it_start(tmp_path: Path) -> None:
    folder = verifier_folder.write(tmp_path, MADE)
    (folder / "bundle.json").write_bytes(decided_otherwise(lambda said: said))
    register_readers.assemble(folder, FakeClock()).close()


def test_configured_policy_that_is_not_in_force_stops_the_start(tmp_path: Path) -> None:
    folder = verifier_folder.write(tmp_path, MADE, policies=["library-card", "never-decided"])
    with pytest.raises(UnusableSettings, match="not in force: never-decided"):
        register_readers.assemble(folder, FakeClock())


def test_policy_that_has_run_out_is_not_in_force() -> None:
    known = knowledge.own(MADE.bundle, now=MADE.now)
    enforcement.check_policies(known, ["library-card"], now=MADE.now)
    last = MADE.policies["library-card"].expires
    later = UnixSeconds(MADE.now + ((last - period.day(MADE.now)).days + 1) * DAY)
    with pytest.raises(UnusableSettings, match="not in force: library-card"):
        enforcement.check_policies(known, ["library-card"], now=later)


def test_live_column_that_was_not_enacted_is_refused() -> None:
    known = knowledge.own(MADE.bundle, now=MADE.now)
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE requests (key BLOB)"))
    assert schema.columns(engine) == {"requests.key"}
    enforcement.check_columns(known, [engine], office="verifier")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE requests ADD COLUMN visitor TEXT"))
    with pytest.raises(UnusableSettings, match=r"not enacted: requests\.visitor"):
        enforcement.check_columns(known, [engine], office="verifier")
    engine.dispose()


def test_software_is_named_as_it_is_installed() -> None:
    assert software.component().name == "idservice"
    assert software.listed().columns


@dataclasses.dataclass(kw_only=True)
class RealCity:
    """A demonstration city on disk, its board, and its issuer's folder."""

    folder: Path
    clock: SetClock
    issuer: issuer.Folder

    def decide(self, *changes: Change) -> None:
        """Let the board decide, publish, and let the issuer look at its folder."""
        root = city_folder.read_root(self.folder)
        city = settings.issuer(self.folder / "issuer", environ={}).city
        publisher = Publisher(city=city, root=root)
        seats = board.read(self.folder)
        assert seats is not None
        with city_log.opened(self.folder, clock=self.clock) as held:
            road = Road(held=held, board=seats, clock=self.clock, wait=self.wait)
            road.decide(*changes)
            publication.publish(self.folder, held, publisher, now=self.clock.now())
        self.issuer.refresh()

    def wait(self, seconds: int) -> None:
        self.clock.set(UnixSeconds(self.clock.now() + seconds))

    def may_issue(self) -> bool:
        now = self.clock.now()
        here = period.of(now)
        return self.issuer.may_issue(here, catalogue.CONFIGURATION, now=now)

    def enrols(self) -> bool:
        """Say whether the clerk's command would go on."""
        data = (self.folder / "issuer" / "bundle.json").read_bytes()
        now = self.clock.now()
        try:
            known = knowledge.own(data, now=now)
            desk.check_issuing(known, configuration=catalogue.CONFIGURATION, now=now)
        except desk.NotEnrolled:
            return False
        return True


@pytest.fixture
def real(tmp_path: Path) -> RealCity:
    folder = tmp_path / "city"
    told = issuer_app.found(folder)
    clock = SetClock(cities.NOW)
    return RealCity(folder=folder, clock=clock, issuer=issuer.Folder(told, clock=clock))


def test_suspended_city_issues_nothing_until_it_resumes(real: RealCity) -> None:
    assert real.may_issue()
    assert real.enrols()
    real.decide(SuspendIssuing())
    assert not real.may_issue()
    assert not real.enrols()
    real.decide(ResumeIssuing())
    real.clock.set(cities.NOW)  # the notice would outlast the period's key
    assert real.may_issue()


def test_city_that_is_wound_down_issues_nothing_and_its_keys_stay_known(real: RealCity) -> None:
    before = real.issuer.trust.announced
    real.decide(WindDown())
    assert not real.may_issue()
    assert set(real.issuer.trust.announced) <= set(before)
    assert real.issuer.trust.announced


def test_dropped_key_issues_nothing_more(real: RealCity) -> None:
    here = period.of(real.clock.now())
    real.decide(Drop(subject=f"announced:{catalogue.CONFIGURATION}:{here}"))
    assert not real.may_issue()
    assert not real.enrols()
    following = period.Period(here + 1)
    now = real.clock.now()
    assert real.issuer.may_issue(following, catalogue.CONFIGURATION, now=now)


def test_a_year_without_the_community_and_the_sunset_stop_issuing(real: RealCity) -> None:
    here = period.of(real.clock.now())
    year = UnixSeconds(cities.NOW + 366 * DAY)
    assert not real.issuer.may_issue(here, catalogue.CONFIGURATION, now=year)
    sunset = UnixSeconds(cities.NOW + 6 * 366 * DAY)
    assert not real.issuer.may_issue(here, catalogue.CONFIGURATION, now=sunset)
