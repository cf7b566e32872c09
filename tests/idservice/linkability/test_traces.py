"""What is found in messages, whatever their format."""

import hashlib
import json

from crypto.encoding import base64url
from idservice.linkability import traces
from idservice.linkability.traces import Dissector


def message(index: int, secret: bytes, name: str = "Ada") -> str:
    payload = {"idx": index, "secret": base64url.encode(secret), "list": [True, name]}
    head = base64url.encode(b'{"alg":"X"}')
    body = base64url.encode(json.dumps(payload).encode())
    return f"{head}.{body}.{base64url.encode(secret[::-1])}~~"


def secret(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def gathered(*numbers: int) -> traces.Traces:
    return Dissector().gather([message(n, secret(n)) for n in numbers])


def test_every_leaf_has_its_path_and_every_number_its_value() -> None:
    found = gathered(7, 12345)
    assert found.octets["1/0/secret"][0].tobytes() == secret(7)
    assert found.octets["2/0"][1].tobytes() == secret(12345)[::-1]
    assert found.numbers["1/0/idx"].tolist() == [7, 12345]
    assert found.octets["1/0/list/1"][0].tobytes() == b"Ada"
    assert {"0/0/alg", "1/0/spelling", "2/1", "2/2"} <= found.octets.keys()
    assert found.numbers["length"][1] - found.numbers["length"][0] in range(4, 7)


def test_another_spelling_of_the_same_json_is_told() -> None:
    plain = base64url.encode(b'{"a":1}')
    spaced = base64url.encode(b'{"a": 1}')
    found = Dissector().gather([plain, spaced, base64url.encode(b'{"a":2}')])
    spellings = [row.tobytes() for row in found.octets["0/0/spelling"]]
    assert spellings[0] == spellings[2] != spellings[1]


def test_what_all_have_in_common_is_left_out() -> None:
    found = traces.varying(traces.merge([gathered(1, 2), gathered(3)]))
    assert found.count == 3
    assert "0/0/alg" not in found.octets
    assert "1/0/secret" in found.octets
    assert "length/0" not in found.numbers


def test_a_leaf_that_some_lack_is_padded_and_says_so() -> None:
    one = Dissector().gather(["abc.d"])
    other = Dissector().gather(["abc"])
    both = traces.merge([one, other])
    assert both.lengths["1/0"].tolist() == [1, -1]
