"""Bundle and lists: fetched by a timer, kept in a folder, never going backwards."""

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice import period
from idservice.clients import status_lists, trust_file
from idservice.clients.status_lists import NotFetched, PublishedKnowledge
from tests.fakes import city as cities
from tests.fakes.city import NOW, FakeCity

DAY = period.DAY


@dataclass
class Published:
    """What stands at which address; what was asked for is written down."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str, media_type: str, limit: int) -> bytes:
        self.asked.append(url)
        assert media_type in {"application/json", "application/statuslist+jwt"}
        page = self.pages.get(url)
        if page is None or len(page) > limit:
            raise NotFetched
        return page


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return cities.make()


@pytest.fixture
def published(city: FakeCity) -> Published:
    pages = {f"{city.issuer}/v1/bundle": city.bundle}
    pages[city.status_uri] = city.status_token().encode()
    return Published(pages=pages)


@pytest.fixture
def folder(tmp_path: Path, city: FakeCity) -> Path:
    (tmp_path / "bundle.json").write_bytes(city.bundle)
    return tmp_path


def known(folder: Path, published: Published, now: int = NOW) -> PublishedKnowledge:
    knowledge = PublishedKnowledge(folder, fetch=published.fetch)
    knowledge.load(now=UnixSeconds(now))
    return knowledge


def signed(city: FakeCity, **changes: object) -> bytes:
    payload: JsonObject = {**city.payload, **changes}  # type: ignore[dict-item]
    return city.sign_bundle(payload)


def test_folder_without_bundle_knows_nothing_and_asks_nobody(
    tmp_path: Path, published: Published
) -> None:
    knowledge = known(tmp_path, published)
    assert knowledge.trust() is None
    assert not knowledge.complete(now=NOW)
    assert not knowledge.refresh(now=NOW, everything=True)
    assert published.asked == []


def test_first_refresh_completes_it_and_the_folder_remembers(
    folder: Path, published: Published, city: FakeCity
) -> None:
    knowledge = known(folder, published)
    assert not knowledge.complete(now=NOW)
    assert knowledge.refresh(now=NOW, everything=True)
    assert knowledge.complete(now=NOW)
    again = known(folder, Published())
    assert again.complete(now=NOW)
    assert again.lookup(city.status_uri) == knowledge.lookup(city.status_uri)
    assert again.lookup(city.status_uri + "/") is None
    assert {path.suffix for path in (folder / "status").iterdir()} == {".jwt"}


def test_only_what_is_due_is_fetched(folder: Path, published: Published, city: FakeCity) -> None:
    knowledge = known(folder, published)
    assert knowledge.refresh(now=NOW, everything=True)
    published.asked.clear()
    assert knowledge.refresh(now=UnixSeconds(NOW + 60))
    assert published.asked == []
    assert knowledge.refresh(now=UnixSeconds(NOW + 3600))
    assert published.asked == [f"{city.issuer}/v1/bundle"]
    published.asked.clear()
    lst = knowledge.lookup(city.status_uri)
    assert lst is not None
    knowledge.refresh(now=UnixSeconds(lst.iat + DAY))
    assert city.status_uri in published.asked


def test_list_never_goes_backwards(folder: Path, published: Published, city: FakeCity) -> None:
    knowledge = known(folder, published)
    knowledge.refresh(now=NOW, everything=True)
    newest = knowledge.lookup(city.status_uri)
    assert newest is not None
    old = city.status_token([5], iat=newest.iat - DAY).encode()
    published.pages[city.status_uri] = old
    assert not knowledge.refresh(now=NOW, everything=True)
    assert knowledge.lookup(city.status_uri) == newest
    restarted = known(folder, published)
    assert not restarted.refresh(now=NOW, everything=True)
    assert restarted.lookup(city.status_uri) == newest


def test_newer_list_replaces_the_older(folder: Path, published: Published, city: FakeCity) -> None:
    knowledge = known(folder, published)
    knowledge.refresh(now=NOW, everything=True)
    newest = knowledge.lookup(city.status_uri)
    assert newest is not None
    published.pages[city.status_uri] = city.status_token([5], iat=newest.iat + 60).encode()
    assert knowledge.refresh(now=NOW, everything=True)
    lst = knowledge.lookup(city.status_uri)
    assert lst is not None
    assert lst.bits.get(5) == 1


@pytest.mark.parametrize("page", [b"", b"not a token", b"\xff\xfe", b"a" * 100_000], ids=len)
def test_failure_leaves_what_is_there(
    folder: Path, published: Published, city: FakeCity, page: bytes
) -> None:
    knowledge = known(folder, published)
    knowledge.refresh(now=NOW, everything=True)
    newest = knowledge.lookup(city.status_uri)
    published.pages = {city.status_uri: page, f"{city.issuer}/v1/bundle": page}
    assert not knowledge.refresh(now=NOW, everything=True)
    assert knowledge.lookup(city.status_uri) == newest
    assert knowledge.trust() == city.trust
    assert knowledge.complete(now=NOW)


def test_list_that_runs_out_is_not_complete(folder: Path, published: Published) -> None:
    knowledge = known(folder, published)
    knowledge.refresh(now=NOW, everything=True)
    assert not knowledge.complete(now=UnixSeconds(NOW + 8 * DAY))


@pytest.mark.parametrize("end", [b"AAAA", b"\xff\xff\xff\xff"])
def test_damaged_or_foreign_list_in_the_folder_is_ignored(
    folder: Path, published: Published, end: bytes
) -> None:
    known(folder, published).refresh(now=NOW, everything=True)
    for path in (folder / "status").iterdir():
        path.write_bytes(path.read_bytes()[:-4] + end)
    assert not known(folder, published).complete(now=NOW)


def test_a_list_that_cannot_be_read_is_ignored(folder: Path, published: Published) -> None:
    known(folder, published).refresh(now=NOW, everything=True)
    for path in (folder / "status").iterdir():
        path.unlink()
        path.mkdir()
    assert not known(folder, published).complete(now=NOW)


def test_two_who_write_one_file_at_once_each_write_it_whole(tmp_path: Path) -> None:
    path, writings = tmp_path / "file", [bytes([each]) * 100_000 for each in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: trust_file.write(path, data), writings))
    assert path.read_bytes() in writings
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_damaged_bundle_in_the_folder_is_refused(folder: Path, published: Published) -> None:
    (folder / "bundle.json").write_bytes((folder / "bundle.json").read_bytes()[:-4] + b'AA"}')
    with pytest.raises(CryptoError):
        known(folder, published)


def test_newer_bundle_is_taken_and_kept(folder: Path, published: Published, city: FakeCity) -> None:
    knowledge = known(folder, published)
    newer = signed(city, version=8, policies=[])
    published.pages[f"{city.issuer}/v1/bundle"] = newer
    assert knowledge.refresh(now=NOW, everything=True)
    trust = knowledge.trust()
    assert trust is not None
    assert (trust.version, dict(trust.policies)) == (8, {})
    assert (folder / "bundle.json").read_bytes() == newer


@pytest.mark.parametrize("what", ["older", "same version", "other issuer", "other root"])
def test_other_bundles_are_not_taken(
    folder: Path, published: Published, city: FakeCity, what: str
) -> None:
    knowledge = known(folder, published)
    published.pages[f"{city.issuer}/v1/bundle"] = {
        "older": lambda: signed(city, version=6),
        "same version": lambda: signed(city, policies=[]),
        "other issuer": lambda: signed(
            city, version=8, issuer="https://other.example", announced=[]
        ),
        "other root": lambda: (
            city.sign_bundle({**city.payload, "version": 8})[:-10] + b'AAAAAAAA"}'
        ),
    }[what]()
    knowledge.refresh(now=NOW, everything=True)
    assert knowledge.trust() == city.trust
    assert (folder / "bundle.json").read_bytes() == city.bundle


def test_lists_of_the_past_and_the_future_are_not_asked_for(
    folder: Path, published: Published, city: FakeCity
) -> None:
    known(folder, published).refresh(now=NOW, everything=True)
    needed = {one.status.uri for one in city.trust.announced if one.nbf <= NOW < one.exp}
    assert set(published.asked) == needed | {f"{city.issuer}/v1/bundle"}


class Pages(http.server.BaseHTTPRequestHandler):
    """One page as asked for, one too long, one elsewhere, one compressed, one absent."""

    def do_GET(self) -> None:
        match self.path:
            case "/page":
                self.reply(200, b"page")
            case "/long":
                self.reply(200, b"a" * 1001)
            case "/elsewhere":
                self.reply(302, b"", location="/page")
            case "/packed":
                self.reply(200, b"page", content_encoding="gzip")
            case _:
                self.reply(404, b"page")

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_over_http_fetches_a_page(server: str) -> None:
    assert status_lists.over_http(f"{server}/page", "application/json", 1000) == b"page"


@pytest.mark.parametrize("path", ["/long", "/elsewhere", "/packed", "/absent"])
def test_over_http_takes_nothing_else(server: str, path: str) -> None:
    with pytest.raises(NotFetched):
        status_lists.over_http(server + path, "application/json", 1000)


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/x",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "https://user:word@127.0.0.1/",
        "x",
    ],
)
def test_over_http_speaks_to_https_and_this_machine_only(url: str) -> None:
    with pytest.raises(NotFetched):
        status_lists.over_http(url, "application/json", 1000)


def test_over_http_says_when_nobody_answers() -> None:
    with pytest.raises(NotFetched):
        status_lists.over_http("http://127.0.0.1:9/", "application/json", 1000)
