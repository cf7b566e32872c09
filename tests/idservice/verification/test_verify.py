"""The one core: what it lets out, what it refuses and by which code, and what it keeps."""

import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from crypto.instant import UnixSeconds
from idservice import period
from idservice.errors import Refusal
from idservice.verification import formats, policy, trust, verify
from idservice.verification.policy import Policy
from tests.fakes import certificates, showing
from tests.fakes import city as cities
from tests.fakes.city import FakeCity
from tests.fakes.showing import Counter, counter, show

CITY = cities.make()
LIBRARY = counter(CITY)
BANK = counter(CITY, policy="bank-account", audience="x509_san_dns:bank.example")
BAR = counter(CITY, policy="bar-entry", audience="x509_san_dns:bar.example")


def at_bank(*names: str, **changes: object) -> str:
    return show(CITY, *names, audience=BANK.audience, **changes)  # type: ignore[arg-type]


def at_bar(*names: str, **changes: object) -> str:
    return show(CITY, *names, audience=BAR.audience, **changes)  # type: ignore[arg-type]


def with_policy(policy: Policy) -> Counter:
    changed = dataclasses.replace(CITY.trust, policies={"library-card": policy})
    return dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=changed))


def test_an_honest_presentation_gives_exactly_what_the_policy_lists() -> None:
    accepted = LIBRARY.check(show(CITY, "resident", "given_name"))
    assert accepted.policy == "library-card"
    assert accepted.facts == {"resident": True, "given_name": "Ada"}
    assert accepted.status_age_s == 6 * 3600


def test_optional_claims_may_be_left_out() -> None:
    assert LIBRARY.check(show(CITY, "resident")).facts == {"resident": True}


def test_claims_that_the_policy_does_not_list_are_dropped() -> None:
    accepted = LIBRARY.check(show(CITY, "resident", "family_name", "birth_date", "address.care_of"))
    assert accepted.facts == {"resident": True}
    assert "Okonkwo" not in repr(accepted)


def test_facts_stand_in_no_representation() -> None:
    assert "Ada" not in repr(LIBRARY.check(show(CITY, "resident", "given_name")))


def test_facts_cannot_be_changed_afterwards() -> None:
    facts = LIBRARY.check(show(CITY, "resident")).facts
    with pytest.raises(TypeError):
        facts["resident"] = False  # type: ignore[index]


def test_members_of_an_address_are_facts_of_their_own() -> None:
    shown = at_bank("given_name", "family_name", "birth_date", "address.locality")
    facts = BANK.check(shown).facts
    assert facts["address.locality"] == "Exampleton"
    assert "address" not in facts
    assert not {"address.postal_code", "address.street_address"} & facts.keys()


def test_null_is_no_fact_and_fails_where_it_is_required() -> None:
    shown = at_bank("given_name", "family_name", "birth_date", "portrait", "address.care_of")
    assert BANK.check(shown).facts.keys() == {"given_name", "family_name", "birth_date"}
    nobody = {**cities.RESIDENT, "birth_date": None}
    shown = at_bank("given_name", "family_name", "birth_date", claims=nobody)
    assert BANK.refusal(shown) is Refusal.POLICY


@pytest.mark.parametrize("value", [False, None, "true", 1, [True]])
def test_a_required_yes_is_the_value_true_and_nothing_else(value: object) -> None:
    shown = show(CITY, "resident", claims={**cities.RESIDENT, "resident": value})  # type: ignore[dict-item]
    assert LIBRARY.refusal(shown) is Refusal.POLICY
    young = {**cities.RESIDENT, "age_over_18": value}
    assert BAR.refusal(at_bar("age_over_18", claims=young)) is Refusal.POLICY
    assert BAR.check(at_bar("age_over_18")).facts == {"age_over_18": True}


def test_a_required_claim_that_is_not_shown_is_refused() -> None:
    assert LIBRARY.refusal(show(CITY, "given_name")) is Refusal.POLICY


def test_a_claim_whose_own_name_has_the_dot_is_not_the_member() -> None:
    shown = at_bank(
        "given_name",
        "family_name",
        "birth_date",
        changes={"address.locality": "Elsewhere"},
    )
    assert "address.locality" not in BANK.check(shown).facts


def test_an_address_that_is_no_object_is_no_fact() -> None:
    given = {"given_name": "Ada", "family_name": "Okonkwo", "birth_date": "1990-04-12"}
    flat = policy.facts({**given, "address": "Quay 7"}, CITY.policies["bank-account"])
    assert flat == given


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example"}, Refusal.UNTRUSTED_ISSUER),
        ({"iss": None}, Refusal.UNTRUSTED_ISSUER),
        ({"vct": "https://issuer.example/vct/other/1"}, Refusal.POLICY),
        ({"status": None}, Refusal.MALFORMED),
        ({"nbf": None}, Refusal.MALFORMED),
        ({"nbf": 1.5}, Refusal.MALFORMED),
        ({"exp": True}, Refusal.MALFORMED),
        ({"nbf": cities.NOW + 61, "exp": cities.NOW + 3600}, Refusal.NOT_YET_VALID),
        ({"exp": cities.NOW - 60}, Refusal.EXPIRED),
    ],
)
def test_always_visible_values_are_held_against_the_bundle(
    changes: dict[str, object], code: Refusal
) -> None:
    assert LIBRARY.refusal(show(CITY, "resident", changes=changes)) is code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"audience": "x509_san_dns:bar.example"}, Refusal.WRONG_AUDIENCE),
        ({"nonce": "another-nonce"}, Refusal.WRONG_NONCE),
        ({"now": cities.NOW - 301}, Refusal.HOLDER_BINDING),
        ({"now": cities.NOW + 61}, Refusal.HOLDER_BINDING),
    ],
)
def test_the_holders_answer_is_for_us_and_now(changes: dict[str, object], code: Refusal) -> None:
    assert LIBRARY.refusal(show(CITY, "resident", **changes)) is code  # type: ignore[arg-type]


def test_a_credential_without_the_holders_answer_is_refused() -> None:
    credential = CITY.issue(cities.RESIDENT, cities.holder_key().public_key(), 1)
    assert LIBRARY.refusal(showing.choose(credential, "resident")) is Refusal.HOLDER_BINDING


def test_further_members_of_the_header_change_nothing() -> None:
    assert LIBRARY.refusal(show(CITY, "resident", header={"kid": "whatever"})) is None


def test_what_another_key_signed_is_refused_whatever_it_announces() -> None:
    forged = show(CITY, "resident", key=certificates.p256("forger"))
    assert LIBRARY.refusal(forged) is Refusal.ISSUER_SIGNATURE


@pytest.mark.parametrize("text", ["", "~", "a.b.c~", "x" * 70_000, "é~", "{}"])
def test_what_does_not_parse_is_malformed(text: str) -> None:
    assert LIBRARY.refusal(text) is Refusal.MALFORMED


def test_the_first_thing_that_is_wrong_gives_the_code() -> None:
    """Signature before the holder's answer before times before status before policy."""
    late = {"exp": cities.NOW - 60}
    assert (
        counter(CITY, withdrawn=[showing.INDEX]).refusal(
            show(CITY, "given_name", changes=late, nonce="other")
        )
        is Refusal.WRONG_NONCE
    )
    withdrawn = counter(CITY, withdrawn=[showing.INDEX])
    assert withdrawn.refusal(show(CITY, "given_name", changes=late)) is Refusal.EXPIRED
    assert withdrawn.refusal(show(CITY, "given_name")) is Refusal.WITHDRAWN


def test_an_empty_nonce_or_audience_is_the_callers_mistake() -> None:
    shown = show(CITY, "resident")
    for change in ({"nonce": ""}, {"audience": ""}):
        with pytest.raises(ValueError, match="nonce"):
            dataclasses.replace(LIBRARY, **change).check(shown)  # type: ignore[arg-type]


def test_both_ends_of_the_time_of_validity_have_a_skew_of_sixty_seconds() -> None:
    announced = CITY.announced
    for second, code in (
        (announced.exp - 1, None),
        (announced.exp, None),
        (announced.exp + 59, Refusal.EXPIRED),
    ):
        shown = show(CITY, "resident", changes={"exp": announced.exp - 1}, now=second)
        fresh = Counter(city=CITY, lists=counter(CITY).lists)
        unlimited = dataclasses.replace(CITY.policies["library-card"], status_max_age_s=None)
        changed = dataclasses.replace(CITY.trust, policies={"library-card": unlimited})
        at = dataclasses.replace(fresh, city=dataclasses.replace(CITY, trust=changed))
        at.lists.keep(_list_of(second))
        assert at.refusal(shown, now=second) is code


def _list_of(second: int) -> verify.status_lists.VerifiedList:
    return verify.status_lists.read(
        CITY.status_token(iat=second - 3600),
        uri=CITY.status_uri,
        trust=CITY.trust,
        now=UnixSeconds(second),
    )


def test_a_status_list_that_is_missing_too_old_or_run_out_is_unavailable() -> None:
    shown = show(CITY, "resident")
    assert Counter(city=CITY).refusal(shown) is Refusal.STATUS_UNAVAILABLE
    old = Counter(city=CITY)
    old.lists.keep(_list_of(CITY.now - 172_801 + 3600))
    assert old.refusal(shown) is Refusal.STATUS_UNAVAILABLE
    any_age = dataclasses.replace(CITY.policies["library-card"], status_max_age_s=None)
    patient = dataclasses.replace(with_policy(any_age), lists=old.lists)
    assert patient.check(shown).status_age_s == 172_801
    later = CITY.now + 7 * period.DAY
    assert patient.refusal(show(CITY, "resident", now=later), now=later) is (
        Refusal.STATUS_UNAVAILABLE
    )


def test_withdrawn_is_refused_and_its_neighbour_is_not() -> None:
    at = counter(CITY, withdrawn=[showing.INDEX])
    assert at.refusal(show(CITY, "resident")) is Refusal.WITHDRAWN
    assert at.refusal(show(CITY, "resident", index=showing.INDEX + 1)) is None


def test_a_credential_of_the_last_period_is_good_until_its_own_end() -> None:
    last = CITY.trust.find(
        configuration=CITY.announced.configuration, period=period.Period(CITY.period - 1)
    )
    assert last is not None
    shown = show(CITY, "resident", announced=last)
    expected = None if CITY.now < last.exp else Refusal.EXPIRED
    at = counter(CITY)
    at.lists.keep(
        verify.status_lists.read(
            CITY.status_token(announced=last), uri=last.status.uri, trust=CITY.trust, now=CITY.now
        )
    )
    assert at.refusal(shown) is expected


def test_a_key_that_was_not_announced_is_not_trusted_though_the_root_signed_it() -> None:
    payload = {**CITY.payload, "announced": CITY.payload["announced"][:1]}  # type: ignore[index]
    stale = trust.parse(CITY.sign_bundle(payload), root_fingerprint=None, at_least_version=None)
    at = dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=stale))
    shown = show(CITY, "resident")
    assert LIBRARY.refusal(shown) is None
    assert at.refusal(shown) is Refusal.UNTRUSTED_ISSUER


def test_known_keys_keep_verifying_under_a_stale_bundle() -> None:
    day = CITY.trust.day - timedelta(days=400)
    stale = dataclasses.replace(CITY.trust, day=day, version=1)
    at = dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=stale))
    assert at.refusal(show(CITY, "resident")) is None


def test_a_kept_chain_is_looked_at_again_in_every_call() -> None:
    shown = show(CITY, "resident", changes={"exp": CITY.announced.exp + 10 * period.DAY})
    assert LIBRARY.refusal(shown) is None
    after = CITY.announced.exp + 1
    late = show(CITY, "resident", changes={"exp": CITY.announced.exp + 10 * period.DAY}, now=after)
    assert LIBRARY.refusal(late, now=after) is Refusal.EXPIRED
    before = CITY.announced.nbf - 61
    early = show(CITY, "resident", now=before)
    assert LIBRARY.refusal(early, now=before) is Refusal.NOT_YET_VALID


def test_nothing_of_a_holder_is_kept_between_calls() -> None:
    verify._known_bundles.clear()
    for label in ("one", "two", "three"):
        holder = cities.holder_key(label)
        assert LIBRARY.refusal(show(CITY, "resident", "given_name", holder=holder)) is None
    (known,) = verify._known_bundles.values()
    assert known.trust is CITY.trust
    assert set(known.by_x5c) == {CITY.announced.x5c_text}
    assert [kind.shape.header for kind in known.kinds] == [
        show(CITY, "resident").partition(".")[0] + "."
    ]


def usual(text: str, at: Counter, now: int = cities.NOW) -> verify.Verified | None:
    """Take the shortcut alone, by hand."""
    found = verify._usual(text, at.audience, at.nonce, at.city.trust, UnixSeconds(now))
    if found is None:
        return None
    (shown, index, holder), kind = found
    claims = formats.usual_claims(kind.shape, shown=shown, index=index, holder=holder)
    return verify.Verified(claims, holder, kind.announced, index)


def general(text: str, at: Counter) -> verify.Verified:
    """Take the general steps alone."""
    return verify._verify(text, at.audience, at.nonce, at.city.trust, CITY.now)


@pytest.mark.parametrize(
    "names",
    [
        ("resident",),
        tuple(name for name in cities.RESIDENT if name != "portrait"),
        ("address.locality", "locality", "portrait", "renewal_handle"),
    ],
)
def test_what_our_issuer_writes_takes_the_shortcut_and_means_the_same(
    names: tuple[str, ...],
) -> None:
    shown = show(CITY, *names)
    expected = general(shown, LIBRARY)
    assert usual(shown, LIBRARY) == expected
    at_us = {"audience": LIBRARY.audience, "nonce": LIBRARY.nonce}
    assert verify.verify_credential(shown, **at_us, trust=CITY.trust, now=CITY.now) == expected


@pytest.mark.parametrize(
    "changes",
    [{"exp": CITY.announced.exp - 1}, {"nbf": CITY.announced.nbf + 1}, {"vct": "x"}, {"iat": 1}],
)
def test_what_is_not_as_announced_takes_the_general_steps(changes: dict[str, object]) -> None:
    LIBRARY.check(show(CITY, "resident"))
    assert usual(show(CITY, "resident", changes=changes), LIBRARY) is None


def test_the_shortcut_ends_with_the_period_and_its_certificate() -> None:
    shown = show(CITY, "resident")
    LIBRARY.check(shown)
    (kind,) = verify._known_bundles[id(CITY.trust)].kinds
    for now, taken in (
        (kind.begins - 1, False),
        (kind.begins, True),
        (kind.ends, True),
        (kind.ends + 1, False),
    ):
        text = show(CITY, "resident", now=now)
        assert (usual(text, LIBRARY, now) is not None) is taken


def test_no_more_than_a_few_bundles_are_kept() -> None:
    shown = show(CITY, "resident")
    for version in range(verify._BUNDLES_KEPT + 3):
        other = dataclasses.replace(CITY.trust, version=version)
        at = dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=other))
        assert at.refusal(shown) is None
    assert len(verify._known_bundles) <= verify._BUNDLES_KEPT


def test_threads_may_meet_new_bundles_at_once() -> None:
    bundles = [dataclasses.replace(CITY.trust, version=version) for version in range(64)]

    def meet(_: int) -> bool:
        return all(verify._first_seen(each).trust is each for each in bundles * 100)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(meet, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(verify._known_bundles) <= verify._BUNDLES_KEPT


def test_foreign_chains_fill_no_memory() -> None:
    verify._known_bundles.clear()
    other = cities.make(now=UnixSeconds(cities.NOW + 1))
    foreign = show(CITY, "resident", header={"x5c": [*other.announced.x5c_text, "AAAA"]})
    assert LIBRARY.refusal(foreign) is not None
    (known,) = verify._known_bundles.values()
    assert known.by_x5c == {}
    assert known.kinds == []


def test_the_issuer_reads_all_claims_at_renewal_without_policy_or_status() -> None:
    everything = [name for name in cities.RESIDENT if name != "portrait"]
    shown = show(CITY, *everything, audience=CITY.issuer)
    verified = verify.verify_credential(
        shown, audience=CITY.issuer, nonce=showing.NONCE, trust=CITY.trust, now=CITY.now
    )
    assert verified.claims["renewal_handle"] == cities.RESIDENT["renewal_handle"]
    assert verified.holder == cities.holder_key().public_key()
    assert verified.announced == CITY.announced
    assert verified.status_index == showing.INDEX
    with pytest.raises(verify.PresentationRefused) as refused:
        verify.verify_credential(
            shown, audience="other", nonce=showing.NONCE, trust=CITY.trust, now=CITY.now
        )
    assert refused.value.code is Refusal.WRONG_AUDIENCE


def test_another_city_is_not_trusted() -> None:
    elsewhere: FakeCity = dataclasses.replace(
        CITY, trust=dataclasses.replace(CITY.trust, issuer="https://elsewhere.example")
    )
    at = dataclasses.replace(LIBRARY, city=elsewhere)
    assert at.refusal(show(CITY, "resident")) is Refusal.UNTRUSTED_ISSUER


def test_a_policy_for_another_type_is_not_met() -> None:
    other = dataclasses.replace(
        CITY.policies["library-card"], vct="https://issuer.example/vct/other/1"
    )
    assert with_policy(other).refusal(show(CITY, "resident")) is Refusal.POLICY


def test_every_refusal_of_crypto_has_a_code() -> None:
    def below(error: type[Exception]) -> set[type[Exception]]:
        found = {error}
        for each in error.__subclasses__():
            found |= below(each)
        return found

    crypto_errors = {
        each
        for each in below(verify.CryptoError)
        if each is not verify.CryptoError
        and each.__module__.startswith(("crypto.", "idservice.verification.status"))
    }
    assert crypto_errors <= verify._CODES.keys()
