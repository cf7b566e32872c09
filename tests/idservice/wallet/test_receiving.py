import dataclasses

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.jose import jws
from crypto.sdjwt import disclosure, sd_jwt
from idservice import catalogue, period
from idservice.wallet import announced
from idservice.wallet.model import Declined, Response, Use
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.city import RESIDENT, p256


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    return holders.make(city)


def test_offer_by_value_becomes_a_card_of_twenty_instances(holder):
    card = holder.receive()
    assert len(card.instances) == catalogue.BATCH
    assert card.fresh() == catalogue.BATCH - 1
    assert [one.use for one in card.instances].count(Use.KEPT) == 1
    kept = holder.service.wallet()
    assert kept.cards[0].period == period.of(holder.city.now)
    assert kept.pending == ()
    assert holder.service.says(kept.cards[0]) == dict(RESIDENT)


def test_offer_by_reference_is_fetched_from_the_issuer(holder):
    address = f"{holder.city.issuer}/offers/resident_sd_jwt/ref"
    holder.receive(f"openid-credential-offer://?credential_offer_uri={address}")
    assert holder.wire.sent[0].url == address


def test_signed_metadata_is_taken(holder):
    holder.wire.signed_metadata = True
    assert holder.receive().fresh() == catalogue.BATCH - 1


@pytest.mark.attack("PRIV-007")
def test_every_instance_has_a_fresh_key_of_its_own(holder):
    first = holder.receive()
    holder.service.forget(first.period)
    second = holder.receive()
    keys = {
        one.key.private_numbers().private_value
        for card in (first, second)
        for one in card.instances
    }
    assert len(keys) == 2 * catalogue.BATCH
    proofs = [
        canonical_json.parse_object(request.body)["proofs"]["jwt"]
        for request in holder.wire.sent
        if request.url.endswith("/credential")
    ]
    assert len({jws.parse(text).signing_input for batch in proofs for text in batch}) == 40


def test_second_card_needs_another_folder(holder):
    holder.receive()
    sent = len(holder.wire.sent)
    with pytest.raises(Declined, match="holds a card already"):
        holder.receive()
    assert len(holder.wire.sent) == sent
    holder.service.forget(holder.city.period)
    holder.receive()


# what an issuer could mark somebody by


def changed(**changes):
    return lambda city, place, key: city.issue(RESIDENT, key, 1000 + place, **changes)


def only_first(special):
    """Change one instance of twenty: the rule must hold for each."""
    return lambda city, place, key: (
        special(city, place, key) if place == 0 else fake_wire.honest(city, place, key)
    )


def respelled(change):
    """Sign a payload with the right key after changing it by hand."""

    def issuing(city, place, key):
        text = city.issue(RESIDENT, key, 1000 + place)
        parsed = sd_jwt.parse(text)
        header, payload = change(
            canonical_json.serialize(parsed.issuer.header), parsed.issuer.payload
        )
        signing_input = f"{base64url.encode(header)}.{base64url.encode(payload)}"
        signer = jws.es256_signer(city.issuer_keys[city.period])
        signature = base64url.encode(signer(signing_input.encode()))
        return sd_jwt.write(f"{signing_input}.{signature}", parsed.disclosures)

    return issuing


def payload_change(function):
    def change(header, payload):
        value = canonical_json.parse_object(payload)
        function(value)
        return header, canonical_json.serialize(value)

    return respelled(change)


def shuffled(value):
    value["_sd"] = value["_sd"][::-1]


def nested_member(value):
    value["address"]["country"] = "XX"


def more_status(value):
    value["status"]["status_list"]["tag"] = 1


def more_cnf(value):
    value["cnf"]["kid"] = "tag"


def flag_for_number(value):
    value["status"]["status_list"]["idx"] = True


def decoy(value):
    value["_sd"] = sorted([*value["_sd"], base64url.encode(bytes(32))])


def fewer_digests(value):
    value["address"] = {"_sd": value["address"]["_sd"][1:]}


def other_claims(**claims):
    return lambda city, place, key: city.issue({**RESIDENT, **claims}, key, 1000 + place)


def foreign_path(city, place, key):
    header = {"x5c": city.status_x5c}
    return city.issue(RESIDENT, key, 1000 + place, header=header, key=city.status_key)


def next_period(city, place, key):
    return city.issue(RESIDENT, key, 1000 + place, announced=fake_wire.announced_for(city, 1))


def with_disclosures(change):
    """Issue with claims changed on the level of disclosures."""

    def issuing(city, place, key):
        text = city.issue(RESIDENT, key, 1000 + place)
        parsed = sd_jwt.parse(text)
        payload = canonical_json.parse_object(parsed.issuer.payload)
        said = [disclosure.parse(one) for one in parsed.disclosures]
        old = parsed.disclosures[0]
        new = change(said[0])
        digests = [one for one in payload["_sd"] if one != disclosure.digest(old)]
        payload["_sd"] = sorted([*digests, disclosure.digest(new)])
        token = jws.sign(
            header=parsed.issuer.header,
            payload=canonical_json.serialize(payload),
            signer=jws.es256_signer(city.issuer_keys[city.period]),
        )
        return sd_jwt.write(token, [new, *parsed.disclosures[1:]])

    return issuing


def spaced(said):
    text = f'["{said.salt}", "{said.name}", "{said.value}"]'
    return base64url.encode(text.encode())


TAGS = {
    "own key": (changed(key=p256("tag")), "signature"),
    "own chain": (foreign_path, "header"),
    "header member": (changed(header={"kid": "tag"}), "header"),
    "header spelling": (
        respelled(lambda header, payload: (header.replace(b":", b": ", 1), payload)),
        "header",
    ),
    "payload spelling": (
        respelled(lambda header, payload: (header, payload.replace(b":", b": ", 1))),
        "spelling",
    ),
    "list address": (
        changed(
            changes={
                "status": {"status_list": {"idx": 1, "uri": "https://issuer.example/v1/status/x"}}
            }
        ),
        "status",
    ),
    "expiry": (changed(changes={"exp": 1_900_000_000}), "exp"),
    "begin": (changed(changes={"nbf": 1_799_999_999}), "no period"),
    "begin as a flag": (changed(changes={"nbf": True}), "no period"),
    "iat": (changed(changes={"iat": 1_800_000_000}), "number of members"),
    "jti": (changed(changes={"jti": "tag"}), "number of members"),
    "type": (changed(changes={"vct": "https://issuer.example/vct/resident/2"}), "vct"),
    "integrity": (changed(changes={"vct#integrity": "sha256-tag"}), "vct#integrity"),
    "issuer": (changed(changes={"iss": "https://issuer.example/tag"}), "iss"),
    "member of cnf": (payload_change(more_cnf), "cnf"),
    "member of status": (payload_change(more_status), "status"),
    "member of address": (payload_change(nested_member), "address"),
    "index as a flag": (payload_change(flag_for_number), "status"),
    "digest count": (payload_change(decoy), "number of digests"),
    "address digest count": (payload_change(fewer_digests), "number of digests"),
    "digest order": (payload_change(shuffled), "order of digests"),
    "another period": (next_period, "no period"),
    "another holder key": (
        lambda city, place, _key: city.issue(RESIDENT, p256("thief").public_key(), place),
        "cnf",
    ),
    "short salt": (
        with_disclosures(lambda said: disclosure.write(said._replace(salt="c2FsdA"))),
        "salt|digests",
    ),
    "claim spelling": (with_disclosures(spaced), "spelling of a claim"),
    "foreign claim": (
        with_disclosures(lambda said: disclosure.write(said._replace(name="nationality"))),
        "catalogue",
    ),
    "nested claim": (other_claims(given_name={"tag": "Ada"}), "given_name"),
    "number for text": (other_claims(given_name=7), "given_name"),
    "text for flag": (other_claims(age_over_18="yes"), "age_over_18"),
    "hidden character": (other_claims(given_name="Ada\u202e"), "given_name"),
    "another spelling of a letter": (other_claims(given_name="A\u0301da"), "given_name"),
    "joiner that joins nothing": (other_claims(locality="Exam\u200dpleton"), "locality"),
    "letter that looks like nothing": (other_claims(locality="Exampleton\u3164"), "locality"),
    "blank at the end": (other_claims(locality="Exampleton "), "locality"),
    "long text": (other_claims(locality="x" * 5000), "locality"),
    "not a resident": (other_claims(resident=False), "resident"),
}


@pytest.mark.threat("T04")
@pytest.mark.parametrize("name", TAGS)
def test_tagging_issuer_is_refused(holder, name):
    issuing, words = TAGS[name]
    holder.wire.issuing = issuing
    with pytest.raises(Declined, match=words):
        holder.receive()
    assert holder.service.wallet().cards == ()


@pytest.mark.parametrize("name", ["own key", "header member", "digest count", "expiry"])
def test_one_marked_instance_of_twenty_refuses_all(holder, name):
    issuing, words = TAGS[name]
    holder.wire.issuing = lambda city, place, key: (
        issuing(city, place, key) if place == 19 else fake_wire.honest(city, place, key)
    )
    with pytest.raises(Declined, match=words):
        holder.receive()
    assert holder.service.wallet().cards == ()


def test_shared_status_index_is_refused(holder):
    holder.wire.issuing = lambda city, _place, key: city.issue(RESIDENT, key, 7)
    with pytest.raises(Declined, match="share a status index"):
        holder.receive()


def test_index_outside_the_list_is_refused(holder):
    holder.wire.issuing = lambda city, place, key: city.issue(RESIDENT, key, (1 << 17) + place)
    with pytest.raises(Declined, match="outside the announced list"):
        holder.receive()


def test_shared_salts_are_refused(holder):
    def issuing(city, place, key):
        same = dataclasses.replace(city, random_bytes=fake_city.chance("same"))
        return same.issue(RESIDENT, key, place)

    holder.wire.issuing = issuing
    with pytest.raises(Declined, match="share a salt"):
        holder.receive()


def test_instances_that_say_different_things_are_refused(holder):
    holder.wire.issuing = only_first(other_claims(locality="Elsewhere"))
    with pytest.raises(Declined, match="do not all say the same"):
        holder.receive()


def test_missing_disclosure_is_refused(holder):
    def issuing(city, place, key):
        parsed = sd_jwt.parse(city.issue(RESIDENT, key, place))
        return sd_jwt.write(parsed.issuer_jwt, parsed.disclosures[1:])

    holder.wire.issuing = issuing
    with pytest.raises(Declined, match="catalogue"):
        holder.receive()


def test_credential_with_a_key_binding_is_refused(holder):
    def issuing(city, place, key):
        return city.issue(RESIDENT, key, place) + "a.b.c"

    holder.wire.issuing = issuing
    with pytest.raises(Declined):
        holder.receive()


def test_disclosures_are_kept_in_the_order_of_their_digests(holder):
    def issuing(city, place, key):
        parsed = sd_jwt.parse(city.issue(RESIDENT, key, place))
        order = parsed.disclosures if place % 2 else parsed.disclosures[::-1]
        return sd_jwt.write(parsed.issuer_jwt, order)

    holder.wire.issuing = issuing
    for one in holder.receive().instances:
        digests = [disclosure.digest(text) for text in sd_jwt.parse(one.credential).disclosures]
        assert digests == sorted(digests)


def test_expired_root_is_refused(city):
    batch = [city.issue(RESIDENT, p256("h").public_key(), 1)]
    late = city.now + 5000 * period.DAY
    with pytest.raises(Declined, match="city root"):
        announced.check(
            batch,
            keys=[p256("h")],
            announced=city.announced,
            issuer=city.issuer,
            root=city.trust.root,
            now=late,
        )


# offers and answers that are not taken


def other(city, **changes):
    return fake_wire.offer_link({**fake_wire.offer(city), **changes})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda city: other(city, credential_issuer="https://evil.example"), "another issuer"),
        (lambda city: other(city, credential_configuration_ids=["passport"]), "does not keep"),
        (lambda city: other(city, credential_configuration_ids=[]), "cannot be used"),
        (lambda city: other(city, grants={}), "cannot be used"),
        (lambda city: other(city, grants={"authorization_code": {}}), "cannot be used"),
        (lambda _city: "openid-credential-offer://?credential_offer=%7B", "cannot be used"),
        (lambda _city: "openid-credential-offer://?", "cannot be used"),
        (lambda _city: "hello", "cannot be used"),
        (lambda _city: "[::1", "cannot be used"),
        (
            lambda _city: "openid-credential-offer://?credential_offer_uri=https://evil.example/o",
            "another address",
        ),
        (
            lambda _city: "openid-credential-offer://?credential_offer_uri=http://127.0.0.1/admin",
            "another address",
        ),
        (
            lambda _city: (
                "openid-credential-offer://?credential_offer_uri="
                "https://issuer.example@evil.example/"
            ),
            "another address",
        ),
    ],
)
def test_offer_that_is_not_the_citys_is_refused_and_nothing_is_sent(holder, make, words):
    with pytest.raises(Declined, match=words):
        holder.receive(make(holder.city))
    assert holder.wire.sent == []


@pytest.mark.attack("OID4VCI-007")
def test_offer_without_transaction_code_is_refused(holder):
    link = fake_wire.offer_link(fake_wire.offer(holder.city, with_code=False))
    with pytest.raises(Declined, match="anybody could take it"):
        holder.receive(link)
    assert holder.wire.sent == []
    assert holder.receive().fresh() == catalogue.BATCH - 1


def test_wrong_transaction_code_is_told_in_words(holder):
    with pytest.raises(Declined, match="transaction code is wrong"):
        holder.receive(code="000000")
    assert holder.service.wallet().pending == ()


@pytest.mark.parametrize(
    ("place", "response"),
    [
        ("/.well-known/openid-credential-issuer", fake_wire.as_json({}, status=404)),
        ("/.well-known/openid-credential-issuer", Response(status=200, media_type="", body=b"")),
        ("/.well-known/openid-credential-issuer", fake_wire.as_json({})),
        ("/.well-known/oauth-authorization-server", fake_wire.as_json({}, status=500)),
        ("/token", fake_wire.as_json({"access_token": "a"})),
        ("/token", fake_wire.as_json({"access_token": "a", "token_type": "DPoP"})),
        ("/token", Response(status=200, media_type="text/html", body=b"<p>")),
        ("/token", Response(status=500, media_type="text/html", body=b"<p>")),
        ("/nonce", fake_wire.as_json({})),
        ("/nonce", fake_wire.as_json({"c_nonce": 7})),
        ("/credential", fake_wire.as_json({"credentials": []})),
        ("/credential", fake_wire.as_json({"credentials": [{}] * 20})),
        ("/credential", fake_wire.as_json({"credentials": [7] * 20})),
        ("/credential", fake_wire.as_json({"transaction_id": "later"}, status=202)),
        ("/credential", fake_wire.as_json({"error": "invalid_proof"}, status=400)),
        ("/credential", fake_wire.as_json({"error": ["<script>"]}, status=400)),
    ],
)
def test_strange_answer_keeps_nothing_and_is_not_repeated(holder, place, response):
    holder.wire.answers[holder.city.issuer + place] = response
    with pytest.raises(Declined) as refused:
        holder.receive()
    assert "<" not in str(refused.value)
    assert holder.service.wallet().cards == ()
