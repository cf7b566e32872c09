"""Let everybody in a founded city be issued a card and show it twice, and hand over all traces.

A large city is issued to by two processes, which draw status indices from two halves of one list;
a small town by offices as they run (`town.py`). Who they are stands in `population.py`, how one
resident goes through it in `formats.py`.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from crypto.encoding import base64url
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from idservice import period
from idservice.linkability import traces
from idservice.linkability.city import formats, offices, processes, town
from idservice.linkability.city.formats import Format, Trip
from idservice.linkability.city.offices import InMemory
from idservice.linkability.city.population import Population, Resident
from idservice.linkability.city.town import Town
from idservice.linkability.statistics import Integers
from idservice.linkability.traces import Dissector, Rows, Traces
from idservice.wallet.formats import Occasion

SHARDS: Final = 2
"""Processes that issue in a large city."""
WITHDRAWN_ONE_IN: Final = 2_000
"""Residents who withdraw between two status lists; at this rate a fifth would in a year."""

_BLOCK = 25

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What one process is to do."""

    folder: Path
    format: str
    residents: tuple[Resident, ...]
    total: int
    shard: int
    seed: int
    in_town: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What one process has seen, a row for each of its residents."""

    numbers: tuple[int, ...]
    first: Traces
    second: Traces
    issued: Traces
    recorded: Rows
    store: Rows
    """Everything that the issuer ever wrote, and its keys."""
    allocated: bytes
    statuses: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The traces of a few residents."""

    first: Traces
    second: Traces
    issued: Traces
    recorded: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that anybody could have, a row for each resident in the population's order."""

    first: Traces
    second: Traces
    issued: Traces
    recorded: Rows
    store: Rows
    allocated: bytes
    statuses: bytes


def run(
    folder: Path, population: Population, *, format_id: str, seed: int, progress: Progress
) -> Seen:
    """Let a population be issued and show, and return all traces."""
    total = len(population.residents)
    small = total <= town.MOST
    shards = 1 if small else SHARDS
    specs = [
        Spec(
            folder=folder,
            format=format_id,
            residents=population.residents[shard::shards],
            total=total,
            shard=shard,
            seed=seed,
            in_town=small and formats.FORMATS[format_id].in_town,
        )
        for shard in range(shards)
    ]
    if small:
        return _together([simulate(specs[0], progress)])
    return _together(processes.side_by_side(simulate, specs, progress))


def simulate(spec: Spec, progress: Progress) -> Shard:
    """Do the work of one process."""
    chosen, dissector = formats.FORMATS[spec.format], Dissector()
    walk, at_work = _opened(spec, chosen)
    blocks: list[_Block] = []
    leaving: list[Trip] = []
    for at in range(0, len(spec.residents), _BLOCK):
        residents = spec.residents[at : at + _BLOCK]
        trips = [walk(each) for each in residents]
        leaving += [
            trip
            for each, trip in zip(residents, trips, strict=True)
            if each.number % WITHDRAWN_ONE_IN == WITHDRAWN_ONE_IN // 2
        ]
        blocks.append(_dissected(dissector, trips, chosen.stride))
        progress(len(residents))
    for trip in leaving:
        at_work.withdraw(trip)
    seized = at_work.seize(chosen.configuration)
    return Shard(
        numbers=tuple(each.number for each in spec.residents),
        first=traces.merge([block.first for block in blocks]),
        second=traces.merge([block.second for block in blocks]),
        issued=traces.merge([block.issued for block in blocks]),
        recorded=traces.joined([block.recorded for block in blocks]),
        store=traces.keep([*seized.rows, *_key_files(spec.folder)], stride=traces.WINDOW),
        allocated=seized.allocated,
        statuses=seized.statuses,
    )


def _opened(spec: Spec, chosen: Format) -> tuple[Callable[[Resident], Trip], InMemory | Town]:
    """Open the offices, and say how a resident goes through them."""
    if spec.in_town:
        place = Town(spec.folder, seed=spec.seed)
        return lambda resident: place.walk(chosen, resident), place
    office = InMemory(spec.folder, seed=spec.seed, shard=spec.shard, residents=spec.total)
    ask = offices.chance(spec.seed, f"verifiers {spec.shard}")
    return lambda resident: chosen.walk(office.office, resident, occasions(ask)), office


def occasions(random_bytes: RandomBytes) -> tuple[Occasion, Occasion]:
    """Let two verifiers ask, each with its own nonce and at its own second of a day."""
    first, second = (
        Occasion(
            audience=f"x509_hash:{base64url.encode(hashlib.sha256(name).digest())}",
            nonce=base64url.encode(random_bytes(32)),
            now=UnixSeconds(offices.NOW + int.from_bytes(random_bytes(4), "big") % period.DAY),
        )
        for name in (b"the first verifier", b"the second verifier")
    )
    return first, second


def _dissected(dissector: Dissector, trips: Sequence[Trip], stride: int) -> _Block:
    return _Block(
        first=dissector.gather([trip.shown[0] for trip in trips]),
        second=dissector.gather([trip.shown[1] for trip in trips]),
        issued=dissector.gather([trip.issued for trip in trips]),
        recorded=traces.keep([trip.recorded for trip in trips], stride=stride),
    )


def _key_files(folder: Path) -> list[tuple[bytes, ...]]:
    """Read all keys of the city, the root's among them: whoever seizes everything has them."""
    return [(path.read_bytes(),) for path in sorted(folder.rglob("*.key"))]


def _together(shards: Sequence[Shard]) -> Seen:
    """Put the shards together in the population's order."""
    order = np.argsort(np.concatenate([np.array(shard.numbers) for shard in shards]))
    return Seen(
        first=_ordered(traces.merge([shard.first for shard in shards]), order),
        second=_ordered(traces.merge([shard.second for shard in shards]), order),
        issued=_ordered(traces.merge([shard.issued for shard in shards]), order),
        recorded=_owned(traces.joined([shard.recorded for shard in shards]), order),
        store=traces.joined([shard.store for shard in shards]),
        allocated=_or([shard.allocated for shard in shards]),
        statuses=_or([shard.statuses for shard in shards]),
    )


def _ordered(everything: Traces, order: Integers) -> Traces:
    found = traces.varying(everything)
    return replace(
        found,
        octets={path: rows[order] for path, rows in found.octets.items()},
        lengths={path: rows[order] for path, rows in found.lengths.items()},
        numbers={name: rows[order] for name, rows in found.numbers.items()},
        digests=found.digests[order],
    )


def _owned(rows: Rows, order: Integers) -> Rows:
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Rows(count=rows.count, windows=rows.windows, owners=place[rows.owners])


def _or(lists: Sequence[bytes]) -> bytes:
    both = np.zeros(max(map(len, lists)), dtype=np.uint8)
    for each in lists:
        both[: len(each)] |= np.frombuffer(each, dtype=np.uint8)
    return both.tobytes()
