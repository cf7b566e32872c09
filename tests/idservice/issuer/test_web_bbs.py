"""The issuer's counter for BBS: from the offer to the credential and its renewal, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from crypto.bbs import jwp, signature
from crypto.bbs.jwp import HolderSecret, Issued
from crypto.encoding.canonical_json import JsonObject
from idservice import catalogue, period
from idservice.apps import issuer
from idservice.apps.settings import UnusableSettings
from idservice.issuer import metadata
from idservice.issuer.model import Enrolment
from idservice.period import Period
from idservice.verification import showing
from tests.fakes import city as cities
from tests.fakes import issuer_app, issuer_office
from tests.fakes.issuer_app import RunningIssuer

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
LARGEST_JPEG = b"\xff\xd8\xff" + bytes(24 * 1024 - 5) + b"\xff\xd9"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RunningIssuer]:
    with issuer_app.running(tmp_path / "city") as made:
        yield made


def enrol(process: RunningIssuer) -> Enrolment:
    portrait = issuer_office.claims.portrait_claim(LARGEST_JPEG)
    person = issuer_office.claims.from_record(
        {**issuer_office.ADA, "portrait": portrait}, today=period.day(process.clock.now())
    )
    desk = issuer_app.Desk(process.parts.stores)
    return desk.enrol(person, configuration=catalogue.BBS_CONFIGURATION)


def token(process: RunningIssuer, content: JsonObject, transaction_code: str | None) -> str:
    code = content["grants"][GRANT]["pre-authorized_code"]  # type: ignore[index,call-overload]
    form = {"grant_type": GRANT, "pre-authorized_code": str(code)}
    if transaction_code is not None:
        form["tx_code"] = transaction_code
    answer = process.client.post("/token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def ask(process: RunningIssuer, given: str, commitment: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {given}"}
    body = issuer_office.bbs_body(commitment)
    return process.client.post("/credential", json=body, headers=headers)


def receive(process: RunningIssuer, text: str, secret: HolderSecret, number: int) -> Issued:
    announced = process.keys.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=Period(number)
    )
    assert announced is not None
    key = signature.load_public_key(announced.public_key)
    issued = jwp.receive(text, secret=secret, public_key=key, hashed=announced.hashed)
    assert issued.header == announced.header
    return issued


def test_wallet_walks_from_offer_to_credential_and_its_renewal(process: RunningIssuer) -> None:
    here = period.of(process.clock.now())
    enrolment = enrol(process)
    link = issuer_office.parse_qs(issuer_office.urlsplit(enrolment.offer_by_reference).query)
    offered = process.client.get(link["credential_offer_uri"][0])
    assert offered.json() == issuer_office.offered(enrolment)
    assert offered.json()["credential_configuration_ids"] == [catalogue.BBS_CONFIGURATION]
    told = process.client.get("/.well-known/openid-credential-issuer").json()
    assert set(told["credential_configurations_supported"]) == set(catalogue.CONFIGURATIONS)
    secret, commitment = jwp.request(random_bytes=cities.chance("holder"))
    given = token(process, offered.json(), enrolment.transaction_code)
    first = ask(process, given, commitment)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-store"
    assert set(first.json()) == {"credentials"}
    ((text,),) = (each.values() for each in first.json()["credentials"])
    assert len(text) < 40 * 1024
    issued = receive(process, text, secret, here)
    assert ask(process, given, commitment).content == first.content
    _, other = jwp.request(random_bytes=cities.chance("other"))
    refused = ask(process, given, other)
    assert (refused.status_code, refused.json()["error"]) == (400, "credential_request_denied")
    begun = period.not_before(Period(here))
    process.clock.time = type(begun)(begun + 26 * period.DAY)
    renewed = process.client.post("/v1/renew", json={"presentation": show(process, issued, here)})
    assert renewed.status_code == 200, renewed.text
    given = token(process, renewed.json()["credential_offer"], None)
    next_secret, commitment = jwp.request(random_bytes=cities.chance("next"))
    answer = ask(process, given, commitment).json()
    following = receive(process, answer["credentials"][0]["credential"], next_secret, here + 1)
    assert following.payloads[0] == issued.payloads[0] == b'"Ada"'


def show(process: RunningIssuer, issued: Issued, number: int) -> str:
    nonce = process.client.post("/nonce").json()["c_nonce"]
    announced = process.keys.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=Period(number)
    )
    assert announced is not None
    return jwp.present(
        issued,
        disclosed=range(len(announced.slots)),
        presentation_header=showing.presentation_header(
            audience=process.base,
            nonce=nonce,
            request_hash=showing.direct_request_hash(nonce=nonce, policy=showing.RENEWAL),
            nym_context=None,
        ),
        nym_context=None,
        public_key=signature.load_public_key(announced.public_key),
        hashed=announced.hashed,
        random_bytes=cities.chance("show"),
    )


@pytest.mark.parametrize("text", ["", "A" * 192, "c" * 300_000, "Ä", "a+b/"])
def test_what_is_no_commitment_is_an_invalid_proof(process: RunningIssuer, text: str) -> None:
    enrolment = enrol(process)
    given = token(process, issuer_office.offered(enrolment), enrolment.transaction_code)
    body = {
        "credential_configuration_id": catalogue.BBS_CONFIGURATION,
        "proofs": {"bbs_commitment": [text]},
    }
    answer = process.client.post(
        "/credential", json=body, headers={"Authorization": f"Bearer {given}"}
    )
    if len(text) > 100_000:
        assert answer.status_code == 413
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof")


def test_there_is_no_status_list_of_bbs(process: RunningIssuer) -> None:
    number = period.of(process.clock.now())
    path = f"/v1/status/{catalogue.BBS_CONFIGURATION}/{number}"
    assert process.client.get(path).status_code == 404
    assert all("bbs" not in path.name for path in process.settings.folder.iterdir())


def test_slip_withdraws_a_bbs_card_with_the_answer_that_everybody_gets(
    process: RunningIssuer,
) -> None:
    enrolment = enrol(process)
    known = process.client.post("/v1/withdraw", json={"slip": enrolment.slip})
    again = process.client.post("/v1/withdraw", json={"slip": enrolment.slip})
    assert known.content == again.content
    given = token(process, issuer_office.offered(enrolment), enrolment.transaction_code)
    _, commitment = jwp.request(random_bytes=cities.chance("holder"))
    assert ask(process, given, commitment).json()["error"] == "credential_request_denied"


def test_issuer_with_a_bbs_key_that_was_not_announced_does_not_start(tmp_path: Path) -> None:
    told = issuer_app.found(tmp_path / "city")
    clock, chance = issuer_office.HandClock(cities.NOW), cities.chance()
    number = period.of(cities.NOW)
    key = told.folder / "keys" / f"{catalogue.BBS_CONFIGURATION}-{number}.key"
    other = told.folder / "keys" / f"{catalogue.BBS_CONFIGURATION}-{number + 1}.key"
    content = key.read_bytes()
    key.write_bytes(other.read_bytes())
    with pytest.raises(UnusableSettings):
        issuer.create_app(told, clock=clock, random_bytes=chance)
    key.write_bytes(content)
    issuer.create_app(told, clock=clock, random_bytes=chance)


ANNOUNCED = cities.make().announced_bbs


@pytest.mark.parametrize(
    "changes",
    [
        {"vct": f"{cities.ISSUER}/vct/other/1"},
        {"schema": 2},
        {"slots": ANNOUNCED.slots[::-1]},
        {"nbf": ANNOUNCED.nbf + 1},
        {"exp": ANNOUNCED.exp + 6 * period.DAY},
    ],
)
def test_announcement_of_anything_else_than_is_served_stops_the_issuer(
    changes: dict[str, Any],
) -> None:
    issuer._check_bbs(ANNOUNCED, metadata.vct(cities.ISSUER))
    with pytest.raises(UnusableSettings, match="announces"):
        issuer._check_bbs(replace(ANNOUNCED, **changes), metadata.vct(cities.ISSUER))
