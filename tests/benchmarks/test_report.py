"""The benchmark page and its chart say what `results/latest.json` says, and nothing else."""

import json
from typing import Any

import pytest

from benchmarks import chart, figures, report


@pytest.fixture
def run() -> dict[str, Any]:
    return report.read()


def test_page_and_chart_are_generated_from_the_results(run: dict[str, Any]) -> None:
    told = "run `python -m benchmarks.report`"
    assert report.README.read_text("utf-8") == report.readme(run), told
    assert report.CHART.read_text("utf-8") == chart.sd_jwt(run), told
    assert report.BBS_CHART.read_text("utf-8") == chart.bbs(run), told


def test_every_figure_is_one_number_or_null_with_a_reason(run: dict[str, Any]) -> None:
    for figure in figures.FIGURES:
        value = run[figure.id]
        if value is None:
            assert len(run["about"]["reasons"][figure.id]) > 10
        else:
            spread = run["about"]["spread"][figure.id]
            assert 0 < spread["low"] <= value <= spread["high"]
    assert run.keys() == {figure.id for figure in figures.FIGURES} | {"about"}


def test_results_name_machine_versions_and_sizes_but_no_host_and_no_commit(
    run: dict[str, Any],
) -> None:
    about = run["about"]
    assert about["machine"]["processor"]
    assert about["machine"]["cores"] >= 1
    assert about["versions"]["Python"].startswith("3.")
    assert about["material"]["presentations"] == 256
    text = json.dumps(run)
    assert "commit" not in text
    assert 'node":' not in text
    assert "hostname" not in text


def test_a_missed_bar_is_called_missed_and_a_missing_figure_is_explained(
    run: dict[str, Any],
) -> None:
    name = "http.single_over_inprocess"
    run["about"]["reasons"][name] = "there are no two cores for server and load"
    page = report.readme({**run, name: None, "sdjwt.verify_over_raw2": 9.0})
    assert "was not measured: there are no two cores" in page
    assert "9.00" in page
    assert "**missed**" in page


def test_the_sides_of_a_bar() -> None:
    most = next(each for each in figures.FIGURES if each.id == "sdjwt.verify_over_raw2")
    least = next(each for each in figures.FIGURES if each.id == "http.single_over_inprocess")
    free = next(each for each in figures.FIGURES if each.bar is None)
    assert most.reached(1.40)
    assert not most.reached(1.41)
    assert least.reached(0.55)
    assert not least.reached(0.54)
    assert free.reached(1000)


def test_every_peer_says_what_it_leaves_out(run: dict[str, Any]) -> None:
    page = report.readme(run)
    for peer in figures.PEERS:
        assert peer.omits in page
