"""What a credential request decides and records, alone with its handle.

Carries out DESIGN section 2: each configuration issues once a period, a retry with the same token
and the same keys is answered again. The short-lived row is written first, and says which sealed
index row goes with it; the caller's commit of the lasting rows is the second. So a crash between
the two leaves an attempt that had no effect, and the row that lasts tells which one had. Two ways
to record: a batch takes status indices, and a retry takes others; a BBS credential has none, and
a retry is the same credential, so there is nothing to record of it. Signing is in `formats.py`.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.sealed import handle, offer
from idservice import period
from idservice.errors import Code, ServiceError
from idservice.issuer import model
from idservice.issuer.model import Attempt, Authorisation, Entitlement, IssuingKey
from idservice.issuer.ports import Act, PendingStore, Unit
from idservice.issuer.protocol import Committed, Proven


def authorisation(
    pending: PendingStore, token: offer.Secret, *, now: UnixSeconds
) -> tuple[Authorisation, bytes | None]:
    """Open what an access token stands for, and what it was bound to by its first request.

    Raises:
        ServiceError: `invalid_token`.
    """
    row = pending.token(offer.row_key(token), slot=model.slot(now))
    if row is None:
        raise ServiceError(Code.INVALID_TOKEN)
    content = offer.unseal(row.sealed, secret=token)
    return Authorisation.parse(content, today=period.day(now)), row.thumbprints


def empty_row(entitlement: Entitlement, random_bytes: RandomBytes) -> tuple[bytes, bytes]:
    """Return key and content of the index row that an offer is made with."""
    sealed = handle.seal_indices(entitlement.handle, indices=(), random_bytes=random_bytes)
    return _row_key(entitlement), sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A credential request with a good token, alone with its handle."""

    unit: Unit
    pending: PendingStore
    token: offer.Secret = field(repr=False)
    now: UnixSeconds
    random_bytes: RandomBytes = field(repr=False)

    def batch(self, proven: Proven, key: IssuingKey) -> tuple[int, ...]:
        """Record one status index for each key; those of the answer before are set to invalid.

        Raises:
            ServiceError: `invalid_token`; `credential_request_denied` for a withdrawn handle, a
                period issued already, a retry with other keys, or one too many; `unavailable`
                where there is no list.
        """
        binding = hashlib.sha256(b"".join(proven.thumbprints)).digest()
        present, before = self._open(binding)
        if len(present.attempts) >= model.ATTEMPTS:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        where = key.announced.period, key.announced.configuration
        found = self.unit.status_list(*where)
        if found is None:
            raise ServiceError(Code.UNAVAILABLE)
        indices, drawn = found.draw(len(proven.keys), random_bytes=self.random_bytes)
        sealed = self._attempt(present, binding, indices)
        self.unit.keep_status_list(*where, drawn.invalidate(before or ()))
        self._keep(present.entitlement, sealed, first=before is None)
        return indices

    def single(self, committed: Committed) -> None:
        """Record that a BBS credential is issued over this commitment, and over no other.

        Raises:
            ServiceError: as `batch`, but never `unavailable`.
        """
        binding = hashlib.sha256(committed.octets).digest()
        present, before = self._open(binding)
        if before is not None:
            return
        if len(present.attempts) >= model.ATTEMPTS:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        self._keep(present.entitlement, self._attempt(present, binding, ()), first=True)

    def _open(self, binding: bytes) -> tuple[Authorisation, tuple[int, ...] | None]:
        """Read what is recorded; the indices of the answer before, None if there was none."""
        present, bound = authorisation(self.pending, self.token, now=self.now)
        before = _before(self.unit, present)
        if bound is not None and not hmac.compare_digest(bound, binding):
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        return present, before

    def _attempt(self, present: Authorisation, binding: bytes, indices: tuple[int, ...]) -> bytes:
        """Write the short-lived row, and return the index row that goes with it."""
        sealed = handle.seal_indices(
            present.entitlement.handle, indices=indices, random_bytes=self.random_bytes
        )
        attempt = Attempt(row=hashlib.sha256(sealed).digest(), indices=indices)
        kept = self.pending.attempt(
            offer.row_key(self.token),
            sealed=offer.seal(
                present.attempted(attempt).write(),
                secret=self.token,
                random_bytes=self.random_bytes,
            ),
            thumbprints=binding,
            slot=model.slot(self.now),
        )
        if not kept:
            raise ServiceError(Code.INVALID_TOKEN)
        return sealed

    def _keep(self, entitlement: Entitlement, sealed: bytes, *, first: bool) -> None:
        self.unit.put_index_row(_row_key(entitlement), period=entitlement.period, sealed=sealed)
        if first:
            self.unit.mark(_mark(entitlement), period=entitlement.period)
            act = Act.RENEWED if entitlement.renewal else Act.ISSUED
            self.unit.count(act, quarter=model.quarter(period.day(self.now)))


def _before(unit: Unit, present: Authorisation) -> tuple[int, ...] | None:
    """Return the indices that this token was issued before, None if this is the first time.

    Raises:
        ServiceError: `credential_request_denied`: withdrawn, or issued on another offer.
    """
    entitlement = present.entitlement
    row = unit.index_row(_row_key(entitlement))
    if row is None or unit.is_withdrawn(handle.withdrawn_key(entitlement.handle)):
        raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
    if not unit.is_marked(_mark(entitlement)):
        return None
    kept = hashlib.sha256(row).digest()
    for attempt in present.attempts:
        if hmac.compare_digest(attempt.row, kept):
            return attempt.indices
    raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)


def _row_key(entitlement: Entitlement) -> bytes:
    return handle.row_key(
        entitlement.handle, period=entitlement.period, configuration=entitlement.configuration
    )


def _mark(entitlement: Entitlement) -> bytes:
    return handle.mark(
        entitlement.handle, period=entitlement.period, configuration=entitlement.configuration
    )
