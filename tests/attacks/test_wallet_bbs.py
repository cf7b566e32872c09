"""What verifiers, issuers and go-betweens try on a wallet that holds a BBS card."""

import dataclasses

import pytest

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.jose import web_proof
from idservice import catalogue, period
from idservice.period import Period
from idservice.verification import dcql, openid4vp_answer, showing, verify
from idservice.verification.status import KeptLists
from idservice.wallet.model import Declined
from idservice.wallet.question import Objection, Question
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT

BBS = catalogue.BBS_CONFIGURATION
WINDOW = 12
"""Octets that no two messages share by chance."""


@pytest.fixture(scope="module")
def city():
    return holders.taking_bbs(fake_city.make())


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive_bbs()
    return holder


def asking(holder, name, **changes):
    verifier = holder.city.verifiers[name]
    query = dcql.for_facts(
        vct=verifier.policy.vct,
        required=verifier.policy.required,
        optional=verifier.policy.optional,
        credential_format=catalogue.BBS_FORMAT,
    )
    return fake_wire.asking(verifier, **({"query": query} | changes))


def ask(holder, asked, token=None):
    token = token or fake_wire.signed(asked)
    return holder.service.ask(fake_wire.put(holder.wire, asked, token))


def show(holder, name, *, pseudonym=False, **changes):
    asked = asking(holder, name, **changes)
    question = ask(holder, asked)
    holder.service.answer(question, shared=(), reuse=False, pseudonym=pseudonym)
    return posted(holder)


def posted(holder):
    answer = openid4vp_answer.parse_answer(fake_wire.form(holder.wire.sent[-1]))
    return openid4vp_answer.presentation_in(answer)


def windows(*parts):
    return {part[at : at + WINDOW] for part in parts for at in range(len(part) - WINDOW + 1)}


def octets(presentation):
    """Everything in a showing but what everybody shows, the question, and the facts."""
    return windows(jwp.parse(presentation).proof)


@pytest.mark.attack("PRIV-002")
@pytest.mark.threat("T69")
def test_issuer_that_recorded_everything_finds_nothing_of_it_in_a_showing(holder):
    """It keeps the request and the credential, and pools them with what a verifier received."""
    (request,) = [one for one in holder.wire.sent if one.url.endswith("/credential")]
    commitment = canonical_json.parse_object(request.body)["proofs"]["bbs_commitment"][0]
    card = holder.service.wallet().cards[0].instances[0]
    issued = web_proof.parse(card.credential, headers=web_proof.ISSUED)
    recorded = windows(base64url.decode(commitment), *issued.payloads.values(), *issued.values)
    assert recorded & windows(*issued.values)
    for name in ("library", "bar"):
        assert not recorded & octets(show(holder, name))
    assert not recorded & windows(jwp.parse(show(holder, "library", pseudonym=True)).pseudonym)


@pytest.mark.attack("PRIV-003")
@pytest.mark.threat("T69")
def test_two_verifiers_find_nothing_equal_but_what_everybody_shows(holder, city):
    first, second = (jwp.parse(show(holder, name)) for name in ("library", "bar"))
    assert first.header == second.header == city.announced_bbs.header
    assert not windows(first.proof) & windows(second.proof)
    said = [canonical_json.parse_object(one.presentation_header) for one in (first, second)]
    assert {name for name in said[0] if said[0][name] == said[1][name]} == {"alg", "nonce"}
    neighbour = holders.make(city)
    neighbour.service._random_bytes = fake_city.chance("neighbour")
    neighbour.receive_bbs()
    other = jwp.parse(show(neighbour, "library"))
    assert (other.header, len(other.proof)) == (first.header, len(first.proof))
    assert other.presentation_header == first.presentation_header


@pytest.mark.attack("PRIV-007")
def test_secret_is_fresh_at_every_issuing(holder):
    holder.clock.time = period.not_before(Period(holder.city.period + 1)) - period.DAY
    entry = holder.city.trust.find_bbs(configuration=BBS, period=Period(holder.city.period + 1))
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        RESIDENT, commitment, announced=entry
    )
    holder.service.renew(BBS)
    old, new = (card.instances[0].key for card in holder.service.wallet().cards)
    assert old.nym != new.nym
    sent = [one.body for one in holder.wire.sent if one.url.endswith("/credential")]
    assert len(set(sent)) == 2


@pytest.mark.attack("OID4VCI-007")
def test_offer_without_transaction_code_is_refused(city):
    holder = holders.make(city)
    offer = fake_wire.offer(city, with_code=False, configuration=BBS)
    with pytest.raises(Declined, match="anybody could take it"):
        holder.receive(fake_wire.offer_link(offer))
    assert holder.wire.sent == []
    assert holder.receive_bbs().lasting


@pytest.mark.attack("OID4VP-004")
@pytest.mark.attack("BBS-013")
@pytest.mark.threat("T53")
def test_relayed_request_binds_the_answer_to_who_really_asked(holder, city):
    """The bar shows the library's request; what it gets is worth nothing to itself."""
    asked = asking(holder, "library")
    relayed = dataclasses.replace(asked, client_id=city.verifiers["bar"].dns_client_id)
    with pytest.raises(Declined):
        ask(holder, relayed, fake_wire.signed(asked))
    question = ask(holder, asked)
    holder.service.answer(question, shared=(), reuse=False)
    assert holder.wire.sent[-1].url == asked.response_uri
    told = {
        "nonce": asked.nonce,
        "trust": city.trust,
        "status": KeptLists(),
        "now": city.now,
        "request_hashes": (question.request_hash,),
    }
    library = {"policy": city.policies["library-card"], "audience": asked.client_id}
    bar = {"policy": city.policies["bar-entry"], "audience": relayed.client_id}
    assert verify.verify_presentation(posted(holder), **told, **library)
    with pytest.raises(verify.PresentationRefused):
        verify.verify_presentation(posted(holder), **told, **bar)


@pytest.mark.attack("BBS-013")
def test_answer_to_a_request_that_was_changed_is_no_answer_to_the_other(holder, city):
    """Same verifier, same nonce, another request object: the answer says which one was asked."""
    asked = asking(holder, "library")
    question = ask(holder, asked, fake_wire.signed(asked, changes={"exp": city.now + 99}))
    holder.service.answer(question, shared=(), reuse=False)
    served = showing.request_hash(fake_wire.signed(asked))
    assert question.request_hash != served
    with pytest.raises(verify.PresentationRefused):
        verify.verify_presentation(
            posted(holder),
            policy=city.policies["library-card"],
            audience=asked.client_id,
            nonce=asked.nonce,
            trust=city.trust,
            status=KeptLists(),
            now=city.now,
            request_hashes=(served,),
        )


@pytest.mark.attack("OID4VP-015")
@pytest.mark.threat("T53")
@pytest.mark.parametrize(
    "forge",
    [
        lambda asked: fake_wire.signed(asked).rpartition(".")[0] + ".",
        lambda asked: fake_wire.signed(asked, changes={"aud": "https://self-issued.me/v1"}),
        lambda asked: fake_wire.signed(asked, header={"typ": "JWT"}),
        lambda asked: fake_wire.signed(asked, changes={"response_uri": "https://evil.example/a"}),
        lambda asked: fake_wire.signed(asked, changes={"transaction_data": ["e30"]}),
    ],
)
def test_request_that_is_not_the_verifiers_is_not_answered_at_all(holder, forge):
    asked = asking(holder, "library")
    before, sent = holder.store.content, len(holder.wire.sent)
    with pytest.raises(Declined, match="The request cannot be used"):
        ask(holder, asked, forge(asked))
    assert [one.method for one in holder.wire.sent[sent:]] == ["GET"]
    assert holder.store.content == before
    holder.wire.requests.clear()
    assert isinstance(ask(holder, asked), Question)


@pytest.mark.attack("BBS-029")
@pytest.mark.threat("T70")
def test_names_at_two_policies_or_of_two_people_have_nothing_in_common(city):
    """Both policies use the same label; a request that names another is not listened to."""
    policies = [{**one, "pseudonym": "member"} for one in city.payload["policies"]]
    labelled = city.sign_bundle({**city.payload, "version": 8, "policies": policies})
    names = []
    for seed in ("Ada", "Bo"):
        somebody = holders.make(city)
        somebody.service._random_bytes = fake_city.chance(seed)
        somebody.service.pin(labelled, root_fingerprint=None)
        somebody.receive_bbs()
        shown = [show(somebody, name, pseudonym=True) for name in ("library", "bar", "library")]
        names.extend(jwp.parse(one).pseudonym for one in shown)
    assert (names[0], names[3]) == (names[2], names[5])
    assert len(set(names)) == 4


@pytest.mark.attack("BBS-029")
@pytest.mark.threat("T70")
@pytest.mark.parametrize("label", ["x", None])
def test_verifier_cannot_get_a_name_by_asking(holder, label):
    asked = asking(holder, "bar")
    changes = {"pseudonym": label, "nym_context": "x"}
    question = ask(holder, asked, fake_wire.signed(asked, changes=changes))
    assert question.pseudonym is None
    holder.service.answer(question, shared=(), reuse=False)
    assert jwp.parse(posted(holder)).pseudonym is None


@pytest.mark.attack("BBS-030")
@pytest.mark.parametrize("value", [False, None])
def test_fact_that_is_not_true_is_not_shown(city, value):
    holder = holders.make(city)
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        {**RESIDENT, "age_over_18": value}, commitment
    )
    holder.receive_bbs()
    found = ask(holder, asking(holder, "bar"))
    assert isinstance(found, Objection)
    assert found.sentence == "Your card does not show age_over_18."
    assert isinstance(ask(holder, asking(holder, "library")), Question)


@pytest.mark.attack("BBS-025")
def test_every_showing_draws_fresh_chance(holder):
    """The same question, answered twice by one wallet, gives proofs that share no part."""
    first, second = (jwp.parse(show(holder, "library")) for _ in range(2))
    assert first.presentation_header == second.presentation_header
    assert not windows(first.proof) & windows(second.proof)
