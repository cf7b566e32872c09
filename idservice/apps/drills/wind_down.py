"""The board ends the programme: after the notice nothing is issued, for good."""

from crypto.instant import UnixSeconds
from idservice.apps.drills.cards import Card
from idservice.apps.drills.rehearsal import Rehearsal, days
from idservice.apps.register.board import Voters
from idservice.register.change import ResumeIssuing, WindDown
from idservice.register.state import Stopped

_TOO_FEW = Voters(seats=("council-1", "community-1"))
_NO_COMMUNITY = Voters(seats=("council-1", "council-2", "agency-1"))


def play(drill: Rehearsal) -> None:
    """Play the end of a programme that its board decides."""
    drill.announce()
    drill.must("Cards are issued.", holds=drill.issue() is not None)
    for said, by in (("Two seats", _TOO_FEW), ("Three seats without the community", _NO_COMMUNITY)):
        drill.must(f"{said} cannot end it.", holds=drill.refused(WindDown(), by=by))
    drill.announce()
    issued: list[Card | None] = []
    drill.decide(WindDown(), meanwhile=lambda: issued.append(drill.issue()))
    card = issued[0]
    drill.must("Cards are issued until the notice has passed.", holds=card is not None)
    drill.say("Then three seats enact it, one of the community among them.")
    stopped = drill.published().in_force.stopped(now=drill.now)
    drill.must("The register says: stopped, wound down.", holds=stopped is Stopped.WOUND_DOWN)
    drill.must("The issuer issues nothing.", holds=drill.issue() is None)
    before = drill.published().trust
    drill.announce()
    same = drill.published().trust.announced == before.announced
    drill.must("No further period can be announced.", holds=same)
    if card is not None:
        drill.must("The last card verifies.", holds=drill.verifies(card))
        late = card.verifies(trust=before, now=UnixSeconds(card.exp - 1))
        drill.must("It verifies to its own date.", holds=late)
        over = not card.verifies(trust=before, now=UnixSeconds(card.exp + days(1)))
        drill.must("And not longer.", holds=over)
    drill.decide(ResumeIssuing())
    drill.must("No later vote resumes it.", holds=drill.issue() is None)
