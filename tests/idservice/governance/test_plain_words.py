"""Every change says all that it does in plain words, made from what is parsed."""

from datetime import date

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.instant import UnixSeconds
from crypto.log.ed25519 import PublicKey
from idservice.governance import plain_words
from idservice.governance.model import Stage
from idservice.register import change, state
from idservice.register.change import Change
from idservice.register.entry import WithdrawalReason
from idservice.register.state import FOR_GOOD, Enacted, Expired, InNotice, Proposed, Withdrawn
from tests.fakes import city as cities
from tests.fakes import notaries, registers

KEY = base64url.encode(notaries.log_key("a-key").public_key.octets)
DIGEST = base64url.encode(b"\7" * 32)
SAID = {
    "claim": {"kind": "claim", "claim": {"claim": "gender", "issued": False}},
    "claim_issued": {"kind": "claim", "claim": {"claim": "gender", "issued": True}},
    "parameters": {
        "kind": "parameters",
        "parameters": {
            "period_days": 28,
            "grace_days": 7,
            "status_every_h": 24,
            "status_lifetime_h": 168,
        },
    },
    "component": {
        "kind": "component",
        "component": {
            "name": "wallet",
            "version": "1.2",
            "digest": DIGEST,
            "vendor": "A vendor",
            "contract": DIGEST,
            "interests": None,
        },
    },
    "inventory": {"kind": "inventory", "inventory": {"digest": DIGEST, "columns": ["a.b", "c.d"]}},
    "charter": {"kind": "charter", "charter": registers.charter_json()},
    "seat_key": {
        "kind": "seat_key",
        "seat_key": {"seat": "council-1", "key": KEY, "successor": None},
    },
    "suspend": {"kind": "suspend_issuing"},
    "resume": {"kind": "resume_issuing"},
    "wind_down": {"kind": "wind_down"},
    "delegation": {
        "kind": "delegation",
        "delegation": {
            "label": "announcements",
            "key": KEY,
            "routine": ["announcement"],
            "most": 40,
            "until": "2028-01-01",
        },
    },
    "drop": {"kind": "drop", "drop": {"subject": "policy:bar-entry"}},
    "policy": {
        "kind": "policy",
        "policy": registers.policy_json(status_max_age_s=None, erase="https://erase.example/"),
    },
}


def announced() -> Change:
    return change.announcement(cities.make().payload["announced"][0])  # type: ignore[index,call-overload]  # the fake's own


def leaves(value: object) -> list[str]:
    """Name every text and number that a change says."""
    match value:
        case dict():
            return [leaf for each in value.values() for leaf in leaves(each)]
        case list():
            return [leaf for each in value for leaf in leaves(each)]
        case str() | int() if not isinstance(value, bool):
            return [str(value)]
        case _:
            return []


@pytest.mark.parametrize("name", [*SAID, "announced"])
def test_everything_that_a_change_says_is_shown(name: str) -> None:
    decided = announced() if name == "announced" else change.parse(SAID[name])
    shown = f"{plain_words.title(decided)} {plain_words.rows(decided)}"
    said = canonical_json.parse_object(canonical_json.serialize(change.write(decided)))
    missing = [leaf for leaf in leaves(said) if leaf not in shown and leaf not in OTHERWISE]
    assert missing == []


@pytest.mark.parametrize("name", ["claim", "claim_issued", "parameters"])
def test_what_this_release_only_records_says_so(name: str) -> None:
    assert "this one records it" in str(plain_words.rows(change.parse(SAID[name])))


OTHERWISE = {
    *("claim", "gender", "parameters", "component", "inventory", "charter", "policy", "drop"),
    *("seat_key", "suspend_issuing", "resume_issuing", "wind_down", "delegation", "announced"),
    # said in other words
    *("resident", "library_membership", "none", "policy:bar-entry", "announcement"),
    str(registers.NOTICE),
    DIGEST,
    base64url.encode(b"\0" * 32),
}


def test_lengths_are_said_in_the_largest_unit_that_fits() -> None:
    assert [plain_words.length(each) for each in (7 * 86_400, 7200, 180, 61)] == [
        "7 days",
        "2 hours",
        "3 minutes",
        "61 seconds",
    ]


NOW = UnixSeconds(cities.NOW)
LATER = UnixSeconds(NOW + 30 * 86_400)
ENACTED = Enacted(index=5, since=NOW, until=LATER, provisional=False, seats=frozenset())


@pytest.mark.parametrize(
    ("found", "at", "stage", "words"),
    [
        (Proposed(), NOW, Stage.WAITING, "Witnesses have not seen it yet"),
        (InNotice(since=NOW, until=LATER), NOW, Stage.IN_NOTICE, "until 14 February 2027"),
        (InNotice(since=NOW, until=LATER), LATER, Stage.VOTING, "the board is voting"),
        (
            state.Approved(since=NOW, until=LATER, seats=frozenset()),
            LATER,
            Stage.VOTING,
            "enough seats have voted",
        ),
        (ENACTED, NOW, Stage.ENACTED, "in force until 14 February 2027"),
        (
            Enacted(index=5, since=NOW, until=FOR_GOOD, provisional=False, seats=frozenset()),
            NOW,
            Stage.ENACTED,
            "does not end",
        ),
        (
            Enacted(index=5, since=NOW, until=LATER, provisional=True, seats=frozenset()),
            NOW,
            Stage.ENACTED,
            "lapses on 14 February 2027",
        ),
        (Expired(enacted=None), NOW, Stage.EXPIRED, "not enacted in time"),
        (Expired(enacted=ENACTED), NOW, Stage.EXPIRED, "was in force until"),
        (
            Withdrawn(index=5, reason=WithdrawalReason.OBJECTIONS),
            NOW,
            Stage.WITHDRAWN,
            "took it back: objections",
        ),
    ],
)
def test_where_a_proposal_stands_is_one_sentence(
    found: state.State, at: UnixSeconds, stage: Stage, words: str
) -> None:
    told, said, until = plain_words.standing(found, at)
    assert (told, words in said) == (stage, True)
    assert (until is not None) == (stage in {Stage.IN_NOTICE, Stage.VOTING})


def test_ends_are_said_as_days() -> None:
    assert plain_words.last_day(FOR_GOOD) == "further notice"
    assert plain_words.last_day(state.end_of(date(2027, 3, 1))) == "2027-03-01"
    assert plain_words.subject("announced:resident_bbs:14") == "the issuer key resident_bbs:14"
    assert isinstance(notaries.log_key("a-key").public_key, PublicKey)


@pytest.mark.parametrize("name", [*SAID, "announced"])
def test_what_holds_has_a_title_of_its_own(name: str) -> None:
    decided = announced() if name == "announced" else change.parse(SAID[name])
    title, rows, _more = plain_words.holding(decided)
    assert title
    assert not title.startswith(("Change", "Announce", "Put into"))
    assert rows
