"""What the issuer does, one method an act: enrol, token, nonce, credential, renew, withdraw.

Carries out DESIGN section 2 and the roads 2 and "Renewal". Each act decides, records, signs and
hands over in this order; where both stores are touched, short-lived rows are committed first and
lasting rows second, so a crash in between leaves an attempt that had no effect. Acts on one
handle are serialised by the lasting store. What time does (lists, reaping) is in `schedule.py`,
messages are in `protocol.py`, HTTP is in `web.py`.
"""

import hashlib
import hmac
import threading
from dataclasses import dataclass, field
from datetime import date

from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.sealed import handle, offer
from crypto.sealed.handle import Handle, Slip
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.errors import Code, ServiceError
from idservice.issuer import formats, model, protocol
from idservice.issuer.claims import Person
from idservice.issuer.model import (
    Attempt,
    Authorisation,
    Enrolment,
    Entitlement,
    IssuingKey,
    Offer,
)
from idservice.issuer.ports import Act, Keys, LastingStore, PendingStore, Unit
from idservice.issuer.protocol import CredentialRequest, Proven, TokenRequest
from idservice.period import Period
from idservice.verification import verify

MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Both stores, the clock and the chance: what enrolling needs, and no key."""

    issuer: str
    """The base address."""
    pending: PendingStore
    lasting: LastingStore
    clock: Clock
    random_bytes: RandomBytes = field(repr=False)


class Desk:
    """The clerk's side: it adds a sealed offer and an empty index row, and can read neither."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def enrol(self, person: Person) -> Enrolment:
        """Enrol a resident who stands at the desk, for the present period."""
        stores = self._stores
        now, random_bytes = stores.clock.now(), stores.random_bytes
        slip = handle.new_slip(random_bytes=random_bytes)
        entitlement = Entitlement(
            person=person,
            handle=handle.handle(slip),
            enrolled_until=_enrolled_until(period.day(now)),
            period=period.of(now),
            configuration=catalogue.CONFIGURATION,
            renewal=False,
        )
        code = _transaction_code(random_bytes)
        reference = _add_offer(stores, Offer(entitlement=entitlement, transaction_code=code), now)
        key, sealed = _empty_row(entitlement, random_bytes)
        stores.lasting.add_index_row(key, period=entitlement.period, sealed=sealed)
        address = protocol.offer_address(
            issuer=stores.issuer, configuration=entitlement.configuration, reference=reference
        )
        return Enrolment(
            offer=protocol.offer_link(recompute_offer(stores.issuer, reference)),
            offer_by_reference=protocol.offer_link_by_reference(address),
            transaction_code=code,
            slip=handle.write_slip(slip),
        )


class Issuer:
    """The counter's side: it holds the keys."""

    def __init__(
        self, stores: Stores, *, keys: Keys, nonce_key: bytes, tokens_per_minute: int
    ) -> None:
        self._stores = stores
        self._keys = keys
        self._nonce_key = nonce_key
        self._cap = Cap(tokens_per_minute)

    def token(self, request: TokenRequest) -> offer.Secret:
        """Trade a pre-authorized code for an access token, once.

        The try is counted before anything is opened. Unknown, used, expired, locked and wrong
        look the same. Only codes that exist and have tries left count towards the cap, so that
        nobody can use it up with codes that were guessed, or with one that was photographed.

        Raises:
            ServiceError: `invalid_grant`; `invalid_request` where a transaction code is expected
                and missing, or given and not expected; `busy`.
        """
        stores, now = self._stores, self._stores.clock.now()
        key, slot = offer.row_key(request.code), model.slot(now)
        if not stores.pending.has_offer(key, tries=model.TRIES, slot=slot):
            raise ServiceError(Code.INVALID_GRANT)
        self._cap.take(now)
        sealed = stores.pending.try_offer(key, tries=model.TRIES, slot=slot)
        if sealed is None:
            raise ServiceError(Code.INVALID_GRANT)
        try:
            content = offer.unseal(sealed, secret=request.code)
        except CryptoError as error:
            raise ServiceError(Code.INVALID_GRANT) from error
        opened = Offer.parse(content, today=period.day(now))
        _check_transaction_code(opened.transaction_code, request.transaction_code)
        token = offer.new_token(random_bytes=stores.random_bytes)
        authorisation = Authorisation(entitlement=opened.entitlement)
        traded = stores.pending.trade(
            key,
            token=offer.row_key(token),
            sealed=offer.seal(
                authorisation.write(), secret=token, random_bytes=stores.random_bytes
            ),
            slot=model.slot(now, lifetime=model.LIFETIME),
        )
        if not traded:
            raise ServiceError(Code.INVALID_GRANT)
        return token

    def nonce(self) -> str:
        """Make a nonce for key proofs and renewals; nothing is kept."""
        return protocol.new_nonce(
            key=self._nonce_key,
            now=self._stores.clock.now(),
            random_bytes=self._stores.random_bytes,
        )

    def credential(self, token: offer.Secret, body: JsonObject) -> tuple[str, ...]:
        """Issue, once; or answer the same request again with instances that replace the first.

        Raises:
            ServiceError: `invalid_token`; the codes of `protocol`; `credential_request_denied`
                for a withdrawn handle, a period issued already, or a retry with other keys;
                `unavailable` where the period's key is not here.
        """
        stores, now = self._stores, self._stores.clock.now()
        authorisation, _ = self._authorisation(token, now)
        request = protocol.parse_credential_request(body)
        entitlement = authorisation.entitlement
        proven = self._prove(request, entitlement, now)
        key = self._keys.issuing(entitlement.period, entitlement.configuration)
        if key is None:
            raise ServiceError(Code.UNAVAILABLE)
        with stores.lasting.serialised(handle.lock_id(entitlement.handle)) as unit:
            indices = self._record(unit, token, proven, key)
        return formats.ISSUE[entitlement.configuration](
            key,
            entitlement,
            tuple(zip(proven.keys, indices, strict=True)),
            on=max(period.day(now), period.day(key.announced.nbf)),
            random_bytes=stores.random_bytes,
        )

    def renew(self, presentation: str) -> JsonObject:
        """Take everything off a never-shown instance and offer it for a period that has none.

        Raises:
            ServiceError: `invalid_nonce`; `credential_request_denied` for everything else.
        """
        stores, now = self._stores, self._stores.clock.now()
        try:
            nonce = formats.claimed_nonce(presentation)
            protocol.check_nonce(nonce, key=self._nonce_key, now=now)
            verified = verify.verify_credential(
                presentation,
                audience=stores.issuer,
                nonce=nonce,
                trust=self._keys.trust,
                now=now,
            )
            if isinstance(verified, verify.VerifiedBbs):
                raise Refused("a format that is not renewed yet")
            shown = formats.read_shown(verified, now=now)
        except (verify.PresentationRefused, CryptoError, ValueError) as error:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED) from error
        if period.day(now) >= shown.enrolled_until:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        with stores.lasting.serialised(handle.lock_id(shown.handle)) as unit:
            target = _renewable(unit, shown, now)
            entitlement = Entitlement(
                person=shown.person,
                handle=shown.handle,
                enrolled_until=shown.enrolled_until,
                period=target,
                configuration=shown.announced.configuration,
                renewal=True,
            )
            offered = Offer(entitlement=entitlement, transaction_code=None)
            reference = _add_offer(stores, offered, now)
            key, sealed = _empty_row(entitlement, stores.random_bytes)
            unit.add_index_row(key, period=target, sealed=sealed)
        return recompute_offer(stores.issuer, reference, with_transaction_code=False)

    def withdraw(self, slip: Slip) -> None:
        """Withdraw everything that was ever issued on a slip; an unknown slip writes nothing."""
        stores, now = self._stores, self._stores.clock.now()
        whose = handle.handle(slip)
        current = period.of(now)
        with stores.lasting.serialised(handle.lock_id(whose)) as unit:
            known = False
            for number in range(current - 2, current + 3):
                known |= self._withdraw_period(unit, slip, whose, Period(number))
            if known:
                today = period.day(now)
                until = model.quarter(today) + 4 * model.YEARS
                unit.withdraw(handle.withdrawn_key(whose), quarter=until)
                unit.count(Act.WITHDRAWN, quarter=model.quarter(today))

    def _authorisation(
        self, token: offer.Secret, now: UnixSeconds
    ) -> tuple[Authorisation, bytes | None]:
        row = self._stores.pending.token(offer.row_key(token), slot=model.slot(now))
        if row is None:
            raise ServiceError(Code.INVALID_TOKEN)
        content = offer.unseal(row.sealed, secret=token)
        return Authorisation.parse(content, today=period.day(now)), row.thumbprints

    def _prove(
        self, request: CredentialRequest, entitlement: Entitlement, now: UnixSeconds
    ) -> Proven:
        if request.configuration != entitlement.configuration:
            raise ServiceError(Code.INVALID_CREDENTIAL_REQUEST)
        return protocol.verify_proofs(
            request, audience=self._stores.issuer, nonce_key=self._nonce_key, now=now
        )

    def _record(
        self, unit: Unit, token: offer.Secret, proven: Proven, key: IssuingKey
    ) -> tuple[int, ...]:
        """Decide and record, alone with the handle; the caller's commit is the second one."""
        stores, now = self._stores, self._stores.clock.now()
        authorisation, before = self._authorisation(token, now)
        entitlement = authorisation.entitlement
        thumbprints = hashlib.sha256(b"".join(proven.thumbprints)).digest()
        superseded = _superseded(unit, authorisation)
        other_keys = before is not None and not hmac.compare_digest(before, thumbprints)
        if other_keys or len(authorisation.attempts) >= model.ATTEMPTS:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        where = key.announced.period, key.announced.configuration
        found = unit.status_list(*where)
        if found is None:
            raise ServiceError(Code.UNAVAILABLE)
        indices, drawn = found.draw(len(proven.keys), random_bytes=stores.random_bytes)
        sealed = handle.seal_indices(
            entitlement.handle, indices=indices, random_bytes=stores.random_bytes
        )
        attempt = Attempt(row=hashlib.sha256(sealed).digest(), indices=indices)
        kept = stores.pending.attempt(
            offer.row_key(token),
            sealed=offer.seal(
                authorisation.attempted(attempt).write(),
                secret=token,
                random_bytes=stores.random_bytes,
            ),
            thumbprints=thumbprints,
            slot=model.slot(now),
        )
        if not kept:
            raise ServiceError(Code.INVALID_TOKEN)
        unit.keep_status_list(*where, drawn.invalidate(superseded))
        unit.fill_index_row(_row_key(entitlement), sealed=sealed)
        if not superseded:
            unit.mark(_mark(entitlement), period=entitlement.period)
            act = Act.RENEWED if entitlement.renewal else Act.ISSUED
            unit.count(act, quarter=model.quarter(period.day(now)))
        return indices

    @staticmethod
    def _withdraw_period(unit: Unit, slip: Slip, whose: Handle, number: Period) -> bool:
        configuration = catalogue.CONFIGURATION
        row = handle.row_key(whose, period=number, configuration=configuration)
        sealed = unit.index_row(row)
        if sealed is None:
            return False
        unit.remove_index_row(row)
        try:
            indices = handle.open_indices(sealed, slip=slip)
        except (Malformed, Refused):
            # Whoever may add rows may have added nonsense; the handle is barred all the same.
            indices = ()
        found = unit.status_list(number, configuration)
        if indices and found is not None:
            unit.keep_status_list(number, configuration, found.invalidate(indices))
        return True


class Cap:
    """At most so many tokens a minute, whoever asks: a bound without addresses."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._minute = 0
        self._taken = 0

    def take(self, now: UnixSeconds) -> None:
        """Count one, or refuse with `busy`."""
        with self._lock:
            if now // MINUTE != self._minute:
                self._minute, self._taken = now // MINUTE, 0
            if self._taken >= self._most:
                raise ServiceError(Code.BUSY)
            self._taken += 1


def recompute_offer(
    issuer: str, reference: offer.Reference, *, with_transaction_code: bool = True
) -> JsonObject:
    """Compute the offer that belongs to a reference, whether or not it exists."""
    return protocol.write_offer(
        issuer=issuer,
        configuration=catalogue.CONFIGURATION,
        code=offer.code(reference),
        with_transaction_code=with_transaction_code,
    )


def _add_offer(stores: Stores, content: Offer, now: UnixSeconds) -> offer.Reference:
    reference = offer.new_reference(random_bytes=stores.random_bytes)
    code = offer.code(reference)
    stores.pending.add_offer(
        offer.row_key(code),
        sealed=offer.seal(content.write(), secret=code, random_bytes=stores.random_bytes),
        slot=model.slot(now, lifetime=model.LIFETIME),
    )
    return reference


def _empty_row(entitlement: Entitlement, random_bytes: RandomBytes) -> tuple[bytes, bytes]:
    sealed = handle.seal_indices(entitlement.handle, indices=(), random_bytes=random_bytes)
    return _row_key(entitlement), sealed


def _row_key(entitlement: Entitlement) -> bytes:
    return handle.row_key(
        entitlement.handle, period=entitlement.period, configuration=entitlement.configuration
    )


def _mark(entitlement: Entitlement) -> bytes:
    return handle.mark(
        entitlement.handle, period=entitlement.period, configuration=entitlement.configuration
    )


def _superseded(unit: Unit, authorisation: Authorisation) -> tuple[int, ...]:
    """Return the indices that this token was issued before, none if this is the first time.

    Raises:
        ServiceError: `credential_request_denied`: withdrawn, or issued on another offer.
    """
    entitlement = authorisation.entitlement
    row = unit.index_row(_row_key(entitlement))
    if row is None or unit.is_withdrawn(handle.withdrawn_key(entitlement.handle)):
        raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
    if not unit.is_marked(_mark(entitlement)):
        return ()
    present = hashlib.sha256(row).digest()
    for attempt in authorisation.attempts:
        if hmac.compare_digest(attempt.row, present):
            return attempt.indices
    raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)


def _renewable(unit: Unit, shown: formats.Shown, now: UnixSeconds) -> Period:
    """Return the period that renewal serves: this one if it has none, else the next in time."""
    announced, whose = shown.announced, shown.handle
    found = unit.status_list(announced.period, announced.configuration)
    barred = unit.is_withdrawn(handle.withdrawn_key(whose))
    if barred or found is None or not found.is_valid(shown.index):
        raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
    current = period.of(now)
    periods = (current, current + 1) if period.in_renewal_window(now) else (current,)
    for number in periods:
        mark = handle.mark(whose, period=number, configuration=announced.configuration)
        if not unit.is_marked(mark):
            return Period(number)
    raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)


def _check_transaction_code(expected: str | None, given: str | None) -> None:
    """Compare as exact text (OpenID4VCI, 6.3): missing or superfluous is `invalid_request`."""
    if (expected is None) is not (given is None):
        raise ServiceError(Code.INVALID_REQUEST)
    if expected is None or given is None:
        return
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
        raise ServiceError(Code.INVALID_GRANT)


def _transaction_code(random_bytes: RandomBytes) -> str:
    digits = model.TRANSACTION_CODE_DIGITS
    number = int.from_bytes(random_bytes(16), "big") % 10**digits
    return f"{number:0{digits}}"


def _enrolled_until(today: date) -> date:
    """Return the first of this month in five years: a day that says no more than the month."""
    return date(today.year + model.YEARS, today.month, 1)
