"""The log appends, publishes, and takes nothing back."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from crypto.log import checkpoint, cosignature, note, proof, tile, tree
from crypto.log.tree import TreeHead
from idservice.transparency import model
from idservice.transparency.model import Receipt
from tests.fakes import log_office, notaries, trees
from tests.fakes.log_office import LogOffice, MemoryFiles, MemoryLog

LOG = notaries.log_key()


@pytest.fixture
def office() -> LogOffice:
    made = log_office.make()
    made.log.open()
    return made


def shown(office: LogOffice) -> TreeHead:
    octets = office.files.checkpoint()
    assert octets is not None
    return checkpoint.verify(note.parse(octets), log=LOG).checkpoint.head


def check(receipt: Receipt, entry: bytes) -> None:
    signed = checkpoint.verify(receipt.checkpoint.note, log=LOG)
    head = signed.checkpoint.head
    proof.verify_inclusion(leaf=tree.leaf_hash(entry), proof=receipt.proof, head=head)


def test_an_empty_log_has_a_checkpoint(office: LogOffice) -> None:
    assert shown(office) == TreeHead(size=0, root=tree.EMPTY_ROOT)


def test_an_entry_is_published_with_index_and_proof(office: LogOffice) -> None:
    for number in range(20):
        receipt = office.log.append(trees.entry(number), expected=number)
        assert receipt.proof.index == number
        check(receipt, trees.entry(number))
        assert shown(office) == trees.head(number + 1)
    assert isinstance(office.files, MemoryFiles)
    assert log_office.read_all(office.files.read, 20) == [trees.entry(n) for n in range(20)]


def test_entries_that_wait_together_are_recorded_together(office: LogOffice) -> None:
    with ThreadPoolExecutor(32) as pool:
        receipts = list(
            pool.map(lambda n: office.log.append(trees.entry(n), expected=None), range(600))
        )
    assert sorted(receipt.proof.index for receipt in receipts) == list(range(600))
    for number, receipt in enumerate(receipts):
        check(receipt, trees.entry(number))
    assert shown(office).size == 600
    assert isinstance(office.files, MemoryFiles)
    assert len(office.files.shown) < 600
    # a full tile makes its partial ones superfluous
    assert not [name for name in office.files.files if name.startswith("tile/0/000.p")]


def test_whoever_decided_on_another_size_is_told(office: LogOffice) -> None:
    office.log.append(b"first", expected=0)
    for stale in (0, 2, 99):
        with pytest.raises(model.Overtaken):
            office.log.append(b"second", expected=stale)
    assert office.log.size() == 1
    assert office.log.append(b"second", expected=1).proof.index == 1


def test_an_entry_that_no_bundle_can_hold_is_refused(office: LogOffice) -> None:
    with pytest.raises(model.TooLong):
        office.log.append(bytes(model.LONGEST_ENTRY + 1), expected=None)
    assert office.log.size() == 0
    office.log.append(bytes(model.LONGEST_ENTRY), expected=None)


def test_a_receipt_can_be_had_later(office: LogOffice) -> None:
    for number in range(5):
        office.log.append(trees.entry(number), expected=None)
    check(office.log.receipt(2), trees.entry(2))
    with pytest.raises(model.NotPublished):
        office.log.receipt(5)
    assert office.log.entries(1, 3) == [trees.entry(1), trees.entry(2)]
    made = office.log.consistency(old=2, new=5)
    proof.verify_consistency(old=trees.head(2), new=trees.head(5), proof=made)


def test_published_with_the_cosignatures_of_a_quorum() -> None:
    office = log_office.witnessed("first", "second", "third", threshold=2)
    receipt = office.log.append(b"entry", expected=None)
    assert office.policy is not None
    cosignature.verify_quorum(receipt.checkpoint, policy=office.policy, now=office.clock.now())
    published = office.log.published()
    assert published == receipt.checkpoint


def test_without_a_quorum_an_entry_is_recorded_and_waits() -> None:
    office = log_office.witnessed("first", "second", "third", threshold=2)
    before = shown(office)
    office.witnesses["first"].away = office.witnesses["third"].away = True
    with pytest.raises(model.NotPublished) as caught:
        office.log.append(b"entry", expected=None)
    assert caught.value.index == 0
    assert shown(office) == before
    assert office.log.size() == 1
    with pytest.raises(model.NotPublished):
        office.log.receipt(0)
    office.witnesses["third"].away = False
    office.log.refresh()
    check(office.log.receipt(0), b"entry")


def test_an_unchanged_log_is_cosigned_again() -> None:
    office = log_office.witnessed("first", "second", threshold=2)
    office.log.append(b"entry", expected=None)
    office.clock.time += 3600
    office.log.refresh()
    published = office.log.published()
    assert published is not None
    assert office.policy is not None
    witnessed = cosignature.verify_quorum(published, policy=office.policy, now=office.clock.now())
    assert witnessed.earliest == office.clock.now()
    assert shown(office).size == 1


def test_a_witness_that_fell_behind_or_is_new_catches_up() -> None:
    office = log_office.witnessed("first", "second", threshold=1)
    office.witnesses["second"].away = True
    for number in range(10):
        office.log.append(trees.entry(number), expected=None)
    office.witnesses["second"].away, office.witnesses["first"].away = False, True
    office.log.append(trees.entry(10), expected=None)
    assert shown(office) == trees.head(11)


def foreign_line(name: str) -> bytes:
    other = notaries.cosigned(notaries.signed(trees.head(9)), (name, log_office.NOW))
    return other.note.signatures[1].line.encode()


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"\n",
        b"garbage",
        b"\xff\n",
        foreign_line("second"),
        foreign_line("first"),
        foreign_line("stranger"),
        foreign_line("second") * 100,
    ],
)
def test_a_witness_that_answers_something_else_does_not_count(says: bytes) -> None:
    office = log_office.witnessed("first", "second", "third", threshold=2)
    office.witnesses["second"].says = says
    office.witnesses["third"].away = True
    with pytest.raises(model.NotPublished):
        office.log.append(b"entry", expected=None)
    office.witnesses["third"].away = False
    office.log.refresh()
    assert shown(office).size == 1


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_witness_whose_clock_is_wrong_is_as_good_as_none(wrong: int) -> None:
    # what it says would stand in the log for ever, and end every notice and every vote
    office = log_office.witnessed("first", "second", "third", threshold=2)
    clock = log_office.MovedClock(office.clock.time + wrong * (cosignature.SKEW + 1))
    office.witnesses["second"].desk._clock = clock
    receipt = office.log.append(b"entry", expected=None)
    assert [each.name for each in receipt.checkpoint.note.signatures if each.name == "second"] == []


def test_a_policy_without_anybody_to_ask_is_misuse() -> None:
    office = log_office.witnessed("first", threshold=1)
    assert office.policy is not None
    with pytest.raises(ValueError, match="witnesses are asked"):
        log_office.Log(
            log_office.identity(office.policy),
            store=office.store,
            files=office.files,
            collector=None,
        )
    with pytest.raises(ValueError, match="fewer witnesses"):
        log_office.Collector(office.policy, witnesses={}, clock=office.clock)


def test_a_process_that_starts_anew_goes_on(office: LogOffice) -> None:
    for number in range(300):
        office.log.append(trees.entry(number), expected=None)
    again = office.reopened()
    again.log.open()
    assert shown(again) == trees.head(300)
    again.log.append(trees.entry(300), expected=300)
    assert shown(again) == trees.head(301)


def test_an_emptied_folder_is_written_again(office: LogOffice) -> None:
    for number in range(300):
        office.log.append(trees.entry(number), expected=None)
    again = office.reopened(files=MemoryFiles())
    again.log.open()
    assert shown(again) == trees.head(300)
    assert isinstance(again.files, MemoryFiles)
    wanted = {each.path for each in tile.tiles_between(old=0, new=300)}
    wanted |= {each.path for each in tile.bundles_between(old=0, new=300)}
    assert set(again.files.files) == wanted | {"checkpoint"}


def test_a_database_older_than_what_was_published_stops_the_log(office: LogOffice) -> None:
    for number in range(3):
        office.log.append(trees.entry(number), expected=None)
    restored = log_office.make()
    restored.log.open()
    restored.log.append(trees.entry(0), expected=None)
    for store in (MemoryLog(), restored.store):
        again = log_office.make(store=store, files=office.files)
        with pytest.raises(model.RolledBack):
            again.log.open()
    forked = log_office.make()
    forked.log.open()
    for _ in range(4):
        forked.log.append(b"another history", expected=None)
    with pytest.raises(model.RolledBack):
        log_office.make(store=forked.store, files=office.files).log.open()
    assert shown(office) == trees.head(3)
