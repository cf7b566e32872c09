"""Rows of the corpus that need the whole verification core: kind, times, type, status.

Each attack has its twin: the same presentation without the one thing that is wrong is accepted.
"""

import dataclasses
import socket
from typing import Any

import pytest

from crypto.errors import CryptoError, Refused
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from idservice import period
from idservice.errors import Refusal
from idservice.verification import status, verify
from tests.fakes import certificates, sd_jwts, showing
from tests.fakes import city as cities
from tests.fakes.showing import Counter, counter, show

CITY = cities.make()
ANNOUNCED = CITY.announced
LIBRARY = counter(CITY)
ISSUER_KEY = CITY.issuer_keys[CITY.period]


def accepted_before_and_after(presentation: str, *, now: int | None = None) -> Refusal | None:
    """Return the code; an honest presentation is accepted before and after, so nothing changed."""
    honest = show(CITY, "resident")
    assert LIBRARY.refusal(honest) is None
    code = LIBRARY.refusal(presentation, now=now)
    assert LIBRARY.refusal(honest) is None
    return code


def of_another_kind(typ: str) -> str:
    """Sign something that is no credential with the issuer's own key, and show it."""
    header = {"alg": "ES256", "typ": typ, "x5c": [*ANNOUNCED.x5c_text]}
    payload = {
        "iss": CITY.issuer,
        "vct": ANNOUNCED.vct,
        "nbf": ANNOUNCED.nbf,
        "exp": ANNOUNCED.exp,
        "cnf": {"jwk": jwk.public_jwk(cities.holder_key().public_key())},
        "resident": True,
        "status": {"status_list": {"idx": 1, "uri": ANNOUNCED.status.uri}},
    }
    signed = sd_jwts.token(header, payload, jws.es256_signer(ISSUER_KEY))
    return showing.bind(signed + "~", now=CITY.now)


@pytest.mark.attack("SDJWT-016")
@pytest.mark.parametrize(
    "typ",
    [
        "statuslist+jwt",
        "openidvci-issuer-metadata+jwt",
        "at+jwt",
        "kb+jwt",
        "openid4vci-proof+jwt",
        "oauth-authz-req+jwt",
        "JWT",
        "DC+SD-JWT",
    ],
)
def test_a_token_of_another_kind_by_the_issuers_key_is_no_credential(typ: str) -> None:
    assert accepted_before_and_after(of_another_kind(typ)) is Refusal.WRONG_ALGORITHM
    assert LIBRARY.refusal(of_another_kind("dc+sd-jwt")) is None


@pytest.mark.attack("SDJWT-016")
def test_the_key_for_status_lists_signs_no_credentials() -> None:
    shown = show(CITY, "resident", header={"x5c": CITY.status_x5c}, key=CITY.status_key)
    assert accepted_before_and_after(shown) is Refusal.UNTRUSTED_ISSUER


@pytest.mark.attack("SDJWT-071")
def test_the_core_alone_answers_a_replay_alike_because_its_caller_uses_the_nonce_up() -> None:
    """A replay within the window is refused by the verifier's store; another nonce refuses here."""
    shown = show(CITY, "resident")
    assert LIBRARY.refusal(shown) is LIBRARY.refusal(shown) is None
    assert dataclasses.replace(LIBRARY, nonce="the next question").refusal(shown) is (
        Refusal.WRONG_NONCE
    )


@pytest.mark.attack("SDJWT-076")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": CITY.now - 61}, Refusal.EXPIRED),
        ({"exp": CITY.now - 60}, Refusal.EXPIRED),
        ({"exp": CITY.now - 59}, None),
        ({"nbf": CITY.now + 61}, Refusal.NOT_YET_VALID),
        ({"nbf": CITY.now + 60}, None),
        ({"exp": None}, Refusal.MALFORMED),
        ({"exp": str(ANNOUNCED.exp)}, Refusal.MALFORMED),
        ({"exp": float(ANNOUNCED.exp) + 0.5}, Refusal.MALFORMED),
        ({"exp": True}, Refusal.MALFORMED),
        ({"exp": [ANNOUNCED.exp]}, Refusal.MALFORMED),
        ({"exp": -1}, Refusal.MALFORMED),
        ({"nbf": str(ANNOUNCED.nbf)}, Refusal.MALFORMED),
        ({"nbf": ANNOUNCED.exp}, Refusal.MALFORMED),
        ({"iat": ANNOUNCED.exp + 1}, Refusal.MALFORMED),
        ({"iat": CITY.now + 61}, Refusal.NOT_YET_VALID),
        ({"iat": "yesterday"}, Refusal.MALFORMED),
        ({"iat": CITY.now}, None),
    ],
)
def test_times_are_whole_seconds_and_the_skew_is_sixty(
    changes: dict[str, Any], code: Refusal | None
) -> None:
    assert accepted_before_and_after(show(CITY, "resident", changes=changes)) is code


@pytest.mark.attack("SDJWT-076")
@pytest.mark.parametrize("number", ["9223372036854775808", "1e400", "10e999999"])
def test_a_time_that_no_integer_of_json_holds_is_malformed(number: str) -> None:
    payload = '{"exp":' + number + "}"
    header = {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [*ANNOUNCED.x5c_text]}
    token = sd_jwts.token(header, payload, jws.es256_signer(ISSUER_KEY))
    shown = showing.bind(token + "~", now=CITY.now)
    assert accepted_before_and_after(shown) is Refusal.MALFORMED


@pytest.mark.attack("SDJWT-077")
@pytest.mark.parametrize(
    "vct",
    [
        f"{CITY.issuer}/vct/parking/1",
        ANNOUNCED.vct + "/",
        ANNOUNCED.vct.replace("resident", "Resident"),
        ANNOUNCED.vct.upper(),
        None,
        [ANNOUNCED.vct],
        7,
    ],
)
def test_another_type_than_the_one_asked_for_is_refused(vct: Any) -> None:
    shown = show(CITY, "resident", changes={"vct": vct})
    assert accepted_before_and_after(shown) is Refusal.POLICY


@pytest.mark.attack("SDJWT-077")
def test_a_policy_for_another_type_refuses_ours() -> None:
    policy = dataclasses.replace(CITY.policies["library-card"], vct=f"{CITY.issuer}/vct/parking/1")
    trust = dataclasses.replace(CITY.trust, policies={policy.id: policy})
    at = dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=trust))
    assert at.refusal(show(CITY, "resident")) is Refusal.POLICY


class _Attempt(Exception):
    pass


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach anybody fails loudly, and not as a refusal."""

    def refuse(*_: object, **__: object) -> None:
        raise _Attempt

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.attack("SDJWT-078")
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "changes",
    [
        {"vct": "http://169.254.169.254/latest/meta-data"},
        {"vct": "http://localhost:1/vct"},
        {"vct": "file:///etc/passwd"},
        {"vct": "https://issuer.example/redirect"},
        {"vct#integrity": "sha256-" + "A" * 43 + "="},
    ],
)
def test_the_types_metadata_is_never_fetched(changes: dict[str, Any]) -> None:
    expected = Refusal.POLICY if "vct" in changes else None
    assert accepted_before_and_after(show(CITY, "resident", changes=changes)) is expected


@pytest.mark.attack("SDJWT-010")
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("member", ["jku", "x5u"])
@pytest.mark.parametrize(
    "address",
    [
        "https://attacker.example/keys",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "http://[::1]",
    ],
)
def test_an_address_of_keys_is_never_fetched(member: str, address: str) -> None:
    forged = show(
        CITY,
        "resident",
        key=certificates.p256("attacker"),
        header={member: address, "x5c": None},
    )
    assert accepted_before_and_after(forged) is Refusal.UNTRUSTED_ISSUER
    keyed = show(CITY, "resident", key=certificates.p256("attacker"), header={member: address})
    assert accepted_before_and_after(keyed) is Refusal.ISSUER_SIGNATURE


@pytest.mark.attack("SDJWT-052")
@pytest.mark.parametrize(
    "name",
    [
        "resid\u0435nt",
        "\uff52esident",
        "resident\u200b",
        "re\u0301sident",
        "Resident",
        "resident ",
    ],
)
def test_a_claim_that_only_looks_like_the_one_asked_for_is_missing(name: str) -> None:
    claims = {**cities.RESIDENT, "resident": None}
    shown = show(CITY, "resident", claims=claims, changes={name: True})
    assert accepted_before_and_after(shown) is Refusal.POLICY


def referring(value: Any) -> str:
    return show(CITY, "resident", changes={"status": value})


def entry(index: Any, uri: Any = ANNOUNCED.status.uri) -> dict[str, Any]:
    return {"status_list": {"idx": index, "uri": uri}}


@pytest.mark.attack("TSL-003")
@pytest.mark.parametrize("index", [1 << 17, (1 << 32) - 2, 1 << 40, -1, 1.5, "1", None, True])
def test_an_index_that_the_list_does_not_have_is_not_valid(index: Any) -> None:
    assert accepted_before_and_after(referring(entry(index))) is Refusal.MALFORMED
    assert LIBRARY.refusal(referring(entry((1 << 17) - 1))) is None


@pytest.mark.attack("TSL-006")
def test_the_list_of_another_address_is_not_read() -> None:
    last = CITY.trust.find(
        configuration=ANNOUNCED.configuration, period=period.Period(CITY.period + 1)
    )
    assert last is not None
    token = CITY.status_token()
    with pytest.raises(Refused):
        status.read(token, uri=last.status.uri, trust=CITY.trust, now=CITY.now)
    assert status.read(token, uri=CITY.status_uri, trust=CITY.trust, now=CITY.now)


def with_list(iat: int, *, max_age: int | None = 172_800) -> Counter:
    """Open a counter whose only list was signed at `iat`, whatever it would say to it today."""
    at = counter(CITY)
    newest = at.lists.lookup(CITY.status_uri)
    assert newest is not None
    lists = status.KeptLists()
    lists.keep(
        dataclasses.replace(
            newest, iat=UnixSeconds(iat), exp=UnixSeconds(iat + 7 * period.DAY), ttl=1
        )
    )
    policy = dataclasses.replace(CITY.policies["library-card"], status_max_age_s=max_age)
    trust = dataclasses.replace(CITY.trust, policies={policy.id: policy})
    return dataclasses.replace(at, lists=lists, city=dataclasses.replace(CITY, trust=trust))


@pytest.mark.attack("TSL-008")
@pytest.mark.parametrize(
    ("age", "max_age", "code"),
    [
        (7 * period.DAY, None, Refusal.STATUS_UNAVAILABLE),
        (7 * period.DAY - 1, None, None),
        (-61, None, Refusal.STATUS_UNAVAILABLE),
        (-60, None, None),
        (172_801, 172_800, Refusal.STATUS_UNAVAILABLE),
        (172_800, 172_800, None),
    ],
)
def test_a_stale_list_closes_the_counter(
    age: int, max_age: int | None, code: Refusal | None
) -> None:
    at = with_list(CITY.now - age, max_age=max_age)
    assert at.refusal(show(CITY, "resident")) is code


@pytest.mark.attack("TSL-009")
def test_an_older_list_that_is_replayed_is_detected_and_changes_nothing() -> None:
    at = counter(CITY, withdrawn=[showing.INDEX])
    older = status.read(
        CITY.status_token(iat=CITY.now - 2 * period.DAY),
        uri=CITY.status_uri,
        trust=CITY.trust,
        now=CITY.now,
    )
    with pytest.raises(CryptoError):
        at.lists.keep(older)
    assert at.refusal(show(CITY, "resident")) is Refusal.WITHDRAWN


@pytest.mark.attack("TSL-011")
@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "valid",
        {"status_list": None},
        {"status_list": {"idx": 1}},
        {"status_list": {"uri": ANNOUNCED.status.uri}},
        {"other_mechanism": {"id": 1}},
        {**entry(1), "other_mechanism": {}},
    ],
)
def test_a_credential_without_a_status_list_is_refused(value: Any) -> None:
    assert accepted_before_and_after(referring(value)) is Refusal.MALFORMED


@pytest.mark.attack("TSL-012")
@pytest.mark.parametrize(
    ("uri", "code"),
    [
        (ANNOUNCED.status.uri + "?holder=7", Refusal.MALFORMED),
        (ANNOUNCED.status.uri + "#7", Refusal.MALFORMED),
        (ANNOUNCED.status.uri + "/7", Refusal.STATUS_UNAVAILABLE),
        ("https://tracker.example/v1/status/7", Refusal.STATUS_UNAVAILABLE),
        (ANNOUNCED.status.uri.upper(), Refusal.MALFORMED),
        (["a"], Refusal.MALFORMED),
    ],
)
@pytest.mark.usefixtures("no_network")
def test_a_list_of_a_persons_own_is_refused(uri: Any, code: Refusal) -> None:
    assert accepted_before_and_after(referring(entry(1, uri))) is code


@pytest.mark.attack("TSL-017")
@pytest.mark.usefixtures("no_network")
def test_a_thousand_showings_fetch_nothing_and_look_one_list_up() -> None:
    asked: list[str] = []

    class Watched(status.KeptLists):
        def lookup(self, uri: str) -> status.VerifiedList | None:
            asked.append(uri)
            return super().lookup(uri)

    lists = Watched()
    newest = LIBRARY.lists.lookup(CITY.status_uri)
    assert newest is not None
    lists.keep(newest)
    at = dataclasses.replace(LIBRARY, lists=lists)
    shown = show(CITY, "resident")
    assert all(at.refusal(shown) is None for _ in range(1000))
    assert set(asked) == {CITY.status_uri}


@pytest.mark.attack("TSL-018")
def test_a_list_answers_for_now_only() -> None:
    """There is no argument, member or method by which an older state could be asked for."""
    lists = counter(CITY, withdrawn=[showing.INDEX]).lists
    newest = lists.lookup(CITY.status_uri)
    assert newest is not None
    later = dataclasses.replace(newest, iat=UnixSeconds(newest.iat + 1))
    lists.keep(later)
    assert lists.lookup(CITY.status_uri) is later
    assert vars(lists) == {"_newest": {CITY.status_uri: later}}
    with pytest.raises(verify.PresentationRefused):
        dataclasses.replace(LIBRARY, lists=lists).check(show(CITY, "resident"))
