"""The log's counter and a witness's: HTTP to files or to the service, and back.

C2SP tlog-tiles: `checkpoint` and `tile/...`, all static, so that any web server may stand in for
this one. C2SP tlog-witness: `add-checkpoint`. Nothing can be appended over HTTP: entries come
from the register's own process.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from crypto.errors import Malformed
from crypto.log import tile
from idservice.errors import Code, ServiceError
from idservice.transparency import protocol
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.witness import WitnessDesk
from idservice.web import bodies, edge

Read = Callable[[str], bytes | None]
"""Returns what stands under a checked name of a log."""

FRESH: Final = 2
"""Seconds that a checkpoint may be kept on its way."""

FOR_EVER: Final = 31_536_000

_TEXT: Final = "text/plain; charset=utf-8"
_OCTETS: Final = "application/octet-stream"
_STATUS: Final = MappingProxyType(
    {
        Reason.MALFORMED: 400,
        Reason.NOT_SIGNED: 403,
        Reason.UNKNOWN_LOG: 404,
        Reason.CONFLICT: 409,
        Reason.INCONSISTENT: 422,
    }
)


def log_router(read: Read) -> APIRouter:
    """Return the routes of a published log."""
    routes = APIRouter(tags=["log"])

    @routes.get("/checkpoint", summary="The newest published head", response_class=Response)
    def checkpoint() -> Response:
        return edge.cacheable(Response(_found(read, "checkpoint"), media_type=_TEXT), seconds=FRESH)

    @routes.get("/tile/{name:path}", summary="Hashes or entries", response_class=Response)
    def tiles(name: str) -> Response:
        try:
            path = tile.parse_path(f"tile/{name}").path
        except Malformed as error:
            raise ServiceError(Code.NOT_FOUND) from error
        content = Response(_found(read, path), media_type=_OCTETS)
        return edge.cacheable(content, seconds=FOR_EVER)

    return routes


def witness_router(desk: WitnessDesk) -> APIRouter:
    """Return the route of a witness."""
    routes = APIRouter(tags=["witness"])

    @routes.post(
        "/add-checkpoint",
        summary="Cosign a checkpoint that extends the last one",
        response_class=Response,
        responses={status: {"description": reason} for reason, status in _STATUS.items()},
    )
    async def add_checkpoint(request: Request) -> Response:
        # The specification names no media type, so any is accepted.
        any_type = request.headers.get("content-type", "").encode("latin-1")
        body = await bodies.read(
            request, limit=protocol.LARGEST_REQUEST, media_types=frozenset({any_type})
        )
        try:
            line = await run_in_threadpool(desk.add_checkpoint, body)
        except NotCosigned as refused:
            return _refusal(refused)
        return Response(line, media_type=_TEXT)

    return routes


def _refusal(refused: NotCosigned) -> Response:
    if refused.size is not None:
        size = f"{refused.size}\n"
        return Response(size, _STATUS[refused.reason], {"Content-Type": protocol.SIZE_TYPE})
    return Response(f"{refused.reason}\n", _STATUS[refused.reason], media_type=_TEXT)


def _found(read: Read, name: str) -> bytes:
    content = read(name)
    if content is None:
        raise ServiceError(Code.NOT_FOUND)
    return content
