"""The one core on BBS showings: the same facts, and a code for everything that does not fit."""

import dataclasses
from collections.abc import Callable

import pytest

from crypto.bbs import jwp
from crypto.bls import curve
from idservice import catalogue, period
from idservice.errors import Refusal
from idservice.period import Period
from idservice.verification import formats, showing, verify
from tests.fakes import bbs_city
from tests.fakes import city as cities
from tests.fakes import showing as sd_jwts
from tests.fakes.bbs_city import Counter, show

CITY = bbs_city.make(library_card={"pseudonym": "member"})
AT_LIBRARY = Counter(city=CITY)
AT_BANK = Counter(city=CITY, policy="bank-account", audience="x509_san_dns:bank.example")
AT_BAR = Counter(city=CITY, policy="bar-entry", audience="x509_san_dns:bar.example")
SHOWN = show("resident", "given_name")


def at_bank(*names: str, **changes: object) -> str:
    asked = {"audience": AT_BANK.audience, "policy": "bank-account"}
    return show(*names, **asked, **changes)  # type: ignore[arg-type]


def at_bar(*names: str, **changes: object) -> str:
    asked = {"audience": AT_BAR.audience, "policy": "bar-entry"}
    return show(*names, **asked, **changes)  # type: ignore[arg-type]


@pytest.fixture
def no_curve_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any work on the curve fail the test."""

    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("curve work")

    monkeypatch.setattr(jwp, "claim", refuse)
    monkeypatch.setattr(jwp, "verify", refuse)
    monkeypatch.setattr(type(curve.BACKEND), "load_key", refuse)


def test_an_honest_showing_gives_exactly_what_the_policy_lists() -> None:
    accepted = AT_LIBRARY.check(SHOWN)
    assert accepted == ("library-card", {"resident": True, "given_name": "Ada"}, None, None)
    assert "Ada" not in repr(accepted)


def test_both_formats_give_the_same_facts() -> None:
    names = ("given_name", "family_name", "birth_date", "address.locality", "portrait")
    known = sd_jwts.counter(CITY, policy="bank-account", audience=AT_BANK.audience)
    by_sd_jwt = known.check(
        sd_jwts.show(CITY, *names, audience=AT_BANK.audience, claims=bbs_city.RESIDENT)
    )
    by_bbs = AT_BANK.check(at_bank(*names))
    assert dict(by_bbs.facts) == dict(by_sd_jwt.facts)
    assert by_bbs.facts.keys() == set(names)
    assert by_bbs.facts["portrait"] == bbs_city.PORTRAIT


def test_slots_that_the_policy_does_not_list_are_dropped() -> None:
    shown = show("resident", "family_name", "address.care_of", "renewal_handle")
    assert AT_LIBRARY.check(shown).facts == {"resident": True}


@pytest.mark.parametrize("value", [False, None, "true", 1])
def test_a_required_yes_is_the_value_true_and_nothing_else(value: object) -> None:
    issued = bbs_city.issue({**cities.RESIDENT, "resident": value})  # type: ignore[dict-item]
    assert AT_LIBRARY.refusal(show("resident", issued=issued)) is Refusal.POLICY


@pytest.mark.usefixtures("no_curve_work")
@pytest.mark.parametrize("names", [(), ("given_name",)])
def test_a_required_claim_that_is_hidden_is_refused_before_any_curve_work(
    names: tuple[str, ...],
) -> None:
    assert AT_LIBRARY.refusal(show(*names)) is Refusal.POLICY


def test_an_absent_claim_is_no_fact() -> None:
    shown = at_bank("given_name", "family_name", "birth_date", "address.care_of")
    assert AT_BANK.check(shown).facts.keys() == {"given_name", "family_name", "birth_date"}


_OTHER_QUESTIONS = {
    "audience": (bbs_city.question(audience=AT_BAR.audience), Refusal.WRONG_AUDIENCE),
    "nonce": (bbs_city.question(nonce="another-nonce"), Refusal.WRONG_NONCE),
    "policy": (bbs_city.question(policy="bar-entry"), Refusal.HOLDER_BINDING),
    "request object": (bbs_city.question(request_object="served"), Refusal.HOLDER_BINDING),
    "a member more": (
        bbs_city.question()[:-1] + b',"zip":"1234"}',
        Refusal.HOLDER_BINDING,
    ),
    "another spelling": (bbs_city.question().replace(b'":"', b'": "'), Refusal.HOLDER_BINDING),
}


@pytest.mark.usefixtures("no_curve_work")
@pytest.mark.parametrize("name", _OTHER_QUESTIONS)
def test_an_answer_to_another_question_is_refused_before_any_curve_work(name: str) -> None:
    header, code = _OTHER_QUESTIONS[name]
    assert AT_LIBRARY.refusal(show("resident", header=header)) is code


def test_a_showing_answers_any_request_object_that_was_served_and_no_other() -> None:
    served = tuple(showing.request_hash(each) for each in ("first", "second"))
    at = dataclasses.replace(AT_LIBRARY, request_hashes=served)
    for text, code in (("first", None), ("second", None), ("third", Refusal.HOLDER_BINDING)):
        assert at.refusal(show("resident", request_object=text)) is code
    assert at.refusal(SHOWN) is Refusal.HOLDER_BINDING
    nobody = dataclasses.replace(AT_LIBRARY, request_hashes=())
    assert nobody.refusal(SHOWN) is Refusal.HOLDER_BINDING


def of_other_schema() -> str:
    return bbs_city.reheaded(SHOWN, 1, schema=2)


def of_other_period() -> str:
    return bbs_city.reheaded(SHOWN, 1, period=CITY.period + 1)


def with_mark() -> str:
    return bbs_city.reheaded(SHOWN, 1, mark="resident 7")


def of_other_algorithm() -> str:
    return bbs_city.reheaded(SHOWN, 1, alg="BBS")


def with_slot_more() -> str:
    first, issuer, slots, proof = SHOWN.split(".")
    return f"{first}.{issuer}.{slots}~.{proof}"


def without_last_slot() -> str:
    first, issuer, slots, proof = SHOWN.split(".")
    return f"{first}.{issuer}.{slots.rpartition('~')[0]}.{proof}"


_BY_HAND: dict[str, tuple[Callable[[], str], Refusal]] = {
    "schema": (of_other_schema, Refusal.UNTRUSTED_ISSUER),
    "period": (of_other_period, Refusal.UNTRUSTED_ISSUER),
    "a mark in the issuer header": (with_mark, Refusal.UNTRUSTED_ISSUER),
    "algorithm": (of_other_algorithm, Refusal.WRONG_ALGORITHM),
    "a slot more": (with_slot_more, Refusal.MALFORMED),
    "a slot less": (without_last_slot, Refusal.MALFORMED),
    "value spelled otherwise": (
        lambda: bbs_city.with_slot(SHOWN, 0, b'"\\u0041da"'),
        Refusal.MALFORMED,
    ),
    "value that is no JSON": (lambda: bbs_city.with_slot(SHOWN, 0, b"Ada"), Refusal.MALFORMED),
    "presentation header that is no JSON": (
        lambda: "AAAA." + SHOWN.partition(".")[2],
        Refusal.MALFORMED,
    ),
    "four dots": (lambda: SHOWN + ".AAAA", Refusal.MALFORMED),
    "no proof": (lambda: SHOWN.rpartition(".")[0] + ".", Refusal.MALFORMED),
    "too long": (lambda: SHOWN + "A" * 65_536, Refusal.MALFORMED),
    "three dots": (lambda: "...", Refusal.MALFORMED),
    "foreign character": (lambda: SHOWN.replace("~", "é"), Refusal.MALFORMED),
}


@pytest.mark.usefixtures("no_curve_work")
@pytest.mark.parametrize("name", _BY_HAND)
def test_what_does_not_fit_is_refused_before_any_curve_work(name: str) -> None:
    made, code = _BY_HAND[name]
    assert AT_LIBRARY.refusal(made()) is code


@pytest.mark.usefixtures("no_curve_work")
@pytest.mark.parametrize("length", [32, 33 + catalogue.PORTRAIT_LIMIT])
def test_a_portrait_has_its_salt_and_its_limit(length: int) -> None:
    slot = catalogue.BBS_SLOTS.index("portrait")
    shown = bbs_city.with_slot(at_bar("age_over_18", "portrait"), slot, bytes(length))
    assert AT_BAR.refusal(shown) is Refusal.MALFORMED


@pytest.mark.parametrize("name", ["portrait", "age_over_18"])
def test_another_value_in_a_slot_is_not_signed(name: str) -> None:
    shown = at_bar("age_over_18", "portrait")
    assert AT_BAR.refusal(shown) is None
    young = bbs_city.issue({**bbs_city.RESIDENT, "age_over_18": False, "portrait": None})
    other = {"portrait": bytes(32) + b"\xff\xd8 another face \xff\xd9", "age_over_18": b"true"}
    honest = shown if name == "portrait" else at_bar("age_over_18", issued=young)
    changed = bbs_city.with_slot(honest, catalogue.BBS_SLOTS.index(name), other[name])
    assert AT_BAR.refusal(changed) is Refusal.ISSUER_SIGNATURE


def test_a_credential_that_another_key_signed_is_refused() -> None:
    key = cities.bbs_key("forger")
    forged = show("resident", issued=bbs_city.issue(key=key), key=key)
    assert AT_LIBRARY.refusal(forged) is Refusal.ISSUER_SIGNATURE


def test_a_header_that_was_never_announced_is_refused_though_the_city_signed_it() -> None:
    header = CITY.announced_bbs.header[:-1] + b',"x":1}'
    marked = bbs_city.issue(header=header)
    assert AT_LIBRARY.refusal(show("resident", issued=marked)) is Refusal.UNTRUSTED_ISSUER


def test_an_announced_key_that_is_none_is_not_trusted() -> None:
    told = tuple(dataclasses.replace(one, public_key=bytes(96)) for one in CITY.trust.announced_bbs)
    broken = dataclasses.replace(CITY.trust, announced_bbs=told)
    at = dataclasses.replace(AT_LIBRARY, city=dataclasses.replace(CITY, trust=broken))
    assert at.refusal(SHOWN) is Refusal.UNTRUSTED_ISSUER
    assert at.together([SHOWN]) == [Refusal.UNTRUSTED_ISSUER]


def test_a_period_counts_for_a_day_longer_and_a_minute_at_both_ends() -> None:
    begins, ends = period.not_before(CITY.period), period.not_before(Period(CITY.period + 1))
    for second, code in (
        (begins - 61, Refusal.NOT_YET_VALID),
        (begins - 60, None),
        (ends + period.DAY + 59, None),
        (ends + period.DAY + 60, Refusal.EXPIRED),
    ):
        assert AT_LIBRARY.refusal(SHOWN, now=second) is code


def test_the_last_periods_credential_has_run_out() -> None:
    last = bbs_city.issue(number=Period(CITY.period - 1))
    shown = show("resident", issued=last, key=CITY.bbs_keys[Period(CITY.period - 1)])
    assert AT_LIBRARY.refusal(shown) is Refusal.EXPIRED
    grace = period.not_before(CITY.period) + period.DAY - 1
    assert AT_LIBRARY.refusal(shown, now=grace) is None


@pytest.mark.parametrize("policy", ["vct", "formats"])
def test_a_policy_for_something_else_is_not_answered(policy: str) -> None:
    changes = {"vct": "https://issuer.example/vct/other/1", "formats": (catalogue.FORMAT,)}
    other = dataclasses.replace(CITY.policies["library-card"], **{policy: changes[policy]})  # type: ignore[arg-type]
    changed = dataclasses.replace(CITY.trust, policies={"library-card": other})
    at = dataclasses.replace(AT_LIBRARY, city=dataclasses.replace(CITY, trust=changed))
    assert at.refusal(SHOWN) is Refusal.POLICY


def test_an_sd_jwt_is_not_accepted_where_the_policy_takes_bbs_only() -> None:
    only = bbs_city.make(library_card={"formats": [catalogue.BBS_FORMAT]})
    assert sd_jwts.counter(only).refusal(sd_jwts.show(only, "resident")) is Refusal.POLICY


def test_an_empty_nonce_or_audience_is_the_callers_mistake() -> None:
    for change in ({"nonce": ""}, {"audience": ""}):
        with pytest.raises(ValueError, match="nonce"):
            dataclasses.replace(AT_LIBRARY, **change).check(SHOWN)  # type: ignore[arg-type]


def test_a_pseudonym_comes_beside_the_facts_where_the_policy_has_a_label() -> None:
    named = [
        AT_LIBRARY.check(show("resident", nym_context=bbs_city.context(), seed=seed))
        for seed in ("once", "again")
    ]
    assert named[0].facts == {"resident": True}
    assert named[0].pseudonym == named[1].pseudonym
    assert len(named[0].pseudonym or b"") == 48
    assert "pseudonym" not in repr(named[0])


def test_a_pseudonym_is_another_ones_at_another_policy_and_for_another_resident() -> None:
    bar = bbs_city.make(bar_entry={"pseudonym": "member"})
    at_the_bar = dataclasses.replace(AT_BAR, city=bar)
    there = at_the_bar.check(
        at_bar("age_over_18", nym_context=bbs_city.context(policy="bar-entry"))
    )
    here = AT_LIBRARY.check(show("resident", nym_context=bbs_city.context()))
    other = AT_LIBRARY.check(
        show("resident", nym_context=bbs_city.context(), issued=bbs_city.issue(resident="Ben"))
    )
    assert len({there.pseudonym, here.pseudonym, other.pseudonym}) == 3


@pytest.mark.usefixtures("no_curve_work")
@pytest.mark.parametrize(
    "context",
    [
        bbs_city.context(label="guest"),
        bbs_city.context(policy="bar-entry"),
        bbs_city.context(number=Period(CITY.period + 1)),
        bytes(32),
    ],
)
def test_a_pseudonym_for_another_context_is_refused(context: bytes) -> None:
    shown = show("resident", nym_context=context)
    assert AT_LIBRARY.refusal(shown) is Refusal.HOLDER_BINDING


@pytest.mark.usefixtures("no_curve_work")
def test_a_pseudonym_that_nobody_asked_for_is_refused() -> None:
    shown = show(
        "resident",
        nym_context=bbs_city.context(policy="bar-entry"),
        policy="bar-entry",
        audience=AT_BAR.audience,
    )
    assert AT_BAR.refusal(shown) is Refusal.HOLDER_BINDING


def test_a_pseudonym_of_somebody_else_is_refused() -> None:
    shown = show("resident", nym_context=bbs_city.context())
    other = show("resident", nym_context=bbs_city.context(), issued=bbs_city.issue(resident="Ben"))
    swapped = shown.rpartition("~")[0] + "~" + other.rpartition("~")[2]
    assert AT_LIBRARY.refusal(swapped) is Refusal.ISSUER_SIGNATURE
    taken_off = shown.rpartition("~")[0]
    assert AT_LIBRARY.refusal(taken_off) is Refusal.HOLDER_BINDING


def test_the_issuer_reads_all_slots_at_renewal_in_the_shape_of_an_sd_jwt() -> None:
    asked = {"audience": CITY.issuer, "policy": showing.RENEWAL}
    by_bbs = verify.verify_credential(
        show(*catalogue.BBS_SLOTS, **asked),
        audience=CITY.issuer,
        nonce=bbs_city.NONCE,
        trust=CITY.trust,
        now=CITY.now,
    )
    by_sd_jwt = verify.verify_credential(
        sd_jwts.show(CITY, *catalogue.CLAIMS, audience=CITY.issuer, claims=bbs_city.RESIDENT),
        audience=CITY.issuer,
        nonce=sd_jwts.NONCE,
        trust=CITY.trust,
        now=CITY.now,
    )
    assert isinstance(by_bbs, verify.VerifiedBbs)
    assert by_bbs.announced == CITY.announced_bbs
    left = dict(by_sd_jwt.claims)
    for name in ("cnf", "status", "vct#integrity"):
        left.pop(name)
    assert by_bbs.claims == {**left, "exp": CITY.announced_bbs.exp}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"policy": "library-card"}, Refusal.HOLDER_BINDING),
        ({"policy": showing.RENEWAL, "audience": bbs_city.LIBRARY}, Refusal.WRONG_AUDIENCE),
        ({"policy": showing.RENEWAL, "nonce": "other"}, Refusal.WRONG_NONCE),
    ],
)
def test_renewal_is_a_question_of_its_own(asked: dict[str, str], code: Refusal) -> None:
    with pytest.raises(verify.PresentationRefused) as refused:
        verify.verify_credential(
            show(*catalogue.BBS_SLOTS, **{"audience": CITY.issuer, **asked}),  # type: ignore[arg-type]
            audience=CITY.issuer,
            nonce=bbs_city.NONCE,
            trust=CITY.trust,
            now=CITY.now,
        )
    assert refused.value.code is code


def test_a_batch_of_any_mixture_answers_as_one_by_one() -> None:
    key = cities.bbs_key("forger")
    mixture = [
        SHOWN,
        show("resident", issued=bbs_city.issue(key=key), key=key),
        sd_jwts.show(CITY, "resident"),
        show("resident", nym_context=bbs_city.context()),
        "",
        show("resident", nonce="other"),
        sd_jwts.show(CITY, "resident", nonce="other"),
        bbs_city.with_slot(SHOWN, 0, b'"Mallory"'),
        show("given_name"),
        SHOWN,
    ]
    honest, resident = {"resident": True, "given_name": "Ada"}, {"resident": True}
    assert AT_LIBRARY.together(mixture) == [
        honest,
        Refusal.ISSUER_SIGNATURE,
        resident,
        resident,
        Refusal.MALFORMED,
        Refusal.WRONG_NONCE,
        Refusal.WRONG_NONCE,
        Refusal.ISSUER_SIGNATURE,
        Refusal.POLICY,
        honest,
    ]
    assert AT_LIBRARY.together([]) == []


def test_a_batch_may_have_showings_of_two_periods() -> None:
    following = Period(CITY.period + 1)
    ahead = show("resident", issued=bbs_city.issue(number=following), key=CITY.bbs_keys[following])
    at = dataclasses.replace(
        AT_LIBRARY,
        city=dataclasses.replace(CITY, now=period.not_before(following)),
    )
    answers = verify.verify_batch(
        [
            verify.Item(one, at.city.policies["library-card"], at.audience, at.nonce)
            for one in (SHOWN, ahead, SHOWN)
        ],
        trust=at.city.trust,
        status=verify.status_lists.KeptLists(),
        now=at.city.now,
        random_bytes=cities.chance(),
    )
    assert all(isinstance(one, verify.Accepted) for one in answers)


def test_a_key_is_laid_out_once() -> None:
    formats._public_key.cache_clear()
    for _ in range(3):
        assert AT_LIBRARY.refusal(SHOWN) is None
    assert formats._public_key.cache_info().misses == 1
    assert formats._public_key.cache_info().maxsize == formats._KEYS_KEPT
