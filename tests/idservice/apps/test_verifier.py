"""A verifier's process, put together from its folder."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import verifier
from idservice.apps.settings import UnusableSettings
from idservice.clients.status_lists import NotFetched
from idservice.errors import Code, ServiceError
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model
from idservice.web import timers
from tests.fakes import city as cities
from tests.fakes import verifier_folder
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import FakeClock


class Issuer(http.server.BaseHTTPRequestHandler):
    """Serves the public pages of one city."""

    city: FakeCity

    def do_GET(self) -> None:
        pages = {
            f"{self.city.issuer}/v1/bundle": self.city.bundle,
            self.city.status_uri: self.city.status_token().encode(),
        }
        page = pages.get(self.city.issuer + self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Length", str(len(page or b"")))
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def city() -> Iterator[FakeCity]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as httpd:
        Issuer.city = cities.make(issuer=f"http://127.0.0.1:{httpd.server_port}")
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield Issuer.city
        httpd.shutdown()
        thread.join()


def nobody(_url: str, _media_type: str, _limit: int) -> bytes:
    raise NotFetched


def assemble(folder: Path) -> verifier.Parts:
    return verifier.assemble(
        verifier_folder.read(folder),
        clock=FakeClock(),
        random_bytes=cities.chance(),
        fetch=nobody,
    )


def test_process_gets_ready_by_itself_and_answers_from_its_files(
    city: FakeCity, tmp_path: Path
) -> None:
    folder = verifier_folder.write(tmp_path, city)
    app = verifier.create_app(
        verifier_folder.read(folder), clock=FakeClock(), random_bytes=cities.chance()
    )
    client = Client(app=app)
    assert client.get("/readyz").status_code == 503

    async def until_ready() -> None:
        async with app.router.lifespan_context(app):
            async with asyncio.timeout(20):
                ready = False
                while not ready:
                    await asyncio.sleep(0.02)
                    ready = bool(list((folder / "status").glob("*.jwt")))

    asyncio.run(until_ready())
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/policies").json()["policies"][0]["id"] == "library-card"


def test_question_goes_through_its_database(city: FakeCity, tmp_path: Path) -> None:
    parts = assemble(verifier_folder.write(tmp_path, city))
    mode = ResponseMode.DIRECT_POST
    ask = model.Ask(policy="library-card", response_mode=mode, redirect_uri=None)
    started = parts.service.start(ask)
    form = {"error": "access_denied", "state": "wrong"}
    assert parts.service.collect(started.answer_secret, None) is None
    with pytest.raises(ServiceError):
        parts.service.respond(offices.identifier(started), form)
    parts.service.reap()
    assert parts.service.collect(started.answer_secret, None) is None
    assert not parts.refresh()
    parts.close()
    assert (tmp_path / "pending.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id_prefix": "x509_san_dns", "base_url": "https://bank.example"},
        {"client_id_prefix": "x509_san_dns", "base_url": "http://127.0.0.1:1"},
        {"api_keys": ["secret"]},
        {"api_keys": ["00"]},
        {"redirect_uris": ["http://library.example/done"]},
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(
    city: FakeCity, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(UnusableSettings):
        assemble(verifier_folder.write(tmp_path, city, **changes))


def test_name_that_fits_the_certificate_is_accepted(city: FakeCity, tmp_path: Path) -> None:
    assemble(verifier_folder.write(tmp_path, city, client_id_prefix="x509_san_dns")).close()


def test_missing_damaged_or_foreign_files_are_refused(city: FakeCity, tmp_path: Path) -> None:
    for number, (name, content) in enumerate(
        [
            ("verifier.crt", None),
            ("verifier.crt", b"nonsense"),
            ("verifier.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ("verifier.key", b"nonsense"),
            ("bundle.json", b"{}"),
        ]
    ):
        folder = verifier_folder.write(tmp_path / str(number), city)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        with pytest.raises(UnusableSettings):
            assemble(folder)


def test_certificate_of_another_verifier_or_city_is_refused(city: FakeCity, tmp_path: Path) -> None:
    first = verifier_folder.write(tmp_path / "first", city)
    second = verifier_folder.write(tmp_path / "second", city, name="bank")
    (first / "verifier.crt").write_bytes((second / "verifier.crt").read_bytes())
    with pytest.raises(UnusableSettings):
        assemble(first)
    elsewhere = cities.make(now=UnixSeconds(cities.NOW + 5000 * period.DAY))
    (second / "bundle.json").write_bytes(elsewhere.bundle)
    with pytest.raises(UnusableSettings):
        assemble(second)


def test_key_that_others_can_read_is_refused(city: FakeCity, tmp_path: Path) -> None:
    folder = verifier_folder.write(tmp_path, city)
    (folder / "verifier.key").chmod(0o640)
    with pytest.raises(UnusableSettings):
        assemble(folder)


def test_nothing_starts_without_a_charter(city: FakeCity, tmp_path: Path) -> None:
    folder = verifier_folder.write(tmp_path, city)
    (folder / "bundle.json").write_bytes(city.plain)
    with pytest.raises(UnusableSettings, match="does not fit together"):
        assemble(folder)
    (folder / "bundle.json").unlink()
    with pytest.raises(UnusableSettings, match="no charter to act on"):
        assemble(folder)


def test_fault_in_a_timer_costs_one_turn_and_one_line_without_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fault() -> None:
        raise RuntimeError("Ada Okonkwo")

    def away() -> None:
        raise ServiceError(Code.UNAVAILABLE)

    asyncio.run(timers.turn(fault, office="verifier"))
    asyncio.run(timers.turn(away, office="verifier"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "RuntimeError" in lines[0]
    assert "Ada" not in lines[0]
