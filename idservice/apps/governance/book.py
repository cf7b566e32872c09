"""The log, as the register's office wants it.

Carries out `governance/ports.py`, `LogBook`, on the log that stands in the same process; offices do
not know each other, so their errors meet here.
"""

import os
import signal
from collections.abc import Sequence

from crypto.encoding import base64
from crypto.errors import Refused
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.tree import TreeHead
from idservice.errors import Code, ServiceError
from idservice.governance import ports
from idservice.transparency import model
from idservice.transparency.service import Log


class Book:
    """The log, as the register's office wants it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def size(self) -> int:
        """Return how many entries are recorded, published or not."""
        return self._log.size()

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """Return the recorded entries from number `begin` to before `end`."""
        return self._log.entries(begin, end)

    def head(self, size: int) -> TreeHead:
        """Return the head of the recorded tree at a size; `Refused` beyond what is recorded."""
        if not 0 <= size <= self._log.size():
            raise Refused("the log has fewer entries")
        return self._log.head(size)

    def published(self) -> SignedCheckpoint | None:
        """Return what is to be seen, with its cosignatures."""
        return self._log.published()

    def append(self, entry: bytes, *, expected: int) -> SignedCheckpoint:
        """Append an entry and wait until it is published; return what contains it."""
        try:
            return self._log.append(entry, expected=expected).checkpoint
        except model.Overtaken as error:
            raise ports.Overtaken from error
        except model.NotPublished as error:
            raise ports.Waiting from error
        except model.Busy as error:
            raise ServiceError(Code.BUSY) from error
        except model.Broken as error:
            # what is on disk is known again only after a new start
            os.kill(os.getpid(), signal.SIGTERM)
            raise ServiceError(Code.UNAVAILABLE) from error
        except model.LogError as error:
            raise ServiceError(Code.UNAVAILABLE) from error

    def prove(self, index: int) -> Sequence[str]:
        """Return the inclusion proof of an entry in what is published, in base64."""
        return [base64.encode(each) for each in self._log.receipt(index).proof.path]
