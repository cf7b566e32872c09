import io
import warnings

import pytest
from PIL import Image

from idservice import catalogue
from idservice.card import portrait
from idservice.card.refusal import CannotPrint
from tests.fakes import portraits


def test_large_photo_becomes_a_small_jpeg_of_the_same_shape() -> None:
    made = portrait.prepare(portraits.jpeg(width=3000, height=4000))
    picture = Image.open(io.BytesIO(made))
    assert picture.format == "JPEG"
    assert len(made) <= catalogue.PORTRAIT_LIMIT
    assert picture.size == (450, 600)


def test_photo_that_resists_compression_still_fits() -> None:
    noise = Image.effect_noise((1200, 1500), 120).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)
    made = portrait.prepare(out.getvalue())
    assert len(made) <= catalogue.PORTRAIT_LIMIT
    assert Image.open(io.BytesIO(made)).size >= (120, 150)


def test_exif_comment_and_profile_are_dropped() -> None:
    given = portraits.jpeg(canary=True)
    assert given.count(portraits.CANARY) >= 3
    made = portrait.prepare(given)
    assert portraits.CANARY not in made
    assert b"Exif" not in made
    assert b"ICC_PROFILE" not in made


def test_photo_that_lies_on_its_side_is_turned_upright_first() -> None:
    upright = Image.open(io.BytesIO(portrait.prepare(portraits.jpeg(turned=True))))
    assert upright.height > upright.width
    # the dark shoulders of the drawn face are at the bottom
    assert sum(upright.getpixel((10, upright.height - 5))) < sum(upright.getpixel((10, 5)))


def test_png_with_transparency_becomes_a_jpeg_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (300, 400), (0, 0, 0, 0)).save(out, "PNG")
    made = Image.open(io.BytesIO(portrait.prepare(out.getvalue())))
    assert made.getpixel((150, 200)) == (255, 255, 255)


def test_small_photo_is_not_enlarged() -> None:
    made = portrait.prepare(portraits.jpeg(width=120, height=160))
    assert Image.open(io.BytesIO(made)).size == (120, 160)


def test_same_photo_gives_the_same_octets() -> None:
    assert portrait.prepare(portraits.jpeg()) == portrait.prepare(portraits.jpeg())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"GIF89a" + bytes(40),
        portraits.jpeg()[:200],
        b"\xff\xd8\xff\xd9",
    ],
    ids=["empty", "text", "gif", "cut", "bare"],
)
def test_what_is_no_photo_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(CannotPrint, match="not a JPEG or PNG"):
        portrait.prepare(data)


def test_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    with pytest.raises(CannotPrint, match="60 million pixels"):
        portrait.prepare(out.getvalue())


def test_file_beyond_the_limit_is_refused() -> None:
    with pytest.raises(CannotPrint, match="20 MiB"):
        portrait.prepare(bytes(portrait.INPUT_LIMIT + 1))


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (100, 401)])
def test_strip_is_refused(size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")
    with pytest.raises(CannotPrint, match="strip"):
        portrait.prepare(out.getvalue())


def test_decoder_says_nothing_beside_the_picture() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01"
    out = io.BytesIO()
    Image.new("RGB", (60, 80)).save(out, "JPEG", exif=exif)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        portrait.prepare(out.getvalue())
    assert not said
