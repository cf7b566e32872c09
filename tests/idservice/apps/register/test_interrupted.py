"""A command that dies at any write is done again, and whoever read what was published goes on."""

import os
import shutil
from pathlib import Path

import pytest

from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import founding
from idservice.apps.founding import Chances
from idservice.apps.register import publication
from idservice.apps.settings import City
from idservice.period import Period
from idservice.register import bundle
from tests.fakes import city as cities

NOW = cities.NOW
LATER = period.not_before(Period(period.of(NOW) + 1))
CITY = City(name="Exampleton", issuer="http://127.0.0.1:8080", languages=["en"])


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def chances(seed: str, now: UnixSeconds = LATER) -> Chances:
    return Chances(now=now, random_bytes=cities.chance(seed))


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("founded") / "city"
    founding.found_city(folder, CITY, residents=1, chances=chances("city", NOW))
    return folder


def writes(folder: Path, monkeypatch: pytest.MonkeyPatch, *, fatal: int) -> int:
    """Announce, and die before the write of this number; return how many there were."""
    count = 0
    real = os.fsync

    def counted(descriptor: int) -> None:
        nonlocal count
        if count == fatal:
            raise Killed
        count += 1
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", counted)
        try:
            founding.announce(folder, residents=None, chances=chances("first"))
        except Killed:
            return count
    return count


def check(city: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
    shutil.copytree(city, folder)
    before = bundle.load((city / publication.BUNDLE).read_bytes(), pin=None, seen=None, now=LATER)
    assert writes(folder, monkeypatch, fatal=fatal) == fatal
    left = bundle.load(
        (folder / publication.BUNDLE).read_bytes(), pin=None, seen=before.seen, now=LATER
    )
    founding.announce(folder, residents=None, chances=chances("second"))
    after = bundle.load(
        (folder / publication.BUNDLE).read_bytes(), pin=None, seen=left.seen, now=LATER
    )
    here = period.of(NOW)
    assert [each.period for each in after.trust.announced] == list(range(here, here + 4))
    assert after.in_force.size == before.in_force.size + 2


@pytest.mark.parametrize("place", [0.0, 0.2, 0.4, 0.6, 0.8, 0.99])
def test_an_announcement_that_dies_is_done_again(
    founded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: float
) -> None:
    shutil.copytree(founded, tmp_path / "whole")
    every = writes(tmp_path / "whole", monkeypatch, fatal=-1)
    assert every > 20
    check(founded, tmp_path / "city", monkeypatch, int(every * place))


@pytest.mark.long
def test_an_announcement_that_dies_at_any_write_is_done_again(
    founded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(founded, tmp_path / "whole")
    for fatal in range(writes(tmp_path / "whole", monkeypatch, fatal=-1)):
        check(founded, tmp_path / f"city-{fatal}", monkeypatch, fatal)


def test_a_founding_that_dies_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_given: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(bundle, "write", killed)
        with pytest.raises(Killed):
            founding.found_city(tmp_path / "city", CITY, residents=1, chances=chances("a", NOW))
    assert list(tmp_path.iterdir()) == []
    founding.found_city(tmp_path / "city", CITY, residents=1, chances=chances("b", NOW))
