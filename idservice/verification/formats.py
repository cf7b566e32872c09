"""Which format a presentation has, and the functions of `crypto` that open and check it.

The only place that joins a credential format's name (DESIGN section 3) with `crypto`. One format
is built, `dc+sd-jwt`. Whether what a presentation says is enough for anybody is decided in
`verify`.
"""

from typing import Final

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import HolderBinding
from crypto.jose import jws
from crypto.sdjwt import sd_jwt, verify
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding

Unverified = SdJwtWithKeyBinding
"""A presentation taken apart; nothing in it is believed."""

verify_bound: Final = verify.verify
"""Checks signatures, disclosures and the binding to the holder, as the format has them."""


verify_usual: Final = verify.verify_usual
"""The same for a presentation of the usual shape, with a known header; nothing for others."""


def header_text(presentation: str) -> str:
    """Return the text of the issuer's header, for a table of known ones."""
    return presentation.partition(".")[0]


def parse(presentation: str) -> Unverified:
    """Take a presentation of any format apart.

    Args:
        presentation: as received.

    Raises:
        Malformed: no format that is known here.
        HolderBinding: nobody shows it: the holder's answer is missing.
    """
    parsed = sd_jwt.parse(presentation)
    if isinstance(parsed, SdJwtWithKeyBinding):
        return parsed
    raise HolderBinding("SD-JWT (RFC 9901, section 7.3, step 2): no key binding")


def check_type(header: JsonObject) -> None:
    """Check algorithm and type, before any key is looked for.

    Raises:
        WrongAlgorithm: another algorithm or type, or a critical header.
    """
    jws.check_header(header, algorithm="ES256", typ=verify.TYP)


def usual_header(x5c: JsonValue) -> str:
    """Return the text of the header that our issuers write for a chain."""
    return base64url.encode(
        canonical_json.serialize({"alg": "ES256", "typ": verify.TYP, "x5c": x5c})
    )
