"""The register's counter: pages and JSON for everybody, entries from seats, texts from the desk.

DESIGN sections 5 and 8. Entries are taken as JSON and answered with their number; one that the
register's rules refuse is answered with 403 and the reason, from a closed list. Nothing that was
sent is ever repeated there. Pages take one form, that of a comment; no page has a script. Who may
do what is decided by signatures and in `service.py`; the desk is known by an API key.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from crypto.encoding import canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from idservice.complaints import over_asking
from idservice.errors import Code, ServiceError
from idservice.governance import pages
from idservice.governance.model import Digest, Logged, NotLogged
from idservice.governance.pages import ON_ONE_PAGE, Pages
from idservice.governance.service import RegisterOffice
from idservice.governance.view import Course
from idservice.register.entry import RemovalReason
from idservice.web import bodies, edge, problems
from idservice.web.application import PROBLEM_RESPONSE

LARGEST_ENTRY: Final = 128 * 1024
LARGEST_COMMENT: Final = 64 * 1024
"""Octets of a form: each character may take nine."""
FRESH: Final = 30
"""Seconds that a page may be kept on its way."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_OF_THE_DESK: Final = frozenset({"/v1/answers", "/v1/removals"})
_TYPES: Final[Mapping[str, object]] = {
    "entry": "object",
    "minutes": ["string", "null"],
    "policy": ["object", "null"],
    "proposal": "integer",
}
"""Of members that are no texts."""
_HTML: Final = "text/html; charset=utf-8"
_COMPLAINT: Final = frozenset({b"application/json", b"application/octet-stream"})
_NUMBER: Final = 1 << 53
_DIGEST_LENGTH: Final = 32

Read = Callable[[], Response]


def router(office: RegisterOffice, *, base_url: str, desk_keys: tuple[bytes, ...]) -> APIRouter:
    """Return the routes.

    Args:
        office: opened.
        base_url: under which people reach it.
        desk_keys: SHA-256 of each API key of the desk.
    """
    counter = _Counter(office, Pages(base_url=base_url), desk_keys)
    routes = APIRouter(tags=["register"])
    for path, endpoint, told in (
        ("/", counter.in_force, "Who may ask for what"),
        ("/proposals", counter.proposals, "All proposals"),
        ("/proposals/{number}", counter.proposal, "One proposal"),
        ("/complaints", counter.complaints, "Who asked for too much"),
        ("/charter", counter.charter, "Who decides"),
        ("/history", counter.history, "Every entry"),
        ("/feed.atom", counter.feed, "What is new (RFC 4287)"),
        ("/style.css", counter.style, "How the pages look"),
        ("/v1/register", counter.register_json, "What is in force"),
        ("/v1/proposals", counter.proposals_json, "All proposals"),
        ("/v1/proposals/{number}", counter.proposal_json, "One proposal"),
        ("/v1/proposals/{number}/voting", counter.voting_json, "What an enactment is made of"),
        ("/v1/history", counter.history_json, "Every entry in one line"),
        ("/v1/entries/{number}", counter.entry_json, "An entry and its inclusion proof"),
        ("/v1/comments/{digest}", counter.comment_json, "A comment and its salt"),
        ("/v1/complaints", counter.complaints_json, "Who asked for too much"),
    ):
        _add(routes, "GET", path, endpoint, told)
    for path, act, told, body in (
        ("/v1/proposals", counter.propose, "Propose (signed by a seat)", "entry impact_note"),
        ("/v1/approvals", counter.approve, "Vote (signed by a seat)", "entry checkpoint minutes"),
        ("/v1/enactments", counter.enact, "Enact (votes of the board)", "entry"),
        ("/v1/withdrawals", counter.withdraw, "Withdraw (signed by the proposer)", "entry"),
        ("/v1/routine", counter.routine, "Log routine (signed by a delegated key)", "entry"),
        ("/v1/proposals/{number}/comments", counter.comment, "Comment; no account", "text"),
        ("/proposals/{number}/comments", counter.comment_form, "Comment by a form", "text"),
        ("/v1/complaints", counter.complain, "Hand in a complaint", "type request policy"),
        ("/v1/answers", counter.answer, "Answer objections (desk)", "proposal text"),
        ("/v1/removals", counter.remove, "Erase a comment (desk)", "comment reason"),
    ):
        _add(routes, "POST", path, act, told, body=_described(path, body.split()))
    return routes


def _add(
    routes: APIRouter,
    method: str,
    path: str,
    endpoint: Callable[..., object],
    told: str,
    *,
    body: dict[str, object] | None = None,
) -> None:
    described: dict[int | str, dict[str, object]] = {
        code: dict(PROBLEM_RESPONSE) for code in (400, 401, 403, 404, 413, 415, 422, 429, 503)
    }
    routes.add_api_route(
        path,
        endpoint,
        methods=[method],
        summary=told,
        response_class=Response,
        status_code=200 if method == "GET" else 201,
        responses=described,
        openapi_extra=body,
    )


def _described(path: str, names: list[str]) -> dict[str, object]:
    """Describe a body for the OpenAPI document: all members must be there, and no other."""
    schema = {
        "type": "object",
        "required": names,
        "properties": {name: {"type": _TYPES.get(name, "string")} for name in names},
        "additionalProperties": False,
    }
    media_type = _JSON if path.startswith("/v1/") else _FORM
    told: dict[str, object] = {
        "requestBody": {"required": True, "content": {media_type: {"schema": schema}}}
    }
    if path in _OF_THE_DESK:
        told["security"] = [{"desk": []}]
    return told


class _Counter:
    """One method per route."""

    def __init__(
        self, office: RegisterOffice, pages_here: Pages, desk_keys: tuple[bytes, ...]
    ) -> None:
        self._office = office
        self._pages = pages_here
        self._desk_keys = desk_keys

    # pages

    def in_force(self) -> Response:
        return _page(self._pages.in_force(self._office.face()))

    def proposals(self) -> Response:
        return _page(self._pages.proposals(self._office.face()))

    def proposal(self, number: str, before: str | None = None) -> Response:
        course, limit = self._course(number), None if before is None else _number(before)
        return _page(self._pages.proposal(self._office.face(), course, before=limit))

    def complaints(self) -> Response:
        return _page(self._pages.complaints(self._office.face()))

    def charter(self) -> Response:
        return _page(self._pages.charter(self._office.face()))

    def history(self, before: str | None = None) -> Response:
        number = None if before is None else _number(before)
        return _page(self._pages.history(self._office.face(), before=number))

    def feed(self) -> Response:
        content = self._pages.feed(self._office.face())
        return edge.cacheable(Response(content, media_type="application/atom+xml"), seconds=FRESH)

    def style(self) -> Response:
        return edge.cacheable(Response(pages.style(), media_type="text/css"), seconds=FRESH)

    # the same as JSON

    def register_json(self) -> Response:
        return _json(pages.register_json(self._office.face()))

    def proposals_json(self, before: str | None = None) -> Response:
        first = _NUMBER if before is None else _number(before)
        found = (each for each in self._office.face().courses if each.number < first)
        shown: list[JsonValue] = [pages.course_line(each) for each in islice(found, ON_ONE_PAGE)]
        return _json({"proposals": shown})

    def proposal_json(self, number: str, before: str | None = None) -> Response:
        course, limit = self._course(number), None if before is None else _number(before)
        return _json(pages.course_json(course, before=limit))

    def voting_json(self, number: str) -> Response:
        return _json(self._office.votes(_number(number)))

    def history_json(self, before: str | None = None) -> Response:
        first = _NUMBER if before is None else _number(before)
        events = (each for each in self._office.face().events if each.number < first)
        found: list[JsonValue] = [pages.event_json(each) for each in islice(events, ON_ONE_PAGE)]
        return _json({"entries": found})

    def entry_json(self, number: str) -> Response:
        octets, proof, checkpoint = self._office.entry(_number(number))
        said = octets.decode(errors="replace")
        return _json({"entry": said, "proof": [*proof], "checkpoint": checkpoint})

    def comment_json(self, digest: str) -> Response:
        comment = self._office.comment_kept(_digest(digest))
        if comment is None:
            raise ServiceError(Code.NOT_FOUND)
        return _json({"text": comment.text, "salt": comment.salt.hex()})

    def complaints_json(self) -> Response:
        found: list[JsonValue] = [
            pages.complaint_json(each) for each in self._office.face().complaints
        ]
        return _json({"complaints": found})

    # entries; their signatures say who brings them

    async def propose(self, request: Request) -> Response:
        body = await _body(request, {"entry", "impact_note"})
        entry, note = _entry(body), _text(body["impact_note"])
        return await _logged(lambda: self._office.propose(entry, impact_note=note))

    async def approve(self, request: Request) -> Response:
        body = await _body(request, {"entry", "checkpoint", "minutes"})
        entry, note = _entry(body), _text(body["checkpoint"])
        minutes = None if body["minutes"] is None else _text(body["minutes"])
        return await _logged(
            lambda: self._office.approve(entry, checkpoint_note=note, minutes=minutes)
        )

    async def enact(self, request: Request) -> Response:
        entry = _entry(await _body(request, {"entry"}))
        return await _logged(lambda: self._office.enact(entry))

    async def withdraw(self, request: Request) -> Response:
        entry = _entry(await _body(request, {"entry"}))
        return await _logged(lambda: self._office.withdraw(entry))

    async def routine(self, request: Request) -> Response:
        entry = _entry(await _body(request, {"entry"}))
        return await _logged(lambda: self._office.log_routine(entry))

    # what anybody may do

    async def comment(self, request: Request, number: str) -> Response:
        text = _text((await _body(request, {"text"}, limit=LARGEST_COMMENT))["text"])
        try:
            receipt = await run_in_threadpool(self._office.comment, _number(number), text)
        except NotLogged as error:
            return _refused(error)
        return _json(
            {"number": receipt.number, "digest": receipt.digest, "salt": receipt.salt}, 201
        )

    async def comment_form(self, request: Request, number: str) -> Response:
        """Take the form of a page; what a browser cannot send never gets a page of its own."""
        form = await bodies.read_form(request, limit=LARGEST_COMMENT)
        if form.keys() != {"text"}:
            raise ServiceError(Code.INVALID_REQUEST)
        # browsers send line breaks as CR LF (HTML, form submission)
        text = form["text"].replace("\r\n", "\n")
        try:
            receipt = await run_in_threadpool(self._office.comment, _number(number), text)
        except NotLogged:
            return RedirectResponse(f"/proposals/{_number(number)}", status_code=303)
        face = await run_in_threadpool(self._office.face)
        course = await run_in_threadpool(self._course, number)
        return _page(self._pages.commented(face, course, receipt), kept=False)

    async def complain(self, request: Request) -> Response:
        file = await bodies.read(request, limit=over_asking.LARGEST_FILE, media_types=_COMPLAINT)
        keys = await run_in_threadpool(self._office.complain, file)
        published: list[JsonValue] = [
            {
                "quarter": each.quarter,
                "verifier": each.verifier,
                "policy": each.policy,
                "excess": each.excess,
            }
            for each in keys
        ]
        return _json({"published": published}, 201)

    # the desk

    async def answer(self, request: Request) -> Response:
        self._check_desk(request)
        body = await _body(request, {"proposal", "text"})
        number, text = _whole(body["proposal"]), _text(body["text"])
        return await _logged(lambda: self._office.answer(number, text))

    async def remove(self, request: Request) -> Response:
        self._check_desk(request)
        body = await _body(request, {"comment", "reason"})
        digest = _digest(_text(body["comment"]))
        try:
            reason = RemovalReason(_text(body["reason"]))
        except ValueError as error:
            raise ServiceError(Code.MISSING_MEMBER) from error
        return await _logged(lambda: self._office.remove(digest, reason))

    def _check_desk(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(key.encode()).digest()
        # every stored hash is looked at, so that time does not tell which one came close
        known = sum(hmac.compare_digest(digest, each) for each in self._desk_keys)
        if scheme.lower() != "bearer" or not known:
            raise ServiceError(Code.UNAUTHORIZED)

    def _course(self, text: str) -> Course:
        number = _number(text)
        found = (each for each in self._office.face().courses if each.number == number)
        course = next(found, None)
        if course is None:
            raise ServiceError(Code.NOT_FOUND)
        return course


async def _logged(act: Callable[[], Logged]) -> Response:
    """Answer with the number: 201, or 202 while witnesses are waited for."""
    try:
        logged = await run_in_threadpool(act)
    except NotLogged as error:
        return _refused(error)
    said: JsonObject = {"number": logged.number, "witnessed": logged.witnessed}
    return _json(said, 201 if logged.witnessed else 202)


def _refused(error: NotLogged) -> Response:
    """Answer that the register's rules refuse it, and which one."""
    answer = problems.problem(Code.POLICY_VIOLATION)
    said = orjson.loads(answer.body) | {"reason": error.reason.value}
    return Response(orjson.dumps(said), answer.status_code, media_type=answer.media_type)


def _page(content: str, *, kept: bool = True) -> Response:
    page = Response(content, media_type=_HTML, headers={"Content-Security-Policy": pages.POLICY})
    if kept:
        page.headers["Cache-Control"] = f"public, max-age={FRESH}"
    return page


def _json(content: JsonObject, status: int = 200) -> Response:
    answer = Response(canonical_json.serialize(content), status, media_type=_JSON)
    return edge.cacheable(answer, seconds=FRESH) if status == 200 else answer  # noqa: PLR2004


async def _body(request: Request, names: set[str], *, limit: int = LARGEST_ENTRY) -> JsonObject:
    body = await bodies.read_json(request, limit=limit)
    if body.keys() != names:
        raise ServiceError(Code.MISSING_MEMBER)
    return body


def _entry(body: JsonObject) -> JsonObject:
    try:
        return members.any_object(body["entry"])
    except Malformed as error:
        raise ServiceError(Code.MISSING_MEMBER) from error


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise ServiceError(Code.MISSING_MEMBER)
    return value


def _whole(value: JsonValue) -> int:
    if type(value) is not int or not 0 <= value < _NUMBER:
        raise ServiceError(Code.MISSING_MEMBER)
    return value


def _number(text: str) -> int:
    """Read a number in an address; anything else names nothing."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_NUMBER)):
        raise ServiceError(Code.NOT_FOUND)
    return int(text)


def _digest(text: str) -> Digest:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise ServiceError(Code.NOT_FOUND) from error
    if len(found) != _DIGEST_LENGTH:
        raise ServiceError(Code.NOT_FOUND)
    return Digest(found)
