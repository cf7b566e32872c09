"""A reader's folder: what is written is there whole, and nothing is left beside it."""

import os
from pathlib import Path

import pytest

from idservice.clients import trust_file


def test_what_a_process_left_that_ended_while_it_wrote_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "status" / "list.jwt"
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", lambda *_, **__: None)  # a dead process removes nothing
        dying.setattr(os, "fsync", lambda _: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                trust_file.write(target, b"half")
    died, writes = target.parent.iterdir()
    long_ago = writes.stat().st_mtime - 2 * 3600
    os.utime(died, (long_ago, long_ago))
    another = target.parent / ".list.jwt.new"
    another.touch()
    os.utime(another, (long_ago, long_ago))
    trust_file.write(target, b"whole")
    assert {*target.parent.iterdir()} == {target, writes, another}
    assert target.read_bytes() == b"whole"
