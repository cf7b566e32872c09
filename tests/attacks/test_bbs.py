"""Attacks on BBS signatures and proofs, by their rows in the list."""

import hashlib
from collections.abc import Callable

import pytest

from crypto.bbs import ciphersuite, generators, proof, signature
from crypto.bbs.generators import Interface
from crypto.bls import blst, curve
from crypto.bls.group import FIELD, ORDER, Point, Scalar, octets_of
from crypto.entropy import RandomBytes
from crypto.errors import BadSignature, CryptoError, Malformed

BASE = Interface(ciphersuite.SHA_256, signature.BASE)
KEY = signature.derive_key(ciphersuite.SHA_256, material=bytes(range(32)))
OTHER = signature.derive_key(ciphersuite.SHA_256, material=bytes(32))
MESSAGES = [b"true", b"false", b'"Ada"', b"null"]
HEADER, QUESTION = b"header", b"verifier and nonce"
SIGNATURE = signature.sign(BASE, secret_key=KEY, header=HEADER, messages=MESSAGES)
IDENTITY = bytes([0xC0]) + bytes(47)


def chances(seed: bytes = b"") -> RandomBytes:
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(seed + drawn.to_bytes(4, "big")).digest(length)

    return draw


def show(*, seed: bytes = b"", chance: RandomBytes | None = None) -> bytes:
    return proof.prove(
        BASE,
        public_key=KEY.public,
        signature=SIGNATURE,
        header=HEADER,
        presentation_header=QUESTION,
        messages=MESSAGES,
        disclosed=(0, 2),
        random_bytes=chance or chances(seed),
    )


PROOF = show()
SHOWN = {0: MESSAGES[0], 2: MESSAGES[2]}


def verify(
    octets: bytes = PROOF,
    *,
    interface: Interface = BASE,
    key: signature.PublicKey = KEY.public,
    header: bytes = HEADER,
    question: bytes = QUESTION,
    shown: dict[int, bytes] | None = None,
) -> None:
    proof.verify(
        interface,
        public_key=key,
        proof=octets,
        header=header,
        presentation_header=question,
        disclosed=SHOWN if shown is None else shown,
    )


def verify_signature(octets: bytes = SIGNATURE, *, key: signature.PublicKey = KEY.public) -> None:
    signature.verify(BASE, public_key=key, signature=octets, header=HEADER, messages=MESSAGES)


def test_the_honest_proof_and_signature_pass() -> None:
    verify()
    verify_signature()


def outside(*, small: bool) -> bytes:
    """A point of the curve outside the group of order r; `small` ones have a small order."""
    cofactor = 0x396C8C005555E1568C00AAAB0000AAAB
    for x in range(50):
        y2 = (pow(x, 3, FIELD) + 4) % FIELD
        if pow(y2, (FIELD - 1) // 2, FIELD) != 1:
            continue
        point = (x, pow(y2, (FIELD + 1) // 4, FIELD))
        if small:
            found = multiple(point, ORDER * (cofactor // 3))
            if found is None:
                continue
            point = found
        return compressed(point)
    raise AssertionError


Affine = tuple[int, int]


def multiple(point: Affine, scalar: int) -> Affine | None:
    """Double and add on the whole curve, which no library of ours does."""
    total: Affine | None = None
    for bit in f"{scalar:b}":
        total = added(total, total)
        if bit == "1":
            total = added(total, point)
    return total


def added(a: Affine | None, b: Affine | None) -> Affine | None:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % FIELD == 0:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, FIELD) % FIELD
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, FIELD) % FIELD
    x = (slope * slope - a[0] - b[0]) % FIELD
    return x, (slope * (a[0] - x) - a[1]) % FIELD


def compressed(point: Affine) -> bytes:
    octets = bytearray(point[0].to_bytes(48, "big"))
    octets[0] |= 0x80 | (0x20 if point[1] > (FIELD - 1) // 2 else 0)
    return bytes(octets)


def with_piece(text: bytes, start: int, piece: bytes) -> bytes:
    return text[:start] + piece + text[start + len(piece) :]


POINTS = {"A_bar": 0, "B_bar": 48, "D": 96}


@pytest.mark.attack("BBS-002")
@pytest.mark.parametrize("start", POINTS.values(), ids=POINTS.keys())
def test_an_identity_in_a_proof_is_refused(start: int) -> None:
    with pytest.raises(Malformed):
        verify(with_piece(PROOF, start, IDENTITY))


@pytest.mark.attack("BBS-003")
def test_an_identity_as_public_key_is_refused() -> None:
    with pytest.raises(Malformed):
        signature.load_public_key(bytes([0xC0]) + bytes(95))


@pytest.mark.attack("BBS-004")
@pytest.mark.attack("BBS-005")
@pytest.mark.parametrize("small", [False, True], ids=["wrong-order", "small-order"])
def test_a_point_outside_the_group_is_refused_wherever_it_stands(small: bool) -> None:  # noqa: FBT001, a parameter of the test
    point = outside(small=small)
    for start in POINTS.values():
        with pytest.raises(Malformed):
            verify(with_piece(PROOF, start, point))
    with pytest.raises(Malformed):
        verify_signature(with_piece(SIGNATURE, 0, point))


@pytest.mark.attack("BBS-004")
def test_a_key_outside_the_group_is_refused() -> None:
    with pytest.raises(Malformed):
        signature.load_public_key(bytes([0x80]) + bytes(94) + b"\2")


@pytest.mark.attack("BBS-007")
@pytest.mark.parametrize(
    "change",
    [
        lambda text: bytes([text[0] & 0x7F]) + text[1:],
        lambda text: text[:-1],
        lambda text: text + b"\0",
        lambda text: text + bytes(32),
        lambda text: text[:48] + text,
        lambda _: b"",
    ],
    ids=["uncompressed", "shorter", "longer", "scalar-more", "point-more", "empty"],
)
def test_another_length_or_encoding_is_refused(change: Callable[[bytes], bytes]) -> None:
    for text, check in ((PROOF, verify), (SIGNATURE, verify_signature)):
        with pytest.raises(CryptoError):
            check(change(text))


OUT_OF_RANGE = [0, ORDER, ORDER + 1, (1 << 256) - 1]


@pytest.mark.attack("BBS-008")
@pytest.mark.parametrize("value", OUT_OF_RANGE)
def test_a_signature_with_e_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(Malformed):
        verify_signature(with_piece(SIGNATURE, 48, value.to_bytes(32, "big")))


@pytest.mark.attack("BBS-009")
@pytest.mark.attack("BBS-010")
@pytest.mark.parametrize("value", OUT_OF_RANGE)
def test_a_scalar_of_a_proof_out_of_range_is_refused(value: int) -> None:
    for start in range(144, len(PROOF), 32):
        with pytest.raises(Malformed):
            verify(with_piece(PROOF, start, value.to_bytes(32, "big")))


@pytest.mark.attack("BBS-010")
def test_a_challenge_written_above_the_order_is_refused() -> None:
    c = int.from_bytes(PROOF[-32:], "big") + ORDER
    with pytest.raises(Malformed):
        verify(PROOF[:-32] + c.to_bytes(32, "big"))


@pytest.mark.attack("BBS-012")
@pytest.mark.parametrize("header", [b"", b"Header", HEADER + b"\0"])
def test_a_proof_under_another_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(header=header)


@pytest.mark.attack("BBS-013")
@pytest.mark.parametrize("question", [b"", b"verifier and other nonce", b"other and nonce"])
def test_a_proof_for_another_question_is_refused(question: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(question=question)


@pytest.mark.attack("BBS-014")
@pytest.mark.parametrize(
    "shown",
    [
        {0: b"false", 2: MESSAGES[2]},
        {0: MESSAGES[2], 2: MESSAGES[0]},
        {0: MESSAGES[0]},
        {0: MESSAGES[0], 1: MESSAGES[1], 2: MESSAGES[2]},
        {0: MESSAGES[0], 1: MESSAGES[2]},
        {},
    ],
    ids=["changed", "swapped", "removed", "added", "moved", "none"],
)
def test_other_messages_than_proved_are_refused(shown: dict[int, bytes]) -> None:
    with pytest.raises(BadSignature):
        verify(shown=shown)


@pytest.mark.attack("BBS-015")
@pytest.mark.parametrize("place", [-1, 4, 5, 2**31, 2**64])
def test_places_out_of_range_are_refused_before_any_arithmetic(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(proof, "recompute", never)
    with pytest.raises(CryptoError):
        verify(shown={0: MESSAGES[0], place: MESSAGES[2]})


@pytest.mark.attack("BBS-017")
@pytest.mark.attack("BBS-018")
@pytest.mark.parametrize(
    "interface",
    [
        Interface(ciphersuite.SHAKE_256, signature.BASE),
        Interface(ciphersuite.SHA_256, b"BLIND_H2G_HM2S_"),
        Interface(ciphersuite.SHA_256, b""),
    ],
    ids=["other-suite", "other-interface", "no-interface"],
)
def test_generators_and_tags_of_another_interface_do_not_count(interface: Interface) -> None:
    with pytest.raises(BadSignature):
        verify(interface=interface)
    with pytest.raises(BadSignature):
        signature.verify(
            interface,
            public_key=KEY.public,
            signature=SIGNATURE,
            header=HEADER,
            messages=MESSAGES,
        )


@pytest.mark.attack("BBS-018")
def test_messages_mapped_under_another_tag_do_not_count() -> None:
    other = Interface(ciphersuite.SHA_256, b"OTHER_")
    chosen = generators.create(BASE, len(MESSAGES))
    scalars = [other.message(each) for each in MESSAGES]
    domain = generators.domain(BASE, public_key=KEY.public.octets, generators=chosen, header=HEADER)
    with pytest.raises(BadSignature):
        signature.check(
            signature.parse(SIGNATURE),
            chosen.table.sum([1, domain, *scalars]),
            public_key=KEY.public,
        )


@pytest.mark.attack("BBS-019")
def test_a_proof_under_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(key=OTHER.public)
    with pytest.raises(BadSignature):
        verify_signature(key=OTHER.public)


@pytest.mark.attack("BBS-020")
def test_sizes_have_limits_that_are_looked_at_before_hashing() -> None:
    empty = signature.sign(BASE, secret_key=KEY, header=HEADER, messages=[])
    signature.verify(BASE, public_key=KEY.public, signature=empty, header=HEADER, messages=[])
    longest = [bytes(generators.LONGEST_MESSAGE), b""]
    signed = signature.sign(BASE, secret_key=KEY, header=HEADER, messages=longest)
    signature.verify(BASE, public_key=KEY.public, signature=signed, header=HEADER, messages=longest)
    for messages in ([bytes(1 << 20)], [bytes(64 << 20)], [b""] * 10_000):
        with pytest.raises(Malformed):
            signature.verify(
                BASE, public_key=KEY.public, signature=signed, header=HEADER, messages=messages
            )
        with pytest.raises(Malformed):
            signature.sign(BASE, secret_key=KEY, header=HEADER, messages=messages)
    with pytest.raises(Malformed):
        verify(PROOF + bytes(32 * 10_000))


@pytest.mark.attack("BBS-023")
def test_swapped_arguments_of_the_pairing_are_refused() -> None:
    parsed = proof.parse(PROOF)
    a_bar, b_bar, _ = parsed.points
    proof.settle(proof.Settlement(a_bar, b_bar), public_key=KEY.public)
    backend = curve.BACKEND
    wrong: list[tuple[Point, Point]] = [
        (b_bar, a_bar),
        (a_bar, backend.negative(b_bar)),
        (a_bar, a_bar),
    ]
    for left, right in wrong:
        with pytest.raises(BadSignature):
            proof.settle(proof.Settlement(left, right), public_key=KEY.public)


@pytest.mark.attack("BBS-024")
@pytest.mark.parametrize("operation", ["multiply", "field"])
def test_a_fault_while_signing_hands_nothing_out(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = curve.secret()
    chosen = generators.create(BASE, len(MESSAGES))
    bound = signature.bind(chosen, 7, [octets_of(each) for each in range(1, 5)])
    e = octets_of(9)
    signature.seal(bound, e=e, secret_key=KEY)

    def faulty_multiply(point: Point, scalar: Scalar) -> Point:
        return blst.Blst.multiply(real, point, octets_of(int.from_bytes(scalar, "big") ^ 1))

    def faulty_field(name: str, *operands: Scalar) -> Scalar:
        right = blst.Blst.field(real, name, *operands)  # type: ignore[arg-type]  # passed through
        return octets_of(int.from_bytes(right, "big") ^ 1)

    faults = {"multiply": faulty_multiply, "field": faulty_field}
    monkeypatch.setattr(real, operation, faults[operation])
    with pytest.raises(BadSignature):
        signature.seal(bound, e=e, secret_key=KEY)


@pytest.mark.attack("BBS-025")
def test_two_proofs_share_no_scalar_and_no_point() -> None:
    pieces = []
    for seed in (b"1", b"2"):
        text = show(seed=seed)
        pieces.append(
            {text[start : start + 48] for start in POINTS.values()}
            | {text[start : start + 32] for start in range(144, len(text), 32)}
        )
        verify(text)
    assert not pieces[0] & pieces[1]


@pytest.mark.attack("BBS-025")
def test_each_scalar_of_a_proof_is_drawn_anew() -> None:
    lengths: list[int] = []
    lend = chances()

    def counted(length: int) -> bytes:
        lengths.append(length)
        return lend(length)

    show(chance=counted)
    assert lengths == [48] * (5 + 2)


class Counting(blst.Blst):
    """A library that writes down which of its functions were called, without their arguments."""

    calls: list[str]

    def __getattribute__(self, name: str) -> object:
        if name in {"multiply", "field", "reduce", "add", "encode", "negative"}:
            object.__getattribute__(self, "calls").append(name)
        return super().__getattribute__(name)


@pytest.mark.attack("BBS-027")
def test_secret_work_is_the_same_for_light_and_heavy_scalars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which functions run depends on no secret; blst's own run in constant time (its promise)."""
    library = Counting(curve.ckzg.__file__)
    monkeypatch.setattr(curve, "_BLST", library)
    chosen = generators.create(BASE, 4)
    parsed = signature.parse(SIGNATURE)
    traces = []
    for value in (1, ORDER - 1, 1 << 254, (1 << 254) - 1):
        library.calls = []
        drawn = octets_of(value).rjust(48, b"\0")
        opening = proof.init(
            parsed,
            chosen,
            B=signature.bind(chosen, 7, [octets_of(value)] * 4),
            messages=[octets_of(value)] * 4,
            disclosed=(0,),
            random_bytes=lambda _, drawn=drawn: drawn,  # type: ignore[misc]  # a bound value
        )
        proof.finish(opening, 5)
        traces.append(library.calls)
    assert all(trace == traces[0] for trace in traces)
    assert traces[0].count("multiply") > 5
