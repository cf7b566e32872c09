"""What renewal refuses, by the verifiers' own core and by what the issuer asks beyond it.

The way a renewal goes is in `test_service.py`. Each case is played twice: before the core knows
the kind of credential, and after, when it takes the short way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonValue
from crypto.instant import UnixSeconds
from idservice import catalogue, period
from idservice.errors import Code, ServiceError
from idservice.issuer import formats, model, protocol
from idservice.issuer.service import Issuer
from idservice.period import Period
from idservice.verification import trust, verify
from tests.fakes import city as cities
from tests.fakes import issuer_office as offices
from tests.fakes.certificates import p256
from tests.fakes.issuer_office import Office, Resident
from tests.fakes.issuer_stores import MemoryPending

CITY = cities.make()
HERE = CITY.announced
NEXT = CITY.trust.find(configuration=catalogue.CONFIGURATION, period=Period(CITY.period + 1))
assert NEXT is not None


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is wrong with a credential which the city's key signed all the same."""

    claims: Mapping[str, JsonValue] = field(default_factory=dict)
    changes: Mapping[str, JsonValue] = field(default_factory=dict)
    header: Mapping[str, JsonValue] = field(default_factory=dict)
    key: str | None = None


def _status(uri: str) -> Mapping[str, JsonValue]:
    return {"status": {"status_list": {"idx": 1, "uri": uri}}}


WRONG: Mapping[str, Wrong] = {
    "a second longer than announced": Wrong(changes={"exp": HERE.exp + 1}),
    "a second shorter than announced": Wrong(changes={"exp": HERE.exp - 1}),
    "a second earlier than announced": Wrong(changes={"nbf": HERE.nbf - 1}),
    "times as text": Wrong(changes={"exp": str(HERE.exp)}),
    "another issuer": Wrong(changes={"iss": "https://elsewhere.example"}),
    "another type": Wrong(changes={"vct": f"{CITY.issuer}/vct/other"}),
    "the list of another period": Wrong(changes=_status(NEXT.status.uri)),
    "a list that nobody announced": Wrong(changes=_status(f"{CITY.issuer}/v1/status/x/1")),
    "no list": Wrong(changes={"status": {}}),
    "an index beyond the list": Wrong(
        changes={"status": {"status_list": {"idx": HERE.status.size, "uri": HERE.status.uri}}}
    ),
    "the chain of another period": Wrong(header={"x5c": [*NEXT.x5c_text]}),
    "no chain": Wrong(header={"x5c": []}),
    "signed by another key": Wrong(key="stranger"),
    "another type of token": Wrong(header={"typ": "jwt"}),
    "a handle that is a number": Wrong(claims={"renewal_handle": 7}),
    "a handle that is no base64url": Wrong(claims={"renewal_handle": "a+b="}),
    "no handle": Wrong(claims={"renewal_handle": None}),
    "an end that is a number": Wrong(claims={"enrolled_until": 20310101}),
    "an end that is no date": Wrong(claims={"enrolled_until": "soon"}),
    "no resident": Wrong(claims={"resident": False}),
}


def denied(code: Code = Code.CREDENTIAL_REQUEST_DENIED) -> "pytest.RaisesExc[ServiceError]":
    return pytest.raises(ServiceError, match=f"^{code.value}$")


def holder(office: Office, wrong: Wrong) -> Resident:
    credential = office.city.issue(
        {**cities.RESIDENT, **wrong.claims},
        p256("key 0").public_key(),
        1,
        changes=wrong.changes,
        header=wrong.header,
        key=None if wrong.key is None else p256(wrong.key),
    )
    return Resident(office=office, keys=[p256("key 0")], credentials=[credential])


def rows(office: Office) -> int:
    pending = office.stores.pending
    assert isinstance(pending, MemoryPending)
    return len(pending._offers)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_credential_with_one_thing_wrong_renews_nothing(name: str, *, known: bool) -> None:
    verify._known_bundles.clear()
    office = offices.make(city=CITY)
    right = holder(office, Wrong())
    if known:
        right.renew()
        assert [each.kinds != [] for each in verify._known_bundles.values()] == [True]
    before = rows(office)
    with denied():
        holder(office, WRONG[name]).renew()
    assert rows(office) == before
    right.renew()
    assert rows(office) == before + 1


@pytest.mark.parametrize(
    ("moment", "renewed"),
    [
        (HERE.nbf - 1, False),
        (HERE.nbf, True),
        (HERE.exp - 1, True),
        (HERE.exp, False),
        (HERE.exp + verify.SKEW - 1, False),
    ],
    ids=["before", "begin", "last second", "end", "a minute after"],
)
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_renewal_ends_at_exp_though_a_verifier_waits_a_minute(
    moment: UnixSeconds, *, renewed: bool, known: bool
) -> None:
    verify._known_bundles.clear()
    office = offices.make(city=CITY)
    resident = holder(office, Wrong())
    if known:
        resident.renew()
    office.clock.time = UnixSeconds(moment)
    if renewed:
        resident.renew()
    else:
        with denied():
            resident.renew()


def test_nonce_that_ran_out_is_told_apart() -> None:
    office = offices.make(city=CITY)
    resident = holder(office, Wrong())
    nonce = office.issuer.nonce()
    office.clock.forward(protocol.NONCE_LIFETIME - 1)
    resident.renew()
    office.issuer.renew(resident.present(nonce=nonce))
    office.clock.forward(1)
    with denied(Code.INVALID_NONCE):
        office.issuer.renew(resident.present(nonce=nonce))


def test_fresh_nonce_in_an_answer_that_was_signed_to_another_one_is_refused() -> None:
    office = offices.make(city=CITY)
    resident = holder(office, Wrong())
    shown = resident.present()
    sd_jwt, _, answer = shown.rpartition("~")
    header, payload, signature = answer.split(".")
    content = canonical_json.parse_object(base64url.decode(payload))
    fresh = canonical_json.serialize({**content, "nonce": office.issuer.nonce()})
    with denied():
        office.issuer.renew(f"{sd_jwt}~{header}.{base64url.encode(fresh)}.{signature}")
    office.issuer.renew(shown)


@pytest.mark.parametrize("nonce", [None, 7, ""], ids=["none", "a number", "empty"])
def test_answer_without_a_nonce_is_refused(nonce: JsonValue) -> None:
    office = offices.make(city=CITY)
    shown = holder(office, Wrong()).present()
    sd_jwt, _, answer = shown.rpartition("~")
    header, payload, signature = answer.split(".")
    content = canonical_json.parse_object(base64url.decode(payload))
    other = canonical_json.serialize({**content, "nonce": nonce})
    with denied():
        office.issuer.renew(f"{sd_jwt}~{header}.{base64url.encode(other)}.{signature}")


def test_replica_judges_by_the_bundle_that_it_has_now() -> None:
    """A period is announced anew: who has not seen the bundle yet refuses, and harms nothing."""
    announced = CITY.payload["announced"]
    assert isinstance(announced, list)
    without: list[JsonValue] = [
        each for each in announced if isinstance(each, dict) and each["period"] != CITY.period
    ]
    older = trust.parse(
        CITY.sign_bundle({**CITY.payload, "version": 6, "announced": without}),
        root_fingerprint=CITY.trust.root_fingerprint,
        at_least_version=None,
    )
    office = offices.make(city=CITY)
    keys = offices.CityKeys(replace(CITY, trust=older))
    replica = Issuer(
        office.stores, keys=keys, nonce_key=offices.NONCE_KEY, tokens_per_minute=10_000
    )
    resident = holder(office, Wrong())
    before = rows(office)
    with denied():
        replica.renew(resident.present())
    assert rows(office) == before
    keys.trust = CITY.trust
    replica.renew(resident.present())
    keys.trust = older
    with denied():
        replica.renew(resident.present())
    assert rows(office) == before + 1


def test_status_comes_from_the_issuer_s_own_rows_and_not_from_a_list() -> None:
    office = offices.make(city=CITY)
    resident = holder(office, Wrong())
    where = CITY.period, catalogue.CONFIGURATION
    with office.stores.lasting.serialised(0) as unit:
        found = unit.status_list(*where)
        assert found is not None
        unit.keep_status_list(*where, found.invalidate([1]))
    with denied():
        resident.renew()


def test_a_whole_credential_is_read_as_it_was_issued() -> None:
    office = offices.make(city=CITY)
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    nonce = office.issuer.nonce()
    shown = resident.present(nonce=nonce)
    assert formats.claimed_nonce(shown) == nonce
    now = office.clock.now()
    verified = verify.verify_credential(
        shown, audience=CITY.issuer, nonce=nonce, trust=CITY.trust, now=now
    )
    read = formats.read_shown(verified, now=now)
    assert read.person.claims(on=period.day(now))["given_name"] == "Ada"
    assert read.handle == offices.handle.handle(offices.slip_of(enrolment))
    assert read.enrolled_until.isoformat() == "2032-01-01"
    assert (read.announced, read.index) == (CITY.announced, resident.indices()[-1])


@pytest.mark.threat("T65")
def test_one_holder_makes_five_offers_and_no_more_rows() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    other, another = office.enrol()
    other.take(another, label="other")
    office.late()
    presentation = resident.present()
    offers = [office.issuer.renew(presentation) for _ in range(model.RENEWALS)]
    with denied(Code.BUSY):
        office.issuer.renew(presentation)
    with denied(Code.BUSY):
        office.issuer.renew(resident.present(0))
    other.renew()
    assert len(resident.take_renewal(offers[-1], label="next")) == catalogue.BATCH


@pytest.mark.threat("T65")
def test_holder_who_asked_too_often_may_ask_again_after_fifteen_minutes() -> None:
    office = offices.make()
    resident, enrolment = office.enrol()
    resident.take(enrolment)
    office.late()
    for _ in range(model.RENEWALS):
        resident.renew()
    office.clock.forward(900)
    office.schedule.reap()
    resident.take_renewal(resident.renew(), label="next")
