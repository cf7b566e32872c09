"""A city whose board decided on a thousand policies, and the bundle that proves it.

Everything is walked as it is: each policy is proposed, waits out its notice by the witnesses' time
and is voted on by itself; only the clock is moved. The log has a summary at its end, so the bundle
leaves out what nobody offline needs.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.material import AUDIENCE, BASE, POLICY, VCT
from crypto.encoding.canonical_json import JsonObject
from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps import city_folder, founding, settings
from idservice.apps.city_folder import Root
from idservice.apps.founding import Chances
from idservice.apps.register import board, city_log, publication
from idservice.apps.register.board import ENOUGH, Intent
from idservice.apps.register.city_log import CityLog
from idservice.apps.register.publication import Publisher
from idservice.apps.register.road import Road
from idservice.apps.settings import City
from idservice.clock import SetClock
from idservice.register import entry
from idservice.register.change import PolicyChange
from idservice.register.entry import Digest
from idservice.verification import policy

RESIDENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A city's bundle, and its root."""

    bundle: bytes
    root: Root


def make(folder: Path, *, policies: int, now: UnixSeconds) -> Registered:
    """Found a city a month ago, and let its board decide on policies since."""
    begun = UnixSeconds(now - 31 * period.DAY)
    chances = Chances(now=begun, random_bytes=os.urandom)
    city = City(name="Exampleton", issuer=BASE, languages=["en"], demonstration=True)
    founding.found_city(folder, city, residents=RESIDENTS, chances=chances)
    clock = SetClock(begun)
    root = city_folder.read_root(folder)
    told = settings.issuer(folder / "issuer", environ={}).city
    with city_log.opened(folder, clock=clock) as held:
        _decide(folder, held, clock, _policies(policies, now))
        publication.publish(
            folder, held, Publisher(city=told, root=root), now=UnixSeconds(clock.now())
        )
    return Registered(bundle=(folder / publication.BUNDLE).read_bytes(), root=root)


def _policies(number: int, now: UnixSeconds) -> Sequence[PolicyChange]:
    expires = (period.day(now) + timedelta(days=365)).isoformat()
    said: JsonObject = {**POLICY, "vct": VCT, "client_ids": [AUDIENCE], "expires": expires}
    return [
        PolicyChange(policy=policy.parse({**said, "id": f"library-card-{each}"}))
        for each in range(number)
    ]


def _decide(folder: Path, held: CityLog, clock: SetClock, changes: Sequence[PolicyChange]) -> None:
    seats = board.read(folder)
    if seats is None:
        raise RuntimeError("a demonstration has a board")

    def wait(seconds: int) -> None:
        clock.set(UnixSeconds(clock.now() + seconds))

    scope, seat = held.register.scope, ENOUGH.seats[0]
    proposals = [
        seats.propose(
            Intent(
                change=each,
                base=0,
                in_force_until=each.policy.expires,
                enact_by=each.policy.expires,
                impact_note=hashlib.sha256(b"none").digest(),
            ),
            seat=seat,
            scope=scope,
        )
        for each in changes
    ]
    first = held.append(*proposals)
    digests: list[Digest] = [
        entry.entry_digest(each) for each in held.entries[first : first + len(proposals)]
    ]
    c1 = held.cosigned(anew=True).note
    wait(held.register.charter.notice_s + 1)
    road = Road(held=held, board=seats, clock=clock, wait=wait)
    road.enact(digests, c1=c1, by=ENOUGH)
