"""The whole game in a town: what is linked, what is not, what is planted, what is written down."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from crypto.encoding import canonical_json
from idservice import catalogue, period
from idservice.linkability import course, game, meetings, plots, report
from idservice.linkability.city import formats, offices, population
from idservice.linkability.city.simulation import Seen
from idservice.linkability.course import Result, Wish
from idservice.linkability.game import Adversary, Row
from idservice.linkability.statistics import Interval
from idservice.linkability.traces import Traces

SMALL = Wish(residents=96, town=24, seed=1)


class Silent:
    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        self.begun[what], self.done[what] = total, 0

        def step(steps: int) -> None:
            self.done[what] += steps

        return step


@pytest.fixture(scope="module")
def progress() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def played(progress: Silent) -> Mapping[str, Result]:
    return {name: course.run(replace(SMALL, formats=(name,)), progress) for name in SMALL.formats}


def check_guessing(row: Row) -> None:
    """Hold a row to the bars, as far as so few people allow."""
    assert row.area.value == pytest.approx(0.5, abs=0.1)
    assert row.difference.low <= 0 <= row.difference.high
    assert row.unlinkable["matching"]


@pytest.mark.attack("PRIV-003")
def test_verifiers_and_a_seized_issuer_link_no_sd_jwt(played: Mapping[str, Result]) -> None:
    rows = played[catalogue.FORMAT].city
    assert len(rows) == 4
    for row in rows:
        if row.adversary is not Adversary.RECORDING:
            check_guessing(row)


@pytest.mark.attack("PRIV-002")
@pytest.mark.attack("PRIV-003")
def test_nobody_links_bbs(played: Mapping[str, Result]) -> None:
    rows = played[catalogue.BBS_FORMAT].city
    assert {row.adversary for row in rows} == set(Adversary)
    for row in rows:
        check_guessing(row)


@pytest.mark.attack("PRIV-002")
def test_an_issuer_that_recorded_links_every_sd_jwt(played: Mapping[str, Result]) -> None:
    rows = [row for row in played[catalogue.FORMAT].city if row.adversary is Adversary.RECORDING]
    assert [row.links for row in rows] == [game.TWO_SHOWINGS, game.ISSUANCE]
    for row in rows:
        assert row.area.value >= game.LINKED
        assert row.matching.right == row.matching.of
        assert not any(row.unlinkable.values())


@pytest.mark.usefixtures("played")
def test_progress_comes_to_its_end(progress: Silent) -> None:
    assert progress.begun
    assert progress.begun == progress.done


def test_what_is_written_is_json_markdown_and_two_plots(played: Mapping[str, Result]) -> None:
    result = played[catalogue.FORMAT]
    written = report.to_json(result, seconds=1.5)
    assert json.loads(canonical_json.serialize(written)) == json.loads(json.dumps(written))
    assert written["holds"] is result.holds
    text = report.markdown(result, seconds=1.5)
    assert report.SAYS in text
    assert all(bar.what in text for bar in result.bars)
    for drawing in (plots.differences(result.city), plots.curves(result.city)):
        drawn = ET.fromstring(drawing)  # noqa: S314, our own
        assert drawn.tag.endswith("svg")
        assert "prefers-color-scheme" in drawing


def test_a_bar_fails_when_its_figure_does(played: Mapping[str, Result]) -> None:
    row = played[catalogue.FORMAT].city[0]
    assert set(row.unlinkable) == {"area", "difference", "true_positives", "matching"}
    linked = replace(row, area=Interval(value=0.6, low=0.5, high=0.7))
    assert not linked.unlinkable["area"]
    apart = replace(row, difference=Interval(value=0.0, low=-0.03, high=0.03))
    assert not apart.unlinkable["difference"]
    found = replace(row, true_positives=0.0031)
    assert not found.unlinkable["true_positives"]
    matched = replace(row, matching=replace(row.matching, right=row.matching.of))
    assert not matched.unlinkable["matching"]


def sent(lengths: np.ndarray, chance: np.random.Generator) -> Traces:
    """Make proofs of given lengths; longer ones end in the same octets for nobody."""
    octets = chance.integers(0, 256, (len(lengths), int(lengths.max())), dtype=np.uint8)
    octets[np.arange(octets.shape[1])[None, :] >= lengths[:, None]] = 0
    return Traces(
        count=len(lengths),
        octets={"3/0": octets},
        lengths={"3/0": lengths},
        numbers={"length": lengths.astype(float)},
        digests=np.zeros((len(lengths), 0), dtype=np.uint64),
    )


def test_a_length_that_follows_a_person_fails_a_bar_though_the_ideal_world_has_it_too() -> None:
    many, chance = 400, np.random.default_rng(1)
    people = population.make(many, today=period.day(offices.NOW), seed=1)
    nothing = meetings.keep([[]], stride=meetings.WINDOW)
    for spread, plain in ((1, True), (4, False)):
        lengths = 300 + chance.integers(0, spread, many)
        seen = Seen(
            first=sent(lengths, chance),
            second=sent(lengths, chance),
            issued=sent(np.full(many, 500), chance),
            recorded=nothing,
            store=nothing,
            allocated=b"",
            statuses=b"",
        )
        row = game.play(seen, people, formats.BBS, seed=1, progress=lambda _: None)[0]
        assert row.difference.low <= 0 <= row.difference.high
        assert row.area.reaches(game.BOUND, of=game.GUESSING) is plain


@pytest.mark.parametrize(
    "change",
    [
        {"residents": 10},
        {"town": 501},
        {"seed": -1},
        {"formats": ("mso_mdoc",)},
        {"formats": ()},
    ],
)
def test_what_cannot_be_played_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the game"):
        replace(SMALL, **change)


@pytest.mark.long
def test_both_formats_side_by_side() -> None:
    """The whole game, with so few that AUC and rates are not near enough to what they estimate."""
    result = course.run(Wish(residents=1_500, town=60), Silent())
    failed = {bar.what.rpartition(": ")[2] for bar in result.bars if not bar.holds}
    assert failed <= {"AUC", "difference of AUC", "TPR at 0.1 % FPR"}
    for row in (*result.city, *result.town):
        linked = row.adversary in course.LINKED_BY[row.format]
        assert row.area.reaches(game.BOUND, of=game.GUESSING) is not linked
        assert row.difference.reaches(game.BOUND, of=0) is not linked
