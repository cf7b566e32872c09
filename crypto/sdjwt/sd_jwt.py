"""The form with tildes, taken apart: an SD-JWT, or one with the holder's signed answer.

Carries out RFC 9901, section 4, and of section 7.1 step 1, within named limits. Leaves out the
JSON serialisations (section 8) and all checking: see `crypto.sdjwt.verify`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from crypto.errors import Malformed
from crypto.jose import jws
from crypto.jose.jws import Jws

MAX_SIZE = 64 * 1024
"""Characters of an SD-JWT, key binding included."""
MAX_DISCLOSURES = 512


class SdJwt(NamedTuple):
    """An SD-JWT taken apart; nothing in it is verified.

    `issuer_jwt` is the signed text as received, `issuer` the same taken apart, so that a
    caller may look for `x5c` in `issuer.header` and find the key to verify with.
    """

    issuer_jwt: str
    issuer: Jws
    disclosures: tuple[str, ...]


class SdJwtWithKeyBinding(NamedTuple):
    """An SD-JWT+KB taken apart; nothing in it is verified.

    `bound` is the text before the key binding, last tilde included: what `sd_hash` names.
    """

    sd_jwt: SdJwt
    bound: str
    key_binding: Jws


def parse(text: str) -> SdJwt | SdJwtWithKeyBinding:
    """Take the compact form apart.

    Spec: RFC 9901, section 4; section 7.1, step 1.

    Args:
        text: as received.

    Returns:
        Which of the two it is shows in the type. What a caller demands must not depend on it
        (section 7.3, steps 1 and 2).

    Raises:
        Malformed: no tilde, an empty disclosure, more than `MAX_SIZE` characters or
            `MAX_DISCLOSURES` disclosures, or a JWT that does not parse.

    Not checked: signatures and disclosures.
    """
    if len(text) > MAX_SIZE:
        raise Malformed("SD-JWT: too long")
    if not text.isascii():
        raise Malformed("SD-JWT (RFC 9901, section 4): a foreign character")
    issuer_jwt, *parts = text.split("~")
    if not parts:
        raise Malformed("SD-JWT (RFC 9901, section 4): no tilde")
    last = parts.pop()
    if len(parts) > MAX_DISCLOSURES:
        raise Malformed("SD-JWT: too many disclosures")
    if "" in parts:
        raise Malformed("SD-JWT (RFC 9901, section 4): an empty disclosure")
    sd_jwt = SdJwt(issuer_jwt, jws.parse(issuer_jwt), tuple(parts))
    if not last:
        return sd_jwt
    return SdJwtWithKeyBinding(sd_jwt, text[: -len(last)], jws.parse(last))


def write(issuer_jwt: str, disclosures: Sequence[str]) -> str:
    """Write the compact form without key binding.

    Spec: RFC 9901, section 4.

    Returns:
        Text that ends with a tilde.
    """
    return "~".join((issuer_jwt, *disclosures, ""))
