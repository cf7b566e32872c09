"""The corpus's attacks on SD-JWTs: whose signature, in what header, and by what holder.

Every attack starts from an honest presentation, the first test here, and departs in one thing.
"""

import base64
import hashlib
import hmac
import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.encoding import base64url, canonical_json
from crypto.errors import (
    BadSignature,
    CryptoError,
    HolderBinding,
    Malformed,
    Refused,
    WrongAlgorithm,
    WrongAudience,
    WrongNonce,
)
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, verify
from tests.fakes import sd_jwts
from tests.fakes.sd_jwts import (
    AUDIENCE,
    HEADER,
    NONCE,
    NOW,
    answered,
    b64,
    bind,
    bound,
    check,
    digest,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
CREDENTIAL = sd_jwts.credential()
SHOWN = sd_jwts.show(CREDENTIAL, ("given_name",), ("resident",))
HONEST = bind(SHOWN)
JWT, FIRST, SECOND, _ = SHOWN.split("~")
HEAD, PAYLOAD, SIGNATURE = JWT.split(".")
STRANGER = jws.es256_signer(sd_jwts.STRANGER)
Errors = type[CryptoError] | tuple[type[CryptoError], ...]


@pytest.fixture(autouse=True, scope="module")
def the_honest_twin_is_accepted() -> None:
    assert check(HONEST).claims["given_name"] == "Ada"


def signed_by(header: dict[str, Any], signer: jws.Signer) -> str:
    """Replace the issuer's header and signature; the holder answers honestly."""
    payload = base64url.decode(PAYLOAD)
    return bind(f"{sd_jwts.token(header, payload, signer)}~{FIRST}~{SECOND}~")


def with_signature(signature: bytes) -> str:
    return bind(f"{HEAD}.{PAYLOAD}.{b64(signature)}~{FIRST}~{SECOND}~")


def with_header(**change: Any) -> str:
    return signed_by({**HEADER, **change}, jws.es256_signer(sd_jwts.ISSUER))


def mac(secret: bytes) -> jws.Signer:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


KEY = sd_jwts.ISSUER_KEY
R, S = (int.from_bytes(base64url.decode(SIGNATURE)[at : at + 32], "big") for at in (0, 32))
CNF_KEY = sd_jwts.CNF["jwk"]
OTHER_KIND = ["statuslist+jwt", "at+jwt", "openidvci-issuer-metadata+jwt", "kb+jwt"]


def halves(r: int, s: int) -> str:
    return with_signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def kb(**changes: Any) -> str:
    return answered(SHOWN, changes)


def kb_header(**changes: Any) -> str:
    return answered(SHOWN, header={"alg": "ES256", "typ": "kb+jwt", **changes})


def cnf(value: Any) -> str:
    return bound({"cnf": value})


ATTACKS: list[tuple[str, str, str, Errors]] = [
    ("SDJWT-001", "none", signed_by({**HEADER, "alg": "none"}, lambda _: b""), WrongAlgorithm),
    *(
        ("SDJWT-002", repr(alg), signed_by({**HEADER, "alg": alg}, lambda _: b""), WrongAlgorithm)
        for alg in ("NONE", "None", "nOnE", "none ", " none", "none\0", "es256", "ES256 ")
    ),
    *(
        ("SDJWT-003", label, signed_by({**HEADER, "alg": "HS256"}, mac(secret)), WrongAlgorithm)
        for label, secret in {
            "pem": KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": canonical_json.serialize({**jwk.public_jwk(KEY)}),
            "thumbprint": jwk.thumbprint(KEY),
        }.items()
    ),
    ("SDJWT-005", "der", with_signature(encode_dss_signature(R, S)), BadSignature),
    ("SDJWT-005", "short", with_signature(base64url.decode(SIGNATURE)[:-1]), BadSignature),
    ("SDJWT-005", "long", with_signature(base64url.decode(SIGNATURE) + b"\0"), BadSignature),
    ("SDJWT-006", "zero", halves(0, 0), BadSignature),
    ("SDJWT-006", "r zero", halves(0, S), BadSignature),
    ("SDJWT-006", "s zero", halves(R, 0), BadSignature),
    ("SDJWT-006", "r n", halves(ORDER, S), BadSignature),
    ("SDJWT-006", "s n", halves(R, ORDER), BadSignature),
    ("SDJWT-006", "r p", halves(FIELD, S), BadSignature),
    ("SDJWT-006", "r above p", halves(FIELD + 1, S), BadSignature),
    *(
        ("SDJWT-008", f"kid {at}", signed_by({**HEADER, "kid": kid}, STRANGER), BadSignature)
        for at, kid in enumerate(
            ["../../../../dev/null", "' OR 1=1--", "a\0b", "k" * 10_000, 1, ["k"], {"k": 1}]
        )
    ),
    (
        "SDJWT-011",
        "jwk",
        signed_by({**HEADER, "jwk": jwk.public_jwk(sd_jwts.STRANGER.public_key())}, STRANGER),
        BadSignature,
    ),
    *(
        ("SDJWT-013", repr(crit), with_header(crit=crit, unknown=1), WrongAlgorithm)
        for crit in (["unknown"], [], ["alg"], "alg", None, {"alg": 1})
    ),
    (
        "SDJWT-015",
        "missing",
        signed_by({"alg": "ES256"}, jws.es256_signer(sd_jwts.ISSUER)),
        WrongAlgorithm,
    ),
    *(
        ("SDJWT-015", str(typ), with_header(typ=typ), WrongAlgorithm)
        for typ in (
            "JWT",
            "kb+jwt",
            "statuslist+jwt",
            "DC+SD-JWT",
            "vc+sd-jwt",
            None,
            ["dc+sd-jwt"],
        )
    ),
    *(("SDJWT-016", typ, with_header(typ=typ), WrongAlgorithm) for typ in OTHER_KIND),
    *(
        (
            "SDJWT-017",
            label,
            bind(f"{sd_jwts.token(header, base64url.decode(PAYLOAD))}~"),
            Malformed,
        )
        for label, header in {
            "alg": '{"alg":"ES256","alg":"none","typ":"dc+sd-jwt"}',
            "alg last": '{"alg":"none","typ":"dc+sd-jwt","alg":"ES256"}',
            "typ": '{"alg":"ES256","typ":"JWT","typ":"dc+sd-jwt"}',
            "escaped": '{"alg":"ES256","\\u0061lg":"ES256","typ":"dc+sd-jwt"}',
        }.items()
    ),
    (
        "SDJWT-055",
        "white space",
        bind(f"{JWT}~{b64(base64url.decode(FIRST).replace(b',', b', '))}~{SECOND}~"),
        Refused,
    ),
    ("SDJWT-056", "issued", SHOWN[:-1], Malformed),
    ("SDJWT-057", "double", bind(SHOWN.replace("~", "~~", 1)), Malformed),
    ("SDJWT-057", "leading", "~" + HONEST, Malformed),
    ("SDJWT-057", "thousand", f"{JWT}{'~' * 1000}", Malformed),
    ("SDJWT-057", "empty disclosure", bind(SHOWN + "~"), Malformed),
    ("SDJWT-058", "four parts", bind(SHOWN.replace("~", ".AA~", 1)), Malformed),
    ("SDJWT-058", "five parts", bind(SHOWN.replace("~", ".AA.AA~", 1)), Malformed),
    ("SDJWT-058", "one part", bind(f"{HEAD}~{FIRST}~"), Malformed),
    ("SDJWT-060", "no answer", SHOWN, HolderBinding),
    ("SDJWT-061", "another key", answered(SHOWN, signer=STRANGER), HolderBinding),
    (
        "SDJWT-062",
        "own key",
        answered(
            SHOWN,
            header={
                "alg": "ES256",
                "typ": "kb+jwt",
                "kid": "1",
                "jwk": jwk.public_jwk(sd_jwts.STRANGER.public_key()),
                "x5c": ["AA=="],
            },
            signer=STRANGER,
        ),
        HolderBinding,
    ),
    *(
        ("SDJWT-063", alg, kb_header(alg=alg), WrongAlgorithm)
        for alg in ("none", "HS256", "ES384", "EdDSA", "RS256")
    ),
    *(
        ("SDJWT-065", repr(iat), kb(iat=iat), HolderBinding)
        for iat in (NOW - 600, NOW + 600, NOW - 301, NOW + 61, None, float(NOW), -1, str(NOW))
    ),
    ("SDJWT-065", "missing", answered(SHOWN, without="iat"), HolderBinding),
    ("SDJWT-065", "10^20", kb(iat=10**20), Malformed),
    *(
        ("SDJWT-066", repr(nonce), kb(nonce=nonce), WrongNonce)
        for nonce in ("another-session", "", [NONCE], None, NONCE.lower())
    ),
    ("SDJWT-066", "missing", answered(SHOWN, without="nonce"), WrongNonce),
    *(
        ("SDJWT-067", repr(aud), kb(aud=aud), WrongAudience)
        for aud in (
            "x509_san_dns:bar.example",
            [AUDIENCE, "x509_san_dns:bar.example"],
            [AUDIENCE],
            AUDIENCE.partition(":")[2],
            AUDIENCE.upper(),
            AUDIENCE + "/",
        )
    ),
    ("SDJWT-068", "one fewer", HONEST.replace(f"~{FIRST}~", "~", 1), HolderBinding),
    (
        "SDJWT-068",
        "one more",
        HONEST.replace(
            SHOWN, sd_jwts.show(CREDENTIAL, ("given_name",), ("resident",), ("gender",)), 1
        ),
        HolderBinding,
    ),
    (
        "SDJWT-068",
        "order",
        HONEST.replace(f"~{FIRST}~{SECOND}~", f"~{SECOND}~{FIRST}~", 1),
        HolderBinding,
    ),
    ("SDJWT-070", "missing", answered(SHOWN, without="sd_hash"), HolderBinding),
    *(
        ("SDJWT-070", label, kb(sd_hash=value), HolderBinding)
        for label, value in {
            "empty": "",
            "no trailing tilde": digest(SHOWN[:-1]),
            "other hash": b64(hashlib.sha512(SHOWN.encode()).digest()),
            "ordinary base64": base64.b64encode(hashlib.sha256(SHOWN.encode()).digest()).decode(),
            "the JWT alone": digest(JWT),
        }.items()
    ),
    *(
        ("SDJWT-072", label, cnf(value), HolderBinding)
        for label, value in {
            "jwk and kid": {"jwk": CNF_KEY, "kid": "1"},
            "private": {"jwk": jwk.private_jwk(sd_jwts.HOLDER)},
            "curve": {"jwk": {**CNF_KEY, "crv": "P-384"}},
            "point": {"jwk": {**CNF_KEY, "x": CNF_KEY["y"]}},
            "identity": {"jwk": {**CNF_KEY, "x": "A" * 43, "y": "A" * 43}},
            "empty": {},
            "null": None,
        }.items()
    ),
    ("SDJWT-072", "missing", bind(sd_jwts.token(HEADER, {"a": 1}) + "~"), HolderBinding),
    *(
        ("SDJWT-073", str(change), cnf({"jwk": {**CNF_KEY, **change}}), HolderBinding)
        for change in ({"alg": "ES384"}, {"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": []})
    ),
]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(text, error, id=f"{row}-{label}"[:60], marks=pytest.mark.attack(row))
        for row, label, text, error in ATTACKS
    ],
)
def test_attack_is_refused(text: str, error: Errors) -> None:
    with pytest.raises(error) as caught:
        check(text)
    assert "Ada" not in str(caught.value)
    assert check(HONEST)


@pytest.mark.attack("SDJWT-007")
def test_the_high_s_twin_is_the_same_presentation() -> None:
    """ECDSA signatures have a twin, so nothing is ever keyed on them."""
    twin = halves(R, ORDER - S)
    assert twin != HONEST
    assert check(twin).claims == check(HONEST).claims
    assert check(twin)._fields == ("claims", "holder")


@pytest.mark.attack("SDJWT-008")
@pytest.mark.parametrize("kid", ["../../../../dev/null", "' OR 1=1--", "a\0b", 1, ["k"]])
def test_a_key_name_changes_nothing(kid: Any) -> None:
    assert check(with_header(kid=kid)).claims == check(HONEST).claims


@pytest.mark.attack("SDJWT-010")
@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_addresses_in_a_header_are_never_visited(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own spelling
        port = listener.getsockname()[1]
        for url in (
            f"http://127.0.0.1:{port}/keys",
            f"https://localhost:{port}/keys",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
        ):
            with pytest.raises(BadSignature):
                check(signed_by({**HEADER, name: url}, STRANGER))
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.attack("SDJWT-075")
def test_a_presentation_is_not_taken_into_a_wallet() -> None:
    with pytest.raises(HolderBinding):
        verify.verify_issued(sd_jwt.parse(HONEST), issuer_key=KEY)
    assert verify.verify_issued(sd_jwt.parse(CREDENTIAL), issuer_key=KEY)
