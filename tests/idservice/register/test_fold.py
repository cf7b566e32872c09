"""Notice, votes, versions: what counts, and what changes nothing."""

from dataclasses import replace
from datetime import date

import pytest

from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.log import checkpoint
from idservice.period import DAY
from idservice.register import approval, entry, fold
from idservice.register.change import Change, CharterChange, PolicyChange, SeatKey
from idservice.register.entry import (
    Answer,
    Comment,
    CommentRemoval,
    Digest,
    Founding,
    RemovalReason,
    Statement,
    Withdrawal,
    WithdrawalReason,
)
from idservice.register.state import (
    Approved,
    Enacted,
    Expired,
    InNotice,
    Proposed,
    Reason,
    State,
    Withdrawn,
)
from tests.fakes import notaries, registers
from tests.fakes.registers import ENOUGH, NOTICE, QUORUM, WITNESSES, City

POLICY = registers.policy_change()
SAID = b"\2" * 32


def reasons(city: City) -> list[Reason]:
    return [each.reason for each in city.register().refusals]


def states(city: City, *, size: int | None = None) -> list[State]:
    head = checkpoint.verify(city.note(size=size), log=city.charter.log)
    steps = city.register().history(head, now=UnixSeconds(city.now))
    return [each.state for each in steps]


def ready(city: City, *, notice: int = NOTICE) -> tuple[Digest, Statement, dict[str, object]]:
    """Propose, wait, and return what an enactment needs."""
    proposal = city.propose(POLICY)
    c1 = city.note()
    city.wait(notice)
    c2 = city.note()
    return proposal, city.statement(proposal, c2), {"c1": c1, "c2": c2}


def test_a_change_that_was_proposed_waited_and_signed_is_in_force() -> None:
    city = City()
    city.decide(POLICY)
    found = city.in_force()
    assert found.policies == {"library-card": POLICY.policy}
    assert found.version("policy:library-card") == 1
    assert not city.register().refusals
    assert not found.demonstration


@pytest.mark.parametrize(
    ("seats", "reason"),
    [
        (("council-1", "community-1"), Reason.TOO_FEW),
        (("council-1", "council-2", "agency-1"), Reason.NO_COMMUNITY),
        (("council-1", "council-1", "community-1"), Reason.TOO_FEW),
        (("agency-1",), Reason.TOO_FEW),
        ((), Reason.MALFORMED),
    ],
)
def test_too_few_or_the_wrong_seats_change_nothing(seats: tuple[str, ...], reason: Reason) -> None:
    city = City()
    city.decide(POLICY, seats=seats)
    assert city.in_force().policies == {}
    assert reasons(city) == [reason]


@pytest.mark.parametrize("short", [1, DAY, NOTICE])
def test_notice_that_is_too_short_changes_nothing_however_long_one_waits(short: int) -> None:
    city = City()
    city.decide(POLICY, notice=NOTICE - short)
    assert reasons(city) == [Reason.NOTICE]
    city.wait(NOTICE)
    assert city.in_force().policies == {}


def test_one_witness_that_saw_it_late_makes_the_notice_late() -> None:
    city = City()
    proposal = city.propose(POLICY)
    head = city.signed(by=QUORUM[:1])
    late = notaries.cosigned(head, (WITNESSES[1], city.now + DAY)).note
    city.wait(NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=late, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.NOTICE]


def test_enactment_without_first_checkpoint_is_refused() -> None:
    city = City()
    _, statement, _ = ready(city)
    city.enact(statement, c1=None, c2=city.note(), votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.NOTICE]


def test_checkpoint_must_contain_the_proposal() -> None:
    city = City()
    before = city.note()
    _, statement, notes = ready(city)
    city.enact(statement, c1=before, c2=notes["c2"], votes=city.votes(statement, ENOUGH))  # type: ignore[arg-type]  # notes
    assert reasons(city) == [Reason.CHECKPOINT]


@pytest.mark.parametrize("by", [QUORUM[:1], (), ("stranger.example/witness", QUORUM[0])])
def test_checkpoint_without_a_quorum_of_witnesses_does_not_count(by: tuple[str, ...]) -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    city.wait(NOTICE)
    c2 = city.note(by=by)
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]


def test_checkpoint_of_another_tree_does_not_count() -> None:
    city, other = City(), City()
    proposal = city.propose(POLICY)
    other.append(b"another entry")
    c1 = other.note()
    city.wait(NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]


def test_votes_over_a_checkpoint_before_it_was_cosigned_again_do_not_count() -> None:
    # Nothing was logged for a month, so witnesses cosign the tree of day 1 on day 31 once more.
    city = City()
    proposal = city.propose(POLICY)
    early = city.note()
    votes = city.votes(city.statement(proposal, early), ENOUGH)
    city.wait(NOTICE)
    again = city.note()
    assert early.text == again.text
    city.enact(city.statement(proposal, again), c1=early, c2=again, votes=votes)
    assert reasons(city) == [Reason.TOO_FEW]


def test_held_back_votes_do_not_count_once_the_log_tells_a_later_time() -> None:
    city = City()
    _, statement, notes = ready(city)
    votes = city.votes(statement, ENOUGH)
    city.wait(15 * DAY)
    city.summarise()
    city.enact(statement, **notes, votes=votes)  # type: ignore[arg-type]  # notes
    assert reasons(city) == [Reason.TOO_LATE]


def test_enactment_after_its_last_day_is_refused() -> None:
    city = City()
    proposal = city.propose(POLICY, by=date(2026, 2, 1))
    c1 = city.note()
    city.wait(2 * NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.TOO_LATE]
    assert states(city) == [Expired(enacted=None)]


def test_comments_must_be_before_those_who_vote_and_be_answered() -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    comment = entry.comment_digest("I object.", salt=b"s" * 32)
    city.append(Comment(proposal=proposal, comment=comment))
    city.wait(NOTICE)
    c2 = city.note()

    def attempt(comments: tuple[Digest, ...], answer: Digest | None) -> None:
        said = city.statement(proposal, c2, comments=comments, answer=answer)
        city.enact(said, c1=c1, c2=c2, votes=city.votes(said, ENOUGH))

    attempt((), None)
    attempt((comment,), None)
    attempt((comment,), SAID)
    city.append(Answer(proposal=proposal, answer=SAID))
    attempt((comment,), SAID)
    assert reasons(city) == [Reason.COMMENTS, Reason.UNANSWERED, Reason.UNANSWERED]
    assert city.in_force().policies


def test_removed_comment_keeps_its_digest_and_shows_the_reason() -> None:
    city = City()
    proposal = city.propose(POLICY)
    comment = entry.comment_digest("My name is Ada.", salt=b"s" * 32)
    city.append(Comment(proposal=proposal, comment=comment))
    city.append(Comment(proposal=proposal, comment=comment))
    city.append(CommentRemoval(comment=comment, reason=RemovalReason.PERSONAL_DATA))
    city.append(CommentRemoval(comment=SAID, reason=RemovalReason.SPAM))
    city.append(Comment(proposal=SAID, comment=SAID))
    (said,) = city.register().courses[proposal].comments
    assert (said.digest, said.removed) == (comment, RemovalReason.PERSONAL_DATA)
    assert reasons(city) == [Reason.DUPLICATE, Reason.UNKNOWN_COMMENT, Reason.UNKNOWN_PROPOSAL]


def test_two_changes_of_one_subject_cannot_both_replace_it() -> None:
    city = City()
    other = registers.policy_change(place="Another branch")
    proposals = [city.propose(POLICY), city.propose(other)]
    c1 = city.note()
    city.wait(NOTICE)
    c2 = city.note()
    for proposal in proposals:
        statement = city.statement(proposal, c2)
        city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.OTHER_BASE]
    assert city.in_force().policies == {"library-card": POLICY.policy}
    city.decide(other, base=1)
    assert city.in_force().policies == {"library-card": other.policy}


def test_enactment_twice_is_refused() -> None:
    city = City()
    city.decide(POLICY)
    city.append(city.entries[-1])
    assert reasons(city) == [Reason.OVER]


def test_proposal_needs_a_seat_and_the_present_base() -> None:
    city = City()
    city.propose(POLICY, base=1)
    city.propose(POLICY, until=date(2027, 1, 1))
    late = registers.policy_change(expires="2035-01-01")
    city.propose(late)
    proposal = city.propose(POLICY)
    city.append(city.entries[-1])
    forged = replace(
        city.register().courses[proposal].proposal,
        vote=registers.vote("council-1", b"something else"),
    )
    city.append(replace(forged, base=0))
    assert reasons(city) == [
        Reason.OTHER_BASE,
        Reason.TOO_LONG,
        Reason.TOO_LONG,
        Reason.DUPLICATE,
        Reason.NOT_SIGNED,
    ]


def test_only_its_proposer_withdraws_and_only_before_the_enactment() -> None:
    city = City()
    proposal, statement, notes = ready(city)
    message = approval.withdrawal_message(proposal, WithdrawalReason.ERROR, scope=city.scope)

    def withdraw(seat: str, *, by: str | None = None) -> None:
        one = registers.vote(seat, message, by=by)
        city.append(Withdrawal(proposal=proposal, reason=WithdrawalReason.ERROR, vote=one))

    withdraw("council-2")
    withdraw("council-1", by="council-2")
    assert reasons(city) == [Reason.NOT_SIGNED, Reason.NOT_SIGNED]
    withdraw("council-1")
    city.enact(statement, **notes, votes=city.votes(statement, ENOUGH))  # type: ignore[arg-type]  # notes
    assert reasons(city)[2:] == [Reason.OVER]
    (state,) = states(city)
    assert isinstance(state, Withdrawn)
    again = City()
    digest = again.decide(POLICY)
    message = approval.withdrawal_message(digest, WithdrawalReason.ERROR, scope=again.scope)
    one = registers.vote("council-1", message)
    again.append(Withdrawal(proposal=digest, reason=WithdrawalReason.ERROR, vote=one))
    assert reasons(again) == [Reason.OVER]


def test_states_follow_each_other() -> None:
    city = City()
    proposal = city.propose(POLICY)
    assert states(city, size=1) == [Proposed()]
    since = city.now
    assert states(city) == [InNotice(since=UnixSeconds(since), until=UnixSeconds(since + NOTICE))]
    c1 = city.note()
    city.wait(NOTICE)
    c2 = city.note()
    statement = city.statement(proposal, c2)
    for seat in ENOUGH[:2]:
        city.approve(statement, seat)
    assert isinstance(states(city)[0], InNotice)
    city.approve(statement, ENOUGH[2])
    (approved,) = states(city)
    assert isinstance(approved, Approved)
    assert approved.seats == frozenset(ENOUGH)
    city.append(replace(city.register().courses[proposal].proposal, base=7))  # no longer signed
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    (enacted,) = states(city)
    assert isinstance(enacted, Enacted)
    assert not enacted.provisional
    city.wait(3 * 365 * DAY)
    (over,) = states(city)
    assert over == Expired(enacted=enacted)
    assert city.in_force().policies == {}


def test_approval_by_nobody_is_refused() -> None:
    city = City()
    proposal = city.propose(POLICY)
    statement = city.statement(proposal, city.note())
    one = registers.vote("council-1", b"something else")
    city.append(entry.Approval(statement=statement, vote=one))
    city.approve(replace(statement, proposal=SAID), "council-1")
    assert reasons(city) == [Reason.NOT_SIGNED, Reason.UNKNOWN_PROPOSAL]


def test_seat_approves_a_statement_once() -> None:
    city = City()
    proposal = city.propose(POLICY)
    statement = city.statement(proposal, city.note())
    for _ in range(2):
        city.approve(statement, "council-1")
    assert reasons(city) == [Reason.DUPLICATE]
    assert len(city.register().courses[proposal].votes[statement]) == 1


def test_what_was_founded_is_in_force_and_nothing_outlives_the_charter() -> None:
    until = date(2028, 1, 1)
    city = City(founding=(Founding(change=POLICY, in_force_until=until),))
    assert city.in_force().policies == {"library-card": POLICY.policy}
    assert city.in_force().version("policy:library-card") == 1
    for wrong in (
        (Founding(change=POLICY, in_force_until=date(2027, 1, 1)),),
        (Founding(change=POLICY, in_force_until=until),) * 2,
        (Founding(change=PolicyChange(policy=POLICY.policy), in_force_until=date(2040, 1, 1)),),
    ):
        with pytest.raises(CryptoError):
            City(founding=wrong).register()


def test_first_entry_is_pinned_and_a_charter() -> None:
    city = City()
    pin = entry.entry_digest(city.entries[0])
    assert fold.fold(city.entries, pin=pin).scope.charter == pin
    with pytest.raises(CryptoError):
        fold.fold(city.entries, pin=SAID)
    city.propose(POLICY)
    with pytest.raises(CryptoError):
        fold.start(city.entries[1], pin=None)
    city.append(city.entries[0])
    assert reasons(city) == [Reason.SECOND_CHARTER]


def test_in_force_is_of_exactly_what_was_folded_and_needs_witnesses() -> None:
    city = City()
    register = city.register()
    alone = checkpoint.verify(city.note(by=QUORUM[:1]), log=city.charter.log)
    with pytest.raises(CryptoError):
        register.in_force(alone, now=UnixSeconds(city.now))
    city.propose(POLICY)
    with pytest.raises(ValueError, match="another size"):
        register.in_force(city.signed(), now=UnixSeconds(city.now))
    with pytest.raises(ValueError, match="order"):
        register.extend([(2, city.entries[1])], heads=registers.leaves(city.entries).head)


@pytest.mark.parametrize(
    ("said", "until", "votes"),
    [
        (
            SeatKey(seat="agency-1", key=notaries.log_key("new").public_key, successor=None),
            registers.SUNSET,
            [("agency-1", "agency-1 next"), ("agency-1", "new")],
        ),
        (
            CharterChange(charter=registers.board(least_group=20)),
            registers.SUNSET,
            [(seat, seat) for seat in ENOUGH],
        ),
    ],
)
def test_approvals_of_boards_and_keys_are_counted_as_their_enactment_would_be(
    said: Change, until: date, votes: list[tuple[str, str]]
) -> None:
    city = City()
    proposal = city.propose(said, until=until)
    statement = city.statement(proposal, city.note())
    message = approval.statement_message(statement, scope=city.scope)
    for seat, by in votes:
        assert isinstance(states(city)[0], InNotice)
        one = registers.vote(seat, message, by=by)
        city.append(entry.Approval(statement=statement, vote=one))
    assert isinstance(states(city)[0], Approved)
    assert not reasons(city)


def test_second_checkpoint_must_contain_the_proposal_too() -> None:
    city = City()
    before = city.note()
    proposal = city.propose(POLICY)
    statement = city.statement(proposal, before)
    city.enact(statement, c1=before, c2=before, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]


def test_witnesses_that_tell_an_absurd_time_are_not_believed() -> None:
    city = City()
    proposal = city.propose(POLICY)
    c1 = city.note()
    c2 = city.note(at=1 << 50)
    statement = city.statement(proposal, c2)
    city.enact(statement, c1=c1, c2=c2, votes=city.votes(statement, ENOUGH))
    assert reasons(city) == [Reason.CHECKPOINT]
    assert city.in_force().stopped(now=UnixSeconds(city.now)) is None
