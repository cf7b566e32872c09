"""The corpus's attacks on blind signing, pseudonyms, batches and what a showing claims.

Every attack starts from an honest act, the first test here, and departs in one thing.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from crypto.bbs import batch, jwp, pseudonym
from crypto.bbs.ciphersuite import SHA_256
from crypto.bbs.jwp import Unverified
from crypto.bls import curve
from crypto.bls.group import ORDER, SCALAR_LENGTH
from crypto.errors import BadSignature, CryptoError, Malformed, Refused
from tests.fakes import bbs_credentials as city
from tests.fakes import bbs_forgeries

CONTEXT, ELSEWHERE = b"library, period 7", b"clinic, period 7"
HIDDEN = jwp.parse(city.show())
NAMED = jwp.parse(city.show(context=CONTEXT))
THERE = jwp.parse(city.show(context=ELSEWHERE))
IDENTITY = bytes([0xC0]) + bytes(47)
POINT, SCALARS = city.COMMITMENT[:48], city.COMMITMENT[48:]
OTHER = jwp.request(random_bytes=city.chance(b"somebody else"))[1]
TWO = pseudonym.commit(
    pseudonym.interface(SHA_256),
    nyms=[city.SECRET.nym, city.SECRET.nym],  # type: ignore[list-item] # a scalar's octets
    random_bytes=city.chance(b"two"),
).octets


def check(found: Unverified, *, context: bytes | None = None) -> None:
    jwp.verify(found, public_key=city.KEY.public, nym_context=context, hashed=city.HASHED)


@pytest.fixture(autouse=True, scope="module")
def the_honest_twins_are_accepted() -> None:
    jwp.check_request(city.COMMITMENT)
    jwp.check_request(OTHER)
    check(HIDDEN)
    check(NAMED, context=CONTEXT)
    check(THERE, context=ELSEWHERE)


def scalar(at: int, value: int) -> bytes:
    """Replace one of the commitment's three scalars."""
    start = SCALAR_LENGTH * at
    rest = SCALARS[start + SCALAR_LENGTH :]
    return POINT + SCALARS[:start] + value.to_bytes(SCALAR_LENGTH, "big") + rest


NUMBERS = [
    int.from_bytes(SCALARS[at : at + SCALAR_LENGTH], "big")
    for at in range(0, len(SCALARS), SCALAR_LENGTH)
]
COMMITMENTS: dict[str, tuple[bytes, type[CryptoError]]] = {
    "none at all": (b"", Malformed),
    "without proof": (POINT, Malformed),
    "proof for another commitment": (OTHER[:48] + SCALARS, Refused),
    "commitment for another proof": (POINT + OTHER[48:], Refused),
    "blind factor missing": (POINT + SCALARS[SCALAR_LENGTH:], Malformed),
    "one blind factor too many": (TWO, Malformed),
    "the point's negative": (bytes([POINT[0] ^ 0x20]) + POINT[1:] + SCALARS, Refused),
    "the identity": (IDENTITY + SCALARS, Malformed),
    "a point that is none": (b"\x80" + bytes(46) + b"\1" + SCALARS, Malformed),
    "uncompressed": (bytes([POINT[0] & 0x7F]) + POINT[1:] + SCALARS, Malformed),
    "one octet fewer": (city.COMMITMENT[:-1], Malformed),
    "one octet more": (city.COMMITMENT + b"\0", Malformed),
    **{
        f"{name} {'zero' if value == 0 else 'not below r'} ({value:#x})": (
            scalar(at, value),
            Malformed,
        )
        for at, name in enumerate(("s^", "m^", "c"))
        for value in (0, ORDER, ORDER + 1, 2**256 - 1)
    },
    **{
        f"another {name}": (scalar(at, NUMBERS[at] % (ORDER - 1) + 1), Refused)
        for at, name in enumerate(("s^", "m^", "c"))
    },
}


@pytest.mark.attack("BBS-028")
@pytest.mark.parametrize(("octets", "error"), COMMITMENTS.values(), ids=COMMITMENTS.keys())
def test_a_commitment_whose_proof_does_not_fit_is_not_signed(
    octets: bytes, error: type[CryptoError]
) -> None:
    with pytest.raises(error):
        jwp.check_request(octets)
    with pytest.raises(error):
        jwp.issue(**{**city.ISSUING, "commitment_with_proof": octets})  # type: ignore[arg-type]
    assert jwp.issue(**city.ISSUING) == city.CREDENTIAL


def renamed(found: Unverified, context: bytes) -> Unverified:
    return replace(found, presentation_header=city.question(context=context))


SWAPS: dict[str, tuple[Unverified, bytes]] = {
    "asked for another context": (NAMED, ELSEWHERE),
    "header names another context": (renamed(NAMED, ELSEWHERE), ELSEWHERE),
    "another context's pseudonym": (replace(NAMED, pseudonym=THERE.pseudonym), CONTEXT),
    "the identity": (replace(NAMED, pseudonym=IDENTITY), CONTEXT),
    "the negative": (
        replace(
            NAMED,
            pseudonym=bytes([(NAMED.pseudonym or b"\0")[0] ^ 0x20])
            + (NAMED.pseudonym or b"\0")[1:],
        ),
        CONTEXT,
    ),
    "no pseudonym": (replace(NAMED, pseudonym=None), CONTEXT),
    "the context point itself": (
        replace(
            NAMED,
            pseudonym=curve.BACKEND.encode(
                [pseudonym.context_point(pseudonym.interface(SHA_256), CONTEXT)]
            ),
        ),
        CONTEXT,
    ),
}


@pytest.mark.attack("BBS-029")
@pytest.mark.parametrize(("found", "context"), SWAPS.values(), ids=SWAPS.keys())
def test_a_pseudonym_of_another_context_or_none_is_refused(
    found: Unverified, context: bytes
) -> None:
    with pytest.raises((Malformed, Refused)):
        check(found, context=context)


@pytest.mark.attack("BBS-029")
def test_one_nym_secret_gives_one_pseudonym_a_context_and_contexts_share_nothing() -> None:
    again = jwp.parse(city.show(context=CONTEXT, nonce="n-2", seed=b"again"))
    check(again, context=CONTEXT)
    assert again.pseudonym == NAMED.pseudonym != THERE.pseudonym
    assert again.pseudonym is not None
    assert THERE.pseudonym is not None
    octets = again.pseudonym
    assert not [at for at in range(41) if octets[at : at + 8] in THERE.pseudonym]


@pytest.mark.attack("BBS-029")
def test_the_issuer_makes_the_nym_secret_another_one_for_every_credential() -> None:
    """A stolen half of a secret gives its thief another pseudonym."""
    entropy = {**city.ISSUING, "nym_entropy": bytes(31) + b"\5"}
    second = jwp.receive(
        jwp.issue(**entropy),  # type: ignore[arg-type] # as in the fake
        secret=city.SECRET,
        public_key=city.KEY.public,
        hashed=city.HASHED,
    )
    found = jwp.parse(city.show(issued=second, context=CONTEXT))
    check(found, context=CONTEXT)
    assert found.pseudonym != NAMED.pseudonym


def claimed(slot: int, payload: bytes) -> Unverified:
    return replace(HIDDEN, payloads={**HIDDEN.payloads, slot: payload})


def shortened(found: Unverified) -> Unverified:
    """Take one hidden message's answer out of the proof, as if it had been shown."""
    return replace(found, proof=found.proof[:-64] + found.proof[-32:])


CLAIMS: dict[str, Callable[[], Unverified]] = {
    "hidden slot said to be true": lambda: claimed(3, b"true"),
    "hidden slot said to be what it is": lambda: claimed(1, city.PAYLOADS[1]),
    "the same with a shorter proof": lambda: shortened(claimed(1, city.PAYLOADS[1])),
    "false said to be true": lambda: replace(jwp.parse(city.show((3,))), payloads={3: b"true"}),
    "absent said to be true": lambda: replace(jwp.parse(city.show((4,))), payloads={4: b"true"}),
    "said of another slot": lambda: replace(jwp.parse(city.show((2,))), payloads={3: b"true"}),
    "said of the nym secret's place": lambda: shortened(claimed(7, b"true")),
    "a fact more than there are slots": lambda: replace(claimed(6, b"true"), count=7),
    "nobody signed anything": lambda: jwp.parse(bbs_forgeries.cancelling()[0]),
}


@pytest.mark.attack("BBS-030")
@pytest.mark.parametrize("made", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_fact_that_was_not_signed_and_shown_is_refused(made: Callable[[], Unverified]) -> None:
    """Ages are facts the issuer signed; there is no proof about a hidden birth date."""
    with pytest.raises((Malformed, Refused)):
        check(made())


@pytest.mark.attack("BBS-022")
def test_weights_of_a_batch_come_from_the_lent_chance_and_differ_from_run_to_run() -> None:
    lent: list[bytes] = []

    def verify(seed: bytes) -> tuple[CryptoError | None, ...]:
        chance = city.chance(seed)

        def lend(length: int) -> bytes:
            lent.append(chance(length))
            return lent[-1]

        return batch.verify(
            [HIDDEN, *map(jwp.parse, bbs_forgeries.cancelling())],
            public_key=city.KEY.public,
            hashed=city.HASHED,
            random_bytes=lend,
        )

    for seed in (b"one run", b"another run"):
        good, *bad = verify(seed)
        assert good is None
        assert [type(each) for each in bad] == [BadSignature, BadSignature]
    assert [len(each) for each in lent] == [48, 48]
    weights = [each[at : at + 16] for each in lent for at in (0, 16, 32)]
    assert len(set(weights)) == len(weights)


@pytest.mark.attack("BBS-022")
@pytest.mark.parametrize("octet", [b"\0", b"\1", b"\xff"])
def test_predictable_weights_stop_a_batch(octet: bytes) -> None:
    with pytest.raises(ValueError, match="stuck"):
        batch.verify(
            [*map(jwp.parse, bbs_forgeries.cancelling())],
            public_key=city.KEY.public,
            hashed=city.HASHED,
            random_bytes=lambda length: octet * length,
        )


@pytest.mark.attack("BBS-025")
@pytest.mark.parametrize("context", [None, CONTEXT], ids=["hidden", "named"])
def test_two_showings_share_no_scalar_and_no_point(context: bytes | None) -> None:
    first, second = (
        jwp.parse(city.show(context=context, seed=seed)) for seed in (b"first", b"second")
    )
    check(first, context=context)
    check(second, context=context)
    cuts = [*range(0, 144, 48), *range(144, len(first.proof) + 1, 32)]
    parts = [{each.proof[start:end] for start, end in pairwise(cuts)} for each in (first, second)]
    assert not parts[0] & parts[1]
    assert len(parts[0]) == len(parts[1]) == len(cuts) - 1
