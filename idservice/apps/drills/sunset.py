"""The charter ends: nothing is issued, nobody may ask, and signatures verify to their own date."""

from dataclasses import replace

from crypto.instant import UnixSeconds
from idservice.apps.drills.cards import Card
from idservice.apps.drills.rehearsal import Rehearsal, days
from idservice.register.change import Change, CharterChange
from idservice.register.state import Stopped, end_of


def play(drill: Rehearsal) -> None:
    """Play the last weeks of a charter, and the weeks after."""
    board = drill.published().in_force.charter
    end = end_of(board.sunset)
    drill.say(f"The charter ends with {board.sunset}. The board has not extended it.")
    drill.move_to(UnixSeconds(end - days(45)))
    drill.publish()
    _community_signs(drill)
    drill.move_to(UnixSeconds(end - days(1)))
    drill.announce()
    card = drill.issue()
    drill.must("On its last day a card is still issued.", holds=card is not None)
    drill.move_to(end)
    drill.publish()
    stopped = drill.published().in_force.stopped(now=drill.now)
    drill.must("The register says: stopped, sunset.", holds=stopped is Stopped.SUNSET)
    drill.must("The issuer issues nothing.", holds=drill.issue() is None)
    starts = drill.issuer_starts()
    drill.must("Its process still starts: for who withdraws, and for lists.", holds=starts)
    asked = drill.published().in_force.policies
    drill.must("No policy is in force: nobody may ask for a card.", holds=not asked)
    before = drill.published().trust
    drill.announce()
    same = drill.published().trust.announced == before.announced
    drill.must("No further period can be announced.", holds=same)
    if card is not None:
        _verifies_to_its_date(drill, card)


def _community_signs(drill: Rehearsal) -> None:
    """Decide something small: without the community for a year nothing were issued anyway."""
    silent = drill.published().in_force.stopped(now=drill.now)
    if silent is Stopped.NO_COMMUNITY:
        drill.say("The community had not signed for a year, so nothing was issued until now.")
    drill.decide(_the_same(drill))
    alive = drill.published().in_force.stopped(now=drill.now) is None
    drill.must("The community signs once more, and issuing goes on.", holds=alive)


def _the_same(drill: Rehearsal) -> Change:
    """Return a decision that changes nothing but the days that a bundle works offline."""
    charter = drill.published().in_force.charter
    days_offline = charter.offline_days - 1 if charter.offline_days > 1 else 2
    return CharterChange(charter=replace(charter, offline_days=days_offline))


def _verifies_to_its_date(drill: Rehearsal, card: Card) -> None:
    kept = drill.published().trust
    drill.must("The signature on the card of yesterday verifies.", holds=drill.verifies(card))
    drill.move_to(UnixSeconds(card.exp - 1))
    drill.publish()
    drill.must("It verifies until its own date.", holds=drill.verifies(card))
    offline = card.verifies(trust=kept, now=drill.now)
    drill.must("It also verifies for whoever took no newer bundle.", holds=offline)
    drill.move_to(UnixSeconds(card.exp + days(1)))
    drill.must("After its date it does not.", holds=not card.verifies(trust=kept, now=drill.now))
