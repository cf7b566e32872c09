"""One exchange: over in its time, whatever the other side does, and one error for all of it."""

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from idservice.clients import exchange
from idservice.clients.exchange import Exchanges, NoAnswer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: id=1\r\n\r\n"


@contextmanager
def speaking(*answers: bytes, drip: bytes = b"") -> Iterator[tuple[str, list[bytes]]]:
    """Answer each request of one connection, and then drip until nobody listens any more."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        connection, _ = listening.accept()
        with connection:
            for answer in answers:
                asked.append(connection.recv(65536))
                connection.sendall(answer)
            try:
                for octet in itertools.cycle(drip):
                    connection.sendall(bytes([octet]))
                    time.sleep(0.02)
            except OSError:
                pass

    thread = threading.Thread(target=speak)
    thread.start()
    with listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", asked
        thread.join()


def ask(exchanges: Exchanges, url: str) -> bytes:
    return exchanges.send("GET", url, headers={}, limit=1 << 20).body


@pytest.mark.parametrize(
    ("begin", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "head", "heads"],
)
def test_a_side_that_drips_holds_nobody(begin: bytes, drip: bytes) -> None:
    with speaking(begin, drip=drip) as (url, _), closing(Exchanges(seconds=0.3)) as exchanges:
        before = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(exchanges, url)
        assert time.monotonic() - before < 5


def test_a_name_that_nobody_finds_holds_neither_the_question_nor_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found.wait(20) and [])
    before = time.monotonic()
    try:
        with closing(Exchanges(seconds=0.3)) as exchanges, pytest.raises(NoAnswer):
            ask(exchanges, "http://city.example/")
        assert time.monotonic() - before < 5
    finally:
        found.set()


def test_a_name_is_looked_up() -> None:
    with speaking(HEAD + b"hi") as (url, _), closing(Exchanges(seconds=10)) as exchanges:
        assert ask(exchanges, url.replace("127.0.0.1", "localhost")) == b"hi"


def test_a_name_that_does_not_exist_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with closing(Exchanges(seconds=10)) as exchanges, pytest.raises(NoAnswer):
        ask(exchanges, "http://city.example/")


def test_authorities_are_read_once_and_not_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    read: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def noted(*given: str, **named: str) -> ssl.SSLContext:
        read.append(create(*given, **named))
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", noted)
    exchange._authorities.cache_clear()
    for _ in range(2):
        with speaking(HEAD + b"hi") as (url, _), closing(Exchanges(seconds=10)) as exchanges:
            assert ask(exchanges, url) == b"hi"
    (context,) = read
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509_ca"] > 0


def test_exchanges_share_a_connection_and_no_cookie() -> None:
    with (
        speaking(HEAD + b"hi", HEAD + b"ho") as (url, asked),
        closing(Exchanges(seconds=10)) as exchanges,
    ):
        assert [ask(exchanges, url), ask(exchanges, url)] == [b"hi", b"ho"]
    assert b"cookie" not in asked[1].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        f"http://{'a' * 64}.localhost/",
        "http://a..localhost/",
        "http://\udcff.localhost/",
        "http://xn--\u00fc.localhost/",
        "http://127.0.0.1:1/\x00",
        "ftp://127.0.0.1/",
        "127.0.0.1",
        "",
    ],
    ids=ascii,
)
def test_an_address_that_is_none_is_no_answer(url: str) -> None:
    with closing(Exchanges(seconds=10)) as exchanges, pytest.raises(NoAnswer):
        ask(exchanges, url)
