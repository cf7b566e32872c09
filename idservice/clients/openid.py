"""The wallet's wire: HTTP to the issuer and to verifiers.

Only `https`, or anything on this machine's loopback addresses. No redirect is followed, no
proxy or credential is taken from the environment, no cookie is kept, and nothing in a request
tells the wallet or its version. An answer is read up to the limit that the request names. What
is sent stands in `wallet/protocol.py`.
"""

import ipaddress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

from idservice.wallet.model import Request, Response, Unusable

TIME_OUT: Final = httpx.Timeout(15.0, connect=5.0)


class HttpWire:
    """Sends a wallet's requests."""

    def __init__(self, *, client: httpx.Client | None = None) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises:
            Unusable: nobody answered, the address is not allowed, or the answer is too long.
        """
        if not allowed(request.url):
            raise Unusable("The address is neither https nor on this machine.")
        headers = {
            "User-Agent": "wallet",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **request.headers,
        }
        if self._client is None:  # made late: reading the system's authorities takes a while
            self._client = httpx.Client(timeout=TIME_OUT, follow_redirects=False, trust_env=False)
        self._client.cookies.clear()
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers=headers,
                content=request.body,
                follow_redirects=False,
            ) as answer:
                return _read(answer, request.limit)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unusable("The other side does not answer.") from error


def allowed(url: str) -> bool:
    """Say whether the wallet may speak to this address at all."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(answer: httpx.Response, limit: int) -> Response:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Unusable("The answer is compressed, which nobody asked for.")
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > limit:
            raise Unusable("The answer is too long.")
    media_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    return Response(status=answer.status_code, media_type=media_type, body=bytes(body))
