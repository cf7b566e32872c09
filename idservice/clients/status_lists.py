"""The trust bundle and the status lists, fetched by a timer and kept in a folder.

DESIGN sections 3 to 5: never at a showing, the same addresses for everybody, no redirect. What a
bundle must fulfil stands in `trust_file`; a list must be announced and newer than the one in hand
(Token Status List, sections 8.1, 8.3 and 11.5). Whatever fails leaves what is there in force, to
be tried again at the next turn. `ttl` says when to ask again, because it is signed, and the
transport's cache headers are not. What is read from a file is checked like what comes from the
wire.
"""

import functools
import hashlib
from collections.abc import Callable
from contextlib import closing
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Final

from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.status.status_token import MEDIA_TYPE
from idservice import period
from idservice.clients import exchange, trust_file
from idservice.clients.exchange import Exchanges, NoAnswer
from idservice.clients.trust_file import TrustFile
from idservice.register import bundle
from idservice.register.reading.knowledge import Known
from idservice.verification import status
from idservice.verification.status import KeptLists, VerifiedList
from idservice.verification.trust import AnnouncedStatus, TrustBundle

Fetch = Callable[[str, str, int], bytes]
"""Takes an address, the media type wanted and the most octets that may come."""

TIME_LIMIT: Final = 15.0
"""Seconds that fetching one thing may take."""
BUNDLE_INTERVAL: Final = 3600
"""Seconds between two looks at the bundle."""

_LISTS_FOLDER: Final = "status"
_LIST_OVERHEAD: Final = 32 * 1024
"""Octets of a list beside its entries: header with certificates, times, signature."""


class NotFetched(Exception):
    """The other side did not answer as it should; what is in hand stays in force."""


class PublishedKnowledge:
    """What a verifier knows of the city: the bundle, and the lists that it announces."""

    def __init__(self, folder: Path, *, fetch: Fetch) -> None:
        self._folder = folder
        self._fetch = fetch
        self._file = TrustFile(folder)
        self._lists = KeptLists()
        self._bundle_seen = 0

    def trust(self) -> TrustBundle | None:
        """Return the bundle in hand, if there is one."""
        return None if self._file.known is None else self._file.known.trust

    def known(self) -> Known | None:
        """Return the same with the register inside it."""
        return self._file.known

    def unchecked_since(self, *, now: UnixSeconds) -> date | None:
        """Return since when the bundle in hand could not be checked, if that is too long."""
        return None if self._file.known is None else self._file.known.unchecked_since(now=now)

    def lookup(self, uri: str) -> VerifiedList | None:
        """Return the newest list of exactly this address."""
        return self._lists.lookup(uri)

    def complete(self, *, now: UnixSeconds) -> bool:
        """Say whether the bundle and every list that credentials of today point to are here."""
        trust = self.trust()
        if trust is None:
            return False
        lists = (self._lists.lookup(one.uri) for one in _needed(trust, now))
        return all(one is not None and now < one.exp for one in lists)

    def load(self, *, now: UnixSeconds) -> None:
        """Read bundle and lists from the folder.

        Raises:
            CryptoError: the bundle in the folder does not count; somebody changed it.
        """
        self._file.load(now=now)
        trust = self.trust()
        if trust is None:
            return
        for announced in trust.status_lists.values():
            self._try(functools.partial(self._load_list, announced.uri, trust, now))

    def refresh(self, *, now: UnixSeconds, everything: bool = False) -> bool:
        """Fetch what is due, or `everything`; say whether all of it came.

        This is what the timer calls.
        """
        known = self._file.known
        if known is None:
            return False
        came = True
        if everything or now >= self._bundle_seen + BUNDLE_INTERVAL:
            came = self._try(functools.partial(self._refresh_bundle, known, now))
            known = self._file.known or known
        for announced in _needed(known.trust, now):
            if everything or self._due(announced.uri, now):
                came &= self._try(functools.partial(self._refresh_list, announced, now))
        return came

    @staticmethod
    def _try(act: Callable[[], None]) -> bool:
        try:
            act()
        except (NotFetched, CryptoError, OSError, UnicodeDecodeError):
            return False
        return True

    def _due(self, uri: str, now: UnixSeconds) -> bool:
        known = self._lists.lookup(uri)
        if known is None:
            return True
        return now >= known.iat + (period.DAY if known.ttl is None else known.ttl)

    def _refresh_bundle(self, known: Known, now: UnixSeconds) -> None:
        address = f"{known.trust.issuer}/v1/bundle"
        data = self._fetch(address, "application/json", bundle.LARGEST)
        self._file.take_over(data, now=now)
        self._bundle_seen = now

    def _refresh_list(self, announced: AnnouncedStatus, now: UnixSeconds) -> None:
        trust = self.trust()
        if trust is None:
            return
        limit = announced.size * announced.bits // 4 + _LIST_OVERHEAD
        token = self._fetch(announced.uri, MEDIA_TYPE, limit).decode("ascii")
        self._lists.keep(status.read(token, uri=announced.uri, trust=trust, now=now))
        trust_file.write(self._list_file(announced.uri), token.encode("ascii"))

    def _load_list(self, uri: str, trust: TrustBundle, now: UnixSeconds) -> None:
        """Keep a list from the folder, if it is there, undamaged, and has not run out meanwhile."""
        token = self._list_file(uri).read_text("ascii")
        self._lists.keep(status.read(token, uri=uri, trust=trust, now=now))

    def _list_file(self, uri: str) -> Path:
        return self._folder / _LISTS_FOLDER / f"{hashlib.sha256(uri.encode()).hexdigest()}.jwt"


def _needed(trust: TrustBundle, now: UnixSeconds) -> tuple[AnnouncedStatus, ...]:
    """Return the lists of credentials that may be shown now."""
    return tuple(one.status for one in trust.announced if one.nbf <= now < one.exp)


def over_http(url: str, media_type: str, limit: int) -> bytes:
    """Fetch over HTTP: `https`, or this machine; no redirect, proxy, cookie or compression.

    Raises:
        NotFetched: another status than 200, too many octets, or no answer.
    """
    if not exchange.allowed(url):
        raise NotFetched("the address is neither https nor on this machine")
    try:
        with closing(Exchanges(seconds=TIME_LIMIT)) as exchanges:
            answer = exchanges.send("GET", url, headers={"Accept": media_type}, limit=limit)
    except NoAnswer as error:
        raise NotFetched("no answer as asked") from error
    if answer.status != HTTPStatus.OK:
        raise NotFetched("no answer as asked")
    return answer.body
