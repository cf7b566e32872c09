"""Receiving a BBS card: the secret, the retry, and an issuer that tries to mark somebody."""

import dataclasses

import pytest

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.jose import web_proof
from idservice import catalogue, period
from idservice.wallet.model import Declined, Unusable, Use
from idservice.wallet.receipt import bbs
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT

JPEG = b"\xff\xd8\xff\xe0 a small picture \xff\xd9"
PICTURE = "data:image/jpeg;base64,/9j/4CBhIHNtYWxsIHBpY3R1cmUg/9k="


@pytest.fixture(scope="module")
def city():
    return holders.taking_bbs(fake_city.make())


@pytest.fixture
def holder(city):
    return holders.make(city)


def commitments(holder):
    asked = [one for one in holder.wire.sent if one.url.endswith("/credential")]
    return [canonical_json.parse_object(one.body)["proofs"] for one in asked]


def test_offer_becomes_one_card_that_lasts(holder):
    card = holder.receive_bbs()
    (instance,) = card.instances
    assert (instance.use, card.lasting, card.format) == (Use.LASTING, True, "jwp+bbs")
    assert card.expires == period.expires_bbs(holder.city.period)
    kept = holder.service.wallet()
    assert kept.pending == ()
    assert holder.service.says(kept.cards[0]) == dict(RESIDENT)


def test_commitment_travels_alone_and_no_nonce_is_asked_for(holder):
    holder.receive_bbs()
    assert [one.url.rpartition("/")[2] for one in holder.wire.sent] == [
        "oauth-authorization-server",
        "token",
        "openid-credential-issuer",
        "credential",
    ]
    (proofs,) = commitments(holder)
    (commitment,) = proofs["bbs_commitment"]
    jwp.check_request(base64url.decode(commitment))
    told = canonical_json.parse_object(holder.wire.sent[-1].body)
    assert told.keys() == {"credential_configuration_id", "proofs"}


def test_the_secret_leaves_the_wallet_in_no_message_and_no_repr(holder):
    card = holder.receive_bbs()
    secret = card.instances[0].key
    for one in holder.wire.sent:
        for part in (secret.nym, secret.blind):
            assert part not in one.body
            assert base64url.encode(part).encode() not in one.body
    shown = repr(holder.service.wallet()) + repr(card)
    assert repr(secret.nym) not in shown
    assert card.instances[0].credential not in shown


def test_offer_by_reference(holder):
    address = f"{holder.city.issuer}/offers/resident_bbs/ref"
    card = holder.receive(f"openid-credential-offer://?credential_offer_uri={address}")
    assert card.lasting


def test_portrait_says_the_same_as_in_the_other_format(holder):
    holder.wire.bbs_issuing = lambda city, commitment: city.issue_bbs(
        {**RESIDENT, "portrait": PICTURE}, commitment
    )
    assert holder.service.says(holder.receive_bbs())["portrait"] == PICTURE


def test_one_card_of_each_kind(holder):
    plain, lasting = holder.receive(), holder.receive_bbs()
    kept = holder.service.wallet().cards
    assert [card.format for card in kept] == [plain.format, lasting.format]
    for again in (holder.receive, holder.receive_bbs):
        with pytest.raises(Declined, match="holds a card already"):
            again()
    holder.service.forget(lasting.period, configuration=lasting.configuration)
    assert [card.format for card in holder.service.wallet().cards] == ["dc+sd-jwt"]
    holder.receive_bbs()
    holder.service.forget(lasting.period)
    assert holder.service.wallet().cards == ()


def test_two_wallets_commit_to_different_secrets(city):
    seen = set()
    for number in range(2):
        one = holders.make(city)
        one.service._random_bytes = fake_city.chance(f"wallet {number}")
        one.receive_bbs()
        seen.add(commitments(one)[0]["bbs_commitment"][0])
    assert len(seen) == 2


# what an issuer could mark somebody by


def signed(city, commitment, *, header=None, payloads=None, key=None, number=None):
    """Sign anything: an issuer's freedom is larger than its honest functions'."""
    values = city.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=number or city.period
    )
    key = key or city.bbs_keys[values.period]
    return jwp.issue(
        header=values.header if header is None else header,
        payloads=slots() if payloads is None else payloads,
        hashed=values.hashed,
        commitment_with_proof=commitment,
        secret_key=key,
        public_key=key.public,
        nym_entropy=b"e" * 32,
    )


def slots(**changes):
    """Write the payloads of a resident; `changes` replaces one by its octets."""
    written = {name: canonical_json.serialize(RESIDENT[name]) for name in catalogue.BBS_SLOTS}
    return [*(written | {name.replace("__", "."): each for name, each in changes.items()}).values()]


def said(city, **changes):
    return canonical_json.parse_object(city.announced_bbs.header) | changes


def header(**changes):
    def issuing(city, commitment):
        return signed(city, commitment, header=canonical_json.serialize(said(city, **changes)))

    return issuing


def respelled(city, commitment):
    return signed(city, commitment, header=city.announced_bbs.header.replace(b":", b": ", 1))


def reordered(city, commitment):
    whole = said(city)
    members = [f'"{name}":{canonical_json.serialize(whole[name]).decode()}' for name in whole]
    return signed(city, commitment, header=("{" + ",".join(members[::-1]) + "}").encode())


def without(member):
    def issuing(city, commitment):
        whole = said(city)
        del whole[member]
        return signed(city, commitment, header=canonical_json.serialize(whole))

    return issuing


def content(*more, **changes):
    return lambda city, commitment: signed(city, commitment, payloads=[*slots(**changes), *more])


def fewer(city, commitment):
    return signed(city, commitment, payloads=slots()[:-1])


def rotated(city, commitment):
    *others, last = slots()
    return signed(city, commitment, payloads=[last, *others])


def taken_apart(change):
    """Change the compact form of an honest credential."""

    def issuing(city, commitment):
        head, payloads, values = signed(city, commitment).split(".")
        return ".".join(change(head, payloads.split("~"), values.split("~")))

    return issuing


def emptied(head, payloads, values):
    return head, "~".join(["", *payloads[1:]]), "~".join(values)


def tagged(head, payloads, values):
    return head, "~".join(payloads), "~".join([*values, "dGFn"])


def of_another_period(ahead):
    return lambda city, commitment: signed(city, commitment, number=city.period + ahead)


def for_another_holder(city, _commitment):
    _, other = jwp.request(random_bytes=fake_city.chance("thief"))
    return signed(city, other)


TAGS = {
    "own key": (
        lambda city, commitment: signed(city, commitment, key=fake_city.bbs_key("tag")),
        "not signed",
    ),
    "kid in the header": (header(kid="tag"), "header"),
    "iat in the header": (header(iat=1_800_000_000), "header"),
    "expiry": (header(exp=1_900_000_000), "header"),
    "begin": (header(nbf=1_799_999_999), "header"),
    "period": (header(period=3), "header"),
    "schema": (header(schema=2), "header"),
    "type": (header(vct="https://issuer.example/vct/resident/2"), "header"),
    "issuer": (header(iss="https://issuer.example/tag"), "header"),
    "header typ": (header(typ="jwp+tag"), "header"),
    **{
        f"{name} missing": (without(name), "header")
        for name in ("exp", "iss", "nbf", "period", "schema", "typ", "vct")
    },
    "header spelling": (respelled, "header"),
    "header order": (reordered, "header"),
    "one slot more": (content(b'"tag"'), "number of slots"),
    "one slot less": (fewer, "number of slots"),
    "slots rotated": (rotated, "announced|shape|resident"),
    "slot left empty": (taken_apart(emptied), "number of filled slots"),
    "proof value more": (taken_apart(tagged), "not signed"),
    "period before": (of_another_period(-1), "no period"),
    "period after": (of_another_period(1), "no period"),
    "another holder": (for_another_holder, "not signed"),
    "claim with a space": (content(given_name=b' "Ada"'), "spelling of the claim given_name"),
    "claim escaped": (content(given_name=b'"\\u0041da"'), "spelling of the claim given_name"),
    "claim is no JSON": (content(given_name=b"Ada"), "spelling of the claim given_name"),
    "claim with a member": (content(given_name=b'{"tag":1}'), "given_name"),
    "number for text": (content(given_name=b"7"), "given_name"),
    "text for flag": (content(age_over_18=b'"yes"'), "age_over_18"),
    "flag as a number": (content(age_over_18=b"1"), "age_over_18"),
    "empty text": (content(gender=b'""'), "gender"),
    "hidden character": (content(given_name='"Ada\u202e"'.encode()), "given_name"),
    "another spelling of a letter": (content(given_name='"A\u0301da"'.encode()), "given_name"),
    "joiner that joins nothing": (content(locality='"Exam\u200cpleton"'.encode()), "locality"),
    "letter that looks like nothing": (content(locality='"A\u2800"'.encode()), "locality"),
    "blank before": (content(locality=b'" Exampleton"'), "locality"),
    "long text": (content(locality=b'"' + b"x" * 5000 + b'"'), "locality"),
    "not a resident": (content(resident=b"false"), "resident"),
    "resident absent": (content(resident=b"null"), "resident"),
    "portrait without salt": (content(portrait=JPEG), "portrait"),
    "portrait with a longer salt": (content(portrait=bytes(33) + JPEG), "portrait"),
    "portrait that is no JPEG": (content(portrait=bytes(32) + b"tag"), "portrait"),
    "portrait with a tail": (content(portrait=bytes(32) + JPEG + b"tag"), "portrait"),
    "portrait too large": (
        content(portrait=bytes(32) + JPEG[:-2] + bytes(24 * 1024) + JPEG[-2:]),
        "portrait",
    ),
    "portrait in JSON": (content(portrait=b'"tag"'), "portrait"),
    "not a credential": (lambda _city, _commitment: "hello", "does not parse"),
    "an SD-JWT": (
        lambda city, _commitment: city.issue(RESIDENT, fake_city.holder_key().public_key(), 1),
        "does not parse",
    ),
    "the presented form": (taken_apart(lambda *parts: ("", parts[0], "", "")), "does not parse"),
}


@pytest.mark.threat("T04")
@pytest.mark.threat("T69")
@pytest.mark.parametrize("name", TAGS)
def test_tagging_issuer_is_refused(holder, name):
    issuing, words = TAGS[name]
    holder.wire.bbs_issuing = issuing
    with pytest.raises(Declined, match=words) as refused:
        holder.receive_bbs()
    assert holder.service.wallet().cards == ()
    assert "tag" not in str(refused.value)
    holder.wire.bbs_issuing = fake_wire.honest_bbs
    assert holder.receive_bbs().lasting


@pytest.mark.parametrize(
    "name",
    [
        "Jos\u00e9",
        "O'Brien-Sm\u00edth",
        "\u0646\u0645\u200c\u0647",
        "\u0915\u094d\u200d\u0937",
        "\u5c71\u7530 \u592a\u90ce",
        "\u845b\U000e0100\u98fe",
    ],
)
def test_names_of_all_scripts_are_kept(holder, name):
    holder.wire.bbs_issuing = content(given_name=canonical_json.serialize(name))
    assert holder.service.says(holder.receive_bbs())["given_name"] == name


def test_what_could_mark_is_called_so(holder):
    holder.wire.bbs_issuing = header(kid="tag")
    with pytest.raises(Declined) as refused:
        holder.receive_bbs()
    assert str(refused.value) == (
        "The credential's header is not as the city announced it for everybody."
        " It could mark you; nothing is kept."
    )


def test_header_of_another_algorithm_is_refused(city):
    secret, commitment = jwp.request(random_bytes=fake_city.chance("algorithm"))
    credential = signed(city, commitment)
    _, rest = credential.split(".", 1)
    other = canonical_json.serialize(said(city, alg="BBS"))
    with pytest.raises(Declined, match="header"):
        check(city, f"{base64url.encode(other)}.{rest}", secret)
    assert check(city, credential, secret).claims == dict(RESIDENT)


def check(city, credential, secret, **changes):
    told = {
        "entries": city.trust.announced_bbs,
        "configuration": catalogue.BBS_CONFIGURATION,
        "periods": (city.period,),
    }
    return bbs.check(credential, secret=secret, **(told | changes))


@pytest.mark.parametrize(
    "change", [{"schema": 2}, {"slots": (*catalogue.BBS_SLOTS[1:], catalogue.BBS_SLOTS[0])}]
)
def test_another_order_of_slots_is_not_taken_even_if_announced(city, change):
    secret, commitment = jwp.request(random_bytes=fake_city.chance("order"))
    entry = dataclasses.replace(city.announced_bbs, **change)
    with pytest.raises(Declined, match="another order of claims"):
        check(city, signed(city, commitment), secret, entries=(entry,))


def test_announced_key_that_is_none_is_refused(city):
    secret, commitment = jwp.request(random_bytes=fake_city.chance("key"))
    entry = dataclasses.replace(city.announced_bbs, public_key=bytes(96))
    with pytest.raises(Declined, match="not signed"):
        check(city, signed(city, commitment), secret, entries=(entry,))


def test_every_single_changed_octet_of_a_credential_is_refused(city):
    secret, commitment = jwp.request(random_bytes=fake_city.chance("octets"))
    parsed = web_proof.parse(signed(city, commitment), headers=web_proof.ISSUED)
    parts = [*parsed.headers, *parsed.payloads.values(), *parsed.values]
    for place, part in enumerate(parts):
        changed = [*parts]
        changed[place] = part[:-1] + bytes([part[-1] ^ 1])
        text = web_proof.write(changed[:1], changed[1:-2], changed[-2:])
        with pytest.raises(Declined):
            check(city, text, secret)


# offers and answers that are not taken


def test_offer_without_transaction_code_is_refused(holder):
    offer = fake_wire.offer(holder.city, with_code=False, configuration=catalogue.BBS_CONFIGURATION)
    with pytest.raises(Declined, match="anybody could take it"):
        holder.receive(fake_wire.offer_link(offer))
    assert holder.wire.sent == []


@pytest.mark.parametrize(
    ("described", "words"),
    [(None, "in this format"), ({"format": "dc+sd-jwt"}, "in this format"), (7, "in this format")],
)
def test_issuer_that_does_not_say_that_it_issues_it(holder, described, words):
    address = f"{holder.city.issuer}/.well-known/openid-credential-issuer"
    value = canonical_json.parse_object(holder.wire._metadata().body)
    value["credential_configurations_supported"][catalogue.BBS_CONFIGURATION] = described
    holder.wire.answers[address] = fake_wire.as_json(value)
    with pytest.raises(Declined, match=words):
        holder.receive_bbs()


def test_batches_do_not_matter_for_a_card_that_lasts(holder):
    address = f"{holder.city.issuer}/.well-known/openid-credential-issuer"
    value = canonical_json.parse_object(holder.wire._metadata().body)
    del value["batch_credential_issuance"]
    holder.wire.answers[address] = fake_wire.as_json(value)
    assert holder.receive_bbs().lasting


@pytest.mark.parametrize(
    "answer",
    [
        {"credentials": []},
        {"credentials": [{"credential": "a"}] * 2},
        {"credentials": [{"credential": 7}]},
        {"credentials": "a"},
        {"transaction_id": "later"},
    ],
)
def test_strange_answer_keeps_nothing(holder, answer):
    holder.wire.answers[f"{holder.city.issuer}/credential"] = fake_wire.as_json(answer)
    with pytest.raises(Declined):
        holder.receive_bbs()
    assert holder.service.wallet().cards == ()


def test_bundle_without_such_a_card_spends_no_offer(holder):
    plain = [one for one in holder.city.payload["announced"] if one["format"] == "dc+sd-jwt"]
    data = holder.city.sign_bundle({**holder.city.payload, "version": 8, "announced": plain})
    holder.service.pin(data, root_fingerprint=None)
    with pytest.raises(Declined, match="take a newer one"):
        holder.receive_bbs()
    assert holder.wire.sent == []
    newer = holder.city.sign_bundle({**holder.city.payload, "version": 9})
    holder.service.pin(newer, root_fingerprint=None)
    assert holder.receive_bbs().lasting


def test_machine_without_the_curve_library_says_so_before_anything_is_sent(holder, monkeypatch):
    monkeypatch.setattr("crypto.bls.curve._BLST", None)
    with pytest.raises(Unusable, match="constant-time"):
        holder.receive_bbs()
    assert holder.wire.sent == []
