"""What somebody sees who runs the demonstration: it ends by itself, and nothing was kept."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from idservice.cli.main import app; app()", "demo", "--once")


@contextlib.contextmanager
def running(*command: str, temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_to(words: str, demo: "subprocess.Popen[str]") -> None:
    assert demo.stdout
    while line := demo.stdout.readline():
        if words in line:
            return
    raise AssertionError(words)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_it_early_is_told_so_and_finds_nothing_left(
    tmp_path: Path, ending: signal.Signals
) -> None:
    with running(*COMMAND, temporary=tmp_path) as demo:
        read_to("1. ", demo)
        assert list(tmp_path.glob("idservice-demo-*/*"))
        demo.send_signal(ending)
        said, complained = demo.communicate(timeout=60)
    assert (demo.returncode, complained) == (130, "")
    assert said.strip().endswith("Stopped before the end.")
    assert list(tmp_path.iterdir()) == []


def test_who_ends_it_when_the_city_is_up_ends_it_well(tmp_path: Path) -> None:
    with running(*COMMAND[:-1], temporary=tmp_path) as demo:
        read_to("Ctrl-C ends everything", demo)
        os.killpg(demo.pid, signal.SIGINT)
        said, complained = demo.communicate(timeout=60)
    assert (demo.returncode, complained) == (0, "")
    assert said.strip().endswith("Stopped.")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    temporary = tmp_path_factory.mktemp("temporary")
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stderr == ""
    assert list(temporary.iterdir()) == []
    return done.stdout


def test_it_fits_80_columns_without_colour_when_piped(shown: str) -> None:
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


def test_every_act_is_played(shown: str) -> None:
    acts = re.findall(r"^(\d+)\. ", shown, re.MULTILINE)
    assert [int(number) for number in acts] == list(range(1, 14))


@pytest.mark.threat("T27")
def test_offices_hold_nothing_of_anybody(shown: str) -> None:
    flat = " ".join(shown.split())
    assert "0 found" in flat
    assert "All logs of all offices together: 0 octets" in flat


def test_pooled_logs_reveal_nothing_of_a_bbs_card(shown: str) -> None:
    rows = [re.split(r" *│ *", line)[1:-1] for line in shown.splitlines() if "│" in line]
    assert ["library + bar", "nothing", "nothing"] in rows
    (recorded,) = (row for row in rows if row[0].endswith("an issuer that recorded it all"))
    assert recorded[1].endswith("linked")
    assert recorded[2] == "nothing"


def test_attacks_fail_in_front_of_the_audience(shown: str) -> None:
    flat = " ".join(shown.split())
    assert "It asks for birth_date, which the policy bar-age-18 does not list" in flat
    assert "somebody else who has borrowed its name" in flat
    assert "to the library again: 400 invalid_request" in flat
    assert '"code": "not_valid", "result": "refused"' in flat
    assert "the thief renews once more" in flat


def test_every_line_of_who_knows_what_has_its_letter(shown: str) -> None:
    table = shown[shown.index("Who knows what") :]
    letters = re.findall(r"│ ([MCP]) │", table)
    assert set(letters) == {"M", "C", "P"}
    assert len(letters) == 11
