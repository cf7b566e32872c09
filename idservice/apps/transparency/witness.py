"""A witness's process, put together: settings, key, database, counter.

C2SP tlog-witness. It runs at somebody else's than the log: a library, a newspaper, another city.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from crypto.entropy import RandomBytes
from crypto.log.note import SignatureType, VerifierKey
from idservice.apps import key_files
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import ed25519_keys
from idservice.apps.transparency.settings import (
    WITNESS_FILE,
    WitnessFile,
    WitnessSettings,
    read_witness,
    understand_witness,
)
from idservice.auditor import schema
from idservice.clock import Clock
from idservice.errors import ServiceError
from idservice.storage import engine
from idservice.storage import witness as storage
from idservice.transparency import web
from idservice.transparency.witness import WitnessDesk
from idservice.web import application

_KEY_FILE: Final = "witness.key"
_KIND: Final = SignatureType.COSIGNATURE


def found(
    folder: Path, *, name: str, logs: Sequence[VerifierKey], random_bytes: RandomBytes
) -> VerifierKey:
    """Make a witness's folder: its key and its settings.

    Args:
        folder: is made where it is missing.
        name: the witness's name, for ever.
        logs: the keys of the logs that it cosigns.
        random_bytes: asked for 32 octets, the private key.

    Raises:
        UnusableSettings: there is one already, or no process could run with these settings.
    """
    told = WitnessFile(name=name, logs=tuple(log.text for log in logs))
    understand_witness(told, folder=folder, environ={})
    folder.mkdir(parents=True, exist_ok=True)
    key = ed25519_keys.create(folder / _KEY_FILE, name=name, kind=_KIND, random_bytes=random_bytes)
    key_files.publish(folder / WITNESS_FILE, told.model_dump_json(indent=1).encode())
    return key


def is_made(folder: Path) -> bool:
    """Say whether there is a witness in this folder."""
    return (folder / WITNESS_FILE).exists()


def from_folder(
    folder: Path, *, environ: Mapping[str, str], clock: Clock
) -> tuple[VerifierKey, FastAPI]:
    """Put the witness in this folder together; return its public key too.

    Raises:
        UnusableSettings: as `create_app`, or its settings are missing or wrong.
    """
    settings = read_witness(folder, environ=environ)
    key, _signer = ed25519_keys.read(folder / _KEY_FILE, name=settings.name, kind=_KIND)
    return key, create_app(settings, clock=clock)


def create_app(settings: WitnessSettings, *, clock: Clock) -> FastAPI:
    """Put the process together.

    Raises:
        UnusableSettings: a file is missing or open to others, or the database has other columns.
    """
    key, signer = ed25519_keys.read(settings.folder / _KEY_FILE, name=settings.name, kind=_KIND)
    if settings.database.startswith("sqlite:"):
        engine.migrate(settings.database, storage.OFFICE, short_lived=False)
    database = engine.open_database(settings.database, short_lived=False)
    try:
        schema.check_at_start(database, storage.OFFICE)
    except schema.Unlisted as error:
        raise UnusableSettings(str(error)) from error
    store = storage.SqlWitness(database)
    desk = WitnessDesk(key=key, signer=signer, logs=settings.logs, store=store, clock=clock)

    def ready() -> bool:
        try:
            store.head("")
        except ServiceError:
            return False
        return True

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            engine.close(database)

    return application.create(
        application.Counter(
            office=storage.OFFICE,
            title=f"Witness: {settings.name}",
            version=metadata.version("idservice"),
            hot=(),
            router=web.witness_router(desk),
            ready=ready,
            lifespan=lifespan,
        )
    )
