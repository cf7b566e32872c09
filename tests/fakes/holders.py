"""A resident with a wallet at work: everything in memory, a clock that stands still."""

from dataclasses import dataclass, field

from crypto.encoding.canonical_json import JsonValue
from crypto.instant import UnixSeconds
from idservice import catalogue
from idservice.wallet.model import Card
from idservice.wallet.service import WalletService
from tests.fakes import city as fake_city
from tests.fakes import wire as fake_wire
from tests.fakes.city import FakeCity
from tests.fakes.wallet_store import MemoryStore
from tests.fakes.wire import FakeWire


@dataclass(slots=True)
class FixedClock:
    """A clock that a test moves."""

    time: UnixSeconds

    def now(self) -> UnixSeconds:
        return self.time


@dataclass(slots=True, kw_only=True)
class Holder:
    """A wallet and everything around it."""

    city: FakeCity
    wire: FakeWire
    store: MemoryStore
    clock: FixedClock
    pauses: list[int] = field(default_factory=list)
    """How much had been sent at each pause."""
    service: WalletService = field(init=False)

    def __post_init__(self) -> None:
        self.service = WalletService(
            store=self.store,
            wire=self.wire,
            clock=self.clock,
            random_bytes=fake_city.chance("wallet"),
            pause=lambda: self.pauses.append(len(self.wire.sent)),
        )

    def receive(self, link: str | None = None, code: str = fake_wire.TRANSACTION_CODE) -> Card:
        link = link or fake_wire.offer_link(fake_wire.offer(self.city))
        return self.service.receive(link, transaction_code=lambda: code)

    def receive_bbs(self, code: str = fake_wire.TRANSACTION_CODE) -> Card:
        offer = fake_wire.offer(self.city, configuration=catalogue.BBS_CONFIGURATION)
        return self.receive(fake_wire.offer_link(offer), code)


def taking_bbs(city: FakeCity, *, label: str | None = "member") -> FakeCity:
    """Return the city with all its policies taking either format, the library's with a label."""
    policies = city.payload["policies"]
    assert isinstance(policies, list)
    changed: list[JsonValue] = []
    for one in policies:
        assert isinstance(one, dict)
        both = {"formats": [*reversed(catalogue.FORMATS)], "status_max_age_s": None}
        named = {"pseudonym": label} if one["id"] == "library-card" else {}
        changed.append({**one, **both, **named})
    return city.saying({**city.payload, "policies": changed})


def make(city: FakeCity) -> Holder:
    """Return a holder who has pinned the city's bundle and holds nothing yet."""
    holder = Holder(
        city=city, wire=FakeWire(city=city), store=MemoryStore(), clock=FixedClock(city.now)
    )
    holder.service.pin(city.bundle, root_fingerprint=city.trust.root_fingerprint)
    return holder
