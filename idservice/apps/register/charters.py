"""The charter that a city begins with: from a file, or one for a demonstration.

DESIGN, section 5. A real charter comes as a file in which the seats' and witnesses' public keys
stand, made on their own devices; the city adds what only it knows: its name, log and root. Without
a file there is a demonstration: five seats and two witnesses whose keys all lie in the city's
folder, so nothing binds it and everything says so. What a charter may say is decided by
`register.charter`; entry 0 is put together in `founding`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.log.note import VerifierKey
from idservice.apps.register import board
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import local_witness
from idservice.register import charter
from idservice.register.charter import Charter

WITNESSES: Final = "witnesses"
"""Folder of a demonstration's own witnesses."""

YEARS: Final = 5
"""A demonstration's charter ends so many years after it began."""

SANDBOX_NOTICE: Final = 2
"""Seconds of notice in a sandbox."""

_WITNESS_NAMES: Final = ("north", "south")
_ADDED = frozenset({"city", "log", "root", "adopted", "languages"})
"""What no file says: the city adds it."""
_OFFLINE_DAYS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A charter without what the city adds, and where its witnesses listen."""

    said: JsonObject
    addresses: Mapping[str, str]
    """By verifier key, as a log is told."""

    @property
    def quorum(self) -> int:
        """How many witnesses must cosign."""
        return members.whole(self.said["witness_threshold"])


def read(octets: bytes) -> Terms:
    """Read the terms of a charter from a file.

    Args:
        octets: JSON with a charter's members, without city, log, root, adopted and languages; each
            witness has one member more, its `address`.

    Raises:
        UnusableSettings: it is something else.
    """
    try:
        said = members.any_object(canonical_json.parse(octets))
        if not _ADDED.isdisjoint(said):
            raise UnusableSettings(f"the charter's file leaves out {', '.join(sorted(_ADDED))}")
        witnesses: list[JsonValue] = []
        addresses: dict[str, str] = {}
        for each in members.array(said.get("witnesses")):
            witness = dict(members.any_object(each))
            address = members.text(witness.pop("address", None))
            addresses[members.text(witness.get("key"))] = address
            witnesses.append(witness)
        terms = Terms(said={**said, "witnesses": witnesses}, addresses=MappingProxyType(addresses))
        _ = terms.quorum
    except (CryptoError, KeyError) as error:
        raise UnusableSettings(f"the charter's file is refused: {error}") from error
    if any(address.startswith(".") for address in addresses.values()):
        raise UnusableSettings("a charter's witnesses listen at addresses of their own")
    return terms


def demonstration(
    folder: Path, *, origin: str, sandbox: bool, day: date, random_bytes: RandomBytes
) -> Terms:
    """Make the keys of seats and witnesses in a city's folder, and return a charter's terms.

    Args:
        folder: the city's.
        origin: the log's name; the witnesses' names are made from it.
        sandbox: with a notice of seconds, and marked so for good.
        day: on which the charter begins.
        random_bytes: for the keys.

    Raises:
        UnusableSettings: there are such keys already.
    """
    witnesses: list[JsonValue] = []
    addresses = {}
    for name in _WITNESS_NAMES:
        place = folder / WITNESSES / name
        key = local_witness.make(place, name=f"{origin}/{name}", random_bytes=random_bytes)
        witnesses.append({"key": key.text, "run_by_city": True})
        addresses[key.text] = f"../{WITNESSES}/{name}"
    said: JsonObject = {
        "seats": [*board.make(folder / board.FOLDER, random_bytes=random_bytes)],
        "threshold": board.THRESHOLD,
        "emergency": charter.LEAST_EMERGENCY,
        "notice_s": SANDBOX_NOTICE if sandbox else charter.LEAST_NOTICE,
        "sandbox": sandbox,
        "witnesses": witnesses,
        "witness_threshold": len(_WITNESS_NAMES),
        "least_group": charter.LEAST_GROUP,
        "sunset": date(day.year + YEARS, day.month, 1).isoformat(),
        "offline_days": _OFFLINE_DAYS,
    }
    return Terms(said=said, addresses=MappingProxyType(addresses))


def complete(
    terms: Terms,
    *,
    city: str,
    languages: list[str],
    log: VerifierKey,
    root: bytes,
    day: date,
) -> Charter:
    """Return the charter with what the city adds.

    Args:
        terms: all the rest.
        city: its name.
        languages: in which it speaks.
        log: the log's key.
        root: SHA-256 of the root certificate.
        day: on which it begins.

    Raises:
        UnusableSettings: no charter may say that.
    """
    said: JsonObject = {
        **terms.said,
        "city": city,
        "log": log.text,
        "root": base64url.encode(root),
        "adopted": day.isoformat(),
        "languages": [*languages],
    }
    try:
        return charter.parse(said)
    except CryptoError as error:
        raise UnusableSettings(f"the charter is refused: {error}") from error
