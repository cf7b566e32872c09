"""The corpus's attacks on the log's office: split views, races, lost commits, freezing, floods.

What mathematics alone refuses is played in `test_log.py`; kills and failing disks (TLOG-004,
TLOG-006) in `tests/journeys/test_log_crash.py`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from crypto.errors import Expired
from crypto.log import checkpoint, note, proof
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note
from crypto.log.proof import ConsistencyProof
from crypto.log.tree import Hash, TreeHead
from idservice.errors import Code, ServiceError
from idservice.storage import engine, transparency
from idservice.storage.published import FolderLog, PublishedFolder
from idservice.storage.transparency import SqlLog
from idservice.transparency import model, monitor, protocol, web
from idservice.transparency.model import Contradiction, NotCosigned, Publication, Reason, Receipt
from idservice.transparency.monitor import Expected
from idservice.transparency.ports import Resources, Unit
from idservice.transparency.protocol import AddCheckpoint
from idservice.web import application
from tests.fakes import engines, log_office, notaries, postgres, trees
from tests.fakes.asgi import Client
from tests.fakes.log_office import NOW, LogOffice, MemoryFiles, MemoryLog, MemoryWitnesses

LOG = notaries.log_key()
DAY = 86_400


def outsider(read: Resources, *, seen: Note | None = None, later: int = 0) -> SignedCheckpoint:
    expected = Expected(log=LOG, policy=None, most_seconds=DAY)
    now = log_office.UnixSeconds(NOW + later)
    checked = monitor.check(read, expected=expected, seen=seen, now=now, visit=lambda *_: None)
    return checked.signed


def memory(office: LogOffice) -> MemoryFiles:
    assert isinstance(office.files, MemoryFiles)
    return office.files


def fork(count: int) -> LogOffice:
    """Sign another history with the same key."""
    office = log_office.make()
    office.log.open()
    for _ in range(count):
        office.log.append(b"told to one monitor only", expected=None)
    return office


def honest(count: int) -> LogOffice:
    office = log_office.make()
    office.log.open()
    for number in range(count):
        office.log.append(trees.entry(number), expected=None)
    return office


def request(old: int, signed: SignedCheckpoint, path: tuple[Hash, ...]) -> bytes:
    proven = ConsistencyProof(path=path)
    return protocol.write_request(AddCheckpoint(old=old, proof=proven, signed=signed.note))


@pytest.mark.attack("TLOG-001")
@pytest.mark.parametrize("size", [5, 7])
def test_a_split_view_is_evidence_for_a_monitor(size: int) -> None:
    told = honest(5)
    seen = outsider(memory(told).read).note
    with pytest.raises(Contradiction) as caught:
        outsider(memory(fork(size)).read, seen=seen)
    heads = [
        checkpoint.verify(each, log=LOG).checkpoint.head
        for each in (caught.value.first, caught.value.second)
    ]
    assert heads[0] == trees.head(5)
    assert (heads[1].size, heads[1].root != trees.head(size).root) == (size, True)
    told.log.append(trees.entry(5), expected=None)
    assert outsider(memory(told).read, seen=seen).checkpoint.head == trees.head(6)


@pytest.mark.attack("TLOG-001")
@pytest.mark.attack("TLOG-016")
def test_a_witness_refuses_the_second_root_of_a_size() -> None:
    store = MemoryWitnesses()
    witness = log_office.witness("w", clock=log_office.MovedClock(), store=store)
    witness.desk.add_checkpoint(request(0, notaries.signed(trees.head(5)), ()))
    second = notaries.signed(TreeHead(size=5, root=trees.mth(1, 6)))
    with pytest.raises(NotCosigned) as caught:
        witness.desk.add_checkpoint(request(5, second, ()))
    assert caught.value.reason is Reason.CONFLICT
    assert store.heads == {notaries.ORIGIN: trees.head(5)}
    witness.desk.add_checkpoint(request(5, notaries.signed(trees.head(5)), ()))


@pytest.mark.attack("TLOG-016")
def test_a_witness_says_what_it_knows_and_changes_nothing() -> None:
    store = MemoryWitnesses()
    witness = log_office.witness("w", clock=log_office.MovedClock(), store=store)
    counter = client(web.witness_router(witness.desk))
    grown = notaries.signed(trees.head(7))
    path = proof.make_consistency(old=5, new=7, read=trees.node).path
    first = request(0, notaries.signed(trees.head(5)), ())
    assert counter.post("/add-checkpoint", content=first).status_code == 200
    forged = bytearray(path[0])
    forged[0] ^= 1
    for asked, status in (
        (request(4, grown, path), 409),
        (request(0, grown, ()), 409),
        (request(5, grown, path[:-1]), 422),
        (request(5, grown, (Hash(bytes(forged)), *path[1:])), 422),
        (request(5, notaries.signed(trees.head(7), name="other"), path), 404),
    ):
        answer = counter.post("/add-checkpoint", content=asked)
        assert answer.status_code == status
        assert status != 409 or answer.text == "5\n"
        assert store.heads == {notaries.ORIGIN: trees.head(5)}
    assert counter.post("/add-checkpoint", content=request(5, grown, path)).status_code == 200


def client(router: web.APIRouter) -> Client:
    counter = application.Counter(
        office="transparency", title="T", version="0", hot=(), router=router, ready=lambda: True
    )
    return Client(app=application.create(counter))


@contextmanager
def sequencers(url: str, folder: Path) -> Iterator[list[LogOffice]]:
    """Run two logs' processes' parts on one database, each with a folder and a pool of its own."""
    engine.migrate(url, transparency.OFFICE, short_lived=False)
    databases = [engine.open_database(url, short_lived=False) for _ in range(2)]
    with (
        closing(PublishedFolder(folder / "one")) as one,
        closing(PublishedFolder(folder / "two")) as two,
    ):
        yield [
            log_office.make(store=SqlLog(database), files=files)
            for database, files in zip(databases, (one, two), strict=True)
        ]
    for database in databases:
        engine.close(database)


def race(url: str, folder: Path, rounds: int) -> None:
    with sequencers(url, folder) as offices:
        with ThreadPoolExecutor(2) as both:  # the empty log, too, is begun by one of them only
            list(both.map(lambda office: office.log.open(), offices))

        def append(number: int) -> Receipt:
            return offices[number % 2].log.append(trees.entry(number), expected=None)

        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(append, range(rounds)))
        roots: dict[int, Hash] = {}
        for number, receipt in enumerate(receipts):
            head = receipt.checkpoint.checkpoint.head
            assert roots.setdefault(head.size, head.root) == head.root
            leaf = trees.leaf(number)
            proof.verify_inclusion(leaf=leaf, proof=receipt.proof, head=head)
        assert sorted(receipt.proof.index for receipt in receipts) == list(range(rounds))
        for office, name in zip(offices, ("one", "two"), strict=True):
            office.log.refresh()
            head = outsider(FolderLog(folder / name)).checkpoint.head
            assert head.size == rounds
            assert roots.setdefault(rounds, head.root) == head.root


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/lasting.db"
        return
    reason = postgres.absent()
    if reason is not None:
        pytest.skip(reason)
    with postgres.running() as server:
        yield server.database("race")


@pytest.mark.attack("TLOG-003")
def test_two_sequencers_at_once_make_one_log(url: str) -> None:
    with engines.quick_folder() as folder:
        race(url, folder, 100)


@pytest.mark.long
@pytest.mark.attack("TLOG-003")
def test_ten_thousand_races_make_one_log(url: str) -> None:
    with engines.quick_folder() as folder:
        race(url, folder, 10_000)


@pytest.mark.attack("TLOG-003")
def test_whoever_decided_on_an_older_log_is_overtaken(tmp_path: Path) -> None:
    with sequencers(f"sqlite:///{tmp_path}/lasting.db", tmp_path) as (one, two):
        for office in (one, two):
            office.log.open()
        decided = two.log.size()
        one.log.append(b"faster", expected=decided)
        with pytest.raises(model.Overtaken):
            two.log.append(b"slower", expected=decided)
        assert two.log.append(b"decided again", expected=1).proof.index == 1


class Ambiguous(MemoryLog):
    """Persists, and loses the answer, at the acts that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.loses: set[str] = set()

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        with super().unit() as unit:
            yield unit
        self._lose("unit")

    def keep_signature(self, signed: Note, *, size: int) -> None:
        super().keep_signature(signed, size=size)
        self._lose("keep_signature")

    def publish(self, publication: Publication) -> bool:
        done = super().publish(publication)
        self._lose("publish")
        return done

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        self._lose("entries")
        return super().entries(begin, end)

    def _lose(self, act: str) -> None:
        if act in self.loses:
            self.loses.remove(act)
            raise ServiceError(Code.UNAVAILABLE)


@pytest.mark.attack("TLOG-005")
@pytest.mark.parametrize(
    ("loses", "error"),
    [
        ({"unit"}, None),
        ({"unit", "entries"}, model.Unknown),
        ({"keep_signature"}, model.NotPublished),
        ({"publish"}, model.NotPublished),
    ],
    ids=["commit", "commit and look", "signature", "publication"],
)
def test_a_write_that_failed_but_persisted_makes_no_second_root(
    loses: set[str], error: type[Exception] | None
) -> None:
    store = Ambiguous()
    office = log_office.make(store=store)
    office.log.open()
    office.log.append(trees.entry(0), expected=None)
    store.loses = set(loses)
    if error is None:
        assert office.log.append(trees.entry(1), expected=1).proof.index == 1
    else:
        with pytest.raises(error):
            office.log.append(trees.entry(1), expected=1)
    # a caller who looks finds it, and one who decides again is told
    assert office.log.size() == 2
    with pytest.raises(model.Overtaken):
        office.log.append(trees.entry(1), expected=1)
    office.log.append(trees.entry(2), expected=2)
    again = office.reopened()
    again.log.open()
    shown = [checkpoint.parse(note.parse(each).text).head for each in memory(office).shown]
    assert all(head == trees.head(head.size) for head in shown)
    assert outsider(memory(again).read).checkpoint.head == trees.head(3)


class Failing(MemoryFiles):
    """The disk fails at one write."""

    fails = False

    def write(self, path: str, octets: bytes) -> None:
        if self.fails:
            self.files[path] = octets  # the page cache has it
            raise OSError(5, "Input/output error")
        super().write(path, octets)


@pytest.mark.attack("TLOG-006")
def test_a_tile_that_was_not_synced_is_never_published() -> None:
    files = Failing()
    office = log_office.make(files=files)
    office.log.open()
    office.log.append(trees.entry(0), expected=None)
    before = files.checkpoint()
    files.fails = True
    with pytest.raises(model.Broken):
        office.log.append(trees.entry(1), expected=None)
    files.fails = False
    for act in (lambda: office.log.append(b"more", expected=None), office.log.refresh):
        with pytest.raises(model.Broken):
            act()
    assert files.checkpoint() == before
    again = office.reopened()
    again.log.open()
    assert outsider(memory(again).read).checkpoint.head == trees.head(2)


@pytest.mark.attack("TLOG-018")
def test_a_frozen_log_is_refused_after_a_day() -> None:
    office = log_office.witnessed("first", "second", threshold=2)
    office.log.append(trees.entry(0), expected=None)
    frozen: Mapping[str, bytes] = dict(memory(office).files)
    expected = Expected(log=LOG, policy=office.policy, most_seconds=DAY)

    def look(files: Mapping[str, bytes], now: int) -> None:
        monitor.check(
            lambda name, _limit: files[name],
            expected=expected,
            seen=None,
            now=log_office.UnixSeconds(now),
            visit=lambda *_: None,
        )

    look(frozen, NOW + DAY)
    with pytest.raises(Expired):
        look(frozen, NOW + DAY + 1)
    # quiet is not frozen: the same size cosigned again is fresh
    office.clock.time = NOW + DAY
    office.log.refresh()
    look(memory(office).files, NOW + DAY + 1)


@pytest.mark.attack("TLOG-023")
def test_nobody_can_append_over_http() -> None:
    office = honest(1)
    counter = client(web.log_router(memory(office).files.get))
    before = dict(memory(office).files)
    for path in ("/checkpoint", "/tile/entries/000", "/add", "/v1/entries", "/"):
        for _ in range(20):
            assert counter.post(path, content=b"spam").status_code in {404, 405}
    assert memory(office).files == before
    assert counter.get("/checkpoint").status_code == 200


class Slow(MemoryFiles):
    """Publishing waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def replace_checkpoint(self, octets: bytes) -> None:
        self.begun.set()
        assert self.go.wait(30)
        super().replace_checkpoint(octets)


@pytest.mark.attack("TLOG-023")
def test_more_entries_than_may_wait_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MOST_WAITING", 3)
    files = Slow()
    office = log_office.make(files=files)
    office.log.open()
    files.begun.clear()
    files.go.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(office.log.append, b"first", expected=None)
        assert files.begun.wait(30)
        waiting = [pool.submit(office.log.append, b"more", expected=None) for _ in range(3)]
        while len(office.log._queue) < 3:  # each thread puts its entry there at once
            assert not any(each.done() for each in waiting)
        with pytest.raises(model.Busy):
            office.log.append(b"too many", expected=None)
        files.go.set()
        indices = [each.result(30).proof.index for each in (first, *waiting)]
    assert sorted(indices) == [0, 1, 2, 3]
    assert office.log.append(b"later", expected=4).proof.index == 4
