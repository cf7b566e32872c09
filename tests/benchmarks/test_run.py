"""A run is summed up as one number a figure, and says of the machine what may be said."""

from typing import Any

from benchmarks import figures, machine, record, run

RATIO = {"median": 1.0625, "low": 1.01, "high": 1.2, "rounds": 31}
FIRST: dict[str, Any] = {
    record.FIGURES: {"bbs.verify_over_floor": RATIO, "bbs.of_no_interest": RATIO},
    record.TIMES: {"verify": 1.3},
    record.TABLES: {"bbs_ms": {"base 10/3": {"verify_proof": 1.2}}},
    "raw2_us": 190.04,
    "octets": 2601,
}
SECOND: dict[str, Any] = {
    record.REASONS: {"http.single_over_inprocess": "there are no two cores for server and load"},
    record.TABLES: {"bbs_ms": {"base 30/3": {"verify_proof": 1.5}}},
}


def test_each_figure_is_one_number_or_has_a_reason() -> None:
    found = run.summary([FIRST, SECOND], load=0.5)
    about = found["about"]
    assert found.keys() == {each.id for each in figures.FIGURES} | {"about"}
    assert found["bbs.verify_over_floor"] == 1.062
    assert about["spread"].keys() == {"bbs.verify_over_floor"}
    assert about["reasons"]["http.single_over_inprocess"].startswith("there are no two cores")
    missing = {name for name, value in found.items() if value is None}
    assert missing == about["reasons"].keys()


def test_rows_of_one_table_come_from_several_benchmarks() -> None:
    tables = run.summary([FIRST, SECOND], load=0.5)["about"]["tables"]
    assert tables == {
        "bbs_ms": {"base 10/3": {"verify_proof": 1.2}, "base 30/3": {"verify_proof": 1.5}}
    }


def test_interpreter_and_curve_library_are_named_without_any_path() -> None:
    versions = machine.versions()
    assert versions["curve backend"]
    assert versions["ckzg"]
    assert "configured" in versions["built"]
    assert "/" not in machine.build()
