"""How a city gets its register: entry 0, keys, witnesses, the first bundle."""

import json
import stat
from datetime import date
from pathlib import Path

import pytest

from crypto.encoding import canonical_json
from crypto.errors import CryptoError, Untrusted
from idservice import catalogue
from idservice.apps.register import announcing, board, charters, publication, software
from idservice.apps.register.city_log import NotWitnessed
from idservice.apps.settings import UnusableSettings
from idservice.clock import SetClock
from idservice.register import bundle, entry, wire
from idservice.register.entry import CharterEntry
from idservice.storage.published import FolderLog
from idservice.transparency import monitor
from idservice.transparency.monitor import Expected
from tests.fakes import city as cities
from tests.fakes import registered
from tests.fakes.registered import Registered

NOW = cities.NOW


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return registered.found(tmp_path_factory.mktemp("founded") / "city")


@pytest.fixture
def city(founded: Registered, tmp_path: Path) -> Registered:
    return founded.copied(tmp_path / "city")


def terms(address: str = "https://witness.example", **changed: object) -> charters.Terms:
    return charters.read(json.dumps(registered.terms_json(address, **changed)).encode())


def test_a_city_without_a_charter_is_a_demonstration_and_says_so(city: Registered) -> None:
    loaded = city.first
    assert loaded is not None
    in_force = loaded.in_force
    assert in_force.demonstration
    assert loaded.trust.demonstration
    assert not in_force.sandbox
    assert (in_force.charter.threshold, in_force.charter.emergency) == (3, 2)
    assert in_force.charter.notice_s == 30 * 86_400
    assert len(in_force.charter.seats) == 5
    assert in_force.stopped(now=NOW) is None
    for each in loaded.trust.announced:
        assert in_force.may_issue(configuration=each.configuration, period=each.period)


def test_entry_0_says_what_is_in_force_from_the_beginning(city: Registered) -> None:
    with city.opened() as held:
        zero = wire.parse(held.entries[0])
        assert isinstance(zero, CharterEntry)
        assert held.register.scope.charter == entry.entry_digest(held.entries[0])
        in_force = held.in_force()
    assert set(in_force.delegations) == {announcing.LABEL}
    assert set(in_force.policies) == {"library-card"}
    assert in_force.components == {software.NAME: software.component()}
    assert in_force.claims == frozenset(catalogue.PUBLIC_CLAIMS)
    assert in_force.inventory is not None
    assert "issuer.lasting.withdrawn.key" in in_force.inventory.columns
    assert in_force.parameters is not None
    assert in_force.parameters.period_days == 28


def test_the_published_bundle_is_what_was_returned(city: Registered) -> None:
    assert publication.read(city.folder, now=NOW) == city.first
    data = (city.folder / publication.BUNDLE).read_bytes()
    assert set(canonical_json.parse_object(data)) == {"payload", "root", "signature", "register"}
    with pytest.raises(Untrusted):
        bundle.load(data, pin=bytes(32), seen=None, now=NOW)


def test_keys_of_a_demonstration_are_for_their_owner_only(city: Registered) -> None:
    secret = {path.relative_to(city.folder).as_posix() for path in city.folder.rglob("*.key")}
    assert secret == {
        "log/log.key",
        "witnesses/north.key",
        "witnesses/south.key",
        *(f"board/{seat}{kind}.key" for seat in board.SEATS for kind in ("", ".successor")),
    }
    for path in secret:
        assert stat.S_IMODE((city.folder / path).stat().st_mode) == 0o600


def test_an_outsider_finds_the_log_whole_and_cosigned(city: Registered) -> None:
    assert city.first is not None
    board_now = city.first.in_force.charter
    seen: list[bytes] = []
    checked = monitor.check(
        FolderLog(city.folder / "log" / "public"),
        expected=Expected(log=board_now.log, policy=board_now.witness_policy, most_seconds=60),
        seen=None,
        now=NOW,
        visit=lambda _number, octets: seen.append(octets),
    )
    assert checked.signed.checkpoint.head.size == city.first.in_force.size == len(seen)


def test_a_register_is_founded_once(city: Registered) -> None:
    before = {path: path.read_bytes() for path in city.folder.rglob("*.key")}
    with pytest.raises(UnusableSettings, match="never overwritten"):
        registered.found_in(city.folder, seed="again")
    assert {path: path.read_bytes() for path in city.folder.rglob("*.key")} == before


def test_a_sandbox_is_marked_as_one(tmp_path: Path) -> None:
    loaded = registered.found(tmp_path / "city", sandbox=True).first
    assert loaded is not None
    assert loaded.in_force.sandbox
    assert loaded.in_force.charter.notice_s == charters.SANDBOX_NOTICE


def test_a_city_with_a_charter_holds_no_key_of_a_seat_or_witness(tmp_path: Path) -> None:
    with registered.witnesses(SetClock(NOW)) as elsewhere:
        city = registered.found(tmp_path / "city", terms=terms(elsewhere.address))
        assert city.first is None  # nobody has told the witnesses of this log
        assert not (city.folder / publication.BUNDLE).exists()
        assert {path.name for path in city.folder.rglob("*.key")} == {"log.key"}
        with pytest.raises(NotWitnessed):
            city.publish()
        with city.opened() as held:
            log = held.register.charter.log
        elsewhere.tell(log, *registered.WITNESSES[:2])
        loaded = city.publish()
    assert not loaded.in_force.demonstration
    assert not loaded.trust.demonstration
    assert {each.key.name for each in loaded.in_force.charter.witnesses} == set(
        registered.WITNESSES
    )
    assert board.read(city.folder) is None
    assert len(loaded.trust.announced) == 3


def test_too_few_witnesses_publish_nothing(tmp_path: Path) -> None:
    with registered.witnesses(SetClock(NOW)) as elsewhere:
        city = registered.found(tmp_path / "city", terms=terms(elsewhere.address))
        with city.opened() as held:
            log = held.register.charter.log
        elsewhere.tell(log, registered.WITNESSES[0])
        with pytest.raises(NotWitnessed):
            city.publish()
    assert not (city.folder / publication.BUNDLE).exists()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"city": "Exampleton"}, "leaves out"),
        ({"witnesses": [{"key": "k", "run_by_city": False}]}, "text"),
        ({"witness_threshold": "2"}, "whole"),
        ({"witnesses": None}, "array"),
    ],
)
def test_a_file_that_is_no_charters_is_refused(changed: dict[str, object], word: str) -> None:
    with pytest.raises(UnusableSettings, match=word):
        terms(**changed)


def test_witnesses_of_a_real_charter_are_never_inside_the_process() -> None:
    with pytest.raises(UnusableSettings, match="addresses of their own"):
        terms(address="../witnesses")
    with pytest.raises(UnusableSettings, match="refused"):
        charters.read(b"not JSON")


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"threshold": 2}, "more than half"),
        ({"notice_s": 29 * 86_400}, "30 days"),
        ({"sunset": "2026-01-01"}, "ends after"),
        ({"least_group": 9}, "below 10"),
        ({"more": 1}, "refused"),
    ],
)
def test_what_no_charter_may_say_is_refused(
    tmp_path: Path, changed: dict[str, object], word: str
) -> None:
    with pytest.raises(UnusableSettings, match=word):
        registered.found(tmp_path / "city", terms=terms(**changed))


def test_a_founding_policy_that_outlives_the_charter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match="outlives"):
        registered.found(tmp_path / "city", terms=terms(sunset=date(2029, 1, 1).isoformat()))


def test_a_city_of_others_is_not_read(city: Registered) -> None:
    (city.folder / publication.BUNDLE).write_bytes(city.made.plain)
    with pytest.raises(UnusableSettings, match=r"bundle\.json"):
        publication.read(city.folder, now=NOW)
    with pytest.raises(UnusableSettings, match="not what was published"):
        city.publish()
    with pytest.raises(CryptoError):
        bundle.load(city.made.plain, pin=None, seen=None, now=NOW)
