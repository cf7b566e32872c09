"""What the verifier's counter says of itself in the OpenAPI document.

Every status that an operation can answer stands here, because the tests hold the running service
to it. The words for people are in `docs/verifiers.md`. No behaviour lives here.
"""

from typing import Any, Final

from idservice import catalogue
from idservice.errors import Refusal
from idservice.verification.openid4vp import ResponseMode
from idservice.verification.openid4vp_answer import WalletError
from idservice.verifier.model import public_code
from idservice.web.application import PROBLEM_RESPONSE

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_REFUSED: Final = sorted({public_code(code) for code in Refusal})


def _object(required: Schema, optional: Schema | None = None, *, closed: bool = False) -> Schema:
    schema: Schema = {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
    return {**schema, "additionalProperties": False} if closed else schema


def _const(value: str) -> Schema:
    return {"type": "string", "const": value}


_ITEM: Final = _object(
    {
        "policy": {"type": "string", "description": "A policy of this verifier."},
        "presentation": {
            "type": "string",
            "description": "SD-JWT with key binding, or JWP in presented form (BBS).",
        },
        "nonce": {"type": "string", "minLength": 1, "description": "Drawn by you, used once."},
        "audience": {"type": "string", "minLength": 1, "description": "Your client identifier."},
    }
)
_ACCEPTED: Final = _object(
    {
        "result": _const("accepted"),
        "policy": _TEXT,
        "facts": {"type": "object", "description": "What the policy lists, nothing else."},
        "status_age_s": {
            "type": ["integer", "null"],
            "description": "null: the format has no status list.",
        },
    },
    {
        "pseudonym": {
            "type": "string",
            "description": "Where the policy has a label and the holder agreed; base64url.",
        },
        "not_checked_since": {
            "type": "string",
            "format": "date",
            "description": "Only where the trust bundle is older than the city's charter allows.",
        },
    },
    closed=True,
)
_NOT_ACCEPTED: Final = _object(
    {"result": _const("refused"), "code": {"type": "string", "enum": _REFUSED}}, closed=True
)
_ITEM_ERROR: Final = _object({"result": _const("error"), "code": _TEXT}, closed=True)
_DECLINED: Final = _object(
    {
        "result": _const("declined"),
        "code": {"type": "string", "enum": [code.value for code in WalletError]},
    },
    closed=True,
)
_OAUTH_ERROR: Final = _object({"error": _TEXT, "error_description": _TEXT})


def _body(media_type: str, schema: Schema) -> Schema:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _answer(
    description: str, schema: Schema | None, media_type: str = "application/json"
) -> Schema:
    if schema is None:
        return {"description": description}
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problems(*statuses: int) -> dict[int | str, Schema]:
    return dict.fromkeys(statuses, PROBLEM_RESPONSE)


def _oauth(*statuses: int) -> dict[int | str, Schema]:
    return dict.fromkeys(statuses, _answer("An OAuth error", _OAUTH_ERROR))


def _operation(
    tag: str,
    summary: str,
    responses: dict[int | str, Schema],
    *,
    body: Schema | None = None,
    parameters: list[Schema] | None = None,
    bearer: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of a FastAPI route."""
    extra: Schema = {}
    if bearer is not None:
        extra["security"] = [{bearer: []}]
    if body is not None:
        extra["requestBody"] = body
    if parameters is not None:
        extra["parameters"] = parameters
    success = next(iter(responses))
    return {
        "summary": summary,
        "tags": [tag],
        "status_code": success,
        "responses": responses,
        "openapi_extra": extra,
    }


def _plain(operation: dict[str, Any]) -> Schema:
    """Return the same as the OpenAPI document has it, for a Starlette route."""
    return {
        "summary": operation["summary"],
        "tags": operation["tags"],
        "responses": {str(code): answer for code, answer in operation["responses"].items()},
        **operation["openapi_extra"],
    }


VERIFY_OPERATION: Final = _plain(
    _operation(
        "verify",
        "Check one presentation and forget it",
        {
            200: _answer("Accepted or refused", {"oneOf": [_ACCEPTED, _NOT_ACCEPTED]}),
            **_problems(400, 404, 413, 415, 422, 503),
        },
        body=_body("application/json", _ITEM),
    ),
)
BATCH_OPERATION: Final = _plain(
    _operation(
        "verify",
        "Check up to 1,000 presentations; one answer each, in order",
        {
            200: _answer(
                "One answer each",
                _object(
                    {
                        "items": {
                            "type": "array",
                            "items": {"oneOf": [_ACCEPTED, _NOT_ACCEPTED, _ITEM_ERROR]},
                        }
                    }
                ),
            ),
            **_problems(400, 413, 415, 422),
        },
        body=_body("application/json", _object({"items": {"type": "array", "items": {}}})),
    ),
)
POLICIES: Final = _operation(
    "policies",
    "The policies under which this verifier asks",
    {200: _answer("The policies", _object({"policies": {"type": "array", "items": {}}}))},
)
_IDENTIFIER: Final[Schema] = {
    "name": "identifier",
    "in": "path",
    "required": True,
    "schema": _TEXT,
}
START: Final = _operation(
    "requests",
    "Ask for a presentation; needs an API key as bearer token",
    {
        201: _answer(
            "What to show to the resident, and how to fetch the answer",
            _object(
                {
                    "authorization_request": _TEXT,
                    "answer_secret": _TEXT,
                    "expires_in": {"type": "integer"},
                }
            ),
        ),
        **_problems(400, 401, 403, 404, 413, 415, 422, 429, 503),
    },
    body=_body(
        "application/json",
        _object(
            {"policy": _TEXT},
            {
                "format": {
                    "type": ["string", "null"],
                    "enum": [*catalogue.FORMATS, None],
                    "description": "Left out or null: the first that the policy takes.",
                },
                "response_mode": {"type": "string", "enum": [one.value for one in ResponseMode]},
                "same_device": {
                    "oneOf": [_object({"redirect_uri": _TEXT}, closed=True), {"type": "null"}]
                },
            },
            closed=True,
        ),
    ),
    bearer="api_key",
)
COLLECT: Final = _operation(
    "requests",
    "Fetch an answer once; needs the answer secret as bearer token",
    {
        200: _answer("The answer", {"oneOf": [_ACCEPTED, _NOT_ACCEPTED, _DECLINED]}),
        202: _answer("Nobody has answered yet", None),
        **_problems(401, 404, 503),
    },
    bearer="answer_secret",
    parameters=[
        {
            "name": "Response-Code",
            "in": "header",
            "required": False,
            "schema": _TEXT,
            "description": "From the redirect, in a flow on one device.",
        },
    ],
)
_SIGNED: Final = _answer("The signed request object", _TEXT, "application/oauth-authz-req+jwt")
_FORM: Final = "application/x-www-form-urlencoded"
REQUEST_OBJECT: Final = _operation(
    "wallets",
    "Fetch the signed request (OpenID4VP 1.0, 5)",
    {200: _SIGNED, **_oauth(404, 503)},
    parameters=[_IDENTIFIER],
)
REQUEST_OBJECT_POST: Final = _operation(
    "wallets",
    "Fetch the signed request with a nonce of the wallet (OpenID4VP 1.0, 5.10)",
    {200: _SIGNED, **_oauth(400, 404, 413, 415, 503)},
    body=_body(_FORM, _object({}, {"wallet_nonce": _TEXT, "wallet_metadata": _TEXT})),
    parameters=[_IDENTIFIER],
)
RESPOND: Final = _operation(
    "wallets",
    "Answer a request (OpenID4VP 1.0, 8); accepted and refused look the same",
    {
        200: _answer("Received", _object({}, {"redirect_uri": _TEXT})),
        **_oauth(400, 413, 415, 503),
    },
    body=_body(
        _FORM,
        _object({}, dict.fromkeys(("response", "vp_token", "state", "error"), _TEXT)),
    ),
    parameters=[_IDENTIFIER],
)
