"""A verifier's office in memory, and a wallet's side of it: city, store, knowledge, clock."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from crypto.encoding.canonical_json import JsonValue
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import key_binding, present, sd_jwt
from crypto.x509 import x5c
from idservice.verification import openid4vp, openid4vp_answer
from idservice.verifier import model, web
from idservice.verifier.ports import Store
from idservice.verifier.service import Verifier
from idservice.web import application
from tests.fakes import asgi
from tests.fakes import city as cities
from tests.fakes import knowledge as known
from tests.fakes.city import FakeCity
from tests.fakes.knowledge import FakeKnowledge
from tests.fakes.verifier_store import MemoryStore

API_KEY = "counter-1"
REDIRECT_URI = "https://library.example/done"


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    time: int = cities.NOW

    def now(self) -> UnixSeconds:
        return UnixSeconds(self.time)


@dataclass(kw_only=True)
class Office:
    """One verifier of the city, everything in reach."""

    city: FakeCity
    name: str
    client_id: str
    service: Verifier
    store: Store
    knowledge: FakeKnowledge
    clock: FakeClock
    lines: list[str] = field(default_factory=list)

    @property
    def policy(self) -> str:
        return self.city.verifiers[self.name].policy.id

    def app(self) -> FastAPI:
        return application.create(
            application.Counter(
                office="verifier",
                title="Verifier",
                version="0",
                hot=web.hot_routes(self.service),
                router=web.router(self.service),
                ready=self.service.ready,
                write=self.lines.append,
            )
        )

    def client(self) -> asgi.Client:
        return asgi.Client(app=self.app(), base_url=f"https://{self.name}.example")

    def start(
        self,
        *,
        mode: openid4vp.ResponseMode = openid4vp.ResponseMode.DIRECT_POST,
        redirect_uri: str | None = None,
        credential_format: str | None = None,
    ) -> model.Started:
        ask = model.Ask(
            policy=self.policy,
            credential_format=credential_format,
            response_mode=mode,
            redirect_uri=redirect_uri,
        )
        return self.service.start(ask)

    def open_request(self, started: model.Started) -> openid4vp.Request:
        """Fetch and authenticate the request, as a wallet does."""
        return open_request(self, started)


def make(
    city: FakeCity | None = None,
    *,
    name: str = "library",
    prefix: str = "x509_hash",
    store: Store | None = None,
    clock: FakeClock | None = None,
    knowledge: FakeKnowledge | None = None,
) -> Office:
    city = city or cities.make()
    verifier = city.verifiers[name]
    client_id = verifier.hash_client_id if prefix == "x509_hash" else verifier.dns_client_id
    store = store or MemoryStore()
    clock = clock or FakeClock()
    knowledge = knowledge or known.of(city)
    service = Verifier(
        identity=model.Identity(
            client_id=client_id,
            x5c=x5c.decode(verifier.x5c),
            base_url=f"https://{verifier.dns_name}",
            policies=frozenset({verifier.policy.id}),
            redirect_uris=frozenset({REDIRECT_URI}),
        ),
        signer=jws.es256_signer(verifier.key),
        api_keys=(hashlib.sha256(b"another").digest(), hashlib.sha256(API_KEY.encode()).digest()),
        knowledge=knowledge,
        store=store,
        clock=clock,
        random_bytes=cities.chance(name),
    )
    return Office(
        city=city,
        name=name,
        client_id=client_id,
        service=service,
        store=store,
        knowledge=knowledge,
        clock=clock,
    )


def identifier(started: model.Started) -> str:
    """Return the random part of the `request_uri`."""
    invitation = openid4vp.parse_invitation(started.authorization_request, loopback=True)
    return urlsplit(invitation.request_uri).path.rsplit("/", 1)[1]


def open_request(office: Office, started: model.Started) -> openid4vp.Request:
    """Fetch and authenticate the request, as a wallet does."""
    token = office.service.request_object(
        identifier(started), wallet_nonce=None, wallet_metadata=None
    )
    return openid4vp.authenticate(
        token,
        invitation=openid4vp.parse_invitation(started.authorization_request, loopback=True),
        wallet_nonce=None,
        root=office.city.root.certificate,
        now=office.clock.now(),
    )


def credential(
    city: FakeCity,
    *,
    index: int = 77,
    holder: ec.EllipticCurvePrivateKey | None = None,
    claims: Mapping[str, JsonValue] = cities.RESIDENT,
) -> str:
    """Issue a credential to a holder."""
    key = holder or cities.holder_key()
    return city.issue(claims, key.public_key(), index)


def show(
    text: str,
    *,
    nonce: str,
    audience: str,
    facts: tuple[str, ...] = ("resident",),
    holder: ec.EllipticCurvePrivateKey | None = None,
    now: int = cities.NOW,
) -> str:
    """Show some facts of a credential, bound to a nonce and an audience."""
    parsed = sd_jwt.parse(text)
    assert isinstance(parsed, sd_jwt.SdJwt)
    shown = present.present(parsed, paths=[_path(name) for name in facts])
    return key_binding.sign(
        shown,
        nonce=nonce,
        audience=audience,
        now=UnixSeconds(now),
        signer=jws.es256_signer(holder or cities.holder_key()),
    )


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def answer(
    office: Office, request: openid4vp.Request, *, facts: tuple[str, ...] = ("resident",)
) -> dict[str, str]:
    """Write the form that shows the facts, as a wallet does."""
    shown = show(
        credential(office.city),
        nonce=request.nonce,
        audience=request.client_id,
        facts=facts,
        now=office.clock.time,
    )
    return openid4vp_answer.write_answer(
        request, shown, random_bytes=cities.chance(f"wallet {request.nonce}")
    )


def rows(store: MemoryStore) -> tuple[object, ...]:
    """Return everything that a store holds, to compare before and after."""
    return (dict(store.requests), dict(store.answers))
