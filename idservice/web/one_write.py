"""HTTP/1.1 as Uvicorn speaks it, an answer's head and body in one write, and an end to waiting.

Two writes are two system calls and two packets: a twentieth of what checking a credential over
HTTP takes.

A connection on which nothing is being answered has `PATIENCE` seconds to bring a whole head, which
may have `HEAD` octets after its first piece. What is left of a body that was answered before its
end is read and forgotten for as long, because a connection that is closed at once may take its
answer with it. How long a body may take is in `bodies`; what frames it, trailers above all, which
nobody reads, may have `FRAMING` octets. Where an answer waits to be taken, some of it must be in
each `TAKING`, or it is cut off.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from idservice.web import edge

CONNECTIONS: Final = 256
"""Connections served at once; one more is told so and closed."""
HEAD: Final = 32 * 1024
PATIENCE: Final = 15.0
FRAMING: Final = 1024 * 1024
"""Also what a body of the largest size takes in chunks of a few octets."""
TAKING: Final = 60.0
"""Systems keep a megabyte or more for the other side, and ask for more when much of it is taken."""

_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")
"""What a head begins with that a body follows; `100 Continue` waits for nothing."""
_END = b"\r\n\r\n"
_NOWHERE: Final = deque[tuple[bytes, bytes]](maxlen=0)


class _Held:
    """A transport that keeps the head of an answer back until what follows it is there."""

    def __init__(self, transport: asyncio.BaseTransport, closed: Callable[[], None]) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_closing = transport.is_closing
        self._closed = closed
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or keep a head."""
        if not self._head and data.endswith(_END) and data.startswith(_FINAL):
            self._head = data
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data)

    def flush(self) -> None:
        """Write a head that nothing followed."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Write what is kept, and close once it is taken."""
        self.flush()
        self._transport.close()
        self._closed()


class OneWrite(HttpToolsProtocol):
    """The protocol of one connection."""

    _held: _Held
    _waiting: asyncio.TimerHandle | None = None
    _more: int | None = None
    """Octets that came after the first piece of a head, while it has no end."""
    _framing = 0
    """Octets that came since a message began, those of its body left out."""
    _taking: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._held = _Held(transport, self._see_it_taken)
        super().connection_made(cast("asyncio.Transport", self._held))
        if len(self.connections) > CONNECTIONS:
            self.app = edge.crowded
        self._wait()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)
        self._let_be()

    @override
    def eof_received(self) -> None:
        self._held.close()  # which looks at what is left

    @override
    def data_received(self, data: bytes) -> None:
        self._framing += len(data)
        super().data_received(data)
        if self._framing > FRAMING:
            self._held.abort()
            return
        # a request that came whole, on a connection that has nothing else open, is not looked at
        if self._waiting or self._more is not None or self._answered() or self._unfinished():
            self._look(len(data))

    @override
    def on_message_begin(self) -> None:
        self._framing = 0
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.headers = _NOWHERE  # type: ignore[assignment]  # here go the trailers

    @override
    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        super().on_body(body)

    def _look(self, octets: int) -> None:
        """See that what is slow comes to an end."""
        if self._held.is_closing():
            return
        if not self._unfinished():
            self._more = None
        elif self._more is None:
            self._more = 0
        else:
            self._more += octets
            if self._more > HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not self._answered():
            self._go_on()
        elif self._waiting is None:
            self._wait()

    def _answered(self) -> bool:
        """Say whether nothing is being answered."""
        return bool(getattr(self.cycle, "response_complete", True))

    def _unfinished(self) -> bool:
        """Say whether a head has begun and has no end."""
        return bool(self.scope) and "method" not in self.scope

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(PATIENCE, self._held.close)

    def _go_on(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._see_it_taken()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._held.is_closing():
            self._let_be()

    def _see_it_taken(self) -> None:
        """Begin to look at what was written and not taken; meanwhile no more is written."""
        if self._taking is None:
            self._look_later(self._held.get_write_buffer_size())

    def _look_later(self, left: int) -> None:
        self._taking = self.loop.call_later(TAKING, self._look_at_rest, left) if left else None

    def _look_at_rest(self, before: int) -> None:
        """Cut the answer off if none of it was taken."""
        left = self._held.get_write_buffer_size()
        if left and left >= before:
            self._held.abort()
        else:
            self._look_later(left)

    def _let_be(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is no request, and close."""
        headers = (
            *self.server_state.default_headers,
            *edge.PROTECTIVE,
            (b"content-length", b"0"),
            (b"connection", b"close"),
        )
        lines = (b"%s: %s\r\n" % each for each in headers)
        self._held.write(
            b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, status.phrase.encode(), b"".join(lines))
        )
        self._held.close()

    @override
    def on_response_complete(self) -> None:
        self._held.flush()
        super().on_response_complete()
