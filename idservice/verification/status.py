"""A status list and its age: whether the credential at an index still stands.

Token Status List, draft-21, sections 8.3 (how a list is read) and 11.5 (a list never goes
backwards). A list is fetched by a timer or read from a file, never because somebody shows a card;
it is checked once when it arrives and looked up from then on. Left out: `ttl`, which says when to
fetch again and not whether to believe (`clients/status_lists.py`), and historical lists
(section 8.4), which would tell when a card was withdrawn.
"""

from typing import Final, Protocol

from crypto.encoding import canonical_json, members
from crypto.errors import Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.status import status_token
from crypto.status.status_token import Shape, StatusToken
from crypto.x509 import chain
from crypto.x509.profile import Role
from idservice.verification.trust import TrustBundle

VerifiedList = StatusToken
"""A list that the city signed for the address at which it was announced; `read` makes it."""

LARGEST_TOKEN: Final = status_token.LARGEST_TOKEN
"""Characters."""

SKEW: Final = 60
"""Seconds by which the clock of the machine that signs lists may be ahead."""


class StatusUnavailable(Refused):
    """No list is at hand that is recent enough to say anything."""


class Withdrawn(Refused):
    """The list says that the credential does not stand any more."""


class StatusLists(Protocol):
    """The lists at hand."""

    def lookup(self, uri: str) -> VerifiedList | None:
        """Return the newest list of exactly this address."""
        ...


class KeptLists:
    """Lists in memory, the newest of each address; a list never goes backwards."""

    def __init__(self) -> None:
        self._newest: dict[str, VerifiedList] = {}

    def keep(self, lst: VerifiedList) -> None:
        """Keep `lst` unless a newer list of its address is known.

        Spec: Token Status List, section 11.5.

        Raises:
            Refused: an older list than one seen before: replayed, whoever sent it.
        """
        known = self._newest.get(lst.uri)
        if known is not None and lst.iat < known.iat:
            raise Refused("an older list than one seen before (Token Status List, 11.5)")
        self._newest[lst.uri] = lst

    def lookup(self, uri: str) -> VerifiedList | None:
        """Return the newest list of exactly this address."""
        return self._newest.get(uri)


def read(token: str, *, uri: str, trust: TrustBundle, now: UnixSeconds) -> VerifiedList:
    """Check a list that has just arrived.

    Spec: Token Status List, sections 5.1 and 8.3.

    Args:
        token: the compact form, as received.
        uri: where it was fetched from; of a file, `address` says which list it claims to be.
        trust: names the city root, and which lists there are.
        now: compared with the list's times and those of its certificate.

    Raises:
        Malformed: something in it does not parse.
        Untrusted: an address that was not announced, or a certificate that is not a status
            certificate of this issuer under the city root.
        CryptoError: as `chain.verify` and `status_token.verify`.

    Not checked: whether a newer list is known (`KeptLists.keep`), and how old this one may be.
    """
    announced = trust.status_lists.get(uri)
    if announced is None:
        raise Untrusted("no list was announced at this address")
    unverified = status_token.parse(token)
    leaf = chain.verify(unverified.x5c, root=trust.root, role=Role.STATUS, now=now)
    if trust.issuer not in leaf.uris:
        raise Untrusted("a status certificate of another issuer")
    shape = Shape(bits=announced.bits, size=announced.size)
    return status_token.verify(unverified, key=leaf.public_key, uri=uri, shape=shape, now=now)


def address(token: str) -> str:
    """Say which list a token, come without an address, claims to be.

    Raises:
        Malformed: something in it does not parse.

    Not checked: anything; `read` compares the address with what is signed.
    """
    return members.text(
        canonical_json.parse_object(status_token.parse(token).jws.payload).get("sub")
    )


def check(
    lists: StatusLists, *, uri: str, index: int, max_age: int | None, now: UnixSeconds
) -> int:
    """Check that the credential at `index` of the list at `uri` stands, and say how sure that is.

    Spec: Token Status List, section 8.3, steps 4 to 6.

    Args:
        lists: those at hand; nothing is fetched.
        uri: the announced address.
        index: not negative.
        max_age: how old the list may be, in seconds; `None` for any that has not run out.
        now: seconds.

    Returns:
        The age of the list in seconds, at least 0.

    Raises:
        StatusUnavailable: no list, one that has run out, is older than `max_age` or comes from
            the future.
        Refused: the list has no such entry.
        Withdrawn: the entry is not 0; what else it is makes no difference.
    """
    lst = lists.lookup(uri)
    if lst is None or lst.exp <= now or lst.iat > now + SKEW:
        raise StatusUnavailable("no list that is valid now (Token Status List, 8.3)")
    age = max(now - lst.iat, 0)
    if max_age is not None and age > max_age:
        raise StatusUnavailable("the list is older than allowed (Token Status List, 8.3)")
    if lst.bits.get(index) != status_token.VALID:
        raise Withdrawn("withdrawn (Token Status List, 7.1)")
    return age
