"""A holder who shows what is asked, or anything else: presentations made against a fake city."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding.canonical_json import JsonValue
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import key_binding, present, sd_jwt
from idservice.errors import Refusal
from idservice.verification import status, verify
from idservice.verification.status import KeptLists
from tests.fakes import city as cities
from tests.fakes.city import FakeCity

NONCE = "a-nonce-of-the-library"
INDEX = 4711


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One verifier's counter: what it asks with, and what it has in hand."""

    city: FakeCity
    policy: str = "library-card"
    audience: str = "x509_san_dns:library.example"
    nonce: str = NONCE
    lists: KeptLists = field(default_factory=KeptLists)

    def check(self, presentation: str, *, now: int | None = None) -> verify.Accepted:
        return verify.verify_presentation(
            presentation,
            policy=self.city.policies[self.policy],
            audience=self.audience,
            nonce=self.nonce,
            trust=self.city.trust,
            status=self.lists,
            now=self.city.now if now is None else UnixSeconds(now),
        )

    def refusal(self, presentation: str, *, now: int | None = None) -> Refusal | None:
        """Return the code of the refusal; None for an accepted presentation."""
        try:
            self.check(presentation, now=now)
        except verify.PresentationRefused as refused:
            return refused.code
        return None


def counter(city: FakeCity, *, withdrawn: Collection[int] = (), **changes: Any) -> Counter:
    """Open a counter that has today's status list."""
    lists = KeptLists()
    token = city.status_token(withdrawn)
    lists.keep(status.read(token, uri=city.status_uri, trust=city.trust, now=city.now))
    return Counter(city=city, lists=lists, **changes)


def show(
    city: FakeCity,
    *names: str,
    claims: Mapping[str, JsonValue] = cities.RESIDENT,
    index: int = INDEX,
    audience: str = "x509_san_dns:library.example",
    nonce: str = NONCE,
    now: int | None = None,
    alter: Callable[[str], str] = lambda credential: credential,
    holder: ec.EllipticCurvePrivateKey | None = None,
    **issuing: Any,
) -> str:
    """Issue a credential and show some of its claims; `alter` may spoil it in between."""
    key = holder or cities.holder_key()
    credential = city.issue(claims, key.public_key(), index, **issuing)
    return bind(
        choose(alter(credential), *names),
        audience=audience,
        nonce=nonce,
        now=city.now if now is None else now,
        holder=key,
    )


def choose(credential: str, *names: str) -> str:
    """Keep the disclosures of these claims, and of what holds them."""
    parsed = sd_jwt.parse(credential)
    assert isinstance(parsed, sd_jwt.SdJwt)
    return present.present(parsed, paths=[tuple(name.split(".")) for name in names])


def bind(
    text: str,
    *,
    audience: str = "x509_san_dns:library.example",
    nonce: str = NONCE,
    now: int = cities.NOW,
    holder: ec.EllipticCurvePrivateKey | None = None,
) -> str:
    """Answer the counter's question."""
    return key_binding.sign(
        text,
        nonce=nonce,
        audience=audience,
        now=UnixSeconds(now),
        signer=jws.es256_signer(holder or cities.holder_key()),
    )
