"""A resident with a BBS credential of the fake city, who shows what is asked or anything else.

The wallet's own way of showing stands in `idservice/wallet`; here every part can be made wrong.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from crypto.bbs import jwp
from crypto.bbs.jwp import Issued
from crypto.bbs.signature import SecretKey
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from idservice import catalogue
from idservice.errors import Refusal
from idservice.issuer import claims
from idservice.period import Period
from idservice.verification import showing, status, verify
from idservice.verification.status import KeptLists
from tests.fakes import city as cities
from tests.fakes.city import FakeCity

NONCE = "a-nonce-of-the-library"
LIBRARY = "x509_san_dns:library.example"
PORTRAIT = claims.portrait_claim(b"\xff\xd8\xff\xe0 a small picture \xff\xd9")
RESIDENT: Mapping[str, JsonValue] = {**cities.RESIDENT, "portrait": PORTRAIT}

_BOTH: JsonObject = {
    "formats": [catalogue.BBS_FORMAT, catalogue.FORMAT],
    "status_max_age_s": None,
}


def make(**changes: Mapping[str, JsonValue]) -> FakeCity:
    """Make a city in which every policy takes both formats, BBS first.

    `changes` are members of policies, by their id with underscores.
    """
    city = cities.make()
    policies = city.payload["policies"]
    assert isinstance(policies, list)
    payload: JsonObject = {
        **city.payload,
        "policies": [
            {**one, **_BOTH, **changes.get(str(one["id"]).replace("-", "_"), {})}
            for one in policies
            if isinstance(one, dict)
        ],
    }
    return city.saying(payload)


@functools.cache
def _default() -> FakeCity:
    return make()


def issue(
    says: Mapping[str, JsonValue] = RESIDENT,
    *,
    number: Period | None = None,
    header: bytes | None = None,
    key: SecretKey | None = None,
    resident: str = "Ada",
) -> Issued:
    """Issue a credential, and receive it."""
    city = _default()
    found = city.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=city.period if number is None else number
    )
    assert found is not None
    secret, commitment = jwp.request(random_bytes=cities.chance(f"holder {resident}"))
    text = city.issue_bbs(says, commitment, announced=found, header=header, key=key)
    signer = key or city.bbs_keys[found.period]
    return jwp.receive(text, secret=secret, public_key=signer.public, hashed=found.hashed)


@functools.cache
def credential() -> Issued:
    """Return what the resident holds."""
    return issue()


def question(
    *,
    audience: str = LIBRARY,
    nonce: str = NONCE,
    policy: str = "library-card",
    request_object: str | None = None,
    nym_context: bytes | None = None,
) -> bytes:
    """Write the presentation header that answers a question."""
    if request_object is None:
        request_hash = showing.direct_request_hash(nonce=nonce, policy=policy)
    else:
        request_hash = showing.request_hash(request_object)
    return showing.presentation_header(
        audience=audience, nonce=nonce, request_hash=request_hash, nym_context=nym_context
    )


def show(
    *names: str,
    header: bytes | None = None,
    issued: Issued | None = None,
    nym_context: bytes | None = None,
    key: SecretKey | None = None,
    random_bytes: RandomBytes | None = None,
    seed: str = "showing",
    **asked: str,
) -> str:
    """Show some claims, in answer to a question."""
    city = _default()
    return jwp.present(
        issued or credential(),
        disclosed=[catalogue.BBS_SLOTS.index(name) for name in names],
        presentation_header=header or question(nym_context=nym_context, **asked),
        nym_context=nym_context,
        public_key=(key or city.bbs_keys[city.period]).public,
        hashed=city.announced_bbs.hashed,
        random_bytes=random_bytes or cities.chance(seed),
    )


def context(
    *, label: str = "member", policy: str = "library-card", number: Period | None = None
) -> bytes:
    """Derive the context of a pseudonym at this city."""
    city = _default()
    number = city.period if number is None else number
    return showing.nym_context(label=label, city=city.issuer, policy=policy, period=number)


def reheaded(text: str, place: int = 0, **changes: JsonValue) -> str:
    """Change a header after the proof was made: the presentation's, or at place 1 the issuer's."""
    parts = text.split(".")
    said = canonical_json.parse_object(base64url.decode(parts[place]))
    parts[place] = base64url.encode(canonical_json.serialize({**said, **changes}))
    return ".".join(parts)


def with_slot(text: str, slot: int, payload: bytes) -> str:
    """Put another payload into a slot, or none."""
    parts = text.split(".")
    slots = parts[2].split("~")
    slots[slot] = base64url.encode(payload)
    parts[2] = "~".join(slots)
    return ".".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One verifier's counter: what it asks with, and what it has in hand."""

    city: FakeCity
    policy: str = "library-card"
    audience: str = LIBRARY
    nonce: str = NONCE
    request_hashes: tuple[bytes, ...] | None = None

    def check(self, presentation: str, *, now: int | None = None) -> verify.Accepted:
        return verify.verify_presentation(
            presentation,
            policy=self.city.policies[self.policy],
            audience=self.audience,
            nonce=self.nonce,
            trust=self.city.trust,
            status=KeptLists(),
            now=self.city.now if now is None else UnixSeconds(now),
            request_hashes=self.request_hashes,
        )

    def refusal(self, presentation: str, *, now: int | None = None) -> Refusal | None:
        """Return the code of the refusal; None for an accepted presentation."""
        try:
            self.check(presentation, now=now)
        except verify.PresentationRefused as refused:
            return refused.code
        return None

    def together(self, presentations: Collection[str]) -> list[object]:
        """Return the facts, or the code of the refusal, for each."""
        lists = KeptLists()
        token = self.city.status_token()
        lists.keep(
            status.read(token, uri=self.city.status_uri, trust=self.city.trust, now=self.city.now)
        )
        policy = self.city.policies[self.policy]
        answers = verify.verify_batch(
            [verify.Item(one, policy, self.audience, self.nonce) for one in presentations],
            trust=self.city.trust,
            status=lists,
            now=self.city.now,
            random_bytes=cities.chance("weights"),
        )
        return [
            dict(one.facts) if isinstance(one, verify.Accepted) else one.code for one in answers
        ]
