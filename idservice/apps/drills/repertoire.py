"""The drills by name, and one of them played on a copy of a city's folder."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from idservice.apps.drills import key_compromise, rehearsal, rotation, sunset, wind_down
from idservice.apps.drills.rehearsal import Rehearsal, Step
from idservice.apps.settings import UnusableSettings


class Drill(StrEnum):
    """What can be played."""

    SUNSET = "sunset"
    ROTATION = "rotation"
    WIND_DOWN = "wind-down"
    KEY_COMPROMISE = "key-compromise"


_PLAYS: Final[Mapping[Drill, Callable[[Rehearsal], None]]] = {
    Drill.SUNSET: sunset.play,
    Drill.ROTATION: rotation.play,
    Drill.WIND_DOWN: wind_down.play,
    Drill.KEY_COMPROMISE: key_compromise.play,
}


def play(
    drill: Drill,
    folder: Path,
    *,
    now: UnixSeconds,
    random_bytes: RandomBytes,
    tell: Callable[[Step], None],
) -> Sequence[Step]:
    """Play a drill; an error in the middle of it is a step that does not hold.

    Args:
        drill: which.
        folder: a demonstration city's; it stays as it is.
        now: with which the drill's clock begins.
        random_bytes: for new keys and cards.
        tell: is given each step as it happens.

    Raises:
        UnusableSettings: no drill can be played on this folder.
    """
    with rehearsal.of(folder, now=now, random_bytes=random_bytes, tell=tell) as copy:
        try:
            _PLAYS[drill](copy)
        except UnusableSettings as error:
            copy.must(f"The drill goes on: {error}.", holds=False)
        return tuple(copy.steps)
