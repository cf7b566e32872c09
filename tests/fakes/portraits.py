"""Pictures for tests: drawn here, of nobody."""

import io

from PIL import Image, ImageDraw

CANARY = b"CANARY-52.5163N-13.3777E"


def jpeg(
    *, width: int = 600, height: int = 800, canary: bool = False, turned: bool = False
) -> bytes:
    """Draw a face; `canary` hides words in EXIF, comment and profile, `turned` lays it down."""
    picture = Image.new("RGB", (width, height), "#b8c4d4")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width // 4, height // 8, 3 * width // 4, height // 2), fill="#c99a7a")
    draw.rectangle((0, 3 * height // 4, width, height), fill="#405a7a")
    exif = Image.Exif()
    if canary:
        exif[0x010E] = CANARY.decode()
        exif[0x8825] = {29: CANARY.decode()}
    if turned:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    hidden = {"comment": CANARY, "icc_profile": bytes(128) + CANARY} if canary else {}
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92, exif=exif, **hidden)
    return out.getvalue()
