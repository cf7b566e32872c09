"""Showing a BBS card: bound to the question, as often as one likes, a name only by its own yes."""

import dataclasses

import pytest

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.jose import jwe
from idservice import catalogue, period
from idservice.period import Period
from idservice.verification import dcql, openid4vp, openid4vp_answer, showing, verify
from idservice.verification.openid4vp import EncryptionKey, ResponseMode
from idservice.verification.status import KeptLists
from idservice.wallet.model import Declined, Unusable
from idservice.wallet.question import Objection, Question
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT, p256


@pytest.fixture(scope="module")
def city():
    return holders.taking_bbs(fake_city.make())


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive_bbs()
    holder.wire.sent.clear()
    return holder


def query(verifier, *, required=None, optional=None, **changes):
    made = dcql.for_facts(
        vct=verifier.policy.vct,
        required=verifier.policy.required if required is None else required,
        optional=verifier.policy.optional if optional is None else optional,
        credential_format=catalogue.BBS_FORMAT,
    )
    credential = dataclasses.replace(made.credentials[0], **changes)
    return dcql.Query(credentials=(credential,), credential_sets=())


@dataclasses.dataclass
class Asked:
    """A question on its way: how it was asked, the served text, what the wallet made of it."""

    asking: fake_wire.Asking
    token: str
    found: Question | Objection


def ask(holder, name="library", **changes):
    verifier = holder.city.verifiers[name]
    asking = fake_wire.asking(verifier, **({"query": query(verifier)} | changes))
    token = fake_wire.signed(asking)
    return Asked(asking, token, holder.service.ask(fake_wire.put(holder.wire, asking, token)))


def posted(holder):
    """Take the presentation out of the last answer."""
    answer = openid4vp_answer.parse_answer(fake_wire.form(holder.wire.sent[-1]))
    assert isinstance(answer, openid4vp_answer.PlainAnswer)
    return openid4vp_answer.presentation_in(answer)


def accepted(holder, asked, presentation, **changes):
    """Check a presentation as the verifier who asked does."""
    told = {
        "policy": holder.city.policies[asked.asking.policy],
        "audience": asked.asking.client_id,
        "nonce": asked.asking.nonce,
        "trust": holder.city.trust,
        "status": KeptLists(),
        "now": holder.clock.now(),
        "request_hashes": (showing.request_hash(asked.token),),
    }
    return verify.verify_presentation(presentation, **(told | changes))


def show(holder, name="library", *, shared=(), pseudonym=False, **changes):
    asked = ask(holder, name, **changes)
    assert isinstance(asked.found, Question), asked.found
    holder.service.answer(asked.found, shared=shared, reuse=False, pseudonym=pseudonym)
    return asked, posted(holder)


# showing


def test_only_what_is_required_is_shown_unless_the_holder_picks_more(holder):
    asked, presentation = show(holder)
    assert dict(accepted(holder, asked, presentation).facts) == {"resident": True}
    slots = jwp.parse(presentation).payloads
    assert [catalogue.BBS_SLOTS[slot] for slot in slots] == ["resident"]
    asked, presentation = show(holder, shared=("given_name",))
    facts = accepted(holder, asked, presentation).facts
    assert dict(facts) == {"resident": True, "given_name": "Ada"}


def test_presentation_header_is_the_questions_and_nothing_of_ours(holder):
    asked, presentation = show(holder)
    header = canonical_json.parse_object(jwp.parse(presentation).presentation_header)
    assert header == {
        "alg": jwp.ALG,
        "aud": asked.asking.client_id,
        "nonce": asked.asking.nonce,
        "request_hash": base64url.encode(showing.request_hash(asked.token)),
    }


def test_members_of_an_object_are_shown_one_by_one(holder):
    asked, presentation = show(holder, "bank", shared=("address.locality",))
    assert dict(accepted(holder, asked, presentation).facts) == {
        "given_name": "Ada",
        "family_name": "Okonkwo",
        "birth_date": "1990-04-12",
        "address.locality": "Exampleton",
    }


def test_portrait_is_shown_with_its_salt(city):
    holder = holders.make(city)
    picture = "data:image/jpeg;base64,/9j/4CBhIHNtYWxsIHBpY3R1cmUg/9k="
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        {**RESIDENT, "portrait": picture}, commitment
    )
    holder.receive_bbs()
    asked, presentation = show(holder, "bar", shared=("portrait",))
    facts = accepted(holder, asked, presentation).facts
    assert dict(facts) == {"age_over_18": True, "portrait": picture}


def test_request_by_post_is_bound_with_the_wallets_nonce_in_it(holder):
    verifier = holder.city.verifiers["library"]
    asking = fake_wire.asking(verifier, query=query(verifier), post=True)
    question = holder.service.ask(fake_wire.put(holder.wire, asking))
    nonce = fake_wire.form(holder.wire.sent[0])["wallet_nonce"]
    served = fake_wire.signed(asking, wallet_nonce=nonce)
    assert question.request_hash == showing.request_hash(served)


def test_answer_is_encrypted_where_the_request_asks_for_it(holder):
    key = p256("passing key")
    encryption = EncryptionKey(key=key.public_key(), kid="1", encryptions=openid4vp.ENCRYPTIONS)
    asked = ask(holder, mode=ResponseMode.DIRECT_POST_JWT, encryption=encryption)
    holder.service.answer(asked.found, shared=(), reuse=False)
    response = fake_wire.form(holder.wire.sent[-1])["response"]
    opened = jwe.decrypt(response, private_key=key, encryptions=frozenset(openid4vp.ENCRYPTIONS))
    answer = openid4vp_answer.PlainAnswer(
        vp_token=canonical_json.parse_object(opened.plaintext)["vp_token"], state=None
    )
    presentation = openid4vp_answer.presentation_in(answer)
    assert accepted(holder, asked, presentation).facts["resident"] is True


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"audience": "x509_san_dns:bar.example"}, "wrong_audience"),
        ({"nonce": "another"}, "wrong_nonce"),
        ({"request_hashes": (bytes(32),)}, "holder_binding"),
        ({"request_hashes": None}, "holder_binding"),
    ],
)
def test_answer_is_worth_nothing_elsewhere(holder, changes, code):
    asked, presentation = show(holder)
    with pytest.raises(verify.PresentationRefused) as refused:
        accepted(holder, asked, presentation, **changes)
    assert refused.value.code.value == code
    assert accepted(holder, asked, presentation)


# any number of times


@pytest.mark.threat("T69")
def test_showings_have_nothing_in_common_but_what_everybody_has(holder):
    seen = [jwp.parse(show(holder, nonce=f"question-{number}")[1]) for number in range(3)]
    assert len({one.header for one in seen}) == 1
    assert seen[0].header == holder.city.announced_bbs.header
    assert len({len(one.proof) for one in seen}) == 1
    windows = [{one.proof[at : at + 16] for at in range(len(one.proof) - 15)} for one in seen]
    assert not windows[0] & windows[1] | windows[1] & windows[2] | windows[0] & windows[2]


def test_nothing_is_written_of_a_showing(holder):
    before, saves = holder.store.content, holder.store.saves
    for number in range(3):
        show(holder, nonce=f"question-{number}")
    assert (holder.store.content, holder.store.saves) == (before, saves)


@pytest.mark.threat("T22")
def test_receipts_are_kept_only_when_switched_on(holder):
    holder.service.keep_receipts(on=True)
    show(holder, shared=("given_name",))
    show(holder, pseudonym=True)
    plain, named = holder.service.wallet().receipts
    assert (plain.claims, plain.pseudonym) == (("resident", "given_name"), False)
    assert (named.claims, named.pseudonym) == (("resident",), True)


def test_same_question_answered_twice_gives_two_different_proofs(holder):
    asked = ask(holder)
    proofs = set()
    for _ in range(2):
        holder.service.answer(asked.found, shared=(), reuse=False)
        proofs.add(posted(holder))
    assert len(proofs) == 2


# a name to be recognised by


def named(holder, **changes):
    asked, presentation = show(holder, pseudonym=True, **changes)
    accepted(holder, asked, presentation)
    return jwp.parse(presentation).pseudonym


@pytest.mark.threat("T70")
def test_no_name_is_shown_without_a_yes_of_its_own(holder):
    asked, presentation = show(holder, shared=("given_name",))
    assert asked.found.pseudonym == "member"
    assert jwp.parse(presentation).pseudonym is None


def test_a_policy_recognises_its_holder_again(holder, city):
    first, second = named(holder), named(holder, nonce="question-2")
    assert first == second
    neighbour = holders.make(city)
    neighbour.service._random_bytes = fake_city.chance("neighbour")
    neighbour.receive_bbs()
    assert named(neighbour) != first


def test_name_changes_with_the_period(holder):
    first = named(holder)
    late = period.not_before(Period(holder.city.period + 1))
    holder.clock.time = late - period.DAY
    holder.wire.bbs_issuing = next_period
    holder.service.renew(catalogue.BBS_CONFIGURATION)
    assert named(holder) == first
    holder.clock.time = late
    assert named(holder) != first


def next_period(city, commitment):
    entry = city.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=Period(city.period + 1)
    )
    return city.issue_bbs(RESIDENT, commitment, announced=entry)


@pytest.mark.threat("T70")
def test_context_is_derived_from_the_policy_and_never_from_the_request(holder):
    verifier = holder.city.verifiers["library"]
    asking = fake_wire.asking(verifier, query=query(verifier))
    info = [
        {
            "format": "idservice-policy",
            "data": {"policy": "library-card", "nym_context": "x", "pseudonym": "tracker"},
        }
    ]
    written = openid4vp.write_request(fake_wire.request_of(asking))
    written["dcql_query"]["credentials"][0]["nym_context"] = "x"
    changes = {**written, "verifier_info": info, "nym_context": "x", "pseudonym": "tracker"}
    token = fake_wire.signed(asking, changes=changes)
    question = holder.service.ask(fake_wire.put(holder.wire, asking, token))
    holder.service.answer(question, shared=(), reuse=False, pseudonym=True)
    presentation = posted(holder)
    context = showing.nym_context(
        label="member", city=holder.city.issuer, policy="library-card", period=holder.city.period
    )
    header = canonical_json.parse_object(jwp.parse(presentation).presentation_header)
    assert header["nym_context"] == base64url.encode(context)


@pytest.mark.parametrize("name", ["bar", "bank"])
def test_policy_without_a_label_gets_no_name(holder, name):
    asked = ask(holder, name)
    assert asked.found.pseudonym is None
    sent = len(holder.wire.sent)
    with pytest.raises(Unusable, match="knows no pseudonym"):
        holder.service.answer(asked.found, shared=(), reuse=False, pseudonym=True)
    assert len(holder.wire.sent) == sent


def test_no_name_with_the_other_kind_of_card(holder):
    holder.receive()
    question = holder.service.ask(
        fake_wire.put(holder.wire, fake_wire.asking(holder.city.verifiers["library"]))
    )
    assert question.pseudonym is None
    with pytest.raises(Unusable, match="knows no pseudonym"):
        holder.service.answer(question, shared=(), reuse=False, pseudonym=True)


# which card


def test_each_request_is_answered_in_its_own_format(holder):
    holder.receive()
    verifier = holder.city.verifiers["library"]
    assert ask(holder).found.holding.card.lasting
    plain = holder.service.ask(fake_wire.put(holder.wire, fake_wire.asking(verifier)))
    assert plain.holding.card.format == catalogue.FORMAT


def test_other_kind_of_card_is_named_in_the_sentence(holder, city):
    verifier = holder.city.verifiers["library"]
    found = holder.service.ask(fake_wire.put(holder.wire, fake_wire.asking(verifier)))
    assert "the other kind of card" in found.sentence
    empty = holders.make(city)
    assert ask(empty).found.sentence == "You have no card that is valid today."


OBJECTIONS = {
    "over-asking": (
        lambda verifier: {"query": query(verifier, required=("resident", "family_name"))},
        "asks for family_name, which",
    ),
    "issuer's own claim": (
        lambda verifier: {"query": query(verifier, required=("resident", "renewal_handle"))},
        "asks for renewal_handle",
    ),
    "insisting on an optional claim": (
        lambda verifier: {
            "query": query(verifier, required=("resident", "given_name"), optional=())
        },
        "leaves to your choice",
    ),
    "another credential": (
        lambda verifier: {"query": query(verifier, vct_values=("https://x/vct",))},
        "another credential",
    ),
    "borrowed policy": (lambda _verifier: {"policy": "bank-account"}, "borrowed its name"),
    "no policy": (lambda _verifier: {"policy": None}, "names no policy"),
}


@pytest.mark.threat("T39")
@pytest.mark.parametrize("name", OBJECTIONS)
def test_beyond_the_policy_is_refused_with_an_exact_sentence(holder, name):
    make, words = OBJECTIONS[name]
    found = ask(holder, **make(holder.city.verifiers["library"])).found
    assert isinstance(found, Objection)
    assert words in found.sentence
    assert isinstance(ask(holder).found, Question)


def test_format_that_the_policy_does_not_list_is_refused(holder):
    formats = {"formats": [catalogue.FORMAT], "pseudonym": None}
    policies = [{**one, **formats} for one in holder.city.payload["policies"]]
    data = holder.city.sign_bundle({**holder.city.payload, "version": 8, "policies": policies})
    holder.service.pin(data, root_fingerprint=None)
    found = ask(holder).found
    assert "another credential than the policy" in found.sentence


@pytest.mark.parametrize("together", [True, False])
def test_two_formats_in_one_request_are_refused(holder, together):
    holder.receive()
    verifier = holder.city.verifiers["library"]
    asking = fake_wire.asking(verifier, query=query(verifier))
    written = openid4vp.write_request(fake_wire.request_of(asking))["dcql_query"]
    (first,) = written["credentials"]
    written["credentials"] = [first, {**first, "id": "other", "format": catalogue.FORMAT}]
    if not together:
        written["credential_sets"] = [{"options": [["resident"], ["other"]]}]
    token = fake_wire.signed(asking, changes={"dcql_query": written})
    found = holder.service.ask(fake_wire.put(holder.wire, asking, token))
    assert "more than one credential" in found.sentence


# the period


def test_next_periods_card_is_switched_to_at_the_boundary_and_not_before(holder):
    boundary = period.not_before(Period(holder.city.period + 1))
    holder.clock.time = boundary - 3 * period.DAY
    holder.wire.bbs_issuing = next_period
    holder.service.renew(catalogue.BBS_CONFIGURATION)
    for seconds, ahead in ((-1, 0), (0, 1), (period.DAY, 1)):
        holder.clock.time = boundary + seconds
        asked, presentation = show(holder)
        assert asked.found.holding.card.period == holder.city.period + ahead
        assert accepted(holder, asked, presentation)


def test_card_counts_for_a_day_after_its_period_and_no_longer(holder):
    boundary = period.not_before(Period(holder.city.period + 1))
    holder.clock.time = boundary + period.DAY - 1
    assert isinstance(ask(holder).found, Question)
    holder.clock.time = boundary + period.DAY
    assert "no card that is valid" in ask(holder).found.sentence


def test_city_that_takes_its_announcement_back_is_told(holder):
    asked = ask(holder)
    kept = [
        one
        for one in holder.city.payload["announced"]
        if (one["format"], one["period"]) != (catalogue.BBS_FORMAT, holder.city.period)
    ]
    data = holder.city.sign_bundle({**holder.city.payload, "version": 8, "announced": kept})
    holder.service.pin(data, root_fingerprint=None)
    sent = len(holder.wire.sent)
    with pytest.raises(Declined, match="no longer announces"):
        holder.service.answer(asked.found, shared=(), reuse=False)
    assert len(holder.wire.sent) == sent


def test_another_key_for_an_announced_period_is_not_taken_over(holder):
    other = base64url.encode(fake_city.bbs_key("another").public.octets)
    changed = [
        {**one, "public_key": other}
        if (one["format"], one["period"]) == (catalogue.BBS_FORMAT, holder.city.period)
        else one
        for one in holder.city.payload["announced"]
    ]
    data = holder.city.sign_bundle({**holder.city.payload, "version": 8, "announced": changed})
    with pytest.raises(Declined, match="not in force"):
        holder.service.pin(data, root_fingerprint=None)


@pytest.mark.threat("T23")
def test_refusing_looks_the_same_with_either_card(holder, city):
    empty = holders.make(city)
    seen = []
    for somebody in (holder, empty):
        found = ask(somebody).found
        before = len(somebody.wire.sent)
        somebody.service.refuse(found.request)
        seen.append([dataclasses.asdict(one) for one in somebody.wire.sent[before:]])
    assert seen[0] == seen[1]
