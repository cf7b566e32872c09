"""Which format a presentation has, and the functions of `crypto` that open and check it.

The only place that joins a credential format's name (DESIGN section 3) with `crypto`. One format
is built, `dc+sd-jwt`. Whether what a presentation says is enough for anybody is decided in
`verify`.
"""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import sd_jwt, verify
from crypto.sdjwt.sd_jwt import SdJwt, SdJwtWithKeyBinding
from crypto.sdjwt.verify import VerifiedClaims
from idservice import catalogue


class Unverified(NamedTuple):
    """A presentation taken apart; nothing in it is believed."""

    format: str
    header: JsonObject
    """Of the issuer's token, where the path to its key stands."""
    body: SdJwt | SdJwtWithKeyBinding


def parse(presentation: str) -> Unverified:
    """Take a presentation of any format apart.

    Raises:
        Malformed: no format that is known here.
    """
    body = sd_jwt.parse(presentation)
    issued = body.sd_jwt if isinstance(body, SdJwtWithKeyBinding) else body
    return Unverified(catalogue.FORMAT, issued.issuer.header, body)


def check_type(unverified: Unverified) -> None:
    """Check algorithm and type, before any key is looked for.

    Raises:
        WrongAlgorithm: another algorithm or type, or a critical header.
    """
    jws.check_header(unverified.header, algorithm="ES256", typ=verify.TYP)


def verify_bound(
    unverified: Unverified,
    *,
    issuer_key: ec.EllipticCurvePublicKey,
    audience: str,
    nonce: str,
    now: UnixSeconds,
) -> VerifiedClaims:
    """Check signatures, disclosures and the binding to the holder, as the format has them.

    Raises:
        CryptoError: as `crypto.sdjwt.verify.verify`.
    """
    return verify.verify(
        unverified.body, issuer_key=issuer_key, audience=audience, nonce=nonce, now=now
    )
