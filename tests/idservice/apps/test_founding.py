import fcntl
import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.bbs import signature
from crypto.bls import curve
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.x509 import chain
from crypto.x509.profile import Role
from idservice import catalogue, period
from idservice.apps import city_folder, founding, key_files, keys
from idservice.apps.founding import Chances
from idservice.apps.key_files import UnusableKey
from idservice.apps.register import board
from idservice.apps.settings import City, UnusableSettings
from idservice.verification import trust
from tests.fakes import city as cities
from tests.fakes import registered

NOW = cities.NOW
HERE = period.of(NOW)
BASE = "http://127.0.0.1:8080"
BBS_NAME = keys.file_name(catalogue.BBS_CONFIGURATION, HERE)
CITY = City(name="Exampleton", issuer=BASE, languages=["en"], demonstration=True)


def chances(now: int = NOW, seed: str = "a") -> Chances:
    return Chances(now=UnixSeconds(now), random_bytes=cities.chance(seed))


def found(folder: Path, seed: str = "a", **changes: object) -> trust.TrustBundle:
    city = CITY.model_copy(update=changes)
    return founding.found_city(folder, city, residents=1000, chances=chances(seed=seed))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_city_announces_this_period_and_two_more(tmp_path: Path) -> None:
    bundle = found(tmp_path / "city")
    assert bundle == city_folder.current_bundle(tmp_path / "city")
    assert (bundle.version, bundle.city, bundle.issuer) == (1, "Exampleton", BASE)
    assert bundle.demonstration
    assert bundle.day == period.day(NOW)
    assert [each.period for each in bundle.announced] == [HERE, HERE + 1, HERE + 2]
    for each in bundle.announced:
        assert (each.digests, each.address_digests) == (15, 4)
        assert each.status.size == trust.SMALLEST_LIST
        for now in (each.nbf, each.exp):
            leaf = chain.verify(each.x5c, root=bundle.root, role=Role.ISSUER, now=now)
            assert leaf.uris == (BASE,)
    assert len({each.x5c for each in bundle.announced}) == 3


def test_a_city_announces_a_bbs_key_a_period_too(tmp_path: Path) -> None:
    bundle = found(tmp_path / "city")
    assert [each.period for each in bundle.announced_bbs] == [HERE, HERE + 1, HERE + 2]
    for each in bundle.announced_bbs:
        assert each.configuration == catalogue.BBS_CONFIGURATION
        assert (each.schema, each.slots) == (catalogue.BBS_SCHEMA, catalogue.BBS_SLOTS)
        assert each.nbf == period.not_before(each.period)
        assert each.exp == period.not_before(period.Period(each.period + 1)) + period.DAY
        assert each.vct == bundle.announced[0].vct
        signature.load_public_key(each.public_key)
    assert len({each.public_key for each in bundle.announced_bbs}) == 3


def test_a_citys_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    found(tmp_path / "city")
    secret = list((tmp_path / "city").rglob("*.key"))
    assert {path.name for path in secret} == {
        "root.key",
        "status.key",
        "metadata.key",
        "nonce.key",
        *(f"{kind}-{HERE + ahead}.key" for kind in catalogue.CONFIGURATIONS for ahead in range(3)),
        "log.key",
        "north.key",
        "south.key",
        *(f"{seat}{kind}.key" for seat in board.SEATS for kind in ("", ".successor")),
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    for folder in ("", "root", "issuer", "issuer/keys", "board", "witnesses"):
        assert stat.S_IMODE((tmp_path / "city" / folder).stat().st_mode) == 0o700


def test_the_issuers_process_finds_its_keys_and_no_root_key(tmp_path: Path) -> None:
    bundle = found(tmp_path / "city")
    (tmp_path / "city" / "root" / "root.key").unlink()
    loaded = keys.load(tmp_path / "city" / "issuer", issuer=BASE)
    assert loaded.bundle == (tmp_path / "city" / "issuer" / "bundle.json").read_bytes()
    assert [each.announced for each in loaded.announced()] == list(bundle.announced)
    assert loaded.issuing(HERE, catalogue.CONFIGURATION) == loaded.announced()[0]
    assert loaded.issuing(period.Period(HERE + 9), catalogue.CONFIGURATION) is None
    assert [each.announced for each in loaded.bbs_keys] == list(bundle.announced_bbs)
    assert loaded.issuing_bbs(HERE, catalogue.BBS_CONFIGURATION) == loaded.bbs_keys[0]
    assert loaded.issuing_bbs(HERE, catalogue.CONFIGURATION) is None
    scalar = (tmp_path / "city/issuer/keys" / f"{BBS_NAME}.key").read_bytes()
    assert loaded.bbs_keys[0].secret_key.scalar == scalar
    assert repr(scalar) not in repr(loaded.bbs_keys)
    assert len(loaded.nonce_key) == 32
    assert len(loaded.status.sign(b"x")) == len(loaded.metadata.sign(b"x")) == 64
    assert loaded.nonce_key.hex() not in repr(loaded)


def test_status_and_metadata_keys_cannot_sign_credentials(tmp_path: Path) -> None:
    bundle = found(tmp_path / "city")
    where = tmp_path / "city" / "issuer" / "keys"
    for name, role in (("status", Role.STATUS), ("metadata", Role.METADATA)):
        certificate = keys.read_certificate(where / f"{name}.crt")
        path = (certificate.public_bytes(Encoding.DER),)
        assert chain.verify(path, root=bundle.root, role=role, now=NOW).uris == (BASE,)
        with pytest.raises(CryptoError):
            chain.verify(path, root=bundle.root, role=Role.ISSUER, now=NOW)


@pytest.mark.parametrize("name", ["root.key", "bundle.json"])
def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UnusableSettings, match="not empty"):
        found(tmp_path)
    assert files(tmp_path) == {name: b"mine"}


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "city").mkdir()
    assert found(tmp_path / "city").version == 1


def test_a_city_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def out_of_chance(_length: int) -> bytes:
        raise OSError("no randomness")

    with pytest.raises(OSError, match="no randomness"):
        founding.found_city(
            tmp_path / "city",
            CITY,
            residents=1,
            chances=Chances(now=NOW, random_bytes=out_of_chance),
        )
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_named_and_not_touched(tmp_path: Path) -> None:
    left = tmp_path / ".city.unfinished"
    left.mkdir()
    (left / "root.key").write_text("x")
    with pytest.raises(UnusableSettings, match="unfinished"):
        found(tmp_path / "city")
    assert (left / "root.key").read_text() == "x"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://issuer.example"},
        {"issuer": "https://issuer.example/"},
        {"issuer": "https://issuer.example?x"},
        {"issuer": "issuer.example"},
        {"issuer": "https://issuer.example", "test_hooks": True},
        {"issuer": "https://issuer.example/Ä"},
        {"name": ""},
        {"name": "x" * 41},
        {"name": "\u202eelgnuJ"},
        {"languages": []},
        {"languages": ["English"]},
    ],
)
def test_a_city_that_could_not_be_announced_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises((UnusableSettings, CryptoError)):
        found(tmp_path / "city", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("residents", "size"), [(1, 1 << 17), (1638, 1 << 17), (1639, 1 << 18), (200_000, 1 << 24)]
)
def test_a_status_list_is_twice_as_long_as_needed(residents: int, size: int) -> None:
    assert founding.list_size(residents) == size
    assert size >= 2 * residents * catalogue.BATCH


def test_more_residents_than_a_list_can_hold_are_refused() -> None:
    with pytest.raises(UnusableSettings):
        founding.list_size(300_000)


def test_announcing_again_changes_the_version_only(tmp_path: Path) -> None:
    first = found(tmp_path)
    again = founding.announce(tmp_path, residents=None, chances=chances(seed="b"))
    assert again.version == 2
    assert (again.announced, again.announced_bbs) == (first.announced, first.announced_bbs)


def test_without_a_library_that_can_sign_no_bbs_key_is_made_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(tmp_path / "city")
    with monkeypatch.context() as lacking:
        lacking.setattr(curve, "_BLST", None)
        with pytest.raises(UnusableSettings, match="constant"):
            found(tmp_path / "other")
        assert not (tmp_path / "other").exists()
        with pytest.raises(UnusableKey, match="constant"):
            keys.load(tmp_path / "city" / "issuer", issuer=BASE)
    keys.load(tmp_path / "city" / "issuer", issuer=BASE)


def test_announcing_later_adds_periods_and_drops_what_has_run_out(tmp_path: Path) -> None:
    first = found(tmp_path)
    for ahead, kept in ((1, [0, 1, 2, 3]), (2, [1, 2, 3, 4])):
        start = period.not_before(period.Period(HERE + ahead))
        bundle = founding.announce(tmp_path, residents=None, chances=chances(start, f"b{ahead}"))
        assert [each.period - HERE for each in bundle.announced] == kept
        # their day of grace is over, that of the others is seven
        bbs = founding.announce(tmp_path, residents=None, chances=chances(start + period.DAY))
        assert [each.period - HERE for each in bbs.announced_bbs] == kept[-3:]
    assert bundle.announced[0] == first.announced[1]
    assert bundle.root_fingerprint == first.root_fingerprint
    old = f"issuer/keys/{catalogue.CONFIGURATION}-{HERE}.key"
    assert (tmp_path / old).exists()


def test_more_residents_make_new_lists_longer_and_leave_announced_ones(tmp_path: Path) -> None:
    found(tmp_path)
    later = period.not_before(period.Period(HERE + 1))
    bundle = founding.announce(tmp_path, residents=10_000, chances=chances(later, "b"))
    assert [each.status.size >> 17 for each in bundle.announced] == [1, 1, 1, 8]
    later = period.not_before(period.Period(HERE + 2))
    bundle = founding.announce(tmp_path, residents=None, chances=chances(later, "c"))
    assert bundle.announced[-1].status.size >> 17 == 8


@pytest.mark.parametrize("certified", [True, False], ids=["key and certificate", "key only"])
def test_keys_that_a_crash_left_are_announced_by_the_next_run(
    tmp_path: Path, *, certified: bool
) -> None:
    """The keys are on disk and not in the log: as after a crash in between."""
    found(tmp_path / "city")
    shutil.copytree(tmp_path / "city", tmp_path / "other")
    later = period.not_before(period.Period(HERE + 1))
    lost = founding.announce(tmp_path / "other", residents=None, chances=chances(later, "b"))
    where = Path("issuer") / "keys"
    names = [f"{catalogue.CONFIGURATION}-{HERE + 3}", f"{catalogue.BBS_CONFIGURATION}-{HERE + 3}"]
    left = [f"{name}.key" for name in names] + [f"{names[0]}.crt"] * certified
    for name in left:
        shutil.copy(tmp_path / "other" / where / name, tmp_path / "city" / where / name)
    again = founding.announce(tmp_path / "city", residents=None, chances=chances(later, "c"))
    for name in left:
        kept = (tmp_path / "other" / where / name).read_bytes()
        assert (tmp_path / "city" / where / name).read_bytes() == kept
    assert (again.announced == lost.announced) is certified
    assert again.announced_bbs == lost.announced_bbs
    assert keys.load(tmp_path / "city" / "issuer", issuer=BASE).trust == again


def test_what_was_logged_before_a_crash_is_published_by_the_next_run(tmp_path: Path) -> None:
    found(tmp_path)
    bundle_file = tmp_path / "issuer" / "bundle.json"
    before = bundle_file.read_bytes()
    later = period.not_before(period.Period(HERE + 1))
    lost = founding.announce(tmp_path, residents=None, chances=chances(later, "b"))
    bundle_file.write_bytes(before)
    again = founding.announce(tmp_path, residents=10_000, chances=chances(later, "c"))
    assert again == lost


@pytest.mark.parametrize("content", [b"", bytes(32), bytes([0xFF]) * 32, b"\1" * 33])
def test_what_is_no_bbs_key_is_neither_used_nor_replaced(tmp_path: Path, content: bytes) -> None:
    found(tmp_path)
    name = f"{catalogue.BBS_CONFIGURATION}-{HERE + 3}.key"
    key_files.create(tmp_path / "issuer" / "keys" / name, content)
    later = period.not_before(period.Period(HERE + 1))
    before = (tmp_path / "issuer" / "bundle.json").read_bytes()
    with pytest.raises(UnusableKey, match="does not hold a BBS key"):
        founding.announce(tmp_path, residents=None, chances=chances(later))
    assert (tmp_path / "issuer" / "bundle.json").read_bytes() == before
    assert (tmp_path / "issuer" / "keys" / name).read_bytes() == content


def test_a_bbs_key_that_was_not_announced_is_not_used(tmp_path: Path) -> None:
    found(tmp_path / "city")
    found(tmp_path / "other", seed="other")
    name = Path("issuer/keys") / f"{BBS_NAME}.key"
    (tmp_path / "city" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(UnusableKey, match="does not fit the bundle"):
        keys.load(tmp_path / "city" / "issuer", issuer=BASE)
    (tmp_path / "city" / name).chmod(0o640)
    with pytest.raises(UnusableKey, match="0600"):
        keys.load(tmp_path / "city" / "issuer", issuer=BASE)


def test_a_certificate_of_another_key_or_city_is_not_announced(tmp_path: Path) -> None:
    found(tmp_path / "city")
    found(tmp_path / "other", seed="other")
    where = tmp_path / "city" / "issuer" / "keys"
    name = f"{catalogue.CONFIGURATION}-{HERE + 3}"
    later = period.not_before(period.Period(HERE + 1))
    founding.announce(tmp_path / "other", residents=None, chances=chances(later, "b"))
    foreign = tmp_path / "other" / "issuer" / "keys" / f"{name}.crt"
    sibling = where / f"{catalogue.CONFIGURATION}-{HERE + 2}.crt"
    for certificate in (foreign, sibling):
        (where / f"{name}.crt").write_bytes(certificate.read_bytes())
        before = (tmp_path / "city" / "issuer" / "bundle.json").read_bytes()
        with pytest.raises(UnusableSettings):
            founding.announce(tmp_path / "city", residents=None, chances=chances(later, "c"))
        assert (tmp_path / "city" / "issuer" / "bundle.json").read_bytes() == before


def test_two_commands_do_not_work_in_one_city_at_once(tmp_path: Path) -> None:
    found(tmp_path)
    with (tmp_path / "city.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UnusableSettings, match="another command"):
            founding.announce(tmp_path, residents=None, chances=chances(seed="b"))
    assert founding.announce(tmp_path, residents=None, chances=chances(seed="b")).version == 2


def test_a_bundle_that_nobody_would_accept_is_not_published(tmp_path: Path) -> None:
    found(tmp_path / "city")
    found(tmp_path / "other", seed="other")
    for name in ("root.key", "root.crt"):
        shutil.copy(tmp_path / "other" / "root" / name, tmp_path / "city" / "root" / name)
    before = (tmp_path / "city" / "issuer" / "bundle.json").read_bytes()
    with pytest.raises(UnusableSettings, match="would be refused"):
        founding.announce(tmp_path / "city", residents=None, chances=chances(seed="b"))
    assert (tmp_path / "city" / "issuer" / "bundle.json").read_bytes() == before


@pytest.mark.attack("STORE-023")
@pytest.mark.parametrize(
    "name", ["status.key", "nonce.key", f"{catalogue.CONFIGURATION}-{HERE}.key"]
)
@pytest.mark.threat("T63")
def test_the_issuer_does_not_start_with_a_key_that_others_can_read(
    tmp_path: Path, name: str
) -> None:
    found(tmp_path)
    assert keys.load(tmp_path / "issuer", issuer=BASE).nonce_key
    (tmp_path / "issuer" / "keys" / name).chmod(0o644)
    with pytest.raises(UnusableKey, match="0600"):
        keys.load(tmp_path / "issuer", issuer=BASE)


def test_the_issuer_does_not_start_with_what_does_not_fit(tmp_path: Path) -> None:
    found(tmp_path)
    issuer = tmp_path / "issuer"
    with pytest.raises(UnusableKey, match="another base address"):
        keys.load(issuer, issuer="http://127.0.0.1:9")
    for name in ("status", f"{catalogue.CONFIGURATION}-{HERE}"):
        path = issuer / "keys" / f"{name}.key"
        kept = path.read_bytes()
        path.write_bytes((issuer / "keys" / "metadata.key").read_bytes())
        with pytest.raises(UnusableKey, match="does not fit"):
            keys.load(issuer, issuer=BASE)
        path.write_bytes(kept)
    for name, content in (("nonce.key", b"short"), ("status.crt", b"no certificate")):
        path = issuer / "keys" / name
        kept = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(UnusableKey):
            keys.load(issuer, issuer=BASE)
        path.write_bytes(kept)
    for content in (None, b"{}"):
        bundle = issuer / "bundle.json"
        bundle.unlink() if content is None else bundle.write_bytes(content)
        with pytest.raises(UnusableKey, match=r"trust bundle|cannot be read"):
            keys.load(issuer, issuer=BASE)


def test_a_bundle_that_announces_no_certificate_is_not_used(tmp_path: Path) -> None:
    bundle = found(tmp_path)
    wrong = replace(bundle.announced[0], x5c_text=("MAA=",))
    registered.rewrite(tmp_path, announced=[trust.announce(wrong)])
    with pytest.raises(UnusableKey, match="no certificate"):
        keys.load(tmp_path / "issuer", issuer=BASE)


def test_city_json_says_what_the_process_reads(tmp_path: Path) -> None:
    found(tmp_path)
    assert json.loads((tmp_path / "city.json").read_bytes()) == CITY.model_dump()


def test_the_root_is_shown_without_its_key(tmp_path: Path) -> None:
    found(tmp_path)
    root = city_folder.read_root(tmp_path)
    assert "key=" not in repr(root).replace("public_key=", "")
    assert key_files.read_ed25519(tmp_path / "root" / "root.key").public_key() == (
        root.certificate.public_key()
    )
