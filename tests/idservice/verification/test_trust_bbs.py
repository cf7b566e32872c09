"""Announcements of the BBS format in the trust bundle."""

import hashlib
from collections.abc import Callable

import pytest

from crypto.encoding import base64url
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed, Refused
from idservice import catalogue, period
from idservice.period import Period
from idservice.verification import trust
from tests.fakes import certificates, city

CITY = city.make()
FINGERPRINT = hashlib.sha256(certificates.der(CITY.root.certificate)).digest()
NUMBER = Period(12)
TIMES = period.not_before(NUMBER), period.expires_bbs(NUMBER)
VCT = f"{city.ISSUER}/vct/resident/1"

ANNOUNCED = trust.AnnouncedBbs(
    configuration=catalogue.BBS_CONFIGURATION,
    format=catalogue.BBS_FORMAT,
    vct=VCT,
    schema=catalogue.BBS_SCHEMA,
    period=NUMBER,
    nbf=TIMES[0],
    exp=TIMES[1],
    public_key=bytes(96),
    header=trust.bbs_header(
        issuer=city.ISSUER,
        vct=VCT,
        schema=catalogue.BBS_SCHEMA,
        period=NUMBER,
        nbf=TIMES[0],
        exp=TIMES[1],
    ),
    slots=catalogue.BBS_SLOTS,
)


def parse(*entries: JsonObject) -> trust.TrustBundle:
    announced = CITY.payload["announced"]
    assert isinstance(announced, list)
    kept = [each for each in announced if isinstance(each, dict) and "status" in each]
    bundle = CITY.sign_bundle({**CITY.payload, "announced": [*kept, *entries]})
    return trust.parse(bundle, root_fingerprint=FINGERPRINT, at_least_version=None)


def test_an_announcement_is_read_found_and_written_back() -> None:
    bundle = parse(trust.announce_bbs(ANNOUNCED))
    found = bundle.find_bbs(configuration=catalogue.BBS_CONFIGURATION, period=NUMBER)
    assert found == ANNOUNCED
    assert trust.announce_bbs(found) == trust.announce_bbs(ANNOUNCED)
    assert bundle.find_bbs(configuration=catalogue.BBS_CONFIGURATION, period=Period(13)) is None
    assert [each.format for each in bundle.announced] == [catalogue.FORMAT] * 4


def test_the_portrait_is_the_one_slot_signed_by_its_digest() -> None:
    assert {ANNOUNCED.slots[place] for place in ANNOUNCED.hashed} == {"portrait"}


def with_header(entry: JsonObject) -> JsonObject:
    longer = ANNOUNCED.header[:-1] + b',"x":1}'
    return {**entry, "header": base64url.encode(longer)}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (with_header, Refused),
        (lambda entry: {**entry, "schema": 2}, Refused),
        (lambda entry: {**entry, "period": 13}, Refused),
        (lambda entry: {**entry, "vct": "https://id.other/vct/1"}, Refused),
        (lambda entry: {**entry, "public_key": "AAAA"}, Malformed),
        (lambda entry: {**entry, "slots": ["given_name"]}, Refused),
        (lambda entry: {**entry, "slots": [*catalogue.BBS_SLOTS, "gender"]}, Refused),
        (lambda entry: {**entry, "slots": []}, Refused),
        (lambda entry: {**entry, "exp": entry["nbf"]}, Refused),
        (lambda entry: {**entry, "format": "mso_mdoc"}, Refused),
        (lambda entry: {**entry, "mark": 1}, Malformed),
    ],
    ids=[
        "another-header",
        "another-schema",
        "another-period",
        "another-city",
        "short-key",
        "missing-slots",
        "slot-twice",
        "no-slots",
        "no-time",
        "another-format",
        "one-member-more",
    ],
)
def test_a_wrong_announcement_is_refused(
    change: Callable[[JsonObject], JsonObject], error: type[CryptoError]
) -> None:
    with pytest.raises(error):
        parse(change(trust.announce_bbs(ANNOUNCED)))


def test_a_header_has_one_key() -> None:
    entry = trust.announce_bbs(ANNOUNCED)
    twin = {**entry, "configuration": "resident_bbs_2", "public_key": "A" * 127 + "B"}
    with pytest.raises(Refused):
        parse(entry, twin)


def test_a_period_is_announced_once() -> None:
    with pytest.raises(Refused):
        parse(trust.announce_bbs(ANNOUNCED), trust.announce_bbs(ANNOUNCED))
