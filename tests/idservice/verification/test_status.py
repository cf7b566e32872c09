"""Lists as they arrive, as they are kept, and what an entry says."""

import dataclasses
from typing import Any

import pytest

from crypto.errors import (
    BadSignature,
    CryptoError,
    Expired,
    Malformed,
    NotYetValid,
    Refused,
    Untrusted,
    WrongAlgorithm,
)
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.status import status_token
from crypto.status.bits import StatusBits
from idservice import period
from idservice.verification import status
from idservice.verification.status import KeptLists, StatusUnavailable, VerifiedList, Withdrawn
from tests.fakes import certificates
from tests.fakes import city as cities

CITY = cities.make()
URI = CITY.status_uri


def read(token: str, *, uri: str = URI, now: int = CITY.now) -> VerifiedList:
    return status.read(token, uri=uri, trust=CITY.trust, now=UnixSeconds(now))


def signed(header: dict[str, Any] | None = None, **changes: Any) -> str:
    lst = dataclasses.replace(read(CITY.status_token()), **changes)
    return status_token.sign(
        lst,
        header={"x5c": CITY.status_x5c} if header is None else header,
        signer=jws.es256_signer(CITY.status_key),
    )


def test_a_list_is_read_by_the_address_at_which_it_was_announced() -> None:
    lst = read(CITY.status_token([7]))
    assert (lst.uri, lst.bits.get(7), lst.bits.get(8)) == (URI, 1, 0)
    assert status.address(CITY.status_token()) == URI


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (signed({}), Untrusted),
        (signed({"x5c": [*CITY.announced.x5c_text]}), Untrusted),
        (signed({"x5c": "text"}), Malformed),
        (signed(iat=UnixSeconds(CITY.now + 61)), NotYetValid),
        (signed(exp=CITY.now), Expired),
        (signed(uri=f"{CITY.issuer}/v1/status/other/1"), Refused),
        (signed(bits=StatusBits.empty(bits=1, size=1 << 16)), Refused),
        (signed(bits=StatusBits.empty(bits=1, size=1 << 18)), Malformed),
        (signed(bits=StatusBits.empty(bits=2, size=1 << 17)), Refused),
        ("no token", Malformed),
    ],
)
def test_a_list_that_is_not_the_announced_one_is_refused(
    token: str, error: type[CryptoError]
) -> None:
    with pytest.raises(CryptoError) as raised:
        read(token)
    assert type(raised.value) is error


def test_a_list_that_was_not_announced_is_not_read() -> None:
    uri = f"{CITY.issuer}/v1/status/other/1"
    with pytest.raises(Untrusted):
        read(signed(uri=uri), uri=uri)


def test_a_list_signed_by_another_key_is_refused() -> None:
    token = status_token.sign(
        read(CITY.status_token()),
        header={"x5c": CITY.status_x5c},
        signer=jws.es256_signer(certificates.p256("forger")),
    )
    with pytest.raises(BadSignature):
        read(token)


def test_a_credential_is_not_a_list() -> None:
    credential = CITY.issue(cities.RESIDENT, cities.holder_key().public_key(), 1)
    with pytest.raises((Untrusted, WrongAlgorithm)):
        read(credential.partition("~")[0])


def test_a_status_certificate_of_another_issuer_is_not_trusted() -> None:
    elsewhere = dataclasses.replace(CITY.trust, issuer="https://elsewhere.example")
    with pytest.raises(Untrusted):
        status.read(CITY.status_token(), uri=URI, trust=elsewhere, now=CITY.now)


def test_an_address_that_is_no_text_is_malformed() -> None:
    token = jws.sign(
        header={"alg": "ES256", "typ": "statuslist+jwt"},
        payload=b'{"sub":7}',
        signer=jws.es256_signer(CITY.status_key),
    )
    with pytest.raises(Malformed):
        status.address(token)


def kept(*tokens: str) -> KeptLists:
    lists = KeptLists()
    for token in tokens:
        lists.keep(read(token))
    return lists


def test_only_the_exact_address_finds_a_list() -> None:
    lists = kept(CITY.status_token())
    assert lists.lookup(URI) is not None
    for other in (URI + "/", URI + "?", URI.upper(), URI.partition("/v1")[0]):
        assert lists.lookup(other) is None


def test_a_newer_list_takes_the_place_of_an_older_one() -> None:
    lists = kept(CITY.status_token(iat=CITY.now - 200), CITY.status_token([5], iat=CITY.now - 100))
    newest = lists.lookup(URI)
    assert newest is not None
    assert newest.bits.get(5) == 1


def ask(lists: KeptLists, index: int = 5, *, max_age: int | None = 100, now: int = CITY.now) -> int:
    return status.check(lists, uri=URI, index=index, max_age=max_age, now=UnixSeconds(now))


def test_the_age_of_the_list_is_said() -> None:
    lists = kept(CITY.status_token(iat=CITY.now - 100))
    assert ask(lists) == 100
    assert ask(kept(CITY.status_token(iat=CITY.now + 60))) == 0


def test_an_old_list_says_nothing_where_the_policy_limits_its_age() -> None:
    lists = kept(CITY.status_token(iat=CITY.now - 101))
    with pytest.raises(StatusUnavailable):
        ask(lists)
    assert ask(lists, max_age=None) == 101


def test_a_list_that_has_run_out_says_nothing_at_any_age() -> None:
    lists = kept(CITY.status_token(iat=CITY.now - 100))
    end = CITY.now - 100 + 7 * period.DAY
    assert ask(lists, max_age=None, now=end - 1) == 7 * period.DAY - 1
    with pytest.raises(StatusUnavailable):
        ask(lists, max_age=None, now=end)


def test_a_list_from_the_future_says_nothing() -> None:
    lists = kept(CITY.status_token(iat=CITY.now - 100))
    with pytest.raises(StatusUnavailable):
        ask(lists, now=CITY.now - 161)


def test_every_value_but_zero_is_withdrawn() -> None:
    wide = StatusBits.empty(bits=8, size=8).with_statuses({1: 1, 2: 2, 3: 3, 4: 255})
    lists = KeptLists()
    lists.keep(dataclasses.replace(read(CITY.status_token(iat=CITY.now)), bits=wide))
    assert ask(lists, 0) == 0
    for index in (1, 2, 3, 4):
        with pytest.raises(Withdrawn):
            ask(lists, index)


def test_an_index_outside_the_list_is_refused() -> None:
    lists = kept(CITY.status_token(iat=CITY.now))
    assert ask(lists, (1 << 17) - 1) == 0
    for index in (1 << 17, -1):
        with pytest.raises(Refused):
            ask(lists, index)


def test_a_replayed_older_list_is_refused_and_the_newer_one_stays() -> None:
    lists = kept(CITY.status_token([5], iat=CITY.now - 100))
    with pytest.raises(Refused):
        lists.keep(read(CITY.status_token(iat=CITY.now - 200)))
    with pytest.raises(Withdrawn):
        ask(lists, max_age=None)
