"""Routine entries: the city root logs what a new period announces, and nothing else.

DESIGN, section 5. The delegation stands in entry 0 (`founding`); its limits are checked by the
fold. What is logged already is left alone, so that an interrupted announcing goes on where it
ended. Which keys a period has is decided in `apps.founding`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.encoding.canonical_json import JsonObject
from idservice import period
from idservice.apps.register.city_log import CityLog
from idservice.apps.settings import UnusableSettings
from idservice.period import Period
from idservice.register import approval, change, state
from idservice.register.approval import Scope
from idservice.register.entry import RoutineEntry
from idservice.register.state import InForce, Stopped

_FOR_GOOD: Final = (Stopped.WOUND_DOWN, Stopped.SUNSET)

LABEL: Final = "announcements"
"""Of the delegation under which the city root announces the periods' keys."""


def entries(
    said: Iterable[JsonObject], *, root: Ed25519PrivateKey, scope: Scope
) -> Sequence[RoutineEntry]:
    """Return signed routine entries.

    Args:
        said: as `trust.announce` and `trust.announce_bbs` write it.
        root: the city root's key.
        scope: of the register.
    """
    signed = []
    for each in said:
        announced = change.announcement(each)
        message = approval.routine_message(LABEL, announced, scope=scope)
        signed.append(
            RoutineEntry(delegation=LABEL, change=announced, signature=root.sign(message))
        )
    return signed


def is_open(in_force: InForce, number: Period) -> bool:
    """Say whether keys for a period can be announced: not beyond the charter, nor after its end."""
    begins = period.not_before(number)
    over = in_force.stopped(now=in_force.latest) in _FOR_GOOD
    return not over and begins < state.end_of(in_force.charter.sunset)


def log_missing(held: CityLog, said: Iterable[JsonObject], *, root: Ed25519PrivateKey) -> None:
    """Log what was not announced yet.

    Raises:
        UnusableSettings: something else was announced for the same configuration and period, or
            as `CityLog.append`.
    """
    known = held.in_force().announced
    missing = []
    for each in said:
        announced = change.announcement(each)
        before = known.get((announced.configuration, announced.period))
        if before is None:
            missing.append(each)
        elif before != announced:
            raise UnusableSettings("the register announces another key for a period")
    if missing:
        held.append(*entries(missing, root=root, scope=held.register.scope))
