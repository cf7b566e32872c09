"""The whole road of a BBS card: real issuer, two real verifiers, the wallet, and no socket."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from idservice import catalogue, period
from idservice.apps import admission, founding, issuer, settings
from idservice.apps import verifier as verifiers
from idservice.apps.admission import Joining
from idservice.apps.settings import City, Verifier
from idservice.issuer import claims
from idservice.issuer.service import Desk
from idservice.period import Period
from idservice.verification import openid4vp_answer, trust
from idservice.wallet.model import Declined, Request, Response
from idservice.wallet.question import Question
from idservice.wallet.service import WalletService
from tests.fakes import asgi
from tests.fakes import city as cities
from tests.fakes import wire as fake_wire
from tests.fakes.issuer_office import ADA, HandClock
from tests.fakes.wallet_store import MemoryStore

BBS = catalogue.BBS_CONFIGURATION
ISSUER = "https://issuer.example"
POLICIES = {
    "library": {
        "purpose": "library_membership",
        "required": ["resident"],
        "optional": ["given_name"],
        "pseudonym": "member",
    },
    "bar": {"purpose": "age_check", "required": ["age_over_18"], "optional": []},
}


@dataclass(kw_only=True)
class Town:
    """A city with its offices as they run."""

    clock: HandClock
    desk: Desk
    bundle: bytes
    folders: list
    apps: dict = field(default_factory=dict)
    api_keys: dict = field(default_factory=dict)
    client_ids: dict = field(default_factory=dict)
    sent: list = field(default_factory=list)

    def send(self, request: Request) -> Response:
        answer = self.carry(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        media_type = answer.headers.get("content-type", "").split(";")[0]
        self.sent.append(request)
        return Response(status=answer.status_code, media_type=media_type, body=answer.content)

    def carry(self, method: str, url: str, **options: object) -> httpx.Response:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return asgi.Client(app=self.apps[base], base_url=base).request(method, path, **options)

    def enrol(self, configuration: str = BBS):
        person = claims.from_record(ADA, today=period.day(self.clock.now()))
        return self.desk.enrol(person, configuration=configuration)

    def wallet(self, seed: str = "Ada") -> WalletService:
        service = WalletService(
            store=MemoryStore(),
            wire=self,
            clock=self.clock,
            random_bytes=cities.chance(seed),
            pause=lambda: None,
        )
        root = trust.parse(self.bundle, root_fingerprint=None, at_least_version=None)
        service.pin(self.bundle, root_fingerprint=root.root_fingerprint)
        return service

    def holder(self, seed: str = "Ada"):
        service, enrolled = self.wallet(seed), self.enrol()
        receive(service, enrolled)
        return service, enrolled

    def start(self, name: str, **changes: object) -> dict:
        body = {"policy": name, "format": "jwp+bbs", "response_mode": "direct_post", **changes}
        answer = self.carry(
            "POST",
            f"https://{name}.example/v1/requests",
            headers={"Authorization": f"Bearer {self.api_keys[name]}"},
            json=body,
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def collect(self, name: str, started: dict) -> dict:
        return self.carry(
            "GET",
            f"https://{name}.example/v1/requests/answer",
            headers={"Authorization": f"Bearer {started['answer_secret']}"},
        ).json()

    def visit(self, service: WalletService, name: str, *, pseudonym: bool = False, **asked) -> dict:
        """Be asked, show what is needed, and let the verifier fetch its answer."""
        shared = asked.pop("shared", ())
        started = self.start(name, **asked)
        question = service.ask(started["authorization_request"])
        assert isinstance(question, Question), question.sentence
        service.answer(question, shared=shared, reuse=False, pseudonym=pseudonym)
        return self.collect(name, started)

    def late(self) -> None:
        self.clock.time = self.boundary() - period.DAY

    def boundary(self) -> int:
        return period.not_before(Period(period.of(self.clock.now()) + 1))


def receive(service, enrolled):
    return service.receive(enrolled.offer, transaction_code=lambda: enrolled.transaction_code)


def admit(city, name):
    folder = city.parent / name
    chances = founding.Chances(now=cities.NOW, random_bytes=cities.chance(f"admitting {name}"))
    wished = Verifier(
        name=f"The {name}",
        base_url=f"https://{name}.example",
        client_id_prefix="x509_hash",
        policies=[name],
        api_keys=[],
        redirect_uris=[],
    )
    api_key = admission.found_verifier(folder, wished, chances=chances)
    wish = {
        **POLICIES[name],
        "id": name,
        "verifier": wished.name,
        "place": "at the counter",
        "retention": "none",
        "erase": None,
        "formats": ["jwp+bbs", "dc+sd-jwt"],
        "status_max_age_s": None,
        "notice": {"en": "To let you in."},
        "expires": "2030-01-01",
    }
    admitted = admission.admit(
        city,
        Joining(
            asked=(folder / admission.REQUEST).read_bytes(),
            wishes=[canonical_json.serialize(wish)],
        ),
        replace=False,
        chances=chances,
        wait=lambda _seconds: None,
    )
    return api_key, admitted


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """Found the city once; each test works on a copy."""
    folder = tmp_path_factory.mktemp("founded")
    city = folder / "city"
    founding.found_city(
        city,
        City(name="Exampleton", issuer=ISSUER, languages=["en"], demonstration=True),
        residents=1000,
        chances=founding.Chances(now=cities.NOW, random_bytes=cities.chance("founding")),
        sandbox=True,
    )
    return folder, {name: admit(city, name) for name in POLICIES}


@pytest.fixture
def town(founded, tmp_path) -> Iterator[Town]:
    template, admissions = founded
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    city = tmp_path / "city"
    bundle = (city / "issuer" / "bundle.json").read_bytes()
    clock = HandClock(cities.NOW)
    with ExitStack() as stack:
        told = settings.issuer(city / "issuer", environ={})
        parts = issuer.assemble(told, clock=clock, random_bytes=cities.chance("desk"))
        stack.callback(parts.close)
        parts.schedule.tick()
        made = Town(clock=clock, desk=Desk(parts.stores), bundle=bundle, folders=[told.folder])
        made.apps[ISSUER] = issuer.create_app(
            told, clock=clock, random_bytes=cities.chance("issuer")
        )
        for name, (api_key, admitted) in admissions.items():
            folder = tmp_path / name
            admission.hand_over(folder, admitted, bundle=bundle)
            made.apps[f"https://{name}.example"] = verifiers.create_app(
                settings.verifier(folder, environ={}),
                clock=clock,
                random_bytes=cities.chance(f"verifier {name}"),
            )
            made.api_keys[name] = api_key
            made.client_ids[name] = admitted.client_ids[0]
            made.folders.append(folder)
        yield made


def test_from_the_desk_to_two_verifiers(town):
    service, _ = town.holder()
    (card,) = service.wallet().cards
    assert (card.format, card.lasting) == ("jwp+bbs", True)
    assert service.says(card)["given_name"] == "Ada"
    for mode in ("direct_post", "direct_post.jwt"):
        told = town.visit(service, "library", response_mode=mode, shared=("given_name",))
        assert told["result"] == "accepted"
        assert told["facts"] == {"resident": True, "given_name": "Ada"}
        assert told["status_age_s"] is None
    assert town.visit(service, "bar")["facts"] == {"age_over_18": True}


def test_an_offer_is_taken_once(town):
    service, enrolled = town.wallet(), town.enrol()
    receive(service, enrolled)
    with pytest.raises(Declined, match="unknown or used up"):
        receive(town.wallet("another"), enrolled)


def test_lost_answer_is_given_again_in_the_same_octets(town):
    service, enrolled = town.wallet(), town.enrol()
    content = service._store.content
    first = receive(service, enrolled)
    asked = next(one for one in town.sent if one.url.endswith("/credential"))
    assert content != service._store.content
    again = town.send(asked)
    (entry,) = json.loads(again.body)["credentials"]
    assert entry["credential"] == first.instances[0].credential
    body = canonical_json.parse_object(asked.body)
    _, other = jwp.request(random_bytes=cities.chance("other"))
    body["proofs"] = {"bbs_commitment": [base64url.encode(other)]}
    refused = town.send(
        Request(
            method="POST",
            url=asked.url,
            headers=asked.headers,
            body=canonical_json.serialize(body),
        )
    )
    assert refused.status == 400


def test_both_kinds_of_card_from_two_enrolments(town):
    service, _ = town.holder()
    receive(service, town.enrol(catalogue.CONFIGURATION))
    assert [card.format for card in service.wallet().cards] == ["jwp+bbs", "dc+sd-jwt"]
    assert town.visit(service, "library")["status_age_s"] is None


@pytest.mark.threat("T70")
def test_name_is_the_same_in_a_period_and_only_at_its_policy(town):
    service, _ = town.holder()
    neighbour, _ = town.holder("neighbour")
    first = town.visit(service, "library", pseudonym=True)
    again = town.visit(service, "library", pseudonym=True)
    assert first["pseudonym"] == again["pseudonym"]
    assert town.visit(neighbour, "library", pseudonym=True)["pseudonym"] != first["pseudonym"]
    assert "pseudonym" not in town.visit(service, "library")
    town.late()
    service.renew(BBS)
    town.clock.time = town.boundary()
    assert town.visit(service, "library", pseudonym=True)["pseudonym"] != first["pseudonym"]


def test_renewed_before_the_boundary_and_switched_at_it(town):
    service, _ = town.holder()
    with pytest.raises(Declined, match="can be renewed from"):
        service.renew(BBS)
    town.late()
    boundary = town.boundary()
    card = service.renew(BBS)
    assert card.period == period.of(boundary)
    with pytest.raises(Declined, match="can be renewed from"):
        service.renew(BBS)
    for seconds in (-1, 0, 2 * period.DAY):
        town.clock.time = boundary + seconds
        question = service.ask(town.start("bar")["authorization_request"])
        assert (question.holding.card.period == card.period) is (seconds >= 0)
        assert town.visit(service, "bar")["result"] == "accepted"


@pytest.mark.threat("T71")
def test_card_that_was_not_renewed_ends_a_day_after_its_period(town):
    service, _ = town.holder()
    town.clock.time = town.boundary() + period.DAY - 1
    assert town.visit(service, "bar")["result"] == "accepted"
    town.clock.time += 1
    found = service.ask(town.start("bar")["authorization_request"])
    assert found.sentence == "You have no card that is valid today."


@pytest.mark.threat("T71")
def test_slip_bars_the_renewal_and_the_card_ends_with_its_period(town):
    service, enrolled = town.holder()
    service.withdraw(enrolled.slip)
    assert town.visit(service, "bar")["result"] == "accepted"
    town.late()
    with pytest.raises(Declined, match="withdrawn, past its enrolment"):
        service.renew(BBS)


def test_answer_handed_over_is_checked_over_http(town):
    service, _ = town.holder()

    def handed_over(name):
        question = service.ask_directly(name, client_id=town.client_ids[name], nonce="n-1")
        return service.present(question, shared=(), reuse=False)

    right = {
        "policy": "library",
        "presentation": handed_over("library"),
        "nonce": "n-1",
        "audience": town.client_ids["library"],
    }

    def check(**changes):
        answer = town.carry("POST", "https://library.example/v1/verify", json=right | changes)
        return answer.json()

    assert check()["result"] == "accepted"
    assert check(nonce="another")["code"] == "wrong_nonce"
    assert check(audience=town.client_ids["bar"]).get("result") != "accepted"
    assert check(presentation=handed_over("bar"))["code"] == "wrong_audience"
    assert check(policy="bar").get("result") != "accepted"


@pytest.mark.threat("T69")
def test_pooled_stores_hold_nothing_of_a_showing_or_an_issuing(town):
    """Everything written down by issuer and verifiers, against everything sent."""
    service, _ = town.holder()
    town.visit(service, "library", pseudonym=True)
    town.visit(service, "bar")
    needles = set()
    for request in town.sent:
        if request.url.endswith("/credential"):
            proofs = canonical_json.parse_object(request.body)["proofs"]
            needles.add(base64url.decode(proofs["bbs_commitment"][0])[:48])
        if "/v1/responses/" in request.url:
            answer = openid4vp_answer.parse_answer(fake_wire.form(request))
            shown = jwp.parse(openid4vp_answer.presentation_in(answer))
            needles |= {shown.proof[:48], shown.proof[-32:]}
            needles |= {shown.pseudonym} - {None}
    key = service.wallet().cards[0].instances[0].key
    needles |= {key.nym, key.blind}
    assert len(needles) == 8
    files = [path for folder in town.folders for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".db"]
    written = b"".join(path.read_bytes() for path in files)
    for needle in needles:
        assert needle not in written
        assert base64url.encode(needle).encode() not in written
    for folder in town.folders:
        for path in folder.glob("*.db"):
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
