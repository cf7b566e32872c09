"""The holder's signed answer: for whom, to which question, over which disclosures, when.

Carries out RFC 9901, section 4.3, and of section 7.3 step 5. ES256 only. Where the holder's
key comes from (`cnf`, and nowhere else) is decided in `crypto.sdjwt.verify`.
"""

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import BadSignature, HolderBinding, WrongAudience, WrongNonce
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.jose.jws import Signer
from crypto.sdjwt import disclosure
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding

TYP = "kb+jwt"
MAX_AGE = 300
"""Seconds that an answer may be old, where the caller says nothing else."""
SKEW = 60
"""Seconds that the holder's clock may be ahead."""


def sign(sd_jwt_text: str, *, nonce: str, audience: str, now: UnixSeconds, signer: Signer) -> str:
    """Answer a verifier's question with exactly these disclosures.

    Spec: RFC 9901, section 4.3.

    Args:
        sd_jwt_text: the compact form that ends with a tilde.
        nonce: the verifier's, not empty.
        audience: the verifier's full identifier, not empty.
        now: becomes `iat`.
        signer: the holder's key, asked once.

    Returns:
        The SD-JWT+KB.

    Raises:
        ValueError: no trailing tilde, or an empty nonce or audience.
    """
    if not (sd_jwt_text.endswith("~") and nonce and audience):
        raise ValueError("a key binding needs an SD-JWT, a nonce and an audience")
    claims: JsonObject = {
        "aud": audience,
        "iat": now,
        "nonce": nonce,
        "sd_hash": disclosure.digest(sd_jwt_text),
    }
    token = jws.sign(
        header={"alg": "ES256", "typ": TYP},
        payload=canonical_json.serialize(claims),
        signer=signer,
    )
    return sd_jwt_text + token


def verify(
    presentation: SdJwtWithKeyBinding,
    *,
    key: ec.EllipticCurvePublicKey,
    nonce: str,
    audience: str,
    now: UnixSeconds,
    max_age: int = MAX_AGE,
    skew: int = SKEW,
) -> None:
    """Check that the holder of `key` gave this answer, now, to this question.

    Spec: RFC 9901, section 7.3, steps 5.2 to 5.8.

    Args:
        presentation: taken apart, its issuer's signature verified.
        key: the holder's, from the verified `cnf`.
        nonce: compared as an exact string.
        audience: compared as an exact string; a list of audiences is refused.
        now: seconds.
        max_age: how old the answer may be, in seconds.
        skew: how far ahead the holder's clock may be, in seconds.

    Raises:
        Malformed: the claims are not one JSON object.
        WrongAlgorithm: another algorithm or type, or a critical header.
        HolderBinding: the signature, the time or `sd_hash` does not fit.
        WrongNonce: another question.
        WrongAudience: meant for somebody else.
        ValueError: an empty nonce or audience: our own mistake.

    Not checked: that the nonce was not used before.
    """
    if not nonce or not audience:
        raise ValueError("a verifier names its nonce and its audience")
    answer = presentation.key_binding
    jws.check_header(answer.header, algorithm="ES256", typ=TYP)
    try:
        jws.verify_signature(answer, key=key)
    except BadSignature as error:
        raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.3): not by the holder") from error
    claims = canonical_json.parse_object(answer.payload)
    _check_times(claims, now=now, max_age=max_age, skew=skew)
    if claims.get("nonce") != nonce:
        raise WrongNonce("KB-JWT (RFC 9901, 7.3, step 5.6): another nonce")
    if claims.get("aud") != audience:
        raise WrongAudience("KB-JWT (RFC 9901, 7.3, step 5.6): another audience")
    if claims.get("sd_hash") != disclosure.digest(presentation.bound):
        raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.7): over other disclosures")


def _check_times(claims: JsonObject, *, now: UnixSeconds, max_age: int, skew: int) -> None:
    iat = claims.get("iat")
    # `type`, because True is an int too.
    if type(iat) is not int or not now - max_age <= iat <= now + skew:
        raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.5): outside the time allowed")
    if "exp" in claims or "nbf" in claims:
        exp, nbf = claims.get("exp", now + 1), claims.get("nbf", now)
        if type(exp) is not int or type(nbf) is not int or exp <= now or nbf > now + skew:
            raise HolderBinding("KB-JWT (RFC 9901, 7.3, step 5.8): not valid now")
