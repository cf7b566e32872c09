"""Residents who enrol and pick up over real HTTP, one message at a time, from a running issuer.

The desk is the project's own, put together as `cli/enrol.py` does it, because a process for each
enrolment would cost more than everything else in a test.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt
from crypto.sealed import handle
from idservice import catalogue, clock, period
from idservice.apps import settings
from idservice.demonstration.town import Town
from idservice.issuer import claims, protocol
from idservice.issuer.model import Enrolment
from idservice.issuer.service import Desk, Stores
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.storage.issuer_pending import SqlPending

SEARCHED = 3
"""Instances of each resident whose key and signature are searched for."""


@dataclass(slots=True, kw_only=True)
class PickUp:
    """One resident's way from the desk to the credentials."""

    issuer: str
    http: httpx.Client
    record: JsonObject
    enrolment: Enrolment
    keys: tuple[ec.EllipticCurvePrivateKey, ...]
    token: str = field(default="", repr=False)

    @property
    def code(self) -> str:
        """The pre-authorized code of the QR."""
        (text,) = parse_qs(urlsplit(self.enrolment.offer).query)["credential_offer"]
        return str(json.loads(text)["grants"][protocol.GRANT]["pre-authorized_code"])

    def ask_token(self) -> httpx.Response:
        """Trade the code."""
        form = {
            "grant_type": protocol.GRANT,
            "pre-authorized_code": self.code,
            "tx_code": self.enrolment.transaction_code,
        }
        answer = self.http.post("/token", data=form)
        if answer.is_success:
            self.token = str(answer.json()["access_token"])
        return answer

    def body(self) -> JsonObject:
        """Write a credential request for this resident's keys, under a new nonce."""
        nonce = self.http.post("/nonce").json()["c_nonce"]
        payload = canonical_json.serialize(
            {"aud": self.issuer, "iat": clock.SystemClock().now(), "nonce": nonce}
        )
        return {
            "credential_configuration_id": catalogue.CONFIGURATION,
            "proofs": {"jwt": [_proof(key, payload) for key in self.keys]},
        }

    def ask(self, body: JsonObject) -> httpx.Response | None:
        """Ask for credentials; None where the issuer died before it answered."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return self.http.post("/credential", json=body, headers=headers)
        except httpx.TransportError:
            return None

    def receive(self) -> list[str]:
        """Walk the whole way."""
        assert self.ask_token().is_success
        answer = self.ask(self.body())
        assert answer is not None
        return credentials(answer)

    def withdraw(self) -> httpx.Response:
        """Hand the slip in."""
        return self.http.post("/v1/withdraw", json={"slip": self.enrolment.slip})

    def canaries(self, issued: list[str] | None = None) -> list[str | bytes]:
        """Return what tells of this resident and must stand in no file of the issuer."""
        slip = handle.parse_slip(self.enrolment.slip)
        found: list[str | bytes] = [str(self.record["given_name"]), str(self.record["birth_date"])]
        found += [base64url.decode(self.code), slip, handle.handle(slip), self.enrolment.slip]
        found += [base64url.decode(self.token)] if self.token else []
        for key in self.keys[:SEARCHED]:
            public = jwk.public_jwk(key.public_key())
            found += [base64url.decode(public["x"]), base64url.decode(public["y"])]
            found.append(jwk.thumbprint(key.public_key()))
        for text in (issued or ())[:SEARCHED]:
            parsed = sd_jwt.parse(text)
            assert isinstance(parsed, sd_jwt.SdJwt)
            found.append(parsed.issuer.signature)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """A desk that stays open for many residents."""

    desk: Desk
    issuer: str
    http: httpx.Client

    def enrol(self, number: int, *, instances: int = catalogue.BATCH) -> PickUp:
        """Enrol somebody unmistakable."""
        record: JsonObject = {
            "resident": True,
            "given_name": f"Quillfeather{number:03}",
            "family_name": f"Vantongeren{number:03}",
            "birth_date": f"19{50 + number % 50}-0{1 + number % 9}-17",
            "locality": "Exampleville",
        }
        today = period.day(clock.SystemClock().now())
        enrolment = self.desk.enrol(claims.from_record(record, today=today))
        keys = tuple(jwk.generate(random_bytes=os.urandom) for _ in range(instances))
        return PickUp(
            issuer=self.issuer, http=self.http, record=record, enrolment=enrolment, keys=keys
        )


@contextmanager
def desk(town: Town, environ: Mapping[str, str] | None = None) -> Iterator[Clerk]:
    """Open the desk of a running town."""
    told = settings.issuer(town.issuer_folder, environ=environ or {})
    with ExitStack() as closing:
        pending = engine.open_database(told.pending_database, short_lived=True)
        closing.callback(pending.dispose)
        lasting = engine.open_database(told.database, short_lived=False)
        closing.callback(lasting.dispose)
        stores = Stores(
            issuer=told.base_url,
            pending=SqlPending(pending),
            lasting=SqlLasting(lasting),
            clock=clock.SystemClock(),
            random_bytes=os.urandom,
        )
        alone = httpx.Limits(max_keepalive_connections=0)
        http = closing.enter_context(
            httpx.Client(base_url=told.base_url, limits=alone, timeout=30, trust_env=False)
        )
        yield Clerk(desk=Desk(stores), issuer=told.base_url, http=http)


def credentials(answer: httpx.Response) -> list[str]:
    """Read a credential response."""
    assert answer.status_code == httpx.codes.OK, answer.text
    return [str(entry["credential"]) for entry in answer.json()["credentials"]]


def indices(issued: list[str]) -> list[int]:
    """Return the status indices of credentials."""
    payloads = [json.loads(base64url.decode(one.split(".")[1])) for one in issued]
    return [int(payload["status"]["status_list"]["idx"]) for payload in payloads]


def _proof(key: ec.EllipticCurvePrivateKey, payload: bytes) -> str:
    header: JsonObject = {
        "alg": "ES256",
        "typ": protocol.PROOF_TYPE,
        "jwk": {**jwk.public_jwk(key.public_key())},
    }
    return jws.sign(header=header, payload=payload, signer=jws.es256_signer(key))
