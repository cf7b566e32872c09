import dataclasses
import json

import pytest

from crypto.encoding import canonical_json
from crypto.jose import jwe, jwk
from crypto.sdjwt import sd_jwt
from idservice import catalogue, period
from idservice.verification import dcql, openid4vp, openid4vp_answer
from idservice.verification.openid4vp import EncryptionKey, ResponseMode
from idservice.wallet.model import AllShown, Declined, Unusable, Use
from idservice.wallet.question import Objection, Question
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT, p256


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive()
    holder.wire.sent.clear()
    return holder


def asks(holder, name="library", token=None, **changes):
    asked = fake_wire.asking(holder.city.verifiers[name], **changes)
    return asked, holder.service.ask(fake_wire.put(holder.wire, asked, token))


def query(holder, name, *, required=(), optional=(), **changes):
    verifier = holder.city.verifiers[name]
    made = dcql.for_facts(vct=verifier.policy.vct, required=required, optional=optional)
    credential = dataclasses.replace(made.credentials[0], **changes)
    return dcql.Query(credentials=(credential,), credential_sets=())


def disclosed(claims):
    return {name: claims[name] for name in claims if name in RESIDENT}


# showing


def test_only_what_is_required_is_shown_unless_the_holder_picks_more(holder):
    asked, question = asks(holder)
    assert isinstance(question, Question)
    assert (question.needed, question.choices) == (("resident",), ("given_name",))
    assert holder.service.answer(question, shared=(), reuse=False) is None
    claims = fake_wire.shown_to(asked, holder.wire.sent[-1], city=holder.city)
    assert disclosed(claims) == {"resident": True}


def test_optional_claims_are_shown_when_picked(holder):
    asked, question = asks(holder, "bank")
    holder.service.answer(question, shared=("address.locality",), reuse=False)
    claims = fake_wire.shown_to(asked, holder.wire.sent[-1], city=holder.city)
    assert disclosed(claims) == {
        "given_name": "Ada",
        "family_name": "Okonkwo",
        "birth_date": "1990-04-12",
    }
    assert claims["address"] == {"locality": "Exampleton"}


def test_absent_claims_are_not_even_a_choice(holder):
    _, question = asks(holder, "bank")
    assert "address.care_of" not in question.choices
    assert "portrait" not in question.choices
    with pytest.raises(Unusable, match="leaves to your choice"):
        holder.service.answer(question, shared=("portrait",), reuse=False)


@pytest.mark.parametrize(("value", "choices"), [("Ada", ("given_name",)), ("Eve", ())])
def test_an_optional_claim_is_a_choice_only_with_a_value_that_is_asked_for(holder, value, choices):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    changed = openid4vp.write_request(fake_wire.request_of(asked))["dcql_query"]
    for claim in changed["credentials"][0]["claims"]:
        claim["values"] = [value] if claim["path"] == ["given_name"] else [True]
    _, question = asks(holder, token=fake_wire.signed(asked, changes={"dcql_query": changed}))
    assert isinstance(question, Question)
    assert question.choices == choices


def test_a_claim_that_was_not_asked_for_cannot_be_shared(holder):
    _, question = asks(holder)
    with pytest.raises(Unusable):
        holder.service.answer(question, shared=("family_name",), reuse=False)
    assert holder.service.wallet().cards[0].fresh() == catalogue.BATCH - 1


def test_request_by_post_carries_a_nonce_that_comes_back_signed(holder):
    _, question = asks(holder, post=True)
    assert isinstance(question, Question)
    told = fake_wire.form(holder.wire.sent[0])
    assert question.request.wallet_nonce == told["wallet_nonce"]
    _, again = asks(holder, post=True)
    assert again.request.wallet_nonce != question.request.wallet_nonce


def test_hash_of_the_certificate_names_a_verifier_too(holder):
    verifier = holder.city.verifiers["library"]
    asked, question = asks(holder, client_id=verifier.hash_client_id)
    holder.service.answer(question, shared=(), reuse=False)
    assert fake_wire.shown_to(asked, holder.wire.sent[-1], city=holder.city)["resident"] is True


def test_answer_is_encrypted_where_the_request_asks_for_it(holder):
    key = p256("passing key")
    encryption = EncryptionKey(key=key.public_key(), kid="1", encryptions=openid4vp.ENCRYPTIONS)
    asked, question = asks(holder, mode=ResponseMode.DIRECT_POST_JWT, encryption=encryption)
    holder.service.answer(question, shared=(), reuse=False)
    posted = fake_wire.form(holder.wire.sent[-1])
    assert posted.keys() == {"response"}
    opened = jwe.decrypt(
        posted["response"], private_key=key, encryptions=frozenset(openid4vp.ENCRYPTIONS)
    )
    payload = canonical_json.parse_object(opened.plaintext)
    assert payload["state"] == asked.state
    assert jwk.thumbprint(key.public_key())
    assert opened.header["enc"] == "A256GCM"


def test_holder_goes_on_where_the_verifier_says(holder):
    holder.wire.redirect_uri = "https://library.example/done?response_code=1"
    _, question = asks(holder)
    assert holder.service.answer(question, shared=(), reuse=False) == holder.wire.redirect_uri


def test_redirect_with_control_characters_is_not_printed(holder):
    holder.wire.redirect_uri = "https://library.example/\x1b[2J"
    _, question = asks(holder)
    assert holder.service.answer(question, shared=(), reuse=False) is None


def test_verifier_that_does_not_take_the_answer_is_told(holder):
    asked, question = asks(holder)
    holder.wire.answers[asked.response_uri] = fake_wire.as_json({"error": "x"}, status=400)
    with pytest.raises(Declined, match="did not take the answer"):
        holder.service.answer(question, shared=(), reuse=False)


# one-time instances


@pytest.mark.threat("T14")
def test_each_instance_is_shown_once(holder):
    keys = set()
    for _ in range(catalogue.BATCH - 1):
        asked, question = asks(holder)
        holder.service.answer(question, shared=(), reuse=False)
        claims = fake_wire.shown_to(asked, holder.wire.sent[-1], city=holder.city)
        keys.add(json.dumps(claims["cnf"], sort_keys=True))
    assert len(keys) == catalogue.BATCH - 1
    _, question = asks(holder)
    sent = len(holder.wire.sent)
    with pytest.raises(AllShown):
        holder.service.answer(question, shared=(), reuse=False)
    assert len(holder.wire.sent) == sent
    holder.service.answer(question, shared=(), reuse=True)
    card = holder.service.wallet().cards[0]
    assert sorted(one.showings for one in card.instances) == [0, *[1] * 18, 2]
    assert [one.use for one in card.instances].count(Use.KEPT) == 1


def test_crash_between_marking_and_posting_wastes_an_instance_and_shows_none_twice(holder):
    def crash(_request):
        raise KeyboardInterrupt

    shown = set()
    for _ in range(3):
        asked, question = asks(holder)
        holder.wire.on_post = crash
        with pytest.raises(KeyboardInterrupt):
            holder.service.answer(question, shared=(), reuse=False)
        holder.wire.on_post = lambda _request: None
        shown.add(fake_wire.form(holder.wire.sent[-1])["vp_token"].split(".")[1])
        assert asked.response_uri == holder.wire.sent[-1].url
    assert len(shown) == 3
    assert holder.service.wallet().cards[0].fresh() == catalogue.BATCH - 4


def test_nothing_is_sent_when_the_mark_cannot_be_saved(holder):
    _, question = asks(holder)
    sent = len(holder.wire.sent)

    def full(_count):
        raise Unusable("The wallet file could not be written; nothing was sent.")

    holder.store.before_save = full
    with pytest.raises(Unusable):
        holder.service.answer(question, shared=(), reuse=False)
    assert len(holder.wire.sent) == sent


def test_mark_is_on_the_disk_before_the_answer_is_posted(holder):
    asked, question = asks(holder)
    seen = []

    def look(request):
        if request.url == asked.response_uri:
            seen.append(holder.store.load().cards[0].fresh())

    holder.wire.on_post = look
    holder.service.answer(question, shared=(), reuse=False)
    assert seen == [catalogue.BATCH - 2]


# refusing


OBJECTIONS = {
    "no policy": (lambda _h: {"policy": None}, "names no policy"),
    "unknown policy": (lambda _h: {"policy": "unknown"}, "not in the city's bundle"),
    "borrowed policy": (lambda _h: {"policy": "bank-account"}, "borrowed its name"),
    "over-asking": (
        lambda h: {"query": query(h, "library", required=("resident", "family_name"))},
        "asks for family_name, which",
    ),
    "over-asking in the optional set": (
        lambda h: {"query": query(h, "library", required=("resident",), optional=("gender",))},
        "asks for gender",
    ),
    "issuer's own claim": (
        lambda h: {"query": query(h, "library", required=("resident", "renewal_handle"))},
        "asks for renewal_handle",
    ),
    "foreign claim": (
        lambda h: {"query": query(h, "library", required=("resident", "nationality"))},
        "something outside the catalogue",
    ),
    "whole address": (
        lambda h: {"query": query(h, "library", required=("resident", "address"))},
        "something outside the catalogue",
    ),
    "insisting on an optional claim": (
        lambda h: {"query": query(h, "library", required=("resident", "given_name"))},
        "leaves to your choice",
    ),
    "another credential": (
        lambda h: {
            "query": query(h, "library", required=("resident",), vct_values=("https://x/vct",))
        },
        "another credential",
    ),
    "another format": (
        lambda h: {"query": query(h, "library", required=("resident",), format="mso_mdoc")},
        "another credential",
    ),
    "several at once": (
        lambda h: {"query": query(h, "library", required=("resident",), multiple=True)},
        "does not know",
    ),
    "without holder binding": (
        lambda h: {"query": query(h, "library", required=("resident",), holder_binding=False)},
        "does not know",
    ),
    "nothing at all": (lambda h: {"query": query(h, "library")}, "asks for nothing"),
}


def payload_of(asked):
    payload = openid4vp.write_request(fake_wire.request_of(asked))
    credential = payload["dcql_query"]["credentials"][0]
    source = asked.query.credentials[0]
    if source.multiple:
        credential["multiple"] = True
    if not source.holder_binding:
        credential["require_cryptographic_holder_binding"] = False
    if not source.claims:
        del credential["claims"]
    return {"dcql_query": payload["dcql_query"]}


@pytest.mark.threat("T39")
@pytest.mark.threat("T54")
@pytest.mark.parametrize("name", OBJECTIONS)
def test_beyond_the_policy_is_refused_with_an_exact_sentence(holder, name):
    make, words = OBJECTIONS[name]
    asked = fake_wire.asking(holder.city.verifiers["library"], **make(holder))
    token = fake_wire.signed(asked, changes=payload_of(asked))
    objection = holder.service.ask(fake_wire.put(holder.wire, asked, token))
    assert isinstance(objection, Objection)
    assert words in objection.sentence
    assert holder.service.wallet().cards[0].fresh() == catalogue.BATCH - 1


def test_two_credentials_at_once_are_refused(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    written = openid4vp.write_request(fake_wire.request_of(asked))["dcql_query"]
    first = written["credentials"][0]
    written["credentials"] = [first, {**first, "id": "second"}]
    token = fake_wire.signed(asked, changes={"dcql_query": written})
    objection = holder.service.ask(fake_wire.put(holder.wire, asked, token))
    assert "more than one credential" in objection.sentence


@pytest.mark.parametrize("path", [["resident", None], ["resident", 0], ["address.locality"]])
def test_paths_that_name_no_claim_are_refused(holder, path):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    written = openid4vp.write_request(fake_wire.request_of(asked))["dcql_query"]
    written["credentials"][0]["claims"][0]["path"] = path
    token = fake_wire.signed(asked, changes={"dcql_query": written})
    objection = holder.service.ask(fake_wire.put(holder.wire, asked, token))
    assert "outside the catalogue" in objection.sentence


def test_reply_that_is_not_json_leads_nowhere(holder):
    asked, question = asks(holder)
    holder.wire.answers[asked.response_uri] = fake_wire.Response(
        status=200, media_type="text/html", body=b"<p>"
    )
    assert holder.service.answer(question, shared=(), reuse=False) is None


def test_ended_policy_is_refused(holder):
    late = holder.city.sign_bundle(
        {
            **holder.city.payload,
            "version": 8,
            "policies": [
                {**one, "expires": "2027-01-14"} for one in holder.city.payload["policies"]
            ],
        }
    )
    holder.service.pin(late, root_fingerprint=None)
    _, objection = asks(holder)
    assert "ended on 2027-01-14" in objection.sentence


def test_false_age_is_not_shown_but_counts_as_not_having(city):
    holder = holders.make(city)
    holder.wire.issuing = lambda city, place, key: city.issue(
        {**RESIDENT, "age_over_18": False}, key, place
    )
    holder.receive()
    _, objection = asks(holder, "bar")
    assert objection.sentence == "Your card does not show age_over_18."


def test_values_in_the_query_are_compared(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    claims = [{"path": ["resident"], "values": ["yes"]}]
    changed = openid4vp.write_request(fake_wire.request_of(asked))["dcql_query"]
    changed["credentials"][0]["claims"] = claims
    del changed["credentials"][0]["claim_sets"]
    token = fake_wire.signed(asked, changes={"dcql_query": changed})
    objection = holder.service.ask(fake_wire.put(holder.wire, asked, token))
    assert isinstance(objection, Objection)


@pytest.mark.threat("T23")
def test_refusing_not_having_and_over_asking_look_the_same(holder, city):
    empty = holders.make(city)
    seen = []
    reasons = (
        (holder, {}),
        (empty, {}),
        (holder, {"policy": "bank-account"}),
        (holder, {"query": query(holder, "library", required=("resident", "gender"))}),
    )
    for somebody, changes in reasons:
        _, found = asks(somebody, **changes)
        before = len(somebody.wire.sent)
        somebody.service.refuse(found.request)
        assert somebody.pauses[-1] == before
        seen.append(somebody.wire.sent[before:])
    assert len({repr([dataclasses.asdict(one) for one in sent]) for sent in seen}) == 1
    posted = openid4vp_answer.parse_answer(fake_wire.form(seen[0][0]))
    assert posted.error is openid4vp_answer.WalletError.ACCESS_DENIED


# which card


def test_expired_and_future_cards_are_not_shown(holder):
    holder.clock.time = period.expires(holder.city.period)
    assert holder.service.wallet().cards == ()


@pytest.mark.threat("T22")
def test_receipts_are_kept_only_when_switched_on_and_run_out(holder):
    _, question = asks(holder)
    holder.service.answer(question, shared=(), reuse=False)
    assert holder.service.wallet().receipts == ()
    holder.service.keep_receipts(on=True)
    _, question = asks(holder)
    holder.service.answer(question, shared=("given_name",), reuse=False)
    (receipt,) = holder.service.wallet().receipts
    assert (receipt.day, receipt.policy) == ("2027-01-15", "library-card")
    assert receipt.claims == ("resident", "given_name")
    holder.clock.time += 31 * period.DAY
    assert holder.service.wallet().receipts == ()
    holder.clock.time -= 31 * period.DAY
    holder.service.keep_receipts(on=False)
    assert holder.service.wallet().receipts == ()


def test_forgetting_a_card(holder):
    holder.service.forget(holder.city.period)
    assert holder.service.wallet().cards == ()
    with pytest.raises(Declined, match="no card"):
        holder.service.forget(holder.city.period)


def test_presentation_parses_as_the_holders(holder):
    _, question = asks(holder)
    holder.service.answer(question, shared=(), reuse=False)
    answer = openid4vp_answer.parse_answer(fake_wire.form(holder.wire.sent[-1]))
    parsed = sd_jwt.parse(openid4vp_answer.presentation_in(answer))
    assert len(parsed.sd_jwt.disclosures) == 1
