"""`idservice wallet complain`: a file with proof, or nothing; the verifier learns of neither."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crypto.encoding import canonical_json
from idservice import clock
from idservice.cli import holder, register
from idservice.cli import main as command
from idservice.storage import wallet as storage
from tests.fakes import over_asking as requests
from tests.fakes import served
from tests.fakes import wire as fake_wire
from tests.fakes.shell import CHEAP, PASSPHRASE, Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "Cost", lambda: CHEAP)
    with served.city(now=clock.SystemClock().now()) as wire:
        bundle = tmp_path / "bundle.json"
        bundle.write_bytes(wire.city.bundle)
        shell = Shell(wire=wire, folder=tmp_path / "wallet", bundle=bundle)
        assert shell.receive().exit_code == 0
        wire.sent.clear()
        yield shell


def complain(shell: Shell, *arguments: str, given: str = ""):
    told = ["wallet", "complain", "--folder", str(shell.folder), *arguments]
    return CliRunner().invoke(command.app, told, input=given, env={holder.PASSPHRASE: PASSPHRASE})


def asking(shell: Shell, *facts: str, sign=None) -> str:
    """Serve a request of the library and return its link."""
    library = shell.wire.city.verifiers["library"]
    address = f"{shell.wire.city.issuer}/requests/1"
    text = (sign or requests.asking)(library, *facts)
    shell.wire.make_request[address] = lambda _nonce: text
    invitation = fake_wire.Invitation(
        client_id=library.hash_client_id, request_uri=address, post=True
    )
    return fake_wire.openid4vp.write_invitation(invitation)


def test_a_request_that_asks_too_much_is_written_down(shell, tmp_path) -> None:
    out = tmp_path / "complaint.json"
    link = asking(shell, "resident", "birth_date")
    done = complain(shell, link, "--out", str(out), given="y\n")
    assert done.exit_code == 0, done.output
    assert "which visit it came from" in done.stderr
    assert set(canonical_json.parse_object(out.read_bytes())) == {"type", "request", "policy"}
    told = ["complaint", "verify", str(out), "--bundle", str(shell.bundle)]
    proved = CliRunner().invoke(register.app, told)
    assert (proved.exit_code, "birth_date" in proved.stdout) == (0, True)
    assert [each.method for each in shell.wire.sent if "answers" in each.url] == []
    again = complain(shell, link, "--out", str(out), "--yes")
    assert again.exit_code == 2


@pytest.mark.parametrize("facts", [("resident",), ("resident", "given_name")])
def test_what_proves_nothing_is_not_written(shell, tmp_path, facts) -> None:
    out = tmp_path / "complaint.json"

    def sign(library, *_facts):
        return requests.asking(library, *facts, options=(("resident",),))

    done = complain(shell, asking(shell, sign=sign), "--out", str(out), "--yes")
    assert done.exit_code == 1
    assert "keeps within its policy" in done.stderr
    assert not out.exists()


def test_a_no_writes_nothing(shell, tmp_path) -> None:
    out = tmp_path / "complaint.json"
    link = asking(shell, "birth_date")
    assert complain(shell, link, "--out", str(out), given="n\n").exit_code == 1
    assert complain(shell, link, "--out", str(out), "--no").exit_code == 1
    assert not out.exists()


def test_a_stranger_is_no_verifier_to_complain_about(shell, tmp_path) -> None:
    def sign(library, *_facts):
        token = requests.asking(library, "birth_date")
        return token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")

    done = complain(shell, asking(shell, sign=sign), "--out", str(tmp_path / "x"), "--yes")
    assert done.exit_code == 1


def test_the_command_stands_below_wallet() -> None:
    shown = CliRunner().invoke(command.app, ["wallet", "complain", "--help"])
    assert isinstance(command.app, typer.Typer)
    assert "--out" in shown.stdout
