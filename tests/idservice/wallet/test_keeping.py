"""What a wallet keeps through a crash, and whom it pinned."""

import pytest

from crypto.encoding import canonical_json
from crypto.jose import jws
from idservice import period
from idservice.wallet.model import Declined, Unusable
from idservice.wallet.service import WalletService
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.holders import FixedClock
from tests.fakes.wallet_store import MemoryStore
from tests.fakes.wire import FakeWire


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    return holders.make(city)


# what survives a crash


def test_lost_credential_answer_is_asked_for_again_with_the_same_token_and_keys(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.receive()
    del holder.wire.answers[address]
    holder.receive(code="not asked for again")
    asked = [request for request in holder.wire.sent if request.url == address]
    first, second = (proved_keys(request) for request in asked)
    assert first == second
    assert asked[0].headers["Authorization"] == asked[1].headers["Authorization"]
    assert len([one for one in holder.wire.sent if one.url.endswith("/token")]) == 1


def proved_keys(request):
    tokens = canonical_json.parse_object(request.body)["proofs"]["jwt"]
    return [jws.parse(token).header["jwk"] for token in tokens]


def test_unfinished_issuing_is_forgotten_after_fifteen_minutes(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.receive()
    assert len(holder.service.wallet().pending) == 1
    holder.clock.time += 15 * 60
    assert holder.service.wallet().pending == ()


def test_a_clock_that_was_wrong_once_costs_no_card(holder):
    card = holder.receive()
    holder.clock.time += 3650 * period.DAY
    assert holder.service.wallet().cards == ()
    holder.service.keep_receipts(on=True)
    with pytest.raises(Declined):
        holder.service.renew()
    holder.clock.time -= 3650 * period.DAY
    (kept,) = holder.service.wallet().cards
    assert (kept.period, kept.fresh()) == (card.period, card.fresh())


# the pinned root


def test_first_bundle_needs_the_fingerprint(city):
    store = MemoryStore()
    service = WalletService(
        store=store,
        wire=FakeWire(city=city),
        clock=FixedClock(city.now),
        random_bytes=fake_city.chance("pin"),
        pause=lambda: None,
    )
    with pytest.raises(Unusable, match="knows no city"):
        service.trust()
    with pytest.raises(Unusable, match="fingerprint"):
        service.pin(city.bundle, root_fingerprint=None)
    with pytest.raises(Declined, match="another city root"):
        service.pin(city.bundle, root_fingerprint=bytes(32))
    service.pin(city.bundle, root_fingerprint=city.trust.root_fingerprint)
    assert service.trust().version == city.trust.version


def test_older_bundle_and_another_root_are_refused(holder):
    older = holder.city.sign_bundle({**holder.city.payload, "version": 6})
    with pytest.raises(Declined, match="older"):
        holder.service.pin(older, root_fingerprint=None)
    with pytest.raises(Declined, match="another city root pinned"):
        holder.service.pin(holder.city.bundle, root_fingerprint=bytes(32))
    newer = holder.city.sign_bundle({**holder.city.payload, "version": 8})
    assert holder.service.pin(newer, root_fingerprint=None).version == 8


def test_stale_bundle_is_told(holder):
    assert holder.service.unchecked_since() is None
    holder.clock.time += 8 * period.DAY
    assert holder.service.unchecked_since() is not None


def test_no_secret_stands_in_any_repr(holder):
    card = holder.receive()
    text = repr(holder.service.wallet()) + repr(card) + repr(holder.wire.sent)
    for secret in (card.instances[0].credential, "Bearer", fake_wire.CODE, "Okonkwo"):
        assert secret not in text
