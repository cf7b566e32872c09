"""T35: printing writes the card and nothing else."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crypto.encoding import canonical_json
from idservice.cli import enrol
from tests.fakes import portraits, seizure

COMMAND = CliRunner()


@pytest.mark.threat("T35")
def test_printing_leaves_the_card_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    enrol.register(app)
    for name in ("home", "tmp", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.chdir(tmp_path / "work")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(portraits.jpeg(canary=True))
    before = set(tmp_path.rglob("*"))
    result = COMMAND.invoke(
        app,
        ["--print", "-", "--photo", str(photo), "--out", "card.pdf"],
        input=canonical_json.serialize(seizure.record(1)).decode(),
    )
    assert result.exit_code == 0, result.output
    card = tmp_path / "work" / "card.pdf"
    assert set(tmp_path.rglob("*")) - before == {card}
    assert portraits.CANARY not in card.read_bytes()
    assert "Quillfeather001" not in result.output
