"""The issuer's counter: what wallets see of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from crypto.encoding import base64url, canonical_json
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, verify
from crypto.status import status_token
from crypto.status.status_token import Shape
from crypto.x509 import chain, x5c
from crypto.x509.profile import Role
from idservice import catalogue, period
from idservice.apps import issuer
from idservice.apps.settings import UnusableSettings
from idservice.issuer import metadata, web
from tests.fakes import city as cities
from tests.fakes import issuer_app, issuer_office
from tests.fakes.certificates import p256
from tests.fakes.issuer_app import RunningIssuer

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RunningIssuer]:
    with issuer_app.running(tmp_path / "city") as made:
        yield made


def proofs(process: RunningIssuer, *, count: int = 20, label: str = "key") -> dict[str, Any]:
    nonce = process.client.post("/nonce").json()["c_nonce"]
    signed = []
    for number in range(count):
        key = p256(f"{label} {number}")
        header = {
            "alg": "ES256",
            "typ": "openid4vci-proof+jwt",
            "jwk": {**jwk.public_jwk(key.public_key())},
        }
        payload = {"aud": process.base, "iat": process.clock.now(), "nonce": nonce}
        signed.append(
            jws.sign(
                header=header,
                payload=canonical_json.serialize({**payload}),
                signer=jws.es256_signer(key),
            )
        )
    return {"credential_configuration_id": catalogue.CONFIGURATION, "proofs": {"jwt": signed}}


def token(process: RunningIssuer) -> str:
    enrolment = process.enrol()
    offer = issuer_office.offered(enrolment)
    code = offer["grants"][GRANT]["pre-authorized_code"]  # type: ignore[index,call-overload]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": enrolment.transaction_code}
    answer = process.client.post("/token", data=form)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["access_token"])


def test_wallet_walks_from_offer_to_credentials(process: RunningIssuer) -> None:
    headers = {"Authorization": f"Bearer {token(process)}"}
    answer = process.client.post("/credential", json=proofs(process), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"credentials"}
    credentials = [entry["credential"] for entry in answer.json()["credentials"]]
    assert len(credentials) == 20
    parsed = sd_jwt.parse(credentials[0])
    told = process.keys.trust.find(
        configuration=catalogue.CONFIGURATION, period=period.of(process.clock.now())
    )
    assert told is not None
    assert parsed.issuer.header["x5c"] == [*told.x5c_text]  # type: ignore[union-attr]
    leaf = chain.verify(
        told.x5c, root=process.keys.trust.root, role=Role.ISSUER, now=process.clock.now()
    )
    content = verify.verify_issued(parsed, issuer_key=leaf.public_key).claims
    assert content["family_name"] == "Okonkwo"


def test_answer_with_portraits_stays_under_two_mebibytes(process: RunningIssuer) -> None:
    jpeg = b"\xff\xd8\xff" + bytes(24 * 1024 - 5) + b"\xff\xd9"
    record = {**issuer_office.ADA, "portrait": issuer_office.claims.portrait_claim(jpeg)}
    enrolment = process.enrol(record)
    code = issuer_office.offered(enrolment)["grants"][GRANT]["pre-authorized_code"]  # type: ignore[index,call-overload]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": enrolment.transaction_code}
    given = process.client.post("/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {given}"}
    answer = process.client.post("/credential", json=proofs(process), headers=headers)
    assert answer.status_code == 200
    assert len(answer.content) <= 2 * 1024 * 1024
    assert len(answer.json()["credentials"][0]["credential"]) < 60 * 1024


def test_offer_by_reference_is_the_offer_by_value(process: RunningIssuer) -> None:
    enrolment = process.enrol()
    link = issuer_office.parse_qs(issuer_office.urlsplit(enrolment.offer_by_reference).query)
    answer = process.client.get(link["credential_offer_uri"][0])
    assert answer.json() == issuer_office.offered(enrolment)
    assert answer.headers["cache-control"] == "no-store"
    again = process.client.get(link["credential_offer_uri"][0])
    assert again.content == answer.content


def test_any_well_formed_reference_has_an_offer(process: RunningIssuer) -> None:
    answer = process.client.get(f"/offers/{catalogue.CONFIGURATION}/{'A' * 43}")
    assert answer.status_code == 200
    for path in ("/offers/other/" + "A" * 43, f"/offers/{catalogue.CONFIGURATION}/AAAA"):
        assert process.client.get(path).status_code == 404


def test_metadata_comes_plain_or_signed(process: RunningIssuer) -> None:
    path = "/.well-known/openid-credential-issuer"
    plain = process.client.get(path)
    assert plain.headers["content-type"] == "application/json"
    assert plain.json()["credential_issuer"] == process.base
    assert plain.json()["batch_credential_issuance"] == {"batch_size": 20}
    accept = {"Accept": "application/jwt, application/json;q=0.5"}
    signed = process.client.get(path, headers=accept)
    assert signed.headers["content-type"] == "application/jwt"
    found = jws.parse(signed.text)
    root = process.keys.trust.root
    certificates = x5c.decode(found.header["x5c"])
    leaf = chain.verify(certificates, root=root, role=Role.METADATA, now=process.clock.now())
    checked = jws.verify(
        signed.text,
        key=leaf.public_key,
        algorithm="ES256",
        typ="openidvci-issuer-metadata+jwt",
    )
    content = canonical_json.parse_object(checked.payload)
    assert content.pop("iss") == content.pop("sub") == process.base
    assert content.pop("iat") == process.clock.now() // 86400 * 86400
    assert content == plain.json()


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/jwt", True),
        ("application/json, application/jwt", False),
        ("application/jwt;q=0.2, application/json;q=0.1", True),
        ("application/jwt;q=x", False),
    ],
)
def test_wallet_says_which_metadata_it_prefers(accept: str, *, signed: bool) -> None:
    assert web.prefers_signed(accept) is signed


def test_every_address_is_the_configured_one(process: RunningIssuer) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    for path in (
        "/.well-known/openid-credential-issuer",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwt-vc-issuer",
        metadata.TYPE_PATH,
        f"/offers/{catalogue.CONFIGURATION}/{'A' * 43}",
    ):
        answer = process.client.get(path, headers=headers)
        assert "evil" not in answer.text
        assert process.base in answer.text


def test_type_is_what_the_bundle_announces(process: RunningIssuer) -> None:
    document = process.client.get(metadata.TYPE_PATH)
    told = process.keys.trust.announced[0]
    assert document.json()["vct"] == told.vct == f"{process.base}{metadata.TYPE_PATH}"
    assert metadata.integrity(document.content) == told.vct_integrity
    assert len(document.json()["claims"]) == 19


@pytest.mark.threat("T06")
def test_bundle_is_handed_out_as_it_lies_in_the_folder(process: RunningIssuer) -> None:
    answer = process.client.get("/v1/bundle")
    assert answer.content == (process.settings.folder / "bundle.json").read_bytes()
    assert answer.headers["cache-control"].startswith("public")


def test_issuer_keys_are_told(process: RunningIssuer) -> None:
    keys = process.client.get("/.well-known/jwt-vc-issuer").json()["jwks"]["keys"]
    assert len(keys) == len(process.keys.announced())
    assert all(set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"} for key in keys)


def test_lists_of_all_announced_periods_are_signed(process: RunningIssuer) -> None:
    root, now = process.keys.trust.root, process.clock.now()
    for told in process.keys.trust.announced:
        answer = process.client.get(told.status.uri)
        assert answer.headers["content-type"] == "application/statuslist+jwt"
        unverified = status_token.parse(answer.text)
        leaf = chain.verify(unverified.x5c, root=root, role=Role.STATUS, now=now)
        found = status_token.verify(
            unverified,
            key=leaf.public_key,
            uri=told.status.uri,
            shape=Shape(bits=1, size=told.status.size),
            now=now,
        )
        assert found.iat == 1_799_978_400  # 02:00 of that day, not the second of the start
        assert found.exp == found.iat + 7 * 86400


@pytest.mark.parametrize("period", ["99", "-99", "x", "1e3", "٣", "0" * 40, "%00"])
def test_list_that_is_not_there_is_not_found(process: RunningIssuer, period: str) -> None:
    path = f"/v1/status/{catalogue.CONFIGURATION}/{period}"
    assert process.client.get(path).status_code == 404


@pytest.mark.parametrize("configuration", ["other", "%00", "resident_sd_jwt%00"])
def test_list_of_another_configuration_is_not_found(
    process: RunningIssuer, configuration: str
) -> None:
    answer = process.client.get(f"/v1/status/{configuration}/{period.of(process.clock.now())}")
    assert answer.status_code == 404


def test_more_tokens_than_the_cap_are_put_off(process: RunningIssuer) -> None:
    enrolments = [process.enrol() for _ in range(3)]
    counter = web.Counter(
        issuer_office.Issuer(
            process.parts.stores,
            keys=process.parts.folder,
            nonce_key=process.keys.nonce_key,
            tokens_per_minute=2,
        ),
        lasting=process.parts.lasting,
        documents=lambda: pytest.fail("not asked for"),
    )
    app = FastAPI()
    app.include_router(web.router(counter, issuer=process.base))
    client = issuer_app.Client(app, process.base)
    answers = []
    for enrolment in enrolments:
        code = base64url.encode(issuer_office.code_of(issuer_office.offered(enrolment)))
        form = {"grant_type": GRANT, "pre-authorized_code": code}
        form["tx_code"] = enrolment.transaction_code
        answers.append(client.post("/token", data=form))
    client.close()
    counter.close()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"] == "busy"
    assert int(answers[2].headers["retry-after"]) > 0


def test_more_requests_than_can_wait_are_refused_at_once(process: RunningIssuer) -> None:
    unknown = issuer_office.handle.new_slip(random_bytes=cities.chance("stranger"))
    told = {"json": {"slip": issuer_office.handle.write_slip(unknown)}}
    flood = web.WORKERS + web.WAITING + 20
    answers = process.client.together(*[("POST", "/v1/withdraw", told)] * flood)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= web.WORKERS + web.WAITING
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"]


@pytest.mark.threat("T24")
def test_known_and_unknown_slips_are_answered_alike(process: RunningIssuer) -> None:
    known = process.enrol().slip
    unknown = issuer_office.handle.write_slip(
        issuer_office.handle.new_slip(random_bytes=cities.chance("stranger"))
    )
    answers = [process.client.post("/v1/withdraw", json={"slip": s}) for s in (known, unknown)]
    assert answers[0].status_code == answers[1].status_code == 200
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/withdraw", {}, 422, "missing_member"),
        ("/v1/withdraw", {"slip": 7}, 422, "missing_member"),
        ("/v1/withdraw", {"slip": "CANARY"}, 400, "invalid_request"),
        ("/v1/renew", {}, 422, "missing_member"),
        ("/v1/renew", {"presentation": "CANARY"}, 400, "credential_request_denied"),
    ],
)
def test_what_is_wrong_with_the_envelope_is_a_problem_document(
    process: RunningIssuer, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = process.client.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert "CANARY" not in answer.text


def test_renewal_over_http_gives_an_offer_without_transaction_code(process: RunningIssuer) -> None:
    headers = {"Authorization": f"Bearer {token(process)}"}
    answer = process.client.post("/credential", json=proofs(process), headers=headers)
    last = answer.json()["credentials"][-1]["credential"]
    begun = period.not_before(period.of(process.clock.now()))
    process.clock.time = type(begun)(begun + 26 * period.DAY)
    presentation = issuer_office.key_binding.sign(
        last,
        nonce=process.client.post("/nonce").json()["c_nonce"],
        audience=process.base,
        now=process.clock.now(),
        signer=jws.es256_signer(p256("key 19")),
    )
    renewed = process.client.post("/v1/renew", json={"presentation": presentation})
    assert renewed.status_code == 200
    grant = renewed.json()["credential_offer"]["grants"][GRANT]
    assert set(grant) == {"pre-authorized_code"}


def test_base_address_with_a_path_moves_everything_below_it(tmp_path: Path) -> None:
    base = "https://city.example/id/issuer"
    with issuer_app.running(tmp_path / "city", base=base) as process:
        host = "https://city.example"
        path = f"{host}/.well-known/openid-credential-issuer/id/issuer"
        told = process.client.get(path).json()
        assert told["credential_endpoint"] == f"{base}/credential"
        assert process.client.post(told["nonce_endpoint"]).status_code == 200
        assert process.client.get(f"{base}/v1/bundle").status_code == 200
        assert process.client.get(f"{host}/v1/bundle").status_code == 404
        assert process.client.get(f"{host}/healthz").status_code == 200


def test_hot_route_stands_in_the_openapi_document(process: RunningIssuer) -> None:
    paths = process.client.get("/openapi.json").json()["paths"]
    assert set(paths["/credential"]["post"]["responses"]) == {
        "200",
        "400",
        "401",
        "413",
        "415",
        "503",
    }


def test_issuer_that_differs_from_its_bundle_does_not_start(tmp_path: Path) -> None:
    told = issuer_app.found(tmp_path / "city")
    clock, chance = issuer_office.HandClock(cities.NOW), cities.chance()
    number = period.of(cities.NOW)
    key = told.folder / "keys" / f"{catalogue.CONFIGURATION}-{number}.key"
    other = told.folder / "keys" / f"{catalogue.CONFIGURATION}-{number + 1}.key"
    content = key.read_bytes()
    key.write_bytes(other.read_bytes())
    with pytest.raises(UnusableSettings):
        issuer.create_app(told, clock=clock, random_bytes=chance)
    key.write_bytes(content)
    issuer.create_app(told, clock=clock, random_bytes=chance)


def test_newer_bundle_is_taken_over_and_a_broken_one_is_not(process: RunningIssuer) -> None:
    folder = process.parts.folder
    later = type(process.clock.time)(process.clock.now() + 28 * period.DAY)
    process.clock.time = later
    city = process.settings.folder.parent
    chances = issuer_app.founding.Chances(now=later, random_bytes=cities.chance("announce"))
    issuer_app.founding.announce(city, residents=None, chances=chances)
    path = process.settings.folder / "bundle.json"
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    folder.refresh()
    assert folder.current.trust.version == 1
    path.write_bytes(content)
    folder.refresh()
    assert folder.current.trust.version == 2
    assert folder.current.trust.announced[-1].period == period.of(later) + 2
