"""An office's counter as a FastAPI application, with everything off that tells on people.

FastAPI ships with telemetry on and lets environment variables arm an exporter; here it is off
by argument, which no variable overrides. The documentation pages load from a content delivery
network and are left out; `/openapi.json` is served. Validation errors of the framework repeat
their input, so its handlers are replaced.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRouter
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from idservice import errors
from idservice.web import edge, problems, redaction

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRoute:
    """A Starlette route, and its OpenAPI operation, which Starlette would not write.

    Its path has no parameter: `edge` answers it without the layers between, and the route itself
    is there to refuse other methods.
    """

    path: str
    method: str
    endpoint: edge.Endpoint
    operation: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What one office puts on its counter."""

    office: str
    title: str
    version: str
    hot: Sequence[HotRoute]
    router: APIRouter
    ready: Callable[[], bool]
    lifespan: Lifespan | None = None
    write: redaction.Write = redaction.to_standard_error


class Office(FastAPI):
    """The application with the edge around all of it, what FastAPI does on entering included."""

    edge: edge.Edge

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.edge(scope, receive, send)


async def _problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.ServiceError):
        raise error
    return problems.problem(error.code)


async def _invalid(_request: Request, _error: Exception) -> Response:
    return problems.problem(errors.Code.MISSING_MEMBER)


async def _http(request: Request, error: Exception) -> Response:
    """Answer what routing itself refuses (404, 405); the detail is a constant of Starlette."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problems.problem(errors.Code.NOT_FOUND)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # the document has every method of an address, the framework those of its first route
        named = _methods(request.app.openapi_schema, request.scope["path"])
        said = named or set(headers["Allow"].split(", "))
        headers["Allow"] = ", ".join(sorted(said & edge.METHODS))
    return Response(status_code=error.status_code, headers=headers)


async def _fault(_request: Request, _error: Exception) -> Response:
    """Answer for the framework, which raises the error again, for `edge` to write its line."""
    return problems.problem(_UNAVAILABLE)


def _methods(document: dict[str, Any], path: str) -> set[str]:
    """Collect every method of an address, if the document has it."""
    steps = path.split("/")
    found: set[str] = set()
    for template, operations in document["paths"].items():
        wanted = template.split("/")
        if len(wanted) == len(steps) and all(
            one == step or one.startswith("{") for one, step in zip(wanted, steps, strict=True)
        ):
            found |= {method.upper() for method in operations}
    return found


def _health(ready: Callable[[], bool]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process runs")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="The process can do its work",
        responses={503: {"description": "Not ready", "content": {"application/problem+json": {}}}},
    )
    def readyz() -> Response:
        return JSONResponse({"status": "ok"}) if ready() else problems.problem(_UNAVAILABLE)

    return router


_UNAVAILABLE: Final = errors.Code.UNAVAILABLE


def create(counter: Counter) -> FastAPI:
    """Put the counter together."""
    app = Office(
        title=counter.title,
        version=counter.version,
        telemetry=_TELEMETRY,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=counter.lifespan,
        exception_handlers={
            errors.ServiceError: _problem,
            RequestValidationError: _invalid,
            HTTPException: _http,
            Exception: _fault,
        },
        routes=[Route(hot.path, hot.endpoint, methods=[hot.method]) for hot in counter.hot],
    )
    app.include_router(counter.router)
    app.include_router(_health(counter.ready))
    hot = {(route.method, route.path): route for route in counter.hot}
    inside = functools.partial(FastAPI.__call__, app)
    app.edge = edge.Edge(inside, office=counter.office, write=counter.write, hot=hot)
    _document(app, counter.hot)
    return app


def _document(app: FastAPI, hot: Sequence[HotRoute]) -> None:
    """Write the hot routes into the OpenAPI document beside the others."""
    schema = app.openapi()
    for route in hot:
        schema["paths"].setdefault(route.path, {})[route.method.lower()] = dict(route.operation)
    # FastAPI documents its own 422 body, which this application never sends.
    schema.get("components", {}).get("schemas", {}).pop("HTTPValidationError", None)
    schema.get("components", {}).get("schemas", {}).pop("ValidationError", None)
    for path in schema["paths"].values():
        for operation in path.values():
            body = operation.get("responses", {}).get("422")
            if body and "HTTPValidationError" in str(body):
                operation["responses"]["422"] = PROBLEM_RESPONSE
    # An Authorization header among the parameters would be ignored (OpenAPI 3.1, 4.8.12).
    bearers = {
        name
        for path in schema["paths"].values()
        for operation in path.values()
        for demanded in operation.get("security", ())
        for name in demanded
    }
    if bearers:
        schema.setdefault("components", {})["securitySchemes"] = {
            name: {"type": "http", "scheme": "bearer"} for name in sorted(bearers)
        }
    app.openapi_schema = schema


PROBLEM_RESPONSE: Final = {
    "description": "A problem document (RFC 9457)",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string"},
                },
            }
        }
    },
}
"""For the `responses` of an operation."""
