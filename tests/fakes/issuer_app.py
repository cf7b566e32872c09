"""The issuer's real process without a socket: a founded city in a folder, asked over ASGI."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import founding, issuer, keys, settings
from idservice.apps.settings import City, IssuerSettings
from idservice.issuer import claims
from idservice.issuer.model import Enrolment
from idservice.issuer.service import Desk
from tests.fakes import city as cities
from tests.fakes.issuer_office import ADA, HandClock

ISSUER = "https://issuer.example"


class Client:
    """Asks an application as a wallet would."""

    def __init__(self, app: FastAPI, base_url: str) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url=base_url)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("POST", path, **arguments)

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self._runner.run(self._http.request(method, path, **arguments))

    def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """Send several requests at once."""

        async def all_of_them() -> list[httpx.Response]:
            sent = [self._http.request(method, path, **told) for method, path, told in requests]
            return list(await asyncio.gather(*sent))

        return self._runner.run(all_of_them())

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningIssuer:
    """A process and what stands around it."""

    app: FastAPI
    client: Client
    clock: HandClock
    settings: IssuerSettings
    parts: issuer.Parts
    keys: keys.IssuerKeys

    @property
    def base(self) -> str:
        return self.settings.base_url

    def enrol(self, record: JsonObject = ADA) -> Enrolment:
        """Enrol somebody as the clerk's command does."""
        person = claims.from_record(record, today=period.day(self.clock.now()))
        return Desk(self.parts.stores).enrol(person)


def found(folder: Path, *, base: str = ISSUER, now: UnixSeconds = cities.NOW) -> IssuerSettings:
    """Found a city and read what its issuer is told."""
    city = City(name="Exampleton", issuer=base, languages=["en", "de"], demonstration=True)
    chances = founding.Chances(now=now, random_bytes=cities.chance("founding"))
    founding.found_city(folder, city, residents=1000, chances=chances)
    return settings.issuer(folder / "issuer", environ={})


@contextmanager
def running(folder: Path, *, base: str = ISSUER) -> Iterator[RunningIssuer]:
    """Found a city, put its issuer together and do what is due at start."""
    told = found(folder, base=base)
    clock = HandClock(cities.NOW)
    chance = cities.chance("process")
    app = issuer.create_app(told, clock=clock, random_bytes=chance)
    parts = issuer.assemble(told, clock=clock, random_bytes=chance)
    parts.schedule.tick()
    client = Client(app, base)
    try:
        yield RunningIssuer(
            app=app,
            client=client,
            clock=clock,
            settings=told,
            parts=parts,
            keys=parts.folder.current,
        )
    finally:
        client.close()
        parts.close()
