"""What goes over the wire, write by write: an answer in one, whatever kind of answer it is.

And what comes to an end: heads, and waiting for them.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection

import pytest
import uvicorn
import uvloop
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from uvicorn.server import ServerState

from idservice.web import edge, one_write
from idservice.web.one_write import OneWrite

POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Wire(asyncio.Transport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Read on."""

    def resume_reading(self) -> None:
        """Read on."""


Answer = Callable[[Request], Awaitable[Response]]


def talk(answer: Answer, *sent: bytes, state: ServerState | None = None, end: bool = False) -> Wire:
    """Send octets, letting the application work after each, and return what came back.

    With `end`, send the last of them again and again until the connection is closed.
    """

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        response = await answer(Request(scope, receive))
        await response(scope, receive, send)

    async def play() -> Wire:
        config = uvicorn.Config(app, http=OneWrite, lifespan="off", log_config=None)
        config.load()
        protocol = OneWrite(config, state or ServerState(), app_state={})
        wire = Wire()
        protocol.connection_made(wire)
        for octets in sent:
            if wire.closed:
                break
            protocol.data_received(octets)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(20 if end else None):
            while end and not wire.closed:
                protocol.data_received(sent[-1])
                await asyncio.sleep(0.01)
        protocol.connection_lost(ConnectionError())
        return wire

    return asyncio.run(play())


async def plain(request: Request) -> Response:
    return Response(await request.body() or b"none")


async def nothing(_request: Request) -> Response:
    return Response(status_code=204)


async def pieces(_request: Request) -> Response:
    return StreamingResponse(iter([b"one", b"two"]))


async def broken(_request: Request) -> Response:
    async def failing(_scope, _receive, send) -> None:  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    return failing  # type: ignore[return-value]


def test_head_and_body_are_one_write() -> None:
    wire = talk(plain, POST + b"\r\nhi", POST + b"\r\nho")
    assert [each.partition(b"\r\n\r\n")[2] for each in wire.written] == [b"hi", b"ho"]
    assert all(each.startswith(b"HTTP/1.1 200") for each in wire.written)
    assert not wire.closed


@pytest.mark.parametrize("request_line", [GET, GET.replace(b"GET", b"HEAD")])
def test_an_answer_without_a_body_is_not_kept_back(request_line: bytes) -> None:
    for answer in (nothing, plain):
        wire = talk(answer, request_line)
        assert len(wire.written) == 1
        assert wire.written[0].startswith(b"HTTP/1.1 20")


def test_pieces_follow_as_they_come() -> None:
    first, *more = talk(pieces, GET).written
    assert first.endswith(b"\r\n\r\n3\r\none\r\n")
    assert b"".join(more) == b"3\r\ntwo\r\n0\r\n\r\n"


def test_go_on_is_said_at_once() -> None:
    wire = talk(plain, POST + b"expect: 100-continue\r\n\r\n", b"hi")
    assert wire.written[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.written[1].endswith(b"\r\n\r\nhi")
    assert len(wire.written) == 2


def test_what_is_closed_has_said_what_it_had_to_say() -> None:
    wire = talk(plain, POST.replace(b"host: x", b"host: x\r\nconnection: close") + b"\r\nhi")
    assert wire.closed
    assert len(wire.written) == 1
    assert talk(plain, b"nonsense\r\n\r\n").written[0].startswith(b"HTTP/1.1 400")
    assert talk(broken, GET).closed


def protected(answer: bytes) -> bool:
    return all(b"%s: %s\r\n" % each in answer for each in edge.PROTECTIVE)


@pytest.mark.parametrize(
    "sent",
    [
        [b""],
        [b"\r\n"],
        [b"GET / HTTP/1.1\r\nx: ", b"a"],
        [GET, b"\r\n"],
        [GET, b"GET / HTTP/1.1\r\nx: ", b"a"],
        [POST.replace(b"length: 2", b"length: 9999") + b"\r\n", b"a"],
    ],
    ids=["nothing", "empty lines", "head", "later empty lines", "later head", "answered body"],
)
def test_who_brings_no_request_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, sent: list[bytes]
) -> None:
    monkeypatch.setattr(one_write, "PATIENCE", 0.2)
    wire = talk(nothing, *sent, end=True)
    assert len(wire.written) == sum(each.endswith(b"\r\n\r\n") for each in sent)


def test_an_answer_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_write, "PATIENCE", 0.1)

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.3)
        return await plain(request)

    wire = talk(slow, GET[:9], GET[9:] + GET[:9], *[b""] * 8)
    assert [each.startswith(b"HTTP/1.1 200") for each in wire.written] == [True]


def test_a_head_without_end_is_refused() -> None:
    many = [b"x: " + b"a" * 8000 + b"\r\n"] * (one_write.HEAD // 8000 + 1)
    wire = talk(plain, GET[:-2], *many, b"\r\n")
    assert wire.written[0].startswith(b"HTTP/1.1 431 ")
    assert protected(wire.written[0])
    assert wire.closed
    pieces = [GET + GET[:-2], GET[-2:] + GET[:-2]] * 2
    wire = talk(plain, *pieces, GET[-2:] + b"x" * one_write.HEAD)
    assert b"HTTP/1.1 431 " not in b"".join(wire.written)


def test_what_is_no_request_is_answered_as_protected_as_all() -> None:
    wire = talk(plain, b"nonsense\r\n\r\n")
    assert len(wire.written) == 1
    assert protected(wire.written[0])
    assert wire.closed


def test_one_connection_too_many_is_told_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_write, "CONNECTIONS", 1)
    state = ServerState()
    assert talk(plain, GET, state=state).written[0].startswith(b"HTTP/1.1 200")
    state.connections.add(None)  # type: ignore[arg-type]  # somebody else
    wire = talk(plain, GET, state=state)
    assert wire.written[0].startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: " in wire.written[0]
    assert protected(wire.written[0])
    assert wire.closed


LARGE = 1024 * 1024
SMALL = 64 * 1024


async def all_slowly(asking: socket.socket, connections: Collection[object]) -> int:
    """Take it all, four kibibytes at a time."""
    loop, came = asyncio.get_running_loop(), 0
    while octets := await loop.sock_recv(asking, 4096):
        came += len(octets)
        await asyncio.sleep(0.001)
    return came + len(connections)


async def nothing_more(asking: socket.socket, connections: Collection[object]) -> int:
    """Take one octet, and wait until the server has let go."""
    came = len(await asyncio.get_running_loop().sock_recv(asking, 1))
    while connections:  # noqa: ASYNC110 - the set of a server that sets no event
        await asyncio.sleep(0.01)
    return came


async def half_closed(asking: socket.socket, connections: Collection[object]) -> int:
    """Say that no more will be asked, and take no more."""
    asking.shutdown(socket.SHUT_WR)
    return await nothing_more(asking, connections)


Take = Callable[[socket.socket, Collection[object]], Awaitable[int]]


def ask(take: Take, *, sent: bytes, size: int) -> int:
    """Ask over a real connection with small buffers, and take the answer so."""

    async def play() -> int:
        config = uvicorn.Config(Response(b"x" * size), http=OneWrite, lifespan="off")
        config.log_config, config.timeout_keep_alive = None, 0
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        with socket.socket() as listening, socket.socket() as asking:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asking.settimeout(0)
            listening.bind(("127.0.0.1", 0))
            server = await loop.create_server(
                lambda: OneWrite(config, state, app_state={}), sock=listening
            )
            await loop.sock_connect(asking, listening.getsockname())
            await loop.sock_sendall(asking, sent)
            async with asyncio.timeout(30):
                came = await take(asking, state.connections)
            server.close()
        return came

    return uvloop.run(play())


CLOSING = GET.replace(b"host", b"connection: close\r\nhost")


@pytest.mark.parametrize("sent", [GET, GET * 3, CLOSING], ids=["one", "three", "the last"])
@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("take", [nothing_more, half_closed])
def test_who_takes_no_answer_is_let_go(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, size: int, take: Take
) -> None:
    monkeypatch.setattr(one_write, "TAKING", 0.2)
    assert ask(take, sent=sent, size=size) == 1


@pytest.mark.parametrize("sent", [GET, CLOSING], ids=["one", "the last"])
def test_who_takes_it_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(one_write, "TAKING", 0.2)
    assert ask(all_slowly, sent=sent, size=LARGE) > LARGE


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"2\r\nhi\r\n0\r\n"


async def headers(request: Request) -> Response:
    return Response(await request.body() + b" %d" % len(request.scope["headers"]))


def test_trailers_are_nobodys() -> None:
    trailers = b"x: y\r\n" * 1000
    wire = talk(headers, CHUNKED, LAST, trailers, b"\r\n", GET)
    assert [each.partition(b"\r\n\r\n")[2] for each in wire.written] == [b"hi 2", b" 1"]


@pytest.mark.parametrize("answer", [headers, nothing], ids=["waiting", "answered"])
@pytest.mark.parametrize("trailer", [b"x: y\r\n", b"y"], ids=["many", "one"])
def test_trailers_without_end_are_cut_off(answer: Answer, trailer: bytes) -> None:
    piece = trailer * (SMALL // len(trailer))
    wire = talk(answer, CHUNKED, LAST + b"x: ", *[piece] * (one_write.FRAMING // SMALL - 1))
    assert not wire.closed
    assert talk(answer, CHUNKED, LAST + b"x: ", piece, end=True).closed


def test_a_body_in_small_pieces_is_no_framing() -> None:
    piece = b"%x\r\n%s\r\n" % (1024, b"x" * 1024)
    wire = talk(headers, CHUNKED, *[piece * 512] * 8, b"0\r\n\r\n")
    assert [each[-9:] for each in wire.written] == [b"xxxxxxx 2"]
