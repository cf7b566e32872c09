"""The wallet's commands with a card that can be shown any number of times."""

import json

import pytest
from typer.testing import CliRunner

from crypto.bbs import jwp
from idservice import catalogue, period
from idservice.cli import holder as shared
from idservice.cli import verify as checking
from idservice.clock import SystemClock
from idservice.period import Period
from idservice.storage import wallet as storage
from idservice.verification import dcql, openid4vp_answer
from tests.fakes import holders, served
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT
from tests.fakes.shell import CHEAP, Shell

BBS = catalogue.BBS_CONFIGURATION


@pytest.fixture(scope="module")
def wire():
    with served.city(now=SystemClock().now()) as wire:
        wire.city = holders.taking_bbs(wire.city)
        yield wire


@pytest.fixture
def shell(wire, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "REFUSAL_PAUSE", 0.0)
    monkeypatch.setattr(storage, "Cost", lambda: CHEAP)
    wire.sent.clear()
    wire.answers.clear()
    wire.issuing, wire.bbs_issuing = fake_wire.honest, fake_wire.honest_bbs
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(wire.city.bundle)
    return Shell(wire=wire, folder=tmp_path / "wallet", bundle=bundle)


@pytest.fixture
def card(shell):
    result = shell.receive(configuration=BBS)
    assert result.exit_code == 0, result.output
    shell.wire.sent.clear()
    return shell


def asked(card, name="library"):
    policy = card.wire.city.verifiers[name].policy
    query = dcql.for_facts(
        vct=policy.vct,
        required=policy.required,
        optional=policy.optional,
        credential_format=catalogue.BBS_FORMAT,
    )
    return card.asked(name, query=query)[1]


def shown(card):
    answer = openid4vp_answer.parse_answer(fake_wire.form(card.posted()[-1]))
    return jwp.parse(openid4vp_answer.presentation_in(answer))


def test_receive_says_what_was_received(shell):
    result = shell.receive(configuration=BBS)
    assert result.exit_code == 0
    assert "jwp+bbs" in result.stdout
    assert "can be shown any number of times" in " ".join(result.stdout.split())
    for value in ("Ada", "Okonkwo", fake_wire.CODE):
        assert value not in result.output


def test_tagging_issuer_is_refused_in_one_sentence(shell):
    shell.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        RESIDENT, commitment, header=city.announced_bbs.header.replace(b":", b": ", 1)
    )
    result = shell.receive(configuration=BBS)
    assert result.exit_code == 1
    assert "could mark you" in result.output
    assert result.stdout == ""


def test_both_kinds_are_listed_shown_and_forgotten_apart(card):
    assert card.receive().exit_code == 0
    _, told = card.answer("list")
    assert [(one["format"], one["unshown"]) for one in told["cards"]] == [
        ("jwp+bbs", None),
        ("dc+sd-jwt", 19),
    ]
    for kind in catalogue.FORMATS:
        code, said = card.answer("show", "--format", kind)
        assert (code, said["format"]) == (0, kind)
        assert said["claims"]["address.street_address"] == "Quay 7"
    assert card.run("show", "--format", "mso_mdoc").exit_code == 2
    number = str(told["cards"][0]["period"])
    assert card.run("forget", "--period", number, "--format", "jwp+bbs", "--yes").exit_code == 0
    assert [one["format"] for one in card.answer("list")[1]["cards"]] == ["dc+sd-jwt"]
    assert card.run("forget", "--all", "--format", "jwp+bbs", "--yes").exit_code == 2


def test_present_as_often_as_one_likes(card):
    link = asked(card)
    for _ in range(3):
        code, told = card.answer("present", link, "--yes")
        assert (code, told["claims"], told["pseudonym"]) == (0, ["resident"], False)
    assert shown(card).pseudonym is None


def test_consent_screen_says_what_nobody_can_tie(card):
    result = card.run("present", asked(card), given="n\nn\ny\n")
    assert result.exit_code == 0, result.output
    screen = " ".join(result.stdout.split())
    assert "can be shown any number of times; nobody can tie two showings together" in screen
    assert "[ ] a name to be recognised by" in screen
    assert shown(card).pseudonym is None


@pytest.mark.parametrize("given", ["n\n\ny\n", "y\nn\ny\n", "n\nn\ny\n"])
def test_no_name_without_a_yes_to_it(card, given):
    assert card.run("present", asked(card), given=given).exit_code == 0
    assert shown(card).pseudonym is None


def test_name_by_a_yes_of_its_own(card):
    assert card.run("present", asked(card), given="n\ny\ny\n").exit_code == 0
    first = shown(card).pseudonym
    code, told = card.answer("present", asked(card), "--yes", "--pseudonym", "--receipts", "on")
    assert (code, told["pseudonym"]) == (0, True)
    assert shown(card).pseudonym == first is not None
    (receipt,) = card.answer("list")[1]["receipts"]
    assert receipt["pseudonym"] is True
    assert "a name to be recognised by" in card.run("list").stdout


def test_no_to_showing_is_a_no_to_the_name_too(card):
    result = card.run("present", asked(card), given="y\ny\nn\n")
    assert result.exit_code == 1
    assert fake_wire.form(card.posted()[-1])["error"] == "access_denied"


def test_policy_without_a_label_is_misuse(card):
    link = asked(card, "bar")
    result = card.run("present", link, "--yes", "--pseudonym")
    assert result.exit_code == 2
    assert "knows no pseudonym" in result.output
    assert card.posted() == []


def test_machine_without_the_curve_library_is_one_sentence(card, monkeypatch):
    link = asked(card)
    monkeypatch.setattr("crypto.bls.curve._BLST", None)
    result = card.run("present", link, "--yes")
    assert result.exit_code == 2
    assert "constant-time" in result.output
    assert card.posted() == []
    assert card.run("show").exit_code == 0


def test_renew_gets_every_kind_that_is_due(card):
    card.receive()
    begin = period.not_before(Period(card.wire.city.period + 1))
    following = card.wire.city.period + 1
    card.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        RESIDENT,
        commitment,
        announced=city.trust.find_bbs(configuration=BBS, period=Period(following)),
    )
    card.wire.issuing = lambda city, place, key: city.issue(
        RESIDENT, key, place, announced=fake_wire.announced_for(city, 1)
    )
    offset = str(begin - card.wire.city.now - period.DAY)
    code, told = card.answer("renew", "--clock-offset", offset)
    assert code == 0
    assert [(one["format"], one["period"]) for one in told["cards"]] == [
        ("dc+sd-jwt", following),
        ("jwp+bbs", following),
    ]
    again = card.run("renew", "--clock-offset", offset)
    assert again.exit_code == 1
    assert "can be renewed from" in again.output


# handed over, without a request


def hand_over(card, *arguments, policy="library-card", given="", nonce="a-nonce"):
    client_id = card.wire.city.verifiers["library"].hash_client_id
    return card.run(
        "hand-over", policy, "--client-id", client_id, "--nonce", nonce, *arguments, given=given
    )


def checked(card, presentation, tmp_path, nonce="a-nonce"):
    city = card.wire.city
    file = tmp_path / "presentation"
    file.write_text(presentation)
    arguments = {
        "--bundle": str(card.bundle),
        "--root": city.trust.root_fingerprint.hex(),
        "--policy": "library-card",
        "--audience": city.verifiers["library"].hash_client_id,
        "--nonce": nonce,
    }
    options = [part for pair in arguments.items() for part in pair]
    result = CliRunner().invoke(command(), [str(file), *options, "--json"])
    return result.exit_code, json.loads(result.stdout)


def command():
    root = checking.typer.Typer()
    checking.register(root)
    return root


@pytest.mark.parametrize("kinds", [(BBS,), (BBS, catalogue.CONFIGURATION)])
def test_card_that_lasts_is_preferred_and_verifies_offline(shell, kinds, tmp_path):
    for kind in kinds:
        shell.receive(configuration=kind)
    sent = len(shell.wire.sent)
    result = hand_over(shell, "--yes", "--share", "given_name")
    assert result.exit_code == 0, result.output
    assert "Exampleton Library" in result.stderr
    presentation = result.stdout.strip()
    assert presentation.count(".") == 3
    assert len(shell.wire.sent) == sent
    code, told = checked(shell, presentation, tmp_path)
    assert (code, told["facts"]) == (0, {"resident": True, "given_name": "Ada"})
    assert checked(shell, presentation, tmp_path, nonce="another")[0] == 1


def test_other_kind_is_handed_over_too(shell):
    shell.receive()
    result = hand_over(shell, "--json", "--yes")
    told = json.loads(result.stdout)
    assert told["presentation"].count("~") == 2
    assert shell.answer("list")[1]["cards"][0]["unshown"] == 18


def test_asked_before_handing_over(card):
    result = hand_over(card, given="n\nn\ny\n")
    assert result.exit_code == 0
    assert hand_over(card, given="n\nn\nn\n").exit_code == 1
    assert hand_over(card, "--json").exit_code == 2


def test_policy_of_somebody_else_or_of_nobody_is_refused(card):
    assert "borrowed its name" in hand_over(card, "--yes", policy="bank-account").output
    assert hand_over(card, "--yes", policy="unknown").exit_code == 1
    assert hand_over(card, "--yes", nonce="with a blank").exit_code == 1
