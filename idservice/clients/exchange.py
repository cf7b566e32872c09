"""One exchange over HTTP: a question, and its whole answer within one time.

The time runs from looking up the name to the last octet: a side that drips, in the head or in the
body of its answer, holds neither a timer nor a process that stops. No redirect is followed, no
proxy or credential is taken from the environment, no cookie is kept, nothing is compressed, and an
answer has no more octets than were allowed. What an answer is worth is decided by whoever asked.
"""

import asyncio
import functools
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from idservice import loopback

_CONNECT: Final = 5.0
"""Seconds after which nobody is believed to be there."""

_PLAIN: Final = {"User-Agent": "idservice", "Accept": "*/*", "Accept-Encoding": "identity"}


class NoAnswer(Exception):
    """No answer came in time, or none that can be taken; the text is a sentence for people."""


class Answer(NamedTuple):
    """A whole answer, whatever its status."""

    status: int
    media_type: str
    """In small letters, without parameters."""
    body: bytes


class Exchanges:
    """Exchanges one after the other, on connections that are kept until it is closed."""

    def __init__(self, *, seconds: float) -> None:
        """Take the time of one exchange."""
        self._seconds = seconds
        # no debugging, whatever the environment says
        self._runner = asyncio.Runner(debug=False, loop_factory=_Loop)
        self._client: httpx.AsyncClient | None = None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._runner.run(self._client.aclose())
        self._runner.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Ask, and return the answer.

        Args:
            method: of the request.
            url: where to; whether that is allowed is the caller's to know.
            limit: the most octets that the answer's body may have.
            headers: beside or instead of the plain ones.
            body: of the request.

        Raises:
            NoAnswer: nobody answered in time; or too much, or compressed.
        """
        try:
            urlsplit(url).port  # noqa: B018, raises for one past 65535, which the library would try
            return self._runner.run(self._within(method, url, limit, headers, body))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # a bad address is each of these, depending on who looks at it first
            raise NoAnswer("The other side does not answer.") from error

    async def _within(
        self, method: str, url: str, limit: int, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=_authorities(),
                timeout=httpx.Timeout(None, connect=_CONNECT),
                follow_redirects=False,
                trust_env=False,
            )
        self._client.cookies.clear()
        sent = {**_PLAIN, **headers}
        async with (
            asyncio.timeout(self._seconds),
            self._client.stream(method, url, headers=sent, content=body) as answer,
        ):
            return await _read(answer, limit)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that leaves a name that is still being looked up behind, where asyncio joins it."""

    @override
    async def getaddrinfo(self, host: Any, port: Any, **kind: int) -> Any:
        """Look a name up in a thread that neither the end of the loop nor the process awaits."""
        found: Future[Any] = Future()
        found.set_running_or_notify_cancel()  # whoever stops waiting does not cancel what runs

        def look_up() -> None:
            try:
                found.set_result(socket.getaddrinfo(host, port, **kind))
            except Exception as error:  # noqa: BLE001, it is raised where the name is awaited
                found.set_exception(error)

        threading.Thread(target=look_up, daemon=True).start()
        return await asyncio.wrap_future(found)


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Read the authorities that a server may be vouched for by, once: it takes 50 ms."""
    return httpx.create_ssl_context(trust_env=False)


async def _read(answer: httpx.Response, limit: int) -> Answer:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise NoAnswer("The answer is compressed, which nobody asked for.")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise NoAnswer("The answer is too long.")
    media_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    return Answer(answer.status_code, media_type, bytes(body))


def allowed(url: str) -> bool:
    """Say whether an address is `https`, or on this machine, and holds no credential."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback.holds(url))
