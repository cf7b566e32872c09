"""Entry 0: the charter, and all that is in force from the beginning because it says so.

DESIGN, section 5. The city root may log what each new period announces (a delegation, until the
charter's end); the software, its inventory, its parameters and the claims in a card are listed;
policies of verifiers that are there from the beginning stand beside them. Everything later takes
the whole road. What a charter says stands in `charters`; logging it in `city_log`.
"""

import functools
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.log.ed25519 import PublicKey
from idservice import catalogue, period
from idservice.apps.register import software
from idservice.apps.settings import UnusableSettings
from idservice.register import change
from idservice.register.change import (
    Change,
    ClaimChange,
    Delegation,
    Parameters,
    PolicyChange,
    Routine,
)
from idservice.register.charter import Charter
from idservice.register.entry import MOST_FOUNDING, CharterEntry, Founding
from idservice.verification.policy import Policy

ANNOUNCEMENTS: Final = "announcements"
"""Label of the delegation under which the city root announces the periods' keys."""

_HOURS: Final = 24
_STATUS_DAYS: Final = 7


def entry_zero(
    charter: Charter, *, root: Ed25519PublicKey, policies: Sequence[Policy]
) -> CharterEntry:
    """Put entry 0 together.

    Args:
        charter: from `charters.complete`.
        root: the city root's key, which may announce.
        policies: in force from the beginning; each ends with itself.

    Raises:
        UnusableSettings: a policy outlives the charter, or there are too many.
    """
    decided: list[Founding] = [
        Founding(change=each, in_force_until=charter.sunset)
        for each in (
            Delegation(
                label=ANNOUNCEMENTS,
                key=PublicKey(root.public_bytes_raw()),
                routine=(Routine.ANNOUNCEMENT,),
                most=change.MOST_ROUTINE,
                until=charter.sunset,
            ),
            *_constants(),
        )
    ]
    for policy in policies:
        if policy.expires > charter.sunset:
            raise UnusableSettings(f"the policy {policy.id} outlives the charter")
        decided.append(Founding(change=PolicyChange(policy=policy), in_force_until=policy.expires))
    if len(decided) > MOST_FOUNDING:
        raise UnusableSettings("more policies than a founding can decide; propose them later")
    return CharterEntry(charter=charter, founding=tuple(decided))


@functools.cache
def _constants() -> tuple[Change, ...]:
    return (
        software.component(),
        software.listed(),
        Parameters(
            period_days=period.LENGTH // period.DAY,
            grace_days=period.GRACE // period.DAY,
            status_every_h=_HOURS,
            status_lifetime_h=_STATUS_DAYS * _HOURS,
        ),
        *(ClaimChange(claim=each, issued=True) for each in catalogue.PUBLIC_CLAIMS),
    )
