"""`idservice register drill`: what it plays, and that the city's folder stays as it is."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from idservice.apps.drills import repertoire
from idservice.apps.drills.rehearsal import Rehearsal
from idservice.apps.drills.repertoire import Drill
from idservice.cli import main


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drills") / "city"
    options = ("--name", "Exampleton", "--issuer", "http://127.0.0.1:8080")
    answer = CliRunner().invoke(main.app, ["init", "city", str(folder), *options])
    assert answer.exit_code == 0, answer.output
    (folder / "issuer" / "lasting.db").write_bytes(b"what is kept of residents")
    return folder


def files(folder: Path) -> Mapping[str, bytes]:
    found = {path for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, ["register", "drill", *map(str, arguments)])


@pytest.mark.parametrize("which", list(Drill))
def test_everything_holds_in_every_drill(city: Path, which: Drill) -> None:
    before = files(city)
    answer = run(which.value, city)
    assert answer.exit_code == 0, answer.output
    assert "Everything holds" in answer.output
    assert "NO" not in answer.output
    assert files(city) == before
    assert not list(Path(tempfile.gettempdir()).glob("idservice-drill-*/city"))


def test_what_does_not_hold_is_a_no(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(drill: Rehearsal) -> None:
        drill.must("The sky stays up.", holds=False)
        (drill.folder / "log" / "log.key").unlink()
        drill.publish()

    monkeypatch.setitem(repertoire._PLAYS, Drill.ROTATION, lost)  # type: ignore[arg-type]  # typed as read-only
    answer = run("rotation", city, "--json")
    assert answer.exit_code == 1
    told = json.loads(answer.output)
    assert told["holds"] is False
    assert [step["said"] for step in told["steps"]] == [
        "The sky stays up.",
        "The drill goes on: log.key cannot be read.",
    ]


def test_rows_of_residents_are_not_copied(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def look(drill: Rehearsal) -> None:
        seen.extend(files(drill.folder))
        assert (drill.folder.parent.stat().st_mode & 0o777) == 0o700

    monkeypatch.setitem(repertoire._PLAYS, Drill.SUNSET, look)  # type: ignore[arg-type]  # typed as read-only
    assert run("sunset", city).exit_code == 0
    assert "log/lasting.db" in seen
    assert "root/root.key" in seen
    assert "issuer/lasting.db" not in seen


def test_a_city_whose_board_is_elsewhere_is_misuse(city: Path, tmp_path: Path) -> None:
    shutil.copytree(city, tmp_path / "real")
    shutil.rmtree(tmp_path / "real" / "board")
    answer = run("sunset", tmp_path / "real")
    assert answer.exit_code == 2
    assert "use a demonstration" in answer.output
    assert run("sunset", tmp_path / "nowhere").exit_code == 2
