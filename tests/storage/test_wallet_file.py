import dataclasses
import os
import stat
from pathlib import Path

import pytest

from crypto.bbs.jwp import HolderSecret
from crypto.encoding import base64url, canonical_json
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from idservice.period import Period
from idservice.storage import wallet as storage
from idservice.wallet.model import (
    Card,
    Committed,
    Instance,
    Pending,
    Receipt,
    Unusable,
    Use,
    Wallet,
)

SECRET = HolderSecret(nym=b"n" * 32, blind=b"b" * 32)
PASSPHRASE = b"correct horse battery"
CHEAP = storage.Cost(passes=1, memory=8 * 1024)


def opened(folder: Path, passphrase: bytes = PASSPHRASE):
    return storage.opened(folder, passphrase=passphrase, random_bytes=os.urandom, cost=CHEAP)


def full_wallet(portrait: int = 0) -> Wallet:
    instances = tuple(
        Instance(
            credential=f"credential-{place}~" + "x" * portrait,
            key=jwk.generate(random_bytes=os.urandom),
            use=use,
            showings=place,
        )
        for place, use in enumerate(Use)
        if use is not Use.LASTING
    )
    lasting = Card(
        configuration="resident_bbs",
        vct="https://issuer.example/vct/resident/1",
        period=Period(11),
        not_before=UnixSeconds(100),
        expires=UnixSeconds(150),
        instances=(Instance(credential="a.b.c" + "x" * portrait, key=SECRET, use=Use.LASTING),),
    )
    card = Card(
        configuration="resident_sd_jwt",
        vct="https://issuer.example/vct/resident/1",
        period=Period(11),
        not_before=UnixSeconds(100),
        expires=UnixSeconds(200),
        instances=instances,
    )
    return Wallet(
        root_fingerprint=bytes(32),
        bundle=b'{"a":1}',
        cards=(card, lasting),
        pending=(
            Pending(
                code="code",
                configuration="resident_sd_jwt",
                access_token="token",
                keys=(jwk.generate(random_bytes=os.urandom),),
                until=UnixSeconds(50),
            ),
            Pending(
                code="another code",
                configuration="resident_bbs",
                access_token="another token",
                keys=Committed(secret=SECRET, commitment=bytes(144)),
                until=UnixSeconds(60),
            ),
        ),
        receipts_on=True,
        receipts=(
            Receipt(
                day="2026-11-23",
                verifier="Library",
                policy="library-card",
                claims=("resident",),
                pseudonym=True,
                until=UnixSeconds(70),
            ),
        ),
    )


def test_what_was_saved_is_loaded_by_the_next_process(tmp_path):
    wallet = full_wallet()
    with opened(tmp_path) as store:
        assert store.load() == Wallet()
        store.save(wallet)
    with opened(tmp_path) as store:
        assert storage.write(store.load()) == storage.write(wallet)


def test_secret_of_a_bbs_card_is_kept_with_it_and_while_it_is_awaited():
    kept = storage.parse(storage.write(full_wallet()))
    assert kept.cards[1].instances[0].key == SECRET
    assert kept.pending[1].keys == Committed(secret=SECRET, commitment=bytes(144))


def test_secret_of_a_bbs_card_is_on_the_disk_only_under_the_passphrase(tmp_path):
    with opened(tmp_path) as store:
        store.save(full_wallet())
    content = (tmp_path / storage.FILE).read_bytes()
    for secret in (SECRET.nym, SECRET.blind):
        assert secret not in content
        assert base64url.encode(secret).encode() not in content
        assert repr(secret) not in repr(full_wallet())


def test_the_file_is_written_back_as_the_very_same_bytes():
    written = storage.write(full_wallet())
    assert storage.write(storage.parse(written)) == written


def test_wrong_passphrase_is_refused(tmp_path):
    with opened(tmp_path) as store:
        store.save(full_wallet())
    with (
        opened(tmp_path, b"another passphrase") as store,
        pytest.raises(Unusable, match="passphrase is wrong"),
    ):
        store.load()


def test_changed_file_is_refused(tmp_path):
    with opened(tmp_path) as store:
        store.save(full_wallet())
    path = tmp_path / storage.FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with opened(tmp_path) as store, pytest.raises(Unusable):
        store.load()


@pytest.mark.parametrize("content", [b"", b"PNG", b"x" * 4096], ids=["empty", "short", "foreign"])
def test_foreign_file_is_refused(tmp_path, content):
    (tmp_path / storage.FILE).write_bytes(content)
    with pytest.raises(Unusable, match="not a wallet"), opened(tmp_path):
        pass


def test_header_asking_for_absurd_memory_is_refused(tmp_path):
    header = storage._HEADER.pack(storage._MAGIC, 3, 1 << 31, bytes(16))
    (tmp_path / storage.FILE).write_bytes(header + bytes(64))
    with pytest.raises(Unusable, match="not a wallet"), opened(tmp_path):
        pass


def test_short_passphrase_makes_no_wallet(tmp_path):
    with pytest.raises(Unusable, match="at least 8"), opened(tmp_path, b"short"):
        pass
    assert not storage.exists(tmp_path)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (storage.os, "open"),
        (storage.os, "fdopen"),
        (storage.os, "fsync"),
        (Path, "replace"),
        (storage, "_sync_folder"),
    ],
    ids=["open", "write", "sync", "replace", "sync folder"],
)
def test_process_killed_at_any_step_leaves_the_old_wallet_or_the_new(
    tmp_path, monkeypatch, where, name
):
    old, new = full_wallet(), Wallet(receipts_on=True)
    with opened(tmp_path) as store:
        store.save(old)

    def die(*_arguments, **_named):
        raise KeyboardInterrupt

    with opened(tmp_path) as store, monkeypatch.context() as patched:
        store.load()
        patched.setattr(where, name, die)
        with pytest.raises(KeyboardInterrupt):
            store.save(new)
    with opened(tmp_path) as store:
        kept = storage.write(store.load())
        assert kept == storage.write(new if name == "_sync_folder" else old)
        store.save(new)
        assert store.load() == new


@pytest.mark.threat("T26")
def test_size_is_the_same_for_an_empty_wallet_and_a_full_one(tmp_path):
    sizes = []
    for name, wallet in (("a", Wallet()), ("b", full_wallet()), ("c", full_wallet(200_000))):
        with opened(tmp_path / name) as store:
            store.save(wallet)
        sizes.append((tmp_path / name / storage.FILE).stat().st_size)
    assert len(set(sizes)) == 1


def test_files_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "wallet"
    with opened(folder) as store:
        store.save(Wallet())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_nothing_readable_stands_in_the_file(tmp_path):
    with opened(tmp_path) as store:
        store.save(full_wallet())
    content = (tmp_path / storage.FILE).read_bytes()
    for canary in (b"Library", b"credential-0", b"token", b"issuer.example", PASSPHRASE):
        assert canary not in content


def test_second_process_is_kept_out(tmp_path):
    with opened(tmp_path) as store:
        store.save(Wallet())
        with pytest.raises(Unusable, match="Another process"), opened(tmp_path):
            pass
    with opened(tmp_path) as store:
        assert store.load() == Wallet()


def test_crash_before_replacing_leaves_the_old_wallet(tmp_path, monkeypatch):
    old = full_wallet()
    with opened(tmp_path) as store:
        store.save(old)

        def crash(*_arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(storage.os, "fsync", crash)
        with pytest.raises(Unusable, match="could not be written"):
            store.save(dataclasses.replace(old, cards=()))
        monkeypatch.undo()
    with opened(tmp_path) as store:
        assert storage.write(store.load()) == storage.write(old)
        store.save(Wallet())
        assert store.load() == Wallet()


def test_nothing_elsewhere_is_erased(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"another's")
    for name in (storage.FILE, "wallet.new"):
        (tmp_path / name).symlink_to(elsewhere)
    storage.erase(tmp_path)
    assert elsewhere.read_bytes() == b"another's"
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "wallet.lock"}


def test_a_link_to_nothing_is_erased_too(tmp_path):
    (tmp_path / storage.FILE).symlink_to(tmp_path / "nowhere")
    storage.erase(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["wallet.lock"]


def test_what_a_crash_left_of_a_save_is_overwritten_and_erased(tmp_path):
    left, seen = tmp_path / "wallet.new", tmp_path / "seen"
    left.write_bytes(b"sealed")
    seen.hardlink_to(left)
    storage.erase(tmp_path)
    assert not left.exists()
    assert seen.read_bytes() == bytes(6)


def test_erased_wallet_is_gone(tmp_path):
    with opened(tmp_path) as store:
        store.save(full_wallet())
    storage.erase(tmp_path)
    storage.erase(tmp_path)
    assert not storage.exists(tmp_path)
    with opened(tmp_path) as store:
        assert store.load() == Wallet()


EMPTY = {
    "bundle": "",
    "cards": [],
    "pending": [],
    "receipts": [],
    "receipts_on": False,
    "root": None,
}

PENDING = {"keys": [], "code": "", "access_token": "", "configuration": "", "until": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"cards": [1]},
        {"cards": 1},
        {"bundle": 1},
        {"bundle": "*"},
        {"pending": 1},
        {"pending": [PENDING | {"until": "d"}]},
        {"pending": [PENDING | {"keys": [{}]}]},
        {"pending": [PENDING | {"secret": {"nym": 1, "blind": ""}, "commitment": ""}]},
        {"pending": [PENDING | {"secret": {"nym": "", "blind": ""}}]},
        {"receipts": [{"claims": 1, "day": "", "policy": "", "until": 1, "verifier": ""}]},
    ],
)
def test_other_contents_are_refused(change):
    assert storage.parse(canonical_json.serialize(EMPTY)) == Wallet()
    with pytest.raises(Unusable, match="something else"):
        storage.parse(canonical_json.serialize(EMPTY | change))
