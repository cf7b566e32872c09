import hashlib

from crypto.encoding import base64url, canonical_json
from idservice.period import Period
from idservice.verification import showing

HASH = hashlib.sha256(b"a request object").digest()


def test_the_header_has_exactly_what_both_sides_know() -> None:
    header = showing.presentation_header(
        audience="x509_hash:abc", nonce="n-1", request_hash=HASH, nym_context=None
    )
    assert canonical_json.parse_canonical(header) == {
        "alg": "idservice-BBS-NYM-SHA256-1",
        "aud": "x509_hash:abc",
        "nonce": "n-1",
        "request_hash": base64url.encode(HASH),
    }


def test_a_context_stands_in_the_header_only_where_a_pseudonym_is_shown() -> None:
    context = showing.nym_context(
        label="member", city="https://id.example", policy="library", period=Period(11)
    )
    header = showing.presentation_header(
        audience="x509_hash:abc", nonce="n-1", request_hash=HASH, nym_context=context
    )
    assert canonical_json.parse_object(header)["nym_context"] == base64url.encode(context)


def test_contexts_differ_by_label_city_policy_and_period() -> None:
    first = {"label": "a", "city": "https://id.example", "policy": "p", "period": Period(1)}
    others = [
        {**first, "label": "b"},
        {**first, "city": "https://id.other"},
        {**first, "policy": "q"},
        {**first, "period": Period(2)},
    ]
    contexts = {showing.nym_context(**each) for each in (first, *others)}  # type: ignore[arg-type]
    assert len(contexts) == len(others) + 1


def test_a_request_hash_is_over_the_text_as_served() -> None:
    assert showing.request_hash("a request object") == HASH
    direct = showing.direct_request_hash(nonce="n-1", policy="library")
    assert direct == hashlib.sha256(b'{"nonce":"n-1","policy":"library"}').digest()
    assert direct != showing.direct_request_hash(nonce="n-1", policy="bank")
