"""C2SP signed-note: its example, the Go implementation's values, and laws."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64
from crypto.errors import BadSignature, CryptoError, Malformed, Refused, Untrusted
from crypto.log import ed25519, note
from crypto.log.note import Note, Signature, SignatureType, VerifierKey
from tests.fakes import notaries

VECTORS = Path(__file__).parents[2] / "vectors" / "tlog"
GO = json.loads((VECTORS / "signed-note" / "golang-note-peterneumann.json").read_bytes())
LOG = notaries.log_key()
SIGNER = notaries.signer()
TEXT = "This is a text.\n"
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONn"
    "cAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def signed(text: str = TEXT) -> Note:
    return Note(text=text, signatures=(note.sign(text, key=LOG, signer=SIGNER),))


def incremented(text: str) -> list[str]:
    return [
        text[:place] + chr(ord(text[place]) + 1) + text[place + 1 :] for place in range(len(text))
    ]


@pytest.mark.parametrize(
    "vkey",
    [
        *GO["bad_vkeys"],
        *incremented(GO["vkey"]),
        *(GO["vkey"][:end] for end in range(len(GO["vkey"]))),
        *(GO["vkey"][begin:] for begin in range(1, len(GO["vkey"]))),
    ],
)
def test_go_bad_verifier_keys_do_not_parse(vkey: str) -> None:
    with pytest.raises(CryptoError):
        note.parse_key(vkey)


@pytest.mark.parametrize(
    ("text", "vkey"), [(GO["note"], GO["vkey"]), (EXAMPLE, EXAMPLE_KEY)], ids=["go", "c2sp"]
)
def test_published_notes_verify_and_are_written_back(text: str, vkey: str) -> None:
    key = note.parse_key(vkey)
    parsed = note.parse(text.encode())
    assert note.verify(parsed, keys=(LOG, key)) == (key,)
    assert parsed.octets() == text.encode()
    assert key.text == vkey


def test_go_private_key_makes_the_published_signature() -> None:
    key = note.parse_key(GO["vkey"])
    seed = base64.decode(GO["skey"].split("+", 4)[4])[1:]
    text = GO["note"].rpartition("\n\n")[0] + "\n"
    made = note.sign(text, key=key, signer=ed25519.signer(seed))
    assert Note(text=text, signatures=(made,)).octets().decode() == GO["note"]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\nno signature\n",
        signed().octets()[:-1],
        signed().octets() + b"\n",
        signed().octets() + b"more\n",
        signed().octets().replace(b"\n\n", b"\n"),
        signed().octets().replace(b"\n", b"\r\n"),
        signed().octets().replace(b"a text", b"a\x00text"),
        signed().octets().replace(b"a text", b"a\ttext"),
        signed().octets().replace(b"a text", b"a\xfftext"),
        signed().octets().replace("— ".encode(), b"- "),
        signed().octets().replace("— ".encode(), "—".encode()),
        signed().octets().replace("— ".encode(), "—  ".encode()),
        signed().octets().replace("— ".encode(), "— +".encode()),
        signed().octets().replace("— ".encode(), "— \N{NO-BREAK SPACE}".encode()),
        signed().octets().replace(b"=\n", b"\n"),
        signed().octets().replace(b"=\n", b"==\n"),
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAA==\n",
        b"text\n\n\xe2\x80\x94 name\n",
        b"x" * note.MOST_OCTETS + signed().octets(),
    ],
)
def test_what_is_no_note_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        note.parse(octets)


@given(st.binary(max_size=64))
def test_what_is_accepted_is_written_back(garbage: bytes) -> None:
    for octets in (garbage, garbage + b"\n" + signed().octets(), b"\n\n" + garbage):
        try:
            parsed = note.parse(octets)
        except Malformed:
            continue
        assert parsed.octets() == octets


def test_every_bit_change_of_a_signed_note_is_refused() -> None:
    for bit in range(len(signed().octets()) * 8):
        octets = bytearray(signed().octets())
        octets[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CryptoError):
            note.verify(note.parse(bytes(octets)), keys=(LOG,))


def test_the_text_may_have_empty_lines() -> None:
    text = "one\n\n\ntwo\n\n"
    assert note.parse(signed(text).octets()) == signed(text)


def test_a_signature_of_an_unknown_key_is_ignored() -> None:
    stranger = Signature(name="stranger", key_id=b"1234", signature=b"?")
    both = signed().with_signatures([stranger])
    assert note.verify(both, keys=(LOG,)) == (LOG,)
    with pytest.raises(Untrusted):
        note.verify(Note(text=TEXT, signatures=(stranger,)), keys=(LOG,))
    with pytest.raises(Untrusted):
        note.verify(both, keys=())


def test_the_same_signature_twice_is_one_key() -> None:
    twice = Note(text=TEXT, signatures=signed().signatures * 2)
    assert note.verify(note.parse(twice.octets()), keys=(LOG,)) == (LOG,)
    assert signed().with_signatures(signed().signatures) == signed()


def test_one_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    wrong = Signature(name=LOG.name, key_id=LOG.key_id, signature=bytes(64))
    for signatures in ((*signed().signatures, wrong), (wrong, *signed().signatures)):
        with pytest.raises(BadSignature):
            note.verify(Note(text=TEXT, signatures=signatures), keys=(LOG,))


def test_sixteen_signatures_are_read_and_a_flood_is_not() -> None:
    strangers = [
        Signature(name="stranger", key_id=b"1234", signature=b"%d" % number)
        for number in range(note.MOST_SIGNATURES)
    ]
    most = Note(text=TEXT, signatures=(*signed().signatures, *strangers[1:]))
    assert note.verify(note.parse(most.octets()), keys=(LOG,)) == (LOG,)
    with pytest.raises(Malformed):
        note.parse(most.octets() + strangers[0].line.encode())
    with pytest.raises(Malformed):
        most.with_signatures(strangers[:1])


def test_two_keys_with_one_name_and_id_are_misuse() -> None:
    with pytest.raises(ValueError, match="one name"):
        note.verify(signed(), keys=(LOG, LOG))


def test_a_key_of_another_type_does_not_sign_text() -> None:
    witness = notaries.witness_key("witness")
    with pytest.raises(ValueError, match="this type"):
        note.sign(TEXT, key=witness, signer=notaries.signer("witness"))
    with pytest.raises(ValueError, match="this type"):
        note.verify(signed(), keys=(witness,))


def test_a_signer_with_another_private_half_is_found_out() -> None:
    with pytest.raises(BadSignature):
        note.sign(TEXT, key=LOG, signer=notaries.signer("another"))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\N{EM SPACE}b"])
def test_a_key_name_that_no_line_can_hold_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        VerifierKey(name, SignatureType.ED25519, LOG.public_key)


def test_a_key_of_small_order_is_refused() -> None:
    material = base64.encode(b"\x01" + (1).to_bytes(32, "little"))
    with pytest.raises(Refused):
        note.parse_key(f"name+00000000+{material}")
