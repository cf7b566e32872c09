"""What the public face shows, made ready: texts for people and nothing that decides.

Pages, JSON and feed are written from these values (`pages.py`), so all three say the same. They
are made from the fold over the log in `courses.py`.
"""

from dataclasses import dataclass

from idservice.governance.model import Stage
from idservice.governance.plain_words import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A document or comment: its digest stands in the log, its text beside it or nowhere."""

    digest: str
    text: str | None
    number: int
    """Of the entry that holds the digest."""
    removed: str | None = None
    """Why the text was erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One seat's yes."""

    seat: str
    seat_class: str
    number: int
    """Of the entry that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One proposal and all that became of it."""

    number: int
    """Of its entry: how people call it."""
    digest: str
    """SHA-256 of its entry: how machines and votes call it."""
    words: str
    """The same for people who compare it by voice."""
    title: str
    subject: str
    stage: Stage
    said: str
    """Where it stands, as a sentence."""
    proposer: str
    rows: Rows
    terms: Rows
    """In force until when, and the like."""
    exact: str
    """The change as it stands in the log."""
    object_until: str | None
    """The first moment at which the notice can be over."""
    impact_note: Text
    comments: tuple[Text, ...]
    answers: tuple[Text, ...]
    votes: tuple[Vote, ...]
    votes_needed: str
    events: tuple["Event", ...]

    @property
    def open(self) -> bool:
        """Say whether anything can still come of it."""
        return self.stage in {Stage.WAITING, Stage.IN_NOTICE, Stage.VOTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the log in one line."""

    number: int
    type: str
    said: str
    leaf: str
    """Its leaf hash: what an inclusion proof is about."""
    course: int | None
    """The proposal that it belongs to."""
    witnessed: str | None
    """By when witnesses had seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One decision that holds, and the entry that made it so."""

    subject: str
    title: str
    rows: Rows
    more: Rows
    """What machines compare; for whoever wants to know exactly."""
    until: str
    number: int
    course: int | None
    """Its proposal; none for what the charter's entry itself put in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What was proved about a verifier in a quarter."""

    quarter: str
    verifier: str
    policy: str
    excess: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The log as it is published."""

    origin: str
    key: str
    size: int
    root: str
    witnessed: str | None
    """When a whole quorum last knew no larger tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Everything that a page, the JSON and the feed need."""

    city: str
    demonstration: bool
    sandbox: bool
    issuing: str
    """Whether cards are issued, as a sentence."""
    notice: str
    sunset: str
    charter: Rows
    charter_digest: str
    """SHA-256 of entry 0: what whoever checks begins with."""
    asking: tuple[InForce, ...]
    """Who may ask for what."""
    others: tuple[InForce, ...]
    courses: tuple[Course, ...]
    """The newest first."""
    events: tuple[Event, ...]
    """The newest first."""
    complaints: tuple[Complaint, ...]
    log: Log
