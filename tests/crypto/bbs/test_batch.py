"""Batches: who is accepted, who is named, what it costs, and where the weights come from."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import ckzg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.bbs import batch, generators, jwp, signature
from crypto.bbs.jwp import Unverified
from crypto.bbs.signature import PublicKey
from crypto.bls import curve
from crypto.bls.arkworks import Arkworks
from crypto.bls.blst import Blst
from crypto.bls.group import Key, Point
from crypto.errors import BadSignature, CryptoError, Malformed, Refused
from tests.fakes import bbs_credentials as city
from tests.fakes import bbs_forgeries

GOOD = [jwp.parse(city.show((each % 3,), seed=bytes([each]))) for each in range(16)]
BAD = [jwp.parse(each) for each in bbs_forgeries.proofs(16)]
NAMED = jwp.parse(city.show(context=b"c"))


class Counting(Blst):
    """blst, counting pairing checks."""

    checks = 0

    def fits(self, left: Point, right: Point, key: Key) -> bool:
        self.checks += 1
        return super().fits(left, right, key)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    backend = Counting(ckzg.__file__)
    monkeypatch.setattr(curve, "BACKEND", backend)
    return backend


def verify(items: list[Unverified], seed: bytes = b"") -> tuple[CryptoError | None, ...]:
    return batch.verify(
        items,
        public_key=city.KEY.public,
        hashed=city.HASHED,
        random_bytes=city.chance(b"weights" + seed),
    )


def mixed(count: int, bad: Collection[int]) -> list[Unverified]:
    return [BAD[at % 16] if at in bad else GOOD[at % 16] for at in range(count)]


def named(found: tuple[CryptoError | None, ...]) -> list[int]:
    return [at for at, error in enumerate(found) if error is not None]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 16])
def test_good_ones_are_accepted_with_one_pairing_check(counting: Counting, count: int) -> None:
    assert verify(mixed(count, ())) == (None,) * count
    assert counting.checks == min(count, 1)


def test_the_forgeries_fail_by_their_pairing_equation_alone() -> None:
    for each in BAD:
        assert jwp.claim(each, public_key=city.KEY.public, nym_context=None, hashed=city.HASHED)
        with pytest.raises(BadSignature, match="no signature by this key"):
            jwp.verify(each, public_key=city.KEY.public, nym_context=None, hashed=city.HASHED)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 24), st.sets(st.integers(0, 23)))
def test_each_bad_one_is_named_and_no_other(count: int, bad: set[int]) -> None:
    found = verify(mixed(count, bad))
    assert named(found) == sorted(each for each in bad if each < count)
    assert all(error is None or isinstance(error, BadSignature) for error in found)


@pytest.mark.parametrize("count", [2, 3, 7, 16, 33, 100])
@pytest.mark.parametrize("share", [1, 2, 3, 5, 100])
def test_bad_ones_cost_a_quarter_more_pairing_checks_at_most(
    counting: Counting, count: int, share: int
) -> None:
    bad = {at for at in range(count) if at % share == 0}
    assert named(verify(mixed(count, bad))) == sorted(bad)
    assert counting.checks <= batch.most_checks(count) <= count + count // 4 + 1


def test_one_bad_one_among_many_costs_few_pairing_checks(counting: Counting) -> None:
    assert named(verify(mixed(100, {57}))) == [57]
    assert counting.checks <= 2 * 7 + 1


def test_each_error_is_the_one_that_a_single_check_gives() -> None:
    question = replace(GOOD[1], presentation_header=city.question("n-2"))
    broken = replace(GOOD[2], proof=bytes(len(GOOD[2].proof)))
    algorithm = replace(GOOD[3], presentation_header=b'{"alg":"BBS"}')
    items = [GOOD[0], question, broken, algorithm, NAMED, BAD[0], GOOD[4]]
    found = verify(items)
    for item, error in zip(items, found, strict=True):
        single: CryptoError | None = None
        try:
            jwp.verify(item, public_key=city.KEY.public, nym_context=None, hashed=city.HASHED)
        except CryptoError as raised:
            single = raised
        assert (type(error), str(error)) == (type(single), str(single))
    kinds = [type(error) for error in found]
    assert kinds[0] is kinds[6] is type(None)
    assert (kinds[1], kinds[2], kinds[4]) == (BadSignature, Malformed, Refused)


def test_a_batch_is_for_one_key() -> None:
    found = batch.verify(
        GOOD[:3],
        public_key=city.OTHER_KEY.public,
        hashed=city.HASHED,
        random_bytes=city.chance(),
    )
    assert named(found) == [0, 1, 2]


def test_a_batch_has_a_most_of_items(counting: Counting) -> None:
    with pytest.raises(ValueError, match="more items"):
        verify([GOOD[0]] * (batch.MAX_ITEMS + 1))
    assert counting.checks == 0


def test_chance_is_asked_once_after_all_proofs_are_fixed() -> None:
    asked: list[int] = []

    def lend(length: int) -> bytes:
        asked.append(length)
        items.clear()
        return city.chance()(length)

    items = mixed(9, {4})
    found = batch.verify(items, public_key=city.KEY.public, hashed=city.HASHED, random_bytes=lend)
    assert named(found) == [4]
    assert asked == [9 * 16]


@pytest.mark.parametrize("stuck", [b"\0", b"\1", b"\xff"])
def test_chance_that_is_stuck_is_refused(stuck: bytes) -> None:
    with pytest.raises(ValueError, match="stuck"):
        batch.verify(
            mixed(2, ()),
            public_key=city.KEY.public,
            hashed=city.HASHED,
            random_bytes=lambda length: stuck * length,
        )


def test_two_forgeries_whose_errors_cancel_are_both_named() -> None:
    first, second = map(jwp.parse, bbs_forgeries.cancelling(b"pair"))
    backend = curve.BACKEND
    equations = [
        jwp.claim(each, public_key=city.KEY.public, nym_context=None, hashed=city.HASHED)
        for each in (GOOD[0], first, second)
    ]
    sums = [backend.add([each[side] for each in equations]) for side in (0, 1)]
    # With weights 1, 1, 1 they would pass.
    assert backend.fits(sums[0], sums[1], city.KEY.public.key)
    assert named(verify([GOOD[0], first, second])) == [1, 2]
    assert named(verify([first, second])) == [0, 1]


@pytest.fixture
def fallback(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicKey]:
    """Put the verify-only library in blst's place."""
    with monkeypatch.context() as patched:
        patched.setattr(curve, "BACKEND", Arkworks())
        generators._create.cache_clear()
        yield signature.load_public_key(city.KEY.public.octets)
    generators._create.cache_clear()


def test_the_fallback_accepts_and_refuses_the_same(fallback: PublicKey) -> None:
    items = [GOOD[0], BAD[0], replace(GOOD[1], pseudonym=NAMED.pseudonym), GOOD[2], BAD[1]]
    found = batch.verify(items, public_key=fallback, hashed=city.HASHED, random_bytes=city.chance())
    assert named(found) == [1, 2, 4]
    jwp.verify(NAMED, public_key=fallback, nym_context=b"c", hashed=city.HASHED)
    jwp.check_request(city.COMMITMENT)
    with pytest.raises(BadSignature):
        jwp.verify(BAD[0], public_key=fallback, nym_context=None, hashed=city.HASHED)
    wrong = replace(NAMED, presentation_header=city.question("n-2", context=b"c"))
    with pytest.raises(BadSignature):
        jwp.verify(wrong, public_key=fallback, nym_context=b"c", hashed=city.HASHED)
