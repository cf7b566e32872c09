"""Wallets and verifiers that were not written here, against running processes.

`wallet.mjs` is made of @openid4vc/openid4vci, @openid4vc/openid4vp, @sd-jwt/sd-jwt-vc and jose.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from crypto.encoding import base64url
from crypto.errors import WrongNonce
from crypto.jose import jwk
from crypto.sdjwt import sd_jwt, verify
from idservice import clock
from idservice.demonstration import story
from idservice.demonstration.town import Town
from idservice.verification import trust
from tests.fakes import towns

HERE = Path(__file__).parent
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (HERE / "node_modules").is_dir(),
    reason="Node or the npm packages are not installed: `npm ci` in tests/clients",
)


def node(**command: object) -> dict[str, object]:
    """Give the third-party wallet one command."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, "wallet.mjs"],
        cwd=HERE,
        input=json.dumps(command),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    answer: dict[str, object] = json.loads(done.stdout or "{}")
    assert done.returncode == 0, (answer, done.stderr)
    return answer


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with towns.running(tmp_path_factory.mktemp("town"), verifiers=("library", "bar")) as found:
        yield found


@pytest.fixture(scope="module")
def received(town: Town) -> dict[str, object]:
    handed = towns.enrol(town, story.records()["Amina"])
    return node(act="receive", offer=handed["offer"], txCode=handed["transaction_code"], count=20)


def test_a_foreign_wallet_receives_a_batch(town: Town, received: dict[str, object]) -> None:
    assert received["issuer"] == town.issuer
    assert received["configuration"] == "resident_sd_jwt"
    credentials = [each["credential"] for each in received["credentials"]]
    assert len(set(credentials)) == 20


def test_an_offer_by_reference_is_fetched_by_a_foreign_wallet(town: Town) -> None:
    handed = towns.enrol(town, story.records()["Tomas"])
    one = node(
        act="receive",
        offer=handed["offer_by_reference"],
        txCode=handed["transaction_code"],
        count=1,
    )
    assert len(one["credentials"]) == 1


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.parametrize(
    ("verifier", "claims"), [("library", ["resident", "given_name"]), ("bar", ["age_over_18"])]
)
def test_a_foreign_wallet_presents(
    town: Town, received: dict[str, object], mode: str, verifier: str, claims: list[str]
) -> None:
    counter = town.counters[verifier]
    started = towns.start_request(counter, response_mode=mode)
    place = 4 * (mode == "direct_post") + 2 * (verifier == "bar")
    shown = node(
        act="present",
        request=started["authorization_request"],
        claims=claims,
        **received["credentials"][place],
    )
    assert shown["clientId"] == counter.client_id
    assert shown["responseMode"] == mode
    assert shown["status"] == 200
    answer = towns.fetch_answer(counter, started).json()
    assert answer["result"] == "accepted"
    assert set(answer["facts"]) == set(claims)


def test_what_a_foreign_wallet_shows_beyond_the_policy_is_dropped(
    town: Town, received: dict[str, object]
) -> None:
    counter = town.counters["bar"]
    started = towns.start_request(counter)
    node(
        act="present",
        request=started["authorization_request"],
        claims=["age_over_18", "family_name", "birth_date"],
        **received["credentials"][9],
    )
    assert towns.fetch_answer(counter, started).json()["facts"] == {"age_over_18": True}


def test_a_foreign_verifier_accepts_our_credential_and_our_status_list(
    town: Town, received: dict[str, object]
) -> None:
    bundle = trust.parse(town.bundle.read_bytes(), root_fingerprint=None, at_least_version=None)
    first = received["credentials"][0]["credential"]
    header = json.loads(base64url.decode(first.split(".", 1)[0]))
    announced = next(each for each in bundle.announced if [*each.x5c_text] == header["x5c"])
    issuer = x509.load_der_x509_certificate(announced.x5c[0])
    status = x509.load_pem_x509_certificate(
        (town.issuer_folder / "keys" / "status.crt").read_bytes()
    )
    told = node(
        act="verify",
        credential=first,
        key=jwk.public_jwk(issuer.public_key()),
        statusKey=jwk.public_jwk(status.public_key()),
    )
    assert told["payload"]["given_name"] == story.records()["Amina"]["given_name"]
    assert told["payload"]["vct"] == announced.vct


def test_a_credential_issued_and_shown_by_foreign_code_is_verified_by_ours() -> None:
    claims = {"iss": "https://other.example", "vct": "https://other.example/v", "age": 41, "a": [1]}
    made = node(
        act="issue",
        claims=claims,
        disclosable=["age", "a"],
        shown=["age"],
        nonce="n-1",
        audience="x509_san_dns:library.example",
    )
    parsed = sd_jwt.parse(made["presentation"])
    issuer_key = jwk.parse_public(made["key"])
    now = clock.SystemClock().now()
    asked = {"issuer_key": issuer_key, "now": now, "audience": "x509_san_dns:library.example"}
    shown = verify.verify(parsed, nonce="n-1", **asked)
    assert {name: shown.claims.get(name) for name in ("vct", "age", "a")} == {
        "vct": "https://other.example/v",
        "age": 41,
        "a": None,
    }
    with pytest.raises(WrongNonce):
        verify.verify(parsed, nonce="n-2", **asked)
