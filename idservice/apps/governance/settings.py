"""The register's folder: made once around its log's folder, read at each start.

DESIGN section 5. `register.json` holds where the register is reached, which charter it was founded
on, and the hashes of the desk's keys; `charter.json` is entry 0 octet by octet. The environment
only says which databases to use: `IDSERVICE_DATABASE` for the log's, for ever, and
`IDSERVICE_PENDING_DATABASE` for what stands beside it, from which texts can be erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from crypto.errors import CryptoError
from crypto.log import checkpoint, note, tile
from crypto.log.tile import Bundle
from idservice.apps import key_files
from idservice.apps import settings as told
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency.settings import LogSettings, read_log
from idservice.register import entry, fold, wire
from idservice.register.charter import Charter
from idservice.register.entry import CharterEntry
from idservice.storage import published

REGISTER_FILE: Final = "register.json"
CHARTER_FILE: Final = "charter.json"
LOG_FOLDER: Final = "log"
PUBLIC: Final = "public"

_HASH_LENGTH: Final = 32


class RegisterFile(BaseModel):
    """`register.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    charter: str
    """SHA-256 of entry 0, hexadecimal."""
    desk_keys: tuple[str, ...]
    """SHA-256 of each API key of the desk, hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSettings:
    """The register's process."""

    folder: Path
    base_url: str
    pin: entry.Digest
    charter: bytes
    """Entry 0."""
    desk_keys: tuple[bytes, ...]
    log: LogSettings
    database: str


def found(folder: Path, *, first: CharterEntry, base_url: str, desk_keys: Sequence[bytes]) -> bytes:
    """Make a register's folder around the folder of its log, which was made before.

    Args:
        folder: holds the log's folder, `log`.
        first: entry 0; it must name that log's key.
        base_url: where the register will be reached.
        desk_keys: SHA-256 of each API key of the desk.

    Returns:
        SHA-256 of entry 0: what everybody pins.

    Raises:
        UnusableSettings: there is a register already, no log, or the charter is another log's.
    """
    told.check_base_url(base_url)
    if (folder / REGISTER_FILE).exists():
        raise UnusableSettings(f"{REGISTER_FILE} exists already and is never overwritten")
    if first.charter.log.name != read_log(folder / LOG_FOLDER, environ={}).origin:
        raise UnusableSettings("the charter names another log")
    octets = wire.write(first)
    pin = entry.entry_digest(octets)
    try:
        fold.start(octets, pin=pin)
    except CryptoError as error:
        raise UnusableSettings(f"the charter cannot be entry 0 ({error})") from error
    key_files.publish(folder / CHARTER_FILE, octets)
    settings = RegisterFile(
        base_url=base_url, charter=pin.hex(), desk_keys=tuple(each.hex() for each in desk_keys)
    )
    key_files.publish(folder / REGISTER_FILE, settings.model_dump_json(indent=1).encode())
    return pin


def logged_first(folder: Path) -> CharterEntry:
    """Read entry 0 from what the log in this folder has published.

    Raises:
        UnusableSettings: nothing is published, or entry 0 is no charter.
    """
    public = folder / LOG_FOLDER / PUBLIC
    try:
        seen = published.read(public, published.CHECKPOINT) or b""
        size = checkpoint.parse(note.parse(seen).text).head.size
        bundle = Bundle(index=0, width=min(size, tile.WIDTH))
        octets = published.read(public, bundle.path) or b""
        first = wire.parse(tile.parse_entries(octets, width=bundle.width)[0])
    except (CryptoError, IndexError) as error:
        raise UnusableSettings("the log in this folder has published no charter") from error
    if not isinstance(first, CharterEntry):
        raise UnusableSettings("entry 0 of the log is no charter")
    return first


def read(folder: Path, *, environ: Mapping[str, str]) -> RegisterSettings:
    """Read what the register's process is told.

    Raises:
        UnusableSettings: a file is missing or wrong, or the address may not be served.
    """
    try:
        own = RegisterFile.model_validate_json((folder / REGISTER_FILE).read_bytes())
        charter = (folder / CHARTER_FILE).read_bytes()
    except OSError as error:
        raise UnusableSettings(f"{REGISTER_FILE} or {CHARTER_FILE} cannot be read") from error
    except ValidationError as error:
        raise UnusableSettings(f"{REGISTER_FILE} is not as it was made") from error
    told.check_base_url(own.base_url)
    return RegisterSettings(
        folder=folder,
        base_url=own.base_url,
        pin=_digest(own.charter),
        charter=charter,
        desk_keys=tuple(_digest(each) for each in own.desk_keys),
        log=read_log(folder / LOG_FOLDER, environ=environ),
        database=told.database(environ, told.PENDING_DATABASE, beside=folder / "beside.db"),
    )


def _digest(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise UnusableSettings(f"{REGISTER_FILE} holds SHA-256 in hexadecimal") from error
    if len(found) != _HASH_LENGTH:
        raise UnusableSettings(f"{REGISTER_FILE} holds SHA-256 in hexadecimal")
    return found


def charter(settings: RegisterSettings) -> Charter:
    """Return the charter that the register was founded on.

    Raises:
        UnusableSettings: it is none.
    """
    try:
        first = wire.parse(settings.charter)
    except CryptoError as error:
        raise UnusableSettings(f"{CHARTER_FILE} is no charter") from error
    if not isinstance(first, CharterEntry):
        raise UnusableSettings(f"{CHARTER_FILE} is no charter")
    return first.charter


def check_offset(settings: RegisterSettings, offset: int) -> None:
    """Let nobody but a demonstration on this machine move the clock; raises as elsewhere."""
    demonstration = charter(settings).demonstration
    told.check_offset(offset, base_url=settings.base_url, demonstration=demonstration)
