"""The public face: escaped, loading nothing, the same in pages, JSON and feed."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import get_args
from xml.etree import ElementTree as ET

import pytest

from crypto.encoding import canonical_json
from idservice import catalogue, labels
from idservice.complaints.over_asking import Kind
from idservice.governance import pages, plain_words
from idservice.governance.model import Receipt, Stage
from idservice.governance.pages import Pages
from idservice.governance.view import Face
from idservice.register.change import Change
from idservice.register.charter import SeatClass
from tests.fakes import faces

FACE = faces.make()
EMPTY = faces.make(asking=(), others=(), courses=(), events=(), complaints=(), demonstration=False)
RECEIPT = Receipt(number=17, digest="ab" * 32, salt="cd" * 32)
WRITTEN = Pages(base_url="https://register.example")
EVERY: dict[str, Callable[[Face], str]] = {
    "in_force": WRITTEN.in_force,
    "proposals": WRITTEN.proposals,
    "proposal": lambda face: WRITTEN.proposal(face, FACE.courses[0], before=None),
    "enacted": lambda face: WRITTEN.proposal(face, FACE.courses[1], before=None),
    "commented": lambda face: WRITTEN.commented(face, FACE.courses[0], RECEIPT),
    "complaints": WRITTEN.complaints,
    "charter": WRITTEN.charter,
    "history": lambda face: WRITTEN.history(face, before=None),
}
OWN = re.compile(
    r"/|/(?:style\.css|feed\.atom|proposals|complaints|history|charter|v1/register)"
    r"|/history\?before=\d+|/history#entry-\d+|/v1/entries/\d+"
    r"|/proposals/\d+(?:/comments|\?before=\d+)?(?:#comment-\d+)?|#main"
)


class Reader(HTMLParser):
    """Collects what a browser would act on, and checks that elements nest."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in {"href", "src", "action"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("face", [FACE, EMPTY], ids=["full", "empty"])
def test_a_page_loads_nothing_and_runs_nothing(name: str, face: Face) -> None:
    found = read(EVERY[name](face))
    assert not found.tags & {"script", "style", "img", "iframe", "object", "embed", "base", "font"}
    assert not [each for each in found.attributes if each == "style" or each.startswith("on")]
    assert [each for each in found.addresses if not OWN.fullmatch(each)] == []
    assert len(set(found.ids)) == len(found.ids)


def test_what_people_write_is_shown_and_never_acted_on() -> None:
    page = EVERY["proposal"](FACE)
    assert "<script" not in page
    assert "&lt;script src=//evil.example/x.js&gt;" in page
    assert "{{7*7}}" in page
    assert "The text was erased: personal data." in page


def test_a_page_has_a_language_a_title_a_main_part_and_a_way_past_the_navigation() -> None:
    for write in EVERY.values():
        page = write(FACE)
        assert '<html lang="en">' in page
        assert re.search(r"<title>[^<]+ · Register of Exampleton</title>", page)
        assert page.count("<h1>") == 1
        assert 'href="#main"' in page
    assert '<label for="text">' in EVERY["proposal"](FACE)


def test_only_an_open_proposal_takes_comments() -> None:
    assert "<form" in EVERY["proposal"](FACE)
    assert "<form" not in EVERY["enacted"](FACE)


def test_a_demonstration_and_a_sandbox_say_so_on_every_page() -> None:
    for write in EVERY.values():
        assert "A demonstration." in write(FACE)
        assert "A demonstration." not in write(EMPTY)
        assert "A sandbox" in write(faces.make(sandbox=True))


def test_the_policy_of_every_page_forbids_everything_but_its_own_style() -> None:
    said = dict(each.strip().split(" ", 1) for each in pages.POLICY.split(";"))
    assert said["default-src"] == "'none'"
    assert "script-src" not in said
    assert {said[name] for name in ("style-src", "form-action")} == {"'self'"}
    style = pages.style().decode()
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme:dark" in style


def test_the_history_goes_back_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ON_ONE_PAGE", 10)
    first = WRITTEN.history(FACE, before=None)
    assert "/history?before=5" in first
    second = WRITTEN.history(FACE, before=5)
    assert "entry-4" in second
    assert "entry-5" not in second
    assert "?before=" not in second


def test_a_proposal_with_many_comments_goes_back_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "ON_ONE_PAGE", 4)
    course = FACE.courses[0]
    assert "/proposals/11?before=7" in WRITTEN.proposal(FACE, course, before=None)
    newest = pages.course_json(course, before=None)
    assert [each["number"] for each in newest["comments"]] == [7, 8]  # type: ignore[index,union-attr,call-overload]  # JSON
    assert newest["older"] == 7
    older = pages.course_json(course, before=7)
    assert [each["number"] for each in older["comments"]] == [5, 6]  # type: ignore[index,union-attr,call-overload]  # JSON
    assert older["older"] is None
    assert read(WRITTEN.proposal(FACE, course, before=5)).open == []


def test_the_feed_is_xml_and_holds_what_witnesses_have_seen() -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ET.fromstring(WRITTEN.feed(FACE))  # noqa: S314, our own text
    entries = feed.findall(f"{atom}entry")
    assert len(entries) == 12
    for each in [feed, *entries]:
        assert all(each.find(f"{atom}{name}") is not None for name in ("id", "title", "updated"))
    assert len({each.findtext(f"{atom}id") for each in entries}) == 12
    empty = ET.fromstring(WRITTEN.feed(EMPTY))  # noqa: S314, our own text
    assert empty.findtext(f"{atom}updated") == "1970-01-01T00:00:00Z"


def test_what_is_shown_is_also_json() -> None:
    for value in (
        pages.register_json(FACE),
        pages.course_json(FACE.courses[0], before=None),
        pages.course_line(FACE.courses[0]),
        pages.event_json(FACE.events[0]),
        pages.complaint_json(FACE.complaints[0]),
    ):
        canonical_json.serialize(value)
    assert pages.course_json(FACE.courses[0], before=None)["open"] is True


def test_there_are_words_for_everything_that_can_be_shown() -> None:
    kinds = set(get_args(Change))
    assert kinds == set(plain_words._TITLES) == set(plain_words._ROWS)
    assert set(pages.STAGES) == set(Stage)
    assert set(plain_words.CLASSES) == set(SeatClass)
    assert set(labels.CLAIMS) == set(catalogue.CLAIMS)
    assert set(labels.BARRED) == set(catalogue.BARRED_PURPOSES)
    assert set(labels.PURPOSES) == set(catalogue.Purpose)
    assert all(pages.excess_words(kind.value) for kind in Kind)
    assert pages.excess_words("facts: birth_date").endswith("birth_date")
