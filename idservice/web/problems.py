"""The one table from a code to an HTTP answer.

`/v1/*` answers problem documents (RFC 9457); OAuth endpoints answer `{error,
error_description}` (RFC 6749, section 5.2; OpenID4VCI 1.0, section 8.3.1). The texts are
constants: nothing that was sent is ever repeated.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson
from starlette.responses import Response

from idservice.errors import Code

_TABLE: Final[Mapping[Code, tuple[int, str]]] = MappingProxyType(
    {
        Code.BAD_JSON: (400, "The body is not strict JSON, or has too many values."),
        Code.MISSING_MEMBER: (422, "A member is missing or has the wrong type."),
        Code.TOO_LARGE: (413, "The body is larger than this address accepts."),
        Code.UNSUPPORTED_MEDIA_TYPE: (415, "The body has the wrong media type or is encoded."),
        Code.UNKNOWN_POLICY: (404, "No such policy is in force here."),
        Code.NOT_FOUND: (404, "There is nothing here."),
        Code.UNAUTHORIZED: (401, "A valid key is needed."),
        Code.POLICY_VIOLATION: (403, "The policy does not allow this."),
        Code.BUSY: (429, "Too many requests at the moment."),
        Code.UNAVAILABLE: (503, "The service cannot answer at the moment."),
        Code.INVALID_REQUEST: (400, "A parameter is missing, repeated or malformed."),
        Code.INVALID_CLIENT: (401, "The client is not known."),
        Code.INVALID_GRANT: (400, "The code is wrong, used or out of date."),
        Code.UNSUPPORTED_GRANT_TYPE: (400, "This grant type is not offered."),
        Code.INVALID_TOKEN: (401, "The access token is missing, wrong or out of date."),
        Code.INVALID_CREDENTIAL_REQUEST: (400, "The credential request is malformed."),
        Code.UNKNOWN_CREDENTIAL_CONFIGURATION: (400, "No such credential configuration."),
        Code.UNKNOWN_CREDENTIAL_IDENTIFIER: (400, "No such credential identifier."),
        Code.INVALID_PROOF: (400, "A key proof is missing or does not verify."),
        Code.INVALID_NONCE: (400, "The nonce is not one of ours or is out of date."),
        Code.INVALID_ENCRYPTION_PARAMETERS: (400, "Encryption is not offered."),
        Code.CREDENTIAL_REQUEST_DENIED: (400, "This credential is not issued."),
    }
)
RETRY_AFTER: Final = "30"
"""Seconds, in the answers to `busy` and `unavailable`."""


def status(code: Code) -> int:
    """Return the HTTP status that belongs to the code."""
    return _TABLE[code][0]


def _headers(code: Code, scheme: str) -> dict[str, str]:
    if code in {Code.BUSY, Code.UNAVAILABLE}:
        return {"Retry-After": RETRY_AFTER}
    if status(code) == 401:  # noqa: PLR2004, RFC 9110: a 401 names its scheme
        return {"WWW-Authenticate": scheme}
    return {}


def problem(code: Code) -> Response:
    """Make the problem document of RFC 9457 for the code."""
    number, title = _TABLE[code]
    body = {"type": "about:blank", "title": title, "status": number, "code": code.value}
    return Response(
        orjson.dumps(body),
        number,
        headers=_headers(code, "Bearer"),
        media_type="application/problem+json",
    )


def oauth_error(code: Code) -> Response:
    """Make the error answer of RFC 6749 (and RFC 6750 for a token) for the code."""
    number, title = _TABLE[code]
    body = {"error": code.value, "error_description": title}
    scheme = f'Bearer error="{code.value}"' if code is Code.INVALID_TOKEN else "Bearer"
    return Response(
        orjson.dumps(body), number, headers=_headers(code, scheme), media_type="application/json"
    )
