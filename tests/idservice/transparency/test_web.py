"""The log's and the witness's counters: what is served, under which names, with which answers."""

import pytest
from fastapi import FastAPI

from crypto.log import cosignature, proof
from crypto.log.checkpoint import SignedCheckpoint
from idservice.transparency import protocol, web
from idservice.transparency.protocol import AddCheckpoint
from idservice.web import application
from tests.fakes import log_office, notaries, trees
from tests.fakes.asgi import Client
from tests.fakes.log_office import MemoryFiles, MovedClock


def counter(router: web.APIRouter) -> Client:
    app: FastAPI = application.create(
        application.Counter(
            office="transparency",
            title="Test",
            version="0",
            hot=(),
            router=router,
            ready=lambda: True,
        )
    )
    return Client(app=app)


@pytest.fixture
def log() -> Client:
    office = log_office.make()
    office.log.open()
    for number in range(3):
        office.log.append(trees.entry(number), expected=None)
    files = office.files
    assert isinstance(files, MemoryFiles)
    files.files[".lock"] = files.files["tile/secret"] = b"secret"
    return counter(web.log_router(files.files.get))


@pytest.fixture
def witness() -> Client:
    return counter(web.witness_router(log_office.witness("w", clock=MovedClock()).desk))


def test_the_checkpoint_is_text_that_is_not_kept_long(log: Client) -> None:
    answer = log.get("/checkpoint")
    assert answer.status_code == 200
    assert answer.content == notaries.signed(trees.head(3)).note.octets()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=2"


@pytest.mark.parametrize("name", ["tile/0/000.p/3", "tile/entries/000.p/3"])
def test_tiles_are_octets_that_never_change(log: Client, name: str) -> None:
    answer = log.get(f"/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000"


@pytest.mark.parametrize(
    "name",
    ["tile/0/000", "tile/0/000.p/9", "tile/secret", "tile/", "tile", ".lock", "tile/0/..%2f.lock"],
)
def test_nothing_else_is_there(log: Client, name: str) -> None:
    assert log.get(f"/{name}").status_code == 404


def body(old: int, new: int, *, signed: SignedCheckpoint | None = None) -> bytes:
    made = proof.make_consistency(old=min(old, new), new=new, read=trees.node)
    signed = signed or notaries.signed(trees.head(new))
    return protocol.write_request(AddCheckpoint(old=old, proof=made, signed=signed.note))


def test_a_witness_cosigns(witness: Client) -> None:
    answer = witness.post("/add-checkpoint", content=body(0, 7))
    assert answer.status_code == 200
    lines = protocol.parse_answer(answer.content)
    signed = notaries.signed(trees.head(7)).with_signatures(lines)
    (found,) = cosignature.verify(signed, witness=notaries.witness_key("w"))
    assert found.time == log_office.NOW


def test_a_witness_says_why_it_does_not(witness: Client) -> None:
    assert witness.post("/add-checkpoint", content=body(0, 5)).status_code == 200
    conflict = witness.post("/add-checkpoint", content=body(0, 7))
    assert (conflict.status_code, conflict.text) == (409, "5\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    other = notaries.signed(trees.head(7), name="other.example/log")
    unsigned = body(5, 7).replace(b"\xe2\x80\x94 log.example", b"\xe2\x80\x94 new.example")
    forged = body(5, 7).replace(b"\n\n", b"\nAAAA" + b"A" * 39 + b"=\n\n", 1)
    for asked, status in (
        (b"old", 400),
        (unsigned, 403),
        (body(5, 7, signed=other), 404),
        (forged, 422),
    ):
        answer = witness.post("/add-checkpoint", content=asked)
        assert answer.status_code == status
        assert len(answer.content) < 32
    assert witness.post("/add-checkpoint", content=body(5, 7)).status_code == 200


def test_a_request_that_is_too_large_is_not_read(witness: Client) -> None:
    answer = witness.post("/add-checkpoint", content=bytes(protocol.LARGEST_REQUEST + 1))
    assert answer.status_code == 413
    assert witness.get("/add-checkpoint").status_code == 405
