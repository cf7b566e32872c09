"""Renewing a BBS card: everything to the issuer alone, the next period's card in time."""

import pytest

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from idservice import catalogue, period
from idservice.period import Period
from idservice.verification import showing
from idservice.wallet.model import Declined, Unusable
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT

BBS = catalogue.BBS_CONFIGURATION


@pytest.fixture(scope="module")
def city():
    return holders.taking_bbs(fake_city.make())


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive_bbs()
    holder.wire.sent.clear()
    holder.clock.time = period.not_before(Period(city.period + 1)) - period.DAY
    holder.wire.bbs_issuing = renewed()
    return holder


def renewed(**changes):
    def issuing(city, commitment):
        entry = city.trust.find_bbs(configuration=BBS, period=Period(city.period + 1))
        return city.issue_bbs({**RESIDENT, **changes}, commitment, announced=entry)

    return issuing


def shown_to_the_issuer(holder):
    (request,) = [one for one in holder.wire.sent if one.url.endswith("/v1/renew")]
    return jwp.parse(canonical_json.parse_object(request.body)["presentation"])


def test_everything_is_shown_to_the_issuer_and_the_next_period_comes_back(holder):
    new = holder.service.renew(BBS)
    assert (new.period, new.lasting) == (holder.city.period + 1, True)
    (claims,) = holder.wire.renewals
    assert claims["renewal_handle"] == RESIDENT["renewal_handle"]
    assert claims["address"]["street_address"] == "Quay 7"
    shown = shown_to_the_issuer(holder)
    assert [*shown.payloads] == [*range(len(catalogue.BBS_SLOTS))]
    assert shown.pseudonym is None
    assert len(holder.service.wallet().cards) == 2


def test_renewal_is_bound_to_the_issuers_nonce_as_a_renewal(holder):
    holder.service.renew(BBS)
    header = canonical_json.parse_object(shown_to_the_issuer(holder).presentation_header)
    direct = showing.direct_request_hash(nonce="fresh-nonce", policy="renewal")
    assert header == {
        "alg": jwp.ALG,
        "aud": holder.city.issuer,
        "nonce": "fresh-nonce",
        "request_hash": base64url.encode(direct),
    }


def test_the_new_card_has_a_secret_of_its_own(holder):
    old = holder.service.wallet().cards[0].instances[0].key
    new = holder.service.renew(BBS).instances[0].key
    assert old.nym != new.nym
    assert old.blind != new.blind


@pytest.mark.threat("T10")
def test_renewal_is_by_calendar_and_not_by_use(holder):
    holder.clock.time = period.not_before(Period(holder.city.period + 1)) - 3 * period.DAY - 1
    assert holder.service.renewable() == ()
    with pytest.raises(Declined, match=r"can be renewed from 2027-01-29 on"):
        holder.service.renew(BBS)
    assert holder.wire.sent == []
    holder.clock.time += 1
    assert holder.service.renewable() == (BBS,)
    holder.service.renew(BBS)
    assert holder.service.renewable() == ()


def test_renewal_in_the_day_of_grace_gets_the_current_period(holder):
    holder.clock.time = period.not_before(Period(holder.city.period + 1)) + period.DAY - 1
    assert holder.service.renew(BBS).period == holder.city.period + 1


def test_card_that_ran_out_is_not_renewed(holder):
    holder.clock.time = period.not_before(Period(holder.city.period + 1)) + period.DAY
    with pytest.raises(Declined, match="none to renew"):
        holder.service.renew(BBS)


def test_each_kind_is_renewed_for_itself(holder):
    early = holder.clock.time
    holder.clock.time = holder.city.now
    holder.receive()
    holder.clock.time = early
    assert holder.service.renewable() == catalogue.CONFIGURATIONS
    holder.service.renew(BBS)
    assert holder.service.renewable() == (catalogue.CONFIGURATION,)
    holder.wire.issuing = lambda city, place, key: city.issue(
        RESIDENT, key, place, announced=fake_wire.announced_for(city, 1)
    )
    holder.service.renew()
    assert len(holder.service.wallet().cards) == 4


@pytest.mark.parametrize(
    "claims", [{"renewal_handle": "x" * 43}, {"given_name": "Eve"}, {"age_over_18": False}]
)
def test_issuer_that_changes_the_person_is_refused(holder, claims):
    holder.wire.bbs_issuing = renewed(**claims)
    with pytest.raises(Declined, match=next(iter(claims))):
        holder.service.renew(BBS)
    assert len(holder.service.wallet().cards) == 1


def test_present_period_instead_of_the_next_is_refused(holder):
    holder.wire.bbs_issuing = fake_wire.honest_bbs
    with pytest.raises(Declined, match="no period"):
        holder.service.renew(BBS)


def test_offer_of_another_kind_is_refused(holder):
    content = fake_wire.offer(holder.city, code="renewed", with_code=False)
    holder.wire.answers[f"{holder.city.issuer}/v1/renew"] = fake_wire.as_json(
        {"credential_offer": content}
    )
    with pytest.raises(Declined, match="another kind of card"):
        holder.service.renew(BBS)
    assert not [one for one in holder.wire.sent if one.url.endswith("/token")]


def test_lost_answer_is_asked_for_again_in_the_very_same_octets(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.service.renew(BBS)
    del holder.wire.answers[address]
    assert holder.service.renew(BBS).lasting
    first, second = (one for one in holder.wire.sent if one.url == address)
    assert (first.body, first.headers) == (second.body, second.headers)
    assert len(holder.wire.renewals) == 1


def test_lost_renewal_answer_is_asked_for_by_another_showing(holder):
    address = f"{holder.city.issuer}/v1/renew"
    before = holder.store.content
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.service.renew(BBS)
    assert holder.store.content == before
    del holder.wire.answers[address]
    holder.service.renew(BBS)
    first, second = (one for one in holder.wire.sent if one.url == address)
    assert first.body != second.body


def test_refused_renewal_is_told_in_words(holder):
    holder.wire.answers[f"{holder.city.issuer}/v1/renew"] = fake_wire.as_json(
        {"code": "credential_request_denied"}, status=403
    )
    with pytest.raises(Declined, match="withdrawn, past its enrolment, or issued"):
        holder.service.renew(BBS)


def test_bundle_without_the_next_period_shows_the_issuer_nothing(holder):
    following = holder.city.period + 1
    kept = [one for one in holder.city.payload["announced"] if one["period"] < following]
    holder.city.register.at(holder.clock.time)
    data = holder.city.sign_bundle({**holder.city.payload, "version": 8, "announced": kept})
    holder.service.pin(data, root_fingerprint=None)
    with pytest.raises(Declined, match="take a newer one"):
        holder.service.renew(BBS)
    assert holder.wire.sent == []
