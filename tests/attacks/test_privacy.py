"""Insider, privacy and linkage: what joins two showings, and what does not."""

import json
from collections.abc import Iterator

import pytest

from crypto.encoding import base64url
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.sdjwt import key_binding, present, sd_jwt
from idservice import catalogue, period
from idservice.errors import Refusal
from idservice.issuer import claims as enrolment
from idservice.verification import verify
from tests.fakes import city, knowledge

CITY = city.make()
LIBRARY, BAR = CITY.verifiers["library"], CITY.verifiers["bar"]
BATCH = [
    CITY.issue(city.RESIDENT, city.holder_key(f"instance {i}").public_key(), index)
    for i, index in enumerate([90_001, 17, 60_443, 131_000, 4_711, 77_777])
]


def payload(credential: str) -> dict[str, object]:
    """Decode what the issuer signed."""
    return json.loads(base64url.decode(credential.split("~", maxsplit=1)[0].split(".")[1]))


def shown(credential: str, instance: int, *names: str, to: city.FakeVerifier) -> str:
    """Show some claims of one instance to a verifier."""
    chosen = present.present(
        sd_jwt.parse(credential), paths=[tuple(name.split(".")) for name in names]
    )
    return key_binding.sign(
        chosen,
        nonce=f"nonce for {to.name}",
        audience=to.hash_client_id,
        now=CITY.now,
        signer=jws.es256_signer(city.holder_key(f"instance {instance}")),
    )


def leaves(value: object) -> Iterator[str]:
    """Walk over every scalar of a JSON value, as text."""
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield json.dumps(value)


def pieces(presentation: str) -> set[str]:
    """Take everything apart that two verifiers could compare."""
    issuer, *disclosures, answer = presentation.split("~")
    found: set[str] = set()
    for token in (issuer, answer):
        header, body, signature = token.split(".")
        found |= set(leaves(json.loads(base64url.decode(header))))
        found |= set(leaves(json.loads(base64url.decode(body))))
        found.add(signature)
    return found | set(disclosures)


def accept(presentation: str, verifier: city.FakeVerifier, policy: str) -> verify.Accepted:
    return verify.verify_presentation(
        presentation,
        policy=CITY.policies[policy],
        audience=verifier.hash_client_id,
        nonce=f"nonce for {verifier.name}",
        trust=CITY.trust,
        status=knowledge.of(CITY),
        now=CITY.now,
    )


ALLOWED_TO_BE_EQUAL = {
    # the same for everybody of the city and the period
    "iss",
    "vct",
    "vct#integrity",
    "nbf",
    "exp",
}


@pytest.mark.attack("PRIV-003")
def test_two_verifiers_share_nothing_but_what_is_the_same_for_everybody() -> None:
    """Each pair of showings by one person, compared with showings by two people."""
    fields = payload(BATCH[0])
    announced = CITY.announced
    everybody = (
        {json.dumps(fields[name]) for name in ALLOWED_TO_BE_EQUAL}
        | {
            json.dumps(text)
            for text in (
                "ES256",
                "dc+sd-jwt",
                "kb+jwt",
                "sha-256",
                "EC",
                "P-256",
                announced.status.uri,
                *announced.x5c_text,
            )
        }
        | {json.dumps(int(CITY.now))}
    )  # the second of the showing, which both verifiers know
    for first in range(3):
        for second in range(3, 6):
            to_library = shown(BATCH[first], first, "resident", to=LIBRARY)
            to_bar = shown(BATCH[second], second, "age_over_18", to=BAR)
            assert pieces(to_library) & pieces(to_bar) <= everybody


@pytest.mark.attack("PRIV-002")
def test_an_issuer_that_recorded_issuance_links_and_we_say_so() -> None:
    """Known and stated (letter C): the signature of an instance is a join key for its issuer."""
    recorded = {credential.split("~")[0] for credential in BATCH}
    assert shown(BATCH[0], 0, "resident", to=LIBRARY).split("~")[0] in recorded


@pytest.mark.attack("PRIV-004")
@pytest.mark.attack("OID4VCI-040")
def test_times_in_a_credential_are_those_of_the_period() -> None:
    times = {(payload(one)["nbf"], payload(one)["exp"]) for one in BATCH}
    assert times == {(period.not_before(CITY.period), period.expires(CITY.period))}
    assert all("iat" not in payload(one) for one in BATCH)


@pytest.mark.attack("PRIV-019")
@pytest.mark.attack("PRIV-024")
def test_what_a_person_does_not_have_changes_no_count_and_no_member() -> None:
    """Nothing that everybody sees tells which optional claims exist."""
    poor = CITY.issue({"resident": True}, city.holder_key().public_key(), 1)
    rich, plain = payload(BATCH[0]), payload(poor)
    assert rich.keys() == plain.keys()
    assert len(rich["_sd"]) == len(plain["_sd"]) == CITY.announced.digests
    assert len(rich["address"]["_sd"]) == len(plain["address"]["_sd"])
    assert poor.count("~") == BATCH[0].count("~")


@pytest.mark.attack("PRIV-012")
@pytest.mark.attack("PRIV-013")
def test_equal_answers_are_equal_bytes_whoever_shows() -> None:
    """A yes is the same for a long name and for none."""
    answers = set()
    for i, (name, street) in enumerate((("Li", None), ("A" * 100, "B" * 100), (None, "C"))):
        person = {**city.RESIDENT, "family_name": name, "address.street_address": street}
        credential = CITY.issue(person, city.holder_key(f"instance {i}").public_key(), i)
        accepted = accept(shown(credential, i, "age_over_18", to=BAR), BAR, "bar-entry")
        answers.add(json.dumps([accepted.policy, dict(accepted.facts), accepted.status_age_s]))
    assert answers == {json.dumps(["bar-entry", {"age_over_18": True}, 8 * 3600 - 7200])}


@pytest.mark.attack("PRIV-012")
@pytest.mark.attack("OID4VP-026")
def test_claims_shown_beyond_the_policy_are_dropped() -> None:
    everything = shown(BATCH[0], 0, "age_over_18", "family_name", "birth_date", to=BAR)
    assert set(accept(everything, BAR, "bar-entry").facts) == {"age_over_18"}


@pytest.mark.attack("PRIV-018")
def test_one_issuer_stands_for_the_whole_city() -> None:
    assert {payload(one)["iss"] for one in BATCH} == {CITY.issuer}
    assert not {"district", "office", "desk", "clerk"} & set(catalogue.CLAIMS)


@pytest.mark.attack("PRIV-020")
@pytest.mark.parametrize("suffix", ["?holder=1", "#1", "/1"])
def test_a_status_list_of_ones_own_is_refused(suffix: str) -> None:
    own = {"status_list": {"idx": 5, "uri": CITY.status_uri + suffix}}
    credential = CITY.issue(
        city.RESIDENT,
        city.holder_key("instance 0").public_key(),
        5,
        changes={"status": own},
    )
    with pytest.raises(verify.PresentationRefused) as caught:
        accept(shown(credential, 0, "resident", to=LIBRARY), LIBRARY, "library-card")
    assert caught.value.code in {Refusal.STATUS_UNAVAILABLE, Refusal.MALFORMED}
    assert accept(shown(BATCH[0], 0, "resident", to=LIBRARY), LIBRARY, "library-card")


@pytest.mark.attack("PRIV-022")
def test_a_claim_that_is_no_claim_of_the_catalogue_is_refused_without_echo() -> None:
    record = {"resident": True, "social_security_number": "canary-078-05"}
    with pytest.raises((CryptoError, ValueError)) as caught:
        enrolment.parse(json.dumps(record).encode(), today=period.day(UnixSeconds(CITY.now)))
    assert "canary" not in str(caught.value)
    assert "social" not in str(caught.value)
    assert enrolment.parse(b'{"resident":true}', today=period.day(UnixSeconds(CITY.now)))
