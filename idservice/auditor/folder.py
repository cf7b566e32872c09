"""What lies in an office's folder: which office it is, its files, its databases."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

DATABASES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "issuer": ("lasting", "pending"),
        "verifier": ("pending",),
        "transparency": ("lasting",),
        "witness": ("lasting",),
        "governance": ("beside",),
    }
)
"""The databases of each office, by the stem of their SQLite file."""

_MARKS: Final = (
    ("city.json", "city"),
    ("verifier.json", "verifier"),
    ("wallet.sealed", "wallet"),
    ("log.json", "transparency"),
    ("witness.json", "witness"),
    ("register.json", "governance"),
)
_ISSUER: Final = "issuer"
_LOG: Final = "log"
_INSIDE: Final = {_ISSUER: "issuer", _LOG: "transparency"}
"""Folders in a city's or a register's folder that are parts of their own."""
_REGISTER: Final = frozenset({"register.json", "charter.json"})
_BESIDE: Final = "beside.db"


class NotAFolder(Exception):
    """There is no folder here that `idservice` made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One place of the inventory and what was found there."""

    place: str
    files: frozenset[str]
    """Paths below the folder, with `/`; a link is said to be one, and never followed."""
    databases: Mapping[str, Path]
    """Place of the inventory, such as `issuer.lasting`, and the SQLite file."""


def parts(folder: Path) -> tuple[Part, ...]:
    """Recognise the folder; a city's has its issuer's, its register's and its log's inside.

    Raises:
        NotAFolder: it is not one of ours.
        OSError: something in it cannot be read.
    """
    place = next((name for mark, name in _MARKS if (folder / mark).is_file()), None)
    if place is None and folder.name == _ISSUER and (folder.parent / "city.json").is_file():
        place = _ISSUER
    if place is None:
        raise NotAFolder(f"{folder} was not made by `idservice init` or `idservice wallet`")
    if place not in {"city", "governance"}:
        return (_part(place, folder, _files(folder)),)
    return tuple(_whole(place, folder))


def _whole(place: str, folder: Path) -> Iterator[Part]:
    """Take a city's folder apart: its own files, its register's, and the folders inside."""
    files = _files(folder)
    own = frozenset(name for name in files if name.partition("/")[0] not in _INSIDE)
    register = frozenset(name for name in own if name in _REGISTER or name.startswith(_BESIDE))
    if place == "city":
        yield _part(place, folder, own - register)
        if register:
            yield _part("governance", folder, register)
    else:
        yield _part(place, folder, own)
    for inside, office in _INSIDE.items():
        if (folder / inside).is_dir():
            yield _part(office, folder / inside, _files(folder / inside))


def _files(folder: Path) -> frozenset[str]:
    return frozenset(_walk(folder))


def _walk(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder, onerror=_stop):
        paths = [Path(where, name) for name in (*folders, *files)]
        for path in paths:
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield f"{name} (a link)"
            elif path.name in files:
                yield name


def _stop(error: OSError) -> None:
    raise error


def _part(place: str, folder: Path, files: frozenset[str]) -> Part:
    databases = {
        f"{place}.{stem}": folder / f"{stem}.db"
        for stem in DATABASES.get(place, ())
        if f"{stem}.db" in files
    }
    return Part(place=place, files=files, databases=MappingProxyType(databases))
