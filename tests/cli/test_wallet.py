"""The wallet's commands, from arguments to exit code, against a city on this machine."""

import json
import os

import pytest
from typer.testing import CliRunner

from crypto.sealed import handle
from idservice import catalogue, period
from idservice.cli import holder as shared
from idservice.cli import wallet
from idservice.clock import SystemClock
from idservice.period import Period
from idservice.storage import wallet as storage
from idservice.wallet.model import Response, Use
from tests.fakes import city as fake_city
from tests.fakes import served
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT
from tests.fakes.shell import CHEAP, PASSPHRASE, Shell


@pytest.fixture(scope="module")
def wire():
    with served.city(now=SystemClock().now()) as wire:
        yield wire


@pytest.fixture
def shell(wire, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "REFUSAL_PAUSE", 0.0)
    monkeypatch.setattr(storage, "Cost", lambda: CHEAP)
    wire.sent.clear()
    wire.answers.clear()
    wire.issuing = fake_wire.honest
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(wire.city.bundle)
    return Shell(wire=wire, folder=tmp_path / "wallet", bundle=bundle)


@pytest.fixture
def card(shell):
    result = shell.receive()
    assert result.exit_code == 0, result.output
    shell.wire.sent.clear()
    return shell


def use_up(shell):
    """Mark every instance that may be shown as shown."""
    passphrase = PASSPHRASE.encode()
    with storage.opened(shell.folder, passphrase=passphrase, random_bytes=os.urandom) as store:
        kept = store.load()
        for place in range(catalogue.BATCH - 1):
            kept = kept.marked(kept.cards[0], place, Use.SHOWN)
        store.save(kept)


def test_receive_says_what_was_received(shell):
    result = shell.receive()
    assert result.exit_code == 0
    assert "Received. Resident card of Exampleton" in result.stdout
    assert "19 copies not shown yet" in result.stdout
    for value in ("Ada", "Okonkwo", fake_wire.CODE):
        assert value not in result.output


def test_receive_reads_the_offer_and_code_from_standard_input(shell):
    link = fake_wire.offer_link(fake_wire.offer(shell.wire.city))
    root = shell.wire.city.trust.root_fingerprint.hex()
    options = ("--trust", str(shell.bundle), "--root", root, "--json")
    result = shell.run("receive", "-", *options, given=f"{link}\n{fake_wire.TRANSACTION_CODE}\n")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["copies"], told["unshown"]) == (20, 19)


def test_what_is_typed_is_text(shell):
    result = shell.run("receive", "-", "--trust", str(shell.bundle), given=b"\xff\n")
    assert result.exit_code == 2


def test_a_passphrase_is_the_octets_of_the_environment_or_of_a_file(shell, tmp_path):
    made = shell.run("list", "--receipts", "on", passphrase="Stra\udcdfe 12345")
    assert made.exit_code == 0
    file = tmp_path / "passphrase"
    file.write_bytes(b"Stra\xdfe 12345\r\n")
    assert shell.run("list", "--passphrase-file", str(file)).exit_code == 0
    assert shell.run("list").exit_code == 2


def test_a_home_of_nobody_is_misuse(shell):
    for told in (["list", "--trust", "~nobody-of-this-name/x"], ["forget", "--all", "--yes"]):
        result = shell.run(*told, "--folder", "~nobody-of-this-name/wallet")
        assert result.exit_code == 2
        assert "home of somebody unknown" in result.output


def test_receive_without_the_fingerprint_is_misuse(shell):
    link = fake_wire.offer_link(fake_wire.offer(shell.wire.city))
    result = shell.run("receive", link, "--trust", str(shell.bundle))
    assert result.exit_code == 2
    assert "enrolment sheet" in result.output


def test_receive_with_another_root_is_a_no(shell):
    link = fake_wire.offer_link(fake_wire.offer(shell.wire.city))
    result = shell.run("receive", link, "--trust", str(shell.bundle), "--root", "00" * 32)
    assert result.exit_code == 1
    assert shell.run("receive", link, "--root", "xyz", "--trust", str(shell.bundle)).exit_code == 2


def test_file_that_is_no_bundle_is_unreadable_and_an_unfit_bundle_a_no(card, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("garbage")
    unreadable = card.run("list", "--trust", str(other))
    assert (unreadable.exit_code, "trust bundle" in unreadable.stderr) == (2, True)
    stranger = fake_city.make(now=SystemClock().now())
    other.write_bytes(stranger.bundle)
    assert card.run("list", "--trust", str(other)).exit_code == 1


def test_tagging_issuer_is_refused_in_one_sentence(shell):
    shell.wire.issuing = lambda city, place, key: city.issue(
        RESIDENT, key, place, changes={"jti": "tag"}
    )
    result = shell.receive()
    assert result.exit_code == 1
    assert "could mark you" in result.output
    assert result.stdout == ""


def test_list_and_show(card):
    code, told = card.answer("list")
    assert (code, told["cards"][0]["unshown"]) == (0, 19)
    assert "not shown yet" in card.run("list").stdout
    result = card.run("show")
    assert "family name                           Okonkwo" in result.stdout
    assert "gender                                -" in result.stdout
    assert "that you are 65 or older              no" in result.stdout
    code, told = card.answer("show")
    assert told["claims"]["address.street_address"] == "Quay 7"
    assert card.run("show", "--period", "1").exit_code == 2


def test_portrait_is_described_and_not_printed(shell):
    picture = "data:image/jpeg;base64,/9j/" + "A" * 1000
    shell.wire.issuing = lambda city, place, key: city.issue(
        {**RESIDENT, "portrait": picture}, key, place
    )
    shell.receive()
    result = shell.run("show")
    assert "a JPEG, " in result.stdout
    assert "AAAA" not in result.stdout


def test_empty_wallet(shell):
    shell.run("list", "--trust", str(shell.bundle))
    result = shell.run("list")
    assert (result.exit_code, result.stdout) == (0, "The wallet is empty.\n")


def test_stale_bundle_is_told_with_its_date(card):
    result = card.run("list", "--clock-offset", str(8 * period.DAY))
    assert f"not checked since {card.wire.city.trust.day}" in " ".join(result.stdout.split())


def test_present_asks_and_shows(card):
    asking, link = card.asked()
    result = card.run("present", link, given="n\ny\n")
    assert result.exit_code == 0, result.output
    assert "Who       Exampleton Library" in result.stdout
    assert "[x] that you live in the city" in result.stdout
    assert "Go on at https://library.example/done" in result.stdout
    claims = fake_wire.shown_to(asking, card.posted()[0], city=card.wire.city)
    assert "given_name" not in claims
    assert claims["resident"] is True


def test_present_shares_what_was_picked(card):
    asking, link = card.asked()
    code, told = card.answer("present", link, "--yes", "--share", "given_name")
    assert code == 0
    assert told["claims"] == ["resident", "given_name"]
    claims = fake_wire.shown_to(asking, card.posted()[0], city=card.wire.city)
    assert claims["given_name"] == "Ada"


def test_present_interactively_picked_claim_is_shown(card):
    asking, link = card.asked()
    assert card.run("present", link, given="y\ny\n").exit_code == 0
    assert fake_wire.shown_to(asking, card.posted()[0], city=card.wire.city)["given_name"] == "Ada"


@pytest.mark.parametrize("given", ["n\nn\n", "n\n\n"])
def test_a_no_is_posted_as_access_denied(card, given):
    _, link = card.asked()
    result = card.run("present", link, given=given)
    assert result.exit_code == 1
    assert "as you decided" in result.output
    assert fake_wire.form(card.posted()[0]) == {"error": "access_denied", "state": "state-1"}


def test_over_asking_is_refused_with_the_sentence_and_looks_like_any_no(card):
    verifier = card.wire.city.verifiers["library"]
    query = fake_wire.dcql.for_facts(
        vct=verifier.policy.vct, required=("resident", "birth_date"), optional=()
    )
    _, link = card.asked(query=query)
    code, told = card.answer("present", link, "--yes")
    assert code == 1
    assert "asks for birth_date, which the policy library-card does not list" in told["sentence"]
    assert fake_wire.form(card.posted()[0]) == {"error": "access_denied", "state": "state-1"}
    _, link = card.asked(policy="bank-account")
    result = card.run("present", link)
    assert result.exit_code == 1
    assert "borrowed its name" in " ".join(result.output.split())


def test_json_needs_a_decision(card):
    _, link = card.asked()
    result = card.run("present", link, "--json")
    assert result.exit_code == 2
    assert card.wire.sent == []


def test_used_up_card_asks_before_reuse(card):
    _, link = card.asked()
    use_up(card)
    shown = len(card.posted())
    result = card.run("present", link, "--yes")
    assert result.exit_code == 1
    assert "has been shown once already" in " ".join(result.output.split())
    assert "error" in fake_wire.form(card.posted()[shown])
    assert card.answer("present", link, "--yes", "--reuse")[0] == 0


def test_receipts_are_off_until_switched_on(card):
    _, link = card.asked()
    card.answer("present", link, "--yes")
    assert card.answer("list")[1]["receipts"] == []
    card.answer("present", link, "--yes", "--receipts", "on")
    (receipt,) = card.answer("list")[1]["receipts"]
    assert receipt["verifier"] == "Exampleton Library"
    assert "Exampleton Library: resident" in card.run("list").stdout
    assert card.answer("list", "--receipts", "off")[1]["receipts"] == []
    assert card.run("list", "--receipts", "maybe").exit_code == 2


def test_renewal_at_its_date(card):
    assert card.run("renew").exit_code in {0, 1}
    begin = period.not_before(Period(card.wire.city.period + 1))
    offset = begin - card.wire.city.now + period.DAY
    card.wire.issuing = lambda city, place, key: city.issue(
        RESIDENT, key, place, announced=fake_wire.announced_for(city, 1)
    )
    code, told = card.answer("renew", "--clock-offset", str(offset))
    assert (code, [one["period"] for one in told["cards"]]) == (0, [card.wire.city.period + 1])


@pytest.mark.threat("T66")
def test_clock_is_moved_for_a_demonstration_only(shell):
    shell.receive()
    payload = {**shell.wire.city.payload, "demonstration": False, "version": 8}
    shell.bundle.write_bytes(shell.wire.city.sign_bundle(payload))
    result = shell.run("list", "--trust", str(shell.bundle), "--clock-offset", "5")
    assert result.exit_code == 2
    assert "only for a demonstration" in result.output


def test_clock_is_moved_by_ten_years_at_most(card):
    result = card.run("list", "--clock-offset", str(10**20))
    assert result.exit_code == 2
    assert "ten years at most" in result.output


def test_withdraw_needs_the_slip_and_no_wallet(shell, tmp_path):
    slip = handle.write_slip(handle.new_slip(random_bytes=fake_city.chance("slip")))
    file = tmp_path / "slip"
    file.write_text(slip.lower() + "\n")
    issuer = shell.wire.city.issuer
    result = shell.run("withdraw", "--issuer", issuer, "--slip-file", str(file))
    assert result.exit_code == 0
    assert slip.encode() in shell.wire.sent[-1].body
    assert slip not in result.output
    assert shell.run("withdraw", "--issuer", issuer, given=slip).exit_code == 0
    assert shell.run("withdraw", "--issuer", issuer, given="wrong").exit_code == 1
    assert not shell.folder.exists()


def test_withdraw_at_the_pinned_issuer(card):
    slip = handle.write_slip(handle.new_slip(random_bytes=fake_city.chance("slip")))
    code, told = card.answer("withdraw", given=slip + "\n")
    assert (code, told) == (0, {"result": "sent"})


def test_forget_one_card_or_everything(card):
    assert card.run("forget").exit_code == 2
    assert card.run("forget", "--all", given="n\n").exit_code == 1
    assert card.run("forget", "--period", "1", "--yes").exit_code == 1
    number = card.answer("list")[1]["cards"][0]["period"]
    assert card.run("forget", "--period", str(number), "--yes").exit_code == 0
    assert card.answer("list")[1]["cards"] == []
    assert card.run("forget", "--all", "--yes", passphrase="unknown words").exit_code == 0
    assert not (card.folder / storage.FILE).exists()


def test_wrong_passphrase_is_one_sentence(card):
    result = card.run("list", passphrase="another passphrase")
    assert result.exit_code == 2
    assert result.output.startswith("The passphrase is wrong")


def test_passphrase_from_a_file(card, tmp_path):
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    result = CliRunner().invoke(
        wallet.app, ["list", "--folder", str(card.folder), "--passphrase-file", str(file)]
    )
    assert result.exit_code == 0
    missing = ["list", "--folder", str(card.folder), "--passphrase-file", str(tmp_path / "no")]
    assert CliRunner().invoke(wallet.app, missing).exit_code == 2


def test_no_passphrase_and_nobody_to_ask_is_misuse(card):
    result = CliRunner().invoke(wallet.app, ["list", "--folder", str(card.folder)])
    assert result.exit_code == 2
    assert shared.PASSPHRASE in result.output


def test_nobody_answering_is_one_sentence(card):
    _, link = card.asked()
    port = card.wire.city.issuer.rpartition(":")[2]
    nowhere = link.replace(f"%3A{port}%2F", "%3A1%2F")
    result = card.run("present", nowhere)
    assert result.exit_code == 2
    assert "does not answer" in result.output


def test_strange_request_is_a_no(card):
    assert card.run("present", "hello").exit_code == 1
    _, link = card.asked()
    address = f"{card.wire.city.issuer}/requests/1"
    card.wire.answers[address] = Response(status=404, media_type="", body=b"")
    assert "The request is over" in card.run("present", link).output


def test_output_is_plain_and_fits_eighty_columns(card):
    _, link = card.asked("bank")
    result = card.run("present", link, "--no")
    assert "\x1b" not in result.output
    assert max(map(len, result.output.splitlines())) <= 80


# at a terminal


@pytest.fixture
def terminal(card, monkeypatch):
    monkeypatch.setattr(shared, "interactive", lambda: True)
    return card


def test_objection_is_read_before_the_verifier_hears_of_it(terminal):
    _, link = terminal.asked(policy="bank-account")
    result = terminal.run("present", link, given="\n")
    assert result.exit_code == 1
    assert "Press Enter to answer no" in result.output
    assert fake_wire.form(terminal.posted()[0])["error"] == "access_denied"


@pytest.mark.threat("T14")
@pytest.mark.parametrize(("given", "exit_code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_reuse_is_a_question_at_a_terminal(terminal, given, exit_code):
    _, link = terminal.asked()
    use_up(terminal)
    before = len(terminal.posted())
    result = terminal.run("present", link, "--yes", given=given)
    assert result.exit_code == exit_code
    assert "lets verifiers who saw it before notice" in " ".join(result.output.split())
    (posted,) = terminal.posted()[before:]
    assert ("error" in fake_wire.form(posted)) is (exit_code == 1)


def test_new_wallet_asks_for_its_passphrase_twice(shell, monkeypatch):
    monkeypatch.setattr(shared, "interactive", lambda: True)
    root = shell.wire.city.trust.root_fingerprint.hex()
    link = fake_wire.offer_link(fake_wire.offer(shell.wire.city))
    arguments = ("receive", link, "--trust", str(shell.bundle), "--root", root)
    given = f"{PASSPHRASE}\nanother passphrase\n"
    differing = shell.run(*arguments, given=given, passphrase=None)
    assert differing.exit_code == 2
    assert "The two passphrases differ." in differing.output
    given = f"{PASSPHRASE}\n{PASSPHRASE}\n{fake_wire.TRANSACTION_CODE}\n"
    result = shell.run(*arguments, given=given, passphrase=None)
    assert result.exit_code == 0, result.output
    assert PASSPHRASE not in result.output
    assert shell.run("list", given=f"{PASSPHRASE}\n", passphrase=None).exit_code == 0


def test_unreadable_bundle_is_misuse(shell):
    link = fake_wire.offer_link(fake_wire.offer(shell.wire.city))
    result = shell.run("receive", link, "--trust", str(shell.folder / "none.json"))
    assert (result.exit_code, result.stdout) == (2, "")
    shell.bundle.write_bytes(bytes(shared.LONGEST_FILE + 1))
    assert shell.run("receive", link, "--trust", str(shell.bundle)).exit_code == 2


@pytest.mark.parametrize(
    "command", ["receive", "list", "show", "present", "hand-over", "renew", "withdraw", "forget"]
)
def test_every_command_has_help_with_an_example(command):
    result = CliRunner().invoke(wallet.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: idservice wallet {command}" in " ".join(result.output.split())
