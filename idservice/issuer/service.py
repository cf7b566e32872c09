"""What the issuer does, one method an act: enrol, token, nonce, credential, renew, withdraw.

Carries out DESIGN section 2 and the roads 2 and "Renewal". Each act decides, records, signs and
hands over in this order; where both stores are touched, short-lived rows are committed first and
lasting rows second, so a crash in between leaves an attempt that had no effect. Acts on one
handle are serialised by the lasting store. What time does (lists, reaping) is in `schedule.py`,
messages are in `protocol.py`, HTTP is in `web.py`, what a credential request records in
`issuing/record.py`. Two configurations are issued: batches of instances with status indices, and
one BBS credential without, whose withdrawal acts by refusing its renewal.
"""

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from crypto.encoding.canonical_json import JsonObject
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.sealed import handle, offer
from crypto.sealed.handle import Handle, Slip
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.errors import Code, ServiceError
from idservice.issuer import formats, model, protocol
from idservice.issuer.claims import Person
from idservice.issuer.issuing import record
from idservice.issuer.issuing.record import Asked
from idservice.issuer.model import Authorisation, Enrolment, Entitlement, Offer
from idservice.issuer.ports import Act, Keys, LastingStore, PendingStore, Unit
from idservice.issuer.protocol import Committed, Proven, TokenRequest
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

    def enrol(self, person: Person, *, configuration: str = catalogue.CONFIGURATION) -> Enrolment:
        """Enrol a resident who stands at the desk, for the present period and one configuration.

        Whoever wants both is enrolled twice, with two slips, so that nothing ties one to the
        other.
        """
        stores = self._stores
        now, random_bytes = stores.clock.now(), stores.random_bytes
        slip = handle.new_slip(random_bytes=random_bytes)
        entitlement = Entitlement(
            person=person,
            handle=handle.handle(slip),
            enrolled_until=_enrolled_until(period.day(now)),
            period=period.of(now),
            configuration=configuration,
            renewal=False,
        )
        code = _transaction_code(random_bytes)
        reference = _add_offer(stores, Offer(entitlement=entitlement, transaction_code=code), now)
        key, sealed = record.empty_row(entitlement, random_bytes)
        stores.lasting.add_index_row(key, period=entitlement.period, sealed=sealed)
        address = protocol.offer_address(
            issuer=stores.issuer, configuration=configuration, reference=reference
        )
        content = recompute_offer(stores.issuer, reference, configuration=configuration)
        return Enrolment(
            offer=protocol.offer_link(content),
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

        The try is counted before anything is opened. Unknown, used, expired, locked, wrong and
        made up by a clerk's role look the same. Only codes that exist and have tries left count
        towards the cap, so that nobody can use it up with codes that were guessed, or with one
        that was photographed.

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
            opened = Offer.parse(content, today=period.day(now))
        except CryptoError as error:
            raise ServiceError(Code.INVALID_GRANT) from error
        _check_transaction_code(opened.transaction_code, request.transaction_code)
        token = offer.new_token(random_bytes=stores.random_bytes)
        authorisation = Authorisation(entitlement=opened.entitlement, day=period.day(now))
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
        """Issue, once; or answer the same request again.

        Instances of a batch replace those of the answer before; a BBS credential is the same
        again, octet by octet.

        Raises:
            ServiceError: `invalid_token`; the codes of `protocol`; `credential_request_denied`
                for a withdrawn handle, a period issued already, a retry with other keys or
                another commitment, or while nothing may be issued; `unavailable` where the
                period's key is not here.
        """
        now = self._stores.clock.now()
        present, _ = record.authorisation(self._stores.pending, token, now=now)
        request = protocol.parse_credential_request(body)
        if request.configuration != present.entitlement.configuration:
            raise ServiceError(Code.INVALID_CREDENTIAL_REQUEST)
        self._check_issuing(present.entitlement.period, request.configuration, now)
        if request.configuration == catalogue.BBS_CONFIGURATION:
            return (self._bbs(token, present, protocol.verify_commitment(request)),)
        proven = protocol.verify_proofs(
            request, audience=self._stores.issuer, nonce_key=self._nonce_key, now=now
        )
        return self._batch(token, present, proven)

    def renew(self, presentation: str) -> JsonObject:
        """Take everything off a credential and offer it for a period that has none.

        Of a batch it is the never-shown instance; a BBS credential may have been shown often.

        Raises:
            ServiceError: `invalid_nonce`; `busy` for one handle that asks again and again;
                `credential_request_denied` for everything else.
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
            shown = formats.read_shown(verified, now=now)
        except (verify.PresentationRefused, CryptoError, ValueError) as error:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED) from error
        if period.day(now) >= shown.enrolled_until:
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
        with stores.lasting.serialised(handle.lock_id(shown.handle)) as unit:
            target = _renewable(unit, shown, now)
            self._check_issuing(target, shown.announced.configuration, now)
            entitlement = Entitlement(
                person=shown.person,
                handle=shown.handle,
                enrolled_until=shown.enrolled_until,
                period=target,
                configuration=shown.announced.configuration,
                renewal=True,
            )
            _count_renewal(stores, entitlement, now)
            offered = Offer(entitlement=entitlement, transaction_code=None)
            reference = _add_offer(stores, offered, now)
            key, sealed = record.empty_row(entitlement, stores.random_bytes)
            unit.add_index_row(key, period=target, sealed=sealed)
        return recompute_offer(
            stores.issuer,
            reference,
            configuration=entitlement.configuration,
            with_transaction_code=False,
        )

    def withdraw(self, slip: Slip) -> None:
        """Withdraw everything that was ever issued on a slip; an unknown slip writes nothing.

        Instances with an index are refused from the next list on. A BBS credential has none: it
        is not renewed, and ends with the last period that was fetched.
        """
        stores, now = self._stores, self._stores.clock.now()
        whose = handle.handle(slip)
        current = period.of(now)
        with stores.lasting.serialised(handle.lock_id(whose)) as unit:
            if unit.is_withdrawn(handle.withdrawn_key(whose)):
                return
            known = False
            for number in range(current - 2, current + 3):
                for configuration in catalogue.CONFIGURATIONS:
                    known |= _withdraw_row(unit, slip, whose, (Period(number), configuration))
            if known:
                today = period.day(now)
                until = model.quarter(today) + 4 * model.YEARS
                unit.withdraw(handle.withdrawn_key(whose), quarter=until)
                unit.count(Act.WITHDRAWN, quarter=model.quarter(today))

    def _check_issuing(self, number: Period, configuration: str, now: UnixSeconds) -> None:
        """Refuse while the register stops issuing, or where it dropped the period's key."""
        if not self._keys.may_issue(number, configuration, now=now):
            raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)

    def _batch(
        self, token: offer.Secret, present: Authorisation, proven: Proven
    ) -> tuple[str, ...]:
        entitlement = present.entitlement
        key = self._keys.issuing(entitlement.period, entitlement.configuration)
        if key is None:
            raise ServiceError(Code.UNAVAILABLE)
        with self._alone(token, entitlement) as asked:
            indices = asked.batch(proven, key)
        return formats.issue_sd_jwt(
            key,
            entitlement,
            tuple(zip(proven.keys, indices, strict=True)),
            on=max(present.day, period.day(key.announced.nbf)),
            random_bytes=self._stores.random_bytes,
        )

    def _bbs(self, token: offer.Secret, present: Authorisation, committed: Committed) -> str:
        entitlement = present.entitlement
        key = self._keys.issuing_bbs(entitlement.period, entitlement.configuration)
        if key is None:
            raise ServiceError(Code.UNAVAILABLE)
        with self._alone(token, entitlement) as asked:
            asked.single(committed)
        return formats.issue_bbs(
            key,
            entitlement,
            committed.octets,
            on=max(present.day, period.day(key.announced.nbf)),
            token=token,
        )

    @contextmanager
    def _alone(self, token: offer.Secret, entitlement: Entitlement) -> Iterator[Asked]:
        """Begin the unit of work in which a request is decided and recorded."""
        stores = self._stores
        with stores.lasting.serialised(handle.lock_id(entitlement.handle)) as unit:
            yield Asked(
                unit=unit,
                pending=stores.pending,
                token=token,
                now=stores.clock.now(),
                random_bytes=stores.random_bytes,
            )


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
    issuer: str,
    reference: offer.Reference,
    *,
    configuration: str,
    with_transaction_code: bool = True,
) -> JsonObject:
    """Compute the offer that belongs to a reference, whether or not it exists."""
    return protocol.write_offer(
        issuer=issuer,
        configuration=configuration,
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


def _count_renewal(stores: Stores, entitlement: Entitlement, now: UnixSeconds) -> None:
    """Bound the rows that one holder can make: as long as a nonce holds, nothing is used up."""
    key = handle.renewal_key(
        entitlement.handle, period=entitlement.period, configuration=entitlement.configuration
    )
    slot = model.slot(now, lifetime=model.LIFETIME)
    if not stores.pending.try_renewal(key, tries=model.RENEWALS, slot=slot):
        raise ServiceError(Code.BUSY)


def _renewable(unit: Unit, shown: formats.Shown, now: UnixSeconds) -> Period:
    """Return the period that renewal serves: this one if it has none, else the next in time."""
    announced, whose = shown.announced, shown.handle
    if unit.is_withdrawn(handle.withdrawn_key(whose)) or not _is_valid(unit, shown):
        raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)
    current = period.of(now)
    periods = (current, current + 1) if period.in_renewal_window(now) else (current,)
    for number in periods:
        mark = handle.mark(whose, period=number, configuration=announced.configuration)
        if not unit.is_marked(mark):
            return Period(number)
    raise ServiceError(Code.CREDENTIAL_REQUEST_DENIED)


def _is_valid(unit: Unit, shown: formats.Shown) -> bool:
    """Look the shown instance up in our own list; what has no index is barred by handle alone."""
    if shown.index is None:
        return True
    found = unit.status_list(shown.announced.period, shown.announced.configuration)
    return found is not None and found.is_valid(shown.index)


def _withdraw_row(unit: Unit, slip: Slip, whose: Handle, where: tuple[Period, str]) -> bool:
    """Withdraw what was issued of one period and configuration; False if there is no row.

    Whoever may add rows may have added one that lists a stranger's indices. Once a handle is
    marked its row is the one that was written with the mark: only that one is opened.
    """
    number, configuration = where
    row = handle.row_key(whose, period=number, configuration=configuration)
    sealed = unit.index_row(row)
    if sealed is None:
        return False
    unit.remove_index_row(row)
    if unit.is_marked(handle.mark(whose, period=number, configuration=configuration)):
        indices = handle.open_indices(sealed, slip=slip)
        found = unit.status_list(number, configuration) if indices else None
        if found is not None:
            unit.keep_status_list(number, configuration, found.invalidate(indices))
    return True


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
