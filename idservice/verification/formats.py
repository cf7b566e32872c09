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
from crypto.sdjwt import sd_jwt, shape, usual, verify
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding
from crypto.sdjwt.shape import Hidden, Shape
from idservice import catalogue
from idservice.verification.trust import Announced

Unverified = SdJwtWithKeyBinding
"""A presentation taken apart; nothing in it is believed."""

verify_bound: Final = verify.verify
"""Checks signatures, disclosures and the binding to the holder, as the format has them."""


open_usual: Final = usual.open_usual
"""The same in one go, for a presentation of a known shape; it says nothing of others."""

usual_claims: Final = shape.claims
"""What `verify_bound` would have returned for it."""

_NAMES: Final = frozenset(name for name in catalogue.CLAIMS if "." not in name)
_ADDRESS: Final = "address"
_MEMBERS: Final = frozenset(catalogue.ADDRESS_MEMBERS)


def usual_shape(announced: Announced, *, issuer: str) -> Shape | None:
    """Say what all credentials that are as announced have in common; none hide nothing."""
    if not announced.digests:
        return None
    return shape.of(
        header=usual_header([*announced.x5c_text]),
        visible={
            "iss": issuer,
            "vct": announced.vct,
            "vct#integrity": announced.vct_integrity,
            "nbf": announced.nbf,
            "exp": announced.exp,
        },
        uri=announced.status.uri,
        top=Hidden(_NAMES, announced.digests),
        inner_name=_ADDRESS,
        inner=Hidden(_MEMBERS, announced.address_digests),
    )


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
