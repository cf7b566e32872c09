"""What a verifier's database file holds while somebody is checked: nothing that can be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.jose import jwk, jws
from idservice.storage import engine
from idservice.storage import verifier as storage
from idservice.verification import openid4vp, openid4vp_answer, showing
from idservice.verification.openid4vp import ResponseMode
from tests.fakes import bbs_city
from tests.fakes import city as cities
from tests.fakes import verifier_office as offices
from tests.fakes.verifier_office import Office

CANARY = "Canary-7f3a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pending.db"


@pytest.fixture
def office(path: Path) -> Iterator[Office]:
    url = f"sqlite:///{path}"
    engine.migrate(url, storage.OFFICE, short_lived=True)
    database = engine.open_database(url, short_lived=True)
    yield offices.make(store=storage.SqlStore(database))
    engine.close(database)


def held(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.parametrize("mode", ResponseMode)
def test_no_value_of_a_resident_and_no_secret_is_ever_in_the_file(
    office: Office, path: Path, mode: ResponseMode
) -> None:
    holder = cities.holder_key("holder of the canary")
    credential = offices.credential(
        office.city, holder=holder, claims={**cities.RESIDENT, "given_name": CANARY}
    )
    started = office.start(mode=mode)
    request = office.open_request(started)
    shown = offices.show(
        credential,
        nonce=request.nonce,
        audience=request.client_id,
        facts=("resident", "given_name"),
        holder=holder,
    )
    form = openid4vp_answer.write_answer(request, shown, random_bytes=cities.chance("wallet"))
    public = jwk.public_jwk(holder.public_key())
    secrets = [
        CANARY,
        public["x"],
        shown.rsplit(".", 1)[1],
        request.nonce,
        str(request.state),
        started.answer_secret,
        offices.identifier(started),
        office.policy,
        '"result"',
    ]
    stages = [held(path)]
    office.service.respond(offices.identifier(started), form)
    stages.append(held(path))
    collected = office.service.collect(started.answer_secret, None)
    stages.append(held(path))
    assert collected is not None
    assert collected["facts"] == {"resident": True, "given_name": CANARY}
    for stage in stages:
        for secret in secrets:
            assert secret.encode() not in stage
    assert len({len(stage) for stage in stages}) <= 2


def test_nothing_of_a_bbs_showing_is_ever_in_the_file(path: Path) -> None:
    url = f"sqlite:///{path}"
    engine.migrate(url, storage.OFFICE, short_lived=True)
    database = engine.open_database(url, short_lived=True)
    city = bbs_city.make(library_card={"pseudonym": "member"})
    office = offices.make(city, store=storage.SqlStore(database))
    started = office.start()
    served = office.service.request_object(
        offices.identifier(started), wallet_nonce="fresh", wallet_metadata=None
    )
    request = openid4vp.parse_request(canonical_json.parse_object(jws.parse(served).payload))
    issued = bbs_city.issue({**bbs_city.RESIDENT, "given_name": CANARY})
    context = bbs_city.context()
    header = bbs_city.question(
        audience=request.client_id,
        nonce=request.nonce,
        request_object=served,
        nym_context=context,
    )
    shown = bbs_city.show(
        "resident", "given_name", issued=issued, header=header, nym_context=context
    )
    form = openid4vp_answer.write_answer(request, shown, random_bytes=cities.chance("wallet"))
    stages = [held(path)]
    office.service.respond(offices.identifier(started), form)
    stages.append(held(path))
    collected = office.service.collect(started.answer_secret, None)
    stages.append(held(path))
    engine.close(database)
    assert collected is not None
    assert collected["facts"] == {"resident": True, "given_name": CANARY}
    proof, _, name = shown.rpartition(".")[2].partition("~")
    assert collected["pseudonym"] == name
    digest = showing.request_hash(served)
    secrets = [CANARY, proof, name, request.nonce, base64url.encode(digest), "jwp+bbs", '"result"']
    for stage in stages:
        assert digest not in stage
        for secret in secrets:
            assert secret.encode() not in stage


def test_the_file_is_as_empty_after_an_answer_as_before_the_question(
    office: Office, path: Path
) -> None:
    def rows() -> list[object]:
        database = engine.open_database(f"sqlite:///{path}", short_lived=True)
        with engine.read(database) as connection:
            found: list[object] = [
                *connection.execute(storage.REQUESTS.select()),
                *connection.execute(storage.ANSWERS.select()),
            ]
        engine.close(database)
        return found

    assert rows() == []
    started = office.start()
    assert len(rows()) == 2
    office.service.respond(
        offices.identifier(started), offices.answer(office, office.open_request(started))
    )
    assert len(rows()) == 1
    office.service.collect(started.answer_secret, None)
    assert rows() == []
