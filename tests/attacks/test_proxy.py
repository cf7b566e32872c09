"""The reference proxy, run as it is shipped: what it speaks, and what it tells of callers."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from idservice import clock
from idservice.demonstration import ledger
from tests.fakes.certificates import p256

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "proxy.conf"
NAME = "issuer.city.example"
CALLER = "127.77.66.55"
CANARY = "Canary7f3a91"
PATIENCE = 10.0

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None or shutil.which("openssl") is None,
    reason="nginx and the openssl command are not installed here",
)


class _Handler(BaseHTTPRequestHandler):
    server: "_Office"

    def do_GET(self) -> None:
        self.server.heard.append({name.lower(): text for name, text in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments: object) -> None:
        pass


class _Office(ThreadingHTTPServer):
    heard: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running proxy and the office behind it."""

    port: int
    folder: Path
    heard: list[dict[str, str]] = field(repr=False)

    def handshake(self, *options: str, said: bytes = b"Q\n") -> tuple[bool, str]:
        """Shake hands with `openssl s_client`; say whether it came to an end, and how.

        Its standard input stays open, so it ends by what is said or by what is answered.
        """
        address = ["-connect", f"127.0.0.1:{self.port}"]
        if not any("servername" in option for option in options):
            address += ["-servername", NAME]
        with subprocess.Popen(
            ["openssl", "s_client", *address, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            with suppress(BrokenPipeError):
                client.stdin.write(said)
                client.stdin.flush()
            told = client.stdout.read().decode(errors="replace")
            with suppress(BrokenPipeError):
                client.stdin.close()
        return "Cipher is (NONE)" not in told and "Cipher is" in told, told

    def get(self, *, headers: Sequence[str] = (), name: str = NAME) -> bytes:
        """Ask over TLS from an address of our own."""
        context = ssl.create_default_context(cafile=str(self.folder / "issuer_tls_certificate"))
        place = ("127.0.0.1", self.port)
        with (
            socket.create_connection(place, PATIENCE, source_address=(CALLER, 0)) as plain,
            context.wrap_socket(plain, server_hostname=name) as wire,
        ):
            lines = ["GET /healthz HTTP/1.1", f"Host: {name}", "Connection: close", *headers]
            wire.sendall("\r\n".join([*lines, "", ""]).encode())
            received = b""
            while piece := wire.recv(65536):
                received += piece
            return received


def certificate(name: str, folder: Path, stem: str) -> None:
    """Make a certificate that signs itself, as a test city's authority."""
    key = p256(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(clock.SystemClock().now(), UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{stem}_tls_certificate").write_bytes(made.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{stem}_tls_key").write_bytes(key.private_bytes(pem, *plain))


@contextmanager
def office() -> Iterator[_Office]:
    """Run what the proxy stands in front of."""
    server = _Office(("127.0.0.1", 0), _Handler)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(folder: Path, **replaced: str) -> Iterator[Proxy]:
    """Run nginx with the shipped configuration; only paths and addresses are ours."""
    for stem in ("issuer", "register", "library"):
        certificate(f"{stem}.city.example", folder, stem)
    with office() as behind, closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
        free.close()
        text = CONFIGURATION.read_text()
        for old, new in {
            "/tmp/": f"{folder}/",  # noqa: S108, the folder of the container
            "/run/secrets/": f"{folder}/",
            "listen 8443": f"listen 127.0.0.1:{port}",
            "http://issuer:8080": f"http://127.0.0.1:{behind.server_port}",
            "http://register:8080": f"http://127.0.0.1:{behind.server_port}",
            "http://library:8080": f"http://127.0.0.1:{behind.server_port}",
            **replaced,
        }.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "proxy.conf").write_text(text)
        user = "user root; " if os.geteuid() == 0 else ""
        with (folder / "output").open("wb") as output:
            options = ("-p", str(folder), "-c", str(folder / "proxy.conf"), "-e", "stderr")
            process = subprocess.Popen(
                ["nginx", *options, "-g", f"{user}daemon off;"], stdout=output, stderr=output
            )
        try:
            wait_for(port, process)
            yield Proxy(port=port, folder=folder, heard=behind.heard)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            assert process.poll() is None, "the proxy did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running(tmp_path_factory.mktemp("proxy")) as started:
        yield started


ANY_CIPHER = ("-cipher", "ALL:@SECLEVEL=0")
REFUSED = {
    "tls 1.0": ("-tls1", *ANY_CIPHER),
    "tls 1.1": ("-tls1_1", *ANY_CIPHER),
    "no forward secrecy": ("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384"),
    "cbc": ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256"),
    "no encryption": ("-tls1_2", "-cipher", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"),
    "no authentication": ("-tls1_2", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"),
    "another name": ("-tls1_3", "-servername", "bank.city.example"),
    "no name": ("-tls1_3", "-noservername"),
}


@pytest.mark.attack("HTTP-025")
@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED.keys())
def test_old_weak_or_misdirected_handshakes_are_refused(
    proxy: Proxy, options: tuple[str, ...]
) -> None:
    succeeded, told = proxy.handshake(*options)
    assert not succeeded, told
    assert "alert" in told, told


@pytest.mark.attack("HTTP-025")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_present_versions_are_spoken(proxy: Proxy, version: str) -> None:
    assert proxy.handshake(version)[0]
    assert proxy.get().startswith(b"HTTP/1.1 200 OK")


@pytest.mark.attack("HTTP-025")
def test_the_same_client_would_speak_old_versions_with_a_proxy_that_does(tmp_path: Path) -> None:
    """The positive twin: it is the shipped configuration that refuses, not the client."""
    lax = {
        "ssl_protocols TLSv1.2 TLSv1.3": "ssl_protocols TLSv1 TLSv1.1",
        "ssl_ciphers ": "ssl_ciphers ALL:@SECLEVEL=0:",
    }
    with running(tmp_path, **lax) as old:
        assert old.handshake(*REFUSED["tls 1.0"])[0]
        assert old.handshake(*REFUSED["tls 1.1"])[0]


@pytest.mark.attack("HTTP-025")
def test_renegotiation_by_the_client_is_refused(proxy: Proxy) -> None:
    asked = f"GET /healthz HTTP/1.0\nHost: {NAME}\n\n".encode()
    _, told = proxy.handshake("-tls1_2", said=b"R\n")
    assert "no renegotiation" in told
    assert "200 OK" in proxy.handshake("-tls1_2", said=asked)[1]


@pytest.mark.attack("HTTP-009")
def test_a_host_that_nobody_serves_reaches_no_office(proxy: Proxy) -> None:
    proxy.heard.clear()
    told = proxy.handshake(said=b"GET /healthz HTTP/1.0\nHost: evil.example\n\n")[1]
    assert "421 Misdirected" in told
    assert proxy.heard == []


@pytest.mark.attack("PRIV-010")
@pytest.mark.attack("HTTP-018")
def test_the_proxy_neither_writes_nor_forwards_who_called(proxy: Proxy) -> None:
    proxy.heard.clear()
    headers = [
        f"{name}: {CANARY}"
        for name in ("User-Agent", "Cookie", "Referer", "X-Forwarded-For", "Forwarded")
    ]
    answer = proxy.get(headers=[*headers, f"traceparent: 00-{CANARY}-01", f"X-Real-IP: {CALLER}"])
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"nginx/" not in answer
    (heard,) = proxy.heard
    assert set(heard) == {"host"}
    written = [path for path in proxy.folder.rglob("*") if path.is_file()]
    assert proxy.folder / "output" in written
    assert ledger.search([proxy.folder], [CALLER, CANARY]) == []
