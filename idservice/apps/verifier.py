"""A verifier's process, put together: settings, adapters, service, counter, timers.

DESIGN section 4: one process is one verifier, with one client identifier and one certificate. It
starts only if its key, certificate and address belong together (OpenID4VP 1.0, section 5.9.3),
only on a database without a column that the data inventory does not list, and only as the register
decided (`enforcement`). Bundle and lists are fetched by a timer, rows reaped by another; a showing
triggers neither.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Malformed
from crypto.jose import jws
from crypto.x509 import chain, profile
from idservice.apps import key_files
from idservice.apps.register import enforcement
from idservice.apps.settings import UnusableSettings, VerifierSettings
from idservice.auditor import schema
from idservice.clients import status_lists
from idservice.clients.status_lists import PublishedKnowledge
from idservice.clock import Clock
from idservice.storage import engine
from idservice.storage import verifier as storage
from idservice.verification import openid4vp
from idservice.verification.trust import TrustBundle
from idservice.verifier import model, web
from idservice.verifier.service import Verifier
from idservice.web import application, timers

OFFICE: Final = "verifier"

REFRESH: Final = 60.0
"""Seconds between two looks at what is due; a list is due a day after it was signed."""

RETRY: Final = 1.0
"""Seconds between two looks while something that is needed today is missing."""

REAP: Final = 30.0
"""Seconds between two reapings, so that an answer's row goes soon after its minute."""

_KEY_FILE: Final = "verifier.key"
_CERTIFICATE_FILE: Final = "verifier.crt"
_HASH_LENGTH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `create_app` puts together, for those who need less than HTTP."""

    service: Verifier
    knowledge: PublishedKnowledge
    refresh: Callable[[], bool]
    close: Callable[[], None]


def assemble(
    settings: VerifierSettings,
    *,
    clock: Clock,
    random_bytes: RandomBytes,
    fetch: status_lists.Fetch = status_lists.over_http,
) -> Parts:
    """Put together everything below the counter.

    Raises:
        UnusableSettings: a file in the folder is missing, open to others or changed, or key,
            certificate, client identifier and address do not belong together; or the register
            does not have it in force.
    """
    key = key_files.read_p256(settings.folder / _KEY_FILE)
    certificates = _certificates(settings)
    if certificates[0].public_key() != key.public_key():
        raise UnusableSettings("verifier.crt belongs to another key")
    knowledge = PublishedKnowledge(settings.folder, fetch=fetch)
    try:
        knowledge.load(now=clock.now())
        known = knowledge.known()
        if known is None:
            raise UnusableSettings("without bundle.json there is no charter to act on")
        identity = _identity(settings, certificates, known.trust, clock)
    except (CryptoError, ValueError) as error:
        raise UnusableSettings(f"the verifier's folder does not fit together ({error})") from error
    enforcement.check_software(known)
    enforcement.check_policies(known, settings.verifier.policies, now=clock.now())
    if settings.database.startswith("sqlite:"):
        engine.migrate(settings.database, storage.OFFICE, short_lived=True)
    database = engine.open_database(settings.database, short_lived=True)
    try:
        schema.check_at_start(database, OFFICE)
    except schema.Unlisted as error:
        raise UnusableSettings(str(error)) from error
    enforcement.check_columns(known, [database], office=OFFICE)
    service = Verifier(
        identity=identity,
        signer=jws.es256_signer(key),
        api_keys=_api_keys(settings.verifier.api_keys),
        knowledge=knowledge,
        store=storage.SqlStore(database),
        clock=clock,
        random_bytes=random_bytes,
    )

    def refresh() -> bool:
        everything = not knowledge.complete(now=clock.now())
        return knowledge.refresh(now=clock.now(), everything=everything)

    return Parts(
        service=service,
        knowledge=knowledge,
        refresh=refresh,
        close=lambda: engine.close(database),
    )


def create_app(settings: VerifierSettings, *, clock: Clock, random_bytes: RandomBytes) -> FastAPI:
    """Put the process together.

    Raises:
        UnusableSettings: as `assemble`.
    """
    parts = assemble(settings, clock=clock, random_bytes=random_bytes)

    async def refresh_for_ever() -> None:
        # the first turn fetches everything: what is in the folder may be a day old
        await timers.turn(
            lambda: parts.knowledge.refresh(now=clock.now(), everything=True), office=OFFICE
        )
        while True:
            await asyncio.sleep(REFRESH if parts.service.ready() else RETRY)
            await timers.turn(parts.refresh, office=OFFICE)

    async def reap_for_ever() -> None:
        while True:
            await timers.turn(parts.service.reap, office=OFFICE)
            await asyncio.sleep(REAP)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(refresh_for_ever()),
            asyncio.create_task(reap_for_ever()),
        ]
        try:
            yield
        finally:
            for timer in running:
                timer.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            parts.close()

    return application.create(
        application.Counter(
            office=OFFICE,
            title=f"Verifier: {settings.verifier.name}",
            version=metadata.version("idservice"),
            hot=web.hot_routes(parts.service),
            router=web.router(parts.service),
            ready=parts.service.ready,
            lifespan=lifespan,
        )
    )


def _certificates(settings: VerifierSettings) -> list[x509.Certificate]:
    path = settings.folder / _CERTIFICATE_FILE
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise UnusableSettings(
            "verifier.crt is missing; the city admits a verifier with `idservice init admit`"
        ) from error
    except ValueError as error:
        raise UnusableSettings("verifier.crt is not a certificate") from error


def _identity(
    settings: VerifierSettings,
    certificates: list[x509.Certificate],
    trust: TrustBundle,
    clock: Clock,
) -> model.Identity:
    """Name the verifier; `model.Identity` checks that the name fits certificate and address.

    Raises:
        CryptoError: no certificate for this role, by this city, for this address.
        ValueError: the name does not fit.
    """
    path = tuple(one.public_bytes(Encoding.DER) for one in certificates)
    host = urlsplit(settings.base_url).hostname
    if settings.verifier.client_id_prefix == "x509_hash":
        client_id = openid4vp.client_id_for_certificate(path[0])
    else:
        client_id = f"{openid4vp.DNS_PREFIX}{host}"
        names = profile.names(certificates[0], role=profile.Role.VERIFIER)
        if host not in names.dns_names:
            raise Malformed("the certificate names another host than the base address")
    chain.verify(path, root=trust.root, role=profile.Role.VERIFIER, now=clock.now())
    return model.Identity(
        client_id=client_id,
        x5c=path,
        base_url=settings.base_url,
        policies=frozenset(settings.verifier.policies),
        redirect_uris=frozenset(settings.verifier.redirect_uris),
    )


def _api_keys(hashes: list[str]) -> tuple[bytes, ...]:
    try:
        digests = tuple(bytes.fromhex(one) for one in hashes)
    except ValueError as error:
        raise UnusableSettings("api_keys holds SHA-256 hashes in hexadecimal") from error
    if any(len(one) != _HASH_LENGTH for one in digests):
        raise UnusableSettings("api_keys holds SHA-256 hashes in hexadecimal")
    return digests
