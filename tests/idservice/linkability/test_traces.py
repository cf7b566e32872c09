"""What is found in messages, whatever their format."""

import hashlib
import json

import numpy as np

from crypto.encoding import base64url
from idservice.linkability import traces
from idservice.linkability.traces import Dissector, Index, Rows


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


def test_a_string_that_stands_in_both_joins_them_wherever_it_stands() -> None:
    shared = b"0123456789abcdef"
    left = Index(traces.keep([[secret(1) + shared], [secret(2)]], stride=1))
    right = Dissector().gather(
        [base64url.encode(each) for each in (secret(3), b"x" + shared + secret(4), secret(5))]
    )
    met = traces.meetings(left, traces.strings(right), width=3)
    table = met.of(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]))
    assert table.tolist() == [0, 9, 0, 0]


def test_a_string_that_many_have_joins_nobody() -> None:
    text = b"everybody has this"
    many = traces.COMMON + 1
    one = Dissector().gather([base64url.encode(text)])
    everybody = Dissector().gather([base64url.encode(text)] * many)
    crowd = Index(traces.keep([[text]] * many, stride=1))
    assert not len(traces.meetings(crowd, traces.strings(one), width=1).keys)
    alone = Index(traces.keep([[text]], stride=1))
    met = traces.meetings(alone, traces.strings(everybody), width=many)
    assert not len(met.keys)


def test_the_hash_of_a_leaf_in_a_store_joins_its_row() -> None:
    showings = gathered(1, 2)
    store = Index(traces.keep([[hashlib.sha256(secret(2)).digest()]], stride=8))
    met = traces.meetings(store, traces.strings(showings, digests=True), width=2)
    assert met.of(np.array([0, 0]), np.array([0, 1])).tolist() == [0, 1]


def test_two_things_in_one_row_are_joined_through_it() -> None:
    store = Index(traces.keep([[secret(1), secret(2)], [secret(3)]], stride=8))
    first = traces.meetings(store, traces.strings(gathered(1, 3)), width=2)
    second = traces.meetings(store, traces.strings(gathered(9, 2)), width=2)
    met = traces.through(first, second)
    assert met.of(np.array([0, 1, 0]), np.array([1, 1, 0])).tolist() == [
        len(first.keys) and met.counts[0],
        0,
        0,
    ]
    assert met.counts[0] > 0


def test_rows_are_counted_on_when_put_together() -> None:
    parts = [traces.keep([[secret(n)]], stride=8) for n in (1, 2)]
    both = traces.joined(
        [*parts, Rows(count=3, windows=parts[0].windows[:0], owners=parts[0].owners[:0])]
    )
    assert both.count == 5
    assert both.owners.tolist() == [0] * 4 + [1] * 4
