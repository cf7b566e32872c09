"""Strings of octets that stand in two places, and what they join."""

import hashlib

import numpy as np

from crypto.encoding import base64url
from idservice.linkability import meetings
from idservice.linkability.meetings import Index, Rows
from idservice.linkability.traces import Dissector, Traces


def secret(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def gathered(*numbers: int) -> Traces:
    return Dissector().gather([base64url.encode(secret(each)) for each in numbers])


def test_a_string_that_stands_in_both_joins_them_wherever_it_stands() -> None:
    shared = b"0123456789abcdef"
    left = Index(meetings.keep([[secret(1) + shared], [secret(2)]], stride=1))
    right = Dissector().gather(
        [base64url.encode(each) for each in (secret(3), b"x" + shared + secret(4), secret(5))]
    )
    met = meetings.between(left, meetings.strings(right), width=3)
    table = met.of(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]))
    assert table.tolist() == [0, 9, 0, 0]


def test_a_string_that_many_have_joins_nobody() -> None:
    text = b"everybody has this"
    many = meetings.COMMON + 1
    one = Dissector().gather([base64url.encode(text)])
    everybody = Dissector().gather([base64url.encode(text)] * many)
    crowd = Index(meetings.keep([[text]] * many, stride=1))
    assert not len(meetings.between(crowd, meetings.strings(one), width=1).keys)
    alone = Index(meetings.keep([[text]], stride=1))
    met = meetings.between(alone, meetings.strings(everybody), width=many)
    assert not len(met.keys)


def test_the_hash_of_a_leaf_in_a_store_joins_its_row() -> None:
    showings = gathered(1, 2)
    store = Index(meetings.keep([[hashlib.sha256(secret(2)).digest()]], stride=8))
    met = meetings.between(store, meetings.strings(showings, digests=True), width=2)
    assert met.of(np.array([0, 0]), np.array([0, 1])).tolist() == [0, 1]


def test_two_things_in_one_row_are_joined_through_it() -> None:
    store = Index(meetings.keep([[secret(1), secret(2)], [secret(3)]], stride=8))
    first = meetings.between(store, meetings.strings(gathered(1, 3)), width=2)
    second = meetings.between(store, meetings.strings(gathered(9, 2)), width=2)
    met = meetings.through(first, second)
    assert met.of(np.array([0, 1, 0]), np.array([1, 1, 0])).tolist() == [
        len(first.keys) and met.counts[0],
        0,
        0,
    ]
    assert met.counts[0] > 0


def test_rows_are_counted_on_when_put_together() -> None:
    parts = [meetings.keep([[secret(n)]], stride=8) for n in (1, 2)]
    both = meetings.joined(
        [*parts, Rows(count=3, windows=parts[0].windows[:0], owners=parts[0].owners[:0])]
    )
    assert both.count == 5
    assert both.owners.tolist() == [0] * 4 + [1] * 4
