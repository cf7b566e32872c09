"""`idservice serve` and `idservice migrate`: what they refuse, and in which words."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from idservice.apps import settings
from idservice.apps.transparency import witness
from idservice.cli import main, serve
from idservice.demonstration import stage, town


@pytest.fixture
def city(tmp_path: Path) -> Path:
    with stage.opened(tmp_path) as opened:
        return town.found(opened, verifiers=("library",)).city


def run(app: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


OFFICES = {
    "issuer": "issuer",
    "verifier": "../library",
    "log": "log",
    "witness": "../witness",
    "register": ".",
}


@pytest.mark.parametrize("office", OFFICES)
def test_migrating_twice_changes_nothing(city: Path, office: str) -> None:
    witness.found(city / OFFICES["witness"], name="w", logs=(), random_bytes=os.urandom)
    told = ("--address", "http://127.0.0.1:8083", "--desk-key", city / "desk.key")
    assert run(main.app, "register", "create", city, *told).exit_code == 0
    for _ in range(2):
        done = run(main.app, "migrate", office, "--folder", city / OFFICES[office])
        assert done.exit_code == 0, done.output
        assert done.output == f"The {office}'s databases are up to date.\n"


@pytest.mark.parametrize("office", OFFICES)
def test_no_database_comes_into_the_folder_of_another_office(city: Path, office: str) -> None:
    place = city / "root" if office == "verifier" else city.parent / "library"
    before = set(place.rglob("*"))
    done = run(main.app, "migrate", office, "--folder", place)
    assert done.exit_code == 2
    assert "cannot be read" in done.output
    assert set(place.rglob("*")) == before


@pytest.mark.parametrize("office", ["issuer", "verifier"])
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_folder_that_init_did_not_make_is_misuse(
    command: str, office: str, tmp_path: Path
) -> None:
    done = run(main.app, command, office, "--folder", tmp_path / "nothing")
    assert done.exit_code == 2
    assert "cannot be read in this folder" in done.output


@pytest.mark.parametrize(
    "address",
    [
        "mysql://nowhere/x",
        "nowhere",
        "postgresql+nowhere://x/x",
        "postgresql+psycopg://nowhere:x/x",
        "sqlite:///:memory:",
        "sqlite:////nowhere/x.db",
    ],
)
def test_a_database_that_is_not_ours_is_misuse(
    city: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(settings.DATABASE, address)
    done = run(main.app, "migrate", "issuer", "--folder", city / "issuer")
    assert done.exit_code == 2
    assert done.stderr.startswith("Not done: ")


def test_a_moved_clock_is_for_demonstrations(city: Path) -> None:
    told = json.loads((city / "city.json").read_text())
    (city / "city.json").write_text(json.dumps({**told, "demonstration": False}))
    done = run(serve.app, "issuer", "--folder", city / "issuer", "--clock-offset", 60)
    assert done.exit_code == 2
    assert "--clock-offset is for demonstration folders" in done.output


@pytest.mark.threat("T66")
def test_plain_http_outside_loopback_refuses_to_start(city: Path) -> None:
    told = json.loads((city / "city.json").read_text())
    (city / "city.json").write_text(json.dumps({**told, "issuer": "http://id.example.org"}))
    done = run(serve.app, "issuer", "--folder", city / "issuer")
    assert done.exit_code == 2
    assert "https://" in done.output


def test_a_port_that_is_taken_is_said(city: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(serve.app, "issuer", "--folder", city / "issuer", "--port", port)
    assert done.exit_code == 2
    assert "Not started: cannot listen" in done.output


def test_a_descriptor_that_is_no_tcp_socket_is_said(city: Path) -> None:
    reading, writing = os.pipe()
    done = run(serve.app, "issuer", "--folder", city / "issuer", "--fd", reading)
    assert done.exit_code == 2
    assert "Not started" in done.output
    os.close(reading)
    os.close(writing)


def test_an_inherited_socket_is_taken_as_tcp() -> None:
    """Otherwise each answer would wait for Nagle's algorithm."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        taken = serve._listening("", 0, os.dup(bound.fileno()))
        assert taken.family == socket.AF_INET
        assert taken.getsockname() == bound.getsockname()
        taken.close()


STOPPED = """
import os, signal, sys
from fastapi import FastAPI
from idservice.cli import serve
for graceful in (signal.SIGTERM, signal.SIGINT) * 5:
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.dup2(writing, 1)
        serve.run(FastAPI(), host="127.0.0.1", port=0, descriptor=None)
        sys.exit()
    os.close(writing)
    assert os.read(reading, 100).startswith(b"Listening")
    os.kill(process, graceful)
    signal.alarm(20)  # whoever lost the signal would serve for ever
    assert os.waitpid(process, 0)[1] == 0
    os.close(reading)
"""


def test_no_signal_is_lost_however_soon_it_comes() -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
