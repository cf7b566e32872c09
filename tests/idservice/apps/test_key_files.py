import errno
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idservice.apps import key_files
from idservice.apps.key_files import UnusableKey
from tests.fakes.certificates import ed, p256


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_written_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    key_files.create_key(tmp_path / "a.key", p256("a"))
    key_files.create_key(tmp_path / "b.key", ed("b"))
    assert mode(tmp_path / "a.key") == mode(tmp_path / "b.key") == 0o600
    assert key_files.read_p256(tmp_path / "a.key").private_numbers() == p256("a").private_numbers()
    assert key_files.read_ed25519(tmp_path / "b.key").public_key() == ed("b").public_key()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    key_files.create_key(path, p256("a"))
    before = path.read_bytes()
    with pytest.raises(UnusableKey, match="never overwritten"):
        key_files.create_key(path, p256("b"))
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableKey):
        key_files.create_key(tmp_path / "a.key", p256("a"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_crash_while_a_key_is_written_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        with pytest.raises(OSError, match="full"):
            key_files.create_key(tmp_path / "a.key", p256("a"))
    assert not list(tmp_path.iterdir())
    key_files.create_key(tmp_path / "a.key", p256("a"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_key_has_its_name_when_it_is_on_disk_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "a.key", os.fsync
    there: list[bool] = []

    def watched(descriptor: int) -> None:
        there.append(path.exists())
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    key_files.create_key(path, p256("a"))
    assert there == [False, True]


@pytest.mark.attack("STORE-023")
@pytest.mark.parametrize("access", [0o640, 0o604, 0o660, 0o644, 0o666, 0o620, 0o700, 0o601])
def test_a_key_that_somebody_else_may_reach_is_refused(tmp_path: Path, access: int) -> None:
    path = tmp_path / "a.key"
    key_files.create_key(path, p256("a"))
    for fine in (0o600, 0o400):
        path.chmod(fine)
        assert key_files.read(path)
    path.chmod(access)
    with pytest.raises(UnusableKey, match="0600"):
        key_files.read(path)


@pytest.mark.attack("STORE-023")
def test_no_error_about_a_key_file_shows_the_key(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    key_files.create_key(path, p256("a"))
    pem = path.read_text().splitlines()
    path.write_text("\n".join([pem[0], pem[1][:-8] + "AAAAAAAA", *pem[2:]]))
    with pytest.raises(UnusableKey) as caught:
        key_files.read_p256(path)
    said = "".join(map(repr, (caught.value, caught.value.__cause__)))
    assert pem[1][:16] not in said


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"", key_files.read_p256),
        (b"x" * (key_files.LARGEST_KEY + 1), key_files.read_p256),
        (b"-----BEGIN PRIVATE KEY-----\n", key_files.read_ed25519),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes, read: object) -> None:
    path = tmp_path / "a.key"
    key_files.create(path, content)
    assert callable(read)
    with pytest.raises(UnusableKey):
        read(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key_files.create_key(tmp_path / "p256.key", p256("a"))
    key_files.create_key(tmp_path / "p384.key", ec.derive_private_key(7, ec.SECP384R1()))
    key_files.create_key(tmp_path / "ed.key", ed("b"))
    for read, name in (
        (key_files.read_p256, "ed.key"),
        (key_files.read_p256, "p384.key"),
        (key_files.read_ed25519, "p256.key"),
    ):
        with pytest.raises(UnusableKey):
            read(tmp_path / name)


def test_what_is_missing_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.key").mkdir()
    for name in ("missing.key", "folder.key"):
        with pytest.raises(UnusableKey):
            key_files.read(tmp_path / name)


def test_a_public_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    for content in (b"first", b"second, and longer", b"3"):
        key_files.publish(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["bundle.json"]


def test_a_public_file_stays_as_it_was_when_its_replacement_is_not_finished(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bundle.json"
    key_files.publish(path, b"first")
    (tmp_path / ".bundle.json.unfinished").mkdir()
    with pytest.raises(OSError, match="unfinished"):
        key_files.publish(path, b"second")
    assert path.read_bytes() == b"first"
