import pytest

from crypto.sealed import handle
from idservice import catalogue, period
from idservice.period import Period
from idservice.wallet.model import Declined, Unusable, Use
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive()
    holder.wire.sent.clear()
    holder.clock.time = period.not_before(Period(city.period + 1)) - period.DAY
    holder.wire.issuing = renewed()
    return holder


def renewed(**changes):
    return lambda city, place, key: city.issue(
        {**RESIDENT, **changes}, key, 2000 + place, announced=fake_wire.announced_for(city, 1)
    )


def test_kept_instance_is_shown_whole_to_the_issuer_and_the_next_period_comes_back(holder):
    new = holder.service.renew()
    assert new.period == holder.city.period + 1
    (claims,) = holder.wire.renewals
    assert claims["renewal_handle"] == RESIDENT["renewal_handle"]
    assert claims["address"]["care_of"] is None
    old, new = holder.service.wallet().cards
    assert [one.use for one in old.instances].count(Use.RENEWED) == 1
    assert old.fresh() == new.fresh() == catalogue.BATCH - 1


@pytest.mark.threat("T10")
def test_renewal_is_by_calendar_and_not_by_use(holder):
    holder.clock.time = holder.city.now
    with pytest.raises(Declined, match=r"can be renewed from 2027-01-29 on"):
        holder.service.renew()
    assert holder.wire.sent == []


def test_renewal_after_the_period_gets_the_current_one(holder):
    holder.clock.time = period.not_before(Period(holder.city.period + 1)) + period.DAY
    assert holder.service.renew().period == holder.city.period + 1


def test_a_card_whose_time_is_over_goes_when_another_has_come(holder):
    holder.clock.time = period.expires(holder.city.period)
    assert len(holder.store.load().cards) == 1
    new = holder.receive()
    assert [card.period for card in holder.store.load().cards] == [new.period]


def test_nothing_to_renew(city):
    holder = holders.make(city)
    with pytest.raises(Declined, match="none to renew"):
        holder.service.renew()


def test_second_renewal_waits_for_the_next_window(holder):
    holder.service.renew()
    with pytest.raises(Declined):
        holder.service.renew()


@pytest.mark.parametrize(
    "claims", [{"renewal_handle": "x" * 43}, {"given_name": "Eve"}, {"age_over_18": False}]
)
def test_issuer_that_changes_the_person_at_renewal_is_refused(holder, claims):
    holder.wire.issuing = renewed(**claims)
    with pytest.raises(Declined, match=next(iter(claims))):
        holder.service.renew()
    assert len(holder.service.wallet().cards) == 1


def test_birthday_between_is_no_change(holder):
    holder.wire.issuing = renewed(age_over_62=True)
    assert holder.service.says(holder.service.renew())["age_over_62"] is True


def test_present_period_instead_of_the_next_is_refused(holder):
    holder.wire.issuing = fake_wire.honest
    with pytest.raises(Declined, match="no period"):
        holder.service.renew()


def test_lost_answer_is_asked_for_again_with_the_same_token(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.service.renew()
    del holder.wire.answers[address]
    assert holder.service.renew().fresh() == catalogue.BATCH - 1
    assert len(holder.wire.renewals) == 1


def test_lost_renewal_answer_lets_the_issuer_see_the_same_instance_again(holder):
    address = f"{holder.city.issuer}/v1/renew"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.service.renew()
    del holder.wire.answers[address]
    holder.service.renew()
    old = holder.service.wallet().cards[0]
    assert [one.showings for one in old.instances if one.use is Use.RENEWED] == [2]


def test_refused_renewal_is_told_in_words(holder):
    address = f"{holder.city.issuer}/v1/renew"
    holder.wire.answers[address] = fake_wire.as_json(
        {"code": "credential_request_denied"}, status=403
    )
    with pytest.raises(Declined, match="withdrawn, past its enrolment, or issued"):
        holder.service.renew()


def test_current_card_is_shown_before_the_next_period_begins(holder):
    holder.service.renew()
    asked = fake_wire.asking(holder.city.verifiers["library"])
    question = holder.service.ask(fake_wire.put(holder.wire, asked))
    assert question.holding.card.period == holder.city.period
    holder.clock.time = period.not_before(Period(holder.city.period + 1))
    question = holder.service.ask(fake_wire.put(holder.wire, asked))
    assert question.holding.card.period == holder.city.period + 1


def test_withdrawal_sends_the_slip_as_it_is_written(holder):
    slip = handle.new_slip(random_bytes=fake_city.chance("slip"))
    typed = handle.write_slip(slip).lower().replace("-", " ")
    holder.service.withdraw(typed)
    (request,) = holder.wire.sent
    assert request.url == f"{holder.city.issuer}/v1/withdraw"
    assert handle.write_slip(slip).encode() in request.body
    assert len(holder.service.wallet().cards) == 1


def test_mistyped_slip_is_not_sent(holder):
    with pytest.raises(Declined, match="slip"):
        holder.service.withdraw("0000-0000")
    assert holder.wire.sent == []


def test_withdrawal_that_fails_is_told(holder):
    slip = handle.write_slip(handle.new_slip(random_bytes=fake_city.chance("slip")))
    address = f"{holder.city.issuer}/v1/withdraw"
    holder.wire.answers[address] = fake_wire.as_json({}, status=503)
    with pytest.raises(Declined, match="503"):
        holder.service.withdraw(slip)
