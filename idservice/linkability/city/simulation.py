"""Let everybody in a founded city be issued a card and show it twice, and hand over all traces.

A city is issued to by the office in memory (`offices.py`), a town by offices as they run
(`town.py`). Who they are stands in `population.py`, how one resident goes through it in
`formats.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from idservice.linkability import meetings, traces
from idservice.linkability.city.formats import Format, Trip
from idservice.linkability.city.offices import InMemory
from idservice.linkability.city.population import Population
from idservice.linkability.city.town import Town
from idservice.linkability.meetings import Rows
from idservice.linkability.traces import Dissector, Traces

WITHDRAWN_ONE_IN: Final = 2_000
"""Residents who withdraw between two status lists; at this rate a fifth would in a year."""

_BLOCK = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that anybody could have, a row for each resident in the population's order."""

    first: Traces
    second: Traces
    issued: Traces
    recorded: Rows
    store: Rows
    """Everything that the offices ever wrote, and all keys."""
    allocated: bytes
    statuses: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The traces of a few residents."""

    first: Traces
    second: Traces
    issued: Traces
    recorded: Rows


def run(
    folder: Path,
    population: Population,
    chosen: Format,
    *,
    in_town: bool,
    seed: int,
    progress: Callable[[int], None],
) -> Seen:
    """Let a population be issued and show, and return all traces.

    Args:
        folder: of a founded city that nobody was issued to.
        population: who lives there.
        chosen: the credential format.
        in_town: whether offices as they run issue and take it; else the office in memory.
        seed: of all salts, nonces and proofs.
        progress: is told how many residents are done.
    """
    place = (Town if in_town else InMemory)(folder, chosen, seed=seed)
    dissector = Dissector()
    blocks: list[_Block] = []
    leaving: list[Trip] = []
    for at in range(0, len(population.residents), _BLOCK):
        residents = population.residents[at : at + _BLOCK]
        trips = [place.walk(each) for each in residents]
        leaving += [
            trip
            for each, trip in zip(residents, trips, strict=True)
            if each.number % WITHDRAWN_ONE_IN == WITHDRAWN_ONE_IN // 2
        ]
        blocks.append(_dissected(dissector, trips, chosen.stride))
        progress(len(residents))
    for trip in leaving:
        place.withdraw(trip)
    seized = place.seize()
    return Seen(
        first=traces.varying(traces.merge([block.first for block in blocks])),
        second=traces.varying(traces.merge([block.second for block in blocks])),
        issued=traces.varying(traces.merge([block.issued for block in blocks])),
        recorded=meetings.joined([block.recorded for block in blocks]),
        store=meetings.keep([*seized.rows, *_key_files(folder)], stride=traces.WINDOW),
        allocated=seized.allocated,
        statuses=seized.statuses,
    )


def _dissected(dissector: Dissector, trips: Sequence[Trip], stride: int) -> _Block:
    return _Block(
        first=dissector.gather([trip.shown[0] for trip in trips]),
        second=dissector.gather([trip.shown[1] for trip in trips]),
        issued=dissector.gather([trip.issued for trip in trips]),
        recorded=meetings.keep([trip.recorded for trip in trips], stride=stride),
    )


def _key_files(folder: Path) -> list[tuple[bytes, ...]]:
    """Read all keys of the city and its verifiers: whoever seizes everything has the root's too."""
    return [(path.read_bytes(),) for path in sorted(folder.parent.rglob("*.key"))]
