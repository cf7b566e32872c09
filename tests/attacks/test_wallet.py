"""What verifiers and go-betweens try on a wallet: the wallet's side of the corpus."""

import dataclasses
import urllib.parse

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.jose import jws
from crypto.x509 import issue, x5c
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue, period
from idservice.wallet.model import Declined, Response, Unusable
from idservice.wallet.question import Question
from tests.fakes import city as fake_city
from tests.fakes import holders
from tests.fakes import wire as fake_wire
from tests.fakes.certificates import root
from tests.fakes.city import p256


@pytest.fixture(scope="module")
def city():
    return fake_city.make()


@pytest.fixture
def holder(city):
    holder = holders.make(city)
    holder.receive()
    holder.wire.sent.clear()
    return holder


def unsigned(asked):
    header, payload, _ = fake_wire.signed(asked).split(".")
    return f"{header}.{payload}."


def without_algorithm(asked):
    _, payload, _ = fake_wire.signed(asked).split(".")
    header = base64url.encode(
        canonical_json.serialize({"alg": "none", "typ": "oauth-authz-req+jwt"})
    )
    return f"{header}.{payload}."


def changed(**changes):
    return lambda asked: fake_wire.signed(asked, changes=changes)


def header(**members):
    return lambda asked: fake_wire.signed(asked, header=members)


def altered(asked):
    head, payload, signature = fake_wire.signed(asked).split(".")
    content = base64url.decode(payload).replace(b"question-1", b"question-2")
    return f"{head}.{base64url.encode(content)}.{signature}"


def as_issuer(asked):
    """Sign as the verifier with a certificate that is for something else."""
    return signed_by(asked, role=Role.ISSUER, authority=None)


def own_root(asked):
    return signed_by(asked, role=Role.VERIFIER, authority=root("another city"))


def signed_by(asked, *, role, authority):
    key = p256("verifier library")
    whole = fake_city.make()
    leaf = issue.leaf_certificate(
        role=role,
        public_key=key.public_key(),
        authority=authority or whole.root,
        common_name="Exampleton Library",
        names=Names(dns_names=("library.example",))
        if role is Role.VERIFIER
        else Names(uris=("https://library.example",)),
        validity=Validity(not_before=whole.now - 9, not_after=whole.now + 9),
        serial=7,
    )
    return fake_wire.signed(asked, header={"x5c": x5c.encode([leaf])})


FORGED = {
    "signature stripped": unsigned,
    "alg none": without_algorithm,
    "signed by somebody else": lambda asked: fake_wire.signed(
        dataclasses.replace(
            asked, verifier=dataclasses.replace(asked.verifier, key=p256("somebody"))
        )
    ),
    "changed on the way": altered,
    "another typ": header(typ="JWT"),
    "critical header": header(crit=["x"], x=1),
    "no x5c": header(x5c=None),
    "issuer's certificate": as_issuer,
    "another city's root": own_root,
    "aud wrong": changed(aud="https://self-issued.me/v1"),
    "aud of another wallet": changed(aud=["https://self-issued.me/v2"]),
    "client_id changed": changed(client_id="x509_san_dns:bank.example"),
    "prefix stripped": changed(client_id="library.example"),
    "redirect_uri prefix": changed(client_id="redirect_uri:https://library.example/answer"),
    "response_uri elsewhere": changed(response_uri="https://collector.example/answer"),
    "response_uri beside": changed(response_uri="https://library.example.collector.example/a"),
    "response_uri without tls": changed(response_uri="http://library.example/answer"),
    "response_type": changed(response_type="code"),
    "response_mode": changed(response_mode="fragment"),
    "no nonce": changed(nonce=""),
    "transaction_data": changed(transaction_data=["e30"]),
    "expired": changed(exp=1),
    "no query": changed(dcql_query={}),
    "by scope": changed(scope="openid"),
    "not a token": lambda _asked: "hello",
    "empty": lambda _asked: "",
}


@pytest.mark.attack("OID4VP-015")
@pytest.mark.attack("OID4VP-035")
@pytest.mark.threat("T53")
@pytest.mark.parametrize("name", FORGED)
def test_request_that_is_not_the_verifiers_is_not_answered_at_all(holder, name):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    before = holder.store.content
    link = fake_wire.put(holder.wire, asked, FORGED[name](asked))
    with pytest.raises(Declined, match="The request cannot be used"):
        holder.service.ask(link)
    assert [request.method for request in holder.wire.sent] == ["GET"]
    assert holder.store.content == before


@pytest.mark.attack("OID4VP-015")
def test_the_verifiers_own_request_is_answered(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    question = holder.service.ask(fake_wire.put(holder.wire, asked, fake_wire.signed(asked)))
    assert isinstance(question, Question)


@pytest.mark.attack("OID4VP-010")
@pytest.mark.parametrize("nonce", [None, "", "of-another-occasion"])
def test_request_made_for_another_occasion_is_refused(holder, nonce):
    asked = fake_wire.asking(holder.city.verifiers["library"], post=True)
    token = fake_wire.signed(asked, wallet_nonce=nonce)
    link = fake_wire.put(holder.wire, asked, token)
    with pytest.raises(Declined, match="The request cannot be used"):
        holder.service.ask(link)
    assert isinstance(holder.service.ask(fake_wire.put(fresh(holder), asked)), Question)


def fresh(holder):
    holder.wire.requests.clear()
    return holder.wire


@pytest.mark.parametrize(
    "link",
    [
        "openid4vp://?client_id=x&request_uri=http%3A%2F%2Flibrary.example%2Fr",
        "openid4vp://?client_id=x&request_uri=file%3A%2F%2F%2Fetc%2Fpasswd",
        "openid4vp://?client_id=x&request=eyJhbGciOiJub25lIn0.e30.",
        "openid4vp://?client_id=x",
        "openid4vp://?request_uri=https%3A%2F%2Flibrary.example%2Fr",
        "openid4vp://?client_id=x&client_id=y&request_uri=https%3A%2F%2Flibrary.example%2Fr",
        "https://library.example/?client_id=x&request_uri=https%3A%2F%2Flibrary.example%2Fr",
        "openid4vp://?" + "x" * 10_000,
        "",
    ],
)
def test_strange_invitation_makes_the_wallet_send_nothing(holder, link):
    with pytest.raises(Declined):
        holder.service.ask(link)
    assert holder.wire.sent == []


@pytest.mark.parametrize(
    "response",
    [
        Response(status=200, media_type="text/html", body=b"<p>"),
        Response(status=302, media_type="", body=b""),
        Response(status=200, media_type="application/oauth-authz-req+jwt", body=b"\xff"),
    ],
)
def test_what_is_no_request_object_is_refused(holder, response):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    link = fake_wire.put(holder.wire, asked)
    holder.wire.answers[f"https://{asked.verifier.dns_name}/openid4vp/request/1"] = response
    with pytest.raises(Declined):
        holder.service.ask(link)


@pytest.mark.attack("OID4VP-004")
@pytest.mark.threat("T53")
def test_relayed_request_binds_the_answer_to_who_really_asked(holder):
    """The bar shows the bank's request; the answer goes to the bank and is worth nothing else."""
    asked = fake_wire.asking(holder.city.verifiers["bank"])
    token = fake_wire.signed(asked)
    relayed = dataclasses.replace(asked, client_id=holder.city.verifiers["bar"].dns_client_id)
    with pytest.raises(Declined):
        holder.service.ask(fake_wire.put(holder.wire, relayed, token))
    question = holder.service.ask(fake_wire.put(holder.wire, asked, token))
    holder.service.answer(question, shared=(), reuse=False)
    posted = holder.wire.sent[-1]
    assert posted.url == asked.response_uri
    answer = urllib.parse.parse_qs(posted.body.decode())["vp_token"][0]
    binding = canonical_json.parse_object(answer.encode())["resident"][0].rpartition("~")[2]
    said = canonical_json.parse_object(jws.parse(binding).payload)
    assert (said["aud"], said["nonce"]) == (asked.client_id, asked.nonce)


@pytest.mark.attack("PRIV-003")
@pytest.mark.threat("T01")
def test_two_verifiers_find_nothing_equal_but_what_was_disclosed(holder):
    seen = []
    for name in ("library", "bar"):
        asked = fake_wire.asking(holder.city.verifiers[name])
        question = holder.service.ask(fake_wire.put(holder.wire, asked))
        holder.service.answer(question, shared=(), reuse=False)
        presented = fake_wire.form(holder.wire.sent[-1])["vp_token"]
        text = canonical_json.parse_object(presented.encode())["resident"][0]
        payload = canonical_json.parse_object(jws.parse(text.split("~")[0]).payload)
        seen.append(payload)
    one, other = seen
    common = {name for name in one if one[name] == other.get(name)}
    assert common == {"iss", "vct", "vct#integrity", "nbf", "exp", "_sd_alg"}
    assert one["status"]["status_list"]["idx"] != other["status"]["status_list"]["idx"]
    assert not set(one["_sd"]) & set(other["_sd"])


@pytest.mark.attack("PRIV-007")
def test_keys_are_fresh_across_issuers_too(city):
    keys = set()
    for _ in range(2):
        holder = holders.make(city)
        holder.service._random_bytes = fake_city.chance(f"wallet {len(keys)}")
        for one in holder.receive().instances:
            keys.add(one.key.private_numbers().private_value)
    assert len(keys) == 2 * catalogue.BATCH


def test_nothing_is_sent_while_the_holder_reads(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    holder.service.ask(fake_wire.put(holder.wire, asked))
    assert len(holder.wire.sent) == 1


@pytest.mark.threat("T59")
def test_expired_root_answers_nobody(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    holder.clock.time += 5000 * period.DAY
    with pytest.raises(Declined):
        holder.service.ask(fake_wire.put(holder.wire, asked))


def test_verifier_that_hangs_up_costs_one_instance_and_no_more(holder):
    asked = fake_wire.asking(holder.city.verifiers["library"])
    question = holder.service.ask(fake_wire.put(holder.wire, asked))
    holder.wire.answers[asked.response_uri] = Unusable("The other side does not answer.")
    with pytest.raises(Unusable):
        holder.service.answer(question, shared=(), reuse=False)
    assert holder.service.wallet().cards[0].fresh() == catalogue.BATCH - 2
