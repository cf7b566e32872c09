"""A resident who does not exist: issued a card in a drill, and shows it to whoever asks.

Whether one may be made is asked as the issuer's process asks it (`apps.issuer.Folder`), with the
key that it would take; the card is made by the issuer's own functions. Checking is the one core
of every verifier (`verification.verify`). What is asked of both stands in the drills.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.sdjwt import key_binding, present, sd_jwt
from crypto.sdjwt.sd_jwt import SdJwt
from crypto.sealed import handle
from idservice import catalogue, period
from idservice.apps import issuer, settings
from idservice.clock import Clock
from idservice.issuer import formats
from idservice.issuer.claims import Person
from idservice.issuer.model import Entitlement
from idservice.period import Period
from idservice.verification import verify
from idservice.verification.trust import TrustBundle
from idservice.verification.verify import PresentationRefused

CONFIGURATION: Final = catalogue.CONFIGURATION

_AUDIENCE: Final = "https://drill.example"
_NONCE: Final = "drill"
_INDEX: Final = 0
"""Drills look at no status list."""
_SHOWN: Final = [("resident",)]
_PERSON: Final = Person(
    given_name="Drill", family_name="Person", birth_date=date(1980, 1, 1), locality="Nowhere"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A credential and its holder's key."""

    period: Period
    exp: UnixSeconds
    credential: SdJwt = field(repr=False)
    holder: ec.EllipticCurvePrivateKey = field(repr=False)

    def verifies(self, *, trust: TrustBundle, now: UnixSeconds) -> bool:
        """Show it to a verifier who has this bundle, and say whether it was accepted."""
        shown = key_binding.sign(
            present.present(self.credential, paths=_SHOWN),
            nonce=_NONCE,
            audience=_AUDIENCE,
            now=now,
            signer=jws.es256_signer(self.holder),
        )
        try:
            verify.verify_credential(shown, audience=_AUDIENCE, nonce=_NONCE, trust=trust, now=now)
        except PresentationRefused:
            return False
        return True


def issue(folder: Path, *, clock: Clock, random_bytes: RandomBytes) -> Card | None:
    """Ask the issuer for a card; None where it issues nothing.

    Args:
        folder: the city's.
        clock: the drill's.
        random_bytes: for handle, salts and the holder's key.
    """
    now = clock.now()
    here = period.of(now)
    told = settings.issuer(folder / "issuer", environ={})
    office = issuer.Folder(told, clock=clock)
    key = office.issuing(here, CONFIGURATION)
    if key is None or not office.may_issue(here, CONFIGURATION, now=now):
        return None
    holder = jwk.generate(random_bytes=random_bytes)
    entitlement = Entitlement(
        person=_PERSON,
        handle=handle.handle(handle.new_slip(random_bytes=random_bytes)),
        enrolled_until=date(period.day(now).year + 1, 1, 1),
        period=here,
        configuration=CONFIGURATION,
        renewal=False,
    )
    (text,) = formats.issue_sd_jwt(
        key,
        entitlement,
        [(holder.public_key(), _INDEX)],
        on=period.day(now),
        random_bytes=random_bytes,
    )
    credential = sd_jwt.parse(text)
    assert isinstance(credential, SdJwt)  # noqa: S101  # just issued, without key binding
    return Card(period=here, exp=key.announced.exp, credential=credential, holder=holder)
