"""A wallet's store in memory, and one that dies at a chosen moment."""

from collections.abc import Callable
from dataclasses import dataclass, field

from idservice.storage import wallet as storage
from idservice.wallet.model import Wallet


@dataclass(slots=True)
class MemoryStore:
    """Keeps what was saved as the octets that the file would hold."""

    content: bytes = storage.write(Wallet())
    saves: int = 0
    before_save: Callable[[int], None] = field(default=lambda _count: None)

    def load(self) -> Wallet:
        return storage.parse(self.content)

    def save(self, wallet: Wallet) -> None:
        self.before_save(self.saves + 1)
        self.content = storage.write(wallet)
        self.saves += 1
