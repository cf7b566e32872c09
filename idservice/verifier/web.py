"""The verifier's counter: HTTP to the service and back.

DESIGN sections 4 and 8. `/v1/verify*`, `/v1/policies` and `/v1/requests*` answer problem
documents; what a wallet calls (`/v1/request-objects/*`, `/v1/responses/*`) answers as OAuth does.
The two hot routes do without the framework's machinery; their part of the OpenAPI document, and
that of the others' bodies, is `verifier/openapi.py`. Rules about requests and policies are the
service's.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import catalogue
from idservice.errors import Code, ServiceError
from idservice.verification import policy
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model, openapi, protocol
from idservice.verifier.service import Verifier
from idservice.web import bodies, problems
from idservice.web.answers import Json
from idservice.web.application import HotRoute

BATCH_ITEMS: Final = 1000
_TURN: Final = 100
"""Presentations of a batch after which other requests get their turn; BBS proofs among so many
are settled together."""

_REQUEST_OBJECT: Final = "/v1/request-objects/{identifier}"
_REQUEST_OBJECT_TYPE: Final = "application/oauth-authz-req+jwt"
_PRESENTED: Final = itemgetter(*model.Presented._fields)
_TEXT: Final = frozenset({str})
_ASK: Final = frozenset({"policy", "format", "response_mode", "same_device"})


def hot_routes(service: Verifier) -> tuple[HotRoute, ...]:
    """Return the routes that check presentations."""
    desk = _Desk(service)
    return (
        HotRoute(
            path="/v1/verify",
            method="POST",
            endpoint=desk.verify,
            operation=openapi.VERIFY_OPERATION,
        ),
        HotRoute(
            path="/v1/verify/batch",
            method="POST",
            endpoint=desk.verify_batch,
            operation=openapi.BATCH_OPERATION,
        ),
    )


def router(service: Verifier) -> APIRouter:
    """Return the other routes."""
    desk = _Desk(service)
    routes = APIRouter()
    for method, path, endpoint, told in (
        ("GET", "/v1/policies", desk.policies, openapi.POLICIES),
        ("POST", "/v1/requests", desk.start, openapi.START),
        ("GET", "/v1/requests/answer", desk.collect, openapi.COLLECT),
        ("GET", _REQUEST_OBJECT, desk.request_object, openapi.REQUEST_OBJECT),
        ("POST", _REQUEST_OBJECT, desk.request_object_post, openapi.REQUEST_OBJECT_POST),
        ("POST", "/v1/responses/{identifier}", desk.respond, openapi.RESPOND),
    ):
        routes.add_api_route(path, endpoint, methods=[method], **told)
    return routes


class _Desk:
    """One method per route."""

    def __init__(self, service: Verifier) -> None:
        self._service = service

    async def verify(self, request: Request) -> Response:
        try:
            item = _presented(await bodies.read_json(request))
            verdict = self._service.check(
                item.policy, item.presentation, nonce=item.nonce, audience=item.audience
            )
            return Json(protocol.write_verdict(verdict))
        except ServiceError as error:
            return problems.problem(error.code)

    async def verify_batch(self, request: Request) -> Response:
        try:
            items = _items(await bodies.read_json(request, limit=bodies.BATCH))
        except ServiceError as error:
            return problems.problem(error.code)
        answers: list[JsonObject] = []
        for start in range(0, len(items), _TURN):
            answers += _check_together(self._service, items[start : start + _TURN])
            await asyncio.sleep(0)
        return Json({"items": answers})

    async def policies(self) -> Response:
        return Json({"policies": [policy.write(one) for one in self._service.policies()]})

    async def start(self, request: Request) -> Response:
        self._service.authorize(_bearer(request))
        ask = _ask(await bodies.read_json(request))
        started = await run_in_threadpool(self._service.start, ask)
        answer = {
            "authorization_request": started.authorization_request,
            "answer_secret": started.answer_secret,
            "expires_in": started.expires_in,
        }
        return Json(answer, 201)

    async def collect(self, request: Request) -> Response:
        code = request.headers.get("response-code")
        body = await run_in_threadpool(self._service.collect, _bearer(request), code)
        return Response(status_code=202) if body is None else Json(body)

    async def request_object(self, request: Request) -> Response:
        return await _request_object(self._service, request, {})

    async def request_object_post(self, request: Request) -> Response:
        try:
            form = await bodies.read_form(request)
        except ServiceError as error:
            return problems.oauth_error(error.code)
        return await _request_object(self._service, request, form)

    async def respond(self, request: Request) -> Response:
        try:
            form = await bodies.read_form(request, limit=bodies.RESPONSE)
            identifier = request.path_params["identifier"]
            redirect_uri = await run_in_threadpool(self._service.respond, identifier, form)
        except ServiceError as error:
            return problems.oauth_error(error.code)
        return Json({} if redirect_uri is None else {"redirect_uri": redirect_uri})


def _items(body: JsonObject) -> list[JsonValue]:
    items = body.get("items")
    if not isinstance(items, list):
        raise ServiceError(Code.MISSING_MEMBER)
    if len(items) > BATCH_ITEMS:
        raise ServiceError(Code.TOO_LARGE)
    return items


def _presented(body: JsonValue) -> model.Presented:
    if not isinstance(body, dict):
        raise ServiceError(Code.MISSING_MEMBER)
    try:
        given = model.Presented(*_PRESENTED(body))
    except KeyError as error:
        raise ServiceError(Code.MISSING_MEMBER) from error
    if not (_TEXT.issuperset(map(type, given)) and given.nonce and given.audience):
        raise ServiceError(Code.MISSING_MEMBER)
    return given


def _check_together(service: Verifier, items: Sequence[JsonValue]) -> list[JsonObject]:
    """Answer items in order; what is wrong with one is said in its place."""
    answers = [_error(Code.MISSING_MEMBER)] * len(items)
    read: list[tuple[int, model.Presented]] = []
    for place, item in enumerate(items):
        with contextlib.suppress(ServiceError):
            read.append((place, _presented(item)))
    verdicts = service.check_together([item for _, item in read])
    for (place, _), verdict in zip(read, verdicts, strict=True):
        if isinstance(verdict, Code):
            answers[place] = _error(verdict)
        else:
            answers[place] = protocol.write_verdict(verdict)
    return answers


def _error(code: Code) -> JsonObject:
    return {"result": "error", "code": code.value}


async def _request_object(service: Verifier, request: Request, form: dict[str, str]) -> Response:
    try:
        token = await run_in_threadpool(
            service.request_object,
            request.path_params["identifier"],
            wallet_nonce=form.get("wallet_nonce"),
            wallet_metadata=form.get("wallet_metadata"),
        )
    except ServiceError as error:
        return problems.oauth_error(error.code)
    return Response(token, media_type=_REQUEST_OBJECT_TYPE)


def _bearer(request: Request) -> str:
    """Read `Authorization: Bearer` (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ServiceError(Code.UNAUTHORIZED)
    return token


def _ask(body: JsonObject) -> model.Ask:
    """Read what a counter asks for; any other member is refused, a query above all."""
    if not body.keys() <= _ASK:
        raise ServiceError(Code.MISSING_MEMBER)
    mode = body.get("response_mode", ResponseMode.DIRECT_POST_JWT.value)
    form = body.get("format")
    match body.get("policy"), body.get("same_device"):
        case str(policy_id), None:
            redirect_uri = None
        case str(policy_id), {"redirect_uri": str(redirect_uri), **others} if not others:
            pass
        case _:
            raise ServiceError(Code.MISSING_MEMBER)
    if mode not in [one.value for one in ResponseMode] or form not in (None, *catalogue.FORMATS):
        raise ServiceError(Code.MISSING_MEMBER)
    return model.Ask(
        policy=policy_id,
        credential_format=None if form is None else str(form),
        response_mode=ResponseMode(str(mode)),
        redirect_uri=redirect_uri,
    )
