"""The corpus's attacks on SD-JWTs: what is signed, and what is disclosed of it.

Every attack starts from an honest presentation, the first test here, and departs in one thing.
"""

import hashlib
import os
from typing import Any

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.errors import (
    CryptoError,
    Malformed,
    Refused,
    WrongAlgorithm,
)
from crypto.sdjwt import disclosure, issue, sd_jwt, verify
from tests.fakes import sd_jwts
from tests.fakes.sd_jwts import (
    HEADER,
    b64,
    bind,
    bound,
    check,
    digest,
    disclose,
)

CREDENTIAL = sd_jwts.credential()
SHOWN = sd_jwts.show(CREDENTIAL, ("given_name",), ("resident",))
HONEST = bind(SHOWN)
JWT, FIRST, *_ = SHOWN.split("~")
GIVEN = disclose("salt-1", "given_name", "Ada")
ELEMENT = disclose("salt-2", "Ada")
Errors = type[CryptoError] | tuple[type[CryptoError], ...]


@pytest.fixture(autouse=True, scope="module")
def the_honest_twin_is_accepted() -> None:
    assert check(HONEST).claims["given_name"] == "Ada"
    assert check(bound({"_sd": [digest(GIVEN)]}, [GIVEN])).claims["given_name"] == "Ada"
    assert check(bound({"a": [{"...": digest(ELEMENT)}]}, [ELEMENT])).claims["a"] == ["Ada"]


def raw(payload: str | bytes, disclosures: list[str] | None = None) -> str:
    """Sign a payload byte for byte; `cnf` must be in it where the attack is to go that far."""
    return bound(payload, disclosures or [])


def in_payload(member: str) -> str:
    cnf = canonical_json.serialize({**sd_jwts.CNF}).decode()
    return raw(f'{{"cnf":{cnf},{member}}}')


def in_disclosure(text: str | bytes) -> str:
    return bound({"_sd": [digest(b64(text))]}, [b64(text)])


def opened(payload: dict[str, Any], *disclosures: str) -> str:
    return bound(payload, disclosures)


KEY = sd_jwts.ISSUER_KEY
INNER = disclose("salt-3", "street", "Main")
OUTER = disclose("salt-4", "home", {"_sd": [digest(INNER)]})


ATTACKS: list[tuple[str, str, str, Errors]] = [
    ("SDJWT-018", "iss", in_payload('"iss":"a","iss":"b"'), Malformed),
    ("SDJWT-018", "cnf", in_payload('"cnf":{}'), Malformed),
    ("SDJWT-018", "_sd", in_payload('"_sd":[],"_sd":[]'), Malformed),
    ("SDJWT-018", "deep", in_payload('"a":[{"b":1,"b":1}]'), Malformed),
    ("SDJWT-018", "disclosure", in_disclosure('["s","n",{"b":1,"b":2}]'), Malformed),
    ("SDJWT-020", "decoy", opened({"_sd": ["x", "x"]}), Refused),
    ("SDJWT-020", "disclosed", opened({"_sd": [digest(GIVEN)] * 2}, GIVEN), Refused),
    ("SDJWT-021", "objects", opened({"_sd": ["x"], "a": {"_sd": ["x"]}}), Refused),
    (
        "SDJWT-021",
        "object and array",
        opened({"_sd": ["x"], "a": [{"...": "x"}]}),
        Refused,
    ),
    (
        "SDJWT-022",
        "recursive",
        opened({"_sd": [digest(OUTER), digest(INNER)]}, OUTER, INNER),
        Refused,
    ),
    (
        "SDJWT-022",
        "both recursive",
        opened(
            {"_sd": [digest(OUTER), digest(disclose("salt-5", "work", {"_sd": [digest(INNER)]}))]},
            OUTER,
            INNER,
            disclose("salt-5", "work", {"_sd": [digest(INNER)]}),
        ),
        Refused,
    ),
    ("SDJWT-023", "twice", bind(f"{JWT}~{FIRST}~{FIRST}~"), Refused),
    ("SDJWT-025", "orphan", opened({"_sd": [digest(OUTER)]}, INNER), Refused),
    *(
        (
            row,
            name,
            opened({"_sd": [digest(disclose("salt", name, ["x"]))]}, disclose("salt", name, ["x"])),
            Refused,
        )
        for row, name in (("SDJWT-026", "_sd"), ("SDJWT-027", "..."))
    ),
    ("SDJWT-028", "clear", opened({"given_name": "Eve", "_sd": [digest(GIVEN)]}, GIVEN), Refused),
    (
        "SDJWT-028",
        "two disclosures",
        opened(
            {"_sd": [digest(GIVEN), digest(disclose("salt-6", "given_name", "Eve"))]},
            GIVEN,
            disclose("salt-6", "given_name", "Eve"),
        ),
        Refused,
    ),
    *(
        (
            "SDJWT-030",
            name,
            opened({"_sd": [digest(disclose("s", name, 1))]}, disclose("s", name, 1)),
            Refused,
        )
        for name in (
            "iss",
            "exp",
            "nbf",
            "vct",
            "status",
            "_sd_alg",
            "cnf",
            "vct#integrity",
            "iat",
            "aud",
        )
    ),
    ("SDJWT-031", "two elements", opened({"_sd": [digest(ELEMENT)]}, ELEMENT), Malformed),
    ("SDJWT-032", "three elements", opened({"a": [{"...": digest(GIVEN)}]}, GIVEN), Malformed),
    *(
        ("SDJWT-033", text, in_disclosure(text), Malformed)
        for text in ("[]", '["s"]', '["s","n",1,2]', "{}", '"s"', "null", '[["s","n",1]]', "")
    ),
    *(
        ("SDJWT-037", repr(value), opened({"_sd": [digest(text)]}, text), Malformed)
        for value in ("x", {}, None, 1)
        for text in [disclose("s", "n", {"_sd": value})]
    ),
    *(
        ("SDJWT-038", repr(value), opened({"_sd": [value]}), Malformed)
        for value in (1, None, [], {}, True)
    ),
    ("SDJWT-040", "member", opened({"a": {"...": "x"}}), Malformed),
    ("SDJWT-040", "top", opened({"...": "x"}), Malformed),
    ("SDJWT-040", "beside", opened({"a": [{"...": "x", "b": 1}]}), Malformed),
    *(
        ("SDJWT-041", repr(name), opened({"_sd_alg": name}), WrongAlgorithm)
        for name in ("md5", "sha-1", "sha-512", "unknown", "SHA-256", "", 256, None)
    ),
    ("SDJWT-042", "nested", opened({"a": {"_sd_alg": "sha-256"}}), Malformed),
    (
        "SDJWT-042",
        "in a disclosed value",
        opened({"_sd": [digest(text := disclose("s", "n", {"_sd_alg": "sha-256"}))]}, text),
        Malformed,
    ),
    (
        "SDJWT-043",
        "sha-512",
        opened(
            {"_sd_alg": "sha-256", "_sd": [b64(hashlib.sha512(GIVEN.encode()).digest()[:32])]},
            GIVEN,
        ),
        Refused,
    ),
    *(
        ("SDJWT-046", label, text, Malformed)
        for label, text in {
            "digests": sd_jwts.issued({"_sd": [str(at) for at in range(100_000)]}),
            "disclosures": f"{JWT}~" + "AA~" * 100_000,
            "513 disclosures": f"{JWT}~" + "AA~" * 513,
            "5 MiB": f"{JWT}~{'A' * 5 * 2**20}~",
        }.items()
    ),
    *(
        ("SDJWT-047", f"{label} {depth}", text, Malformed)
        for depth in (17, 1_000, 5_000, 100_000)
        for label, text in {
            "array": raw("[" * depth + "]" * depth),
            "object": raw('{"a":' * depth + "1" + "}" * depth),
            "disclosure": in_disclosure('["s","n",' + "[" * depth + "]" * depth + "]"),
        }.items()
    ),
    *(
        ("SDJWT-048", f"{number[:20]} {label}", text, Malformed)
        for number in ("1" + "0" * 400, "1e400", "9007199254740993", "0x1F", "1_000", "012")
        for label, text in {
            "payload": in_payload(f'"a":{number}'),
            "disclosure": in_disclosure(f'["s","n",{number}]'),
        }.items()
    ),
    (
        "SDJWT-050",
        "header",
        bind(sd_jwts.token(b'\xef\xbb\xbf{"alg":"ES256"}', "{}") + "~"),
        Malformed,
    ),
    ("SDJWT-050", "payload", raw(b"\xef\xbb\xbf{}"), Malformed),
    ("SDJWT-050", "disclosure", in_disclosure(b'\xef\xbb\xbf["s","n",1]'), Malformed),
    *(
        ("SDJWT-051", label, in_disclosure(text), Malformed)
        for label, text in {
            "invalid": b'["s","n","\xff"]',
            "overlong": b'["s","n","\xc0\x80"]',
            "surrogate": b'["s","n","\\ud800"]',
            "surrogate bytes": b'["s","n","\xed\xa0\x80"]',
            "NUL in a name": b'["s","n\\u0000",1]',
        }.items()
    ),
    ("SDJWT-051", "payload", raw(b'{"a":"\xff"}'), Malformed),
    *(
        ("SDJWT-053", f"{label} {tail!r}", text, Malformed)
        for tail in ("{}", "x", "\0")
        for label, text in {
            "header": bind(sd_jwts.token('{"alg":"ES256","typ":"dc+sd-jwt"}' + tail, "{}") + "~"),
            "payload": raw("{}" + tail),
            "disclosure": in_disclosure('["s","n",1]' + tail),
        }.items()
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


@pytest.mark.attack("SDJWT-035")
def test_a_holder_refuses_a_short_salt() -> None:
    for salt in ("", "s", "A" * 21):
        text = disclose(salt, "n", 1)
        credential = sd_jwt.parse(sd_jwts.issued({"_sd": [digest(text)]}, [text]))
        with pytest.raises(Refused):
            verify.verify_issued(credential, issuer_key=KEY)
    text = disclose("A" * 22, "n", 1)
    credential = sd_jwt.parse(sd_jwts.issued({"_sd": [digest(text)]}, [text]))
    assert verify.verify_issued(credential, issuer_key=KEY)


def fresh_salts(credentials: int) -> list[str]:
    """Issue with the machine's own randomness, and collect the salts."""
    found: list[str] = []
    for _ in range(credentials):
        text = issue.issue(
            header={**HEADER},
            claims=sd_jwts.CLAIMS,
            frame=sd_jwts.FRAME,
            holder=None,
            signer=lambda _: bytes(64),
            random_bytes=os.urandom,
        )
        found += [disclosure.parse(part).salt for part in text.split("~")[1:-1]]
    return found


@pytest.mark.attack("SDJWT-035")
@pytest.mark.attack("SDJWT-036")
@pytest.mark.parametrize(
    "credentials", [500, pytest.param(100_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_salts_are_128_bits_and_never_repeat(credentials: int) -> None:
    salts = fresh_salts(credentials)
    assert len(salts) == credentials * len(sd_jwts.FRAME.disclosable)
    assert {len(base64url.decode(salt)) for salt in salts} == {16}
    assert len(set(salts)) == len(salts)


@pytest.mark.attack("SDJWT-038")
def test_digests_of_no_possible_disclosure_are_ignored() -> None:
    claims = check(opened({"_sd": ["", "x", "=" * 44, "A" * 42, "é"]})).claims
    assert claims == {"cnf": sd_jwts.CNF}


@pytest.mark.attack("SDJWT-045")
def test_a_digest_that_leads_back_to_itself_ends() -> None:
    """No such text can be found, so the table of digests is given by hand."""
    text = disclose("s", "n", {"_sd": ["D"], "a": [{"...": "D"}]})
    walk = verify._Walk({"D": text})
    payload: canonical_json.JsonObject = {"_sd": ["D"]}
    walk.object(payload, 1)
    assert walk.count > len(walk.seen)
    assert not walk.unused


@pytest.mark.attack("SDJWT-046")
def test_bombs_are_refused_before_any_signature_is_looked_at() -> None:
    for row, _, text, error in ATTACKS:
        if row == "SDJWT-046":
            with pytest.raises(error):
                sd_jwt.parse(text)


@pytest.mark.attack("SDJWT-048")
def test_minus_zero_is_zero_and_the_largest_integer_is_itself() -> None:
    assert check(in_payload('"a":-0')).claims["a"] == 0
    assert check(in_payload('"a":9007199254740991')).claims["a"] == 2**53 - 1


@pytest.mark.attack("SDJWT-052")
@pytest.mark.parametrize(
    ("wanted", "lookalike"),
    [
        ("given_name", "given_n\u0430me"),
        ("age_over_18", "age_over_\u200d18"),
        ("r\u00e9sident", "re\u0301sident"),
        ("resident", "Resident"),
        ("resident", "resident "),
        ("resident", "\uff52esident"),
    ],
)
def test_a_lookalike_name_is_another_claim(wanted: str, lookalike: str) -> None:
    text = disclose("s", lookalike, True)  # noqa: FBT003 - a claim's value
    claims = check(opened({"_sd": [digest(text)]}, text)).claims
    assert wanted not in claims
    assert lookalike in claims


@pytest.mark.attack("SDJWT-080")
def test_the_order_of_digests_says_nothing_of_the_claims() -> None:
    orders = set()
    for seed in range(20):
        credential = sd_jwt.parse(sd_jwts.credential(seed=str(seed)))
        assert isinstance(credential, sd_jwt.SdJwt)
        digests = canonical_json.parse_object(credential.issuer.payload)["_sd"]
        assert isinstance(digests, list)
        assert digests == sorted(map(str, digests))
        names = {
            disclosure.digest(text): disclosure.parse(text).name for text in credential.disclosures
        }
        orders.add(tuple(names[str(found)] for found in digests))
    assert len(orders) > 10
