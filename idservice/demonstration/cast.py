"""Who appears: residents made up for the demonstration, and three verifiers with their policies.

The residents stand for what cards get wrong: a name in another script, an address that must not
be told, somebody who is 17, somebody whose face is on the card.
"""

import base64
import io
from datetime import date
from typing import Final

from PIL import Image, ImageDraw

from idservice import catalogue

Json = dict[str, object]


def _birthday(today: date, years: int) -> str:
    """Return a birth date that makes somebody `years` old, the birthday half a year ago."""
    month = today.month - 6
    year = today.year - years
    return date(year if month > 0 else year - 1, (month - 1) % 12 + 1, 15).isoformat()


def portrait() -> bytes:
    """Draw a face that belongs to nobody, as a JPEG."""
    image = Image.new("RGB", (240, 300), (222, 228, 232))
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 210, 210, 420), fill=(58, 92, 120))
    draw.ellipse((65, 50, 175, 195), fill=(196, 152, 120))
    draw.pieslice((55, 30, 185, 170), 180, 360, fill=(50, 38, 32))
    for left in (92, 132):
        draw.ellipse((left, 110, left + 14, 122), fill=(40, 30, 26))
    draw.arc((95, 125, 145, 165), 20, 160, fill=(120, 62, 52), width=5)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def residents(today: date) -> dict[str, Json]:
    """Return the enrolment records, by the name under which the story tells of them."""
    return {
        "Amina": {
            "given_name": "Амина",
            "family_name": "Каримова",
            "birth_date": _birthday(today, 34),
            "resident": True,
            "locality": "Exampleville",
            "address": {
                "street_address": "Ludgrove Street 12",
                "postal_code": "10042",
                "locality": "Exampleville",
            },
        },
        "Rosa": {
            "given_name": "Rosa",
            "family_name": "Delgado-Nwosu",
            "birth_date": _birthday(today, 41),
            "resident": True,
            "locality": "Exampleville",
            "address": {
                "care_of": "Post Desk 7",
                "street_address": "Town Hall Square 1",
                "postal_code": "10001",
                "locality": "Exampleville",
            },
        },
        "Tomas": {
            "given_name": "Tomás",
            "family_name": "Okafor-Lindqvist",
            "birth_date": _birthday(today, 17),
            "resident": True,
            "locality": "Exampleville",
        },
        "Mei": {
            "given_name": "美玲",
            "family_name": "Haddad",
            "birth_date": _birthday(today, 68),
            "resident": True,
            "locality": "Exampleville",
            "gender": "X",
            "portrait": base64.b64encode(portrait()).decode(),
        },
    }


VERIFIERS: Final = ("library", "bar", "bank")


def policy(verifier: str, *, expires: date) -> Json:
    """Return the policy that a verifier wishes for; admission adds who it is for."""
    asked: dict[str, Json] = {
        "library": {
            "id": "library-card",
            "verifier": "Exampleville Public Library",
            "purpose": "library_membership",
            "place": "all branches",
            "required": ["resident"],
            "optional": ["given_name"],
            "retention": "none",
            "notice": {
                "en": "To give you a library card we check that you live here.",
                "es": "Para darle un carnet comprobamos que vive aquí.",
            },
        },
        "bar": {
            "id": "bar-age-18",
            "verifier": "The Blue Door",
            "purpose": "age_check",
            "place": "at the door",
            "required": ["age_over_18"],
            "optional": ["portrait"],
            "retention": "none",
            "notice": {
                "en": "We check that you are 18 or older.",
                "es": "Comprobamos que tiene 18 años o más.",
            },
        },
        "bank": {
            "id": "bank-account",
            "verifier": "Exampleville Credit Union",
            "purpose": "account_opening",
            "place": "at the counter",
            "required": ["given_name", "family_name", "birth_date"],
            "optional": [
                "address.care_of",
                "address.street_address",
                "address.postal_code",
                "address.locality",
                "portrait",
            ],
            "retention": "Five years after the account is closed, as banking law demands.",
            "notice": {
                "en": "To open an account, the law makes us know your name and birth date.",
                "es": "Para abrir una cuenta, la ley nos exige su nombre y fecha de nacimiento.",
            },
        },
    }
    traceless = {"formats": [catalogue.FORMAT, catalogue.BBS_FORMAT], "status_max_age_s": None}
    strict = {"formats": [catalogue.FORMAT], "status_max_age_s": 172_800}
    return {
        **asked[verifier],
        **(strict if verifier == "bank" else traceless),
        "erase": None,
        "expires": expires.isoformat(),
    }
