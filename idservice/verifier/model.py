"""What a verifier knows: who it is, which requests are open, and what became of them.

DESIGN section 2: an open request lives at most five minutes, a sealed answer can be fetched for
sixty seconds, and neither holds a time or a value that its table could be read by. Policies and
lists are `verification`'s; how these values are sealed into rows is `verifier/protocol.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.instant import UnixSeconds
from idservice.errors import Refusal
from idservice.verification.openid4vp import (
    DNS_PREFIX,
    HASH_PREFIX,
    ResponseMode,
    client_id_for_certificate,
)
from idservice.verification.openid4vp_answer import WalletError

REQUEST_LIFETIME: Final = 300
"""Seconds that a request can be answered."""

ANSWER_LIFETIME: Final = 60
"""Seconds that an answer can be fetched."""

MAX_SERVED: Final = 8
"""Different request objects of one question; each may be answered by a BBS showing."""

NOT_VALID: Final = "not_valid"
"""Over HTTP, `expired` and `withdrawn` are one code: nobody learns which of the two it was."""

_MERGED: Final[Mapping[Refusal, str]] = {
    Refusal.EXPIRED: NOT_VALID,
    Refusal.WITHDRAWN: NOT_VALID,
}


def public_code(refusal: Refusal) -> str:
    """Return the code that the outside learns."""
    return _MERGED.get(refusal, refusal.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One verifier: its name towards wallets, its certificate, its address."""

    client_id: str
    x5c: tuple[bytes, ...]
    base_url: str
    policies: frozenset[str]
    redirect_uris: frozenset[str]

    def __post_init__(self) -> None:
        host = urlsplit(self.base_url).hostname
        if self.client_id.startswith(HASH_PREFIX):
            if self.client_id != client_id_for_certificate(self.x5c[0]):
                raise ValueError("the client identifier names another certificate")
        elif self.client_id != f"{DNS_PREFIX}{host}":
            # OpenID4VP 1.0, 5.9.3: otherwise wallets would refuse every request of ours
            raise ValueError("the client identifier names another host than the base address")
        for uri in self.redirect_uris:
            check_redirect_uri(uri)


def check_redirect_uri(uri: str) -> None:
    """Refuse to send a holder's browser anywhere but to `https`, or to this machine.

    Raises:
        ValueError: without a host, with a fragment, or in the clear to another machine.
    """
    parts = urlsplit(uri)
    local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"}
    if not parts.hostname or parts.fragment or not (parts.scheme == "https" or local):
        raise ValueError("a redirect address begins with https:// and has no fragment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a counter wants to start; it names a policy and can name no claim."""

    policy: str
    response_mode: ResponseMode
    redirect_uri: str | None
    credential_format: str | None = None
    """`None`: the first that the policy takes."""


class Presented(NamedTuple):
    """One presentation to check at once, and what its caller asked."""

    policy: str
    presentation: str
    nonce: str
    audience: str

    @override
    def __repr__(self) -> str:
        return f"Presented(policy={self.policy!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What the counter gets back: what to show the resident, and how to fetch the answer."""

    authorization_request: str
    answer_secret: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A question that may be answered once."""

    policy: str
    credential_format: str
    response_mode: ResponseMode
    nonce: str
    state: str
    expires: UnixSeconds
    answer_key: bytes
    passing_key: ec.EllipticCurvePrivateKey | None = field(repr=False)
    redirect_uri: str | None
    served: tuple[bytes, ...]
    """Hashes of the request objects handed out; a BBS showing names the one that it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An accepted presentation: what the policy lists, and nothing else."""

    policy: str
    facts: Mapping[str, JsonValue] = field(repr=False)
    status_age_s: int | None
    """`None` for a format that has no status list."""
    pseudonym: bytes | None = field(default=None, repr=False)
    """Where the policy has a label and the holder agreed; nothing hangs on it."""
    not_checked_since: date | None = None
    """Where the verifier has not heard from the register for longer than its charter allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A presentation that does not count, by its public code."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingShown:
    """The wallet answered that it shows nothing."""

    error: WalletError


Verdict = Shown | Refused | NothingShown
"""What became of a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Nobody has answered yet."""

    until: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A verdict as its creator fetches it, once, with the response code if there is one."""

    body: JsonObject = field(repr=False)
    until: UnixSeconds
    response_code_sha256: bytes | None
