"""A city's register whose keys everybody may know: a board of five, three witnesses, a log."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from crypto.encoding import base64url, members
from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, ed25519, partial, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note
from crypto.log.tree import TreeHead
from idservice.period import DAY, day
from idservice.register import approval, bundle, change, charter, entry, fold, wire
from idservice.register.approval import Scope
from idservice.register.change import Change, CharterChange, Delegation, PolicyChange, Routine
from idservice.register.charter import Charter
from idservice.register.entry import (
    Approval,
    CharterEntry,
    Digest,
    Enactment,
    Entry,
    Founding,
    Proposal,
    RoutineEntry,
    Statement,
    Summary,
    Vote,
)
from idservice.register.fold import Register
from idservice.register.state import InForce
from idservice.verification import policy
from idservice.verification.policy import Policy
from tests.fakes import notaries

if TYPE_CHECKING:  # a city has a register of this kind itself
    from tests.fakes.city import FakeCity

ORIGIN = "log.example/register"
BEGIN = 1_767_571_200
NOTICE = 30 * DAY
BOARD = {
    "council-1": "council",
    "council-2": "council",
    "agency-1": "agency",
    "community-1": "community",
    "community-2": "community",
}
ENOUGH = ("council-1", "agency-1", "community-1")
WITNESSES = ("city.example/witness", "north.example/witness", "south.example/witness")
QUORUM = WITNESSES[:2]
SUNSET = date(2031, 1, 1)
NOTE_DIGEST = b"\1" * 32


def key(name: str) -> str:
    return base64url.encode(ed25519.public_key(notaries.seed(name)).octets)


def charter_json(**changed: object) -> JsonObject:
    said: JsonObject = {
        "city": "Sampleton",
        "log": notaries.log_key(ORIGIN).text,
        "root": base64url.encode(b"\0" * 32),
        "seats": [
            {"id": name, "class": kind, "key": key(name), "successor": key(name + " next")}
            for name, kind in BOARD.items()
        ],
        "threshold": 3,
        "emergency": 2,
        "notice_s": NOTICE,
        "sandbox": False,
        "witnesses": [
            {"key": notaries.witness_key(name).text, "run_by_city": name.startswith("city")}
            for name in WITNESSES
        ],
        "witness_threshold": 2,
        "least_group": 10,
        "adopted": day(UnixSeconds(BEGIN)).isoformat(),
        "sunset": SUNSET.isoformat(),
        "languages": ["en", "es"],
        "offline_days": 14,
    }
    return {**said, **changed}  # type: ignore[dict-item]  # tests say what they like


def board(**changed: object) -> Charter:
    return charter.parse(charter_json(**changed))


def policy_json(name: str = "library-card", **changed: object) -> JsonObject:
    said: JsonObject = {
        "id": name,
        "verifier": "Sampleton Library",
        "client_ids": ["x509_san_dns:library.example"],
        "purpose": "library_membership",
        "place": "Main branch",
        "vct": "https://issuer.example/vct/resident/1",
        "formats": ["dc+sd-jwt"],
        "required": ["resident"],
        "optional": [],
        "status_max_age_s": 172_800,
        "retention": "none",
        "erase": None,
        "notice": {"en": "We check that you live here and keep nothing."},
        "expires": "2028-01-01",
    }
    return {**said, **changed}  # type: ignore[dict-item]  # tests say what they like


def policy_change(name: str = "library-card", **changed: object) -> PolicyChange:
    return PolicyChange(policy=policy.parse(policy_json(name, **changed)))


def vote(name: str, message: bytes, *, by: str | None = None) -> Vote:
    """Sign as a seat, or with the key of this name."""
    return Vote(seat=name, signature=notaries.signer(by or name)(message))


@dataclass(kw_only=True)
class City:
    """A log that grows; `now` is what honest witnesses' clocks say."""

    founding: tuple[Founding, ...] = ()
    charter: Charter = field(default_factory=board)
    now: int = BEGIN + DAY
    entries: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.append(CharterEntry(charter=self.charter, founding=self.founding))

    @property
    def scope(self) -> Scope:
        return Scope(log=ORIGIN, charter=entry.entry_digest(self.entries[0]))

    def append(self, said: Entry | bytes) -> int:
        self.entries.append(said if isinstance(said, bytes) else wire.write(said))
        return len(self.entries) - 1

    def wait(self, seconds: int) -> None:
        self.now += seconds

    def head(self, size: int | None = None) -> TreeHead:
        entries = self.entries[:size]
        root = tree.root([tree.leaf_hash(each) for each in entries])
        return TreeHead(size=len(entries), root=root)

    def signed(
        self, *, at: int | None = None, by: Sequence[str] = QUORUM, size: int | None = None
    ) -> SignedCheckpoint:
        """Have the log, or its first entries, cosigned."""
        time = self.now if at is None else at
        log = notaries.signed(self.head(size), name=ORIGIN)
        return notaries.cosigned(log, *((name, time) for name in by))

    def note(self, **how: object) -> Note:
        return self.signed(**how).note  # type: ignore[arg-type]  # as `signed` takes them

    def propose(
        self,
        said: Change,
        *,
        base: int = 0,
        seat: str = "council-1",
        until: date | None = None,
        by: date = date(2027, 12, 1),
    ) -> Digest:
        proposal = Proposal(
            change=said,
            base=base,
            in_force_until=until or lasts(said),
            enact_by=min(by, until or lasts(said)),
            impact_note=NOTE_DIGEST,
            vote=Vote(seat=seat, signature=bytes(64)),
        )
        message = approval.proposal_message(proposal, scope=self.scope)
        index = self.append(replace(proposal, vote=vote(seat, message)))
        return entry.entry_digest(self.entries[index])

    def statement(
        self,
        proposal: Digest,
        c2: Note,
        *,
        comments: tuple[Digest, ...] = (),
        answer: Digest | None = None,
    ) -> Statement:
        return Statement(
            proposal=proposal,
            checkpoint=entry.note_digest(c2),
            comments=entry.comments_digest(comments),
            answer=answer,
            hearing=None,
            minutes=None,
        )

    def votes(self, statement: Statement, seats: Sequence[str]) -> tuple[Vote, ...]:
        message = approval.statement_message(statement, scope=self.scope)
        return tuple(vote(seat, message) for seat in seats)

    def approve(self, statement: Statement, seat: str) -> int:
        (one,) = self.votes(statement, (seat,))
        return self.append(Approval(statement=statement, vote=one))

    def enact(
        self,
        statement: Statement,
        *,
        c1: Note | None,
        c2: Note,
        votes: Sequence[Vote],
    ) -> int:
        return self.append(Enactment(statement=statement, c1=c1, c2=c2, votes=tuple(votes)))

    def decide(
        self,
        said: Change,
        *,
        base: int = 0,
        seats: Sequence[str] = ENOUGH,
        notice: int = NOTICE,
        until: date | None = None,
    ) -> Digest:
        """Propose, wait, vote, enact."""
        proposal = self.propose(said, base=base, until=until)
        c1 = None if change.shrinks(said) else self.note()
        self.wait(0 if change.shrinks(said) else notice)
        c2 = self.note()
        statement = self.statement(proposal, c2)
        self.enact(statement, c1=c1, c2=c2, votes=self.votes(statement, seats))
        return proposal

    def sit(self, changes: Sequence[Change]) -> None:
        """Let the board decide several changes between the same two checkpoints."""
        proposals = [self.propose(each) for each in changes]
        c1 = self.note()
        self.wait(NOTICE)
        c2 = self.note()
        for proposal in proposals:
            statement = self.statement(proposal, c2)
            self.enact(statement, c1=c1, c2=c2, votes=self.votes(statement, ENOUGH))

    def summarise(self) -> int:
        signed = self.signed()
        state = self.register().state(at=UnixSeconds(self.now))
        return self.append(Summary(checkpoint=signed.note, state=state))

    def register(self) -> Register:
        return fold.fold(self.entries, pin=None)

    def in_force(self) -> InForce:
        signed = checkpoint.verify(self.note(), log=self.charter.log)
        return self.register().in_force(signed, now=UnixSeconds(self.now))


def lasts(said: Change) -> date:
    match said:
        case PolicyChange():
            return said.policy.expires
        case CharterChange():
            return said.charter.sunset
        case _:
            return date(2028, 1, 1)


def leaves(entries: Sequence[bytes]) -> partial.PartialTree:
    return partial.whole(map(tree.leaf_hash, entries))


def of_city(
    made: "FakeCity", *, policies: Sequence[Policy] | None = None, sitting: int = 40
) -> City:
    """Return a register in which all that a city's bundle says was decided, summary included.

    Args:
        made: whose root key is delegated to announce keys.
        policies: instead of the city's own.
        sitting: how many policies the board enacts at once.
    """
    root = made.root_key.public_key().public_bytes_raw()
    delegation = Delegation(
        label="city-root",
        key=ed25519.PublicKey(root),
        routine=(Routine.ANNOUNCEMENT,),
        most=100,
        until=SUNSET,
    )
    payload = made.payload
    said = board(
        city=payload["city"],
        languages=payload["languages"],
        root=base64url.encode(made.trust.root_fingerprint),
        sunset="2041-01-01",
    )
    city = City(charter=said, founding=(Founding(change=delegation, in_force_until=SUNSET),))
    chosen = list(made.policies.values() if policies is None else policies)
    sittings = [chosen[begin : begin + sitting] for begin in range(0, len(chosen), sitting)]
    city.now = made.now - len(sittings) * (NOTICE + 1)
    for value in members.array(payload["announced"]):
        announced = change.announcement(value)
        message = approval.routine_message(delegation.label, announced, scope=city.scope)
        city.append(
            RoutineEntry(
                delegation=delegation.label,
                change=announced,
                signature=made.root_key.sign(message),
            )
        )
    for each in sittings:
        city.sit([PolicyChange(policy=one) for one in each])
    city.now = made.now
    city.summarise()
    return city


def bundled(
    made: "FakeCity", city: City, *, payload: JsonObject | None = None, earlier: Sequence[int] = ()
) -> bytes:
    """Return the city's bundle with the register beside it."""
    signed = made.plain if payload is None else made.sign_plain(payload)
    return bundle.write(signed, entries=city.entries, head=city.note(), earlier=earlier)
