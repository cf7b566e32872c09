"""The public face written out: pages without scripts, JSON, and an Atom feed (RFC 4287).

DESIGN section 7. All are made from one `view.Face`, so they say the same. A page loads one style
sheet from here and nothing from anywhere else; every value is escaped by the template engine.
What is shown is decided in `courses.py`, what is served where in `web.py`.
"""

from dataclasses import asdict, replace
from datetime import datetime
from importlib import resources
from typing import Final

import jinja2

from crypto.encoding.canonical_json import JsonObject
from idservice.complaints import over_asking
from idservice.complaints.over_asking import Kind
from idservice.governance import plain_words
from idservice.governance.model import LONGEST_COMMENT, Receipt, Stage
from idservice.governance.view import Complaint, Course, Event, Face

POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page: no script, no picture, no font, no frame."""

STAGES: Final = {
    Stage.WAITING: "waits for witnesses",
    Stage.IN_NOTICE: "open to objections",
    Stage.VOTING: "open to votes",
    Stage.ENACTED: "enacted",
    Stage.WITHDRAWN: "withdrawn",
    Stage.EXPIRED: "run out",
}

ON_ONE_PAGE: Final = 200
"""Entries of the history, or of one proposal."""
IN_THE_FEED: Final = 50

_PACKAGE: Final = "idservice.governance"
_NEVER: Final = "1970-01-01T00:00:00Z"
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader(_PACKAGE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(stages=STAGES, barred=plain_words.BARRED, longest=LONGEST_COMMENT)


class Pages:
    """The face of one register at its own address."""

    def __init__(self, *, base_url: str) -> None:
        self._base_url = base_url

    def in_force(self, face: Face) -> str:
        """Write the first page."""
        return self._page("in_force.html", face, here="/")

    def proposals(self, face: Face) -> str:
        """Write the list of proposals."""
        return self._page("proposals.html", face, here="/proposals")

    def proposal(self, face: Face, course: Course, *, before: int | None) -> str:
        """Write one proposal's page, with its newest comments or those before a number."""
        shown, older = _window(course, before=before)
        return self._page("proposal.html", face, here="/proposals", course=shown, older=older)

    def commented(self, face: Face, course: Course, receipt: Receipt) -> str:
        """Write what somebody gets who commented."""
        return self._page("commented.html", face, here="/proposals", course=course, receipt=receipt)

    def complaints(self, face: Face) -> str:
        """Write the page of complaints."""
        return self._page("complaints.html", face, here="/complaints")

    def charter(self, face: Face) -> str:
        """Write the charter's page."""
        return self._page("charter.html", face, here="/charter")

    def history(self, face: Face, *, before: int | None) -> str:
        """Write a page of the history: the newest entries, or those before a number."""
        events = [each for each in face.events if before is None or each.number < before]
        shown = events[:ON_ONE_PAGE]
        older = shown[-1].number if len(events) > len(shown) else None
        return self._page("history.html", face, here="/history", events=shown, older=older)

    def feed(self, face: Face) -> str:
        """Write the feed: what witnesses have seen, so that each entry has a time."""
        events = [each for each in face.events if each.witnessed is not None][:IN_THE_FEED]
        return self._page(
            "feed.atom",
            face,
            here="/feed.atom",
            events=events,
            updated=events[0].witnessed if events else _NEVER,
        )

    def _page(self, name: str, face: Face, **more: object) -> str:
        return _TEMPLATES.get_template(name).render(
            face=face, base_url=self._base_url, log_address=f"{self._base_url}/log", **more
        )


def when(iso: str) -> str:
    """Write a time for people; in the feed and in JSON it stands as it is."""
    time = datetime.fromisoformat(iso)
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def style() -> bytes:
    """Read the style sheet."""
    return resources.files(_PACKAGE).joinpath("style.css").read_bytes()


_TEMPLATES.filters["when"] = when


def register_json(face: Face) -> JsonObject:
    """Write what is in force and who decides, without proposals and history."""
    return {
        "city": face.city,
        "demonstration": face.demonstration,
        "sandbox": face.sandbox,
        "issuing": face.issuing,
        "sunset": face.sunset,
        "charter": face.charter_digest,
        "log": asdict(face.log),
        "in_force": [asdict(each) for each in (*face.asking, *face.others)],
        "open_proposals": [each.number for each in face.courses if each.open],
    }


def course_json(course: Course, *, before: int | None) -> JsonObject:
    """Write one proposal, with the newest of its entries or those before a number."""
    shown, older = _window(course, before=before)
    return {**asdict(shown), "stage": course.stage.value, "open": course.open, "older": older}


def course_line(course: Course) -> JsonObject:
    """Write a proposal as it stands in a list."""
    return {
        "number": course.number,
        "digest": course.digest,
        "title": course.title,
        "subject": course.subject,
        "proposer": course.proposer,
        "stage": course.stage.value,
        "said": course.said,
        "object_until": course.object_until,
    }


def _window(course: Course, *, before: int | None) -> tuple[Course, int | None]:
    """Return a proposal with the entries that one page holds, and where the older ones begin.

    Anybody may comment, so nothing that is served is as long as all comments.
    """
    events = [each for each in course.events if before is None or each.number < before]
    shown = events[-ON_ONE_PAGE:]
    numbers = {each.number for each in shown}
    comments = tuple(each for each in course.comments if each.number in numbers)
    older = shown[0].number if len(shown) < len(events) else None
    return replace(course, comments=comments, events=tuple(shown)), older


def event_json(event: Event) -> JsonObject:
    """Write one entry's line."""
    return asdict(event)


def complaint_json(complaint: Complaint) -> JsonObject:
    """Write one count."""
    return asdict(complaint)


def excess_words(text: str) -> str:
    """Say the published form of an excess to people."""
    kind, _, claims = text.partition(": ")
    said = over_asking.WORDS[Kind(kind)]
    return f"{said}: {claims}" if claims else said
