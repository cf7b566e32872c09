"""The published log as a folder of static files (C2SP tlog-tiles).

Carries out `transparency/ports.py`, `Files`. A file is written under another name, synced, put in
its place in one step, and its folder synced: whoever looks sees all of it or nothing of it, also
after a power cut. One process at a time may write; any web server may serve the folder.
"""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from idservice.transparency.ports import Absent

CHECKPOINT: Final = "checkpoint"

_READABLE: Final = 0o644
_LOCK: Final = ".lock"
_UNFINISHED: Final = ".unfinished"


class Taken(Exception):
    """Another process publishes into this folder."""


class PublishedFolder:
    """A folder that this process alone writes to, until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Take the folder.

        Raises:
            Taken: another process has it.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._made: set[Path] = set()
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, _READABLE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise Taken from error

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def write(self, path: str, octets: bytes) -> None:
        """Write a file that never changes; it is on disk, whole, when this returns."""
        place = self._folder / path
        self._make(place.parent)
        put(place, octets, unfinished=self._folder / _UNFINISHED)

    def replace_checkpoint(self, octets: bytes) -> None:
        """Let whoever asks see another checkpoint, whole; it is on disk when this returns."""
        put(self._folder / CHECKPOINT, octets, unfinished=self._folder / _UNFINISHED)

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint that is to be seen."""
        return read(self._folder, CHECKPOINT)

    def drop_partial(self, path: str) -> None:
        """Delete the partial tiles of which `path` is the full one."""
        folder = self._folder / f"{path}.p"
        shutil.rmtree(folder, ignore_errors=True)
        self._made.discard(folder)

    def _make(self, folder: Path) -> None:
        """Make a folder and sync the one that it stands in, up to ours."""
        if folder in self._made or folder == self._folder:
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)
        self._made.add(folder)


def put(place: Path, octets: bytes, *, unfinished: Path) -> None:
    """Put a file in its place in one step; it is on disk, whole, when this returns."""
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _READABLE)
    try:
        left = memoryview(octets)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.replace(place)
    _sync(place.parent)


def read(folder: Path, name: str) -> bytes | None:
    """Read what stands under a name, which the caller has checked to be one of a log's."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None


class FolderLog:
    """A published log in a folder; an instance is a `ports.Resources`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, limit: int) -> bytes:
        """Return what stands under a name."""
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise Absent from error
        if len(content) > limit:
            raise Absent
        return content


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
