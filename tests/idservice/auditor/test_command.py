"""`idservice audit` says yes, no or misuse by its exit code."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

from idservice.cli import audit, main
from idservice.web import redaction

ROOT = Path(__file__).parents[3]
COMMAND = CliRunner()
LINE = """
[[item]]
kind = "{kind}"
place = "{place}"
name = "{name}"
what = "w"
whom = "w"
purpose = "w"
readers = "w"
kept = "w"
letter = "C"
"""


def run(arguments: list[str]) -> Result:
    return COMMAND.invoke(main.app, ["audit", *arguments])


def line(kind: str, place: str, name: str) -> str:
    return LINE.format(kind=kind, place=place, name=name)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    lines = [line("log_field", "log", field) for field in redaction.FIELDS]
    lines += [line("file", "verifier", name) for name in ("verifier.json", "*.db")]
    lines += [line("column", "verifier.pending", "requests.key")]
    path = tmp_path / "inventory.toml"
    path.write_text("".join(lines))
    return path


@pytest.fixture
def office(tmp_path: Path) -> Path:
    path = tmp_path / "library"
    path.mkdir()
    (path / "verifier.json").touch()
    engine = sa.create_engine(f"sqlite:///{path / 'pending.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE requests (key BLOB)")
    engine.dispose()
    return path


def test_a_listed_folder_is_a_yes(listed: Path, office: Path) -> None:
    arguments = ["inventory", "--inventory", str(listed), "--folder", str(office)]
    result = run(arguments)
    assert result.exit_code == 0
    assert "nothing unlisted" in result.output


@pytest.mark.threat("T47")
def test_an_unlisted_column_and_file_are_a_no(listed: Path, office: Path) -> None:
    (office / "visitors.csv").touch()
    engine = sa.create_engine(f"sqlite:///{office / 'pending.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE requests ADD COLUMN address TEXT")
    engine.dispose()
    arguments = ["inventory", "--inventory", str(listed), "--folder", str(office), "--json"]
    result = run(arguments)
    assert result.exit_code == 1
    body = json.loads(result.output)
    assert {item["name"] for item in body["findings"]} == {"visitors.csv", "requests.address"}


def test_no_name_of_a_file_reaches_the_terminal_as_it_is(listed: Path, office: Path) -> None:
    (office / "a\x1b[2Jb").touch()
    arguments = ["inventory", "--inventory", str(listed), "--folder", str(office)]
    result = run(arguments)
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert r"a\x1b[2Jb" in result.output


def test_a_database_is_compared_by_its_address(listed: Path, office: Path) -> None:
    url = f"sqlite:///{office / 'pending.db'}"
    arguments = ["inventory", "--inventory", str(listed), "--database", url]
    assert run([*arguments, "--office", "verifier"]).exit_code == 0
    assert run([*arguments, "--office", "issuer"]).exit_code == 1
    assert run([*arguments, "--office", "bakery"]).exit_code == 2


@pytest.mark.parametrize("where", ["absent", ""])
def test_what_cannot_be_read_is_misuse(tmp_path: Path, where: str) -> None:
    arguments = ["inventory", "--folder", str(tmp_path / where)]
    assert run(arguments).exit_code == 2


def test_a_missing_copy_of_the_project_is_misuse(tmp_path: Path) -> None:
    assert run(["threats", "--root", str(tmp_path)]).exit_code == 2


def project(root: Path, *, test: str) -> Path:
    (root / "docs").mkdir()
    (root / "tests").mkdir()
    (root / "tests" / "test_x.py").write_text(f"def test_x():\n    {test}\n")
    (root / "README.md").write_text("## What is promised\n\n- **M** One thing.\n")
    (root / "docs" / "threat-model.md").write_text(
        "### T01 One\n\n- Who: all\n- Category: STRIDE Spoofing\n- Letter: M\n- Mitigation: it\n"
        "- Module: `README.md`\n- Residual risk: none\n- Tests: `tests/test_x.py`\n"
    )
    return root


def test_threats_with_passing_tests_are_a_yes(tmp_path: Path) -> None:
    root = project(tmp_path, test="assert True")
    result = run(["threats", "--root", str(root), "--run"])
    assert result.exit_code == 0, result.output
    assert "their tests passed" in result.output


def test_threats_with_a_failing_test_are_a_no(tmp_path: Path) -> None:
    root = project(tmp_path, test="assert False")
    result = run(["threats", "--root", str(root), "--run", "--json"])
    assert result.exit_code == 1
    body = json.loads(result.stdout)
    assert body["problems"] == [{"where": "T01", "what": "tests/test_x.py failed"}]


def test_without_results_only_existence_is_said(tmp_path: Path) -> None:
    root = project(tmp_path, test="assert False")
    result = run(["threats", "--root", str(root)])
    assert result.exit_code == 0
    assert "not run" in result.output


@pytest.mark.parametrize("command", ["inventory", "threats"])
def test_help_has_an_example(command: str) -> None:
    assert "Example: idservice audit" in run([command, "--help"]).output


class Counter(BaseHTTPRequestHandler):
    """An office that sets a cookie and has metrics."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        body = b'{"paths": {"/v1/bundle": {"get": {}}, "/v1/verify": {"post": {}}}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "visitor=1")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def nosy() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.threat("T32")
def test_cookies_metrics_and_unlisted_headers_of_a_running_office_are_a_no(nosy: str) -> None:
    result = run(["inventory", "--base-url", nosy, "--json"])
    assert result.exit_code == 1
    found = {
        (item["kind"], item["name"])
        for item in json.loads(result.output)["findings"]
        if item["trouble"] == "not listed"
    }
    assert {("cookie", "visitor"), ("metric", "/metrics"), ("header", "set-cookie")} <= found


def test_an_office_that_does_not_answer_is_misuse() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert run(["inventory", "--base-url", url]).exit_code == 2
    assert run(["inventory", "--base-url", "http://["]).exit_code == 2


@pytest.mark.parametrize("address", ["mysql://secret/x", "postgresql://secret:x/x", "secret"])
def test_a_database_that_cannot_be_looked_at_is_misuse_and_not_repeated(address: str) -> None:
    result = run(["inventory", "--database", address])
    assert result.exit_code == 2
    assert "secret" not in result.output


@pytest.mark.parametrize("described", [[], {}, {"paths": []}, {"paths": {"/x": 1, "/y": {}}}])
def test_what_describes_no_paths_has_none(described: object) -> None:
    assert not [path for path, acts in audit._paths(described).items() if "get" in acts]
