"""The bundle that a city publishes: what is in force by its register, signed, and the proof.

DESIGN, sections 3 and 5. The payload follows from the register and the city's settings; nobody
chooses what stands in it. What comes out is read as anybody would, from the view of whoever has
the bundle before, and only then put in its place in one step. Every step can be done again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, note
from crypto.log.tree import TreeHead
from idservice import catalogue, period
from idservice.apps import key_files
from idservice.apps.city_folder import Root
from idservice.apps.register.city_log import CityLog
from idservice.apps.settings import City, UnusableSettings
from idservice.register import bundle
from idservice.register.bundle import Loaded, Seen
from idservice.register.entry import Summary
from idservice.register.state import InForce
from idservice.verification import policy, trust

BUNDLE: Final = Path("issuer", "bundle.json")
"""In a city's folder."""

WHOLE: Final = 64
"""Up to so many entries a bundle carries the whole log, and needs no summary."""

MOST_AFTER: Final = 1000
"""Entries since a summary, such as comments, that a bundle carries until another one is due."""

MOST_OCTETS_AFTER: Final = 1024 * 1024
"""Of those entries; a single one can have a tenth of it."""

MOST_A_DAY: Final = 1440
"""Versions; no city publishes more than one a minute for long."""

MOST_EARLIER: Final = 1024
"""Earlier bundles from which a reader goes on without another proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who signs, and what the register does not say."""

    city: City
    root: Root


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What the next bundle takes from the one that is published."""

    sizes: Sequence[int]
    """Of its checkpoint and of those of earlier bundles."""
    version: int
    seen: Seen | None


def publish(folder: Path, held: CityLog, publisher: Publisher, *, now: UnixSeconds) -> Loaded:
    """Write the bundle of all that is in force, and put it in the place of the one before.

    Also where nothing has changed: then witnesses vouch for it anew.

    Raises:
        NotWitnessed: too few witnesses answered; the one before stays.
        UnusableSettings: nobody would accept it; the one before stays.
    """
    _summarise(held)
    head, in_force = held.cosigned(anew=False), held.in_force()
    before = _before(folder) or _lost(in_force, now=now)
    signed = _signed(publisher, in_force, version=before.version + 1, now=now)
    try:
        data = bundle.write(
            signed,
            entries=held.entries,
            head=head.note,
            earlier=[each for each in before.sizes if each < head.checkpoint.head.size],
        )
        loaded = bundle.load(
            data,
            pin=held.register.scope.charter,
            seen=before.seen,
            now=now,
        )
    except CryptoError as error:
        raise UnusableSettings(f"the bundle would be refused: {error}") from error
    key_files.publish(folder / BUNDLE, data)
    return loaded


def read(folder: Path, *, now: UnixSeconds) -> Loaded:
    """Read the bundle in a city's own folder, as somebody would who pins it now.

    Raises:
        UnusableSettings: it is missing, or nobody would accept it at this time.
    """
    try:
        return bundle.load((folder / BUNDLE).read_bytes(), pin=None, seen=None, now=now)
    except (OSError, CryptoError) as error:
        raise UnusableSettings(f"{BUNDLE.name} cannot be used: {error}") from error


def _summarise(held: CityLog) -> None:
    """Say in the log what is in force, so that a bundle may leave the rest out."""
    register = held.register
    since = register.summarised_from
    first = since is None and register.size >= WHOLE
    if not first and _is_little(held.entries[since or 0 :]):
        return
    head = held.cosigned(anew=False)
    witnessed = cosignature.verify_quorum(
        head, policy=register.charter.witness_policy, now=UnixSeconds(cosignature.LATEST)
    )
    held.append(Summary(checkpoint=head.note, state=register.state(at=witnessed.latest)))


def _is_little(entries: Sequence[bytes]) -> bool:
    return len(entries) <= MOST_AFTER and sum(map(len, entries)) <= MOST_OCTETS_AFTER


def _signed(publisher: Publisher, in_force: InForce, *, version: int, now: UnixSeconds) -> bytes:
    said: JsonObject = {
        **_payload(publisher.city, in_force, now=now),
        "version": version,
        "day": period.day(now).isoformat(),
    }
    der = publisher.root.certificate.public_bytes(Encoding.DER)
    return trust.write(said, root_der=der, sign=publisher.root.key.sign)


def _payload(city: City, in_force: InForce, *, now: UnixSeconds) -> JsonObject:
    """Return what is in force; a key stays until the last card that it signed has ended."""
    board = in_force.charter
    policies: list[JsonValue] = [policy.write(each) for each in in_force.policies.values()]
    return {
        "type": trust.TYPE,
        "city": board.city,
        "demonstration": city.demonstration or board.demonstration,
        "languages": [*board.languages],
        "issuer": city.issuer,
        "announced": _announced(in_force, now=now),
        "policies": policies,
    }


def _announced(in_force: InForce, *, now: UnixSeconds) -> list[JsonValue]:
    kept = [each for each in in_force.announced.values() if each.exp > now]
    order = catalogue.CONFIGURATIONS.index
    kept.sort(key=lambda each: (order(each.configuration), each.period))
    return [canonical_json.parse_object(each.octets) for each in kept]


def _before(folder: Path) -> _Before | None:
    """Read the published bundle, as far as the next one follows from it."""
    try:
        data = (folder / BUNDLE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        outer = canonical_json.parse_object(data)
        register = members.any_object(outer["register"])
        head = _head(members.text(register["checkpoint"]))
        earlier = [members.whole(each) for each in members.array(register["earlier"])]
        payload = members.any_object(outer["payload"])
        version = members.whole(payload["version"])
    except (CryptoError, KeyError) as error:
        raise UnusableSettings(f"{BUNDLE.name} is not what was published") from error
    return _Before(
        sizes=_sizes(earlier, head),
        version=version,
        seen=Seen(head=head, bundle=hashlib.sha256(data).digest(), version=version),
    )


def _lost(in_force: InForce, *, now: UnixSeconds) -> _Before:
    """Go on where no bundle is left, or none was: above every version of an earlier day."""
    days = (period.day(now) - in_force.charter.adopted).days
    sizes = range(max(1, in_force.size - MOST_EARLIER), in_force.size)
    return _Before(sizes=sizes, version=max(0, days) * MOST_A_DAY, seen=None)


def _head(text: str) -> TreeHead:
    return checkpoint.parse(note.parse(text.encode()).text).head


def _sizes(earlier: Sequence[int], head: TreeHead) -> tuple[int, ...]:
    return tuple(sorted({*earlier, head.size}))[-MOST_EARLIER:]
