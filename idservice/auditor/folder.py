"""What lies in an office's folder: which office it is, its files, its databases."""

from collections.abc import Mapping
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
)
_ISSUER: Final = "issuer"


class NotAFolder(Exception):
    """There is no folder here that `idservice` made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One place of the inventory and what was found there."""

    place: str
    files: frozenset[str]
    """Paths below the folder, with `/`."""
    databases: Mapping[str, Path]
    """Place of the inventory, such as `issuer.lasting`, and the SQLite file."""


def parts(folder: Path) -> tuple[Part, ...]:
    """Recognise the folder; a city's has its issuer's folder inside.

    Raises:
        NotAFolder: it is not one of ours.
    """
    place = next((name for mark, name in _MARKS if (folder / mark).is_file()), None)
    if place is None and folder.name == _ISSUER and (folder.parent / "city.json").is_file():
        place = _ISSUER
    if place is None:
        raise NotAFolder(f"{folder} was not made by `idservice init` or `idservice wallet`")
    if place != "city":
        return (_part(place, folder, _files(folder)),)
    files = _files(folder)
    own = frozenset(name for name in files if not name.startswith(f"{_ISSUER}/"))
    found = [_part("city", folder, own)]
    if (folder / _ISSUER).is_dir():
        found.append(_part(_ISSUER, folder / _ISSUER, _files(folder / _ISSUER)))
    return tuple(found)


def _files(folder: Path) -> frozenset[str]:
    return frozenset(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def _part(place: str, folder: Path, files: frozenset[str]) -> Part:
    databases = {
        f"{place}.{stem}": folder / f"{stem}.db"
        for stem in DATABASES.get(place, ())
        if f"{stem}.db" in files
    }
    return Part(place=place, files=files, databases=MappingProxyType(databases))
