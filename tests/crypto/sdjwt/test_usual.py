"""The shortcut says what `verify` says, or nothing; only a wrong signature is final."""

import json
import string
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import BadSignature, CryptoError, HolderBinding
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, shape, usual, verify
from crypto.sdjwt.issue import Frame
from crypto.sdjwt.shape import Hidden, Shape
from crypto.sdjwt.verify import VerifiedClaims
from tests.fakes import sd_jwts

VISIBLE: JsonObject = {name: sd_jwts.CLAIMS[name] for name in ("iss", "vct", "nbf", "exp")}
URI = "https://issuer.example/v1/status/resident/1"
INDEX = 4711
HIDDEN: JsonObject = {
    "given_name": "Zoë",
    "family_name": 'Example "the" \\ \n Wójcik',
    "resident": True,
    "age_over_65": False,
    "gender": None,
}
ADDRESS: JsonObject = {"locality": "Springfield", "postal_code": None}
HEADER = json.dumps(sd_jwts.HEADER, separators=(",", ":"))
HEADER_TEXT = sd_jwts.b64(HEADER)


def shape_of(*, inner: bool) -> Shape:
    return shape.of(
        header=HEADER_TEXT,
        visible=VISIBLE,
        uri=URI,
        top=Hidden(frozenset(HIDDEN), len(HIDDEN)),
        inner_name="address",
        inner=Hidden(frozenset(ADDRESS), len(ADDRESS) if inner else 0),
    )


SHAPE, FLAT = shape_of(inner=True), shape_of(inner=False)
ASKED: dict[str, Any] = {
    "issuer_key": sd_jwts.ISSUER_KEY,
    "audience": sd_jwts.AUDIENCE,
    "nonce": sd_jwts.NONCE,
    "now": sd_jwts.NOW,
}


def issued(*, inner: bool = True, index: int = INDEX, **changes: Any) -> str:
    """Issue as a city does."""
    status = {"status_list": {"idx": index, "uri": URI}}
    address: JsonObject = {"address": {**ADDRESS}} if inner else {}
    claims = {**VISIBLE, "status": status, **HIDDEN, **address, **changes}
    paths = {(name,) for name in HIDDEN}
    below = {("address", name) for name in ADDRESS} if inner else set()
    return sd_jwts.credential(claims, Frame(disclosable=frozenset(paths | below)))


def shown(*names: str, inner: bool = True, **changes: Any) -> str:
    """Show some of it as its wallet does."""
    text = issued(inner=inner, **changes)
    return sd_jwts.bind(sd_jwts.show(text, *(tuple(name.split(".")) for name in names)))


def general(text: str, **changes: Any) -> VerifiedClaims | None:
    try:
        return verify.verify(sd_jwt.parse(text), **{**ASKED, **changes})
    except CryptoError:
        return None


def quick(text: str, like: Shape = SHAPE, **changes: Any) -> VerifiedClaims | None:
    """Return what passes, which `verify` must let pass too; a wrong signature is final."""
    asked = {**ASKED, **changes}
    try:
        opened = usual.open_usual(text, shape=like, **asked)
    except (BadSignature, HolderBinding) as error:
        with pytest.raises(type(error)):
            verify.verify(sd_jwt.parse(text), **asked)
        return None
    if opened is None:
        return None
    claims, index, holder = opened
    found = VerifiedClaims(shape.claims(like, shown=claims, index=index, holder=holder), holder)
    assert found == general(text, **changes)
    return found


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("index", [0, 7, INDEX, 999_999_999])
def test_the_usual_presentation_gives_what_verify_gives(inner: bool, index: int) -> None:  # noqa: FBT001 - a parameter of the test
    names = (*HIDDEN, *(f"address.{name}" for name in ADDRESS if inner))
    like = SHAPE if inner else FLAT
    found = quick(shown(*names, inner=inner, index=index), like)
    assert found is not None
    assert {name: found.claims[name] for name in HIDDEN} == HIDDEN
    assert found.claims.get("address") == (ADDRESS if inner else None)
    assert jwk.thumbprint(found.holder) == jwk.thumbprint(sd_jwts.HOLDER.public_key())


@pytest.mark.parametrize("name", [*HIDDEN, *(f"address.{name}" for name in ADDRESS)])
def test_each_claim_passes_alone(name: str) -> None:
    assert quick(shown(name)) is not None


def test_no_changed_character_passes() -> None:
    text = shown("resident", "given_name", "address.locality")
    for at, old in enumerate(text):
        for new in ("A" if old != "A" else "B", "~", ".", "=", "+", "é"):
            if new != old:
                assert quick(text[:at] + new + text[at + 1 :]) is None
        assert quick(text[:at]) is None
        assert quick(text[:at] + text[at + 1 :]) is None


class Parts(NamedTuple):
    """A presentation before anything is signed, encoded or hashed."""

    payload: bytes
    disclosures: tuple[bytes, ...]
    answer: bytes

    def sign(self) -> str:
        """Sign whatever stands there, so that only what it says can be wrong."""
        texts = [sd_jwts.b64(each) for each in self.disclosures]
        payload = self.payload
        for before, after in zip(ORIGINAL.disclosures, texts, strict=False):
            old = sd_jwts.digest(sd_jwts.b64(before)).encode()
            payload = payload.replace(old, sd_jwts.digest(after).encode())
        bound = "~".join([sd_jwts.token(HEADER, payload), *texts, ""])
        old = base64url.encode_hash(b"\0" * 32).encode()
        answer = self.answer.replace(old, sd_jwts.digest(bound).encode())
        return bound + sd_jwts.token(
            b'{"alg":"ES256","typ":"kb+jwt"}', answer, jws.es256_signer(sd_jwts.HOLDER)
        )


def taken_apart(*names: str) -> Parts:
    parsed = sd_jwt.parse(shown(*names))
    assert isinstance(parsed, sd_jwt.SdJwtWithKeyBinding)
    sd_hash = sd_jwts.digest(parsed.bound).encode()
    return Parts(
        payload=parsed.sd_jwt.issuer.payload,
        disclosures=tuple(map(base64url.decode, parsed.sd_jwt.disclosures)),
        answer=parsed.key_binding.payload.replace(
            sd_hash, base64url.encode_hash(b"\0" * 32).encode()
        ),
    )


ORIGINAL = taken_apart("resident", "family_name", "address.locality")


def altered(at: int, position: int, change: bytes, cut: int) -> Parts:
    """Put `change` in the place of `cut` octets of one part."""
    parts = [ORIGINAL.payload, *ORIGINAL.disclosures, ORIGINAL.answer]
    part = parts[at % len(parts)]
    position %= len(part) + 1
    parts[at % len(parts)] = part[:position] + change + part[position + cut :]
    return Parts(parts[0], tuple(parts[1:-1]), parts[-1])


def bound(payload: dict[str, Any], *texts: str) -> str:
    """Sign a payload, and bind these disclosures to it."""
    written = json.dumps(payload, separators=(",", ":")).encode()
    return sd_jwts.bind("~".join([sd_jwts.token(HEADER, written), *texts, ""]))


def each_octet() -> Iterator[tuple[int, int]]:
    parts = [ORIGINAL.payload, *ORIGINAL.disclosures, ORIGINAL.answer]
    for at, part in enumerate(parts):
        for position in range(len(part) + 1):
            yield at, position


def test_what_is_taken_apart_and_signed_again_passes() -> None:
    assert quick(ORIGINAL.sign()) is not None


@pytest.mark.parametrize("change", [b"", b'"', b"0", b"A", b" ", b"\\", b"}", b"\xff"])
def test_signed_changes_at_every_place_pass_only_where_verify_lets_them(change: bytes) -> None:
    for at, position in each_octet():
        quick(altered(at, position, change, 1).sign())


FRAGMENTS = st.sampled_from(
    [
        *(b'"iss":"x",', b'"_sd":[],', b'"nonce":"x",', b'"cnf":{},', b'"exp":1,', b'"x":1,'),
        *(b'"iat":1,', b'","', b'"],["', b"\\u0041", b"[]", b"{}", b"null", b"true", b"1e3"),
        *(b"-1", b"00", b"\n", b"\t", b"\xc3\xa9", b"\xed\xa0\x80", b"\0", b"..."),
    ]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    at=st.integers(0, 4),
    position=st.integers(0, 1000),
    change=FRAGMENTS | st.binary(max_size=4),
    cut=st.integers(0, 12),
)
def test_law_signed_changes_pass_only_where_verify_lets_them(
    at: int, position: int, change: bytes, cut: int
) -> None:
    quick(altered(at, position, change, cut).sign())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    claims=st.dictionaries(
        st.sampled_from([*HIDDEN, "iss", "address", "unknown"]) | st.text(max_size=8),
        st.none() | st.booleans() | st.text(max_size=12) | st.integers() | st.lists(st.text()),
        max_size=4,
    )
)
def test_law_any_claims_pass_only_where_verify_lets_them(claims: dict[str, Any]) -> None:
    texts = [sd_jwts.disclose("0123456789012345678901", *each) for each in claims.items()]
    payload = json.loads(ORIGINAL.payload)
    payload["_sd"] = [*map(sd_jwts.digest, texts), *payload["_sd"]][: len(HIDDEN)]
    text = bound(payload, *texts)
    plain = all(value is None or isinstance(value, bool | str) for value in claims.values())
    usual_names = bool(claims) and HIDDEN.keys() >= claims.keys()
    assert (quick(text) is not None) == (plain and usual_names)


def test_one_more_and_one_fewer_disclosure_do_not_pass() -> None:
    issuer_jwt, first, second, answer = shown("resident", "given_name").split("~")
    assert quick(f"{issuer_jwt}~{first}~{answer}") is None
    assert quick(f"{issuer_jwt}~{second}~{first}~{answer}") is None
    assert quick(f"{issuer_jwt}~{first}~{second}~{second}~{answer}") is None
    assert quick(f"{issuer_jwt}~{answer}") is None
    assert quick(f"{issuer_jwt}~{first}~{second}~") is None
    assert quick(issuer_jwt) is None
    twice = f"{issuer_jwt}~{first}~{first}~"
    assert quick(sd_jwts.bind(twice)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "x509_san_dns:bar.example"},
        {"nonce": "another"},
        {"now": UnixSeconds(sd_jwts.NOW + 301)},
        {"now": UnixSeconds(sd_jwts.NOW - 61)},
        {"issuer_key": sd_jwts.STRANGER.public_key()},
    ],
)
def test_another_question_time_or_key_does_not_pass(changes: dict[str, Any]) -> None:
    assert quick(shown("resident"), **changes) is None


@pytest.mark.parametrize("changes", [{"audience": ""}, {"nonce": ""}])
def test_an_empty_question_is_left_to_verify(changes: dict[str, Any]) -> None:
    assert quick(shown("resident"), **changes) is None


@pytest.mark.parametrize("late", [300, 0, -60])
def test_the_times_allowed_pass(late: int) -> None:
    assert quick(shown("resident"), now=UnixSeconds(sd_jwts.NOW + late)) is not None


@pytest.mark.parametrize("last", string.ascii_letters + string.digits + "-_")
def test_stray_bits_of_disclosures_that_are_signed_do_not_pass(last: str) -> None:
    for array in (["s", "resident", None], ["sa", "resident", None], ["sal", "resident", None]):
        text = sd_jwts.b64(json.dumps(array, separators=(",", ":")))[:-1] + last
        quick(with_digest(text))


def with_digest(text: str) -> str:
    """Bind a disclosure, however it is written, that the payload knows."""
    payload = json.loads(ORIGINAL.payload)
    payload["_sd"][0] = sd_jwts.digest(text)
    return bound(payload, text)


ILL_MADE: dict[str, list[object]] = {
    "two elements": ["salt", "value"],
    "four elements": ["salt", "resident", "value", 1],
    "no salt": [None, "resident", "value"],
    "a number for a name": ["salt", 7, "value"],
    "a list for a name": ["salt", [], "value"],
    "a reserved name": ["salt", "_sd", "value"],
    "an always visible name": ["salt", "exp", None],
    "the name of the inner object": ["salt", "address", None],
    "a NUL in the name": ["salt", "resi\0dent", "value"],
}


@pytest.mark.parametrize("array", ILL_MADE.values(), ids=ILL_MADE)
def test_disclosures_that_verify_refuses_do_not_pass(array: list[object]) -> None:
    text = with_digest(sd_jwts.b64(json.dumps(array, separators=(",", ":"))))
    assert general(text) is None
    assert quick(text) is None


def test_a_disclosure_that_is_an_object_does_not_pass() -> None:
    text = with_digest(sd_jwts.b64('{"a":1,"resident":2,"c":3}'))
    assert general(text) is None
    assert quick(text) is None


@pytest.mark.parametrize("value", [7, 1.5, ["a"], {"a": 1}])
def test_a_value_that_is_not_plain_is_left_to_verify(value: object) -> None:
    text = with_digest(sd_jwts.b64(json.dumps(["salt", "resident", value])))
    assert general(text) is not None
    assert quick(text) is None


def test_an_answer_with_more_members_is_left_to_verify() -> None:
    text = sd_jwts.show(issued(), ("resident",))
    assert general(sd_jwts.answered(text, {"jti": "1"})) is not None
    assert quick(sd_jwts.answered(text, {"jti": "1"})) is None


@pytest.mark.parametrize("changes", [{"exp": 1_792_000_001}, {"extra": 1}])
def test_another_visible_value_is_left_to_verify(changes: dict[str, Any]) -> None:
    assert general(shown("resident", **changes)) is not None
    assert quick(shown("resident", **changes)) is None


@pytest.mark.parametrize(("safe", "other"), [(b"-", b"+"), (b"_", b"/")])
def test_a_key_spelled_in_the_other_alphabet_does_not_pass(safe: bytes, other: bytes) -> None:
    coordinate = sd_jwts.CNF["jwk"]["y"].encode()
    assert safe in coordinate
    payload = ORIGINAL.payload.replace(coordinate, coordinate.replace(safe, other))
    text = ORIGINAL._replace(payload=payload).sign()
    assert general(text) is None
    assert quick(text) is None


def test_a_long_index_is_left_to_verify() -> None:
    assert quick(shown("resident", index=1_000_000_000)) is None


def test_a_payload_without_the_inner_object_is_of_another_shape() -> None:
    assert quick(shown("resident"), FLAT) is None
    assert quick(shown("resident", inner=False)) is None


@pytest.mark.parametrize(
    "listed",
    [
        lambda top, inner: (top[:-1] + inner[:1], inner),
        lambda top, inner: (top[:-1] + top[:1], inner),
        lambda top, inner: (top, inner[:1] * 2),
    ],
)
def test_a_digest_twice_does_not_pass(listed: Any) -> None:
    payload = json.loads(ORIGINAL.payload)
    payload["_sd"], payload["address"]["_sd"] = listed(payload["_sd"], payload["address"]["_sd"])
    texts = [*map(sd_jwts.b64, ORIGINAL.disclosures)]
    for text in (*texts, ""):
        assert quick(bound(payload, *([text] if text else texts))) is None


def test_a_text_in_the_place_of_the_digests_does_not_pass() -> None:
    """It takes as many octets as the list, and has as many different characters as that digests."""
    payload = json.loads(ORIGINAL.payload)
    text = "\n" * 14 + "abcd" * 50 + "a"
    assert len(json.dumps(text)) == len(json.dumps(payload["_sd"], separators=(",", ":")))
    assert (len(set(text)), len(text)) == (len(HIDDEN), 43 * len(HIDDEN))
    for disclosure in map(sd_jwts.b64, ORIGINAL.disclosures):
        assert quick(bound({**payload, "_sd": text}, disclosure)) is None


def test_a_wrong_signature_is_final_and_named() -> None:
    text = shown("resident")
    with pytest.raises(BadSignature):
        usual.open_usual(
            text, shape=SHAPE, **{**ASKED, "issuer_key": sd_jwts.STRANGER.public_key()}
        )
    wrong = text.rpartition(".")[0] + "." + base64url.encode(bytes(63) + b"\1")
    with pytest.raises(HolderBinding):
        usual.open_usual(wrong, shape=SHAPE, **ASKED)


def test_what_somebody_else_signed_for_the_holder_does_not_pass() -> None:
    text = shown("resident")
    before, _, answer = text.rpartition("~")
    stolen = jws.sign(
        header={"alg": "ES256", "typ": "kb+jwt"},
        payload=jws.parse(answer).payload,
        signer=jws.es256_signer(sd_jwts.STRANGER),
    )
    assert quick(f"{before}~{stolen}") is None


def test_a_wrong_length_of_a_disclosure_that_is_signed_does_not_pass() -> None:
    for array in (["s", "resident", None], ["sa", "resident", None], ["sal", "resident", None]):
        text = sd_jwts.b64(json.dumps(array, separators=(",", ":")))
        for more in ("A", "AA", "AAA", "AAAA"):
            assert quick(with_digest(text + more)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"top": Hidden(frozenset(HIDDEN), 0)},
        {"top": Hidden(frozenset({"exp"}), 1)},
        {"top": Hidden(frozenset({"_sd"}), 1)},
        {"top": Hidden(frozenset({"address"}), 1)},
        {"inner": Hidden(frozenset({"..."}), 1)},
        {"inner_name": "zone"},
        {"visible": {**VISIBLE, "address": "Quay 7"}},
    ],
)
def test_a_shape_that_no_usual_credential_has_is_our_own_mistake(changes: dict[str, Any]) -> None:
    usual_one: dict[str, Any] = {
        "header": HEADER_TEXT,
        "visible": VISIBLE,
        "uri": URI,
        "top": SHAPE.top,
        "inner_name": "address",
        "inner": SHAPE.inner,
    }
    with pytest.raises(ValueError, match=r"usual|inner"):
        shape.of(**{**usual_one, **changes})
