"""The register's office: what counts is logged, what does not is refused, and nothing is lost."""

from dataclasses import replace
from datetime import date

import pytest

from crypto.encoding import base64url, members
from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.log import note
from idservice.complaints import over_asking
from idservice.errors import Code, ServiceError
from idservice.governance import plain_words, service
from idservice.governance.model import Digest, NotLogged, Stage, Unusable
from idservice.register import entry, wire
from idservice.register.change import Drop, PolicyChange, SuspendIssuing
from idservice.register.entry import RemovalReason
from idservice.register.state import Reason
from tests.fakes import city as cities
from tests.fakes import log_office, notaries, register_office, registers
from tests.fakes import over_asking as requests
from tests.fakes.register_office import IMPACT, Office

CHANGE = registers.policy_change()
OTHER = registers.policy_change("age-check", purpose="age_check", required=["age_over_18"])


@pytest.fixture
def office() -> Office:
    return register_office.make()


def refusal(office: Office, act: str, said: JsonObject, **more: object) -> Reason:
    size = office.log.log.size()
    with pytest.raises(NotLogged) as refused:
        getattr(office.office, act)(said, **more)
    assert office.log.log.size() == size
    return refused.value.reason


def code(office: Office, act: str, *told: object, **more: object) -> Code:
    size = office.log.log.size()
    with pytest.raises(ServiceError) as refused:
        getattr(office.office, act)(*told, **more)
    assert office.log.log.size() == size
    return refused.value.code


def test_what_is_proposed_waits_is_voted_and_holds(office: Office) -> None:
    number = office.propose(CHANGE)
    assert office.office.face().courses[0].stage is Stage.IN_NOTICE
    assert office.office.face().asking == ()
    office.wait(registers.NOTICE + 1)
    assert office.office.face().courses[0].stage is Stage.VOTING
    statement = office.approve(number, *registers.ENOUGH)
    office.office.enact(office.enactment(number, statement))
    face = office.office.face()
    assert [each.subject for each in face.asking] == ["policy:library-card"]
    assert (face.asking[0].number, face.asking[0].course) == (5, number)
    assert face.courses[0].stage is Stage.ENACTED
    assert [each.seat for each in face.courses[0].votes] == list(registers.ENOUGH)
    assert [each.number for each in face.events if each.type == "summary"] == [6]


def test_the_very_same_entry_again_is_the_same_act(office: Office) -> None:
    signed = office.proposal(CHANGE)
    first = office.office.propose(signed, impact_note=register_office.IMPACT)
    assert office.office.propose(signed, impact_note=register_office.IMPACT) == first
    office.wait(registers.NOTICE + 1)
    statement = office.approve(first.number, *registers.ENOUGH)
    enactment = office.enactment(first.number, statement)
    assert office.office.enact(enactment) == office.office.enact(enactment)
    kinds = [each.type for each in office.entries()]
    assert (kinds.count("proposal"), kinds.count("enactment")) == (1, 1)


def test_what_the_rules_refuse_is_not_logged(office: Office) -> None:
    forged = office.proposal(CHANGE, by="a stranger")
    note_ = {"impact_note": register_office.IMPACT}
    assert refusal(office, "propose", forged, **note_) is Reason.NOT_SIGNED
    wrong_base = office.proposal(CHANGE, base=3)
    assert refusal(office, "propose", wrong_base, **note_) is Reason.OTHER_BASE
    number = office.propose(CHANGE)
    early = office.approve(number, *registers.ENOUGH)
    assert refusal(office, "enact", office.enactment(number, early)) is Reason.NOTICE
    office.wait(registers.NOTICE + 1)
    agencies = office.approve(number, "council-1", "council-2", "agency-1")
    assert refusal(office, "enact", office.enactment(number, agencies)) is Reason.NO_COMMUNITY
    assert office.store.documents() == {
        Digest(entry.entry_digest(register_office.IMPACT.encode())): register_office.IMPACT
    }


def test_a_barred_purpose_is_refused_though_everybody_signs(office: Office) -> None:
    said = office.proposal(CHANGE)
    barred = {"id": "x", **registers.policy_json(purpose="immigration_enforcement")}
    said["change"] = {"kind": "policy", "policy": barred}
    assert refusal(office, "propose", said, impact_note="") is Reason.BARRED


def test_a_vote_needs_the_checkpoint_that_it_is_over(office: Office) -> None:
    number = office.propose(CHANGE)
    c2 = office.published()
    statement = office.statement(number, c2.note)
    said = office.approval(statement, "council-1")
    at = [(name, cities.NOW + 5) for name in registers.QUORUM]
    later = notaries.cosigned(notaries.signed(c2.checkpoint.head), *at).note
    told = {"checkpoint_note": later.octets().decode(), "minutes": None}
    assert code(office, "approve", said, **told) is Code.MISSING_MEMBER
    for foreign in (
        c2.note.with_signatures(later.signatures).octets().decode(),
        notaries.signed(c2.checkpoint.head).note.octets().decode(),
        notaries.signed(c2.checkpoint.head, name="other.example").note.octets().decode(),
        "no note",
    ):
        told = {"checkpoint_note": foreign, "minutes": None}
        assert refusal(office, "approve", said, **told) is Reason.CHECKPOINT
    told = {"checkpoint_note": c2.note.octets().decode(), "minutes": "Others"}
    assert code(office, "approve", said, **told) is Code.MISSING_MEMBER
    assert office.office.approve(
        said, checkpoint_note=c2.note.octets().decode(), minutes=None
    ).witnessed


def test_minutes_are_kept_with_the_vote_that_names_them(office: Office) -> None:
    number = office.propose(CHANGE)
    c2, minutes = office.published().note, "The hall was full."
    digest = entry.entry_digest(minutes.encode())
    statement = replace(office.statement(number, c2), minutes=digest, hearing=date(2027, 1, 20))
    said = office.approval(statement, "council-1")
    office.office.approve(said, checkpoint_note=c2.octets().decode(), minutes=minutes)
    assert office.restarted().store.documents()[Digest(digest)] == minutes


def test_each_act_takes_its_own_type_only(office: Office) -> None:
    said = office.proposal(CHANGE)
    for act in ("enact", "withdraw", "log_routine"):
        assert code(office, act, said) is Code.MISSING_MEMBER
        assert code(office, act, {"type": "proposal"}) is Code.MISSING_MEMBER
    told = {"checkpoint_note": office.published().note.octets().decode(), "minutes": None}
    assert code(office, "approve", said, **told) is Code.MISSING_MEMBER
    assert code(office, "propose", said, impact_note="Another note") is Code.MISSING_MEMBER
    long = "x" * (service.LONGEST_DOCUMENT + 1)
    assert code(office, "propose", said, impact_note=long) is Code.TOO_LARGE


def test_a_comment_is_read_by_all_and_its_digest_is_logged(office: Office) -> None:
    number = office.propose(CHANGE)
    receipt = office.office.comment(number, "Why?\nWe were not asked.")
    found = office.course(number).comments
    assert [each.digest.hex() for each in found] == [receipt.digest]
    salted = entry.comment_digest("Why?\nWe were not asked.", salt=bytes.fromhex(receipt.salt))
    assert salted.hex() == receipt.digest
    shown = office.office.face().courses[0].comments[0]
    assert (shown.text, shown.number) == ("Why?\nWe were not asked.", receipt.number)
    assert b"We were not" not in b"".join(office.office.snapshot().entries)


def test_a_vote_must_answer_what_was_said(office: Office) -> None:
    number = office.propose(CHANGE)
    office.office.comment(number, "Why?")
    office.wait(registers.NOTICE + 1)
    unanswered = office.approve(number, *registers.ENOUGH)
    assert refusal(office, "enact", office.enactment(number, unanswered)) is Reason.UNANSWERED
    office.office.answer(number, "Because.")
    digest = entry.entry_digest(b"Because.")
    answered = office.approve(number, *registers.ENOUGH, answer=digest)
    office.office.enact(office.enactment(number, answered))
    shown = office.office.face().courses[0]
    assert (shown.stage, shown.answers[0].text) == (Stage.ENACTED, "Because.")


def test_a_comment_that_cannot_be_shown_or_comes_too_late_is_refused(office: Office) -> None:
    number = office.propose(CHANGE)
    for text in ("", "  \n", "x" * 4001, "a\u202eb", "a\x00b", "\ud800"):
        assert code(office, "comment", number, text) is Code.MISSING_MEMBER
    assert code(office, "comment", 0, "Why?") is Code.NOT_FOUND
    assert code(office, "comment", 99, "Why?") is Code.NOT_FOUND
    office.office.withdraw(office.withdrawal(number))
    with pytest.raises(NotLogged):
        office.office.comment(number, "Why?")
    assert office.store.comments() == {}


def test_comments_have_a_cap_for_all_together(office: Office) -> None:
    number = office.propose(CHANGE)
    for _ in range(service.COMMENTS_PER_MINUTE):
        office.office.comment(number, "Why?")
    assert code(office, "comment", number, "Why?") is Code.BUSY
    office.clock.time += 60
    office.office.comment(number, "Why?")


def test_an_erased_comment_keeps_its_digest_and_says_why(office: Office) -> None:
    number = office.propose(CHANGE)
    digest = Digest(bytes.fromhex(office.office.comment(number, "Ada lives in Quay 7").digest))
    office.office.remove(digest, RemovalReason.PERSONAL_DATA)
    assert office.store.comments() == {}
    shown = office.office.face().courses[0].comments[0]
    assert (shown.text, shown.removed, shown.digest) == (None, "personal data", digest.hex())
    with pytest.raises(NotLogged):
        office.office.remove(Digest(bytes(32)), RemovalReason.SPAM)


def test_only_the_proposer_withdraws_and_only_before_it_is_decided(office: Office) -> None:
    number = office.propose(CHANGE)
    other = office.withdrawal(number, "council-2")
    assert refusal(office, "withdraw", other) is Reason.NOT_SIGNED
    office.office.withdraw(office.withdrawal(number))
    assert office.office.face().courses[0].stage is Stage.WITHDRAWN
    decided = office.decide(OTHER)
    assert refusal(office, "withdraw", office.withdrawal(decided)) is Reason.OVER


def test_an_emergency_shrinks_at_once_and_says_when_it_lapses(office: Office) -> None:
    office.decide(CHANGE)
    for said in (Drop(subject="policy:library-card"), SuspendIssuing()):
        base = 1 if isinstance(said, Drop) else 0
        number = office.propose(said, base=base)
        statement = office.approve(number, "council-1", "community-1")
        office.office.enact(office.enactment(number, statement))
    office.wait(1)
    face = office.office.face()
    assert face.asking == ()
    assert face.issuing == "Issuing is suspended: no new cards."
    assert "lapses on" in face.courses[0].said
    office.wait(15 * 86_400)
    assert len(office.office.face().asking) == 1
    assert office.office.face().courses[0].stage is Stage.EXPIRED


@pytest.mark.attack("GOV-012")
def test_of_two_changes_of_one_base_one_is_enacted(office: Office) -> None:
    narrow = registers.policy_change(optional=["locality"])
    first, second = office.propose(CHANGE), office.propose(narrow)
    office.wait(registers.NOTICE + 1)
    votes = {each: office.approve(each, *registers.ENOUGH) for each in (first, second)}
    # each vote is over what was published when it was cast, so both enactments are well formed
    office.office.enact(office.enactment(second, votes[second]))
    late = office.enactment(first, votes[first])
    assert refusal(office, "enact", late) is Reason.OTHER_BASE
    held = office.office.snapshot().register.courses.values()
    assert [each.enacted is not None for each in held] == [False, True]


def test_what_witnesses_have_not_seen_is_logged_and_waits(office: Office) -> None:
    for each in office.log.witnesses.values():
        each.away = True
    logged = office.office.propose(office.proposal(CHANGE), impact_note=register_office.IMPACT)
    assert (logged.number, logged.witnessed) == (1, False)
    assert office.office.face().courses[0].stage is Stage.WAITING
    for each in office.log.witnesses.values():
        each.away = False
    office.wait(60)
    assert office.office.face().courses[0].stage is Stage.IN_NOTICE


def test_a_restart_finds_everything_again_and_tidies_up(office: Office) -> None:
    number = office.decide(CHANGE)
    open_ = office.propose(OTHER)
    kept = office.office.comment(open_, "Stays")
    office.store.keep(
        service.Comment(salt=bytes(32), text="A crash came before this one was logged")
    )
    office.store.keep_document("Nobody names this text")
    before = office.office.face()
    again = office.restarted()
    assert [each.hex() for each in again.store.comments()] == [kept.digest]
    assert list(again.store.documents().values()) == [register_office.IMPACT]
    assert again.office.face() == before
    assert again.course(number).enacted is not None


def test_another_charter_or_an_empty_log_is_not_opened(office: Office) -> None:
    anew = register_office.assemble(office.log, office.store, office.trust, office.clock)
    with pytest.raises(Unusable):
        anew.open(pin=bytes(32))
    assert code(office, "entry", 17) is Code.NOT_FOUND
    empty = log_office.make()
    empty.log.open()
    with pytest.raises(Unusable):
        register_office.assemble(empty, office.store, office.trust, office.clock).open(
            pin=office.pin
        )
    with pytest.raises(ServiceError):
        anew.snapshot()


@pytest.mark.attack("GOV-015")
def test_rows_that_somebody_changed_are_not_opened(office: Office) -> None:
    office.decide(CHANGE)
    rows = office.log.store.rows  # type: ignore[attr-defined]  # the store in memory
    entry_ = rows[1]
    rows[1] = entry_.replace(b'"resident"', b'"portrait"')
    assert rows[1] != entry_
    with pytest.raises(Unusable):
        office.restarted()
    rows[1] = entry_
    office.restarted()


def test_an_enactment_is_summarised_even_if_witnesses_were_away(office: Office) -> None:
    number = office.propose(CHANGE)
    office.wait(registers.NOTICE + 1)
    enactment = office.enactment(number, office.approve(number, *registers.ENOUGH))
    for each in office.log.witnesses.values():
        each.away = True
    assert not office.office.enact(enactment).witnessed
    assert office.entries()[-1].type == "enactment"
    for each in office.log.witnesses.values():
        each.away = False
    office.wait(60)
    assert office.entries()[-1].type == "summary"


def test_a_complaint_is_counted_by_what_may_be_published_and_forgotten(office: Office) -> None:
    library = office.city.verifiers["library"]
    request = requests.asking(library, "resident", "birth_date")
    file = over_asking.write(request, known=library.policy)
    keys = office.office.complain(file)
    assert [(each.quarter, each.verifier, each.policy, each.excess) for each in keys] == [
        ("2027-Q1", "Exampleton Library", "library-card", "facts: birth_date")
    ]
    office.office.complain(file)
    shown = office.office.face().complaints
    assert (len(shown), shown[0].number) == (1, 2)
    assert shown[0].excess == "asks for facts that the policy does not list: birth_date"
    assert code(office, "complain", b"{}") is Code.BAD_JSON
    within = over_asking.write(requests.asking(library, "resident"), known=library.policy)
    assert code(office, "complain", within) is Code.POLICY_VIOLATION
    office.trust.known = None
    assert code(office, "complain", file) is Code.UNAVAILABLE


def test_a_request_within_a_policy_that_was_enacted_once_is_no_over_asking(
    office: Office,
) -> None:
    own = office.city.verifiers["library"].policy
    wide = replace(own, optional=("given_name", "locality"), expires=date(2028, 1, 1))
    office.decide(PolicyChange(policy=wide))
    library = office.city.verifiers["library"]
    request = requests.asking(
        library, "resident", "locality", options=(("resident", "locality"), ("resident",))
    )
    file = over_asking.write(request, known=library.policy)
    assert code(office, "complain", file) is Code.POLICY_VIOLATION


def test_complaints_have_a_cap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COMPLAINTS_PER_MINUTE", 1)
    assert code(office, "complain", b"{}") is Code.BAD_JSON
    assert code(office, "complain", b"{}") is Code.BUSY


def test_an_entry_comes_with_its_proof_and_checkpoint(office: Office) -> None:
    office.propose(CHANGE)
    octets, proof, checkpoint = office.office.entry(0)
    assert octets == office.office.snapshot().entries[0]
    assert len(proof) == 1
    assert checkpoint is not None
    assert note.parse(checkpoint.encode()) == office.published().note


def test_an_enactment_brings_no_vote_that_is_nobodys(office: Office) -> None:
    # a vote has a name and 64 octets: text that would stand in the log for ever
    number = office.propose(CHANGE)
    office.wait(registers.NOTICE + 1)
    statement = office.approve(number, *registers.ENOUGH)
    said = office.enactment(number, statement)
    told = ["ada-12-main-street", base64url.encode(b"x" * 64)]
    votes = members.array(said["votes"])
    assert refusal(office, "enact", {**said, "votes": [*votes, told]}) is Reason.NOT_SIGNED
    assert office.office.enact(said).witnessed


def test_no_seat_makes_the_answer_about_votes_long(office: Office) -> None:
    number = office.propose(CHANGE)
    for seat in ("council-1", "council-2"):
        for _ in range(3):
            office.approve(number, seat)
    assert len(members.array(office.office.votes(number)["statements"])) == 2


def test_what_has_enough_votes_is_told_whatever_its_voters_voted_before(office: Office) -> None:
    number = office.propose(CHANGE)
    office.wait(registers.NOTICE + 1)
    c2 = office.published().note
    said = [
        replace(office.statement(number, c2), hearing=date(2027, 1, each)) for each in range(1, 5)
    ]
    for each, *seats in (
        (0, "council-1", "agency-1"),
        (1, "council-1"),
        (2, "agency-1"),
        (3, "community-1"),
        (0, "community-1"),
    ):
        for seat in seats:
            signed = office.approval(said[each], seat)
            office.office.approve(signed, checkpoint_note=c2.octets().decode(), minutes=None)
    told = members.array(office.office.votes(number)["statements"])
    complete = [each for each in told if len(members.array(members.any_object(each)["votes"])) == 3]
    assert [members.any_object(each)["statement"] for each in complete] == [
        wire.write_statement(said[0])
    ]


def test_a_checkpoint_with_a_clock_of_the_far_future_takes_nothing_down(office: Office) -> None:
    signed = office.published()
    late = notaries.cosigned(signed, ("south.example/witness", 1 << 39)).note
    office.store.keep_checkpoint(late, size=signed.checkpoint.head.size)
    again = office.restarted()
    assert again.office.face().log.witnessed is not None
    again.office.propose(office.proposal(CHANGE), impact_note=IMPACT)
    told = {"checkpoint_note": late.octets().decode(), "minutes": None}
    said = again.approval(again.statement(1, late), "council-1")
    assert refusal(again, "approve", said, **told) is Reason.CHECKPOINT


def test_even_times_beyond_every_calendar_can_be_written() -> None:
    for far in (1 << 39, 1 << 53):
        assert plain_words.iso(UnixSeconds(far)).startswith("9999")
