"""A command answers the same, however its process begins; what serves is stopped, or killed."""

import json
import signal
from datetime import date
from pathlib import Path

import pytest

from idservice.demonstration import cast
from idservice.demonstration.processes import Forked, Fresh, Processes
from idservice.demonstration.stage import Stage, Stuck
from tests.fakes import register_folder


@pytest.fixture(params=["fresh", "forked"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    processes: Processes = Fresh({}) if request.param == "fresh" else Forked()
    return Stage(folder=tmp_path, processes=processes)


def test_a_command_reads_and_answers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDSERVICE_FOLDER", "nobody inherits this")
    record = cast.residents(date(2026, 1, 1))["Amina"]
    card = stage.folder / "card.pdf"
    ended = stage.run(
        "enrol", "--print", "-", "--city", "Exampleville", "--out", str(card),
        given=json.dumps(record),
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    assert "Nothing but the PDF was written" in ended.out
    assert card.read_bytes().startswith(b"%PDF")


def test_a_refusal_keeps_its_code_and_its_sentence(stage: Stage) -> None:
    for given, code in (("{}", 1), ("[]", 2)):
        card = str(stage.folder / "card.pdf")
        ended = stage.run("enrol", "--print", "-", "--out", card, given=given)
        assert (ended.code, ended.out) == (code, "")
        assert ended.err
        with pytest.raises(Stuck, match="enrol failed"):
            stage.command("enrol", "--print", "-", given=given)


def test_what_serves_is_stopped_or_killed_and_starts_again(stage: Stage) -> None:
    folder = register_folder.make(stage.folder / "register").path
    stage.reserve("register")
    running = stage._offices["register"]
    for end, code in ((stage.kill, -signal.SIGKILL), (stage.stop, 0)):
        stage.start("register", "register", folder)
        stage.ready("register")
        end("register")
        assert running.process is not None
        assert running.process.poll() == code
    assert stage.log("register") == ""
    stage.close()


def test_what_cannot_serve_says_why(stage: Stage) -> None:
    stage.reserve("issuer")
    stage.start("issuer", "issuer", stage.folder)
    with pytest.raises(Stuck, match="Not started"):
        stage.ready("issuer")
    stage.close()
