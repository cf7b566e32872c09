"""What the wallet needs from outside: a place to be kept, and a wire.

The file is `storage/wallet.py`, the wire `clients/openid.py`; tests use fakes of both.
"""

from typing import Protocol

from idservice.wallet.model import Request, Response, Wallet


class WalletStore(Protocol):
    """Keeps one wallet; nobody else reads or writes it meanwhile."""

    def load(self) -> Wallet:
        """Return what was saved last, or an empty wallet."""
        ...

    def save(self, wallet: Wallet) -> None:
        """Put `wallet` in the place of the last one; it survives a crash once this returns."""
        ...


class Wire(Protocol):
    """Sends one request and waits for its answer."""

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises:
            Unusable: nobody answered, the address is not allowed, or the answer is too long.
        """
        ...
