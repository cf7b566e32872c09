"""What readers keep: never back, never aside, and what is stale verifies and says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.encoding import base64url
from crypto.errors import CryptoError, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from idservice import catalogue, period
from idservice.apps.settings import UnusableSettings
from idservice.cli import verify
from idservice.clients.trust_file import BUNDLE, PINNED, TrustFile
from idservice.period import DAY
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known, Told
from idservice.storage import wallet as storage
from idservice.verification import trust
from idservice.wallet.model import Declined
from tests.fakes import city as cities
from tests.fakes import holders, register_readers, registers, showing, verifier_folder
from tests.fakes.register_readers import FIRST, MADE, copied, published
from tests.fakes.registers import City
from tests.fakes.verifier_office import FakeClock

NOW = MADE.now
OFFLINE = MADE.register.city.charter.offline_days * DAY
LATER = UnixSeconds(NOW + OFFLINE + 1)
ROOT = MADE.trust.root_fingerprint
THEN = period.of(LATER)
ANNOUNCED = MADE.trust.find(configuration=catalogue.CONFIGURATION, period=THEN)
assert ANNOUNCED is not None


def grown(*, comment: bytes = b"one entry more") -> City:
    register = copied()
    register.append(comment)
    register.now = NOW + DAY
    return register


def take(data: bytes, *, before: Known | None = None, now: int = NOW, **told: bytes) -> Known:
    pinned = None if before is None else before.pinned
    return knowledge.take(data, pinned=pinned, told=Told(**told), now=UnixSeconds(now))


def known_in(folder: Path, now: int = NOW) -> TrustFile:
    file = TrustFile(folder)
    file.load(now=UnixSeconds(now))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / BUNDLE).write_bytes(FIRST)
    return tmp_path


def test_what_is_told_is_held_against_the_first_bundle() -> None:
    found = take(FIRST, root=ROOT)
    assert found.in_force is not None
    take(FIRST, charter=found.in_force.charter_digest)
    for wrong in ({"root": bytes(32)}, {"charter": bytes(32)}):
        with pytest.raises(Untrusted):
            take(FIRST, **wrong)


def test_a_bundle_that_lost_its_register_is_not_taken_after_one_with_it() -> None:
    with pytest.raises(Malformed):
        take(MADE.plain, before=take(FIRST))
    with pytest.raises(Malformed):
        take(MADE.plain, charter=bytes(32))


def test_pinned_is_read_as_it_was_written_and_nothing_else_is() -> None:
    pinned = take(FIRST).pinned
    assert pinned is not None
    written = knowledge.write_pinned(pinned)
    assert knowledge.parse_pinned(written) == pinned
    for other in (b"{}", written[:-1], written.replace(b'"seen"', b'"sean"')):
        with pytest.raises(Malformed):
            knowledge.parse_pinned(other)


def test_folder_pins_at_first_and_goes_on_from_there(folder: Path) -> None:
    file = known_in(folder)
    first = (folder / PINNED).read_bytes()
    newer = published(grown())
    assert file.take_over(newer, now=UnixSeconds(NOW + DAY))
    assert not file.take_over(newer, now=UnixSeconds(NOW + DAY))
    assert (folder / BUNDLE).read_bytes() == newer
    assert (folder / PINNED).read_bytes() != first
    assert known_in(folder, NOW + DAY).known == file.known


def test_older_bundle_put_back_into_the_folder_is_refused(folder: Path) -> None:
    known_in(folder).take_over(published(grown()), now=UnixSeconds(NOW + DAY))
    (folder / BUNDLE).write_bytes(FIRST)
    with pytest.raises(Refused):
        known_in(folder, NOW + DAY)


def test_split_view_is_refused_and_what_was_known_stays(folder: Path) -> None:
    file = known_in(folder)
    assert file.take_over(published(grown()), now=UnixSeconds(NOW + DAY))
    kept = file.known
    for other in (
        published(grown(comment=b"another entry"), version=9),
        registers.bundled(MADE, grown(comment=b"another entry")),
        FIRST,
    ):
        with pytest.raises(CryptoError):
            file.take_over(other, now=UnixSeconds(NOW + DAY))
    assert file.known == kept


def test_two_payloads_of_one_version_are_not_both_taken(folder: Path) -> None:
    file = known_in(folder)
    payload = {**MADE.payload, "policies": []}
    other = registers.bundled(MADE, grown(), payload=payload, earlier=[register_readers.SIZE])
    with pytest.raises(Refused, match="two bundles of one version"):
        file.take_over(other, now=UnixSeconds(NOW + DAY))


def test_crash_between_the_two_files_is_mended_at_the_next_start(folder: Path) -> None:
    known_in(folder)
    (folder / BUNDLE).write_bytes(published(grown()))
    file = known_in(folder, NOW + DAY)
    assert file.known is not None
    assert file.known.pinned is not None
    assert knowledge.parse_pinned((folder / PINNED).read_bytes()) == file.known.pinned


def test_what_is_kept_was_changed_by_somebody(folder: Path) -> None:
    known_in(folder)
    (folder / PINNED).write_bytes(b"{}")
    with pytest.raises(Malformed):
        known_in(folder)


def test_stale_bundle_is_known_where_it_was_known_and_new_nowhere(folder: Path) -> None:
    stranger = folder / "stranger"
    stranger.mkdir()
    (stranger / BUNDLE).write_bytes(FIRST)
    file = known_in(folder)
    assert file.known is not None
    assert file.known.unchecked_since(now=UnixSeconds(NOW + OFFLINE)) is None
    since = file.known.unchecked_since(now=LATER)
    assert since == period.day(NOW)
    again = known_in(folder, LATER)
    assert again.known is not None
    assert again.known.unchecked_since(now=LATER) == since
    with pytest.raises(CryptoError, match="stale"):
        known_in(stranger, LATER)
    with pytest.raises(CryptoError, match="stale"):
        again.take_over(published(grown()), now=UnixSeconds(LATER + 2 * DAY))


def test_office_that_was_off_for_long_starts_with_what_it_knew_and_says_so(tmp_path: Path) -> None:
    folder = verifier_folder.write(tmp_path, MADE)
    hands = FakeClock(NOW)
    register_readers.assemble(folder, hands).close()
    hands.time = LATER
    parts = register_readers.assemble(folder, hands)
    assert parts.knowledge.unchecked_since(now=LATER) == period.day(NOW)
    assert [each.id for each in parts.service.policies()] == ["library-card"]
    parts.close()
    (folder / PINNED).unlink()
    with pytest.raises(UnusableSettings, match="stale"):
        register_readers.assemble(folder, hands)


def test_offline_check_accepts_what_is_known_and_says_since_when(tmp_path: Path) -> None:
    shown = showing.show(MADE, "resident", now=LATER, announced=ANNOUNCED, nonce="nonce")
    token = MADE.status_token(iat=LATER - 7200, announced=ANNOUNCED)
    (tmp_path / "list.jwt").write_text(token)
    lists = ("--status", str(tmp_path / "list.jwt"))
    seen = ("--seen", str(tmp_path / "seen.json"))
    policy = "library-card"

    def check(now: int, *options: str) -> tuple[int, str]:
        result = register_readers.checked_offline(
            tmp_path, FIRST, policy, now, *options, shown=shown
        )
        return result.exit_code, result.output

    assert check(LATER, *lists)[0] == verify.MISUSE
    assert check(NOW, *seen)[0] == verify.NO
    code, text = check(LATER, *lists, *seen)
    assert code == verify.YES
    assert f"Not checked since {period.day(NOW)}" in text
    code, text = check(LATER, *lists, *seen, "--json")
    assert json.loads(text)["not_checked_since"] == period.day(NOW).isoformat()


def test_offline_check_is_held_to_the_charter_it_was_told(tmp_path: Path) -> None:
    in_force = take(FIRST).in_force
    assert in_force is not None
    right = trust.fingerprint_text(in_force.charter_digest)
    assert register_readers.offline(tmp_path, FIRST, "library-card", NOW, "--charter", right)
    wrong = trust.fingerprint_text(bytes(32))
    assert not register_readers.offline(tmp_path, FIRST, "library-card", NOW, "--charter", wrong)
    (tmp_path / "seen.json").write_bytes(b"something else")
    seen = ("--seen", str(tmp_path / "seen.json"))
    assert not register_readers.offline(tmp_path, FIRST, "library-card", NOW, *seen)


def test_wallet_keeps_what_it_saw_in_its_file_and_pins_the_charter() -> None:
    holder = holders.make(MADE)
    kept = storage.parse(holder.store.content)
    assert kept.pinned == take(FIRST).pinned
    assert kept.root_fingerprint == ROOT
    with pytest.raises(Declined, match="another charter pinned"):
        holder.service.pin(FIRST, root_fingerprint=None, charter=bytes(32))
    newer = published(grown())
    holder.clock.time = UnixSeconds(NOW + DAY)
    holder.service.pin(newer, root_fingerprint=None)
    for other in (FIRST, published(grown(comment=b"another entry"), version=9)):
        with pytest.raises(Declined):
            holder.service.pin(other, root_fingerprint=None)
    assert holder.store.load().bundle == newer


def test_wallet_verifies_with_what_it_knew_and_says_since_when() -> None:
    holder = holders.make(MADE)
    assert holder.service.unchecked_since() is None
    holder.clock.time = LATER
    assert holder.service.unchecked_since() == period.day(NOW)
    assert holder.service.trust() == MADE.trust
    stale = published(grown())
    holder.clock.time = UnixSeconds(LATER + 2 * DAY)
    with pytest.raises(Declined, match="stale"):
        holder.service.pin(stale, root_fingerprint=None)


def test_wallet_asks_no_city_for_a_card_that_issues_none() -> None:
    holder = holders.make(MADE)
    holder.clock.time = UnixSeconds(NOW + 400 * DAY)
    with pytest.raises(Declined, match="no community seat has signed anything for a year"):
        holder.receive()
    assert not holder.wire.sent


def test_city_that_is_none_in_earnest_is_named_as_such(tmp_path: Path) -> None:
    holder = holders.make(MADE)
    assert take(FIRST).marked == "demonstration"
    assert holder.service.city() == "Exampleton (a demonstration)"
    real = cities.make()
    assert holders.make(real).service.city() == "Exampleton"
    said = registers.board(
        city="Exampleton",
        languages=["en"],
        root=base64url.encode(ROOT),
        notice_s=5,
        sandbox=True,
    )
    founding = tuple(
        replace(each, in_force_until=registers.SUNSET) for each in MADE.register.city.founding
    )
    sandbox = City(charter=said, founding=founding[:1], now=NOW)
    payload = {**MADE.payload, "announced": [], "policies": []}
    assert take(registers.bundled(MADE, sandbox, payload=payload)).marked == "sandbox"
    assert register_readers.offline(tmp_path, FIRST, "library-card", NOW)
