from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url
from crypto.errors import Malformed
from crypto.jose import jwk
from tests.fakes import sd_jwts

# RFC 7517, appendix A.1 and A.2: the P-256 key.
RFC7517 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
RFC7517_D = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_sec6_2_a_published_key_is_read_and_written_back() -> None:
    private = jwk.parse_private({**RFC7517, "d": RFC7517_D})
    assert jwk.private_jwk(private) == {**RFC7517, "d": RFC7517_D}
    assert jwk.public_jwk(jwk.parse_public({**RFC7517})) == RFC7517
    assert private.public_key() == jwk.parse_public({**RFC7517})


@pytest.mark.parametrize(
    ("more", "use"),
    [
        ({"kid": "1", "unknown": [1]}, "sig"),
        ({"use": "sig", "alg": "ES256", "key_ops": ["verify"]}, "sig"),
        ({"use": "enc", "alg": "ECDH-ES", "kid": "1"}, "enc"),
        ({"key_ops": ["deriveBits"]}, "enc"),
    ],
)
def test_sec4_members_that_agree_with_the_use_are_accepted(more: Any, use: jwk.Use) -> None:
    assert jwk.public_jwk(jwk.parse_public({**RFC7517, **more}, use=use)) == RFC7517


BAD: dict[str, dict[str, Any]] = {
    "another type": {"kty": "OKP"},
    "RSA": {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    "another curve": {"crv": "P-384"},
    "secp256k1": {"crv": "secp256k1"},
    "no curve": {"crv": None},
    "private d": {"d": RFC7517_D},
    "symmetric k": {"k": "AAAA"},
    "use enc": {"use": "enc"},
    "use null": {"use": None},
    "alg ES384": {"alg": "ES384"},
    "alg none": {"alg": "none"},
    "key_ops sign only": {"key_ops": ["sign"]},
    "key_ops empty": {"key_ops": []},
    "key_ops text": {"key_ops": "verify"},
    "key_ops numbers": {"key_ops": [1]},
    "key_ops repeated": {"key_ops": ["verify", "verify"]},
    "x a number": {"x": 5},
    "x too short": {"x": RFC7517["x"][:-1]},
    "x too long": {"x": "AA" + RFC7517["x"]},
    "x with padding": {"x": RFC7517["x"] + "="},
    "x of other letters": {"x": "+" + RFC7517["x"][1:]},
    "x with stray bits": {"x": RFC7517["x"][:-1] + "5"},
    "y missing": {"y": None},
    "off the curve": {"y": RFC7517["x"]},
    "zero": {"x": "A" * 43, "y": "A" * 43},
    "beyond the field": {"x": "_" * 42 + "8"},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_sec4_a_key_that_is_not_plainly_a_p256_verification_key_is_refused(change: Any) -> None:
    with pytest.raises(Malformed):
        jwk.parse_public({**RFC7517, **change})


@pytest.mark.parametrize(
    "d",
    [
        None,
        "",
        RFC7517_D[:-1],
        base64url.encode(bytes(32)),
        base64url.encode(P256_ORDER.to_bytes(32, "big")),
        base64url.encode((1).to_bytes(32, "big")),
    ],
)
def test_sec6_2_2_a_private_half_that_does_not_fit_is_refused(d: Any) -> None:
    with pytest.raises(Malformed):
        jwk.parse_private({**RFC7517, "d": d})


def test_a_point_is_loaded_as_the_jwk_that_holds_it() -> None:
    point = base64url.decode(str(RFC7517["x"])) + base64url.decode(str(RFC7517["y"]))
    assert jwk.load_point(point) == jwk.parse_public({**RFC7517})
    for wrong in (point[:-1], point + b"\0", bytes(64), point[:-1] + bytes([point[-1] ^ 1]), b""):
        with pytest.raises(Malformed):
            jwk.load_point(wrong)


def test_rfc7638_a_thumbprint_hashes_the_required_members_alone() -> None:
    # RFC 7517's key; the digest was computed with sha256sum over the text of RFC 7638, section 3.
    key = jwk.parse_public({**RFC7517, "kid": "1"})
    assert base64url.encode(jwk.thumbprint(key)) == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_keys_come_from_lent_chance_alone() -> None:
    one = jwk.generate(random_bytes=sd_jwts.stream("a"))
    same = jwk.generate(random_bytes=sd_jwts.stream("a"))
    other = jwk.generate(random_bytes=sd_jwts.stream("b"))
    assert jwk.private_jwk(one) == jwk.private_jwk(same) != jwk.private_jwk(other)


@pytest.mark.parametrize(("fill", "scalar"), [(b"\0", 1), (b"\xff", None)])
def test_extreme_chance_still_gives_a_key_in_range(fill: bytes, scalar: int | None) -> None:
    private = jwk.generate(random_bytes=lambda count: fill * count).private_numbers().private_value
    assert 0 < private < P256_ORDER
    assert scalar is None or private == scalar


def test_keys_on_other_curves_are_our_own_mistake() -> None:
    key = ec.derive_private_key(5, ec.SECP384R1())
    with pytest.raises(ValueError, match="P-256"):
        jwk.public_jwk(key.public_key())
