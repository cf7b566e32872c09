"""HTTP/1.1 as Uvicorn speaks it, an answer's head and body in one write.

Two writes are two system calls and two packets: a twentieth of what checking a credential over
HTTP takes.
"""

import asyncio
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")
"""What a head begins with that a body follows; `100 Continue` waits for nothing."""
_END = b"\r\n\r\n"


class _Held:
    """A transport that keeps the head of an answer back until what follows it is there."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_closing = transport.is_closing
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
        """Write what is kept, and close."""
        self.flush()
        self._transport.close()


class OneWrite(HttpToolsProtocol):
    """The protocol of one connection."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._held = _Held(transport)
        super().connection_made(cast("asyncio.Transport", self._held))

    @override
    def on_response_complete(self) -> None:
        self._held.flush()
        super().on_response_complete()
