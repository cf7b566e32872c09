"""`idservice audit counts` shows quarters and hides numbers below ten."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idservice.cli import audit
from tests.fakes import engines
from tests.fakes import issuer_office as offices

COMMAND = CliRunner()


@pytest.mark.threat("T49")
def test_counts_are_shown_by_quarter_and_from_ten_on(tmp_path: Path) -> None:
    asked = ["counts", "--folder", str(tmp_path)]
    with engines.sqlite_databases(tmp_path) as made:
        assert "Nothing was issued yet." in COMMAND.invoke(audit.app, asked).output
        office = offices.make(pending=made.pending, lasting=made.lasting)
        for number in range(10):
            resident, enrolment = office.enrol({"resident": True})
            resident.take(enrolment, count=1, label=f"person {number}")
            if number in {8, 9}:
                said = json.loads(COMMAND.invoke(audit.app, [*asked, "--json"]).output)
                (row,) = said["counts"]
                assert row["issued"] == (None if number == 8 else 10)
                assert row["renewed"] is row["withdrawn"] is None
        shown = COMMAND.invoke(audit.app, asked)
    assert shown.exit_code == 0
    assert shown.output.splitlines()[1].split()[2:] == ["10", *["below", "10"] * 2]


def test_absent_database_is_misuse(tmp_path: Path) -> None:
    said = COMMAND.invoke(audit.app, ["counts", "--folder", str(tmp_path / "nowhere")])
    assert said.exit_code == 2
    assert "No issuer's database" in said.output
    assert str(tmp_path) not in said.output
