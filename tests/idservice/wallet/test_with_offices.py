"""The wallet against the real issuer and the real verifier, without a socket."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from idservice import catalogue, period
from idservice.period import Period
from idservice.verification import trust
from idservice.verification.openid4vp import ResponseMode
from idservice.wallet.model import Declined, Request, Response
from idservice.wallet.question import Question
from idservice.wallet.service import WalletService
from tests.fakes import city as fake_city
from tests.fakes import holders, issuer_app, verifier_office
from tests.fakes.wallet_store import MemoryStore


@dataclass(frozen=True, slots=True)
class OfficeWire:
    """Sends what a wallet sends to an application in this process."""

    ask: Callable[..., httpx.Response]

    def send(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self.ask(request.method, path, headers=dict(request.headers), content=request.body)
        media_type = answer.headers.get("content-type", "").split(";")[0]
        return Response(status=answer.status_code, media_type=media_type, body=answer.content)


@pytest.fixture
def office(tmp_path):
    with issuer_app.running(tmp_path / "city") as office:
        yield office


def wallet_for(office, seed="wallet"):
    service = WalletService(
        store=MemoryStore(),
        wire=OfficeWire(office.client.ask),
        clock=office.clock,
        random_bytes=fake_city.chance(seed),
        pause=lambda: None,
    )
    bundle = office.client.get("/v1/bundle").content
    pinned = trust.parse(bundle, root_fingerprint=None, at_least_version=None)
    service.pin(bundle, root_fingerprint=pinned.root_fingerprint)
    return service


def receive(service, enrolled):
    return service.receive(enrolled.offer, transaction_code=lambda: enrolled.transaction_code)


def late(office):
    following = period.not_before(Period(period.of(office.clock.now()) + 1))
    office.clock.time = following - period.DAY


def test_receive_a_batch_from_the_issuer(office):
    service, enrolled = wallet_for(office), office.enrol()
    card = receive(service, enrolled)
    assert card.fresh() == catalogue.BATCH - 1
    claims = service.says(card)
    assert (claims["given_name"], claims["resident"]) == ("Ada", True)
    with pytest.raises(Declined, match="unknown or used up"):
        receive(wallet_for(office, "a second wallet"), enrolled)


def test_wrong_transaction_code(office):
    service, enrolled = wallet_for(office), office.enrol()
    with pytest.raises(Declined, match="transaction code is wrong"):
        service.receive(enrolled.offer, transaction_code=lambda: "000000")
    receive(service, enrolled)


def test_renew_and_be_refused_the_second_time(office):
    service = wallet_for(office)
    receive(service, office.enrol())
    with pytest.raises(Declined, match="can be renewed from"):
        service.renew()
    late(office)
    card = service.renew()
    assert card.period == period.of(office.clock.now()) + 1
    assert len(service.wallet().cards) == 2


def test_slip_bars_the_renewal(office):
    service, enrolled = wallet_for(office), office.enrol()
    receive(service, enrolled)
    service.withdraw(enrolled.slip)
    late(office)
    with pytest.raises(Declined, match="withdrawn, past its enrolment"):
        service.renew()


def test_unknown_slip_is_answered_like_a_known_one(office):
    service, enrolled = wallet_for(office), office.enrol()
    other = office.enrol()
    receive(service, enrolled)
    service.withdraw(other.slip)
    service.withdraw(enrolled.slip)


# the verifier


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.mark.parametrize("mode", list(ResponseMode))
@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
@pytest.mark.parametrize("redirect_uri", [None, verifier_office.REDIRECT_URI])
def test_present_to_the_verifier(city, mode, prefix, redirect_uri):
    library = verifier_office.make(city, prefix=prefix)
    holder = holders.make(city)
    holder.receive()
    started = library.start(mode=mode, redirect_uri=redirect_uri)
    holder.service._wire = OfficeWire(library.client().request)
    question = holder.service.ask(started.authorization_request)
    assert isinstance(question, Question)
    went_on = holder.service.answer(question, shared=("given_name",), reuse=False)
    assert (went_on is None) is (redirect_uri is None)
    assert went_on is None or went_on.startswith(f"{redirect_uri}#response_code=")
    code = went_on.rpartition("=")[2] if went_on else None
    collected = library.service.collect(started.answer_secret, code)
    assert collected["facts"] == {"resident": True, "given_name": "Ada"}
    with pytest.raises(Declined):
        holder.service.answer(question, shared=(), reuse=False)


def test_verifier_takes_some_of_the_optional_claims_too(city):
    bank = verifier_office.make(city, name="bank")
    holder = holders.make(city)
    holder.receive()
    started = bank.start()
    holder.service._wire = OfficeWire(bank.client().request)
    question = holder.service.ask(started.authorization_request)
    holder.service.answer(question, shared=("address.locality",), reuse=False)
    assert bank.service.collect(started.answer_secret, None)["facts"] == {
        "given_name": "Ada",
        "family_name": "Okonkwo",
        "birth_date": "1990-04-12",
        "address.locality": "Exampleton",
    }


def test_refusing_is_taken_by_the_verifier(city):
    library = verifier_office.make(city)
    holder = holders.make(city)
    started = library.start()
    holder.service._wire = OfficeWire(library.client().request)
    objection = holder.service.ask(started.authorization_request)
    assert objection.sentence == "You have no card that is valid today."
    holder.service.refuse(objection.request)
    assert library.service.collect(started.answer_secret, None)["result"] != "accepted"
