"""The register's process, put together: settings, the log, what stands beside it, timers.

DESIGN section 5. The process that appends holds the log, so `idservice serve register` serves
both: the register at its address and the log below `/log`. It starts only on the charter that it
was founded on, and only if the log's rows are those that the log signed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine

from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from idservice.apps.governance import settings as folder_settings
from idservice.apps.governance.book import Book
from idservice.apps.governance.settings import RegisterSettings
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import log as log_office
from idservice.auditor import schema
from idservice.clock import Clock, SystemClock
from idservice.governance import model, ports, web
from idservice.governance.service import RegisterOffice
from idservice.period import DAY
from idservice.register import bundle, entry
from idservice.storage import engine, published
from idservice.storage import governance as storage
from idservice.transparency import web as log_web
from idservice.transparency.service import Log
from idservice.verification.trust import TrustBundle
from idservice.web import application, timers

BUNDLE_FILE: Final = Path("issuer", "bundle.json")
"""In a city's folder; elsewhere it is put there."""

EVERY: Final = 10.0
"""Seconds between two looks at what was published meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `create_app` puts together, for those who need less than HTTP."""

    office: RegisterOffice
    log: Log
    rewrite: Callable[[], None]
    """Write what stands beside the log anew, so that no row tells after which it came."""
    close: Callable[[], None]


class CityFolder:
    """The trust bundle, as the city last put it into the folder; read when the file has changed."""

    def __init__(self, path: Path, *, pin: entry.Digest, clock: Clock) -> None:
        self._path = path
        self._pin = pin
        self._clock = clock
        self._read: tuple[tuple[int, int], TrustBundle | None] | None = None

    def trust(self) -> TrustBundle | None:
        """Return the newest trust bundle, None where there is none of the charter's city."""
        try:
            status = self._path.stat()
            version = status.st_mtime_ns, status.st_size
            if self._read is None or self._read[0] != version:
                self._read = version, self._parsed(self._path.read_bytes())
        except OSError:
            return None
        return self._read[1]

    def _parsed(self, data: bytes) -> TrustBundle | None:
        with contextlib.suppress(CryptoError):
            return bundle.load(data, pin=self._pin, seen=None, now=self._clock.now()).trust
        return None


def assemble(settings: RegisterSettings, *, clock: Clock, random_bytes: RandomBytes) -> Parts:
    """Put together everything below the counter; a crash's remains are finished.

    Raises:
        UnusableSettings: a file is missing or open to others, the log's rows were changed, or
            the charter is not the one in the settings.
        ServiceError: a database is away.
    """
    if entry.entry_digest(settings.charter) != settings.pin:
        raise UnusableSettings("the charter is not the one that this register was founded on")
    with contextlib.ExitStack() as stack:
        log_parts = log_office.assemble(settings.log, clock=clock)
        stack.callback(log_parts.close)
        database = _database(settings.database, stack)
        book = Book(log_parts.log)
        _begin(book, settings)
        store = storage.SqlRegister(database)
        office = RegisterOffice(
            book=book,
            store=store,
            knowledge=CityFolder(settings.folder / BUNDLE_FILE, pin=settings.pin, clock=clock),
            clock=clock,
            random_bytes=random_bytes,
        )
        try:
            office.open(pin=settings.pin)
        except model.Unusable as error:
            raise UnusableSettings(str(error)) from error
        _check_witnesses(settings, office)
        return Parts(
            office=office, log=log_parts.log, rewrite=store.rewrite, close=stack.pop_all().close
        )


def _begin(book: Book, settings: RegisterSettings) -> None:
    """Log entry 0 if the log is empty."""
    if not book.size():
        with contextlib.suppress(ports.Waiting, ports.Overtaken):
            book.append(settings.charter, expected=0)


def _check_witnesses(settings: RegisterSettings, office: RegisterOffice) -> None:
    """Refuse to ask a witness whose line would keep every checkpoint out of the entries."""
    policy, named = settings.log.policy, office.snapshot().register.witnesses
    if policy is not None and not named.issuperset(policy.witnesses):
        raise UnusableSettings("the log's settings name a witness that the charter does not")


def _database(url: str, stack: contextlib.ExitStack) -> Engine:
    if url.startswith("sqlite:"):
        engine.migrate(url, storage.OFFICE, short_lived=False)
    database = engine.open_database(url, short_lived=False)
    stack.callback(engine.close, database)
    try:
        schema.check_at_start(database, storage.OFFICE)
    except schema.Unlisted as error:
        raise UnusableSettings(str(error)) from error
    return database


def from_folder(
    folder: Path, *, environ: Mapping[str, str], clock_offset: int, random_bytes: RandomBytes
) -> FastAPI:
    """Put the process in this folder together; raises as `assemble`."""
    settings = folder_settings.read(folder, environ=environ)
    folder_settings.check_offset(settings, clock_offset)
    return create_app(settings, clock=SystemClock(offset=clock_offset), random_bytes=random_bytes)


def create_app(settings: RegisterSettings, *, clock: Clock, random_bytes: RandomBytes) -> FastAPI:
    """Put the process together.

    Raises:
        UnusableSettings: as `assemble`.
    """
    parts = assemble(settings, clock=clock, random_bytes=random_bytes)

    async def keep_current() -> None:
        while True:
            await asyncio.sleep(EVERY)
            await timers.turn(parts.office.keep_current, office=storage.OFFICE)

    async def rewrite_daily() -> None:
        while True:
            await timers.turn(parts.rewrite, office=storage.OFFICE)
            await asyncio.sleep(DAY)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(log_office.keep_current(parts.log)),
            asyncio.create_task(keep_current()),
            asyncio.create_task(rewrite_daily()),
        ]
        try:
            yield
        finally:
            for timer in running:
                timer.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            parts.close()

    public = settings.log.folder / log_office.PUBLIC
    router = web.router(parts.office, base_url=settings.base_url, desk_keys=settings.desk_keys)
    router.include_router(
        log_web.log_router(lambda name: published.read(public, name)), prefix="/log"
    )
    return application.create(
        application.Counter(
            office=storage.OFFICE,
            title=f"Register: {settings.log.origin}",
            version=metadata.version("idservice"),
            hot=(),
            router=router,
            ready=parts.office.ready,
            lifespan=lifespan,
        )
    )
