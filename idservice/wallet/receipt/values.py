"""What the claims of a credential may look like, whatever its format.

DESIGN section 3, "Claims": every claim of the catalogue, in the catalogue's shape, so that no
value can hide a mark in a member, a character, a spelling or a length that no terminal shows. How
the claims stand in a credential is for `wallet/announced.py` (SD-JWT) and `bbs.py`; whether a
value is true nobody but its holder can say.
"""

from typing import Final

from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import catalogue, spelling
from idservice.wallet.model import Declined

LONGEST_TEXT: Final = 1024
"""Characters of a claim that is not the portrait."""
PORTRAIT_PREFIX: Final = "data:image/jpeg;base64,"

_BOOLEANS = frozenset({"resident", *catalogue.AGE_CLAIMS})
_LONGEST_PORTRAIT = len(PORTRAIT_PREFIX) + catalogue.PORTRAIT_LIMIT // 3 * 4 + 4


def check(claims: JsonObject) -> None:
    """Make sure that claims, by the names of the catalogue, are a resident's.

    Raises:
        Declined: naming the claim, without its value.
    """
    if claims.keys() != set(catalogue.CLAIMS):
        raise Declined("The claims are not exactly those of the catalogue.")
    for name, value in claims.items():
        _check_value(name, value)
    if claims["resident"] is not True:
        raise Declined("The credential does not say that its holder is a resident.")


def check_same(before: JsonObject, after: JsonObject) -> None:
    """Make sure that renewal changed nothing but age thresholds that a birthday passed."""
    for name in catalogue.CLAIMS:
        grown = name in catalogue.AGE_CLAIMS and after[name] is True
        if before[name] != after[name] and not grown:
            raise Declined(f"The issuer changed {name} at renewal; nothing is kept.")


def differs(what: str) -> Declined:
    """Say what is not as announced; the wallet keeps nothing of such an issuing."""
    return Declined(
        f"The {what} is not as the city announced it for everybody."
        " It could mark you; nothing is kept."
    )


def _check_value(name: str, value: JsonValue) -> None:
    if value is None and name != "resident":
        return
    if name in _BOOLEANS:
        fits = isinstance(value, bool)
    else:
        limit = _LONGEST_PORTRAIT if name == "portrait" else LONGEST_TEXT
        fits = isinstance(value, str) and 0 < len(value) <= limit and spelling.is_visible(value)
    if not fits:
        raise Declined(f"The claim {name} has another shape than the catalogue says.")
