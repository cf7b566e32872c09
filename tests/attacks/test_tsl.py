"""The corpus's attacks on status lists that stop at the list itself, and on how indices are given.

What a showing makes of a list (rows 003, 006, 008, 009, 011, 012, 017, 018) is played in
`test_verification.py`.
"""

import gzip
import resource
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from crypto.encoding import base64url, canonical_json
from crypto.errors import CryptoError, Malformed, Refused, Untrusted, WrongAlgorithm
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.status import bits
from crypto.status.bits import StatusBits
from crypto.x509 import issue as certificate_issue
from crypto.x509 import x5c
from crypto.x509.profile import Names, Role
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer.model import StatusList
from idservice.storage.issuer import SqlLasting
from idservice.verification import status
from tests.fakes import certificates, engines
from tests.fakes import city as cities

CITY = cities.make()
LIST = CITY.announced.status
PERIOD = CITY.period
PAYLOAD: dict[str, Any] = {
    "sub": LIST.uri,
    "iat": CITY.now - 3600,
    "exp": CITY.now + 3600,
    "ttl": 600,
    "status_list": {"bits": 1, "lst": bits.encode(StatusBits.empty(bits=1, size=LIST.size))},
}
MEBIBYTE = 1 << 20


def read(token: str) -> status.VerifiedList:
    return status.read(token, uri=LIST.uri, trust=CITY.trust, now=CITY.now)


def sign(
    *,
    lst: dict[str, Any] | None = None,
    key: Any = CITY.status_key,
    path: Any = CITY.status_x5c,
    typ: str = "statuslist+jwt",
) -> str:
    payload = PAYLOAD if lst is None else {**PAYLOAD, "status_list": lst}
    return jws.sign(
        header={"alg": "ES256", "typ": typ, "x5c": path},
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(key),
    )


def refused_and_honest_accepted(token: str, expected: type[CryptoError]) -> None:
    lists = status.KeptLists()
    lists.keep(read(sign()))
    before = lists.lookup(LIST.uri)
    with pytest.raises(expected):
        lists.keep(read(token))
    assert lists.lookup(LIST.uri) is before


def bomb(mebibytes: int) -> bytes:
    """Return a zlib stream of zeros; one block, repeated after a full flush that forgets it."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 15)
    zeros = bytes(MEBIBYTE)
    first = stream.compress(zeros) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(zeros) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1)


@pytest.mark.attack("TSL-001")
@pytest.mark.parametrize("size", [1 << 17, bits.MOST_ENTRIES])
def test_a_zlib_bomb_stops_at_the_cap(size: int) -> None:
    compressed = bomb(1024)
    assert len(compressed) < 2 * MEBIBYTE
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Malformed):
        bits.inflate(compressed, bits=1, max_entries=size)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < 32 * MEBIBYTE


@pytest.mark.attack("TSL-001")
@pytest.mark.threat("T65")
def test_a_zlib_bomb_in_a_signed_list_is_refused() -> None:
    refused_and_honest_accepted(sign(lst={"bits": 1, "lst": base64url.encode(bomb(64))}), Malformed)


def _raw(data: bytes) -> bytes:
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    return raw.compress(data) + raw.flush()


def _preset(data: bytes) -> bytes:
    preset = zlib.compressobj(9, zlib.DEFLATED, 15, zdict=bytes(64))
    return preset.compress(data) + preset.flush()


_DATA = bytes(LIST.size // 8)
_STREAM = zlib.compress(_DATA, 9)


@pytest.mark.attack("TSL-002")
@pytest.mark.parametrize(
    "stream",
    [
        _STREAM[:-1],
        _STREAM[:-4],
        _STREAM[: len(_STREAM) // 2],
        _STREAM[:-1] + bytes([_STREAM[-1] ^ 1]),
        _STREAM + b"\0",
        _STREAM + _STREAM,
        _raw(_DATA),
        gzip.compress(_DATA),
        _preset(_DATA),
        _DATA,
        b"",
    ],
    ids=[
        "cut by one",
        "no checksum",
        "half",
        "bad checksum",
        "trailing octet",
        "two streams",
        "raw deflate",
        "gzip",
        "preset dictionary",
        "not compressed",
        "empty",
    ],
)
def test_a_list_that_is_not_exactly_one_zlib_stream_is_refused(stream: bytes) -> None:
    refused_and_honest_accepted(sign(lst={"bits": 1, "lst": base64url.encode(stream)}), Malformed)


@pytest.mark.attack("TSL-004")
@pytest.mark.parametrize("width", [0, -1, 3, 5, 16, 1.5, "1", None, True])
def test_a_width_that_is_none_is_refused(width: Any) -> None:
    refused_and_honest_accepted(
        sign(lst={"bits": width, "lst": base64url.encode(_STREAM)}), Malformed
    )


@pytest.mark.attack("TSL-004")
@pytest.mark.parametrize("width", [2, 4, 8])
def test_a_width_other_than_announced_is_refused(width: int) -> None:
    lst = StatusBits.empty(bits=width, size=LIST.size)
    refused_and_honest_accepted(sign(lst={"bits": width, "lst": bits.encode(lst)}), Refused)


def leaf(role: Role = Role.STATUS, uri: str = CITY.issuer, **changes: Any) -> list[Any]:
    certificate = certificate_issue.leaf_certificate(
        **{
            "role": role,
            "public_key": CITY.status_key.public_key(),
            "authority": CITY.root,
            "common_name": "Exampleton status",
            "names": Names(uris=(uri,)),
            "validity": certificate_issue.Validity(
                not_before=UnixSeconds(CITY.now - 60), not_after=UnixSeconds(CITY.now + 60)
            ),
            "serial": 9,
            **changes,
        }
    )
    return x5c.encode([certificate])


def without_purpose() -> list[Any]:
    pieces = certificates.leaf_extensions(Role.STATUS)
    pieces["names"] = (Names(uris=(CITY.issuer,)).extension(), False)
    del pieces["purpose"]
    now = certificate_issue.Validity(
        not_before=UnixSeconds(CITY.now - 60), not_after=UnixSeconds(CITY.now + 60)
    )
    certificate: x509.Certificate = certificates.sign(
        pieces.values(), CITY.root, key=CITY.status_key.public_key(), validity=now
    )
    return x5c.encode([certificate])


@pytest.mark.attack("TSL-007")
@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (sign(path=leaf(uri="https://other.example")), Untrusted),
        (sign(path=leaf(authority=certificates.root("other root"))), Untrusted),
        (sign(path=leaf(Role.ISSUER)), Untrusted),
        (sign(path=leaf(Role.METADATA)), Untrusted),
        (sign(path=without_purpose()), Untrusted),
        (sign(key=CITY.issuer_keys[PERIOD], path=[*CITY.announced.x5c_text]), Untrusted),
        (sign(key=CITY.issuer_keys[PERIOD]), Refused),
        (sign(typ="JWT"), WrongAlgorithm),
        (sign(typ="dc+sd-jwt"), WrongAlgorithm),
    ],
    ids=[
        "another issuer's key",
        "another root",
        "issuer's certificate",
        "metadata certificate",
        "no extended key usage",
        "credential key",
        "signature of another key",
        "typ JWT",
        "typ of a credential",
    ],
)
def test_a_list_that_the_status_key_did_not_sign_is_refused(
    token: str, expected: type[CryptoError]
) -> None:
    assert read(sign(path=leaf())).bits.size == LIST.size
    refused_and_honest_accepted(token, expected)


@pytest.mark.attack("TSL-007")
@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384"])
@pytest.mark.parametrize("keep_signature", [True, False])
def test_a_list_under_another_algorithm_is_refused(algorithm: str, *, keep_signature: bool) -> None:
    _, payload, signature = sign().split(".")
    header: dict[str, Any] = {"alg": algorithm, "typ": "statuslist+jwt", "x5c": CITY.status_x5c}
    head = base64url.encode(canonical_json.serialize(header))
    token = f"{head}.{payload}.{signature if keep_signature else ''}"
    refused_and_honest_accepted(token, WrongAlgorithm)


def rank_correlation(values: list[int]) -> float:
    """Spearman's coefficient between the place in the list and the value (all different)."""
    count = len(values)
    order = sorted(range(count), key=values.__getitem__)
    distance = sum((place - rank) ** 2 for rank, place in enumerate(order))
    return 1 - 6 * distance / (count * (count * count - 1))


@pytest.mark.attack("TSL-013")
def test_an_index_does_not_tell_when_it_was_given_out() -> None:
    assert rank_correlation(list(range(100))) == 1
    lst, random_bytes = StatusList.empty(1 << 18), cities.chance("allocation")
    given: list[int] = []
    while len(given) < 100_000:
        indices, lst = lst.draw(catalogue.BATCH, random_bytes=random_bytes)
        given.extend(indices)
    assert len(set(given)) == len(given)
    assert abs(rank_correlation(given)) < 0.02


def allocate(store: SqlLasting, *, writer: int, rounds: int) -> list[int]:
    given: list[int] = []
    # the same chance for all, so that every index is wanted by every writer
    random_bytes = cities.chance("one")
    while len(given) < rounds * catalogue.BATCH:
        try:
            with store.serialised(writer << 32 | len(given)) as unit:
                lst = unit.status_list(PERIOD, catalogue.CONFIGURATION)
                assert lst is not None
                indices, drawn = lst.draw(catalogue.BATCH, random_bytes=random_bytes)
                unit.keep_status_list(PERIOD, catalogue.CONFIGURATION, drawn)
        except ServiceError as refused:  # SQLite's queue is unfair: who waited too long comes again
            if refused.code is not Code.UNAVAILABLE:
                raise
        else:
            given.extend(indices)
    return given


def race(store: SqlLasting, *, size: int, writers: int, rounds: int) -> None:
    store.lay_out(PERIOD, catalogue.CONFIGURATION, size=size)
    with ThreadPoolExecutor(writers) as pool:
        work = [
            pool.submit(allocate, store, writer=writer, rounds=rounds) for writer in range(writers)
        ]
        given = [index for each in work for index in each.result()]
    assert len(given) == writers * rounds * catalogue.BATCH
    assert len(set(given)) == len(given)


@pytest.fixture
def postgres_server() -> Iterator[Any]:
    yield from engines.server_or_skip()


@pytest.mark.attack("TSL-014")
@pytest.mark.threat("T64")
def test_racing_writers_never_give_an_index_twice(tmp_path: Path) -> None:
    with engines.sqlite_databases(tmp_path) as databases:
        race(databases.lasting, size=1 << 13, writers=8, rounds=8)


@pytest.mark.attack("TSL-014")
def test_racing_writers_on_postgresql_never_give_an_index_twice(postgres_server: Any) -> None:
    with engines.postgres_databases(postgres_server) as databases:
        race(databases.lasting, size=1 << 13, writers=8, rounds=8)


@pytest.mark.long
@pytest.mark.attack("TSL-014")
def test_a_million_indices_are_given_out_once_each(tmp_path: Path) -> None:
    with engines.sqlite_databases(tmp_path) as databases:
        race(databases.lasting, size=1 << 21, writers=8, rounds=6250)


@pytest.mark.long
@pytest.mark.attack("TSL-014")
def test_a_million_indices_on_postgresql_are_given_out_once_each(postgres_server: Any) -> None:
    with engines.postgres_databases(postgres_server) as databases:
        race(databases.lasting, size=1 << 21, writers=8, rounds=6250)


def test_a_period_has_one_list_for_everybody() -> None:
    """What makes rows 012 and 013 hold: the list is named by period and type, by nothing else."""
    assert LIST.uri == f"{CITY.issuer}/v1/status/{catalogue.CONFIGURATION}/{period.of(CITY.now)}"
