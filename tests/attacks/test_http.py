"""Attacks on the counters over real sockets, with what must not have changed afterwards."""

import json
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from idservice.demonstration import ledger, story
from idservice.demonstration.town import Counter, Town
from idservice.web import bodies, edge
from tests.fakes import towns

CANARY = "Canary7f3a91"
PROTECTED = ("x-content-type-options", "content-security-policy", "referrer-policy")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with towns.running(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture
def library(town: Town) -> Counter:
    return town.counters["library"]


@pytest.fixture
def posts(town: Town, library: Counter) -> dict[str, str]:
    """Every POST address of both offices, with its media type."""
    found = {}
    for base_url in (town.issuer, library.base_url):
        document = httpx.get(f"{base_url}/openapi.json").json()
        for path, operations in document["paths"].items():
            body = operations.get("post", {}).get("requestBody", {}).get("content", {})
            if body:
                concrete = re.sub(r"{[^}]*}", "A" * 43, path)
                found[f"{base_url}{concrete}"] = next(iter(body))
    return found


def state(town: Town) -> list[tuple[str, int]]:
    """Count the rows of every table of every office."""
    folders = [town.issuer_folder, *(each.folder for each in town.counters.values())]
    return [(one.table, one.count) for folder in folders for one in ledger.tables(folder)]


def silent(town: Town) -> bool:
    return not any(town.stage.log(name) for name in ("issuer", *town.counters))


def connect(base_url: str) -> socket.socket:
    parts = urlsplit(base_url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def raw(base_url: str, sent: bytes) -> bytes:
    """Send octets and return what comes back until the other side closes or is silent."""
    with connect(base_url) as wire:
        wire.settimeout(5)
        received = b""
        try:
            wire.sendall(sent)
            while piece := wire.recv(65536):
                received += piece
                if b"\r\n\r\n" in received:
                    break
        except (TimeoutError, ConnectionError):
            pass
        return received


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.attack("HTTP-002")
def test_slow_bodies_hold_nobody_up(town: Town, library: Counter) -> None:
    before = state(town)
    slow = []
    for _ in range(40):
        wire = connect(library.base_url)
        wire.sendall(
            b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        slow.append(wire)
    begin = time.monotonic()
    assert httpx.get(f"{library.base_url}/healthz").is_success
    assert time.monotonic() - begin < bodies.TIME_LIMIT
    for wire in slow:
        wire.close()
    assert httpx.get(f"{library.base_url}/healthz").is_success
    assert state(town) == before


@pytest.mark.attack("HTTP-003")
def test_what_is_too_large_is_refused_before_it_is_held(town: Town, library: Counter) -> None:
    base_url, before = library.base_url, state(town)
    head = b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert status(raw(base_url, head + b"Content-Length: 1073741824\r\n\r\n{")) == 413
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    assert status(raw(base_url, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)) == 413
    short = raw(base_url, head + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}{}{}")
    assert status(short) in {400, 422}
    fields = "&".join(f"a{i}=1" for i in range(100_000)).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{town.issuer}/token", content=fields, headers=form)
    assert answer.status_code in {400, 413}
    many = "".join(f"X-{i}: 1\r\n" for i in range(10_000)).encode()
    assert status(raw(base_url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")) in {
        400,
        431,
    }
    long = b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert status(raw(base_url, long)) in {0, 400, 414, 431}
    fits = b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert status(raw(base_url, fits)) == 404
    assert state(town) == before
    assert silent(town)


@pytest.mark.attack("HTTP-004")
@pytest.mark.attack("HTTP-020")
@pytest.mark.parametrize(
    "media_type",
    [
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded;" + "a=b;" * 500,
        "",
    ],
)
def test_no_other_media_type_is_read(posts: dict[str, str], media_type: str) -> None:
    for url in posts:
        answer = httpx.post(
            url,
            content=b'{"a":1}',
            headers={"Content-Type": media_type, "Authorization": "Bearer x"},
        )
        assert answer.status_code in {400, 401, 415}, url


@pytest.mark.attack("HTTP-020")
def test_json_where_a_form_belongs_and_the_other_way_round(posts: dict[str, str]) -> None:
    other = {
        "application/json": "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded": "application/json",
    }
    for url, media_type in posts.items():
        wrong = {"Content-Type": other[media_type], "Authorization": "Bearer x"}
        assert httpx.post(url, content=b"{}", headers=wrong).status_code in {400, 401, 415}, url


@pytest.mark.attack("HTTP-005")
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, gzip", "identity"])
def test_encoded_bodies_are_not_read(library: Counter, encoding: str) -> None:
    answer = httpx.post(
        f"{library.base_url}/v1/verify",
        content=b"\x1f\x8b" + b"0" * 1000,
        headers={"Content-Type": "application/json", "Content-Encoding": encoding},
    )
    assert answer.status_code == 415


@pytest.mark.attack("HTTP-007")
@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/..%2f..%2fetc%2fpasswd",
        "/.well-known/%252e%252e/keys",
        "/v1/status/..%2f..%2fissuer/keys",
        "/v1/status/resident_sd_jwt/%c0%ae%c0%ae",
        "/vct/resident/..\\..\\keys",
        "/offers/resident_sd_jwt/%00",
        "/v1/bundle/../../city.json",
        "/keys/status.key",
    ],
)
def test_paths_lead_nowhere_else(town: Town, path: str) -> None:
    answer = raw(town.issuer, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status(answer) in {400, 404}
    assert b"PRIVATE KEY" not in answer
    assert b"root:" not in answer


@pytest.mark.attack("HTTP-008")
@pytest.mark.parametrize("origin", ["https://evilcity.example", "null", "https://city.example"])
def test_no_origin_is_reflected(town: Town, library: Counter, origin: str) -> None:
    headers = {"Origin": origin}
    public = httpx.get(f"{town.issuer}/v1/bundle", headers=headers)
    assert public.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in public.headers
    for method, url in (
        ("POST", f"{library.base_url}/v1/requests"),
        ("GET", f"{library.base_url}/v1/requests/answer"),
        ("POST", f"{town.issuer}/credential"),
    ):
        private = httpx.request(method, url, headers=headers)
        assert private.headers.get("access-control-allow-origin") != origin
        assert "access-control-allow-credentials" not in private.headers


@pytest.mark.attack("HTTP-009")
@pytest.mark.attack("OID4VCI-039")
def test_host_and_forwarded_headers_change_nothing(town: Town) -> None:
    url = f"{town.issuer}/.well-known/openid-credential-issuer"
    honest = httpx.get(url)
    poisoned = httpx.get(
        url,
        headers={
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "host=evil.example;proto=https",
            "X-Forwarded-For": "203.0.113.9",
        },
    )
    assert poisoned.content == honest.content
    assert poisoned.json()["credential_issuer"] == town.issuer


@pytest.mark.attack("HTTP-012")
@pytest.mark.attack("HTTP-013")
@pytest.mark.attack("HTTP-018")
@pytest.mark.attack("PRIV-010")
def test_nothing_that_is_sent_reaches_a_log_or_a_file(
    town: Town, library: Counter, posts: dict[str, str]
) -> None:
    dirt = f"{CANARY}\\x1b[31m{{}}\"'"
    headers = {
        "User-Agent": dirt,
        "Cookie": f"a={CANARY}",
        "Authorization": f"Bearer {CANARY}",
        "X-Forwarded-For": CANARY,
        "Referer": f"https://{CANARY}.example",
    }
    transport = httpx.HTTPTransport(local_address="127.77.66.55")
    with httpx.Client(transport=transport) as client:
        for url, media_type in posts.items():
            for body in (
                json.dumps({"presentation": CANARY, "policy": CANARY, "slip": CANARY}),
                f"code={CANARY}&state={CANARY}",
            ):
                answer = client.post(
                    f"{url}?q={CANARY}",
                    content=body,
                    headers={**headers, "Content-Type": media_type},
                )
                assert answer.status_code < 500
                assert CANARY not in answer.text + str(answer.headers)
        client.get(f"{library.base_url}/{CANARY}", headers=headers)
    assert silent(town)
    folders = [town.stage.folder]
    assert ledger.search(folders, [CANARY, "127.77.66.55"]) == []


@pytest.mark.attack("HTTP-014")
def test_a_wrong_member_is_named_by_no_value(library: Counter) -> None:
    for body in ({"policy": CANARY}, {"policy": [CANARY]}, {CANARY: CANARY}):
        answer = httpx.post(f"{library.base_url}/v1/verify", json=body)
        assert answer.status_code in {404, 422}
        assert set(answer.json()) == {"type", "title", "status", "code"}
        assert CANARY not in answer.text


@pytest.mark.attack("HTTP-015")
@pytest.mark.attack("HTTP-022")
def test_no_answer_tells_of_the_server_or_can_be_framed(town: Town, library: Counter) -> None:
    for base_url in (town.issuer, library.base_url):
        for path in ("/healthz", "/docs", "/redoc", "/openapi.json", "/nothing"):
            answer = httpx.get(f"{base_url}{path}")
            assert answer.status_code == (200 if path in {"/healthz", "/openapi.json"} else 404)
            assert "server" not in answer.headers
            assert "x-powered-by" not in answer.headers
            assert "Traceback" not in answer.text
            assert "text/html" not in answer.headers["content-type"]
            for name in PROTECTED:
                assert name in answer.headers


@pytest.mark.attack("HTTP-017")
def test_trace_context_is_neither_kept_nor_sent_on(town: Town, library: Counter) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "baggage": f"user={CANARY}"}
    for base_url in (town.issuer, library.base_url):
        answer = httpx.get(f"{base_url}/healthz", headers=headers)
        assert trace not in answer.text + str(answer.headers)
    assert silent(town)
    assert ledger.search([town.stage.folder], [trace]) == []


@pytest.mark.attack("HTTP-019")
def test_other_methods_do_nothing(town: Town, library: Counter, posts: dict[str, str]) -> None:
    before = state(town)
    for url in [*posts, f"{library.base_url}/v1/requests/answer", f"{town.issuer}/v1/bundle"]:
        for method in ("HEAD", "TRACE", "PUT", "DELETE", "PATCH"):
            override = {"X-HTTP-Method-Override": "POST"}
            assert httpx.request(method, url, headers=override).status_code == 405
    for url in posts:
        if "request-objects" not in url:
            assert httpx.get(url).status_code == 405, url
    assert state(town) == before


@pytest.mark.attack("HTTP-023")
def test_only_what_is_the_same_for_all_may_be_cached(
    town: Town, library: Counter, posts: dict[str, str]
) -> None:
    for url, media_type in posts.items():
        answer = httpx.post(url, content=b"", headers={"Content-Type": media_type})
        assert answer.headers["cache-control"] == "no-store", url
    handed = towns.enrol(town, story.records()["Tomas"])
    offer = httpx.URL(str(handed["offer_by_reference"])).params["credential_offer_uri"]
    started = towns.start_request(library)
    request = httpx.URL(str(started["authorization_request"])).params["request_uri"]
    for url in (offer, request, f"{library.base_url}/v1/requests/answer"):
        assert httpx.get(url).headers["cache-control"] == "no-store"
    for path in ("/v1/bundle", "/vct/resident/1"):
        assert httpx.get(f"{town.issuer}{path}").headers["cache-control"].startswith("public")


@pytest.mark.attack("HTTP-027")
@pytest.mark.attack("OID4VP-014")
def test_guessed_addresses_all_answer_alike(town: Town, library: Counter) -> None:
    before, seen = state(town), set()
    for guess in range(200):
        for url in (
            f"{library.base_url}/v1/request-objects/{guess:043d}",
            f"{library.base_url}/v1/request-objects/{'A' * (guess % 43 + 1)}",
        ):
            answer = httpx.get(url)
            seen.add((answer.status_code, answer.content))
    assert len(seen) == 1
    assert state(town) == before


@pytest.mark.attack("HTTP-029")
@pytest.mark.parametrize(
    "body",
    [
        b'{"policy":"a","policy":"b"}',
        b'{"policy":NaN}',
        b'{"policy":1e400}',
        b'{"policy":' + b"9" * 400 + b"}",
        b"[" * 20_000 + b"]" * 20_000,
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b'{"a":"\\ud800"}',
    ],
    ids=["duplicate", "NaN", "1e400", "10^400", "deep", "BOM", "two", "surrogate"],
)
def test_json_that_could_be_read_in_two_ways_is_refused(
    town: Town, library: Counter, posts: dict[str, str], body: bytes
) -> None:
    for url, media_type in posts.items():
        if media_type != "application/json":
            continue
        bearer = library.api_key if url.startswith(library.base_url) else "x"
        headers = {"Content-Type": media_type, "Authorization": f"Bearer {bearer}"}
        answer = httpx.post(url, content=body, headers=headers)
        assert answer.status_code in {400, 401}, url
    answer = httpx.post(f"{library.base_url}/v1/verify", json={"items": 1})
    assert answer.status_code == 422
    assert silent(town)


def test_the_longest_address_and_the_most_headers_still_pass(library: Counter) -> None:
    """The positive twin of HTTP-003."""
    query = "a" * (edge.ADDRESS - len("/healthz"))
    assert httpx.get(f"{library.base_url}/healthz?{query}").status_code == 200
    few = {f"X-{i}": "1" for i in range(edge.HEADERS - 10)}
    assert httpx.get(f"{library.base_url}/healthz", headers=few).status_code == 200
