"""The city that a wallet trusts: pinned once, gone on from, and never believed beyond its register.

DESIGN, sections 3 and 5. The first bundle pins the city root and the charter, entry 0 of the
register; what the enrolment sheet says is held against them. A later one is taken over only if its
history goes on from the one seen. All of it works offline; a bundle is checked once for each time
that the wallet is opened. How a bundle is checked stands in `register.reading`, what is asked
within it in `question`.
"""

import dataclasses
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from idservice.clock import Clock
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known, Told
from idservice.register.state import Stopped
from idservice.wallet.model import Declined, Unusable, Wallet, understood
from idservice.wallet.ports import WalletStore

_STOPPED: Final[Mapping[Stopped, str]] = MappingProxyType(
    {
        Stopped.SUSPENDED: "the board has suspended it",
        Stopped.WOUND_DOWN: "the city winds the card down",
        Stopped.NO_COMMUNITY: "no community seat has signed anything for a year",
        Stopped.SUNSET: "its charter has ended",
    }
)


class Pinning:
    """What one wallet knows of its city."""

    def __init__(self, store: WalletStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: Known | None = None

    def known(self) -> Known:
        """Return the pinned bundle, checked.

        Raises:
            Unusable: none is pinned.
            Declined: it is refused.
        """
        wallet = self._store.load()
        if not wallet.bundle:
            raise Unusable("The wallet knows no city yet; `wallet receive --trust FILE` pins one.")
        if self._known is None or self._known.data != wallet.bundle:
            told = Told(root=wallet.root_fingerprint)
            with understood("The pinned trust bundle"):
                self._known = knowledge.take(
                    wallet.bundle, pinned=wallet.pinned, told=told, now=self._clock.now()
                )
        return self._known

    def pin(self, data: bytes, *, root: bytes | None, charter: bytes | None) -> Known:
        """Take a newer bundle over; the first one pins root and charter.

        Args:
            data: the bundle's file.
            root: as printed on the enrolment sheet; one of both is needed the first time.
            charter: SHA-256 of entry 0, as printed beside it.

        Raises:
            Unusable: the first bundle, and nothing was told.
            Declined: it is refused, or this wallet has another root or charter pinned.
        """
        wallet = self._store.load()
        _check_told(wallet, root, charter)
        told = Told(root=root, charter=charter)
        with understood("The trust bundle"):
            found = knowledge.take(data, pinned=wallet.pinned, told=told, now=self._clock.now())
        self._store.save(
            dataclasses.replace(
                wallet,
                root_fingerprint=found.trust.root_fingerprint,
                pinned=found.pinned,
                bundle=data,
            )
        )
        self._known = found
        return found

    def unchecked_since(self) -> date | None:
        """Return since when nothing newer could be known, if that is too long ago."""
        return self.known().unchecked_since(now=self._clock.now())

    def check_issuing(self) -> None:
        """Refuse to ask for a card of a city that issues none.

        Raises:
            Declined: and why.
        """
        why = self.known().in_force.stopped(now=self._clock.now())
        if why is not None:
            raise Declined(f"The city issues nothing now: {_STOPPED[why]}.")


def _check_told(wallet: Wallet, root: bytes | None, charter: bytes | None) -> None:
    if wallet.root_fingerprint is None and root is None and charter is None:
        raise Unusable("The first bundle needs the root's fingerprint (enrolment sheet).")
    if root is not None and wallet.root_fingerprint not in {None, root}:
        raise Declined("This wallet has another city root pinned.")
    if charter is not None and wallet.pinned is not None and wallet.pinned.charter != charter:
        raise Declined("This wallet has another charter pinned.")
