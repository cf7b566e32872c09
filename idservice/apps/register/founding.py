"""Found a register: entry 0 is the charter, and all that is in force because it says so.

DESIGN, section 5. The city root may log what each new period announces (a delegation, until the
charter's end); the software, its inventory, its parameters and the claims in a card are listed;
policies of verifiers that are there from the beginning stand beside them. Everything later takes
the whole road. What a charter says stands in `charters`; how an entry is logged in `city_log`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.log.ed25519 import PublicKey
from idservice import catalogue, period
from idservice.apps.register import announcing, charters, city_log, publication, software
from idservice.apps.register.charters import Terms
from idservice.apps.register.city_log import NotWitnessed
from idservice.apps.register.publication import Publisher
from idservice.apps.settings import UnusableSettings
from idservice.apps.transparency import log
from idservice.clock import SetClock
from idservice.register import change, entry, wire
from idservice.register.approval import Scope
from idservice.register.bundle import Loaded
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

_HOURS: Final = 24
_STATUS_DAYS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """With what a register begins."""

    terms: Terms | None
    """None for a demonstration, which makes its own."""
    sandbox: bool
    """For a demonstration: with a notice of seconds."""
    announced: Sequence[JsonObject]
    """The first periods' keys."""
    policies: Sequence[Policy]


def found(
    folder: Path,
    publisher: Publisher,
    beginning: Beginning,
    *,
    now: UnixSeconds,
    random_bytes: RandomBytes,
) -> Loaded | None:
    """Make the log in a city's folder, log entry 0 and the first keys, and publish the bundle.

    Args:
        folder: the city's, with nothing of a register in it.
        publisher: the city and its root.
        beginning: what entry 0 says.
        now: the present time.
        random_bytes: for the keys of the log, and of a demonstration's seats and witnesses.

    Returns:
        The bundle; None where everything is recorded and witnesses elsewhere have not cosigned it
        yet, because they do not know this log: `publication.publish` goes on from there.

    Raises:
        UnusableSettings: there is a register, or what is wished may not be.
    """
    city, day = publisher.city, period.day(now)
    origin = f"{city.issuer.partition('://')[2]}/register"
    terms = beginning.terms or charters.demonstration(
        folder, origin=origin, sandbox=beginning.sandbox, day=day, random_bytes=random_bytes
    )
    charter = charters.complete(
        terms,
        city=city.name,
        languages=city.languages,
        log=log.found(
            folder / city_log.FOLDER,
            origin=origin,
            witnesses=terms.addresses,
            quorum=terms.quorum,
            random_bytes=random_bytes,
        ),
        root=publisher.root.certificate.fingerprint(hashes.SHA256()),
        day=day,
    )
    root = publisher.root.key
    zero = entry_zero(charter, root=root.public_key(), policies=beginning.policies)
    scope = Scope(log=origin, charter=entry.entry_digest(wire.write(zero)))
    first = announcing.entries(beginning.announced, root=root, scope=scope)
    with city_log.opened(folder, clock=SetClock(now)) as held:
        try:
            held.append(zero, *first)
            return publication.publish(folder, held, publisher, now=now)
        except NotWitnessed:
            return None


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
                label=announcing.LABEL,
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
