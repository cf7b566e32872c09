"""An outsider's check: all of it, from where it left off, and what it never lets pass."""

import pytest

from crypto.errors import BadSignature, CryptoError, Expired, Malformed, Refused
from crypto.log import checkpoint, note, tile
from crypto.log.note import Note
from crypto.log.tree import TreeHead
from idservice.transparency import monitor
from idservice.transparency.model import Contradiction
from idservice.transparency.monitor import Checked, Expected
from idservice.transparency.ports import Absent
from tests.fakes import log_office, notaries, trees
from tests.fakes.log_office import NOW, LogOffice, MemoryFiles

SIZE = 700


def filled(office: LogOffice, begin: int, end: int) -> LogOffice:
    """Append without waiting for each: one turn for all."""
    unit_edge = None
    with office.store.unit() as unit:
        unit_edge = unit.edge()
        entries = [trees.entry(number) for number in range(begin, end)]
        leaves = (trees.leaf(number) for number in range(begin, end))
        unit.add(entries, growth=unit_edge.extend(leaves))
    office.log.refresh()
    return office


@pytest.fixture
def office() -> LogOffice:
    return filled(log_office.witnessed("first", "second", threshold=2), 0, SIZE)


def files(office: LogOffice) -> MemoryFiles:
    assert isinstance(office.files, MemoryFiles)
    return office.files


def check(
    office: LogOffice, *, seen: Note | None = None, later: int = 0, entries: list[int] | None = None
) -> Checked:
    numbers = entries if entries is not None else []

    read: list[bytes] = []

    def visit(number: int, entry: bytes) -> None:
        numbers.append(number)
        read.append(entry)

    checked = monitor.check(
        files(office).read,
        expected=Expected(log=notaries.log_key(), policy=office.policy, most_seconds=3600),
        seen=seen,
        now=log_office.UnixSeconds(NOW + later),
        visit=visit,
    )
    assert read == [trees.entry(number) for number in numbers]
    return checked


def test_everything_is_checked(office: LogOffice) -> None:
    entries: list[int] = []
    checked = check(office, entries=entries)
    assert checked.signed.checkpoint.head == trees.head(SIZE)
    assert entries == list(range(SIZE))
    assert (checked.seen, checked.witnessed is not None) == (0, True)


@pytest.mark.parametrize("size", [SIZE + 1, SIZE + 10, 768, 769, 1100])
def test_from_the_last_checkpoint_on_only_what_is_new_is_read(office: LogOffice, size: int) -> None:
    seen = check(office).signed.note
    filled(office, SIZE, size)
    entries: list[int] = []
    checked = check(office, seen=seen, entries=entries)
    assert checked.signed.checkpoint.head == trees.head(size)
    assert entries == list(range(SIZE, size))
    assert checked.seen == SIZE
    again: list[int] = []
    assert check(office, seen=checked.signed.note, entries=again).seen == size
    assert again == []


def test_an_empty_log_holds() -> None:
    office = log_office.witnessed("first", threshold=1)
    checked = check(office)
    assert checked.signed.checkpoint.head == trees.head(0)
    filled(office, 0, 1)
    assert check(office, seen=checked.signed.note).signed.checkpoint.head == trees.head(1)


def test_a_log_across_many_tiles_is_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_AT_ONCE", 256)
    office = filled(log_office.witnessed("first", threshold=1), 0, SIZE)
    check(office)
    broken = files(office).files["tile/0/001"]
    files(office).files["tile/0/001"] = bytes(32) + broken[32:]
    with pytest.raises(Refused):
        check(office)


@pytest.mark.parametrize(
    ("name", "error"),
    [("tile/entries/000", Refused), ("tile/0/001", Refused), ("tile/1/000.p/2", Refused)],
)
def test_one_changed_octet_is_found(office: LogOffice, name: str, error: type[CryptoError]) -> None:
    honest = files(office).files[name]
    files(office).files[name] = honest[:20] + bytes((honest[20] ^ 1,)) + honest[21:]
    with pytest.raises(error):
        check(office)
    files(office).files[name] = honest[:-1]
    with pytest.raises((Malformed, Refused)):
        check(office)
    files(office).files[name] = honest
    check(office)


def test_a_missing_file_is_no_verdict(office: LogOffice) -> None:
    for name in ("checkpoint", "tile/entries/001", "tile/0/000"):
        kept = files(office).files.pop(name)
        with pytest.raises(Absent):
            check(office)
        files(office).files[name] = kept
    check(office)


def test_a_full_tile_stands_in_for_its_partial_one(office: LogOffice) -> None:
    old = dict(files(office).files)
    filled(office, SIZE, 800)
    assert "tile/0/002.p/188" not in files(office).files
    files(office).files["checkpoint"] = old["checkpoint"]
    assert check(office).signed.checkpoint.head == trees.head(SIZE)


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(office: LogOffice) -> None:
    honest = note.parse(files(office).files["checkpoint"])
    forged = notaries.signed(TreeHead(size=SIZE, root=trees.mth(1, SIZE + 1)), name="other")
    for text, error in (
        (honest.text.replace(str(SIZE), str(SIZE - 1)), BadSignature),
        (forged.note.text, Refused),
    ):
        wrong = Note(text=text, signatures=honest.signatures)
        files(office).files["checkpoint"] = wrong.octets()
        with pytest.raises(error):
            check(office)


def test_too_few_or_too_old_witnesses_are_refused(office: LogOffice) -> None:
    check(office, later=3600)
    with pytest.raises(Expired):
        check(office, later=3601)
    office.clock.time += 3601
    office.log.refresh()
    check(office, later=3601)
    published = office.log.published()
    assert published is not None
    alone = published.alone(log=notaries.log_key())
    files(office).files["checkpoint"] = alone.note.octets()
    with pytest.raises(Refused):
        check(office, later=3601)


def test_a_log_that_shrinks_is_refused(office: LogOffice) -> None:
    seen = notaries.signed(trees.head(SIZE + 1)).note
    with pytest.raises(Refused):
        check(office, seen=seen)


def test_two_roots_of_one_size_are_kept_as_evidence(office: LogOffice) -> None:
    other = notaries.signed(TreeHead(size=SIZE, root=trees.mth(1, SIZE + 1))).note
    with pytest.raises(Contradiction) as caught:
        check(office, seen=other)
    for evidence in (caught.value.first, caught.value.second):
        checkpoint.verify(note.parse(evidence.octets()), log=notaries.log_key())


def test_a_larger_tree_that_does_not_begin_with_what_was_seen_is_evidence_too(
    office: LogOffice,
) -> None:
    other = notaries.signed(TreeHead(size=500, root=trees.mth(1, 501))).note
    with pytest.raises(Contradiction):
        check(office, seen=other)
    # where only the tiles are wrong, nobody signed anything wrong
    honest = notaries.signed(trees.head(500)).note
    check(office, seen=honest)
    files(office).files["tile/0/001"] = bytes(tile.WIDTH * 32)
    with pytest.raises(Refused):
        check(office, seen=honest)
