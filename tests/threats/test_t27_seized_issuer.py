"""T03, T12, T27 to T30, T60: the issuer's files are taken, by a thief, a court or a successor.

The files are those that the real stores wrote. What the residents hold is known to the test
alone, so it can look for every trace of it.
"""

import base64
import itertools
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.errors import CryptoError
from crypto.jose import jwk
from crypto.sdjwt import disclosure, sd_jwt
from crypto.sealed import handle, offer
from idservice.issuer.service import Issuer
from tests.fakes import seizure
from tests.fakes.seizure import Resident, SeizedCity

RESIDENTS = 6


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("issuer")
    with seizure.opened(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def people(city: SeizedCity) -> list[Resident]:
    return [city.resident(seizure.record(number)) for number in range(RESIDENTS)]


def spellings(value: bytes) -> list[bytes]:
    """Return how a value would stand in a file: as it is, in hex, in base64."""
    return [
        value,
        value.hex().encode(),
        base64.b64encode(value).rstrip(b"="),
        base64url.encode(value).encode(),
    ]


def hits(files, values) -> list[tuple[str, bytes]]:
    return [
        (name, spelling)
        for name, content in files.items()
        for value in values
        for spelling in spellings(value)
        if len(spelling) >= 4 and spelling in content
    ]


def personal(person: Resident) -> list[bytes]:
    """Return everything that a person told, holds or was given."""
    values = [
        str(value).encode()
        for name, value in person.record.items()
        if name not in {"resident", "address", "locality"}
    ]
    values += [str(value).encode() for value in person.record["address"].values()]
    values.append(person.enrolment.slip.replace("-", "").encode())
    slip = handle.parse_slip(person.enrolment.slip)
    values += [slip, handle.handle(slip)]
    for key, credential in zip(person.keys, person.credentials, strict=True):
        public = jwk.public_jwk(key.public_key())
        values += [base64url.decode(public["x"]), base64url.decode(public["y"])]
        values.append(jwk.thumbprint(key.public_key()))
        parsed = sd_jwt.parse(credential)
        values.append(parsed.issuer.signature)
        for text in parsed.disclosures:
            values.append(base64url.decode(disclosure.parse(text).salt))
            values.append(base64url.decode(disclosure.digest(text)))
    return values


def indices(person: Resident) -> list[int]:
    return [
        canonical_json.parse_object(sd_jwt.parse(text).issuer.payload)["status"]["status_list"][
            "idx"
        ]
        for text in person.credentials
    ]


@pytest.mark.threat("T27")
def test_no_file_holds_anything_of_a_person_even_while_offers_are_pending(
    city: SeizedCity, people: list[Resident]
) -> None:
    waiting = seizure.record(77)
    city.enrol(waiting)
    named = [str(waiting["given_name"]).encode(), str(waiting["family_name"]).encode()]
    values = [value for person in people for value in personal(person)]
    assert len(values) > 1000
    assert hits(city.files(), [*values, *named]) == []


@pytest.mark.threat("T27")
def test_the_search_would_find_a_person(people: list[Resident]) -> None:
    """The positive twin: the same search finds what is put there."""
    files = {"planted": b"xx" + personal(people[0])[0] + b"yy"}
    assert hits(files, personal(people[0]))


@pytest.mark.threat("T03")
def test_nothing_in_the_rows_matches_a_credential_that_is_shown(
    city: SeizedCity, people: list[Resident]
) -> None:
    shown = people[0].show(3, ("age_over_18",), audience="v", now=city.clock.now())
    compared = {text.partition("=")[2] for text in seizure.texts(shown)}
    compared = {text for text in compared if len(text) >= 16 and "://" not in text}
    x5c = set(city.city.announced.x5c_text)
    stored = b"".join(city.files().values())
    assert [text for text in compared - x5c if text.encode() in stored] == []


@pytest.mark.threat("T12")
def test_index_rows_are_of_one_size_and_open_with_their_own_slip_only(
    city: SeizedCity, people: list[Resident]
) -> None:
    rows = {key: sealed for key, _, sealed in city.rows("lasting")["index_rows"]}
    assert len({len(sealed) for sealed in rows.values()}) == 1
    for person in people:
        slip = handle.parse_slip(person.enrolment.slip)
        key = handle.row_key(
            handle.handle(slip), period=city.city.period, configuration="resident_sd_jwt"
        )
        assert sorted(handle.open_indices(rows[key], slip=slip)) == sorted(indices(person))
        for other, sealed in rows.items():
            if other != key:
                with pytest.raises(CryptoError):
                    handle.open_indices(sealed, slip=slip)


@pytest.mark.threat("T12")
def test_no_two_rows_share_a_value_that_could_group_them(
    city: SeizedCity, people: list[Resident]
) -> None:
    assert people
    seen: set[bytes] = set()
    for table, rows in city.rows("lasting").items():
        if table in {"lists", "published", "counts"}:
            continue
        for row in rows:
            for value in row:
                if isinstance(value, bytes):
                    assert value not in seen
                    seen.add(value)
    assert len(seen) >= 3 * RESIDENTS


@pytest.mark.threat("T60")
def test_the_rows_do_not_tell_whose_an_index_is(city: SeizedCity, people: list[Resident]) -> None:
    """What an operator without a slip has is one bit for each index, nothing beside it."""
    taken = set(itertools.chain.from_iterable(map(indices, people)))
    for period, configuration, allocated, _ in city.rows("lasting")["lists"]:
        assert configuration == "resident_sd_jwt"
        if period == city.city.period:
            assert all(allocated[place >> 3] >> (place & 7) & 1 for place in taken)
        else:
            assert not any(allocated)


@pytest.mark.threat("T60")
def test_the_issuer_has_no_act_that_withdraws_without_a_slip() -> None:
    acts = {name for name in vars(Issuer) if not name.startswith("_")}
    assert acts == {"token", "nonce", "credential", "renew", "withdraw"}
    assert list(Issuer.withdraw.__annotations__) == ["slip", "return"]


@pytest.mark.threat("T28")
def test_a_dump_opens_with_the_qr_and_with_nothing_else(city: SeizedCity) -> None:
    mine, other = city.enrol(seizure.record(81)), city.enrol(seizure.record(82))
    rows = {row[0]: row[1] for row in city.rows("pending")["offers"]}
    code, wrong = seizure.code_of(mine), seizure.code_of(other)
    sealed = rows[offer.row_key(code)]
    assert b"Quillfeather081" in offer.unseal(sealed, secret=code)  # said in the threat model
    with pytest.raises(CryptoError):
        offer.unseal(sealed, secret=wrong)


@pytest.mark.threat("T28")
def test_after_pick_up_the_qr_opens_nothing(city: SeizedCity) -> None:
    record = seizure.record(83)
    enrolment = city.enrol(record)
    city.pick_up(enrolment, record)
    code = seizure.code_of(enrolment)
    rows = city.rows("pending")
    assert offer.row_key(code) not in {row[0] for row in rows["offers"]}
    for row in [*rows["offers"], *rows["tokens"]]:
        with pytest.raises(CryptoError):
            offer.unseal(row[1], secret=code)


@pytest.mark.threat("T29")
def test_what_was_deleted_is_in_no_file(city: SeizedCity) -> None:
    record = seizure.record(84)
    enrolment = city.enrol(record)
    key = offer.row_key(seizure.code_of(enrolment))
    (sealed,) = [row[1] for row in city.rows("pending")["offers"] if row[0] == key]
    assert sealed[:64] in city.files()["pending.db"]
    city.pick_up(enrolment, record)
    tokens = [row[1] for row in city.rows("pending")["tokens"]]
    city.clock.time += 3600
    city.schedule.reap()
    city.clock.time -= 3600
    files = b"".join(city.files().values())
    for trace in (key, sealed[:64], sealed[-64:], *(token[-64:] for token in tokens)):
        assert trace not in files
    assert city.rows("pending") == {"offers": [], "tokens": [], "renewals": []}


@pytest.mark.threat("T30")
def test_lasting_rows_have_no_order_and_no_time(city: SeizedCity, people: list[Resident]) -> None:
    assert people
    day = city.clock.now() // 86_400
    with closing(sqlite3.connect(city.folder / "lasting.db")) as database:
        for table, rows in city.rows("lasting").items():
            with pytest.raises(sqlite3.OperationalError, match="rowid"):
                database.execute(f"SELECT rowid FROM {table}")  # noqa: S608
            numbers = [value for row in rows for value in row if isinstance(value, int)]
            assert all(value <= day for value in numbers), table
            keys = [row[0] for row in rows]
            assert keys == sorted(keys)


@pytest.mark.threat("T36")
def test_no_column_is_named_for_a_person(city: SeizedCity) -> None:
    pattern = re.compile(
        r"name|birth|portrait|photo|face|street|postal|gender|resident|person|phone|mail|clerk"
        r"|address|scan|document|created|updated|_at$|time|ip$"
    )
    for stem in ("lasting", "pending"):
        with closing(sqlite3.connect(city.folder / f"{stem}.db")) as database:
            columns = database.execute(
                "SELECT m.name, i.name FROM sqlite_schema m, pragma_table_info(m.name) i"
            ).fetchall()
        assert columns
        assert [found for found in columns if pattern.search(found[1])] == []


@pytest.mark.threat("T24")
def test_an_unknown_slip_writes_nothing(city: SeizedCity, people: list[Resident]) -> None:
    assert people
    before = city.rows("lasting")
    unknown = handle.new_slip(random_bytes=city.stores.random_bytes)
    city.issuer.withdraw(unknown)
    assert city.rows("lasting") == before


@pytest.mark.threat("T49")
def test_counts_are_city_wide_and_small_ones_are_not_shown(
    city: SeizedCity, people: list[Resident]
) -> None:
    assert people
    rows = city.rows("lasting")["counts"]
    assert all(len(row) == 3 for row in rows)
    assert {row[1] for row in rows} <= {"issued", "renewed", "withdrawn"}
