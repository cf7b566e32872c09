from typing import Any

import pytest

from crypto.errors import (
    HolderBinding,
    Malformed,
    WrongAlgorithm,
    WrongAudience,
    WrongNonce,
)
from crypto.jose import jwk, jws
from crypto.sdjwt import key_binding, sd_jwt, verify
from tests.fakes import sd_jwts
from tests.fakes.sd_jwts import NOW, answered, check

SHOWN = sd_jwts.show(sd_jwts.credential(), ("resident",))


def test_sec4_3_the_answer_names_verifier_question_time_and_disclosures() -> None:
    parsed = sd_jwt.parse(sd_jwts.bind(SHOWN))
    assert isinstance(parsed, sd_jwt.SdJwtWithKeyBinding)
    assert parsed.key_binding.header == {"alg": "ES256", "typ": "kb+jwt"}
    assert parsed.bound == SHOWN
    assert check(answered(SHOWN)).claims["resident"] is True


@pytest.mark.parametrize("text", [SHOWN[:-1], ""])
def test_sec4_3_only_an_sd_jwt_can_be_answered_with(text: str) -> None:
    signer = jws.es256_signer(sd_jwts.HOLDER)
    with pytest.raises(ValueError, match="needs"):
        key_binding.sign(text, nonce="n", audience="a", now=NOW, signer=signer)


@pytest.mark.parametrize(("nonce", "audience"), [("", "a"), ("n", "")])
def test_nonce_and_audience_are_never_empty(nonce: str, audience: str) -> None:
    signer = jws.es256_signer(sd_jwts.HOLDER)
    with pytest.raises(ValueError, match="needs"):
        key_binding.sign(SHOWN, nonce=nonce, audience=audience, now=NOW, signer=signer)
    with pytest.raises(ValueError, match="names its"):
        verify.verify(
            sd_jwt.parse(answered(SHOWN, {"nonce": nonce, "aud": audience})),
            issuer_key=sd_jwts.ISSUER_KEY,
            nonce=nonce,
            audience=audience,
            now=NOW,
        )


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"typ": "JWT"},
        {"typ": "kb+JWT"},
        {"typ": "dc+sd-jwt"},
        {"typ": None},
        {"crit": ["x"]},
    ],
)
def test_sec7_3_step5_2_and_5_4_another_algorithm_or_type_is_refused(change: Any) -> None:
    with pytest.raises(WrongAlgorithm):
        check(answered(SHOWN, header={"alg": "ES256", "typ": "kb+jwt", **change}))


def test_sec7_3_step5_3_another_key_is_refused_whatever_the_header_offers() -> None:
    stranger = jws.es256_signer(sd_jwts.STRANGER)
    offered = {"jwk": jwk.public_jwk(sd_jwts.STRANGER.public_key()), "kid": "1", "x5c": ["AA=="]}
    for header in (None, {"alg": "ES256", "typ": "kb+jwt", **offered}):
        with pytest.raises(HolderBinding):
            check(answered(SHOWN, header=header, signer=stranger))


@pytest.mark.parametrize("iat", [NOW - 300, NOW, NOW + 60])
def test_sec7_3_step5_5_the_window_is_five_minutes_back_and_one_ahead(iat: int) -> None:
    assert check(answered(SHOWN, {"iat": iat}))


@pytest.mark.parametrize(
    "iat",
    [NOW - 301, NOW + 61, NOW - 600, NOW + 600, -1, 0, float(NOW), str(NOW), True, None, [NOW]],
)
def test_sec7_3_step5_5_another_time_is_refused(iat: Any) -> None:
    with pytest.raises(HolderBinding):
        check(answered(SHOWN, {"iat": iat}))


def test_sec7_3_step5_5_a_time_beyond_all_integers_is_malformed() -> None:
    with pytest.raises(Malformed):
        check(answered(SHOWN, {"iat": 10**20}))


def test_a_caller_can_narrow_the_window() -> None:
    parsed = sd_jwt.parse(answered(SHOWN, {"iat": NOW - 11}))
    arguments: dict[str, Any] = {
        "issuer_key": sd_jwts.ISSUER_KEY,
        "nonce": sd_jwts.NONCE,
        "audience": sd_jwts.AUDIENCE,
        "now": NOW,
    }
    assert verify.verify(parsed, **arguments, max_age=11)
    with pytest.raises(HolderBinding):
        verify.verify(parsed, **arguments, max_age=10)


@pytest.mark.parametrize("nonce", ["", "other", sd_jwts.NONCE + " ", [sd_jwts.NONCE], None, 1])
def test_sec7_3_step5_6_another_nonce_is_refused(nonce: Any) -> None:
    with pytest.raises(WrongNonce):
        check(answered(SHOWN, {"nonce": nonce}))


@pytest.mark.parametrize(
    "aud",
    [
        "",
        "library.example",
        "X509_SAN_DNS:library.example",
        sd_jwts.AUDIENCE + "/",
        [sd_jwts.AUDIENCE],
        [sd_jwts.AUDIENCE, "other"],
        None,
    ],
)
def test_sec7_3_step5_6_another_audience_is_refused(aud: Any) -> None:
    with pytest.raises(WrongAudience):
        check(answered(SHOWN, {"aud": aud}))


@pytest.mark.parametrize(
    "sd_hash", ["", None, sd_jwts.digest(SHOWN[:-1]), sd_jwts.digest(SHOWN) + "=", 1]
)
def test_sec7_3_step5_7_another_hash_is_refused(sd_hash: Any) -> None:
    with pytest.raises(HolderBinding):
        check(answered(SHOWN, {"sd_hash": sd_hash}))


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("iat", HolderBinding),
        ("nonce", WrongNonce),
        ("aud", WrongAudience),
        ("sd_hash", HolderBinding),
    ],
)
def test_sec4_3_every_claim_must_be_there(missing: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(answered(SHOWN, without=missing))


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"exp": NOW + 1}, True),
        ({"nbf": NOW + 60}, True),
        ({"exp": NOW + 1, "nbf": NOW}, True),
        ({"exp": NOW}, False),
        ({"exp": NOW - 1}, False),
        ({"nbf": NOW + 61}, False),
        ({"exp": "x"}, False),
        ({"nbf": None}, False),
        ({"exp": True}, False),
    ],
)
def test_sec7_3_step5_8_a_validity_in_the_answer_is_obeyed(claims: Any, accepted: bool) -> None:  # noqa: FBT001 - a column of the table
    if accepted:
        assert check(answered(SHOWN, claims))
    else:
        with pytest.raises(HolderBinding):
            check(answered(SHOWN, claims))


@pytest.mark.parametrize("payload", [b"[]", b"", b"null"])
def test_an_answer_that_is_no_object_is_malformed(payload: bytes) -> None:
    header = {"alg": "ES256", "typ": "kb+jwt"}
    token = sd_jwts.token(header, payload, jws.es256_signer(sd_jwts.HOLDER))
    with pytest.raises(Malformed):
        check(SHOWN + token)
