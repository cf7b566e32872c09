"""The wallet's wire against a small server on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from idservice.clients import exchange, openid
from idservice.wallet.model import Request, Unusable


class Office(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Set-Cookie", "id=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"x" * 5000 if self.path == "/long" else b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "Application/JSON; charset=utf-8")
        if self.path == "/compressed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.bodies.append(self.rfile.read(length))
        self.do_GET()

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def office():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Office)
    server.seen, server.bodies = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wire():
    with openid.HttpWire() as wire:
        yield wire


def at(office, path, **changes):
    return Request(method="GET", url=f"http://127.0.0.1:{office.server_port}{path}", **changes)


def test_answer_is_read_with_its_media_type(office, wire):
    answer = wire.send(at(office, "/"))
    assert (answer.status, answer.media_type, answer.body) == (200, "application/json", b"{}")


def test_body_is_sent_as_it_is(office, wire):
    wire.send(Request(method="POST", url=f"http://127.0.0.1:{office.server_port}/", body=b"a=b"))
    assert office.bodies[-1] == b"a=b"


@pytest.mark.threat("T42")
def test_no_redirect_is_followed_and_no_cookie_kept(office, wire):
    assert wire.send(at(office, "/redirect")).status == 302
    assert office.seen[-1][0] == "/redirect"
    wire.send(at(office, "/"))
    assert "Cookie" not in office.seen[-1][1]


def test_nothing_tells_the_program_and_no_proxy_is_asked(office, wire, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    wire.send(at(office, "/"))
    with openid.HttpWire() as fresh:
        fresh.send(at(office, "/"))
    headers = {name.lower(): value for name, value in office.seen[-1][1].items()}
    assert headers["user-agent"] == "wallet"
    assert headers.keys() <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_long_answer_is_cut_off(office, wire):
    assert len(wire.send(at(office, "/long", limit=5000)).body) == 5000
    with pytest.raises(Unusable, match="too long"):
        wire.send(at(office, "/long", limit=4999))


def test_compressed_answer_is_refused(office, wire):
    with pytest.raises(Unusable, match="compressed"):
        wire.send(at(office, "/compressed"))


def test_nobody_answering_is_one_sentence(wire):
    with pytest.raises(Unusable, match="does not answer"):
        wire.send(Request(method="GET", url="http://127.0.0.1:1/"))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://issuer.example/", True),
        ("http://127.0.0.1:8080/", True),
        ("http://[::1]:8080/", True),
        ("http://localhost/", True),
        ("http://issuer.example/", False),
        ("http://127.0.0.1.example/", False),
        ("http://10.0.0.1/", False),
        ("https://user:word@issuer.example/", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/", False),
        ("https:///nohost", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_https_or_this_machine(wire, url, allowed):
    assert exchange.allowed(url) is allowed
    if not allowed:
        with pytest.raises(Unusable, match="neither https"):
            wire.send(Request(method="GET", url=url))
