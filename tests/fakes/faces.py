"""A public face with everything on it, hostile texts included."""

from idservice.governance import plain_words
from idservice.governance.model import Stage
from idservice.governance.view import (
    Complaint,
    Course,
    Event,
    Face,
    InForce,
    Log,
    Text,
    Vote,
)
from tests.fakes import city as cities

DIGEST = "3f" * 32
HOSTILE = "<script src=//evil.example/x.js></script>\n\"'&{{7*7}} {% raw %} \u200f\u05e9\u05dc"
WHEN = "2027-01-15T08:00:00Z"


def text(words: str | None, number: int, removed: str | None = None) -> Text:
    return Text(digest=DIGEST, text=words, number=number, removed=removed)


def event(number: int, said: str, course: int | None = None) -> Event:
    return Event(
        number=number,
        type="proposal",
        said=said,
        leaf=f"{number:02x}" * 32,
        course=course,
        witnessed=WHEN if number < 12 else None,
    )


def course(number: int, stage: Stage = Stage.IN_NOTICE) -> Course:
    policy = cities.make().policies["bank-account"]
    return Course(
        number=number,
        digest=DIGEST,
        words=plain_words.six_words(bytes.fromhex(DIGEST)),
        title="Let Exampleton Savings Bank ask for facts: opening an account",
        subject="policy:bank-account",
        stage=stage,
        said="You can object until at least 14 February 2027, 08:00 UTC.",
        proposer="council-2",
        rows=plain_words.policy_rows(policy),
        terms=(
            ("Proposed by", "the seat council-2"),
            ("In force until", "2028-01-01"),
            ("Must be enacted by", "2027-06-01"),
        ),
        exact='{"kind":"policy"}',
        object_until="2027-02-14T08:00:00Z",
        impact_note=text("Nobody needs a card to open an account.\nAsked of 40 people.", number),
        comments=(
            text("Why does a bank need the street?", 5),
            text(HOSTILE, 6),
            text(None, 7, "personal data"),
            text(None, 8),
        ),
        answers=(text("Because the law on accounts says so.", 9),),
        votes=(Vote(seat="community-1", seat_class="community", number=10),),
        votes_needed="3 of 5 must sign, a seat of the community among them.",
        events=(
            *(event(each, "Somebody comments", number) for each in range(5, 9)),
            event(10, "community-1 votes yes", number),
            event(number, "Proposed", number),
        ),
    )


def make(*, demonstration: bool = True, **changes: object) -> Face:
    city = cities.make()
    asking = tuple(
        InForce(
            subject=f"policy:{policy.id}",
            title=policy.verifier,
            rows=plain_words.policy_rows(policy),
            more=plain_words.technical_rows(policy),
            until="2028-01-01",
            number=0,
            course=None,
        )
        for policy in city.policies.values()
    )
    face = {
        "city": "Exampleton",
        "demonstration": demonstration,
        "sandbox": False,
        "issuing": "Cards are issued.",
        "notice": "30 days",
        "sunset": "2029-12-31",
        "charter": (("City", "Exampleton"), ("Seats", "council-1 (council), community-1")),
        "charter_digest": DIGEST,
        "asking": asking,
        "others": (
            InForce(
                subject="inventory",
                title="Change the list of what may be kept",
                rows=(("May be kept", "issuer.marks.key"),),
                more=(),
                until="2028-01-01",
                number=4,
                course=3,
            ),
        ),
        "courses": (course(11), course(3, Stage.ENACTED)),
        "events": tuple(event(number, f"Entry {number}", 3) for number in range(14, -1, -1)),
        "complaints": (
            Complaint(
                quarter="2027-Q1",
                verifier="The Bar",
                policy="bar-entry",
                excess="asks for facts that the policy does not list: birth_date",
                number=3,
            ),
        ),
        "log": Log(
            origin="register.example/log",
            key="register.example/log+a1b2c3d4+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh",
            size=15,
            root=DIGEST,
            witnessed=WHEN,
        ),
    }
    return Face(**{**face, **changes})  # type: ignore[arg-type]  # tests change what they like
