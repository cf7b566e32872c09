"""What a process is told, parsed once: its folder, and the environment.

An office's folder is made by `idservice init`; the environment only says which database to use
(`IDSERVICE_DATABASE`, `IDSERVICE_PENDING_DATABASE`, as SQLAlchemy addresses). There is no
setting for logs, traces or retention, and there must never be one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from crypto.errors import CryptoError
from idservice import loopback
from idservice.clock import FARTHEST
from idservice.verification import trust

DATABASE = "IDSERVICE_DATABASE"
PENDING_DATABASE = "IDSERVICE_PENDING_DATABASE"

_PLAIN: Final = re.compile(r"[!-~]*")
"""Printable ASCII without spaces: what may stand in an address at all."""

_DATABASE: Final = re.compile(
    r"sqlite:///(?!:memory:).+|"
    r"postgresql(\+psycopg)?://([^@]*@)?(\[[^/]*\]|[^/:]*)(:\d+)?(/.*)?"
)


class UnusableSettings(Exception):
    """The folder or the environment does not describe a process that may run."""


class City(BaseModel):
    """`city.json`: what is public about a city."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    issuer: str
    languages: list[str]
    demonstration: bool = False
    test_hooks: bool = False


class Verifier(BaseModel):
    """`verifier.json`: what one verifier is told about itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    base_url: str
    client_id_prefix: Literal["x509_hash", "x509_san_dns"]
    policies: list[str]
    api_keys: list[str]
    redirect_uris: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """The issuer's process."""

    folder: Path
    base_url: str
    city: City
    database: str
    pending_database: str
    clock_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierSettings:
    """One verifier's process."""

    folder: Path
    base_url: str
    verifier: Verifier
    database: str
    clock_offset: int


Model = TypeVar("Model", bound=BaseModel)


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UnusableSettings(f"{path.name} cannot be read in this folder") from error
    except ValidationError as error:
        members = sorted({".".join(map(str, item["loc"])) for item in error.errors()})
        raise UnusableSettings(f"{path.name} is not as `init` writes it: {members}") from error


def check_base_url(base_url: str) -> None:
    """Refuse an address that would send credentials in the clear, or that is no address.

    Raises:
        UnusableSettings: not an absolute `https` address without query and fragment; `http` is
            accepted on loopback only.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise UnusableSettings("a base address has a host and a port (RFC 3986)") from error
    if port == 0 or not _PLAIN.fullmatch(base_url):
        raise UnusableSettings("a base address is of printable ASCII, and its port not 0")
    plain = parts.scheme == "http" and loopback.holds(base_url)
    if parts.scheme != "https" and not plain:
        raise UnusableSettings("outside loopback a base address begins with https://")
    if not parts.hostname or {"?", "#"} & set(base_url) or parts.username is not None:
        raise UnusableSettings("a base address has a host, and neither query nor fragment")
    if base_url.endswith("/"):
        raise UnusableSettings("a base address does not end with a slash")


def check_offset(offset: int, *, base_url: str, demonstration: bool) -> None:
    """Let nobody but a demonstration on this machine move the clock.

    Raises:
        UnusableSettings: anybody else, or by more than ten years.
    """
    if abs(offset) > FARTHEST:
        raise UnusableSettings("--clock-offset is ten years at most")
    if offset and not (demonstration and loopback.holds(base_url)):
        raise UnusableSettings("--clock-offset is for demonstration folders on loopback")


def _in_demonstration(folder: Path) -> bool:
    try:
        content = (folder / "bundle.json").read_bytes()
        bundle = trust.parse(content, root_fingerprint=None, at_least_version=None)
    except (OSError, CryptoError) as error:
        raise UnusableSettings("bundle.json cannot be read in this folder") from error
    return bundle.demonstration


def lasting_database(folder: Path, *, environ: Mapping[str, str]) -> str:
    """Return the address of an office's lasting rows; raises as `database`."""
    return database(environ, DATABASE, beside=folder / "lasting.db")


def database(environ: Mapping[str, str], name: str, *, beside: Path) -> str:
    """Return what the environment names, as `database_address`, or a file of our own."""
    told = environ.get(name)
    return database_address(told, told_by=name) if told else f"sqlite:///{beside.resolve()}"


def database_address(address: str, *, told_by: str) -> str:
    """Return the address of a database that somebody told.

    Raises:
        UnusableSettings: it names neither a file of SQLite nor a database in PostgreSQL.
    """
    if _DATABASE.fullmatch(address) is None:
        raise UnusableSettings(
            f"{told_by} is neither sqlite:///FILE nor postgresql+psycopg://HOST/NAME"
        )
    return address


def issuer(folder: Path, *, environ: Mapping[str, str], clock_offset: int = 0) -> IssuerSettings:
    """Read what the issuer's process is told; `folder` is the city's `issuer` folder.

    Raises:
        UnusableSettings: a file is missing or wrong, or the address may not be served.
    """
    city = _read(folder.parent / "city.json", City)
    check_base_url(city.issuer)
    check_offset(clock_offset, base_url=city.issuer, demonstration=city.demonstration)
    if city.test_hooks and not loopback.holds(city.issuer):
        raise UnusableSettings("test hooks are refused outside loopback")
    return IssuerSettings(
        folder=folder,
        base_url=city.issuer,
        city=city,
        database=lasting_database(folder, environ=environ),
        pending_database=database(environ, PENDING_DATABASE, beside=folder / "pending.db"),
        clock_offset=clock_offset,
    )


def verifier(
    folder: Path, *, environ: Mapping[str, str], clock_offset: int = 0
) -> VerifierSettings:
    """Read what a verifier's process is told; whether it is a demonstration says its bundle.

    Raises:
        UnusableSettings: a file is missing or wrong, or the address may not be served.
    """
    own = _read(folder / "verifier.json", Verifier)
    check_base_url(own.base_url)
    if clock_offset:
        demonstration = _in_demonstration(folder)
        check_offset(clock_offset, base_url=own.base_url, demonstration=demonstration)
    return VerifierSettings(
        folder=folder,
        base_url=own.base_url,
        verifier=own,
        database=database(environ, PENDING_DATABASE, beside=folder / "pending.db"),
        clock_offset=clock_offset,
    )
