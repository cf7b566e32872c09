"""The log's process, put together: settings, database, folder, witnesses.

DESIGN section 5. Whoever may append holds the `Log` in its own process; what is published is a
folder of static files (`public`), which this or any web server serves. A timer has the log
cosigned again, so that readers can tell a quiet log from one that is withheld. After a failed
write the process ends: what is on disk is known again only after a new start.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine

from crypto.entropy import RandomBytes
from crypto.log.note import SignatureType, VerifierKey
from idservice.apps import key_files
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import ed25519_keys, local_witness
from idservice.apps.transparency.settings import (
    LOG_FILE,
    LogFile,
    LogSettings,
    Neighbour,
    read_log,
    understand_log,
)
from idservice.auditor import schema
from idservice.clients.transparency import HttpWitness
from idservice.clock import Clock
from idservice.errors import ServiceError
from idservice.storage import engine, published
from idservice.storage import transparency as storage
from idservice.storage.published import PublishedFolder
from idservice.transparency import model, web
from idservice.transparency.collection import Collector
from idservice.transparency.model import Identity
from idservice.transparency.ports import Witness
from idservice.transparency.service import Log
from idservice.web import application

PUBLIC: Final = "public"
"""The folder that any web server may serve."""

REFRESH: Final = 3600.0
"""Seconds between two rounds of cosignatures over an unchanged log."""

RETRY: Final = 10.0
"""Seconds between two attempts to publish what waits for witnesses."""

_KEY_FILE: Final = "log.key"
_KIND: Final = SignatureType.ED25519


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a process that appends needs."""

    log: Log
    key: VerifierKey
    close: Callable[[], None]


def found(
    folder: Path,
    *,
    origin: str,
    witnesses: Mapping[str, str],
    quorum: int,
    random_bytes: RandomBytes,
) -> VerifierKey:
    """Make a log's folder: its key and its settings.

    Args:
        folder: is made where it is missing.
        origin: the log's name, for ever: its address without a scheme.
        witnesses: verifier key and address of each, as `settings.Neighbour` tells them.
        quorum: how many of them must cosign; 0 without witnesses.
        random_bytes: asked for 32 octets, the private key.

    Raises:
        UnusableSettings: there is one already, or no process could run with these settings.
    """
    told = LogFile(
        origin=origin,
        witnesses=tuple(Neighbour(key=key, address=each) for key, each in witnesses.items()),
        quorum=quorum,
    )
    understand_log(told, folder=folder, environ={})
    folder.mkdir(parents=True, exist_ok=True)
    key = ed25519_keys.create(
        folder / _KEY_FILE, name=origin, kind=_KIND, random_bytes=random_bytes
    )
    key_files.publish(folder / LOG_FILE, told.model_dump_json(indent=1).encode())
    return key


def public_key(settings: LogSettings) -> VerifierKey:
    """Return the log's key, as everybody checks it with; raises as `ed25519_keys.read`."""
    return ed25519_keys.read(settings.folder / _KEY_FILE, name=settings.origin, kind=_KIND)[0]


def assemble(settings: LogSettings, *, clock: Clock) -> Parts:
    """Put the log together and open it: what a crash interrupted is finished.

    Raises:
        UnusableSettings: a file is missing or open to others, another process has the folder, or
            the database is older than what was published from it.
        ServiceError: the database is away.
    """
    key, signer = ed25519_keys.read(settings.folder / _KEY_FILE, name=settings.origin, kind=_KIND)
    with contextlib.ExitStack() as stack:
        database = _database(settings, stack)
        files = _files(settings, stack)
        log = Log(
            Identity(key=key, signer=signer, policy=settings.policy),
            store=storage.SqlLog(database),
            files=files,
            collector=_collector(settings, key, clock, stack),
        )
        _open(log)
        return Parts(log=log, key=key, close=stack.pop_all().close)


def _database(settings: LogSettings, stack: contextlib.ExitStack) -> Engine:
    if settings.database.startswith("sqlite:"):
        engine.migrate(settings.database, storage.OFFICE, short_lived=False)
    database = engine.open_database(settings.database, short_lived=False)
    stack.callback(engine.close, database)
    try:
        schema.check_at_start(database, storage.OFFICE)
    except schema.Unlisted as error:
        raise UnusableSettings(str(error)) from error
    return database


def _files(settings: LogSettings, stack: contextlib.ExitStack) -> PublishedFolder:
    try:
        files = PublishedFolder(settings.folder / PUBLIC)
    except published.Taken as error:
        raise UnusableSettings("another process publishes into this folder") from error
    stack.callback(files.close)
    return files


def _collector(
    settings: LogSettings, log: VerifierKey, clock: Clock, stack: contextlib.ExitStack
) -> Collector | None:
    if settings.policy is None:
        return None
    elsewhere = {key: HttpWitness(address) for key, address in settings.addresses.items()}
    here = {
        key: local_witness.assemble(place, key=key, log=log, clock=clock)
        for key, place in settings.local.items()
    }
    asked: Mapping[VerifierKey, Witness] = {**elsewhere, **here}
    collector = Collector(settings.policy, witnesses=asked, clock=clock)
    stack.callback(collector.close)
    return collector


def _open(log: Log) -> None:
    try:
        log.open()
    except model.NotPublished:
        return  # the timer tries again; what was published before is seen
    except model.RolledBack as error:
        raise UnusableSettings("the database is older than what was published from it") from error
    except (model.Broken, OSError) as error:
        raise UnusableSettings("the published files cannot be written") from error


async def keep_current(log: Log) -> None:
    """Have the log cosigned again and again; end the process when a write fails."""
    while True:
        try:
            await asyncio.to_thread(log.refresh)
        except model.Broken:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        except (model.LogError, ServiceError):
            await asyncio.sleep(RETRY)
        else:
            await asyncio.sleep(REFRESH)


def from_folder(folder: Path, *, environ: Mapping[str, str], clock: Clock) -> FastAPI:
    """Put a process together that publishes the log in this folder; raises as `create_app`."""
    return create_app(read_log(folder, environ=environ), clock=clock)


def create_app(settings: LogSettings, *, clock: Clock) -> FastAPI:
    """Put a process together that publishes a log, and appends nothing.

    Raises:
        UnusableSettings: as `assemble`.
    """
    parts = assemble(settings, clock=clock)
    public = settings.folder / PUBLIC

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        timer = asyncio.create_task(keep_current(parts.log))
        try:
            yield
        finally:
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)
            parts.close()

    return application.create(
        application.Counter(
            office=storage.OFFICE,
            title=f"Log: {settings.origin}",
            version=metadata.version("idservice"),
            hot=(),
            router=web.log_router(lambda name: published.read(public, name)),
            ready=lambda: published.read(public, published.CHECKPOINT) is not None,
            lifespan=lifespan,
        )
    )
