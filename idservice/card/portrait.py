"""A photograph becomes the small JPEG that a card or a credential holds.

DESIGN section 3: at most 24 KiB. The picture is decoded and drawn anew, so that nothing of the
file survives but what can be seen: no place, no camera, no time, no comment, no thumbnail.
Nothing is measured in it; there is no face detection here and no template.
"""

import io
import warnings
from typing import Final

from PIL import Image, ImageOps

from idservice import catalogue
from idservice.card.refusal import CannotPrint, Unreadable

INPUT_LIMIT: Final = 20 * 1024 * 1024
_PIXEL_LIMIT: Final = 60_000_000
_FORMATS: Final = ("JPEG", "PNG")
_SIZES: Final = ((480, 600), (360, 450), (240, 300), (160, 200))
_LONGEST_SHAPE: Final = 4
"""How many times longer than wide, or wider than long, a picture may be."""
_QUALITIES: Final = (88, 80, 70, 60, 50)


def prepare(photo: bytes) -> bytes:
    """Return the picture upright, at most 480 by 600 and 24 KiB, as JPEG without metadata.

    Raises:
        Unreadable: not a JPEG or PNG picture.
        CannotPrint: too large, or too narrow.
    """
    if len(photo) > INPUT_LIMIT:
        raise CannotPrint("the photo is larger than 20 MiB")
    picture = _decode(photo)
    for size in _SIZES:
        fitted = ImageOps.contain(picture, size) if _exceeds(picture, size) else picture
        for quality in _QUALITIES:
            encoded = _encode(fitted, quality=quality)
            if len(encoded) <= catalogue.PORTRAIT_LIMIT:
                return encoded
    raise CannotPrint("the photo cannot be made small enough")


def _exceeds(picture: Image.Image, size: tuple[int, int]) -> bool:
    return picture.width > size[0] or picture.height > size[1]


def _decode(photo: bytes) -> Image.Image:
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(photo), formats=_FORMATS) as source,
        ):
            if source.width * source.height > _PIXEL_LIMIT:
                raise CannotPrint("the photo has more than 60 million pixels")
            if max(source.size) > _LONGEST_SHAPE * min(source.size):
                raise CannotPrint("the photo is a strip: no face fits into it")
            upright = ImageOps.exif_transpose(source)
            return _on_white(upright)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # the decoder's own words may quote the file
        raise Unreadable("the photo is not a JPEG or PNG picture") from None


def _on_white(picture: Image.Image) -> Image.Image:
    """Draw onto a fresh canvas: `info`, with comments and profiles, stays behind."""
    layered = picture.convert("RGBA")
    canvas = Image.new("RGB", layered.size, "white")
    canvas.paste(layered, mask=layered.getchannel("A"))
    return canvas


def _encode(picture: Image.Image, *, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, progressive=False)
    return out.getvalue()
