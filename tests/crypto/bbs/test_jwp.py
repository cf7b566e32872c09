"""The container around a BBS credential: its road, its limits, and the published examples."""

import itertools
import json
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.bbs import ciphersuite, jwp, proof, signature
from crypto.bbs.generators import Interface
from crypto.encoding import base64url
from crypto.errors import BadSignature, CryptoError, Malformed, Refused, WrongAlgorithm
from crypto.jose import web_proof
from tests.fakes import bbs_credentials as city

VECTORS = Path(__file__).parents[2] / "vectors" / "jwp"
CONTEXT = b"one context"
b64 = base64url.encode


def example(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def captioned(name: str, words: str) -> Any:
    found = [each for each in example(name) if words in each.get("figure", each["caption"])]
    return found[0].get("value") or found[0]["json"]


def jwk(name: str) -> tuple[bytes, bytes]:
    key = captioned(name, "BBS private key")
    return base64url.decode(key["d"]), base64url.decode(key["x"])


BBS = "jpa13-A3-bbs.json"


def test_the_published_bbs_example_verifies_with_base_bbs() -> None:
    secret, public = jwk(BBS)
    key = signature.load_secret_key(secret)
    assert key.public.octets == public
    base = Interface(ciphersuite.SHA_256, signature.BASE)
    text = captioned(BBS, "Issued JWP")
    issued = web_proof.parse(text, headers=web_proof.ISSUED)
    assert json.loads(issued.headers[0]) == captioned(BBS, "Example Issuer Header")
    signature.verify(
        base,
        public_key=key.public,
        signature=issued.values[0],
        header=issued.headers[0],
        messages=[*issued.payloads.values()],
    )
    shown = web_proof.parse(captioned(BBS, "Presentation JWP"), headers=web_proof.PRESENTED)
    question, header = shown.headers
    assert json.loads(question) == captioned(BBS, "Presentation Header")
    assert (header, shown.slots) == (issued.headers[0], issued.slots)
    assert sorted(shown.payloads) == [0, 1, 2, 3]
    proof.verify(
        base,
        public_key=key.public,
        proof=shown.values[0],
        header=header,
        presentation_header=question,
        disclosed=shown.payloads,
    )
    with pytest.raises(BadSignature):
        proof.verify(
            base,
            public_key=key.public,
            proof=shown.values[0],
            header=header,
            presentation_header=question + b" ",
            disclosed=shown.payloads,
        )


@pytest.mark.parametrize(
    ("name", "forms"),
    [(BBS, (1, 2)), ("jpa13-A1-single-use-es256.json", (1, 2))],
    ids=["BBS", "SU-ES256"],
)
def test_published_forms_are_read_and_written_back(name: str, forms: tuple[int, int]) -> None:
    texts = [
        each["value"] for each in example(name) if str(each.get("value", "")).count(".") in (2, 3)
    ]
    assert [text.count(".") - 1 for text in texts] == [*forms]
    for text, headers in zip(texts, forms, strict=True):
        found = web_proof.parse(text, headers=headers)
        slots = [found.payloads.get(place) for place in range(found.slots)]
        assert web_proof.write(found.headers, slots, found.values) == text
    with pytest.raises((WrongAlgorithm, Malformed)):
        jwp.parse(texts[1])


def test_a_foreign_algorithm_is_refused() -> None:
    with pytest.raises(WrongAlgorithm):
        jwp.receive(
            captioned(BBS, "Issued JWP") + "~AA",
            secret=city.SECRET,
            public_key=city.KEY.public,
            hashed=city.HASHED,
        )
    with pytest.raises(WrongAlgorithm):
        jwp.parse(captioned(BBS, "Presentation JWP"))


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["hidden", "named"])
def test_every_choice_of_slots_can_be_shown_and_shows_no_other(context: bytes | None) -> None:
    slots = range(len(city.PAYLOADS))
    for chosen in chain.from_iterable(combinations(slots, size) for size in (0, 1, 2, 6)):
        text = city.show(chosen, context=context)
        found = city.check(text, context=context)
        assert found.payloads == {place: city.PAYLOADS[place] for place in chosen}
        assert found.count == len(city.PAYLOADS)
        assert (found.pseudonym is None) is (context is None)
        for place in set(slots) - set(chosen):
            hidden = city.PAYLOADS[place]
            assert hidden in (b"true", b"null") or b64(hidden) not in text


def test_the_octets_of_a_credential_follow_from_what_goes_in() -> None:
    assert jwp.issue(**city.ISSUING) == city.CREDENTIAL
    assert jwp.issue(**{**city.ISSUING, "nym_entropy": bytes(31) + b"\1"}) != city.CREDENTIAL


def test_a_credential_is_only_for_whose_secret_it_is() -> None:
    other, _ = jwp.request(random_bytes=city.chance(b"thief"))
    for secret in (
        other,
        replace(city.SECRET, nym=other.nym),
        replace(city.SECRET, blind=other.blind),
    ):
        with pytest.raises(BadSignature):
            jwp.receive(
                city.CREDENTIAL, secret=secret, public_key=city.KEY.public, hashed=city.HASHED
            )


def test_a_stolen_credential_without_the_secret_shows_nothing() -> None:
    for part, known in itertools.product(("nym_secret", "blind"), (city.ISSUED.B, None)):
        stolen = replace(city.ISSUED, **{part: bytes(31) + b"\7", "B": known})
        with pytest.raises(BadSignature):
            city.check(city.show(issued=stolen))


def test_secrets_are_not_in_what_is_printed() -> None:
    secrets = (
        *(city.SECRET.nym, city.SECRET.blind),
        *(city.ISSUED.nym_secret, city.ISSUED.signature),
    )
    printed = repr(city.SECRET) + repr(city.ISSUED)
    assert not [each for each in secrets if repr(each) in printed or each.hex() in printed]


def test_two_showings_share_nothing_but_headers_and_what_is_shown() -> None:
    """Compare every octet string of 8 octets at every place, decoded."""

    def pieces(text: str) -> set[bytes]:
        found = city.check(text)
        octets = found.proof
        return {octets[at : at + 8] for at in range(len(octets) - 7)}

    first, second = city.show(seed=b"1"), city.show(seed=b"2")
    assert not pieces(first) & pieces(second)
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert len(first) == len(second)


def test_nothing_of_the_credential_is_in_a_showing() -> None:
    _, _, issued = city.CREDENTIAL.rpartition(".")
    parts = [
        *map(base64url.decode, issued.split("~")),
        city.ISSUED.nym_secret,
        city.ISSUED.blind,
        city.COMMITMENT,
    ]
    found = city.check(city.show(context=CONTEXT), context=CONTEXT)
    shown = found.proof + (found.pseudonym or b"")
    for part in parts:
        assert not [part[at : at + 8] for at in range(len(part) - 7) if part[at : at + 8] in shown]


def test_two_requests_share_nothing() -> None:
    again = jwp.request(random_bytes=city.chance(b"again"))[1]
    jwp.check_request(again)
    assert len(again) == len(city.COMMITMENT) == 144
    assert not [at for at in range(137) if again[at : at + 8] in city.COMMITMENT]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_every_changed_bit_of_a_showing_is_refused(at: int, bit: int) -> None:
    text = SHOWN[at % 2].encode()
    place = at // 2 % len(text)
    changed = bytearray(text)
    changed[place] ^= 1 << bit
    context = CONTEXT if at % 2 else None
    with pytest.raises((CryptoError, UnicodeDecodeError)):
        city.check(changed.decode(), context=context)


SHOWN = (city.show(), city.show(context=CONTEXT))


def test_a_payload_is_hashed_only_where_the_schema_says_so() -> None:
    found = city.check(city.show((5,)))
    with pytest.raises(BadSignature):
        jwp.verify(found, public_key=city.KEY.public, nym_context=None, hashed=frozenset())
    found = city.check(city.show((0,)))
    with pytest.raises(BadSignature):
        jwp.verify(found, public_key=city.KEY.public, nym_context=None, hashed=frozenset({0}))
    found = city.check(city.show((4,)))
    assert found.payloads[4] == jwp.ABSENT
    jwp.verify(found, public_key=city.KEY.public, nym_context=None, hashed=frozenset({4, 5}))


def swapped(text: str, **parts: str) -> str:
    names = ("question", "header", "payloads", "proof")
    return ".".join(
        parts.get(name, given) for name, given in zip(names, text.split("."), strict=True)
    )


HONEST = city.show()
SLOTS = HONEST.split(".")[2]
PROOF = HONEST.split(".")[3]
LONG = b64(bytes(web_proof.MAX_PAYLOAD + 1))
MALFORMED = {
    "nothing": "",
    "three segments": HONEST.rpartition(".")[0],
    "five segments": HONEST + ".AA",
    "detached payloads": swapped(HONEST, payloads=""),
    "one slot more": swapped(HONEST, payloads=SLOTS + "~"),
    "one slot fewer": swapped(HONEST, payloads=SLOTS.removesuffix("~")),
    "a payload of no octets": swapped(HONEST, payloads=SLOTS + "_"),
    "65 slots": swapped(HONEST, payloads=SLOTS + "~" * 60),
    "a long payload": swapped(HONEST, payloads=SLOTS + LONG),
    "padding": HONEST + "==",
    "a foreign character": swapped(HONEST, payloads=SLOTS + "+A"),
    "white space": HONEST + "\n",
    "not ASCII": HONEST + "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "stray last bits": swapped(HONEST, payloads=SLOTS + "AB"),
    "no proof": swapped(HONEST, proof=""),
    "two proofs": swapped(HONEST, proof=f"{PROOF}~{PROOF}"),
    "an empty pseudonym": swapped(HONEST, proof=PROOF + "~"),
    "two pseudonyms": swapped(HONEST, proof=f"{PROOF}~{b64(bytes(48))}~{b64(bytes(48))}"),
    "a short proof": swapped(HONEST, proof=b64(base64url.decode(PROOF)[:-1])),
    "a header that is no JSON": swapped(HONEST, header=b64(b"{")),
    "a header that is a list": swapped(HONEST, header=b64(b"[]")),
    "a repeated member": swapped(HONEST, header=b64(b'{"alg":"x","alg":"x"}')),
    "too long": HONEST + "A" * web_proof.MAX_SIZE,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_another_form_is_malformed(text: str) -> None:
    city.check(HONEST)
    with pytest.raises(Malformed):
        jwp.parse(text)


@pytest.mark.parametrize(
    "header",
    [b"{}", b'{"alg":"BBS"}', b'{"alg":"idservice-BBS-NYM-SHA256-2"}', b'{"alg":null}'],
)
def test_only_our_algorithm_is_read(header: bytes) -> None:
    with pytest.raises(WrongAlgorithm):
        jwp.parse(swapped(HONEST, header=b64(header)))
    found = replace(jwp.parse(HONEST), presentation_header=header)
    with pytest.raises(WrongAlgorithm):
        jwp.verify(found, public_key=city.KEY.public, nym_context=None, hashed=city.HASHED)


def test_critical_members_are_refused() -> None:
    header = city.HEADER[:-1] + b',"crit":["iss"]}'
    with pytest.raises(WrongAlgorithm):
        jwp.parse(swapped(HONEST, header=b64(header)))


def test_an_issued_credential_must_be_whole() -> None:
    header, payloads, values = city.CREDENTIAL.split(".")
    signed, entropy = values.split("~")
    broken = {
        f"{header}.{payloads}.{signed}": Malformed,
        ".".join((header, payloads, f"{values}~AA")): Malformed,
        ".".join((header, payloads.replace(b64(b"true"), ""), values)): Malformed,
        ".".join((header, payloads, f"{signed}~{b64(bytes(32))}")): Malformed,
        ".".join((header, payloads, f"{signed}~{b64(bytes([255] * 32))}")): Malformed,
        ".".join((header, payloads, f"{signed}~{b64(bytes(31) + bytes([1]))}")): BadSignature,
        ".".join((header, payloads.replace(b64(b"true"), b64(b"null")), values)): BadSignature,
        ".".join((b64(city.HEADER + b" "), payloads, values)): BadSignature,
        f"{header}.{payloads}.{values}.AA": Malformed,
        ".".join((header, payloads, f"{b64(bytes(80))}~{entropy}")): Malformed,
    }
    for text, error in broken.items():
        with pytest.raises(error):
            jwp.receive(text, secret=city.SECRET, public_key=city.KEY.public, hashed=city.HASHED)
    with pytest.raises(BadSignature):
        jwp.receive(
            city.CREDENTIAL,
            secret=city.SECRET,
            public_key=city.OTHER_KEY.public,
            hashed=city.HASHED,
        )


@pytest.mark.parametrize(
    "change",
    [
        {"header": b'{"alg":"BBS"}'},
        {"public_key": city.OTHER_KEY.public},
        {"payloads": ()},
        {"payloads": (b"",)},
        {"payloads": (b"null",) * 65},
        {"payloads": (bytes(web_proof.MAX_PAYLOAD + 1),)},
        {"payloads": (bytes(web_proof.MAX_PAYLOAD),) * 2},
        {"nym_entropy": bytes(31)},
    ],
    ids=["alg", "key", "no slot", "empty", "65", "long", "too much", "entropy"],
)
def test_what_an_issuer_must_not_sign_is_misuse(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        jwp.issue(**{**city.ISSUING, **change})


def test_what_a_holder_must_not_show_is_misuse() -> None:
    rest = {
        "nym_context": None,
        "public_key": city.KEY.public,
        "hashed": city.HASHED,
        "random_bytes": city.chance(),
    }
    for disclosed in ((6,), (7,), (-1,), (0, 0)):
        with pytest.raises(ValueError, match="place"):
            jwp.present(
                city.ISSUED, disclosed=disclosed, presentation_header=city.question(), **rest
            )
    for header in (city.question(context=CONTEXT), b'{"alg":"BBS"}'):
        with pytest.raises(ValueError, match="header"):
            jwp.present(city.ISSUED, disclosed=(), presentation_header=header, **rest)


def test_a_proof_of_one_kind_is_none_of_the_other() -> None:
    hidden, named = jwp.parse(SHOWN[0]), jwp.parse(SHOWN[1])
    question = city.question(context=CONTEXT)
    passed_off = {
        "pseudonym taken off": (replace(named, pseudonym=None), None),
        "and its header too": (
            replace(named, pseudonym=None, presentation_header=city.question()),
            None,
        ),
        "pseudonym put on": (replace(hidden, pseudonym=named.pseudonym), CONTEXT),
        "and its header too, put on": (
            replace(hidden, pseudonym=named.pseudonym, presentation_header=question),
            CONTEXT,
        ),
        "asked for none": (named, None),
        "asked for one": (hidden, CONTEXT),
    }
    for found, context in passed_off.values():
        with pytest.raises(Refused):
            jwp.verify(found, public_key=city.KEY.public, nym_context=context, hashed=city.HASHED)
