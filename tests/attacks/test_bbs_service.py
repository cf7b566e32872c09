"""Attacks on BBS at a verifier's counter, by their rows in the list: what HTTP answers.

The same rows are played on the functions of `crypto.bbs` in `test_bbs.py` and
`test_bbs_interfaces.py`. Here an honest showing is accepted before and after each attack, the
attack is answered with its code, alone and in a batch, and the office's rows stay as they were.
"""

import dataclasses
from collections.abc import Callable, Iterator

import orjson
import pytest

from crypto.bls.group import ORDER
from crypto.encoding import base64url
from crypto.entropy import RandomBytes
from idservice import catalogue
from idservice.period import Period
from idservice.verification import openid4vp_answer
from tests.fakes import bbs_city, bbs_forgeries
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.asgi import Client
from tests.fakes.verifier_office import Office

NONCE = "n-0S6_WzA2Mj"
JSON = {"Content-Type": "application/json"}
CITY = bbs_city.make(library_card={"pseudonym": "member"})
LIBRARY = CITY.verifiers["library"].hash_client_id
ASKED = {"nonce": NONCE, "audience": LIBRARY}
OTHER_KEY = cities.bbs_key("forger")
IDENTITY = bytes([0xC0]) + bytes(47)
POINT, SCALAR = 48, 32
ACCEPTED = {
    "result": "accepted",
    "policy": "library-card",
    "facts": {"resident": True},
    "status_age_s": None,
}


def show(*names: str, **changes: object) -> str:
    return bbs_city.show(*(names or ("resident",)), **{**ASKED, **changes})  # type: ignore[arg-type]


HONEST = show()


@pytest.fixture
def office() -> Office:
    return offices.make(CITY)


@pytest.fixture
def client(office: Office) -> Iterator[Client]:
    client = office.client()
    before = offices.rows(office.store)  # type: ignore[arg-type]
    assert post(client, [HONEST]) == [ACCEPTED]
    yield client
    assert post(client, [HONEST]) == [ACCEPTED]
    assert offices.rows(office.store) == before  # type: ignore[arg-type]


def items(presentations: list[str]) -> list[dict[str, str]]:
    return [{"policy": "library-card", "presentation": each, **ASKED} for each in presentations]


def post(client: Client, presentations: list[str]) -> list[object]:
    """Send one alone, more in a batch."""
    if len(presentations) == 1:
        return [client.post("/v1/verify", json=items(presentations)[0]).json()]
    body = orjson.dumps({"items": items(presentations)})
    answer = client.post("/v1/verify/batch", content=body, headers=JSON)
    assert answer.status_code == 200
    found: list[object] = answer.json()["items"]
    return found


def no(code: str) -> dict[str, str]:
    return {"result": "refused", "code": code}


def with_proof(change: Callable[[bytes], bytes]) -> str:
    front, _, proof = HONEST.rpartition(".")
    return f"{front}.{base64url.encode(change(base64url.decode(proof)))}"


def with_identity(place: int) -> str:
    start, end = place * POINT, (place + 1) * POINT
    return with_proof(lambda octets: octets[:start] + IDENTITY + octets[end:])


def with_scalar(value: int, place: int) -> str:
    """Put a scalar there, counted from the end."""
    start = -SCALAR * place
    octets = value.to_bytes(SCALAR, "big")
    return with_proof(lambda proof: proof[:start] + octets + proof[start:][SCALAR:])


def slot(name: str, payload: bytes, shown: str = HONEST) -> str:
    return bbs_city.with_slot(shown, catalogue.BBS_SLOTS.index(name), payload)


def shown_to(**context: object) -> str:
    return show(nym_context=bbs_city.context(**context))  # type: ignore[arg-type]


def by_name(name: bytes) -> str:
    return shown_to().rpartition("~")[0] + "~" + base64url.encode(name)


def next_header() -> str:
    """Put the header that is announced for the next period in the place of this one's."""
    following = CITY.trust.find_bbs(
        configuration=catalogue.BBS_CONFIGURATION, period=Period(CITY.period + 1)
    )
    assert following is not None
    parts = HONEST.split(".")
    return ".".join([parts[0], base64url.encode(following.header), *parts[2:]])


def rewritten() -> str:
    """Show to the bar, and write the library's question over it."""
    at_bar = show(audience="x509_san_dns:bar.example", policy="bar-entry", nonce="another")
    return HONEST.partition(".")[0] + "." + at_bar.partition(".")[2]


def swapped() -> str:
    shown = show("resident", "given_name", "family_name")
    return slot("given_name", b'"Okonkwo"', slot("family_name", b'"Ada"', shown))


ATTACKS: list[tuple[str, str, Callable[[], str], str]] = [
    *(
        (
            "BBS-002",
            f"point {place} of the proof is the identity",
            lambda p=place: with_identity(p),
            "malformed",
        )
        for place in range(3)
    ),
    ("BBS-007", "an octet more", lambda: with_proof(lambda octets: octets + b"\0"), "malformed"),
    ("BBS-007", "an octet less", lambda: with_proof(lambda octets: octets[:-1]), "malformed"),
    ("BBS-009", "a response of zero", lambda: with_scalar(0, 2), "malformed"),
    ("BBS-009", "a response of r", lambda: with_scalar(ORDER, 2), "malformed"),
    ("BBS-010", "a challenge of zero", lambda: with_scalar(0, 1), "malformed"),
    ("BBS-010", "a challenge of r", lambda: with_scalar(ORDER, 1), "malformed"),
    ("BBS-010", "another challenge", lambda: with_scalar(7, 1), "issuer_signature"),
    (
        "BBS-012",
        "another schema",
        lambda: bbs_city.reheaded(HONEST, 1, schema=2),
        "untrusted_issuer",
    ),
    (
        "BBS-012",
        "another period",
        lambda: bbs_city.reheaded(HONEST, 1, period=CITY.period + 1),
        "untrusted_issuer",
    ),
    (
        "BBS-012",
        "another period's announced header",
        next_header,
        "not_yet_valid",
    ),
    ("BBS-013", "another nonce", lambda: show(nonce="another"), "wrong_nonce"),
    (
        "BBS-013",
        "another verifier",
        lambda: show(audience="x509_san_dns:bar.example"),
        "wrong_audience",
    ),
    ("BBS-013", "another policy", lambda: show(policy="bar-entry"), "holder_binding"),
    ("BBS-013", "a request object", lambda: show(request_object="asked"), "holder_binding"),
    (
        "BBS-013",
        "our nonce written over another",
        lambda: bbs_city.reheaded(show(nonce="another", policy="library-card"), nonce=NONCE),
        "holder_binding",
    ),
    ("BBS-013", "our question written over another", rewritten, "issuer_signature"),
    ("BBS-013", "an empty header", lambda: "e30." + HONEST.partition(".")[2], "wrong_audience"),
    (
        "BBS-014",
        "another name",
        lambda: slot("given_name", b'"Mallory"', show("resident", "given_name")),
        "issuer_signature",
    ),
    (
        "BBS-014",
        "no made yes",
        lambda: slot("age_over_62", b"true", show("resident", "age_over_62")),
        "issuer_signature",
    ),
    ("BBS-014", "a slot added", lambda: slot("given_name", b'"Ada"'), "malformed"),
    ("BBS-014", "two swapped", swapped, "issuer_signature"),
    ("BBS-015", "twice as many slots", lambda: HONEST.replace("~", "~~"), "malformed"),
    (
        "BBS-019",
        "signed by another key",
        lambda: show(issued=bbs_city.issue(key=OTHER_KEY), key=OTHER_KEY),
        "issuer_signature",
    ),
    (
        "BBS-029",
        "a name for another policy",
        lambda: shown_to(policy="bar-entry"),
        "holder_binding",
    ),
    ("BBS-029", "a name for another label", lambda: shown_to(label="guest"), "holder_binding"),
    (
        "BBS-029",
        "a name for another period",
        lambda: shown_to(number=Period(CITY.period + 1)),
        "holder_binding",
    ),
    ("BBS-029", "no name at all", lambda: by_name(IDENTITY), "malformed"),
    ("BBS-030", "a birth date for an age", lambda: show("birth_date", "age_over_18"), "policy"),
]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(make, code, marks=pytest.mark.attack(row), id=f"{row}: {name}")
        for row, name, make, code in ATTACKS
    ],
)
def test_an_attack_is_refused_alone_and_between_honest_showings(
    client: Client, make: Callable[[], str], code: str
) -> None:
    attack = make()
    assert post(client, [attack]) == [no(code)]
    assert post(client, [HONEST, attack, HONEST]) == [ACCEPTED, no(code), ACCEPTED]


def cancelling() -> list[str]:
    """Forge two showings whose errors cancel when both weigh the same."""
    payloads = list(bbs_city.credential().payloads)
    payloads[catalogue.BBS_SLOTS.index("age_over_62")] = b"true"
    made_up = dataclasses.replace(bbs_city.credential(), payloads=tuple(payloads))
    return [
        show(
            issued=made_up,
            random_bytes=bbs_forgeries.drawn(first, 1234567, seed=str(first).encode()),
        )
        for first in (7654321, ORDER - 7654321)
    ]


@pytest.mark.attack("BBS-022")
def test_two_forgeries_whose_errors_cancel_are_both_refused(client: Client) -> None:
    refused = no("issuer_signature")
    answers = post(client, [*cancelling(), HONEST, *cancelling()])
    assert answers == [refused, refused, ACCEPTED, refused, refused]


@pytest.mark.attack("BBS-022")
def test_each_batch_draws_weights_of_its_own_after_its_proofs(office: Office) -> None:
    drawn: list[bytes] = []
    lent = office.service._random_bytes

    def draw(length: int) -> bytes:
        drawn.append(lent(length))
        return drawn[-1]

    office.service._random_bytes = draw
    client = office.client()
    for _ in range(2):
        post(client, [HONEST, HONEST, HONEST])
    assert [len(each) for each in drawn] == [48, 48]
    assert len({each[at : at + 16] for each in drawn for at in (0, 16, 32)}) == 6


@pytest.mark.attack("BBS-022")
def test_chance_that_repeats_itself_stops_the_batch(office: Office) -> None:
    stuck: RandomBytes = bytes
    office.service._random_bytes = stuck
    body = orjson.dumps({"items": items([*cancelling(), HONEST])})
    answer = office.client().post("/v1/verify/batch", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.attack("BBS-013")
@pytest.mark.attack("OID4VP-005")
def test_an_answer_counts_for_the_request_object_that_was_served_and_once(office: Office) -> None:
    first, second = office.start(), office.start()
    served = {
        each.answer_secret: office.service.request_object(
            offices.identifier(each), wallet_nonce=None, wallet_metadata=None
        )
        for each in (first, second)
    }
    request = office.open_request(first)
    header = bbs_city.question(
        audience=request.client_id,
        nonce=request.nonce,
        request_object=served[first.answer_secret],
    )
    shown = bbs_city.show("resident", header=header)
    for started, answer in (
        (second, no("wrong_nonce")),
        (first, ACCEPTED),
    ):
        asked = office.open_request(started)
        form = openid4vp_answer.write_answer(asked, shown, random_bytes=cities.chance("wallet"))
        office.service.respond(offices.identifier(started), form)
        assert office.service.collect(started.answer_secret, None) == answer
