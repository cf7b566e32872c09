"""A change in plain words: what a page shows, and what a board member reads before signing.

Everything that a change says is shown, in the order in which people ask: who, why, what, how
long. What is shown is made from the parsed change, never from a text beside it, so nobody signs
something else than they read. Where a change stands in its course is `courses.py`'s affair.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from crypto.encoding import base64url
from crypto.instant import UnixSeconds
from idservice import catalogue, labels
from idservice.governance.model import Stage
from idservice.register import change as changes
from idservice.register import entry, state
from idservice.register.change import (
    Announcement,
    Change,
    CharterChange,
    ClaimChange,
    Component,
    Delegation,
    Drop,
    Inventory,
    Parameters,
    PolicyChange,
    ResumeIssuing,
    SeatKey,
    SuspendIssuing,
    WindDown,
)
from idservice.register.charter import Charter, Seat, SeatClass
from idservice.register.entry import (
    Answer,
    Approval,
    CharterEntry,
    CommentRemoval,
    Enactment,
    Entry,
    Proposal,
    RoutineEntry,
    Summary,
    Withdrawal,
)
from idservice.verification.policy import NOTHING_KEPT, Policy

Rows = tuple[tuple[str, str], ...]
"""What and its value, both for people."""

CLASSES: Final[Mapping[SeatClass, str]] = {
    SeatClass.COUNCIL: "council",
    SeatClass.AGENCY: "agency",
    SeatClass.COMMUNITY: "community",
}

_DAY: Final = 86_400
_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"
_NONE: Final = "none"


def title(change: Change) -> str:
    """Say in one line what a change does."""
    return _TITLES[type(change)](change)


def holding(change: Change) -> tuple[str, Rows, Rows]:
    """Say what holds once a change is in force: a title, the rows, and more in every detail."""
    match change:
        case PolicyChange():
            return change.policy.verifier, policy_rows(change.policy), technical_rows(change.policy)
        case Announcement():
            last = last_day(change.exp)
            title_ = f"Keys for {change.configuration}, period {change.period}"
            return title_, (("Cards last until", last),), rows(change)
        case ClaimChange():
            stands = "stands" if change.issued else "does not stand"
            claim = labels.CLAIMS[change.claim]
            said = (claim.capitalize(), f"{stands} in new cards")
            return f"In cards: {claim}", (said, *(() if change.issued else _RECORDED)), ()
        case _:
            found = _HOLDING.get(type(change))
            return title(change) if found is None else found, rows(change), ()


def subject(text: str) -> str:
    """Say what a change is about."""
    kind, _, name = text.partition(":")
    return f"{_SUBJECTS.get(kind, kind)} {name}".strip()


def rows(change: Change) -> Rows:
    """Say everything that a change does."""
    return _ROWS[type(change)](change)


def policy_rows(policy: Policy) -> Rows:
    """Say who may ask for what, why, and what becomes of it."""
    kept = "nothing" if policy.retention == NOTHING_KEPT else policy.retention
    erased = () if policy.erase is None else (("Where to have it erased", policy.erase),)
    return (
        ("Who asks", policy.verifier),
        ("Why", labels.PURPOSES[policy.purpose]),
        ("Where", policy.place),
        ("Must be shown", facts(policy.required)),
        ("May be shown, if the holder likes", facts(policy.optional) or "nothing more"),
        ("Kept afterwards", kept),
        *erased,
        ("Last day", policy.expires.isoformat()),
    )


def technical_rows(policy: Policy) -> Rows:
    """Say the rest of a policy: what machines compare, and what people are told."""
    status = "any that has not run out"
    if policy.status_max_age_s is not None:
        status = f"at most {length(policy.status_max_age_s)} old"
    notices = ((f"Told to people ({name})", text) for name, text in policy.notice.items())
    return (
        *notices,
        ("Policy", policy.id),
        ("Known as", ", ".join(policy.client_ids)),
        ("Kind of card", f"{policy.vct} as {', '.join(policy.formats)}"),
        ("List of withdrawn cards", status),
    )


def facts(names: tuple[str, ...]) -> str:
    """Name claims of the catalogue."""
    return ", ".join(labels.CLAIMS[name] for name in names)


def charter_rows(charter: Charter) -> Rows:
    """Say who decides and how."""
    seats = [f"{each.id} ({CLASSES[each.seat_class]})" for each in charter.seats]
    witnesses = [
        f"{each.key.name} ({'run by the city' if each.run_by_city else 'not run by the city'})"
        for each in charter.witnesses
    ]
    return (
        ("City", charter.city),
        ("Seats", ", ".join(seats)),
        ("Must sign", f"{charter.threshold} of {len(seats)}, a seat of the community among them"),
        ("Must sign to stop something at once", f"{charter.emergency}, one of the community"),
        ("Notice before anything changes", length(charter.notice_s)),
        ("Witnesses", ", ".join(witnesses)),
        ("Must have cosigned", f"{charter.witness_threshold} of {len(witnesses)}"),
        ("Smallest count that is published", str(charter.least_group)),
        ("Adopted", charter.adopted.isoformat()),
        (
            "Ends by itself",
            f"{charter.sunset.isoformat()}; after that day nothing is issued and nobody may ask",
        ),
        ("Languages", ", ".join(charter.languages)),
        ("Works offline for", f"{charter.offline_days} days"),
        ("Log", charter.log.text),
        *((f"Key of the witness {each.key.name}", each.key.text) for each in charter.witnesses),
        ("City root, SHA-256", charter.root.hex()),
        *((f"Key of the seat {each.id}", _seat_key(each)) for each in charter.seats),
    )


def length(seconds: int) -> str:
    """Write a length of time in the largest unit that fits."""
    for unit, name in ((_DAY, "days"), (3600, "hours"), (60, "minutes")):
        if seconds % unit == 0 and seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"


def _seat_key(seat: Seat) -> str:
    if seat.successor is None:
        return _key(seat.key.octets)
    return f"{_key(seat.key.octets)}; its successor: {_key(seat.successor.octets)}"


def _key(octets: bytes) -> str:
    return base64url.encode(octets)


def _announcement(change: Announcement) -> Rows:
    return (
        ("Card", change.configuration),
        ("Period", str(change.period)),
        ("Announced", change.octets.decode()),
    )


def _component(change: Component) -> Rows:
    return (
        ("Part", f"{change.name} {change.version}"),
        ("From", change.vendor),
        ("SHA-256 of the part", change.digest.hex()),
        ("SHA-256 of the contract", _digest(change.contract)),
        ("SHA-256 of the vendor's interests", _digest(change.interests)),
    )


def _inventory(change: Inventory) -> Rows:
    return (
        ("SHA-256 of the list", change.digest.hex()),
        ("May be kept", ", ".join(change.columns) or "nothing"),
    )


def _new_key(change: SeatKey) -> Rows:
    successor = change.successor
    return (
        ("Seat", change.seat),
        ("New key", _key(change.key.octets)),
        ("New successor key", _NONE if successor is None else _key(successor.octets)),
    )


def _delegation(change: Delegation) -> Rows:
    return (
        ("Name", change.label),
        ("Key", _key(change.key.octets)),
        ("May log", ", ".join(each.value for each in change.routine)),
        ("At most", f"{change.most} entries"),
        ("Until", change.until.isoformat()),
    )


def _parameters(change: Parameters) -> Rows:
    return (
        ("A period lasts", f"{change.period_days} days"),
        ("Cards live on after it for", f"{change.grace_days} days"),
        ("Lists of withdrawn cards are signed every", f"{change.status_every_h} hours"),
        ("Such a list lives for", f"{change.status_lifetime_h} hours"),
        *_RECORDED,
    )


def _digest(value: bytes | None) -> str:
    return _NONE if value is None else value.hex()


_TITLES: Final[Mapping[type, Callable[[Any], str]]] = {
    PolicyChange: lambda change: (
        f"Let {change.policy.verifier} ask for facts: {labels.PURPOSES[change.policy.purpose]}"
    ),
    ClaimChange: lambda change: (
        f"{'Put into cards' if change.issued else 'Leave out of cards'}:"
        f" {labels.CLAIMS[change.claim]}"
    ),
    Announcement: lambda change: (
        f"Announce keys for {change.configuration}, period {change.period}"
    ),
    Parameters: lambda _: "Change how long periods and lists last",
    Component: lambda change: f"Run {change.name} {change.version}, from {change.vendor}",
    Inventory: lambda _: "Change the list of what may be kept",
    CharterChange: lambda _: "Change the charter",
    SeatKey: lambda change: f"Give the seat {change.seat} another key",
    SuspendIssuing: lambda _: "Stop issuing cards for a time",
    ResumeIssuing: lambda _: "Issue cards again",
    WindDown: lambda _: "End the programme: issue nothing any more",
    Delegation: lambda change: f"Let the key {change.label} log routine entries by itself",
    Drop: lambda change: f"Take out of force: {subject(change.subject)}",
}
_HOLDING: Final[Mapping[type, str]] = {
    Parameters: "How long periods and lists last",
    Inventory: "What may be kept",
    CharterChange: "The charter",
    SuspendIssuing: "Issuing is stopped for a time",
    ResumeIssuing: "Cards are issued",
    WindDown: "The programme has ended",
}
_SUBJECTS: Final[Mapping[str, str]] = {
    "policy": "the policy",
    "component": "the part",
    "delegation": "the routine key",
    "announced": "the issuer key",
    "claim": "the claim",
    changes.CHARTER: "the charter",
    changes.ISSUING: "issuing",
    changes.INVENTORY: "the list of what may be kept",
    changes.PARAMETERS: "lengths of periods and lists",
    changes.WIND_DOWN: "the end of the programme",
}
_RECORDED: Final[Rows] = (
    ("Takes effect", "with a version that acts on it; this one records it and goes on as before"),
)
"""Of what this release keeps as constants."""
_CARDS_STAY: Final[Rows] = (
    ("Cards that people have", "stay valid to their date; this stops new ones only"),
)
_ROWS: Final[Mapping[type, Callable[[Any], Rows]]] = {
    PolicyChange: lambda change: (*policy_rows(change.policy), *technical_rows(change.policy)),
    ClaimChange: lambda change: (
        ("Claim", labels.CLAIMS[change.claim]),
        ("In cards from now on", "yes" if change.issued else "no"),
        *_RECORDED,
    ),
    Announcement: _announcement,
    Parameters: _parameters,
    Component: _component,
    Inventory: _inventory,
    CharterChange: lambda change: charter_rows(change.charter),
    SeatKey: _new_key,
    SuspendIssuing: lambda _change: _CARDS_STAY,
    ResumeIssuing: lambda _change: (("Issuing", "begins again"),),
    WindDown: lambda _change: _CARDS_STAY,
    Delegation: _delegation,
    Drop: lambda change: (("Ends", subject(change.subject)), *_CARDS_STAY),
}

BARRED: Final = tuple(labels.BARRED[each] for each in catalogue.BARRED_PURPOSES)
"""What nobody may ever ask for."""


def iso(seconds: UnixSeconds) -> str:
    """Write a time as pages, feed and JSON have it (RFC 3339)."""
    return _moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def six_words(digest: bytes) -> str:
    """Write 96 bits of a digest so that two people can compare it by voice.

    Each word is two octets as consonant, vowel, consonant, vowel, consonant ("proquints").
    """
    return " ".join(_word(int.from_bytes(digest[start : start + 2])) for start in range(0, 12, 2))


def _word(value: int) -> str:
    letters = (
        _CONSONANTS[value >> 12],
        _VOWELS[value >> 10 & 3],
        _CONSONANTS[value >> 6 & 15],
        _VOWELS[value >> 4 & 3],
        _CONSONANTS[value & 15],
    )
    return "".join(letters)


def last_day(until: UnixSeconds) -> str:
    """Write the last day of what ends at midnight."""
    return "further notice" if until >= state.FOR_GOOD else iso(UnixSeconds(until - 1))[:10]


def event(each: Entry) -> str:
    """Say in one line what an entry says."""
    return _EVENTS[type(each)](each)


_EVENTS: Final[Mapping[type, Callable[[Any], str]]] = {
    CharterEntry: lambda _: "The charter, with which everything begins",
    Proposal: lambda each: f"The seat {each.vote.seat} proposes: {title(each.change)}",
    entry.Comment: lambda _: "Somebody comments",
    CommentRemoval: lambda each: f"The text of a comment was erased: {spaced(each.reason)}",
    Answer: lambda _: "Objections are answered in writing",
    Approval: lambda each: f"The seat {each.vote.seat} votes yes",
    Enactment: lambda _: "The proposal is enacted",
    Withdrawal: lambda each: f"The proposal is withdrawn: {spaced(each.reason)}",
    RoutineEntry: lambda each: f"Routine: {title(each.change)}",
    Summary: lambda _: "A summary of what is in force",
}


def spaced(word: str) -> str:
    """Write a word of a closed list for people."""
    return word.replace("_", " ")


def needed(board: Charter) -> str:
    """Say how many must sign."""
    return (
        f"{board.threshold} of {len(board.seats)} seats must sign, and a seat of the community"
        " must be among them."
    )


def standing(found: state.State, latest: UnixSeconds) -> tuple[Stage, str, str | None]:
    """Say where a proposal stands, and until when one can surely object."""
    match found:
        case state.Proposed():
            said = "Witnesses have not seen it yet, so its notice has not begun."
            return Stage.WAITING, said, None
        case state.InNotice() | state.Approved():
            return _open_words(found, latest)
        case state.Enacted():
            return Stage.ENACTED, _enacted_words(found), None
        case state.Expired():
            return Stage.EXPIRED, _expired_words(found), None
        case state.Withdrawn():
            said = f"Whoever proposed it took it back: {spaced(found.reason)}."
            return Stage.WITHDRAWN, said, None


def _open_words(
    found: state.InNotice | state.Approved, latest: UnixSeconds
) -> tuple[Stage, str, str]:
    until = iso(found.until)
    if latest < found.until:
        return Stage.IN_NOTICE, f"You can object until {_when(found.until)} at least.", until
    if isinstance(found, state.Approved):
        return Stage.VOTING, "Its notice is over and enough seats have voted.", until
    return Stage.VOTING, "Its notice is over; the board is voting.", until


def _enacted_words(found: state.Enacted) -> str:
    if found.until >= state.FOR_GOOD:
        return f"Enacted, voted on {_when(found.since)}; it does not end."
    if found.provisional:
        return (
            f"Enacted at once by the emergency quorum; it lapses on {_when(found.until)} unless"
            " the board confirms it."
        )
    return f"Enacted, voted on {_when(found.since)}; in force until {_when(found.until)}."


def _expired_words(found: state.Expired) -> str:
    if found.enacted is None:
        return "It was not enacted in time."
    return f"It was in force until {_when(found.enacted.until)}."


def _when(seconds: UnixSeconds) -> str:
    time = _moment(seconds)
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def _moment(seconds: UnixSeconds) -> datetime:
    """Tell a time; what lies beyond all calendars is told as the last day of one."""
    return datetime.fromtimestamp(min(seconds, state.end_of(date.max)), UTC)
