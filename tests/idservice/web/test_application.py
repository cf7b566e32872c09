"""What every counter does with every request, and what it never writes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import pytest
from fastapi import APIRouter, Body, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from idservice.errors import Code, ServiceError
from idservice.web import application, bodies, edge, problems, redaction

CANARY = "Canary-7f3a"


def build(lines: list[str], *, ready: bool = True) -> FastAPI:
    router = APIRouter()

    @router.post("/typed")
    def typed(number: Annotated[int, Body(embed=True)]) -> dict[str, int]:
        return {"number": number}

    @router.get("/faulty/{name}")
    def faulty(name: str) -> None:
        raise ValueError(name)

    @router.get("/refused")
    def refused() -> None:
        raise ServiceError(Code.UNKNOWN_POLICY)

    @router.get("/public")
    def public() -> Response:
        return edge.cacheable(Response(b"{}", media_type="application/json"), seconds=60)

    async def hot(request: Request) -> Response:
        return Response(orjson.dumps(await bodies.read_json(request)))

    return application.create(
        application.Counter(
            office="test",
            title="Test",
            version="1",
            hot=[
                application.HotRoute(
                    path="/hot",
                    method="POST",
                    endpoint=hot,
                    operation={"summary": "Hot", "responses": {"200": {"description": "ok"}}},
                )
            ],
            router=router,
            ready=lambda: ready,
            write=lines.append,
        )
    )


def call(app: FastAPI, method: str, url: str, **options: object) -> httpx.Response:
    """Call the application without a server."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as session:
            return await session.request(method, url, **options)

    return asyncio.run(run())


def test_validation_error_never_repeats_what_was_sent() -> None:
    app = build([])
    for body in ({"number": CANARY}, {CANARY: 1}, CANARY):
        answer = call(app, "POST", "/typed", json=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "missing_member"
        assert CANARY not in answer.text
    assert call(app, "POST", "/typed", json={"number": 3}).json() == {"number": 3}


def test_fault_is_one_problem_and_one_line_without_data() -> None:
    lines: list[str] = []
    answer = call(build(lines), "GET", f"/faulty/{CANARY}", headers={"x-name": CANARY})
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["retry-after"] == problems.RETRY_AFTER
    assert len(lines) == 1
    assert CANARY not in lines[0] + answer.text + str(answer.headers)
    fields = orjson.loads(lines[0])
    assert set(fields) == set(redaction.FIELDS)
    assert fields["route"] == "/faulty/{name}"
    assert fields["error"] == "ValueError"
    assert fields["where"].startswith("test_application.py:")


def test_answered_requests_leave_no_line() -> None:
    lines: list[str] = []
    app = build(lines)
    for method, url in (("GET", "/refused"), ("GET", "/absent"), ("POST", "/refused")):
        call(app, method, url)
    call(app, "POST", "/hot", json={"a": CANARY})
    assert lines == []


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "/refused", 404, "unknown_policy"),
        ("GET", "/absent", 404, "not_found"),
        ("POST", "/refused", 405, None),
        ("HEAD", "/refused", 405, None),
        ("TRACE", "/refused", 405, None),
        ("DELETE", "/hot", 405, None),
        ("GET", "/hot", 405, None),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/public/", 404, "not_found"),
        ("GET", "/" + "a" * edge.ADDRESS, 414, None),
    ],
)
def test_what_is_not_offered_is_refused(
    method: str, url: str, status: int, code: str | None
) -> None:
    answer = call(build([]), method, url)
    assert answer.status_code == status
    if code:
        assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("url", "methods"),
    [("/hot", "POST"), ("/refused", "GET"), ("/openapi.json", "GET"), ("/faulty/x", "GET")],
)
def test_what_is_allowed_is_what_the_address_has(url: str, methods: str) -> None:
    for method in {"HEAD", "PUT", "TRACE", "OPTIONS", "GET", "POST"} - {methods}:
        answer = call(build([]), method, url)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_a_hot_answer_that_cannot_be_sent_is_a_fault_as_any_other() -> None:
    lines: list[str] = []
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, object]) -> None:
        if message.get("status") == 200:
            raise ValueError(CANARY)
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hot",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(build(lines)(scope, receive, send))
    assert sent[0]["status"] == 503
    assert len(lines) == 1
    assert CANARY not in lines[0]


def test_too_many_headers_are_refused() -> None:
    many = {f"x-{i}": "1" for i in range(edge.HEADERS)}
    assert call(build([]), "GET", "/healthz", headers=many).status_code == 431


def test_every_answer_is_protected_and_only_public_ones_are_cacheable() -> None:
    app = build([])
    for url in ("/refused", "/absent", "/healthz", "/public"):
        headers = call(app, "GET", url).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        public = url == "/public"
        assert headers["cache-control"] == ("public, max-age=60" if public else "no-store")
        assert headers.get("access-control-allow-origin") == ("*" if public else None)
        assert "access-control-allow-credentials" not in headers
        assert "server" not in headers


def test_readiness_and_health_differ() -> None:
    app = build([], ready=False)
    assert call(app, "GET", "/healthz").status_code == 200
    assert call(app, "GET", "/readyz").status_code == 503
    assert call(build([]), "GET", "/readyz").status_code == 200


def test_hot_routes_stand_in_the_openapi_document_and_answer() -> None:
    app = build([])
    document = call(app, "GET", "/openapi.json").json()
    assert document["paths"]["/hot"]["post"]["summary"] == "Hot"
    assert "HTTPValidationError" not in str(document)
    assert call(app, "POST", "/hot", json={"a": 1}).json() == {"a": 1}
    assert (
        call(
            app, "POST", "/hot", content=b"{", headers={"content-type": "application/json"}
        ).json()["code"]
        == "bad_json"
    )


def test_every_code_has_its_answer() -> None:
    for code in Code:
        assert 400 <= problems.status(code) < 600
        problem = orjson.loads(problems.problem(code).body)
        oauth = orjson.loads(problems.oauth_error(code).body)
        assert problem["code"] == oauth["error"] == code.value
        assert problem["title"] == oauth["error_description"]


def test_log_line_with_another_field_is_a_bug() -> None:
    with pytest.raises(ValueError, match="listed fields only"):
        redaction.line(name=CANARY)
    assert redaction.bucket(0.001) == "<10ms"
    assert redaction.bucket(100) == ">=10s"
    assert redaction.where(None) == "unknown"


PROBE = """
import sys
from fastapi import APIRouter
from idservice.web import application
app = application.create(application.Counter(
    office="t", title="t", version="1", hot=[], router=APIRouter(), ready=lambda: True))
assert not app._native_telemetry.enabled()
for name in ("tracing", "metrics", "logs", "operation_spans", "auto_configure"):
    assert app._telemetry[name] is False
exporters = ("opentelemetry.sdk", "opentelemetry.exporter")
print(sorted(m for m in sys.modules if m.startswith(exporters)))
"""


def test_no_environment_variable_turns_telemetry_on() -> None:
    armed = {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "FASTAPI_ENV": "development",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_SDK_DISABLED": "false",
        "OTEL_PYTHON_LOG_CORRELATION": "true",
    }
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=root,
        env={**os.environ, **armed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
