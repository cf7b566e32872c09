"""A city's folder with a register in it, whose board and witnesses are its own."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.instant import UnixSeconds
from crypto.log import ed25519
from crypto.log.note import VerifierKey
from idservice.apps import city_folder
from idservice.apps.city_folder import Root
from idservice.apps.register import board, city_log, founding, publication
from idservice.apps.register.charters import Terms
from idservice.apps.register.city_log import CityLog
from idservice.apps.register.founding import Beginning
from idservice.apps.register.publication import Publisher
from idservice.apps.register.road import Road
from idservice.apps.settings import City
from idservice.clock import SetClock
from idservice.register.bundle import Loaded
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.witness import WitnessDesk
from idservice.verification import trust
from idservice.verification.policy import Policy
from tests.fakes import city as cities
from tests.fakes import notaries
from tests.fakes.city import FakeCity
from tests.fakes.log_office import MemoryWitnesses

WITNESSES = ("library", "newspaper", "townhall")


@dataclass(kw_only=True)
class Registered:
    """A folder, and what a command on it lends: the root's key, and a clock that is moved."""

    folder: Path
    made: FakeCity
    clock: SetClock
    first: Loaded | None = None

    @property
    def publisher(self) -> Publisher:
        return publisher(self.made)

    @contextmanager
    def opened(self) -> Iterator[CityLog]:
        with city_log.opened(self.folder, clock=self.clock) as held:
            yield held

    def publish(self) -> Loaded:
        with self.opened() as held:
            return publication.publish(self.folder, held, self.publisher, now=self.clock.now())

    def copied(self, folder: Path) -> "Registered":
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder, clock=SetClock(self.clock.now()))

    def wait(self, seconds: int) -> None:
        self.clock.set(UnixSeconds(self.clock.now() + seconds))

    def road(self, held: CityLog) -> Road:
        seats = board.read(self.folder)
        assert seats is not None
        return Road(held=held, board=seats, clock=self.clock, wait=self.wait)


def publisher(made: FakeCity) -> Publisher:
    told = City(name="Exampleton", issuer=made.issuer, languages=["en"])
    return Publisher(city=told, root=Root(certificate=made.root.certificate, key=made.root_key))


def announced(made: FakeCity) -> Sequence[JsonObject]:
    return [members.any_object(each) for each in members.array(made.payload["announced"])]


def policies(made: FakeCity, *, expires: date = date(2030, 1, 1)) -> Sequence[Policy]:
    return [replace(each, expires=expires) for each in made.policies.values()]


def found(
    folder: Path, *, sandbox: bool = False, terms: Terms | None = None, seed: str = "register"
) -> Registered:
    (folder / "issuer").mkdir(parents=True)
    return found_in(folder, sandbox=sandbox, terms=terms, seed=seed)


def found_in(
    folder: Path, *, sandbox: bool = False, terms: Terms | None = None, seed: str = "register"
) -> Registered:
    made = cities.make()
    registered = Registered(folder=folder, made=made, clock=SetClock(made.now))
    registered.first = founding.found(
        folder,
        publisher(made),
        Beginning(
            terms=terms, sandbox=sandbox, announced=announced(made), policies=policies(made)[:1]
        ),
        now=made.now,
        random_bytes=cities.chance(seed),
    )
    return registered


def rewrite(folder: Path, **changes: JsonValue) -> None:
    """Let a city's root sign something else than follows from its register."""
    path = folder / publication.BUNDLE
    outer = canonical_json.parse_object(path.read_bytes())
    payload = {**members.any_object(outer["payload"]), **changes}
    root = city_folder.read_root(folder)
    der = root.certificate.public_bytes(Encoding.DER)
    signed = canonical_json.parse_object(trust.write(payload, root_der=der, sign=root.key.sign))
    path.write_bytes(canonical_json.serialize({**outer, **signed}))


@dataclass
class Elsewhere:
    """Witnesses of other people, which do not know a log before they are told its key."""

    clock: SetClock
    address: str = ""
    desks: dict[str, WitnessDesk] = field(default_factory=dict)

    def tell(self, log: VerifierKey, *names: str) -> None:
        for name in names:
            self.desks[name] = WitnessDesk(
                key=notaries.witness_key(name),
                signer=notaries.signer(name),
                logs=(log,),
                store=MemoryWitnesses(),
                clock=self.clock,
            )


@contextmanager
def witnesses(clock: SetClock) -> Iterator[Elsewhere]:
    """Serve witnesses; a name is the first part of the path."""
    elsewhere = Elsewhere(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            desk = elsewhere.desks.get(self.path.split("/")[1])
            status, answer = 404, b""
            if desk is not None:
                try:
                    status, answer = 200, desk.add_checkpoint(body)
                except NotCosigned as refused:
                    status = {Reason.CONFLICT: 409}.get(refused.reason, 403)
                    answer = f"{refused.size}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/x.tlog.size")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    elsewhere.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield elsewhere
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def terms_json(address: str = "https://witness.example", **changed: object) -> JsonObject:
    said: JsonObject = {
        "seats": [
            {"id": name, "class": kind.value, "key": _key(name), "successor": None}
            for name, kind in board.SEATS.items()
        ],
        "threshold": 3,
        "emergency": 2,
        "notice_s": 30 * 86_400,
        "sandbox": False,
        "witnesses": [
            {
                "key": notaries.witness_key(name).text,
                "run_by_city": name == "townhall",
                "address": f"{address}/{name}",
            }
            for name in WITNESSES
        ],
        "witness_threshold": 2,
        "least_group": 10,
        "sunset": "2031-01-01",
        "offline_days": 14,
    }
    return {**said, **changed}  # type: ignore[dict-item]  # tests say what they like


def _key(name: str) -> str:
    return base64url.encode(ed25519.public_key(notaries.seed(name)).octets)
