"""What a service may refuse, as closed lists of codes.

`ServiceError` is about the envelope of a request; `web/problems.py` alone knows which HTTP
answer belongs to which code. `Refusal` is the answer "no" to a well-formed check; it is a
value, not an error. Neither ever carries what was sent. Both lists are published in
`docs/errors.md`.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why a request was not carried out."""

    BAD_JSON = "bad_json"
    MISSING_MEMBER = "missing_member"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNKNOWN_POLICY = "unknown_policy"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    POLICY_VIOLATION = "policy_violation"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    # OAuth and OpenID4VCI, spelled as their specifications spell them
    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_TOKEN = "invalid_token"  # noqa: S105, an error code of RFC 6750
    INVALID_CREDENTIAL_REQUEST = "invalid_credential_request"
    UNKNOWN_CREDENTIAL_CONFIGURATION = "unknown_credential_configuration"
    UNKNOWN_CREDENTIAL_IDENTIFIER = "unknown_credential_identifier"
    INVALID_PROOF = "invalid_proof"
    INVALID_NONCE = "invalid_nonce"
    INVALID_ENCRYPTION_PARAMETERS = "invalid_encryption_parameters"
    CREDENTIAL_REQUEST_DENIED = "credential_request_denied"


class Refusal(StrEnum):
    """Why a presentation is not accepted."""

    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    ISSUER_SIGNATURE = "issuer_signature"
    UNTRUSTED_ISSUER = "untrusted_issuer"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WITHDRAWN = "withdrawn"
    STATUS_UNAVAILABLE = "status_unavailable"
    HOLDER_BINDING = "holder_binding"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_NONCE = "wrong_nonce"
    POLICY = "policy"


class ServiceError(Exception):
    """A request that was not carried out, and nothing was changed."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code
