"""The offices behave as their OpenAPI documents say, whatever is sent to them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from crypto.encoding import canonical_json
from crypto.jose import jws
from idservice import catalogue
from idservice.demonstration import story
from idservice.demonstration.town import Counter, Town
from idservice.issuer import protocol
from idservice.verification import trust
from tests.fakes import generated, towns
from tests.fakes.generated import Known

CASES = 100_000
OPEN = 12
"""Questions that a run may answer."""

REACHED = {
    "issuer": {"GET /offers/{configuration}/{reference}", "POST /v1/withdraw"},
    "library": {
        "GET /v1/request-objects/{identifier}",
        "GET /v1/requests/answer",
        "POST /v1/requests",
        "POST /v1/verify/batch",
    },
}
"""Operations that must have said yes to something, so that not all was refused at the door."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with towns.running(tmp_path_factory.mktemp("town"), test_hooks=True) as found:
        yield found


def address(town: Town, office: str) -> str:
    return town.issuer if office == "issuer" else town.counters[office].base_url


def known(town: Town, office: str) -> Known:
    """Return values that an office knows and chance would never find."""
    return of_issuer(town) if office == "issuer" else of_verifier(town.counters[office])


def of_issuer(town: Town) -> Known:
    """Enrol somebody who has traded the code, and somebody who has not."""
    records = list(story.records().values())
    bundle = trust.parse(town.bundle.read_bytes(), root_fingerprint=None, at_least_version=None)
    handed, waiting = (towns.enrol(town, record) for record in records[:2])
    grants = [grant(one) for one in (handed, waiting)]
    form = {
        "grant_type": protocol.GRANT,
        "pre-authorized_code": grants[0],
        "tx_code": str(handed["transaction_code"]),
    }
    token = httpx.post(f"{town.issuer}/token", data=form).json()["access_token"]
    address_of_offer = httpx.URL(str(waiting["offer_by_reference"])).params["credential_offer_uri"]
    values = {
        "body.grant_type": [protocol.GRANT],
        "body.pre-authorized_code": [grants[1]],
        "body.tx_code": [str(waiting["transaction_code"])],
        "body.credential_configuration_id": [catalogue.CONFIGURATION],
        "body.slip": [str(handed["slip"])],
        "path.configuration": [catalogue.CONFIGURATION],
        "path.period": [str(one.period) for one in bundle.announced],
        "path.reference": [address_of_offer.rpartition("/")[2]],
    }
    return Known(values=values, bearers={"access_token": token})


def grant(handed: towns.Json) -> str:
    """Read the code out of an offer's link."""
    offer = canonical_json.parse_object(
        httpx.URL(str(handed["offer"])).params["credential_offer"].encode()
    )
    grants = offer["grants"]
    assert isinstance(grants, dict)
    found = grants[protocol.GRANT]
    assert isinstance(found, dict)
    return str(found["pre-authorized_code"])


def of_verifier(counter: Counter) -> Known:
    """Open questions, and read from their request objects what an answer must repeat."""
    identifiers, states, secrets = [], [], []
    for _ in range(OPEN):
        started = towns.start_request(counter, response_mode="direct_post")
        query = parse_qs(urlsplit(str(started["authorization_request"])).query)
        token = httpx.get(query["request_uri"][0]).text
        request = canonical_json.parse_object(jws.parse(token).payload)
        identifiers.append(query["request_uri"][0].rpartition("/")[2])
        states.append(str(request["state"]))
        secrets.append(str(started["answer_secret"]))
    values = {
        "path.identifier": identifiers,
        "body.state": states,
        "body.error": ["access_denied"],
        "body.policy": [counter.policy],
        "body.audience": [counter.client_id],
        "body.wallet_metadata": ["{}"],
    }
    return Known(values=values, bearers={"api_key": counter.api_key, "answer_secret": secrets[0]})


@pytest.mark.attack("HTTP-030")
@pytest.mark.parametrize("office", ["issuer", "library"])
def test_every_answer_is_one_that_the_document_has(town: Town, tmp_path: Path, office: str) -> None:
    outcome = generated.run(
        address(town, office),
        tmp_path / "run",
        known=known(town, office),
        examples=8,
        seed=None,
    )
    assert outcome.passed, outcome.told
    assert outcome.complete, outcome.told
    assert outcome.reached >= REACHED[office], outcome.told
    assert not town.stage.log(office)


@pytest.mark.long
@pytest.mark.attack("HTTP-030")
@pytest.mark.parametrize("office", ["issuer", "library"])
def test_every_answer_of_many_is_one_that_the_document_has(
    town: Town, tmp_path: Path, office: str
) -> None:
    sent = 0
    for seed in count(1):
        outcome = generated.run(
            address(town, office),
            tmp_path / str(seed),
            known=known(town, office),
            examples=500,
            seed=seed,
        )
        assert outcome.passed, outcome.told
        sent += outcome.cases
        if sent >= CASES / 2:
            break
    assert not town.stage.log(office)
