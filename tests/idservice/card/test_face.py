import dataclasses
import io
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from idservice.card import face, layout, portrait
from idservice.card.refusal import CannotPrint
from idservice.issuer import claims
from tests.fakes import pdf_text, portraits

TODAY = date(2026, 11, 23)
POINT = 72 / 25.4
ID1 = (85.60, 53.98)

PHOTO = portrait.prepare(portraits.jpeg())

NAMES = {
    "Latin": ("Ana María", "Nguyễn Thị Łukasz"),
    "Greek": ("Ἑλένη", "Παπαδοπούλου"),
    "Cyrillic": ("Наталія", "Їжакевич-Ґалаґан"),
    "Hebrew": ("מרים", "כֹּהֵן"),
    "Arabic": ("محمد عبد الله", "الفلسطيني"),
    "Persian with a joiner": ("علی\N{ZERO WIDTH NON-JOINER}رضا", "گلچهره"),
    "Devanagari": ("श्रीमती प्रियंका", "क्षत्रिय क्‍ष"),
}
PERSON: JsonObject = {
    "resident": True,
    "given_name": "Rosa",
    "family_name": "Delgado-Nwosu",
    "birth_date": "1985-02-03",
    "gender": "X",
    "address": {
        "care_of": "Post Desk 7",
        "street_address": "Town Hall Square 1",
        "postal_code": "10001",
        "locality": "Exampleville",
    },
}


def card(
    *,
    fields: frozenset[str] | None = None,
    city: str = "Exampleville",
    photo: bytes | None = None,
    code: bool = False,
    font: Path | None = None,
    expires: date = date(2031, 11, 1),
    **record: JsonValue,
) -> bytes:
    person = claims.from_record({"resident": True, **record}, today=TODAY)
    choice = face.Choice(fields=fields, city=city, expires=expires, code=code)
    with layout.typefaces(font) as fonts:
        made = face.compose(person.claims(on=TODAY), portrait=photo, choice=choice, fonts=fonts)
        return face.print_pdf(made, fonts=fonts)


def visual(text: str) -> str:
    """Turn a right-to-left text into the order in which its letters are drawn."""
    if unicodedata.bidirectional(text[0]) not in {"R", "AL"}:
        return text
    mark = "[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7]"
    clusters = re.findall(f"\u200c?.{mark}*", text)
    assert "".join(clusters) == text
    return "".join(reversed(clusters))


@pytest.mark.parametrize("script", NAMES)
def test_text_of_every_page_is_the_name_as_given(script: str) -> None:
    given, family = (unicodedata.normalize("NFC", name) for name in NAMES[script])
    pages = pdf_text.pages(card(given_name=given, family_name=family, city=given))
    assert len(pages) == 3
    for page in (pages[0], pages[2]):
        lines = page.split("\n")
        assert visual(given) in lines
        assert visual(family) in lines


@pytest.mark.parametrize("script", ["Latin", "Greek", "Cyrillic"])
def test_ordinary_reader_extracts_the_name(script: str) -> None:
    given, family = NAMES[script]
    text = PdfReader(io.BytesIO(card(given_name=given, family_name=family))).pages[0].extract_text()
    assert unicodedata.normalize("NFC", given) in text
    assert unicodedata.normalize("NFC", family) in text


def test_only_chosen_fields_are_printed() -> None:
    usual = "\n".join(pdf_text.pages(card(**PERSON)))
    for shown in ("Rosa", "Delgado-Nwosu", "Exampleville", "1 November 2031", "no code"):
        assert shown in usual
    for hidden in ("1985", "February", "Gender", "Post Desk", "Town Hall", "10001", "over"):
        assert hidden not in usual
    chosen = "\n".join(
        pdf_text.pages(card(fields=frozenset({"address", "gender", "age_over_18"}), **PERSON))
    )
    for shown in ("Post Desk 7", "Town Hall Square 1", "10001 Exampleville", "Gender", "over 18"):
        assert shown in chosen
    for hidden in ("Rosa", "Delgado", "1985", "Resident"):
        assert hidden not in chosen


def test_birth_date_is_written_out_so_that_no_two_orders_are_confused() -> None:
    assert "3 February 1985" in pdf_text.pages(card(fields=frozenset({"birth_date"}), **PERSON))[0]


@pytest.mark.parametrize("name", ["gender", "portrait", "family_name", "address", "age_over_21"])
def test_chosen_field_that_is_absent_or_not_true_is_refused(name: str) -> None:
    with pytest.raises(CannotPrint, match=f"^{name} was chosen"):
        card(fields=frozenset({name}), given_name="Rosa", birth_date="2008-01-01")


def test_card_says_nothing_but_city_and_last_day_if_its_holder_wants_it_so() -> None:
    pages = pdf_text.pages(card(fields=frozenset({"resident"})))
    assert pages[0].splitlines() == [
        "Exampleville",
        "Identity card",
        "Resident of",
        "Exampleville",
        "Valid until",
        "1 November 2031",
    ]


def test_pages_are_two_sides_of_an_id_1_card_with_crop_marks_and_one_a4_sheet() -> None:
    boxes = [page.mediabox for page in PdfReader(io.BytesIO(card(**PERSON))).pages]
    sizes = [(float(box.width) / POINT, float(box.height) / POINT) for box in boxes]
    margins = (20, 20)
    assert sizes[0] == pytest.approx(
        [side + margin for side, margin in zip(ID1, margins, strict=True)]
    )
    assert sizes[1] == sizes[0]
    assert sizes[2] == pytest.approx((210, 297), abs=0.1)


def test_name_is_large_on_the_card_and_larger_on_the_sheet() -> None:
    front, back, sheet = pdf_text.pieces(card(photo=PHOTO, **PERSON))
    assert dict(front)["Rosa"] >= 12
    assert min(size for _, size in front + back) >= 8
    cut = next(at for at, (text, _) in enumerate(sheet) if text.startswith("Cut along"))
    assert min(size for _, size in sheet[: cut + 1]) >= 18


LONG = {
    "many words": "Wolfgang Amadeus Theophilus Chrysostomus Johannes Sigismundus Maria Ernst",
    "one word": "Taumatawhakatangihangakoauauotamateaturipukakapikimaungahoronukupokaiwhenua",
    "hyphens": "Saxe-Coburg-Gotha-Leuchtenberg-Tirnovan-Hohenlohe-Waldenburg-Schillingsfürst",
    "as long as a claim may be": "W" * claims.LONGEST_TEXT,
    "arabic": "عبد الرحمن بن محمد بن إبراهيم بن عبد العزيز بن سليمان بن عبد الله بن أحمد آل سعود",
}


@pytest.mark.parametrize("kind", LONG)
def test_long_name_is_shrunk_or_wrapped_and_never_cut(kind: str) -> None:
    name = LONG[kind]
    pages = pdf_text.pages(card(given_name=name, family_name=name, photo=PHOTO))
    for page in (pages[0], pages[2]):
        letters = re.sub(r"\s|\u200b", "", page)
        for word in name.split():
            assert visual(word) in letters
        assert letters.count(visual(name.split()[-1])) >= 2


def test_address_that_fits_in_no_legible_size_is_refused_by_its_name() -> None:
    lines: JsonValue = dict.fromkeys(PERSON["address"], "W" * claims.LONGEST_TEXT)
    with pytest.raises(CannotPrint, match=r"^address is too long"):
        card(fields=frozenset({"address"}), address=lines)


@pytest.mark.parametrize(
    "text",
    [
        '#image("/etc/passwd")',
        '#read("/etc/passwd")',
        "#panic()",
        "$ x^2 $ *bold* _it_ `raw` @ref <label>",
        '"; }]}',
        "a\\nb\\u{41}",
        "</script><b>&amp;",
        "= heading",
        "#eval(sys.inputs.data)",
        "-- --- ... ' \" ~ // /* */",
        "%PDF-1.7 ) Tj",
    ],
)
def test_source_in_a_name_is_printed_as_it_stands(text: str) -> None:
    pages = pdf_text.pages(card(given_name=text, family_name="Doe"))
    assert text.replace(" ", "") in re.sub(r"\s", "", pages[0])


def test_metadata_of_the_photo_does_not_reach_the_pdf() -> None:
    photo = portrait.prepare(portraits.jpeg(canary=True))
    pdf = card(photo=photo, given_name="Rosa")
    # on the front, on the sheet, and on the card to cut out; as it was prepared
    assert set(pdf_text.images(pdf)) == {photo}
    assert portraits.CANARY not in pdf
    assert portraits.CANARY not in photo


def test_pdf_knows_no_time_and_no_name() -> None:
    pdf = card(photo=PHOTO, **PERSON)
    reader = PdfReader(io.BytesIO(pdf))
    assert dict(reader.metadata or {}) == {
        "/Title": "Identity card",
        "/Creator": str((reader.metadata or {})["/Creator"]),
    }
    for word in (b"CreationDate", b"ModDate", b"xmp:CreateDate", b"Rosa", b"Delgado"):
        assert word not in pdf


def test_same_card_gives_the_same_octets() -> None:
    assert card(photo=PHOTO, **PERSON) == card(photo=PHOTO, **PERSON)


def test_pdf_is_tagged_and_says_so() -> None:
    reader = PdfReader(io.BytesIO(card(photo=PHOTO, **PERSON)))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data()
    tree = str(_flat(root["/StructTreeRoot"], 40))
    assert "Photograph of the holder" in tree


def _flat(node: object, depth: int) -> list[str]:
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        return [text for child in node for text in _flat(child, depth)]
    if not isinstance(node, dict) or depth == 0:
        return []
    return [str(node.get("/Alt", "")), *_flat(node.get("/K"), depth - 1)]


def test_code_is_there_only_if_asked_for_and_repeats_only_what_is_printed() -> None:
    without, with_code = card(**PERSON), card(code=True, **PERSON)
    assert "No chip, no radio, no code." in pdf_text.pages(without)[1]
    assert "The code says again" in " ".join(pdf_text.pages(with_code)[1].split())
    person = claims.from_record(PERSON, today=TODAY)
    choice = face.Choice(fields=None, city="Exampleville", expires=date(2031, 11, 1), code=True)
    with layout.typefaces() as fonts:
        made = face.compose(person.claims(on=TODAY), portrait=None, choice=choice, fonts=fonts)
    assert face.code_text(made).splitlines() == [
        "Exampleville",
        "Rosa",
        "Delgado-Nwosu",
        "Resident of Exampleville",
        "Valid until 1 November 2031",
    ]


@pytest.mark.parametrize("letter", ["W", "क"])
def test_code_that_would_be_too_dense_to_read_is_refused(letter: str) -> None:
    record: JsonObject = dict.fromkeys(("given_name", "family_name", "gender"), letter * 100)
    chosen = frozenset({*record, "address"})
    address: JsonValue = dict.fromkeys(("care_of", "street_address", "locality"), letter * 100)
    with pytest.raises(CannotPrint, match="too much text for a code"):
        card(fields=chosen, city=letter * 100, code=True, address=address, **record)


def test_values_never_stand_in_the_face_s_own_words() -> None:
    person = claims.from_record(PERSON, today=TODAY)
    choice = face.Choice(fields=None, city="Exampleville", expires=TODAY, code=False)
    with layout.typefaces() as fonts:
        made = face.compose(person.claims(on=TODAY), portrait=b"x", choice=choice, fonts=fonts)
    assert "Rosa" not in repr(made)
    assert "Rosa" in str(dataclasses.astuple(made))


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (date(2026, 11, 23), date(2031, 11, 1)),
        (date(2028, 2, 29), date(2033, 2, 1)),
        (date(2026, 1, 1), date(2031, 1, 1)),
    ],
)
def test_last_day_is_the_first_of_a_month_and_tells_no_day_of_printing(
    today: date, last: date
) -> None:
    assert face.last_day(today) == last


_PRINT_WITHOUT_WRITING = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from tests.idservice.card import test_face
sys.stdout.buffer.write(test_face.card(given_name="Rosa"))
"""


def test_card_is_made_where_no_file_can_be_written() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", _PRINT_WITHOUT_WRITING], capture_output=True, check=True
    )
    assert done.stdout == card(given_name="Rosa")


def _letters() -> dict[str, str]:
    with layout.typefaces() as fonts:
        return {
            family.name: "".join(chr(p) for p in sorted(family.characters) if chr(p).isprintable())
            for family in fonts.families
        }


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(_letters())).flatmap(
        lambda name: st.text(alphabet=_letters()[name] + " ", min_size=1, max_size=100)
    )
)
def test_any_name_is_refused_in_a_sentence_or_printed_whole(name: str) -> None:
    reason = None
    pages: list[str] = []
    try:
        pages = pdf_text.pages(card(given_name=name.strip() or "-"))
    except (CannotPrint, Malformed) as refusal:
        reason = str(refusal)
    if reason is not None:
        assert reason.startswith("given_name")
        return
    wanted = Counter(unicodedata.normalize("NFC", name.replace(" ", "")))
    assert not wanted - Counter(pages[0])
    assert not wanted - Counter(pages[2])
