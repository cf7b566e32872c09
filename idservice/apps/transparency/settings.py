"""What the log's process and a witness are told, parsed once.

`log.json` and `witness.json` are made by `log.found` and `witness.found`; the environment only
says which database to use (`IDSERVICE_DATABASE`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from crypto.errors import CryptoError
from crypto.log import note
from crypto.log.cosignature import Policy
from crypto.log.note import VerifierKey
from idservice.apps import settings
from idservice.apps.settings import UnusableSettings

Model = TypeVar("Model", bound=BaseModel)

LOG_FILE: Final = "log.json"
WITNESS_FILE: Final = "witness.json"


class Neighbour(BaseModel):
    """A witness that the log asks: its verifier key, and where it listens.

    The address of one that runs inside the log's own process (`local_witness`) is the path of its
    files, relative to the log's folder, and begins with a dot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    address: str


class LogFile(BaseModel):
    """`log.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    witnesses: tuple[Neighbour, ...]
    quorum: int


class WitnessFile(BaseModel):
    """`witness.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    logs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The log's process; without a policy nobody but the log vouches for it."""

    folder: Path
    origin: str
    policy: Policy | None
    addresses: Mapping[VerifierKey, str]
    """Of witnesses elsewhere."""
    local: Mapping[VerifierKey, Path]
    """Of witnesses in this very process: where their files are."""
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSettings:
    """A witness's process."""

    folder: Path
    name: str
    logs: tuple[VerifierKey, ...]
    database: str


def read_log(folder: Path, *, environ: Mapping[str, str]) -> LogSettings:
    """Read what the log's process is told.

    Raises:
        UnusableSettings: the file is missing or wrong, or a witness's address may not be asked.
    """
    return understand_log(_read(folder / LOG_FILE, LogFile), folder=folder, environ=environ)


def understand_log(told: LogFile, *, folder: Path, environ: Mapping[str, str]) -> LogSettings:
    """Take what `log.json` says, or will say; raises as `read_log`."""
    if not told.origin.isprintable():
        raise UnusableSettings("a log's origin is one line (C2SP tlog-checkpoint)")
    everybody = {parse_key(each.key): each.address for each in told.witnesses}
    local = {key: folder / path for key, path in everybody.items() if path.startswith(".")}
    addresses = {key: each for key, each in everybody.items() if key not in local}
    for address in addresses.values():
        settings.check_base_url(address)
    try:
        policy = Policy(witnesses=tuple(everybody), threshold=told.quorum) if everybody else None
    except CryptoError as error:
        raise UnusableSettings(f"{LOG_FILE}: {error}") from error
    if policy is None and told.quorum:
        raise UnusableSettings(f"{LOG_FILE}: a quorum of nobody")
    return LogSettings(
        folder=folder,
        origin=told.origin,
        policy=policy,
        addresses=addresses,
        local=local,
        database=settings.lasting_database(folder, environ=environ),
    )


def read_witness(folder: Path, *, environ: Mapping[str, str]) -> WitnessSettings:
    """Read what a witness's process is told.

    Raises:
        UnusableSettings: the file is missing or wrong.
    """
    return understand_witness(
        _read(folder / WITNESS_FILE, WitnessFile), folder=folder, environ=environ
    )


def understand_witness(
    told: WitnessFile, *, folder: Path, environ: Mapping[str, str]
) -> WitnessSettings:
    """Take what `witness.json` says, or will say; raises as `read_witness`."""
    logs = tuple(parse_key(each) for each in told.logs)
    if len({log.name for log in logs}) != len(logs):
        raise UnusableSettings(f"{WITNESS_FILE}: two keys of one log")
    return WitnessSettings(
        folder=folder,
        name=told.name,
        logs=logs,
        database=settings.lasting_database(folder, environ=environ),
    )


def parse_key(text: str) -> VerifierKey:
    """Read a verifier key that somebody wrote down.

    Raises:
        UnusableSettings: it is none.
    """
    try:
        return note.parse_key(text)
    except CryptoError as error:
        raise UnusableSettings(f"not a verifier key: {error}") from error


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UnusableSettings(f"{path.name} cannot be read in this folder") from error
    except ValidationError as error:
        members = sorted({".".join(map(str, item["loc"])) for item in error.errors()})
        raise UnusableSettings(f"{path.name} is not as it was made: {members}") from error
