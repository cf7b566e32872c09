"""What survives a crash while a BBS card is received or renewed: everything that was written."""

from dataclasses import dataclass

import pytest

from crypto.encoding import base64url, canonical_json
from idservice import catalogue, period
from idservice.period import Period
from idservice.wallet.model import Committed, Declined, Unusable
from idservice.wallet.service import WalletService
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT
from tests.fakes.wallet_store import MemoryStore


@pytest.fixture(scope="module")
def city():
    return holders.taking_bbs(fake_city.make())


@pytest.fixture
def holder(city):
    return holders.make(city)


def commitments(holder):
    asked = [one for one in holder.wire.sent if one.url.endswith("/credential")]
    return [canonical_json.parse_object(one.body)["proofs"] for one in asked]


class Crash(BaseException):
    """The process dies."""


@dataclass
class Mortal:
    """A process that dies at one of the points at which something is sent, answered or saved."""

    wire: object
    store: MemoryStore
    line: int
    passed: int = 0

    def point(self):
        self.passed += 1
        if self.passed == self.line:
            raise Crash

    def send(self, request):
        self.point()
        answer = self.wire.send(request)
        self.point()
        return answer

    def load(self):
        return self.store.load()

    def save(self, wallet):
        self.point()
        self.store.save(wallet)
        self.point()


@dataclass
class StrictIssuer:
    """Gives one token a code, and one credential a token: the same again, or nothing."""

    wire: fake_wire.FakeWire
    spent: bool = False
    commitment: bytes = b""

    def send(self, request):
        if request.url.endswith("/v1/renew"):  # another offer, as long as nothing was issued
            self.spent = False
        if request.url.endswith("/token"):
            if self.spent:
                return fake_wire.as_json({"error": "invalid_grant"}, status=400)
            self.spent = True
        if request.url.endswith("/credential"):
            assert self.commitment in {b"", request.body}
            self.commitment = request.body
        return self.wire.send(request)


LINES = 12
"""Four requests, each before and after, and two saves, each before and after."""


def receive_bbs(service, city):
    offer = fake_wire.offer(city, configuration=catalogue.BBS_CONFIGURATION)
    return service.receive(
        fake_wire.offer_link(offer), transaction_code=lambda: fake_wire.TRANSACTION_CODE
    )


def process(holder, issuer, *, line, seed):
    """Start the wallet in a process of its own."""
    mortal = Mortal(wire=issuer, store=holder.store, line=line)
    service = WalletService(
        store=mortal,
        wire=mortal,
        clock=holder.clock,
        random_bytes=fake_city.chance(seed),
        pause=lambda: None,
    )
    return service, mortal


def test_the_points_at_which_a_process_may_die_are_all_played(city):
    holder = holders.make(city)
    service, mortal = process(holder, StrictIssuer(wire=holder.wire), line=0, seed="first")
    receive_bbs(service, city)
    assert mortal.passed == LINES


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_crash_at_any_point_of_receiving_loses_nothing_that_was_written(city, line):
    holder = holders.make(city)
    issuer = StrictIssuer(wire=holder.wire)
    service, _ = process(holder, issuer, line=line, seed="first")
    with pytest.raises(Crash):
        receive_bbs(service, city)
    again, _ = process(holder, issuer, line=0, seed="second")
    waiting = again.wallet().awaited(catalogue.BBS_CONFIGURATION)
    if again.wallet().cards:
        assert line == LINES
    elif issuer.spent and waiting is None:
        # the token's answer was lost before it was on the disk: the clerk makes a new offer
        assert line in {4, 5}
        with pytest.raises(Declined, match="unknown or used up"):
            receive_bbs(again, city)
    else:
        card = receive_bbs(again, city)
        assert again.says(card) == dict(RESIDENT)
        assert waiting is None or card.instances[0].key == waiting.keys.secret


def test_secret_is_on_the_disk_before_the_credential_is_asked_for(holder):
    seen = []

    def look(request):
        if request.url.endswith("/credential"):
            (pending,) = holder.store.load().pending
            seen.append(pending.keys)

    holder.wire.on_post = look
    card = holder.receive_bbs()
    (committed,) = seen
    assert isinstance(committed, Committed)
    assert committed.secret == card.instances[0].key
    (proofs,) = commitments(holder)
    assert proofs == {"bbs_commitment": [base64url.encode(committed.commitment)]}


def test_lost_answer_is_asked_for_again_in_the_very_same_octets(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.receive_bbs()
    del holder.wire.answers[address]
    holder.receive_bbs(code="not asked for again")
    first, second = (one for one in holder.wire.sent if one.url == address)
    assert (first.body, first.headers) == (second.body, second.headers)
    assert len([one for one in holder.wire.sent if one.url.endswith("/token")]) == 1


def test_unfinished_issuings_of_both_kinds_wait_side_by_side(holder):
    address = f"{holder.city.issuer}/credential"
    holder.wire.answers[address] = Unusable("The other side does not answer.")
    for receive in (holder.receive, holder.receive_bbs):
        with pytest.raises(Unusable):
            receive()
    assert len(holder.service.wallet().pending) == 2
    del holder.wire.answers[address]
    assert holder.receive(code="not asked for again").fresh() == catalogue.BATCH - 1
    assert holder.receive_bbs(code="not asked for again").lasting
    assert len([one for one in holder.wire.sent if one.url.endswith("/token")]) == 2


def test_unfinished_issuing_is_forgotten_after_fifteen_minutes(holder):
    holder.wire.answers[f"{holder.city.issuer}/credential"] = Unusable("Nobody answers.")
    with pytest.raises(Unusable):
        holder.receive_bbs()
    holder.clock.time += 15 * 60
    assert holder.service.wallet().pending == ()


RENEWING = 18
"""Seven requests, each before and after, and two saves, each before and after."""


def in_the_window(city):
    """Return a holder who can renew, and an issuer that forgives nothing."""
    holder = holders.make(city)
    holder.receive_bbs()
    holder.clock.time = period.not_before(Period(city.period + 1)) - period.DAY
    entry = city.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=Period(city.period + 1)
    )
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        RESIDENT, commitment, announced=entry
    )
    return holder, StrictIssuer(wire=holder.wire)


def test_the_points_at_which_a_renewing_process_may_die_are_all_played(city):
    holder, issuer = in_the_window(city)
    service, mortal = process(holder, issuer, line=0, seed="first")
    service.renew(catalogue.BBS_CONFIGURATION)
    assert mortal.passed == RENEWING


@pytest.mark.parametrize("line", range(1, RENEWING + 1))
def test_crash_at_any_point_of_renewing_costs_nothing(city, line):
    holder, issuer = in_the_window(city)
    service, _ = process(holder, issuer, line=line, seed="first")
    with pytest.raises(Crash):
        service.renew(catalogue.BBS_CONFIGURATION)
    again, _ = process(holder, issuer, line=0, seed="second")
    if line < RENEWING:
        assert len(again.wallet().cards) == 1
        again.renew(catalogue.BBS_CONFIGURATION)
    assert [card.period - city.period for card in again.wallet().cards] == [0, 1]
    assert again.wallet().pending == ()
