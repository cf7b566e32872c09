"""The shortcut says what `verify` says, or nothing; only a wrong signature is final."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.errors import BadSignature, CryptoError, HolderBinding
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, verify
from crypto.sdjwt.issue import Frame
from crypto.sdjwt.verify import VerifiedClaims
from tests.fakes import sd_jwts

PAYLOAD = {
    name: value for name, value in sd_jwts.CLAIMS.items() if name not in {"languages", "address"}
}


def quick(text: str, **changes: Any) -> VerifiedClaims | None:
    """Return what passes; a wrong signature, which is final, does not."""
    expected: dict[str, Any] = {
        "issuer_key": sd_jwts.ISSUER_KEY,
        "audience": sd_jwts.AUDIENCE,
        "nonce": sd_jwts.NONCE,
        "now": sd_jwts.NOW,
        **changes,
    }
    try:
        return verify.verify_usual(text, **expected)
    except (BadSignature, HolderBinding) as error:
        with pytest.raises(type(error)):  # a wrong signature is final: `verify` says the same
            verify.verify(sd_jwt.parse(text), **expected)
        return None


def usual_card(*shown: str, **claims: Any) -> str:
    """Issue and show as a city and its wallet do."""
    content = {**PAYLOAD, "address": {"locality": "Springfield", "postal_code": None}, **claims}
    paths = {(name,) for name in content if name not in {"iss", "vct", "nbf", "exp", "status"}}
    paths = {path for path in paths if path != ("address",)} | {
        ("address", "locality"),
        ("address", "postal_code"),
    }
    text = sd_jwts.credential(content, Frame(disclosable=frozenset(paths)))
    return sd_jwts.bind(sd_jwts.show(text, *(tuple(name.split(".")) for name in shown)))


def general(text: str) -> VerifiedClaims | None:
    try:
        return sd_jwts.check(text)
    except CryptoError:
        return None


def same(one: VerifiedClaims | None, other: VerifiedClaims | None) -> bool:
    return one is not None and other is not None and one == other


def test_the_usual_presentation_gives_what_verify_gives() -> None:
    text = usual_card("resident", "given_name", "gender", "address.locality")
    found = quick(text)
    assert same(found, sd_jwts.check(text))
    assert found is not None
    assert found.claims["address"] == {"locality": "Springfield"}


def test_no_changed_character_passes() -> None:
    text = usual_card("resident", "given_name")
    for at, old in enumerate(text):
        for new in ("A" if old != "A" else "B", "~", "."):
            if new != old:
                assert quick(text[:at] + new + text[at + 1 :]) is None
        assert quick(text[:at]) is None


def test_one_more_and_one_fewer_disclosure_do_not_pass() -> None:
    text = usual_card("resident", "given_name")
    issuer_jwt, first, second, answer = text.split("~")
    assert quick(f"{issuer_jwt}~{first}~{answer}") is None
    assert quick(f"{issuer_jwt}~{second}~{first}~{answer}") is None
    assert quick(f"{issuer_jwt}~{first}~{second}~{second}~{answer}") is None
    assert quick(f"{issuer_jwt}~{answer}") is None
    assert quick(f"{issuer_jwt}~{first}~{second}~") is None
    assert quick(issuer_jwt) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "x509_san_dns:bar.example"},
        {"audience": ""},
        {"nonce": "another"},
        {"nonce": ""},
        {"now": UnixSeconds(sd_jwts.NOW + 301)},
        {"now": UnixSeconds(sd_jwts.NOW - 61)},
        {"issuer_key": sd_jwts.STRANGER.public_key()},
    ],
)
def test_another_question_time_or_key_does_not_pass(changes: dict[str, Any]) -> None:
    assert quick(usual_card("resident"), **changes) is None


@pytest.mark.parametrize("late", [300, 0, -60])
def test_the_times_allowed_pass(late: int) -> None:
    assert quick(usual_card("resident"), now=UnixSeconds(sd_jwts.NOW + late)) is not None


def disclosed(*array: object) -> str:
    """Bind one disclosure that the payload knows, and that no honest library need have made."""
    text = sd_jwts.disclose(*array)
    return sd_jwts.bound({**PAYLOAD, "_sd": [sd_jwts.digest(text)]}, [text])


ILL_MADE: dict[str, str] = {
    "two elements": disclosed("salt", "value"),
    "four elements": disclosed("salt", "name", "value", 1),
    "no salt": disclosed(None, "name", "value"),
    "a number for a name": disclosed("salt", 7, "value"),
    "a reserved name": disclosed("salt", "_sd", "value"),
    "another reserved name": disclosed("salt", "...", "value"),
    "an always visible name": disclosed("salt", "exp", None),
    "a name that is there": disclosed("salt", "iss", "x"),
    "a NUL in the name": disclosed("salt", "na\0me", "value"),
    "a digest twice": sd_jwts.bound(
        {**PAYLOAD, "_sd": [sd_jwts.digest(sd_jwts.disclose("s", "n", "v"))] * 2},
        [sd_jwts.disclose("s", "n", "v")],
    ),
    "a digest at two places": sd_jwts.bound(
        {
            **PAYLOAD,
            "_sd": [sd_jwts.digest(sd_jwts.disclose("s", "n", "v"))],
            "x": {"_sd": [sd_jwts.digest(sd_jwts.disclose("s", "n", "v"))]},
        },
        [sd_jwts.disclose("s", "n", "v")],
    ),
    "a digest that is no text": sd_jwts.bound({**PAYLOAD, "_sd": [7]}),
    "digests that are no list": sd_jwts.bound({**PAYLOAD, "_sd": "text"}),
    "a placeholder": sd_jwts.bound({**PAYLOAD, "x": {"...": "digest"}}),
    "another hash": sd_jwts.bound({**PAYLOAD, "_sd_alg": "sha-512", "_sd": []}),
    "a hash below": sd_jwts.bound({**PAYLOAD, "x": {"_sd_alg": "sha-256"}}),
    "a member twice": sd_jwts.bound('{"iss":"a","iss":"b","cnf":{},"_sd_alg":"sha-256"}'),
    "an unknown disclosure": sd_jwts.bound(PAYLOAD, [sd_jwts.disclose("s", "n", "v")]),
    "no key": sd_jwts.bound({**PAYLOAD, "cnf": {}}),
    "a key that is text": sd_jwts.bound({**PAYLOAD, "cnf": "key"}),
    "a key in a text": sd_jwts.bound({**PAYLOAD, "cnf": {"jwk": "key"}}),
    "two keys": sd_jwts.bound({**PAYLOAD, "cnf": {**sd_jwts.CNF, "kid": "1"}}),
    "another member for the key": sd_jwts.bound({**PAYLOAD, "cnf": {"jku": "x"}}),
    "not JSON": sd_jwts.bound("{"),
    "a list for a payload": sd_jwts.bound("[]"),
    "too deep": sd_jwts.bound(
        json.dumps(
            {
                "cnf": sd_jwts.CNF,
                "_sd_alg": "sha-256",
                "x": json.loads('{"a":' * 17 + "1" + "}" * 17),
            },
            separators=(",", ":"),
        ),
        [],
    ),
}


@pytest.mark.parametrize("text", ILL_MADE.values(), ids=ILL_MADE)
def test_what_verify_refuses_does_not_pass(text: str) -> None:
    assert general(text) is None
    assert quick(text) is None


UNUSUAL: dict[str, str] = {
    "an element of an array": sd_jwts.bind(
        sd_jwts.show(sd_jwts.credential(), ("languages", 0), ("resident",))
    ),
    "a number": disclosed("0123456789012345678901", "age", 7),
    "an object": disclosed("0123456789012345678901", "place", {"city": "Springfield"}),
    "white space": sd_jwts.bound({**PAYLOAD, "_sd": []}, []),
    "nothing shown": usual_card(),
    "other members in the answer": sd_jwts.answered(usual_card("resident"), {"jti": "1"}),
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_another_shape_is_left_to_verify(text: str) -> None:
    found = quick(text)
    assert found is None or same(found, general(text))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    claims=st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.none() | st.booleans() | st.text(max_size=12) | st.integers() | st.lists(st.text()),
        max_size=4,
    )
)
def test_law_what_passes_is_what_verify_says(claims: dict[str, Any]) -> None:
    texts = [sd_jwts.disclose("0123456789012345678901", *each) for each in claims.items()]
    payload = {**PAYLOAD, "_sd_alg": "sha-256", "_sd": [sd_jwts.digest(text) for text in texts]}
    header = json.dumps(sd_jwts.HEADER, separators=(",", ":"))
    body = json.dumps({"cnf": sd_jwts.CNF, **payload}, separators=(",", ":"), ensure_ascii=False)
    text = sd_jwts.bind("~".join([sd_jwts.token(header, body), *texts, ""]))
    found, expected = quick(text), general(text)
    assert found is None or same(found, expected)
    plain = all(value is None or isinstance(value, bool | str) for value in claims.values())
    if claims and plain and expected is not None:
        assert found is not None


def test_a_holder_of_the_key_is_named() -> None:
    found = quick(usual_card("resident"))
    assert found is not None
    assert jwk.thumbprint(found.holder) == jwk.thumbprint(sd_jwts.HOLDER.public_key())
    other = sd_jwts.bind(usual_card("resident").rpartition("~")[0] + "~")
    assert quick(other) is not None
    forged = other.rpartition("~")[0] + "~"
    stolen = jws.sign(
        header={"alg": "ES256", "typ": "kb+jwt"},
        payload=jws.parse(other.rpartition("~")[2]).payload,
        signer=jws.es256_signer(sd_jwts.STRANGER),
    )
    assert quick(forged + stolen) is None


def test_a_wrong_signature_is_final_and_named() -> None:
    asked = {"audience": sd_jwts.AUDIENCE, "nonce": sd_jwts.NONCE, "now": sd_jwts.NOW}
    text = usual_card("resident")
    with pytest.raises(BadSignature):
        verify.verify_usual(text, issuer_key=sd_jwts.STRANGER.public_key(), **asked)
    wrong = text.rpartition(".")[0] + "." + base64url.encode(bytes(63) + b"\1")
    with pytest.raises(HolderBinding):
        verify.verify_usual(wrong, issuer_key=sd_jwts.ISSUER_KEY, **asked)
