"""One contract for the issuer's stores: in memory, on SQLite, on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from idservice.issuer.model import StatusList
from idservice.issuer.ports import Act, LastingStore, PendingStore
from idservice.period import Period
from tests.fakes import engines
from tests.fakes.issuer_stores import MemoryLasting, MemoryPending

CONFIGURATION = "resident_sd_jwt"
P = Period(11)
KEY, OTHER = b"\x01" * 32, b"\x02" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    pending: PendingStore
    lasting: LastingStore


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        yield Stores(pending=MemoryPending(), lasting=MemoryLasting())
    elif request.param == "sqlite":
        with engines.sqlite_databases(tmp_path) as made:
            yield Stores(pending=made.pending, lasting=made.lasting)
    else:
        with engines.postgres_databases(request.getfixturevalue("postgres_server")) as made:
            yield Stores(pending=made.pending, lasting=made.lasting)


def test_offer_is_tried_five_times_and_no_more(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"sealed", slot=10)
    tries = [stores.pending.try_offer(KEY, tries=5, slot=9) for _ in range(7)]
    assert tries == [b"sealed"] * 5 + [None, None]
    assert not stores.pending.has_offer(KEY, tries=5, slot=9)


def test_tries_are_counted_across_threads(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"sealed", slot=10)
    with ThreadPoolExecutor(8) as pool:
        tries = list(pool.map(lambda _: stores.pending.try_offer(KEY, tries=5, slot=9), range(16)))
    assert tries.count(b"sealed") == 5


def test_offer_is_gone_at_its_slot(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"sealed", slot=10)
    assert stores.pending.has_offer(KEY, tries=5, slot=9)
    assert not stores.pending.has_offer(KEY, tries=5, slot=10)
    assert stores.pending.try_offer(KEY, tries=5, slot=10) is None


def test_unknown_offer_is_not_there(stores: Stores) -> None:
    assert not stores.pending.has_offer(OTHER, tries=5, slot=0)
    assert stores.pending.try_offer(OTHER, tries=5, slot=0) is None
    assert not stores.pending.trade(OTHER, token=KEY, sealed=b"", slot=10)
    assert stores.pending.token(KEY, slot=0) is None


def test_offer_is_traded_once_whoever_asks_at_the_same_time(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"sealed", slot=10)

    def trade(number: int) -> bool:
        token = number.to_bytes(32, "big")
        return stores.pending.trade(KEY, token=token, sealed=b"again", slot=10)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(trade, range(16)))
    assert won.count(True) == 1
    tokens = [stores.pending.token(n.to_bytes(32, "big"), slot=9) for n in range(16)]
    assert [token is not None for token in tokens] == won


def test_token_is_bound_to_its_keys_and_gone_at_its_slot(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"sealed", slot=10)
    assert stores.pending.trade(KEY, token=OTHER, sealed=b"again", slot=12)
    before = stores.pending.token(OTHER, slot=11)
    assert before is not None
    assert (before.sealed, before.thumbprints) == (b"again", None)
    assert stores.pending.attempt(OTHER, sealed=b"third", thumbprints=KEY, slot=11)
    after = stores.pending.token(OTHER, slot=11)
    assert after is not None
    assert (after.sealed, after.thumbprints) == (b"third", KEY)
    assert stores.pending.token(OTHER, slot=12) is None
    assert not stores.pending.attempt(OTHER, sealed=b"", thumbprints=KEY, slot=12)


def test_renewals_are_counted_until_they_are_reaped(stores: Stores) -> None:
    with ThreadPoolExecutor(8) as pool:
        counted = pool.map(lambda _: stores.pending.try_renewal(KEY, tries=5, slot=10), range(16))
        assert list(counted).count(True) == 5
    assert stores.pending.try_renewal(OTHER, tries=5, slot=10)
    stores.pending.reap(slot=9)
    assert not stores.pending.try_renewal(KEY, tries=5, slot=11)
    stores.pending.reap(slot=10)
    assert stores.pending.try_renewal(KEY, tries=5, slot=12)


def test_reaper_takes_what_is_out_of_date_only(stores: Stores) -> None:
    stores.pending.add_offer(KEY, sealed=b"old", slot=10)
    stores.pending.add_offer(OTHER, sealed=b"new", slot=11)
    stores.pending.reap(slot=10)
    assert not stores.pending.has_offer(KEY, tries=5, slot=0)
    assert stores.pending.has_offer(OTHER, tries=5, slot=0)


def test_index_row_is_added_put_and_removed(stores: Stores) -> None:
    stores.lasting.add_index_row(KEY, period=Period(0), sealed=b"empty")
    with stores.lasting.serialised(1) as unit:
        unit.add_index_row(KEY, period=P, sealed=b"another")
        assert unit.index_row(KEY) == b"empty"
        for key in (KEY, OTHER):
            unit.put_index_row(key, period=P, sealed=b"full")
    stores.lasting.reap(period=P, quarter=0)
    with stores.lasting.serialised(1) as unit:
        assert unit.index_row(KEY) == unit.index_row(OTHER) == b"full"
        unit.remove_index_row(KEY)
    with stores.lasting.serialised(1) as unit:
        assert unit.index_row(KEY) is None


def test_marks_and_withdrawals_stay_however_often_they_are_made(stores: Stores) -> None:
    with stores.lasting.serialised(1) as unit:
        assert not unit.is_marked(KEY)
        assert not unit.is_withdrawn(KEY)
        for _ in range(2):
            unit.mark(KEY, period=P)
            unit.withdraw(KEY, quarter=8125)
    with stores.lasting.serialised(1) as unit:
        assert unit.is_marked(KEY)
        assert unit.is_withdrawn(KEY)
        assert not unit.is_marked(OTHER)


def test_unit_that_fails_leaves_nothing(stores: Stores) -> None:
    stores.lasting.lay_out(P, CONFIGURATION, size=1 << 17)

    class Crash(Exception):
        pass

    def crash() -> None:
        with stores.lasting.serialised(1) as unit:
            unit.mark(KEY, period=P)
            unit.add_index_row(KEY, period=P, sealed=b"row")
            found = unit.status_list(P, CONFIGURATION)
            assert found is not None
            unit.keep_status_list(P, CONFIGURATION, found.invalidate([7]))
            unit.count(Act.ISSUED, quarter=8100)
            raise Crash

    with pytest.raises(Crash):
        crash()
    with stores.lasting.serialised(1) as unit:
        assert not unit.is_marked(KEY)
        assert unit.index_row(KEY) is None
        assert unit.status_list(P, CONFIGURATION) == StatusList.empty(1 << 17)
    assert list(stores.lasting.counts()) == []


def test_list_is_laid_out_once(stores: Stores) -> None:
    assert stores.lasting.statuses(P, CONFIGURATION) is None
    with stores.lasting.serialised(1) as unit:
        assert unit.status_list(P, CONFIGURATION) is None
    stores.lasting.lay_out(P, CONFIGURATION, size=1 << 17)
    with stores.lasting.serialised(1) as unit:
        found = unit.status_list(P, CONFIGURATION)
        assert found is not None
        unit.keep_status_list(P, CONFIGURATION, found.invalidate([3]))
    stores.lasting.lay_out(P, CONFIGURATION, size=1 << 17)
    statuses = stores.lasting.statuses(P, CONFIGURATION)
    assert statuses is not None
    assert (statuses[0], len(statuses)) == (0b1000, 1 << 14)


def test_indices_are_given_to_one_only(stores: Stores) -> None:
    stores.lasting.lay_out(P, CONFIGURATION, size=1 << 17)

    def draw(number: int) -> tuple[int, ...]:
        seed = iter(range(number * 3, 10**6))

        def chance(length: int) -> bytes:
            return next(seed).to_bytes(length, "big")

        with stores.lasting.serialised(number) as unit:
            found = unit.status_list(P, CONFIGURATION)
            assert found is not None
            indices, drawn = found.draw(20, random_bytes=chance)
            unit.keep_status_list(P, CONFIGURATION, drawn)
            return indices

    with ThreadPoolExecutor(8) as pool:
        drawn = [index for indices in pool.map(draw, range(16)) for index in indices]
    assert len(drawn) == len(set(drawn)) == 320


def test_newest_list_of_a_day_wins_once(stores: Stores) -> None:
    assert stores.lasting.published(P, CONFIGURATION) is None
    assert stores.lasting.publish(P, CONFIGURATION, day=100, token="first")
    assert not stores.lasting.publish(P, CONFIGURATION, day=100, token="second")
    assert not stores.lasting.publish(P, CONFIGURATION, day=99, token="older")
    assert stores.lasting.published(P, CONFIGURATION) == (100, "first")
    assert stores.lasting.publish(P, CONFIGURATION, day=101, token="newer")
    assert stores.lasting.published(P, CONFIGURATION) == (101, "newer")


def test_acts_are_counted_by_quarter(stores: Stores) -> None:
    with stores.lasting.serialised(1) as unit:
        for _ in range(3):
            unit.count(Act.ISSUED, quarter=8100)
        unit.count(Act.WITHDRAWN, quarter=8101)
    assert list(stores.lasting.counts()) == [(8100, Act.ISSUED, 3), (8101, Act.WITHDRAWN, 1)]


def test_reaper_takes_past_periods_and_past_quarters(stores: Stores) -> None:
    for number, key in ((10, KEY), (11, OTHER)):
        period = Period(number)
        stores.lasting.lay_out(period, CONFIGURATION, size=1 << 17)
        stores.lasting.publish(period, CONFIGURATION, day=100, token="list")
        with stores.lasting.serialised(1) as unit:
            unit.mark(key, period=period)
            unit.add_index_row(key, period=period, sealed=b"row")
            unit.withdraw(key, quarter=8100 + number)
    stores.lasting.reap(period=Period(11), quarter=8111)
    with stores.lasting.serialised(1) as unit:
        for gone in (unit.is_marked(KEY), unit.index_row(KEY), unit.is_withdrawn(KEY)):
            assert not gone
        assert unit.is_marked(OTHER)
        assert unit.index_row(OTHER) == b"row"
        assert unit.is_withdrawn(OTHER)
        assert unit.status_list(Period(10), CONFIGURATION) is None
        assert unit.status_list(Period(11), CONFIGURATION) is not None
    assert stores.lasting.published(Period(10), CONFIGURATION) is None
    assert stores.lasting.published(Period(11), CONFIGURATION) is not None


def test_rewriting_changes_no_row(stores: Stores) -> None:
    with stores.lasting.serialised(1) as unit:
        for number in (3, 1, 2):
            unit.mark(bytes([number]) * 32, period=P)
    stores.lasting.rewrite()
    with stores.lasting.serialised(1) as unit:
        assert all(unit.is_marked(bytes([number]) * 32) for number in (1, 2, 3))


def test_store_says_that_it_is_ready(stores: Stores) -> None:
    assert stores.lasting.ready()
