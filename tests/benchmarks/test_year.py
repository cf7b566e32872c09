"""A resident's year is arithmetic over sizes, and comes out as one can check by hand."""

import pytest

from benchmarks import year
from idservice import catalogue, period
from idservice.period import Period
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT

SIZES = {"credential": 1000, "request": 100, "showing": 500, "renewal": 2000}


def cells() -> dict[str, list[str]]:
    rows = year.table({"dc+sd-jwt": SIZES, "jwp+bbs": SIZES}).splitlines()[2:]
    return {name: rest for name, *rest in (row.strip("| ").split(" | ") for row in rows)}


def test_one_signature_a_period_or_twenty() -> None:
    assert year.PERIODS == 14  # 365 days touch fourteen periods of 28
    assert cells()["signatures that the city makes"] == ["0", "280", "14"]
    assert cells()["octets that the city sends as credentials"] == ["0 kB", "280 kB", "14 kB"]


def test_asking_and_renewing_is_what_the_wallet_sends() -> None:
    # 280 or 14 key proofs or commitments, and 13 renewals
    assert cells()["octets that the wallet sends to the city"] == ["0 kB", "54 kB", "27 kB"]
    assert cells()["occasions on which the wallet contacts the city"] == ["0", "14", "14"]


def test_a_printed_card_has_nothing_to_do_with_the_city() -> None:
    assert {numbers[0] for numbers in cells().values()} <= {
        "0",
        "0 kB",
        "-",
        "whoever sees it twice",
    }


@pytest.mark.parametrize("format_", catalogue.FORMATS)
def test_requests_are_as_many_as_the_wallet_sends(format_: str) -> None:
    configuration = catalogue.CONFIGURATIONS[catalogue.FORMATS.index(format_)]
    city = holders.taking_bbs(fake_city.make())
    holder = holders.make(city)
    offer = fake_wire.offer(city, configuration=configuration)
    holder.receive(fake_wire.offer_link(offer))
    assert len(holder.wire.sent) == year.TAKING[format_]  # the offer came by value
    holder.wire.sent.clear()
    following = Period(city.period + 1)
    holder.clock.time = period.not_before(following) - period.DAY
    holder.wire.issuing = lambda city, place, key: city.issue(
        RESIDENT, key, 2000 + place, announced=fake_wire.announced_for(city, 1)
    )
    entry = city.trust.find_bbs(configuration=configuration, period=following)
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        RESIDENT, commitment, announced=entry
    )
    holder.service.renew(configuration)
    assert len(holder.wire.sent) == year.ASKING + year.TAKING[format_]
