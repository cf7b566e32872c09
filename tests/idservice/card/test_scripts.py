import unicodedata

import pytest

from idservice.card import layout, scripts
from idservice.card.refusal import CannotPrint

SUPPORTED = {
    "Latin": "Ana María Łukasz Nguyễn Thị Ölmez",
    "Greek": "Ἑλένη Παπαδοπούλου",
    "Cyrillic": "Їжакевич Қазақбаева",
    "Hebrew": "מרים כֹּהֵן בן־גוריון",
    "Arabic": "محمد عبد الله گلچهره",
    "Devanagari": "श्रीमती प्रियंका क्‍ष",
}

UNSUPPORTED = {
    "Thai": "สมชาย",
    "Han": "王小明",
    "Hiragana": "ひかり",
    "Hangul": "김민수",
    "Tamil": "தமிழ்",
    "Bengali": "রবীন্দ্র",
    "Armenian": "Արամ",
    "Georgian": "გიორგი",
    "Ethiopic": "አበበ",
}


def drawable(text: str) -> scripts.Drawable:
    with layout.typefaces() as fonts:
        return scripts.drawable(text, field="given_name", families=fonts.families)


@pytest.mark.parametrize("script", SUPPORTED)
def test_shipped_fonts_draw_the_script(script: str) -> None:
    drawn = drawable(SUPPORTED[script])
    assert drawn.text == unicodedata.normalize("NFC", SUPPORTED[script])
    assert drawn.right_to_left == (script in {"Hebrew", "Arabic"})
    assert len(drawn.families) == 4


@pytest.mark.parametrize("script", UNSUPPORTED)
def test_script_without_a_font_is_refused_by_its_name(script: str) -> None:
    with pytest.raises(CannotPrint, match=rf"^given_name .* script {script} ") as refusal:
        drawable(UNSUPPORTED[script])
    assert not set(str(refusal.value)) & set(UNSUPPORTED[script])


def test_one_foreign_letter_in_a_name_is_enough_to_refuse() -> None:
    with pytest.raises(CannotPrint, match="script Tamil"):
        drawable("Ana த")


def test_emoji_is_refused_as_a_symbol() -> None:
    with pytest.raises(CannotPrint, match="a symbol"):
        drawable("Ana \N{GRINNING FACE}")


@pytest.mark.parametrize(
    "text",
    [
        "Ana\N{RIGHT-TO-LEFT OVERRIDE}niP",
        "Ana\N{LEFT-TO-RIGHT ISOLATE}x",
        "Ana\N{ZERO WIDTH SPACE}x",
        "Ana\nx",
        "Ana\x00x",
        "Ana\N{SOFT HYPHEN}x",
        "Ana\N{COMBINING GRAPHEME JOINER}x",
        "Ana\N{VARIATION SELECTOR-16}x",
        "Ana\N{LINE SEPARATOR}x",
        "Ana\ue000x",
        "Ana\N{HANGUL FILLER}x",
    ],
    ids=lambda text: f"U+{ord(text[3]):04X}",
)
def test_what_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(CannotPrint, match="cannot be seen"):
        drawable(text)


@pytest.mark.parametrize(
    "text", ["\N{COMBINING ACUTE ACCENT}Ana", "Ana \N{DEVANAGARI SIGN VIRAMA}"]
)
def test_mark_without_a_letter_is_refused(text: str) -> None:
    with pytest.raises(CannotPrint, match="without a letter"):
        drawable(text)


@pytest.mark.parametrize("text", ["\N{ZERO WIDTH JOINER}क", "An\N{ZERO WIDTH NON-JOINER}a"])
def test_joiner_that_joins_nothing_is_refused(text: str) -> None:
    with pytest.raises(CannotPrint, match="joiner"):
        drawable(text)


def test_persian_and_indic_joiners_are_kept() -> None:
    assert "\N{ZERO WIDTH NON-JOINER}" in drawable("علی\N{ZERO WIDTH NON-JOINER}رضا").text
    assert "\N{ZERO WIDTH JOINER}" in drawable("क्\N{ZERO WIDTH JOINER}ष").text


def test_mark_of_one_script_on_a_letter_of_another_is_refused() -> None:
    with pytest.raises(CannotPrint, match="given_name"):
        drawable("A\N{DEVANAGARI VOWEL SIGN AA}")


def test_family_of_the_script_comes_first_and_latin_stays_latin() -> None:
    assert drawable("मीरा").families[0] == "Noto Sans Devanagari"
    assert drawable("Mira").families[0] == "Noto Sans"
