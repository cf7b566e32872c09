"""A new period: other keys issue, all of them announced before, and old cards keep verifying."""

from crypto.errors import CryptoError
from idservice import period
from idservice.apps.drills.rehearsal import Rehearsal, days
from idservice.apps.register import publication
from idservice.period import Period
from idservice.register import bundle
from idservice.register.bundle import Seen


def play(drill: Rehearsal) -> None:
    """Play the change from one period to the next."""
    drill.announce()
    first = drill.published()
    here = period.of(drill.now)
    old_bundle = (drill.folder / publication.BUNDLE).read_bytes()
    ahead = [each.period for each in first.trust.announced if each.period > here]
    drill.must("Two periods ahead are announced.", holds=len(ahead) >= 2)  # noqa: PLR2004  # as `founding.AHEAD`
    old = drill.issue()
    drill.must(f"A card of period {here} is issued.", holds=old is not None)
    drill.move_to(period.not_before(Period(here + 1)))
    drill.say(f"Period {here + 1} begins.")
    drill.announce()
    second = drill.published()
    newest = max(each.period for each in second.trust.announced)
    drill.must(f"A routine entry announces period {here + 3}.", holds=newest == here + 3)
    drill.must("The bundle's version grows.", holds=second.trust.version > first.trust.version)
    new = drill.issue()
    other = old is not None and new is not None and new.period == old.period + 1
    drill.must("The next card is signed with the key announced before.", holds=other)
    if old is not None and new is not None:
        both = drill.verifies(old) and drill.verifies(new)
        drill.must("Both cards verify with the new bundle.", holds=both)
        known = new.verifies(trust=first.trust, now=drill.now)
        drill.must("The new card verifies for whoever has the old bundle.", holds=known)
    new_bundle = (drill.folder / publication.BUNDLE).read_bytes()
    goes_on = _taken(drill, new_bundle, seen=first.seen)
    drill.must("Whoever has the old bundle takes the new one.", holds=goes_on)
    goes_back = _taken(drill, old_bundle, seen=second.seen)
    drill.must("Nobody goes back to the old one.", holds=not goes_back)
    _twice(drill)


def _twice(drill: Rehearsal) -> None:
    """Announce again: what is there is left alone."""
    before = drill.published()
    drill.wait(days(1))
    after = drill.announce()
    same = after.in_force.size == before.in_force.size
    drill.must("Announcing again adds nothing to the log.", holds=same)


def _taken(drill: Rehearsal, data: bytes, *, seen: Seen) -> bool:
    try:
        bundle.load(data, pin=None, seen=seen, now=drill.now)
    except CryptoError:
        return False
    return True
