"""The outermost layer of every counter: what may enter, which headers leave, what a fault says.

A request with too many headers or too long an address stops here; one with another method is only
told which there are. Every answer carries the same protective headers. A fault of ours becomes one
problem document and one log line without data; the exception goes no further, because servers
print exception texts.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idservice.errors import Code, ServiceError
from idservice.web import problems, redaction

METHODS: Final = frozenset({"GET", "POST"})
_NO_METHOD: Final = "TRACE"
"""Which no route has: asked for it, the framework says which methods the address has."""

HEADERS: Final = 64
ADDRESS: Final = 4096
"""Octets of path and query together."""

PROTECTIVE: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
Endpoint = Callable[[Request], Awaitable[Response]]


class Hot(Protocol):
    """A route without parameters that is answered from here."""

    @property
    def path(self) -> str:
        """Its path, which is its own template."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """What answers; a `ServiceError` becomes a problem document."""
        ...


class Edge:
    """An ASGI layer around the whole application of one office.

    Hot routes are answered from here: what the framework puts around a route costs as much as
    reading the request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        office: str,
        write: redaction.Write,
        hot: Mapping[tuple[str, str], Hot] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._office = office
        self._write = write
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _entrance(scope)
        if refusal is not None:
            await _send(refusal, send)
            return
        begin = time.monotonic()
        hot = self._hot.get((scope["method"], scope["path"]))
        if hot is None:
            if scope["method"] not in METHODS:
                scope = {**scope, "method": _NO_METHOD}
            await self._let_in(scope, receive, send, begin)
            return
        scope["route"] = hot
        try:
            await _send(await hot.endpoint(Request(scope, receive)), send)
        except ServiceError as error:
            await _send(problems.problem(error.code), send)
        except Exception as error:  # noqa: BLE001, the last door: nothing of it may reach the server's log
            response = self._fault(error, scope, begin)
            with contextlib.suppress(Exception):  # an answer that has begun is cut off instead
                await _send(response, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, begin: float) -> None:
        """Let the framework answer, with our headers."""
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _protected(message.get("headers", ()))
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception as error:  # noqa: BLE001, as above
            response = self._fault(error, scope, begin)
            if not started:
                await _send(response, send)

    def _fault(self, error: Exception, scope: Scope, begin: float) -> Response:
        self._write(
            redaction.line(
                event="fault",
                office=self._office,
                route=_template(scope),
                status="5xx",
                duration=redaction.bucket(time.monotonic() - begin),
                error=type(error).__name__,
                where=redaction.where(error.__traceback__),
            )
        )
        return problems.problem(Code.UNAVAILABLE)


async def _send(response: Response, send: Send) -> None:
    """Send an answer that is whole."""
    headers = _protected(response.raw_headers)
    status = response.status_code
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def crowded(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer, as an application of its own, a connection that is one too many."""
    response = problems.problem(Code.UNAVAILABLE)
    response.headers["Connection"] = "close"
    await _send(response, send)


def _protected(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    said = dict(headers)
    # a page for people says itself which of our own files it loads
    return [*headers, *[each for each in PROTECTIVE if each[0] not in said]]


def _entrance(scope: Scope) -> Response | None:
    if len(scope["headers"]) > HEADERS:
        return Response(status_code=431)
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > ADDRESS:
        return Response(status_code=414)
    return None


def _template(scope: Scope) -> str:
    """Return the route's template; a path that matched no route is not repeated."""
    route = scope.get("route")
    return str(getattr(route, "path", "none"))


def cacheable(response: Response, *, seconds: int) -> Response:
    """Mark a public answer as cacheable and readable from every origin, without credentials."""
    headers = MutableHeaders(raw=response.raw_headers)
    headers["Cache-Control"] = f"public, max-age={seconds}"
    headers["Access-Control-Allow-Origin"] = "*"
    return response
