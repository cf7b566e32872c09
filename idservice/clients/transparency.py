"""Other people's logs and witnesses, over HTTP.

C2SP tlog-tiles and tlog-witness, the client's side, with the same short patience for everybody.
"""

from contextlib import closing
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Self

from crypto.errors import Malformed
from idservice.clients.exchange import Answer, Exchanges, NoAnswer
from idservice.transparency import protocol
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.ports import Absent

TIME_LIMIT: Final = 10.0
"""Seconds that an exchange may take."""

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
        self._exchanges = Exchanges(seconds=TIME_LIMIT)

    def __enter__(self) -> Self:
        """Keep one connection open."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self._exchanges.close()

    def __call__(self, name: str, limit: int) -> bytes:
        """Return what is served under a name."""
        return _found(_ask(self._exchanges, "GET", f"{self._address}/{name}", limit=limit))


class HttpWitness:
    """A witness; `address` is its submission prefix. Several threads may ask it at once."""

    def __init__(self, address: str) -> None:
        self._address = f"{address.rstrip('/')}/add-checkpoint"

    def add_checkpoint(self, body: bytes) -> bytes:
        """Ask for a cosignature."""
        with closing(Exchanges(seconds=TIME_LIMIT)) as exchanges:
            answer = _ask(
                exchanges, "POST", self._address, body=body, limit=protocol.LARGEST_ANSWER
            )
        if answer.status == HTTPStatus.CONFLICT:
            try:
                raise NotCosigned(Reason.CONFLICT, size=protocol.parse_size(answer.body))
            except Malformed as error:
                raise Absent from error
        if answer.status in _REASONS:
            raise NotCosigned(_REASONS[answer.status])
        return _found(answer)


def _ask(
    exchanges: Exchanges, method: str, address: str, *, limit: int, body: bytes | None = None
) -> Answer:
    try:
        return exchanges.send(method, address, headers={}, body=body, limit=limit)
    except NoAnswer as error:
        raise Absent from error


def _found(answer: Answer) -> bytes:
    if answer.status != HTTPStatus.OK:
        raise Absent
    return answer.body
