"""Answers to presentation requests as pure messages, for the one who shows and the one who asks.

OpenID4VP 1.0, section 8: a `vp_token`, in the clear or encrypted to the request's passing key,
or an error of which only a code from a closed list is kept. Whether the presentation inside is
good is `verification/verify.py`. Left out: `multiple` presentations, and `id_token`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused
from crypto.jose import jwe
from idservice.verification import dcql, openid4vp


class WalletError(StrEnum):
    """What a wallet may say instead of showing something; section 8.5 and RFC 6749, 4.1.2.1."""

    ACCESS_DENIED = "access_denied"
    INVALID_REQUEST = "invalid_request"
    INVALID_SCOPE = "invalid_scope"
    INVALID_CLIENT = "invalid_client"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    VP_FORMATS_NOT_SUPPORTED = "vp_formats_not_supported"
    INVALID_REQUEST_URI_METHOD = "invalid_request_uri_method"
    INVALID_TRANSACTION_DATA = "invalid_transaction_data"
    WALLET_UNAVAILABLE = "wallet_unavailable"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    OTHER = "other"
    """Whatever else a wallet wrote; its text is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedAnswer:
    """The `response` of `direct_post.jwt`."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAnswer:
    """A `vp_token` and the state beside it; nothing in it is verified."""

    vp_token: JsonObject
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The wallet shows nothing; of its reasons only the code is kept."""

    error: WalletError
    state: str | None


def write_answer(
    request: openid4vp.Request, presentation: str, *, random_bytes: RandomBytes
) -> dict[str, str]:
    """Write the form that shows one presentation.

    Spec: OpenID4VP 1.0, sections 8.1 to 8.3.

    Args:
        request: from `authenticate`, with a single credential query.
        presentation: bound to the request's `client_id` and `nonce`.
        random_bytes: for the encryption, where the request asks for it.

    Secret: `presentation`.
    """
    vp_token: JsonObject = {request.query.credentials[0].id: [presentation]}
    if request.encryption is None:
        form = {"vp_token": canonical_json.serialize(vp_token).decode()}
        return form if request.state is None else {**form, "state": request.state}
    payload: JsonObject = {"vp_token": vp_token}
    if request.state is not None:
        payload["state"] = request.state
    token = jwe.encrypt(
        canonical_json.serialize(payload),
        recipient=request.encryption.key,
        encryption="A256GCM" if "A256GCM" in request.encryption.encryptions else "A128GCM",
        header={"kid": request.encryption.kid},
        random_bytes=random_bytes,
    )
    return {"response": token}


def write_refusal(request: openid4vp.Request) -> dict[str, str]:
    """Write the form that shows nothing: one text for every reason (section 8.5)."""
    form = {"error": WalletError.ACCESS_DENIED.value}
    return form if request.state is None else {**form, "state": request.state}


def parse_answer(form: Mapping[str, str]) -> EncryptedAnswer | PlainAnswer | Declined:
    """Read what a wallet posts to the `response_uri`.

    Raises:
        Malformed: none of the three shapes of sections 8.2, 8.3 and 8.5, or two at once.
    """
    told = [name for name in ("response", "vp_token", "error") if name in form]
    state = openid4vp.url_safe(form["state"]) if "state" in form else None
    match told:
        case ["response"]:
            return EncryptedAnswer(token=form["response"])
        case ["vp_token"]:
            vp_token = canonical_json.parse_object(form["vp_token"].encode())
            return PlainAnswer(vp_token=vp_token, state=state)
        case ["error"]:
            return Declined(error=_wallet_error(form["error"]), state=state)
        case _:
            raise Malformed("an answer is a response, a vp_token or an error (OpenID4VP 8)")


def decrypt_answer(
    answer: EncryptedAnswer, *, private_key: ec.EllipticCurvePrivateKey, kid: str
) -> PlainAnswer | Declined:
    """Open an encrypted answer with the passing key of its request.

    Spec: OpenID4VP 1.0, section 8.3.

    Raises:
        Malformed: not a JWE, or not an answer inside.
        Refused: another algorithm or key, or changed on the way.

    Secret: `private_key`.
    """
    opened = jwe.decrypt(
        answer.token, private_key=private_key, encryptions=frozenset(openid4vp.ENCRYPTIONS)
    )
    if opened.header.get("kid") != kid:
        raise Refused("encrypted to another key (OpenID4VP 8.3)")
    payload = canonical_json.parse_object(opened.plaintext)
    state = openid4vp.url_safe(payload["state"]) if "state" in payload else None
    if "error" in payload:
        return Declined(error=_wallet_error(payload["error"]), state=state)
    return PlainAnswer(vp_token=openid4vp.member(payload, "vp_token"), state=state)


def _wallet_error(value: JsonValue) -> WalletError:
    """Keep a code of the closed list, and of anything else only that it was something else."""
    known = [one for one in WalletError if one.value == value]
    return known[0] if known else WalletError.OTHER


def presentation_in(answer: PlainAnswer) -> str:
    """Take the one presentation out of the `vp_token`.

    Spec: OpenID4VP 1.0, sections 8.1 and 8.6.

    Raises:
        Malformed: another credential id than asked for, none, or more than one presentation.
    """
    if answer.vp_token.keys() != {dcql.CREDENTIAL_ID}:
        raise Malformed("other credentials than asked for (OpenID4VP 8.6)")
    match answer.vp_token[dcql.CREDENTIAL_ID]:
        case [str(presentation)]:
            return presentation
        case _:
            raise Malformed("exactly one presentation is expected (OpenID4VP 8.1)")
