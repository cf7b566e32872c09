"""The city of `fakes/wire.py` behind a real socket on this machine, for commands."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crypto.instant import UnixSeconds
from idservice.wallet.model import Request
from tests.fakes import city as fake_city
from tests.fakes.wire import FakeWire


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        self._serve("GET", b"")

    def do_POST(self) -> None:
        self._serve("POST", self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, method: str, body: bytes) -> None:
        request = Request(
            method=method,
            url=f"{self.server.base}{self.path}",
            headers=dict(self.headers),
            body=body,
        )
        answer = self.server.wire.send(request)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    base: str
    wire: FakeWire


@contextmanager
def city(*, now: UnixSeconds, demonstration: bool = True) -> Iterator[FakeWire]:
    """Serve a city whose issuer and verifiers share one port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.base = f"http://127.0.0.1:{server.server_port}"
    made = fake_city.make(now=now, issuer=server.base, demonstration=demonstration)
    server.wire = FakeWire(city=made)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
