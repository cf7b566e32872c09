"""What a city adds to its register, and what it publishes of it."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from crypto.errors import Expired, Refused
from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import key_files
from idservice.apps.register import announcing, board, city_log, publication
from idservice.apps.register.board import Voters
from idservice.apps.register.city_log import NotCounted
from idservice.apps.settings import UnusableSettings
from idservice.clock import SetClock
from idservice.period import DAY, Period
from idservice.register import bundle, entry
from idservice.register.change import PolicyChange, SeatKey, SuspendIssuing, WindDown
from idservice.register.state import Enacted, Stopped
from idservice.verification import trust
from tests.fakes import city as cities
from tests.fakes import notaries, registered
from tests.fakes.registered import Registered

NOW = cities.NOW
HERE = period.of(NOW)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return registered.found(tmp_path_factory.mktemp("founded") / "city")


@pytest.fixture
def city(founded: Registered, tmp_path: Path) -> Registered:
    return founded.copied(tmp_path / "city")


def new_policy(city: Registered) -> PolicyChange:
    return PolicyChange(policy=registered.policies(city.made)[1])


def next_key(city: Registered) -> dict[str, object]:
    """Announce the third period ahead."""
    bbs = city.made.announced_bbs
    number = Period(HERE + 3)
    nbf, exp = period.not_before(number), period.expires_bbs(number)
    header = trust.bbs_header(
        issuer=city.made.issuer, vct=bbs.vct, schema=bbs.schema, period=number, nbf=nbf, exp=exp
    )
    key = cities.bbs_key(f"issuer key {number}").public.octets
    return {
        **trust.announce_bbs(
            replace(bbs, period=number, nbf=nbf, exp=exp, header=header, public_key=key)
        )
    }


def test_an_unchanged_register_is_vouched_for_anew(city: Registered) -> None:
    city.wait(DAY)
    again = city.publish()
    assert city.first is not None
    assert (again.trust.version, again.checked) == (2, city.clock.now())
    assert again.in_force.size == city.first.in_force.size
    same = {"version": 1, "day": city.first.trust.day}
    assert replace(again.trust, **same) == city.first.trust


def test_whoever_has_the_bundle_before_takes_the_next_and_never_goes_back(
    city: Registered,
) -> None:
    assert city.first is not None
    old = (city.folder / publication.BUNDLE).read_bytes()
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    second = city.publish()
    assert second.trust.version == 2
    assert [each.period for each in second.trust.announced_bbs][-1] == HERE + 3
    data = (city.folder / publication.BUNDLE).read_bytes()
    loaded = bundle.load(data, pin=None, seen=city.first.seen, now=city.clock.now())
    with pytest.raises(Refused):
        bundle.load(old, pin=None, seen=loaded.seen, now=city.clock.now())


def test_a_stale_bundle_is_not_taken_over(city: Registered) -> None:
    city.wait(61 * DAY)
    with pytest.raises(UnusableSettings, match="stale"):
        publication.read(city.folder, now=city.clock.now())
    assert city.publish().checked == city.clock.now()
    data = (city.folder / publication.BUNDLE).read_bytes()
    with pytest.raises(Expired):
        bundle.load(data, pin=None, seen=None, now=UnixSeconds(city.clock.now() + 61 * DAY))


def test_a_key_is_announced_once(city: Registered) -> None:
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
        size = held.register.size
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
        assert held.register.size == size
        other = {**next_key(city), "public_key": next_key(city)["public_key"][::-1]}  # type: ignore[index]
        with pytest.raises(UnusableSettings, match="another key"):
            announcing.log_missing(held, [other], root=city.made.root_key)
        assert held.register.size == size


def test_only_the_delegated_key_announces(city: Registered) -> None:
    stranger = key_files.read_ed25519(city.folder / "board" / "council-1.key")
    with city.opened() as held, pytest.raises(NotCounted, match="not_signed"):
        announcing.log_missing(held, [next_key(city)], root=stranger)


def test_what_was_logged_before_a_crash_is_published_by_the_next_run(city: Registered) -> None:
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    before = (city.folder / publication.BUNDLE).read_bytes()
    (city.folder / "issuer" / ".bundle.json.unfinished").write_bytes(before[:100])
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    assert city.publish().trust.version == 2
    assert city.publish().trust.version == 3


def test_a_policy_takes_the_whole_road(city: Registered) -> None:
    decided = new_policy(city)
    with city.opened() as held:
        (enacted,) = city.road(held).decide(decided)
        assert not enacted.provisional
        assert enacted.seats == frozenset(board.ENOUGH.seats)
        assert city.clock.now() >= NOW + 30 * DAY
    loaded = city.publish()
    assert set(loaded.trust.policies) == {"library-card", decided.policy.id}
    assert loaded.trust.version == 2


def test_several_changes_share_one_notice(city: Registered) -> None:
    two = [PolicyChange(policy=each) for each in registered.policies(city.made)[1:]]
    with city.opened() as held:
        city.road(held).decide(*two)
    assert city.clock.now() < NOW + 31 * DAY
    assert len(city.publish().trust.policies) == 3


def test_without_its_notice_nothing_is_enacted(city: Registered) -> None:
    with city.opened() as held:
        hasty = replace(city.road(held), wait=lambda seconds: city.wait(seconds - DAY))
        size = held.register.size
        with pytest.raises(NotCounted, match="notice"):
            hasty.decide(new_policy(city))
        assert held.register.size == size + 1  # the proposal
    assert set(city.publish().trust.policies) == {"library-card"}


@pytest.mark.parametrize(
    ("seats", "word"),
    [
        (("council-1", "agency-1"), "no_community"),
        (("council-1", "community-2"), "too_few"),
        (("council-1", "council-2", "agency-1"), "no_community"),
        (("council-1", "community-1", "community-1"), "too_few"),
    ],
)
def test_too_few_seats_enact_nothing(city: Registered, seats: tuple[str, ...], word: str) -> None:
    with city.opened() as held, pytest.raises(NotCounted, match=word):
        city.road(held).decide(new_policy(city), by=Voters(seats=seats))


def test_a_road_that_a_crash_cut_short_is_taken_up(city: Registered) -> None:
    decided = new_policy(city)
    with city.opened() as held:
        digest = city.road(held).propose(decided)
        size = held.register.size
    with city.opened() as held:
        walked = city.road(held)
        assert walked.propose(decided) == digest
        assert held.register.size == size
        walked.decide(decided)
        assert held.register.size == size + 1
        assert isinstance(held.register.courses[digest].enacted, Enacted)


def test_objections_are_answered_before_the_board_votes(city: Registered) -> None:
    with city.opened() as held:
        walked = city.road(held)
        digest = walked.propose(new_policy(city))
        said = entry.comment_digest("No.", salt=bytes(32))
        held.append(entry.Comment(proposal=digest, comment=said))
        with pytest.raises(NotCounted, match="unanswered"):
            walked.decide(new_policy(city))
        held.append(entry.Answer(proposal=digest, answer=bytes(32)))
        walked.decide(new_policy(city))


def test_an_emergency_acts_at_once_and_lapses(city: Registered) -> None:
    with city.opened() as held:
        (enacted,) = city.road(held).decide(SuspendIssuing(), by=board.EMERGENCY)
        assert enacted.provisional
        assert city.clock.now() == NOW
        assert held.in_force().stopped(now=NOW) is Stopped.SUSPENDED
        city.wait(14 * DAY)
        assert held.in_force().stopped(now=city.clock.now()) is None


def test_a_wound_down_city_publishes_its_keys_and_issues_nothing(city: Registered) -> None:
    with city.opened() as held:
        city.road(held).decide(WindDown())
        assert held.in_force().stopped(now=city.clock.now()) is Stopped.WOUND_DOWN
        with pytest.raises(NotCounted, match="not_delegated"):
            announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    assert city.publish().trust.announced


def test_a_seat_gets_another_key_by_its_own_class(city: Registered) -> None:
    new = notaries.signer("new")
    decided = SeatKey(seat="community-1", key=notaries.log_key("new").public_key, successor=None)
    lost = board.successor(city.folder, "community-1"), new
    with city.opened() as held:
        walked = city.road(held)
        with pytest.raises(NotCounted, match="own_class"):
            walked.decide(decided, by=Voters(seats=("council-1", "council-2", "agency-1")))
        with pytest.raises(NotCounted, match="not_signed"):
            walked.decide(decided, by=Voters(seats=("community-1", "community-2")))
        keys = tuple(("community-1", each) for each in lost)
        walked.decide(decided, by=Voters(seats=("community-2",), keys=keys))
        with pytest.raises(NotCounted, match="no_community"):
            walked.decide(new_policy(city), by=board.ENOUGH)
        keys = (("community-1", new),)
        walked.decide(new_policy(city), by=Voters(seats=("council-1", "agency-1"), keys=keys))


def test_a_log_of_many_entries_is_summarised(
    city: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "WHOLE", 8)
    with city.opened() as held:
        digest = city.road(held).propose(new_policy(city))
        for number in range(8):
            said = entry.comment_digest("Why?", salt=bytes([number]) * 32)
            held.append(entry.Comment(proposal=digest, comment=said))
    loaded = city.publish()
    with city.opened() as held:
        assert held.register.summarised_from == held.register.size - 1
        size = held.register.size
    assert loaded.in_force.size == size
    city.publish()
    with city.opened() as held:
        assert held.register.size == size
        city.road(held).decide(SuspendIssuing(), by=board.EMERGENCY)
        assert held.register.summarised_from is None
    assert city.publish().in_force.stopped(now=NOW) is Stopped.SUSPENDED


def test_comments_since_a_summary_make_no_bundle_long(
    city: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "WHOLE", 8)
    monkeypatch.setattr(publication, "MOST_AFTER", 4)
    with city.opened() as held:
        digest = city.road(held).propose(new_policy(city))
    city.publish()
    for portion, due in ((range(3), False), (range(3, 4), True)):
        with city.opened() as held:
            since = held.register.summarised_from
            for each in portion:
                said = entry.comment_digest("Why?", salt=bytes([each]) * 32)
                held.append(entry.Comment(proposal=digest, comment=said))
        city.publish()
        with city.opened() as held:
            assert (held.register.summarised_from != since) is due


def test_long_proposals_since_a_summary_keep_no_bundle_from_being_published(
    city: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "MOST_OCTETS_AFTER", 1000)
    with city.opened() as held:
        assert held.register.size < publication.WHOLE
        city.road(held).propose(new_policy(city))
    city.publish()
    with city.opened() as held:
        assert held.register.summarised_from == held.register.size - 1


def test_a_bundle_that_was_lost_is_followed_by_one_that_readers_take_over(
    city: Registered,
) -> None:
    assert city.first is not None
    for _ in range(3):
        city.publish()
    city.wait(DAY)
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    last = city.publish()
    (city.folder / publication.BUNDLE).unlink()
    with city.opened() as held:
        city.road(held).propose(new_policy(city))
    assert city.publish().trust.version > last.trust.version
    data = (city.folder / publication.BUNDLE).read_bytes()
    for seen in (city.first.seen, last.seen):
        bundle.load(data, pin=None, seen=seen, now=city.clock.now())


def test_one_command_at_a_time_has_the_log(city: Registered) -> None:
    with (
        city.opened(),
        pytest.raises(UnusableSettings, match="another process"),
        city.opened(),
    ):
        pass


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UnusableSettings, match=r"log\.json"),
        city_log.opened(tmp_path, clock=SetClock(NOW)),
    ):
        pass


def test_a_witness_with_another_key_or_log_is_refused(city: Registered) -> None:
    north, south = (city.folder / "witnesses" / f"{name}.key" for name in ("north", "south"))
    kept = north.read_bytes()
    north.write_bytes(south.read_bytes())
    with pytest.raises(UnusableSettings, match="not the key"), city.opened():
        pass
    north.write_bytes(kept)
    north.with_suffix(".head").write_text("another.example/log\n0\n" + "A" * 43 + "=\n")
    with pytest.raises(UnusableSettings, match="another log"), city.opened():
        pass
    north.with_suffix(".head").write_text("nothing")
    with pytest.raises(UnusableSettings, match="not what a witness wrote"), city.opened():
        pass


def test_a_log_that_was_rolled_back_finds_no_witness(city: Registered, tmp_path: Path) -> None:
    """Whoever brings the log of yesterday back cannot have another tomorrow cosigned."""
    kept = tmp_path / "kept"
    (city.folder / "log").rename(kept)
    shutil.copytree(kept, city.folder / "log")
    with city.opened() as held:
        announcing.log_missing(held, [next_key(city)], root=city.made.root_key)
    shutil.rmtree(city.folder / "log")
    kept.rename(city.folder / "log")
    before = (city.folder / publication.BUNDLE).read_bytes()
    with city.opened() as held, pytest.raises(UnusableSettings, match="witnesses"):
        city.road(held).propose(new_policy(city))
    assert (city.folder / publication.BUNDLE).read_bytes() == before


def test_a_policy_ends_with_its_day(city: Registered) -> None:
    until = registered.policies(city.made)[0].expires
    assert until == date(2030, 1, 1)
    city.clock.set(UnixSeconds(NOW + 4 * 365 * DAY))
    assert set(city.publish().trust.policies) == set()
