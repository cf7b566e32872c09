"""Other people's logs and witnesses, over HTTP.

C2SP tlog-tiles and tlog-witness, the client's side. No redirect, no cookie, bounded answers, the
same short patience for everybody. What an answer is worth is decided by whoever asked.
"""

from types import MappingProxyType
from typing import Final, Self

import httpx

from crypto.errors import Malformed
from idservice.transparency import protocol
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.ports import Absent

TIME_OUT: Final = httpx.Timeout(10.0, connect=5.0)

_REASONS: Final = MappingProxyType(
    {
        400: Reason.MALFORMED,
        403: Reason.NOT_SIGNED,
        404: Reason.UNKNOWN_LOG,
        422: Reason.INCONSISTENT,
    }
)


class HttpLog:
    """A published log; an instance is a `ports.Resources`."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._client = _client()

    def __enter__(self) -> Self:
        """Keep one connection open."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self._client.close()

    def __call__(self, name: str, limit: int) -> bytes:
        """Return what is served under a name."""
        return _answer(self._client, "GET", f"{self._address}/{name}", limit=limit)[1]


class HttpWitness:
    """A witness; `address` is its submission prefix."""

    def __init__(self, address: str) -> None:
        self._address = f"{address.rstrip('/')}/add-checkpoint"
        self._client = _client()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def add_checkpoint(self, body: bytes) -> bytes:
        """Ask for a cosignature."""
        status, answer = _answer(
            self._client,
            "POST",
            self._address,
            content=body,
            limit=protocol.LARGEST_ANSWER,
            also=(httpx.codes.CONFLICT, *_REASONS),
        )
        if status == httpx.codes.CONFLICT:
            try:
                raise NotCosigned(Reason.CONFLICT, size=protocol.parse_size(answer))
            except Malformed as error:
                raise Absent from error
        if status in _REASONS:
            raise NotCosigned(_REASONS[status])
        return answer


def _client() -> httpx.Client:
    return httpx.Client(timeout=TIME_OUT, follow_redirects=False, trust_env=False)


def _answer(
    client: httpx.Client,
    method: str,
    address: str,
    *,
    limit: int,
    content: bytes | None = None,
    also: tuple[int, ...] = (),
) -> tuple[int, bytes]:
    try:
        with client.stream(method, address, content=content) as response:
            if response.status_code != httpx.codes.OK and response.status_code not in also:
                raise Absent
            collected = bytearray()
            for chunk in response.iter_bytes():
                collected += chunk
                if len(collected) > limit:
                    raise Absent
            return response.status_code, bytes(collected)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Absent from error
