"""Logs, witnesses and readers that were not written here, against ours.

Tessera's `fsck` and torchwood's client read what we publish; torchwood's `litewitness` cosigns
it; a Tessera log is cosigned by our witness. They are built from `tests/clients/tlog`.
"""

import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from crypto.encoding import base64
from crypto.log import checkpoint, cosignature, note, tree
from crypto.log.cosignature import Policy
from crypto.log.note import SignatureType, VerifierKey
from idservice import clock
from idservice.apps.transparency import ed25519_keys, settings
from idservice.apps.transparency import log as log_office
from tests.fakes import notaries

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = HERE / "tlog" / "bin"
ORIGIN = "register.example/log"
CLOCK = clock.SystemClock()
ENTRIES = [b"entry %d" % number for number in range(600)]

pytestmark = pytest.mark.skipif(
    not BIN.is_dir(),
    reason="not built: `GOBIN=$PWD/bin go install tool ./reader` in tests/clients/tlog",
)
needs_agent = pytest.mark.skipif(
    shutil.which("ssh-agent") is None, reason="litewitness signs through an SSH agent: none here"
)


def go(program: str, *arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    told = [str(BIN / program), *map(str, arguments)]
    return subprocess.run(
        told, check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **environ}
    )


@contextmanager
def running(*arguments: object, pass_fds: tuple[int, ...] = ()) -> Iterator[None]:
    """Run a process, and end it by its own number."""
    process = subprocess.Popen(
        [*map(str, arguments)],
        pass_fds=pass_fds,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def publish(folder: Path, *, witnesses: dict[str, str]) -> VerifierKey:
    """Make a log, publish some hundred entries one by one and together."""
    key = log_office.found(
        folder,
        origin=ORIGIN,
        witnesses=witnesses,
        quorum=len(witnesses),
        random_bytes=os.urandom,
    )
    parts = log_office.assemble(settings.read_log(folder, environ={}), clock=CLOCK)
    with closing(parts):
        for entry in ENTRIES[:5]:
            parts.log.append(entry, expected=None)
        with parts.log._store.unit() as unit:
            before = unit.edge()
            unit.add(ENTRIES[5:], growth=before.extend(map(tree.leaf_hash, ENTRIES[5:])))
        parts.log.refresh()
    return key


def test_tessera_and_torchwood_read_what_we_publish(tmp_path: Path) -> None:
    key = publish(tmp_path / "log", witnesses={})
    public = tmp_path / "log" / log_office.PUBLIC
    (tmp_path / "key").write_text(key.text)
    told = (f"--storage_url=file://{public}", f"--public_key={tmp_path / 'key'}", "--ui=false")
    assert f"Successfully fsck'd log with size {len(ENTRIES)}" in go("fsck", *told).stderr
    (tmp_path / "policy").write_text(f"log {key.text}\nquorum none\n")
    read = go("reader", public, tmp_path / "policy")
    digest = hashlib.sha256(b"".join(ENTRIES)).hexdigest()
    assert read.stdout == f"{ORIGIN} {len(ENTRIES)} {digest}\n", read.stderr
    (public / "tile/0/001").write_bytes(bytes(8192))
    assert go("reader", public, tmp_path / "policy").returncode == 1


@contextmanager
def litewitness(folder: Path) -> Iterator[tuple[str, str]]:
    """Start torchwood's witness; it keeps its key in an SSH agent. Return key and address."""
    folder.mkdir()
    agent, private = folder / "agent", folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", private], check=True
    )
    public = private.with_suffix(".pub").read_text().split(" ")[1]
    fingerprint = base64.encode(hashlib.sha256(base64.decode(public.strip())).digest())
    material = b"\x04" + base64.decode(public.strip())[-32:]
    name = "lite.example/witness"
    key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running("ssh-agent", "-D", "-a", agent), ExitStack() as stack:
        environ = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        told = ["ssh-add", "-q", str(private)]

        def added() -> bool:
            return not subprocess.run(
                told, check=False, env=environ, stderr=subprocess.DEVNULL
            ).returncode

        until(added)
        stack.enter_context(
            running(
                BIN / "litewitness",
                f"-name={name}",
                f"-db={folder / 'db'}",
                f"-ssh-agent={agent}",
                f"-listen=127.0.0.1:{port}",
                f"-key=SHA256:{fingerprint.rstrip('=')}",
            )
        )
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address))
        yield f"{name}+{key_id}+{base64.encode(material)}", address


def until(done: Callable[[], bool]) -> None:
    """Ask again and again, for half a minute at most."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end


def answers(address: str) -> bool:
    try:
        httpx.get(address)
    except httpx.ConnectError:
        return False
    return True


def know(folder: Path, key: VerifierKey) -> None:
    """Let the witness know a log, as `witnessctl add-log` and `add-key` do."""
    empty = base64.encode(tree.EMPTY_ROOT)
    with closing(sqlite3.connect(folder / "db")) as database, database:
        database.execute("INSERT INTO log VALUES (?, 0, ?)", [key.name, empty])
        database.execute("INSERT INTO key VALUES (?, ?)", [key.name, key.text])


@needs_agent
def test_litewitness_cosigns_our_log(tmp_path: Path) -> None:
    with litewitness(tmp_path / "witness") as (witness, address):
        log = tmp_path / "log"
        key = log_office.found(
            log, origin=ORIGIN, witnesses={witness: address}, quorum=1, random_bytes=os.urandom
        )
        know(tmp_path / "witness", key)
        parts = log_office.assemble(settings.read_log(log, environ={}), clock=CLOCK)
        with closing(parts):
            for number, entry in enumerate(ENTRIES[:9]):
                parts.log.append(entry, expected=number)
            parts.log.refresh()
    (tmp_path / "policy").write_text(f"log {key.text}\nwitness w {witness}\nquorum w\n")
    read = go("reader", log / log_office.PUBLIC, tmp_path / "policy")
    digest = hashlib.sha256(b"".join(ENTRIES[:9])).hexdigest()
    assert read.stdout == f"{ORIGIN} 9 {digest}\n", read.stderr


def test_our_witness_cosigns_a_tessera_log(tmp_path: Path) -> None:
    origin = "tessera.example/log"
    key, seed = notaries.log_key(origin), notaries.seed(origin)
    secret = f"PRIVATE+KEY+{origin}+{key.key_id.hex()}+{base64.encode(bytes((1,)) + seed)}"
    folder = tmp_path / "witness"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor = listening.fileno()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        begin = (sys.executable, "-c", "from idservice.cli.main import app; app()")
        told = ("--folder", folder, "--name", "ours.example/witness", "--log", key.text)
        with running(*begin, "log", "witness", *told, "--fd", descriptor, pass_fds=(descriptor,)):
            assert httpx.get(f"{address}/readyz", timeout=30).is_success
            own, _ = ed25519_keys.read(
                folder / "witness.key", name="ours.example/witness", kind=SignatureType.COSIGNATURE
            )
            (tmp_path / "policy").write_text(f"witness w {own.text} {address}\nquorum w\n")
            for turn in range(3):
                (tmp_path / f"entry{turn}").write_bytes(b"entry %d" % turn)
                done = go(
                    "posix-oneshot",
                    f"--storage_dir={tmp_path / 'tessera'}",
                    f"--entries={tmp_path}/entry{turn}",
                    f"--witness_policy_file={tmp_path / 'policy'}",
                    LOG_PRIVATE_KEY=secret,
                )
                assert done.returncode == 0, done.stderr
    octets = (tmp_path / "tessera" / "checkpoint").read_bytes()
    signed = checkpoint.verify(note.parse(octets), log=key)
    policy = Policy(witnesses=(own,), threshold=1)
    cosignature.verify_quorum(signed, policy=policy, now=CLOCK.now())
    leaves = [tree.leaf_hash(b"entry %d" % turn) for turn in range(3)]
    assert signed.checkpoint.head.root == tree.root(leaves)
