"""The issuer's process, put together: settings, adapters, service, counter, timers.

DESIGN sections 2, 3 and 6. It starts only if its keys are those that the trust bundle announces
and the announced type is the one it serves: an issuer that differs from its bundle would issue
cards that every wallet refuses; only on databases without a column that the data inventory does
not list; and only as the register decided (`enforcement`), which can also stop its issuing. Once
a minute rows are reaped, lists published, and the folder looked at for a newer bundle. Enrolling
needs no process (`cli/enrol.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from typing import Final

import orjson
from fastapi import FastAPI

from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.x509 import chain, x5c
from crypto.x509.profile import Role
from idservice import catalogue, period
from idservice.apps import keys
from idservice.apps.keys import IssuerKeys
from idservice.apps.register import enforcement
from idservice.apps.settings import IssuerSettings, UnusableSettings
from idservice.auditor import schema
from idservice.clock import Clock
from idservice.issuer import metadata, web
from idservice.issuer.model import BbsIssuingKey, IssuingKey
from idservice.issuer.schedule import Schedule
from idservice.issuer.service import Issuer, Stores
from idservice.issuer.web import Counter, Documents
from idservice.period import Period
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known
from idservice.storage import engine
from idservice.storage.issuer import SqlLasting
from idservice.storage.issuer_pending import SqlPending
from idservice.verification.trust import AnnouncedBbs, TrustBundle
from idservice.web import application, timers

OFFICE: Final = "issuer"

TICK: Final = 60.0
"""Seconds between two looks at what is due."""

TOKENS_PER_MINUTE: Final = 1_200
"""Of one process. At a desk somebody takes minutes; renewals come in the last days of a period."""


class Folder:
    """Keys and bundle of the folder, replaced as one when the city publishes anew."""

    def __init__(self, settings: IssuerSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._keys, self._known = self._load()

    @property
    def current(self) -> IssuerKeys:
        """What is in force now."""
        return self._keys

    @property
    def known(self) -> Known:
        """The same bundle, with what the register in it says."""
        return self._known

    def refresh(self) -> None:
        """Take a newer bundle over, with its keys; one that does not fit is left alone."""
        with contextlib.suppress(UnusableSettings):
            found, known = self._load()
            if known.goes_on_from(self._known):
                self._keys, self._known = found, known

    @property
    def trust(self) -> TrustBundle:
        """The bundle in force now."""
        return self._keys.trust

    def may_issue(self, number: Period, configuration: str, *, now: UnixSeconds) -> bool:
        """Say whether the register lets anything of a period be issued now."""
        in_force = self._known.in_force
        allowed = in_force.may_issue(configuration=configuration, period=number)
        return allowed and in_force.stopped(now=now) is None

    def issuing(self, number: Period, configuration: str) -> IssuingKey | None:
        """Return the key of a period, None where none is announced."""
        return self._keys.issuing(number, configuration)

    def issuing_bbs(self, number: Period, configuration: str) -> BbsIssuingKey | None:
        """Return the BBS key of a period, None where none is announced."""
        return self._keys.issuing_bbs(number, configuration)

    def announced(self) -> Sequence[IssuingKey]:
        """Return all announced keys of the format that has status lists."""
        return self._keys.announced()

    def _load(self) -> tuple[IssuerKeys, Known]:
        found = keys.load(self._settings.folder, issuer=self._settings.base_url)
        try:
            known = knowledge.own(found.bundle, now=self._clock.now())
        except CryptoError as error:
            raise UnusableSettings(
                f"bundle.json is not as the register decided ({error})"
            ) from error
        issuer = self._settings.base_url
        integrity = metadata.integrity(metadata.type_metadata(issuer))
        for key in found.announced():
            told = key.announced
            times = period.not_before(told.period), period.expires(told.period)
            if (told.vct, told.vct_integrity) != (metadata.vct(issuer), integrity):
                raise UnusableSettings("bundle.json announces another type than is served")
            if (told.nbf, told.exp) != times:
                raise UnusableSettings("bundle.json announces other times than the period's")
            if told.status.uri != f"{issuer}/v1/status/{told.configuration}/{told.period}":
                raise UnusableSettings("bundle.json announces another status list")
        for bbs in found.bbs_keys:
            _check_bbs(bbs.announced, metadata.vct(issuer))
        _check_paths(found, now=self._clock.now())
        return found, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `create_app` puts together, for those who need less than HTTP."""

    folder: Folder
    stores: Stores
    lasting: SqlLasting
    issuer: Issuer
    schedule: Schedule
    close: Callable[[], None]


def assemble(settings: IssuerSettings, *, clock: Clock, random_bytes: RandomBytes) -> Parts:
    """Put together everything below the counter.

    Raises:
        UnusableSettings: keys, bundle and base address do not belong together, or the register
            does not have it in force.
    """
    folder = Folder(settings, clock=clock)
    enforcement.check_software(folder.known)
    stores, lasting, close = _stores(settings, folder.known, clock=clock, random_bytes=random_bytes)
    loaded = folder.current
    return Parts(
        folder=folder,
        stores=stores,
        lasting=lasting,
        issuer=Issuer(
            stores,
            keys=folder,
            nonce_key=loaded.nonce_key,
            tokens_per_minute=TOKENS_PER_MINUTE,
        ),
        schedule=Schedule(stores, keys=folder, status_key=loaded.status),
        close=close,
    )


def create_app(settings: IssuerSettings, *, clock: Clock, random_bytes: RandomBytes) -> FastAPI:
    """Put the process together.

    Raises:
        UnusableSettings: as `assemble`.
    """
    parts = assemble(settings, clock=clock, random_bytes=random_bytes)
    city = metadata.City(
        issuer=settings.base_url, name=settings.city.name, languages=tuple(settings.city.languages)
    )
    counter = Counter(
        parts.issuer,
        lasting=parts.lasting,
        documents=lambda: _documents(city, parts.folder.current, clock),
    )

    def tick() -> None:
        parts.folder.refresh()
        parts.schedule.tick()

    async def tick_for_ever() -> None:
        while True:
            await asyncio.sleep(TICK)
            await timers.turn(tick, office=OFFICE)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await timers.turn(tick, office=OFFICE)
        timer = asyncio.create_task(tick_for_ever())
        try:
            yield
        finally:
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)
            counter.close()
            parts.close()

    return application.create(
        application.Counter(
            office=OFFICE,
            title=f"Issuer: {settings.city.name}",
            version=packages.version("idservice"),
            hot=web.hot_routes(counter, issuer=settings.base_url),
            router=web.router(counter, issuer=settings.base_url),
            ready=parts.lasting.ready,
            lifespan=lifespan,
        )
    )


def _stores(
    settings: IssuerSettings, known: Known, *, clock: Clock, random_bytes: RandomBytes
) -> tuple[Stores, SqlLasting, Callable[[], None]]:
    for url, short_lived in ((settings.database, False), (settings.pending_database, True)):
        if url.startswith("sqlite:"):
            engine.migrate(url, OFFICE, short_lived=short_lived)
    lasting = engine.open_database(settings.database, short_lived=False)
    pending = engine.open_database(settings.pending_database, short_lived=True)
    for database in (lasting, pending):
        try:
            schema.check_at_start(database, OFFICE)
        except schema.Unlisted as error:
            raise UnusableSettings(str(error)) from error
    enforcement.check_columns(known, [lasting, pending], office=OFFICE)
    rows = SqlLasting(lasting)
    stores = Stores(
        issuer=settings.base_url,
        pending=SqlPending(pending),
        lasting=rows,
        clock=clock,
        random_bytes=random_bytes,
    )

    def close() -> None:
        engine.close(pending)
        engine.close(lasting)

    return stores, rows, close


def _documents(city: metadata.City, loaded: IssuerKeys, clock: Clock) -> Documents:
    content: JsonObject = metadata.credential_issuer(city)
    signing = loaded.metadata
    return Documents(
        city=city,
        authorization_server=orjson.dumps(metadata.authorization_server(city.issuer)),
        issuer_metadata=orjson.dumps(content),
        signed_metadata=lambda: metadata.sign(
            content, x5c=signing.x5c, signer=signing.sign, now=clock.now()
        ),
        jwt_vc_issuer=orjson.dumps(metadata.jwt_vc_issuer(city.issuer, loaded.announced())),
        type_metadata=metadata.type_metadata(city.issuer),
        bundle=loaded.bundle,
    )


def _check_bbs(told: AnnouncedBbs, vct: str) -> None:
    """What the announcement's header says is what it announces; here it is what is served."""
    if (told.vct, told.schema, told.slots) != (vct, catalogue.BBS_SCHEMA, catalogue.BBS_SLOTS):
        raise UnusableSettings("bundle.json announces another type than is served")
    if (told.nbf, told.exp) != (period.not_before(told.period), period.expires_bbs(told.period)):
        raise UnusableSettings("bundle.json announces other times than the period's")


def _check_paths(loaded: IssuerKeys, *, now: UnixSeconds) -> None:
    """Follow every path to the root, at a time when it is to be used."""
    root = loaded.trust.root
    try:
        for key in loaded.announced():
            told = key.announced
            first_use = max(now, told.nbf)
            if first_use < told.exp:
                leaf = chain.verify(told.x5c, root=root, role=Role.ISSUER, now=first_use)
                chain.check_time(leaf, now=told.exp)
        status = x5c.decode([*loaded.status.x5c])
        leaf = chain.verify(status, root=root, role=Role.STATUS, now=now)
    except CryptoError as error:
        raise UnusableSettings(f"a key has no path to the city root ({error})") from error
    if leaf.uris != (loaded.trust.issuer,):
        raise UnusableSettings("status.crt is for another base address")
