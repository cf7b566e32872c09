"""The secrets of one question, and its rows: which secret names, opens and closes which.

DESIGN section 4. The `request_uri` carries a random id: its hash names the row of the open
request, and a key drawn from it opens that row, so that a table alone tells nothing. The
creator's secret is the private half of the answer's key pair: the public half is in the request,
its hash names the place of the answer, and only the creator can open what is put there. Times
are inside the seals; outside there are only the slots in which rows go. The messages to wallets
are `verification/openid4vp.py`; what is kept where is `storage/verifier.py`.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

import nacl.exceptions
import nacl.secret
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.sealed import box
from idservice.verification import dcql, openid4vp, openid4vp_answer
from idservice.verification.openid4vp import ResponseMode
from idservice.verification.policy import Policy
from idservice.verifier import model

SECRET_LENGTH: Final = 32
_SECRET_TEXT = 43
_NONCE_LENGTH = 24
_SLOT = 300
_MINUTE = 60
_PADDING = 4096
_KID: Final = "answer"

MAX_WALLET_METADATA: Final = 16 * 1024
_METADATA_DEMANDS: Final = (
    ("request_object_signing_alg_values_supported", "ES256"),
    ("response_types_supported", "vp_token"),
)


class Creator(NamedTuple):
    """What follows from the secret that only the creator of a request has."""

    private_key: bytes
    public_key: bytes
    row_key: bytes


def new_secret(*, random_bytes: RandomBytes) -> str:
    """Draw an id, nonce, state, response code or creator's secret: 256 bits as text."""
    return base64url.encode(random_bytes(SECRET_LENGTH))


def parse_secret(text: str) -> bytes:
    """Read what `new_secret` wrote.

    Raises:
        Malformed: anything else.
    """
    if len(text) != _SECRET_TEXT:
        raise Malformed("not a secret of this service")
    return base64url.decode(text)


def request_key(secret: bytes) -> bytes:
    """Name the row of an open request by the id in its `request_uri`."""
    return hashlib.sha256(secret).digest()


def creator(secret: bytes) -> Creator:
    """Derive the key pair of an answer, and the name of its place, from the creator's secret."""
    private_key = _derive(secret, b"answer")
    public_key = box.public_key(private_key)
    return Creator(private_key, public_key, answer_key(public_key))


def answer_key(public_key: bytes) -> bytes:
    """Name the place of the answer that is sealed to `public_key`."""
    return hashlib.sha256(b"answer" + public_key).digest()


def _derive(secret: bytes, label: bytes) -> bytes:
    info = b"idservice verifier " + label
    return HKDF(algorithm=hashes.SHA256(), length=SECRET_LENGTH, salt=None, info=info).derive(
        secret
    )


def request_slot(expires: UnixSeconds) -> int:
    """Return the five-minute slot in which an open request may go."""
    return -(-expires // _SLOT) * _SLOT // _MINUTE


def answer_slot(expires: UnixSeconds) -> int:
    """Return the minute in which an answer may go; it is far shorter-lived than a slot."""
    return -(-expires // _MINUTE)


def present_slot(now: UnixSeconds) -> int:
    """Return the slot that is reached: rows up to it may go."""
    return now // _MINUTE


def seal_request(request: model.OpenRequest, secret: bytes, *, random_bytes: RandomBytes) -> bytes:
    """Seal an open request under the id in its `request_uri`."""
    passing = None if request.passing_key is None else jwk.private_jwk(request.passing_key)
    content: JsonObject = {
        "answer_key": base64url.encode(request.answer_key),
        "credential_format": request.credential_format,
        "expires": request.expires,
        "nonce": request.nonce,
        "passing_key": None if passing is None else {**passing},
        "policy": request.policy,
        "redirect_uri": request.redirect_uri,
        "response_mode": request.response_mode.value,
        "served": [base64url.encode(each) for each in request.served],
        "state": request.state,
    }
    sealing = nacl.secret.SecretBox(_derive(secret, b"request"))
    return bytes(sealing.encrypt(_padded(content), random_bytes(_NONCE_LENGTH)))


def open_request(sealed: bytes, secret: bytes) -> model.OpenRequest:
    """Open the row of a request with the id from its `request_uri`.

    Raises:
        Refused: sealed under another id, or changed.
    """
    sealing = nacl.secret.SecretBox(_derive(secret, b"request"))
    try:
        content = canonical_json.parse_object(sealing.decrypt(sealed))
    except nacl.exceptions.CryptoError as error:
        raise Refused("sealed under another id, or changed") from error
    passing = content["passing_key"]
    redirect_uri = content["redirect_uri"]
    served = members.texts(content["served"])
    return model.OpenRequest(
        policy=str(content["policy"]),
        credential_format=str(content["credential_format"]),
        response_mode=ResponseMode(str(content["response_mode"])),
        nonce=str(content["nonce"]),
        state=str(content["state"]),
        expires=_instant(content["expires"]),
        answer_key=base64url.decode(str(content["answer_key"])),
        passing_key=jwk.parse_private(passing) if isinstance(passing, dict) else None,
        redirect_uri=redirect_uri if isinstance(redirect_uri, str) else None,
        served=tuple(map(base64url.decode, served)),
    )


def seal_answer(
    answer: model.Pending | model.Answered, public_key: bytes, *, random_bytes: RandomBytes
) -> bytes:
    """Seal an answer, or its absence so far, to whoever created the request."""
    content: JsonObject = {"until": answer.until}
    if isinstance(answer, model.Answered):
        code = answer.response_code_sha256
        content["body"] = answer.body
        content["response_code"] = None if code is None else base64url.encode(code)
    return box.seal(_padded(content), recipient=public_key, random_bytes=random_bytes)


def open_answer(sealed: bytes, opener: Creator) -> model.Pending | model.Answered:
    """Open the place of an answer with the creator's secret.

    Raises:
        Refused: sealed to another key, or changed.
    """
    content = canonical_json.parse_object(box.unseal(sealed, private_key=opener.private_key))
    until, body = _instant(content["until"]), content.get("body")
    if not isinstance(body, dict):
        return model.Pending(until=until)
    code = content["response_code"]
    return model.Answered(
        body=body,
        until=until,
        response_code_sha256=base64url.decode(code) if isinstance(code, str) else None,
    )


def write_verdict(verdict: model.Verdict) -> JsonObject:
    """Write what the creator of a request learns."""
    match verdict:
        case model.Shown():
            shown: JsonObject = {
                "result": "accepted",
                "policy": verdict.policy,
                "facts": dict(verdict.facts),
                "status_age_s": verdict.status_age_s,
            }
            if verdict.pseudonym is not None:
                shown["pseudonym"] = base64url.encode(verdict.pseudonym)
            if verdict.not_checked_since is not None:
                shown["not_checked_since"] = verdict.not_checked_since.isoformat()
            return shown
        case model.Refused():
            return {"result": "refused", "code": verdict.code}
        case model.NothingShown():
            return {"result": "declined", "code": verdict.error.value}


def ask_wallet(
    request: model.OpenRequest,
    policy: Policy,
    *,
    client_id: str,
    response_uri: str,
    wallet_nonce: str | None,
) -> openid4vp.Request:
    """Write an open question as the request that a wallet reads; it asks what the policy lists."""
    return openid4vp.Request(
        client_id=client_id,
        response_uri=response_uri,
        response_mode=request.response_mode,
        nonce=request.nonce,
        state=request.state,
        query=dcql.for_facts(
            vct=policy.vct,
            required=policy.required,
            optional=policy.optional,
            credential_format=request.credential_format,
        ),
        policy=policy.id,
        encryption=_announced(request.passing_key),
        wallet_nonce=wallet_nonce,
    )


def _announced(passing_key: ec.EllipticCurvePrivateKey | None) -> openid4vp.EncryptionKey | None:
    if passing_key is None:
        return None
    return openid4vp.EncryptionKey(
        key=passing_key.public_key(), kid=_KID, encryptions=openid4vp.ENCRYPTIONS
    )


def read_answer(
    request: model.OpenRequest, form: Mapping[str, str]
) -> openid4vp_answer.PlainAnswer | openid4vp_answer.Declined:
    """Read the form in the mode that was asked for, and compare the state.

    Raises:
        CryptoError: not an answer to this question. A `vp_token` in the clear is none where an
            encrypted one was asked for (OpenID4VP 1.0, 8.3); an error may come in the clear.
    """
    answer = openid4vp_answer.parse_answer(form)
    if isinstance(answer, openid4vp_answer.EncryptedAnswer):
        if request.passing_key is None:
            raise Malformed("no encryption was asked for (OpenID4VP 8.3)")
        answer = openid4vp_answer.decrypt_answer(answer, private_key=request.passing_key, kid=_KID)
    elif isinstance(answer, openid4vp_answer.PlainAnswer) and request.passing_key is not None:
        raise Malformed("encryption was asked for (OpenID4VP 8.3)")
    if not hmac.compare_digest((answer.state or "").encode(), request.state.encode()):
        raise Malformed("another state (OpenID4VP 5.2)")
    return answer


def check_wallet_metadata(text: str, *, client_id: str, credential_format: str) -> None:
    """Check that a wallet which says what it can do can answer this question.

    Spec: OpenID4VP 1.0, sections 5.10 and 10.

    Raises:
        Malformed: past the limit, no JSON, or it names what it can do and this is not among it.
    """
    if len(text) > MAX_WALLET_METADATA:
        raise Malformed("a wallet's metadata are too long")
    try:
        metadata = canonical_json.parse_object(text.encode())
    except UnicodeEncodeError as error:
        raise Malformed("a wallet's metadata are no text") from error
    prefix = client_id.partition(":")[0]
    for name, needed in (*_METADATA_DEMANDS, ("client_id_prefixes_supported", prefix)):
        offered = metadata.get(name)
        if offered is not None and not (isinstance(offered, list) and needed in offered):
            raise Malformed("the wallet cannot read this request (OpenID4VP 10)")
    formats = metadata.get("vp_formats_supported", {credential_format: {}})
    if not isinstance(formats, dict) or credential_format not in formats:
        raise Malformed("the wallet does not have this format (OpenID4VP 10)")


def _padded(content: JsonObject) -> bytes:
    """Write JSON, filled up with white space so that a row's size tells little about it."""
    text = canonical_json.serialize(content)
    return text + b" " * (-len(text) % _PADDING)


def _instant(value: JsonValue) -> UnixSeconds:
    if not isinstance(value, int):
        raise Malformed("not an instant")
    return UnixSeconds(value)
