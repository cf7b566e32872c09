"""A register's counter from outside: what answers as a register does, and what does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crypto.errors import CryptoError, Expired, Refused
from crypto.log import tile, tree
from crypto.log.note import Note
from idservice.clients import register
from idservice.clients.register import Believed, HttpRegister, NotTaken, Unreachable
from idservice.register import entry, wire
from idservice.transparency.model import Contradiction
from idservice.transparency.ports import Absent
from tests.fakes import registers


@contextmanager
def answering(status: int, body: bytes) -> Iterator[HttpRegister]:
    """Serve one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with HttpRegister(f"http://127.0.0.1:{server.server_port}/") as counter:
            yield counter
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"code": "policy_violation", "reason": "notice"}, "notice"),
        ({"code": "unauthorized"}, "unauthorized"),
        ({"code": "<b>bold</b>"}, "refused"),
        ({"reason": 7}, "refused"),
        ({}, "refused"),
    ],
)
def test_a_refusal_is_a_word_of_a_list(body: object, code: str) -> None:
    with (
        answering(403, json.dumps(body).encode()) as counter,
        pytest.raises(NotTaken) as refused,
    ):
        counter.post("/v1/proposals", b"{}", desk_key="x")
    assert refused.value.code == code


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a":1,"a":2}'])
def test_what_is_no_json_object_is_no_register(body: bytes) -> None:
    with answering(200, body) as counter, pytest.raises(Unreachable):
        counter.get("/v1/register")


def test_too_long_an_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "LARGEST", 10)
    with answering(200, b'{"a":"0123456789"}') as counter, pytest.raises(Unreachable):
        counter.get("/v1/register")


def read(
    city: registers.City,
    *,
    seen: Note | None = None,
    first: bytes | None = None,
    pin: bytes | None = None,
    later: int = 0,
) -> Believed:
    """Read a city's register as if it were served."""
    octets = city.entries[0] if first is None else first
    size = len(city.entries)

    def log(name: str, _limit: int) -> bytes:
        if name == "checkpoint":
            return city.note().octets()
        if name.startswith("tile/entries/"):
            return tile.write_entries(city.entries[:size])
        if name == f"tile/0/000.p/{size}":
            return b"".join(tree.leaf_hash(each) for each in city.entries[:size])
        raise Absent

    body = json.dumps({"entry": octets.decode()}).encode()
    with answering(200, body) as counter:
        return register.read(
            counter,
            log,
            pin=entry.entry_digest(octets) if pin is None else pin,
            seen=seen,
            now=registers.UnixSeconds(city.now + later),
        )


def test_a_register_is_believed_by_its_charter_alone() -> None:
    city = registers.City()
    city.decide(registers.policy_change())
    found = read(city)
    assert (found.register.size, list(found.in_force.policies)) == (3, ["library-card"])
    assert read(city, seen=city.note(size=2)).head == found.head


def test_what_is_not_the_pinned_charter_is_refused() -> None:
    city = registers.City()
    city.propose(registers.policy_change())
    with pytest.raises(Refused):
        read(city, pin=bytes(32))
    with pytest.raises(Refused):
        read(city, first=city.entries[1])
    with pytest.raises(Expired):
        read(city, later=register.FRESH + 1)


def test_a_register_that_took_something_back_is_caught() -> None:
    city, other = registers.City(), registers.City()
    for each in (city, other):
        each.propose(registers.policy_change())
    city.propose(registers.policy_change("another"))
    other.propose(registers.policy_change("something-else"))
    with pytest.raises(Contradiction):
        read(city, seen=other.note())
    longer = city.note()
    city.entries.pop()
    with pytest.raises(Contradiction):
        read(city, seen=longer)
    foreign = registers.notaries.signed(city.head(), name="another.example").note
    with pytest.raises(CryptoError):
        read(city, seen=foreign)


def test_entries_that_do_not_count_are_read_and_told() -> None:
    city = registers.City()
    city.append(b"no entry")
    found = read(city)
    assert [each.index for each in found.register.refusals] == [1]
    assert wire.parse(found.entries[0]).type == "charter"
