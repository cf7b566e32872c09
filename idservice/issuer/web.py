"""The issuer's counter: HTTP to the service and back, and the documents that are public.

Carries out OpenID4VCI 1.0, sections 4.1.3, 6, 7, 8 and 12.2, and of DESIGN sections 2 and 8 what
stands under `/v1`. OAuth endpoints answer `{error, error_description}`, `/v1/*` problem
documents. Addresses lie under the path of the configured base address, well-known documents where
their specifications put them. Nothing about a person is decided here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from crypto.sealed import handle, offer
from crypto.status import status_token
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.issuer import metadata, model, protocol, service
from idservice.issuer.ports import LastingStore
from idservice.issuer.service import Issuer
from idservice.period import Period
from idservice.web import bodies, edge, problems
from idservice.web.answers import Json
from idservice.web.application import PROBLEM_RESPONSE, HotRoute

WORKERS: Final = 12
"""Threads that may wait for a database; each holds at most one connection to each."""
WAITING: Final = 64
"""Requests that may wait for a thread; the next one is answered `unavailable`."""
HOUR: Final = 3600

_JSON = "application/json"
_JWT = "application/jwt"
_LONGEST_PERIOD = 6

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What is public and the same for everybody."""

    city: metadata.City
    authorization_server: bytes
    issuer_metadata: bytes
    signed_metadata: Callable[[], str]
    jwt_vc_issuer: bytes
    type_metadata: bytes
    bundle: bytes


class Counter:
    """One method a route."""

    def __init__(
        self, issuer: Issuer, *, lasting: LastingStore, documents: Callable[[], Documents]
    ) -> None:
        self._issuer = issuer
        self._lasting = lasting
        self._documents = documents
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="counter")
        self._inside = 0

    async def token(self, request: Request) -> Response:
        """Trade a pre-authorized code for a token (OpenID4VCI, 6)."""
        try:
            asked = protocol.parse_token_request(await bodies.read_form(request))
            token = await self._run(lambda: self._issuer.token(asked))
        except ServiceError as error:
            return problems.oauth_error(error.code)
        return Json(
            {
                "access_token": base64url.encode(token),
                "token_type": "Bearer",
                "expires_in": model.LIFETIME,
            }
        )

    async def nonce(self) -> Response:
        """Give a nonce (OpenID4VCI, 7)."""
        return Json({"c_nonce": self._issuer.nonce()})

    async def credential(self, request: Request) -> Response:
        """Issue one instance or a batch (OpenID4VCI, 8)."""
        try:
            token = _bearer(request)
            body = await bodies.read_json(request)
            issued = await self._run(lambda: self._issuer.credential(token, body))
        except ServiceError as error:
            malformed = error.code is Code.BAD_JSON
            return problems.oauth_error(
                Code.INVALID_CREDENTIAL_REQUEST if malformed else error.code
            )
        return Json({"credentials": [{"credential": text} for text in issued]})

    async def renew(self, request: Request) -> Response:
        """Turn a credential that is shown in full into an offer for the next period."""
        presentation = _text(await bodies.read_json(request), "presentation")
        content = await self._run(lambda: self._issuer.renew(presentation))
        return Json({"credential_offer": content})

    async def withdraw(self, request: Request) -> Response:
        """Withdraw what a slip stands for; known and unknown slips are answered alike."""
        text = _text(await bodies.read_json(request), "slip")
        try:
            slip = handle.parse_slip(text)
        except Malformed as error:
            raise ServiceError(Code.INVALID_REQUEST) from error
        await self._run(lambda: self._issuer.withdraw(slip))
        return Json({"result": "done"})

    async def offer(self, configuration: str, reference: str) -> Response:
        """Compute the offer that belongs to a reference (OpenID4VCI, 4.1.3)."""
        try:
            octets = base64url.decode(reference)
        except Malformed as error:
            raise ServiceError(Code.NOT_FOUND) from error
        known = configuration in catalogue.CONFIGURATIONS
        if not known or len(octets) != offer.SECRET_LENGTH:
            raise ServiceError(Code.NOT_FOUND)
        content = service.recompute_offer(
            self._documents().city.issuer, offer.Reference(octets), configuration=configuration
        )
        return Json(content)

    async def status(self, configuration: str, period: str) -> Response:
        """Hand out the newest signed list of a period (Token Status List, 8.1)."""
        whole = period.removeprefix("-")
        if not (whole.isascii() and whole.isdigit()) or len(period) > _LONGEST_PERIOD:
            raise ServiceError(Code.NOT_FOUND)
        if configuration != catalogue.CONFIGURATION:
            raise ServiceError(Code.NOT_FOUND)
        number = Period(int(period))
        newest = await self._run(lambda: self._lasting.published(number, configuration))
        if newest is None:
            raise ServiceError(Code.NOT_FOUND)
        return edge.cacheable(Response(newest[1], media_type=status_token.MEDIA_TYPE), seconds=HOUR)

    async def issuer_metadata(self, request: Request) -> Response:
        """Say what can be issued, signed if the wallet prefers it (OpenID4VCI, 12.2.2)."""
        documents = self._documents()
        if prefers_signed(request.headers.get("accept", "")):
            answer = Response(documents.signed_metadata(), media_type=_JWT)
        else:
            answer = Response(documents.issuer_metadata, media_type=_JSON)
        answer.headers["Vary"] = "Accept"
        return edge.cacheable(answer, seconds=HOUR)

    async def authorization_server(self) -> Response:
        """Say where the token endpoint is (RFC 8414)."""
        return _public(self._documents().authorization_server)

    async def jwt_vc_issuer(self) -> Response:
        """Say which keys are announced (SD-JWT VC, 4)."""
        return _public(self._documents().jwt_vc_issuer)

    async def type_metadata(self) -> Response:
        """Say what the type means (SD-JWT VC, 5)."""
        return _public(self._documents().type_metadata)

    async def bundle(self) -> Response:
        """Hand out the trust bundle, the same octets for all."""
        return _public(self._documents().bundle)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    async def _run(self, act: Callable[[], Answer]) -> Answer:
        """Run what waits for a database in a thread; bounded, whoever asks."""
        if self._inside >= WORKERS + WAITING:
            raise ServiceError(Code.UNAVAILABLE)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, act)
        finally:
            self._inside -= 1


def hot_routes(counter: Counter, *, issuer: str) -> tuple[HotRoute, ...]:
    """Return the route that does without the framework's machinery."""
    told = _operation(
        "Issue one instance or twenty, or one BBS credential (OpenID4VCI 1.0, 8)",
        {200: _answer(_JSON, _object(credentials="array")), **_oauth(400, 401, 413, 415, 503)},
        body=_body(_JSON, _object(credential_configuration_id="string", proofs="object"))
        | {"security": [{"access_token": []}]},
    )
    responses = {str(code): answer for code, answer in told["responses"].items()}
    operation = {"summary": told["summary"], "responses": responses, **told["openapi_extra"]}
    path = f"{_base(issuer)}/credential"
    return (HotRoute(path=path, method="POST", endpoint=counter.credential, operation=operation),)


def router(counter: Counter, *, issuer: str) -> APIRouter:
    """Return the other routes, under the path of the base address."""
    routes, base = APIRouter(), _base(issuer)
    for method, path, endpoint, told in (
        ("POST", "/token", counter.token, _TOKEN),
        ("POST", "/nonce", counter.nonce, _NONCE),
        ("GET", "/offers/{configuration}/{reference}", counter.offer, _OFFER),
        ("POST", "/v1/renew", counter.renew, _RENEW),
        ("POST", "/v1/withdraw", counter.withdraw, _WITHDRAW),
        ("GET", "/v1/status/{configuration}/{period}", counter.status, _STATUS),
        ("GET", "/v1/bundle", counter.bundle, _document("The trust bundle")),
        ("GET", metadata.TYPE_PATH, counter.type_metadata, _document("Type metadata")),
    ):
        routes.add_api_route(base + path, endpoint, methods=[method], **told)
    for name, endpoint, told in (
        ("openid-credential-issuer", counter.issuer_metadata, _METADATA),
        ("oauth-authorization-server", counter.authorization_server, _document("RFC 8414")),
        ("jwt-vc-issuer", counter.jwt_vc_issuer, _document("JWT VC issuer metadata")),
    ):
        path = metadata.well_known(issuer, name)
        routes.add_api_route(path, endpoint, methods=["GET"], **told)
    return routes


def prefers_signed(accept: str) -> bool:
    """Say whether an Accept header puts signed metadata before plain (RFC 9110, 12.5.1)."""
    weights = {_JWT: 0.0, _JSON: 0.0}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind in weights:
            weights[kind] = max((_weight(part) for part in parameters), default=1.0)
    return weights[_JWT] > weights[_JSON]


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return min(max(float(value), 0.0), 1.0) if name == "q" else 1.0
    except ValueError:
        return 0.0


def _base(issuer: str) -> str:
    return urlsplit(issuer).path


def _bearer(request: Request) -> offer.Secret:
    """Read the token out of the header, the only place where it may stand (RFC 6750, 2.1).

    To who brings none, the header names no error (RFC 6750, 3.1).
    """
    if "access_token" in request.query_params:
        raise ServiceError(Code.INVALID_REQUEST)
    values = request.headers.getlist("authorization")
    scheme, _, text = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise ServiceError(Code.UNAUTHORIZED)
    try:
        return protocol.parse_secret(text)
    except Malformed as error:
        raise ServiceError(Code.INVALID_TOKEN) from error


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ServiceError(Code.MISSING_MEMBER)
    return value


def _public(document: bytes) -> Response:
    return edge.cacheable(Response(document, media_type=_JSON), seconds=HOUR)


Schema = dict[Any, Any]


def _object(optional: dict[str, str] | None = None, /, **members: str) -> Schema:
    properties = {name: {"type": kind} for name, kind in (members | (optional or {})).items()}
    return {"type": "object", "required": list(members), "properties": properties}


def _answer(media_type: str, schema: Schema, description: str = "Done") -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _body(media_type: str, schema: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _oauth(*statuses: int) -> Schema:
    schema = _object(error="string", error_description="string")
    return dict.fromkeys(statuses, _answer(_JSON, schema, "An OAuth error"))


def _problems(*statuses: int) -> Schema:
    return dict.fromkeys(statuses, PROBLEM_RESPONSE)


def _operation(summary: str, responses: Schema, *, body: Schema | None = None) -> Schema:
    return {"summary": summary, "responses": responses, "openapi_extra": body or {}}


def _document(summary: str) -> Schema:
    return _operation(summary, {200: _answer(_JSON, {"type": "object"})})


_TOKEN_ANSWER: Final = {"access_token": "string", "token_type": "string", "expires_in": "integer"}
_TOKEN: Final = _operation(
    "Trade a pre-authorized code for a token (OpenID4VCI 1.0, 6)",
    {
        200: _answer(_JSON, _object(**_TOKEN_ANSWER)),
        **_oauth(400, 413, 415, 429, 503),
    },
    body=_body(
        "application/x-www-form-urlencoded",
        _object({"tx_code": "string"}, **{"grant_type": "string", "pre-authorized_code": "string"}),
    ),
)
_NONCE: Final = _operation(
    "Get a nonce (OpenID4VCI 1.0, 7)", {200: _answer(_JSON, _object(c_nonce="string"))}
)
_OFFER: Final = _operation(
    "Fetch an offer by reference (OpenID4VCI 1.0, 4.1.3); every reference has one",
    {200: _answer(_JSON, _object(credential_issuer="string")), **_problems(404)},
)
_RENEW: Final = _operation(
    "Show a kept instance, or a BBS credential, in full; get an offer for the next period",
    {
        200: _answer(_JSON, _object(credential_offer="object")),
        **_problems(400, 413, 415, 422, 429, 503),
    },
    body=_body(_JSON, _object(presentation="string")),
)
_WITHDRAW: Final = _operation(
    "Withdraw everything issued on a slip; known and unknown slips are answered alike. BBS "
    "credentials are not renewed: they end with the period, 32 days later at most",
    {200: _answer(_JSON, _object(result="string")), **_problems(400, 413, 415, 422, 503)},
    body=_body(_JSON, _object(slip="string")),
)
_STATUS: Final = _operation(
    "The newest signed status list of a period",
    {
        200: _answer(status_token.MEDIA_TYPE, {"type": "string"}),
        **_problems(404, 503),
    },
)
_METADATA: Final = _operation(
    "Credential issuer metadata, plain or signed (OpenID4VCI 1.0, 12.2)",
    {
        200: {
            "description": "Plain or signed",
            "content": {
                _JSON: {"schema": {"type": "object"}},
                _JWT: {"schema": {"type": "string"}},
            },
        }
    },
)
