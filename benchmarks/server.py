"""One verifier behind HTTP, for `wrk`: the project's own routes over knowledge in memory.

Started by `bench_http.py` as a process of its own, pinned to one core, listening on a socket that
it inherits. Requests of the other kind (OpenID4VP) find no store here.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from benchmarks import material
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from idservice import clock
from idservice.cli import serve
from idservice.verification import trust
from idservice.verification.status import VerifiedList
from idservice.verification.trust import TrustBundle
from idservice.verifier import model, ports, web
from idservice.verifier.service import Verifier
from idservice.web import application


class Knowledge:
    """The bundle and an empty list, as if fetched an hour ago."""

    def __init__(self, bundle: TrustBundle) -> None:
        self._bundle = bundle
        self._lists = material.lists_of(bundle, clock.SystemClock().now())

    def trust(self) -> TrustBundle:
        return self._bundle

    def lookup(self, uri: str) -> VerifiedList | None:
        return self._lists.lookup(uri)

    def complete(self, *, now: UnixSeconds) -> bool:
        return now > 0

    def unchecked_since(self, *, now: UnixSeconds) -> None:
        assert now > 0


class NoStore:
    """Nothing is asked of it here."""


def create(bundle: TrustBundle) -> FastAPI:
    """Put the counter together as `apps/verifier.py` does, without folder and timers."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    store: ports.Store = NoStore()  # type: ignore[assignment]
    service = Verifier(
        identity=model.Identity(
            client_id=material.AUDIENCE,
            x5c=(),
            base_url="https://library.exampleton.example",
            policies=frozenset(bundle.policies),
            redirect_uris=frozenset(),
        ),
        signer=jws.es256_signer(jwk.generate(random_bytes=os.urandom)),
        api_keys=(),
        knowledge=Knowledge(bundle),
        store=store,
        clock=clock.SystemClock(),
        random_bytes=os.urandom,
    )
    return application.create(
        application.Counter(
            office="verifier",
            title="Benchmark",
            version="0",
            hot=web.hot_routes(service),
            router=web.router(service),
            ready=service.ready,
            lifespan=lifespan,
        )
    )


def main() -> None:
    """Take the bundle's file, the core and the socket from the command line."""
    bundle, core, descriptor = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    parsed = trust.parse(Path(bundle).read_bytes(), root_fingerprint=None, at_least_version=None)
    serve.run(create(parsed), host="127.0.0.1", port=0, descriptor=int(descriptor))


if __name__ == "__main__":
    main()
