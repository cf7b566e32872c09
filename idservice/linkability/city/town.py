"""A small town with everything in it: issuer and two verifiers as they run, wallets as they are.

The offices are the applications of `apps`, on SQLite, spoken to in this process; wallets are the
reference wallet's service. So requests are signed, answers are posted and judged, and each
showing is accepted, or the game stops. What lies in the offices' folders afterwards is read row
by row. A large city leaves HTTP and SQL out (`simulation.py`).
"""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

import httpx
from fastapi import FastAPI

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.sealed import handle
from idservice import period
from idservice.apps import admission, issuer, settings, verifier
from idservice.apps.admission import Joining
from idservice.apps.founding import Chances
from idservice.apps.settings import Verifier
from idservice.issuer.service import Desk
from idservice.linkability.city import offices
from idservice.linkability.city.formats import FixedClock, Format, Trip
from idservice.linkability.city.offices import NOW, Contents, StoredRows
from idservice.linkability.city.population import Resident
from idservice.verification import dcql
from idservice.wallet.model import Request, Response, Wallet
from idservice.wallet.question import Question
from idservice.wallet.service import WalletService

VERIFIERS: Final = ("first", "second")
MOST: Final = 500
"""Residents: a verifier of the published build starts 600 requests a minute, and no time passes."""

_POLICIES: Final[Mapping[tuple[str, ...], JsonObject]] = MappingProxyType(
    {
        ("resident",): {"purpose": "resident_service", "required": ["resident"], "optional": []},
        ("age_over_18",): {"purpose": "age_check", "required": ["age_over_18"], "optional": []},
        ("resident", "given_name"): {
            "purpose": "library_membership",
            "required": ["resident"],
            "optional": ["given_name"],
        },
    }
)
"""What each thing that residents are asked for (`population.ASKED`) is asked under."""

_LONGEST_VALUE = 1 << 16


class Unaccepted(Exception):
    """A verifier refused a showing, or a wallet a request: the simulation is wrong."""


@dataclass(slots=True)
class _Kept:
    """A wallet's file, in memory."""

    wallet: Wallet = field(default_factory=Wallet)

    def load(self) -> Wallet:
        """Return what was saved last."""
        return self.wallet

    def save(self, wallet: Wallet) -> None:
        """Keep it."""
        self.wallet = wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    """One verifier."""

    name: str
    base_url: str
    api_key: str = field(repr=False)
    folder: Path


class Town:
    """Offices at work, and the wire between them and the wallets."""

    def __init__(self, folder: Path, chosen: Format, *, seed: int) -> None:
        self._chosen = chosen
        self._seed = seed
        self._clock = FixedClock(time=NOW)
        self._runner = asyncio.Runner()
        self._sent: list[tuple[Request, Response]] = []
        self._answers: list[tuple[_Counter, str, tuple[str, ...]]] = []
        """Not fetched yet: who asked, with which secret, for what."""
        self._counters = [_admitted(folder, name, chosen, seed) for name in VERIFIERS]
        told = settings.issuer(folder / "issuer", environ={})
        self._folders = [told.folder, *(each.folder for each in self._counters)]
        self._bundle = (told.folder / "bundle.json").read_bytes()
        self._parts = issuer.assemble(
            told, clock=self._clock, random_bytes=offices.chance(seed, "desk")
        )
        self._parts.schedule.tick()
        self._desk = Desk(self._parts.stores)
        self._apps: dict[str, FastAPI] = {
            told.base_url: issuer.create_app(
                told, clock=self._clock, random_bytes=offices.chance(seed, "issuer")
            )
        }
        for counter in self._counters:
            self._apps[counter.base_url] = self._opened(counter)

    def walk(self, resident: Resident) -> Trip:
        """Let one resident be enrolled, issued, and show what two verifiers ask for."""
        wallet = WalletService(
            store=_Kept(),
            wire=self,
            clock=self._clock,
            random_bytes=offices.chance(self._seed, f"wallet {resident.number}"),
            pause=lambda: None,
        )
        root = self._parts.folder.current.trust.root_fingerprint
        wallet.pin(self._bundle, root_fingerprint=root)
        enrolment = self._desk.enrol(resident.person, configuration=self._chosen.configuration)
        wallet.receive(enrolment.offer, transaction_code=lambda: enrolment.transaction_code)
        asked, answered = self._sent[-1]
        credentials = _credentials(answered)
        first, second = (self._shown(wallet, resident, each) for each in self._counters)
        self._sent.clear()
        return Trip(
            shown=(first, second),
            recorded=(asked.body, *self._chosen.recorded(credentials)),
            issued=credentials[0],
            slip=enrolment.slip,
        )

    def send(self, request: Request) -> Response:
        """Carry a wallet's request to the office that it is for."""
        answer = self._carried(
            httpx.Request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
        )
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        response = Response(status=answer.status_code, media_type=media_type, body=answer.content)
        self._sent.append((request, response))
        return response

    def withdraw(self, trip: Trip) -> None:
        """Withdraw whatever was issued on somebody's slip."""
        self._parts.issuer.withdraw(handle.parse_slip(trip.slip))

    def seize(self) -> Contents:
        """Read the offices' folders, let the verifiers fetch their answers, and close all."""
        rows = [row for folder in self._folders for row in _rows(folder)]
        for answer in self._answers:
            self._check_accepted(*answer)
        with self._parts.lasting.serialised(0) as unit:
            listed = unit.status_list(period.of(NOW), self._chosen.configuration)
        self._parts.close()
        self._runner.close()
        return Contents(
            allocated=b"" if listed is None else listed.allocated,
            statuses=b"" if listed is None else listed.statuses,
            rows=rows,
        )

    def _opened(self, counter: _Counter) -> FastAPI:
        """Let a verifier fetch bundle and lists, and open its counter."""
        told = settings.verifier(counter.folder, environ={})
        random_bytes = offices.chance(self._seed, f"verifier {counter.name}")
        parts = verifier.assemble(
            told, clock=self._clock, random_bytes=random_bytes, fetch=self._fetched
        )
        parts.knowledge.refresh(now=NOW, everything=True)
        parts.close()
        return verifier.create_app(told, clock=self._clock, random_bytes=random_bytes)

    def _fetched(self, url: str, media_type: str, _limit: int) -> bytes:
        return self._carried(httpx.Request("GET", url, headers={"Accept": media_type})).content

    def _shown(self, wallet: WalletService, resident: Resident, counter: _Counter) -> str:
        """Let a verifier ask and a wallet answer, and return what the verifier received."""
        policy = _policy_id(counter.name, resident.asked)
        body: JsonObject = {"policy": policy, "response_mode": "direct_post"}
        started = self._spoken(counter, "POST", "/v1/requests", counter.api_key, body)
        asked = wallet.ask(str(started["authorization_request"]))
        if not isinstance(asked, Question):
            raise Unaccepted(asked.sentence)
        shared = [name for name in asked.choices if name in resident.asked]
        wallet.answer(asked, shared=shared, reuse=False)
        (token,) = parse_qs(self._sent[-1][0].body.decode())["vp_token"]
        self._answers.append((counter, str(started["answer_secret"]), resident.asked))
        (presentation,) = json.loads(token)[dcql.CREDENTIAL_ID]
        return str(presentation)

    def _check_accepted(self, counter: _Counter, secret: str, asked: tuple[str, ...]) -> None:
        verdict = self._spoken(counter, "GET", "/v1/requests/answer", secret, None)
        facts = verdict.get("facts")
        if not isinstance(facts, dict) or facts.keys() != set(asked):
            raise Unaccepted(f"not accepted: {verdict.get('code')}")

    def _spoken(
        self, counter: _Counter, method: str, path: str, bearer: str, body: JsonObject | None
    ) -> JsonObject:
        """Speak to a verifier's counter as its staff does."""
        asked = httpx.Request(
            method,
            f"{counter.base_url}{path}",
            headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
            content=b"" if body is None else canonical_json.serialize(body),
        )
        return canonical_json.parse_object(self._carried(asked).content)

    def _carried(self, asked: httpx.Request) -> httpx.Response:
        base = f"{asked.url.scheme}://{asked.url.netloc.decode()}"
        transport = httpx.ASGITransport(app=self._apps[base])

        async def carry() -> httpx.Response:
            answer = await transport.handle_async_request(asked)
            await answer.aread()
            return answer

        return self._runner.run(carry())


def _admitted(city: Path, name: str, chosen: Format, seed: int) -> _Counter:
    """Let a verifier make its key and be admitted with a policy for each thing to ask."""
    folder = city.parent / name
    chances = Chances(now=NOW, random_bytes=offices.chance(seed, f"admitting {name}"))
    wished = Verifier(
        name=f"The {name} verifier",
        base_url=f"https://{name}.example",
        client_id_prefix="x509_hash",
        policies=[_policy_id(name, asked) for asked in _POLICIES],
        api_keys=[],
        redirect_uris=[],
    )
    api_key = admission.found_verifier(folder, wished, chances=chances)
    admitted = admission.admit(
        city,
        Joining(
            asked=(folder / admission.REQUEST).read_bytes(),
            wishes=[_wish(wished, asked, chosen) for asked in _POLICIES],
        ),
        replace=False,
        chances=chances,
        wait=_no_time,
    )
    bundle = (city / "issuer" / "bundle.json").read_bytes()
    admission.hand_over(folder, admitted, bundle=bundle)
    return _Counter(name=name, base_url=wished.base_url, api_key=api_key, folder=folder)


def _no_time(_seconds: int) -> None:
    """Let nobody wait: the game's clocks stand where they are set."""


def _policy_id(name: str, asked: tuple[str, ...]) -> str:
    return f"{name}-{list(_POLICIES).index(asked)}"


def _wish(wished: Verifier, asked: tuple[str, ...], chosen: Format) -> bytes:
    return canonical_json.serialize(
        {
            **_POLICIES[asked],
            "id": wished.policies[list(_POLICIES).index(asked)],
            "verifier": wished.name,
            "place": "at the counter",
            "retention": "none",
            "erase": None,
            "formats": [chosen.id],
            "status_max_age_s": 2 * period.DAY if chosen.listed else None,
            "notice": {"en": "To play the linkability game."},
            "expires": "2030-01-01",
        }
    )


def _credentials(answered: Response) -> tuple[str, ...]:
    """Read what the issuer handed out, off the wire."""
    return tuple(each["credential"] for each in json.loads(answered.body)["credentials"])


def _rows(folder: Path) -> StoredRows:
    """Read every row of every table in an office's databases."""
    rows: list[tuple[bytes, ...]] = []
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as database:
            tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            for (table,) in tables.fetchall():
                query = f"SELECT * FROM {table}"  # noqa: S608, names are our own schema's
                rows += [tuple(map(_octets, row)) for row in database.execute(query)]
    return [row for row in rows if max(map(len, row)) <= _LONGEST_VALUE]


def _octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
