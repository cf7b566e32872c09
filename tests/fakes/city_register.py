"""The register of a city in memory: whatever its bundle says was decided, as the rules demand.

The board, the log and the witnesses are those of `registers`; only the clock of the witnesses is
lent, so that a notice of thirty days has passed whenever a test wants another policy.
"""

import functools
import hashlib
from collections.abc import Sequence
from datetime import date

from cryptography.hazmat.primitives.asymmetric import ed25519

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps.register import announcing, founding
from idservice.period import DAY
from idservice.register import bundle, change, state
from idservice.register.change import PolicyChange
from idservice.verification import policy
from idservice.verification.policy import Policy
from tests.fakes import registers

SUNSET = date(2045, 1, 1)
OFFLINE_DAYS = 7


class CityRegister:
    """A log that grows with the bundles that are made of it."""

    def __init__(
        self,
        payload: JsonObject,
        *,
        root: ed25519.Ed25519PrivateKey,
        certificate: bytes,
        policies: Sequence[Policy],
        now: UnixSeconds,
    ) -> None:
        self._payload = payload
        self._root = root
        self._certificate = certificate
        self._now = now
        self._earlier: set[int] = set()
        self._policies = {each.id: each for each in policies}
        self._announced: dict[str, JsonObject] = {}
        self._made: dict[bytes, bytes] = {}

    @functools.cached_property
    def city(self) -> registers.City:
        """The log; made when it is asked for, because most tests never do."""
        board = registers.board(
            city=self._payload["city"],
            languages=self._payload["languages"],
            root=base64url.encode(hashlib.sha256(self._certificate).digest()),
            adopted=period.day(self._now).isoformat(),
            sunset=SUNSET.isoformat(),
            offline_days=OFFLINE_DAYS,
        )
        zero = founding.entry_zero(
            board, root=self._root.public_key(), policies=list(self._policies.values())
        )
        return registers.City(charter=board, founding=zero.founding, now=self._now)

    def at(self, now: UnixSeconds) -> None:
        """Let witnesses vouch at another time for what is made from now on."""
        self._now = self.city.now = now

    def bundled(self, signed: bytes) -> bytes:
        """Put the register beside what the root signed, after deciding what is new in it.

        What cannot be decided, such as a second key for one period, is not: a reader refuses it.
        The same again is the same bundle.
        """
        if signed not in self._made:
            self._made[signed] = self._bundled(signed)
        return self._made[signed]

    def _bundled(self, signed: bytes) -> bytes:
        payload = members.any_object(canonical_json.parse_object(signed)["payload"])
        try:
            self._announce(payload)
            self._decide(payload)
        except (CryptoError, KeyError):
            return signed  # nothing that a register could say: a test of the inner bundle
        size = len(self.city.entries)
        data = bundle.write(
            signed,
            entries=self.city.entries,
            head=self.city.note(),
            earlier=sorted(self._earlier - {size}),
        )
        self._earlier.add(size)
        return data

    def _announce(self, payload: JsonObject) -> None:
        new = {}
        for value in members.array(payload["announced"]):
            said = members.any_object(value)
            subject = change.announcement(said).subject
            if subject not in self._announced:
                new[subject] = said
        signed = announcing.entries(new.values(), root=self._root, scope=self.city.scope)
        for each in signed:
            self.city.append(each)
        self._announced |= new

    def _decide(self, payload: JsonObject) -> None:
        wanted = [policy.parse(each) for each in members.array(payload["policies"])]
        new = [each for each in wanted if self._policies.get(each.id) != each]
        if not new:
            return
        in_force = self.city.in_force()
        voted = min(self._now, *(state.end_of(each.expires) - 1 for each in new))
        self.city.now = voted - registers.NOTICE
        proposals = [
            self.city.propose(
                decided,
                base=in_force.version(decided.subject),
                by=period.day(UnixSeconds(self._now + 90 * DAY)),
            )
            for decided in (PolicyChange(policy=each) for each in new)
        ]
        c1 = self.city.note()
        self.city.now = voted
        c2 = self.city.note()
        for proposal in proposals:
            said = self.city.statement(proposal, c2)
            votes = self.city.votes(said, registers.ENOUGH)
            self.city.enact(said, c1=c1, c2=c2, votes=votes)
        self.city.now = self._now
        self._policies |= {each.id: each for each in new}
