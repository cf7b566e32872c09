"""A verifier's knowledge of the city, set by hand; implements `verifier/ports.py`, `Knowledge`."""

from collections.abc import Collection
from datetime import date

from crypto.instant import UnixSeconds
from idservice.verification import status
from idservice.verification.status import VerifiedList
from idservice.verification.trust import TrustBundle
from tests.fakes.city import FakeCity


class FakeKnowledge:
    def __init__(self, bundle: TrustBundle | None) -> None:
        self.bundle = bundle
        self.lists: dict[str, VerifiedList] = {}
        self.unchecked: date | None = None

    def trust(self) -> TrustBundle | None:
        return self.bundle

    def lookup(self, uri: str) -> VerifiedList | None:
        return self.lists.get(uri)

    def complete(self, *, now: UnixSeconds) -> bool:
        return self.bundle is not None and all(now < one.exp for one in self.lists.values())

    def unchecked_since(self, *, now: UnixSeconds) -> date | None:
        assert now > 0
        return self.unchecked

    def learn(self, city: FakeCity, withdrawn: Collection[int] = ()) -> None:
        """Take the present list of the city."""
        token = city.status_token(withdrawn)
        uri = city.status_uri
        self.lists[uri] = status.read(token, uri=uri, trust=city.trust, now=city.now)


def of(city: FakeCity) -> FakeKnowledge:
    known = FakeKnowledge(city.trust)
    known.learn(city)
    return known
