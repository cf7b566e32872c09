from typing import Any

import pytest

from crypto.errors import Malformed
from crypto.sdjwt import disclosure
from crypto.sdjwt.disclosure import Disclosure
from tests.fakes import sd_jwts


def test_sec4_2_1_white_space_makes_another_disclosure_with_the_same_content() -> None:
    with_space = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    without = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsImZhbWlseV9uYW1lIiwiTcO2Yml1cyJd"
    assert disclosure.parse(with_space) == disclosure.parse(without)
    assert disclosure.digest(with_space) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    assert disclosure.digest(without) != disclosure.digest(with_space)


@pytest.mark.parametrize("name", ["given_name", None])
def test_what_is_written_is_read_back(name: str | None) -> None:
    made = Disclosure(disclosure.new_salt(random_bytes=sd_jwts.stream("s")), name, {"a": [1, None]})
    assert disclosure.parse(disclosure.write(made)) == made
    assert disclosure.digest(disclosure.write(made)) == sd_jwts.digest(disclosure.write(made))


def test_sec9_3_salts_have_128_bits() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    assert len(disclosure.new_salt(random_bytes=random_bytes)) == 22
    assert asked == [16]


@pytest.mark.parametrize(
    "text",
    [
        sd_jwts.disclose(),
        sd_jwts.disclose("salt"),
        sd_jwts.disclose("salt", "a", 1, 2),
        sd_jwts.disclose(1, "a", 1),
        sd_jwts.disclose(None, 1),
        sd_jwts.disclose("salt", 1, 1),
        sd_jwts.disclose("salt", None, 1),
        sd_jwts.disclose("salt", "a\0b", 1),
        sd_jwts.b64('{"salt":1}'),
        sd_jwts.b64('"salt"'),
        sd_jwts.b64("null"),
        sd_jwts.b64('["s","a",1]x'),
        sd_jwts.b64('["s","a",1'),
        sd_jwts.b64(b'\xef\xbb\xbf["s","a",1]'),
        sd_jwts.b64(b'["s","a","\xff"]'),
        sd_jwts.b64('["s","a",{"b":1,"b":2}]'),
        sd_jwts.b64('["s","a",9007199254740993]'),
        sd_jwts.b64('["s","a",' + "[" * 16 + "]" * 16 + "]"),
        sd_jwts.disclose("s", "a", 1) + "=",
        sd_jwts.b64('["s","a",[{"b":1,"b":2}]]'),
        sd_jwts.b64('["s",{"b":1,"b":2}]'),
        sd_jwts.b64('["s","a",1e400]'),
        sd_jwts.b64('["s","a",18446744073709551616]'),
        sd_jwts.b64('[{"a":1,"a":2},"a",true]'),
        sd_jwts.b64('["s","a","\\ud800"]'),
        "",
        "not base64url!",
    ],
)
def test_sec4_2_what_is_no_array_of_salt_name_and_value_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        disclosure.parse(text)


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_sec4_2_1_reserved_names_are_never_written(name: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        disclosure.write(Disclosure("salt", name, 1))


@pytest.mark.parametrize("value", [float("nan"), 2**60, object()])
def test_values_that_json_cannot_hold_are_never_written(value: Any) -> None:
    with pytest.raises(ValueError, match="I-JSON"):
        disclosure.write(Disclosure("salt", "a", value))
