"""A witness: it cosigns a log's head only if it extends the last one it cosigned.

C2SP tlog-witness, `add-checkpoint`, in its order of checks. Decide, record, sign, hand over: the
row is written before the cosignature exists, and only if nobody else changed it meanwhile. An
unchanged head is cosigned again, with the present time.
"""

from collections.abc import Sequence
from typing import Final

from crypto.errors import BadSignature, CryptoError, Malformed, Refused, Untrusted
from crypto.log import checkpoint, cosignature, proof, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.ed25519 import Signer
from crypto.log.note import Note, VerifierKey
from crypto.log.tree import TreeHead
from idservice.clock import Clock
from idservice.transparency import protocol
from idservice.transparency.model import NotCosigned, Reason
from idservice.transparency.ports import WitnessStore

_NOTHING: Final = TreeHead(size=0, root=tree.EMPTY_ROOT)


class WitnessDesk:
    """One witness for the logs that it knows."""

    def __init__(
        self,
        *,
        key: VerifierKey,
        signer: Signer,
        logs: Sequence[VerifierKey],
        store: WitnessStore,
        clock: Clock,
    ) -> None:
        self._key = key
        self._signer = signer
        self._logs = {log.name: log for log in logs}
        if len(self._logs) != len(logs):
            raise ValueError("one key for each origin")
        self._store = store
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> bytes:
        """Check, record and cosign.

        Returns:
            One signature line.

        Raises:
            NotCosigned: with the reason; nothing was changed.
            ServiceError: the store is away; nothing was handed out.
        """
        try:
            request = protocol.parse_request(body)
            signed = self._authenticate(request.signed)
        except Malformed as error:
            raise NotCosigned(Reason.MALFORMED) from error
        new = signed.checkpoint.head
        if request.old > new.size:
            raise NotCosigned(Reason.MALFORMED)
        # The statement is about this moment: what is recorded below still held then.
        now = self._clock.now()
        known = self._store.head(signed.checkpoint.origin)
        old = known or _NOTHING
        if request.old != old.size:
            raise NotCosigned(Reason.CONFLICT, size=old.size)
        if new.size == old.size and new != old:
            raise NotCosigned(Reason.CONFLICT)
        try:
            proof.verify_consistency(old=old, new=new, proof=request.proof)
        except CryptoError as error:
            raise NotCosigned(Reason.INCONSISTENT) from error
        if not self._store.advance(signed.checkpoint.origin, old=known, new=new):
            raise NotCosigned(Reason.CONFLICT, size=self._size(signed.checkpoint.origin))
        line = cosignature.sign(signed, witness=self._key, signer=self._signer, now=now)
        return line.line.encode()

    def _authenticate(self, signed: Note) -> SignedCheckpoint:
        claimed = checkpoint.parse(signed.text)
        log = self._logs.get(claimed.origin)
        if log is None:
            raise NotCosigned(Reason.UNKNOWN_LOG)
        try:
            return checkpoint.verify(signed, log=log)
        except (Untrusted, BadSignature, Refused, Malformed) as error:
            raise NotCosigned(Reason.NOT_SIGNED) from error

    def _size(self, origin: str) -> int:
        known = self._store.head(origin)
        return known.size if known is not None else 0
