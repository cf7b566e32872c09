import hashlib
import json
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import BadSignature, CryptoError, Malformed, Refused, Untrusted
from crypto.x509 import chain
from crypto.x509.profile import Role
from idservice import catalogue, period
from idservice.verification import trust
from tests.fakes import certificates, city

CITY = city.make()
FINGERPRINT = hashlib.sha256(certificates.der(CITY.root.certificate)).digest()


def parse(
    data: bytes, *, pinned: bytes | None = FINGERPRINT, version: int | None = None
) -> trust.TrustBundle:
    return trust.parse(data, root_fingerprint=pinned, at_least_version=version)


def with_payload(**changes: object) -> bytes:
    return CITY.sign_bundle({**CITY.payload, **changes})


def test_a_bundle_signed_by_the_pinned_root_is_read() -> None:
    bundle = parse(CITY.bundle, version=7)
    assert (bundle.version, bundle.city, bundle.issuer) == (7, "Exampleton", city.ISSUER)
    assert bundle.day == period.day(CITY.now)
    assert bundle.languages == ("en",)
    assert bundle.root_fingerprint == FINGERPRINT
    assert set(bundle.policies) == {"library-card", "bar-entry", "bank-account"}
    assert [each.period for each in bundle.announced] == [12, 13, 14, 15]
    assert bundle.status_lists[CITY.status_uri] == CITY.announced.status
    for announced in bundle.announced:
        leaf = chain.verify(announced.x5c, root=bundle.root, role=Role.ISSUER, now=announced.nbf)
        assert leaf.uris == (bundle.issuer,)
        assert (leaf.not_before, leaf.not_after) == (announced.nbf, announced.exp)


def test_an_announcement_is_written_back_as_it_was() -> None:
    bundle = parse(CITY.bundle)
    written = [
        *(trust.announce(each) for each in bundle.announced),
        *(trust.announce_bbs(each) for each in bundle.announced_bbs),
    ]
    assert written == CITY.payload["announced"]


def test_an_unknown_period_is_not_found() -> None:
    bundle = parse(CITY.bundle)
    assert bundle.find(configuration=catalogue.CONFIGURATION, period=period.Period(99)) is None
    assert bundle.find(configuration="other", period=CITY.period) is None


@pytest.mark.threat("T59")
def test_the_same_bundle_again_is_no_roll_back_but_an_older_one_is() -> None:
    assert parse(CITY.bundle, version=7).version == 7
    assert parse(CITY.bundle, version=6).version == 7
    with pytest.raises(Refused):
        parse(CITY.bundle, version=8)


@pytest.mark.threat("T06")
def test_another_root_than_the_pinned_one_is_refused() -> None:
    other = certificates.root("other root")
    assert isinstance(other.key, ed25519.Ed25519PrivateKey)
    forged = trust.write(
        CITY.payload, root_der=certificates.der(other.certificate), sign=other.key.sign
    )
    assert parse(forged, pinned=None).city == "Exampleton"
    with pytest.raises(Untrusted):
        parse(forged)


def test_a_bundle_signed_by_another_key_is_refused() -> None:
    forged = trust.write(
        CITY.payload,
        root_der=certificates.der(CITY.root.certificate),
        sign=certificates.ed("thief").sign,
    )
    with pytest.raises(BadSignature):
        parse(forged)


def test_a_root_that_is_no_city_root_is_refused() -> None:
    office = certificates.intermediate(CITY.root)
    der = certificates.der(office.certificate)
    forged = trust.write(CITY.payload, root_der=der, sign=CITY.root_key.sign)
    with pytest.raises(Untrusted):
        parse(forged, pinned=hashlib.sha256(der).digest())


@given(st.data())
def test_every_changed_octet_is_refused(data: st.DataObject) -> None:
    changed = bytearray(CITY.plain)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CryptoError):
        parse(bytes(changed))


def test_a_signature_over_something_else_does_not_count() -> None:
    """The root key signs certificates and bundles; the prefix tells them apart."""
    payload = canonical_json.serialize(CITY.payload)
    outer: JsonObject = {
        "payload": CITY.payload,
        "root": base64url.encode(certificates.der(CITY.root.certificate)),
        "signature": base64url.encode(CITY.root_key.sign(payload)),
    }
    with pytest.raises(BadSignature):
        parse(canonical_json.serialize(outer))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    outer = json.loads(CITY.bundle)
    outer["signature"] = base64url.encode(bytes(length))
    with pytest.raises(BadSignature):
        parse(canonical_json.serialize(outer))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        CITY.bundle + b"\n",
        json.dumps(json.loads(CITY.bundle)).encode(),
        b"{" + b" " * trust.LARGEST_BUNDLE + b"}",
    ],
    ids=["empty", "array", "nothing inside", "new line", "other spelling", "too large"],
)
def test_what_is_no_canonical_bundle_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


ANNOUNCED: JsonObject = dict(CITY.payload["announced"][0])
STATUS: JsonObject = dict(ANNOUNCED["status"])
POLICY: JsonObject = dict(CITY.payload["policies"][0])

_WRONG: dict[str, JsonObject] = {
    "another type": {"type": "bundle"},
    "one member more": {"more": 1},
    "negative version": {"version": -1},
    "version in words": {"version": "7"},
    "another day": {"day": "20270115"},
    "empty city": {"city": ""},
    "city written backwards": {"city": "\u202enotelpmaxE"},
    "demonstration in words": {"demonstration": "no"},
    "languages": {"languages": ["EN"]},
    "issuer with slash": {"issuer": "https://issuer.example/"},
    "issuer with query": {"issuer": "https://issuer.example?x"},
    "issuer elsewhere": {"issuer": "https://other.example"},
    "announced twice": {"announced": [ANNOUNCED, ANNOUNCED]},
    "one list for two periods": {"announced": [ANNOUNCED, {**ANNOUNCED, "period": 99}]},
    "policy twice": {"policies": [POLICY, POLICY]},
    "policy barred": {"policies": [{**POLICY, "purpose": "hiring"}]},
    **{
        f"announced {name}": {"announced": [{**ANNOUNCED, name: value}]}
        for name, value in {
            "more": 1,
            "configuration": "Resident",
            "format": "mso_mdoc",
            "vct": "https://other.example/vct",
            "vct_integrity": "sha256-",
            "period": -1,
            "nbf": ANNOUNCED["exp"],
            "exp": None,
            "x5c": [],
            "digests": 1.5,
            "address_digests": True,
            "status": None,
        }.items()
    },
    **{
        f"status {name} {value}": {"announced": [{**ANNOUNCED, "status": {**STATUS, name: value}}]}
        for name, value in [
            ("size", 1 << 16),
            ("size", 1 << 25),
            ("size", (1 << 17) + 8),
            ("bits", 2),
            ("uri", "https://other.example/list"),
            ("uri", f"{STATUS['uri']}?holder=7"),
        ]
    },
}


@pytest.mark.parametrize("name", _WRONG)
def test_a_wrong_payload_is_refused_whoever_signed_it(name: str) -> None:
    with pytest.raises((Malformed, Refused)):
        parse(with_payload(**_WRONG[name]))


def test_a_right_payload_with_other_values_is_read() -> None:
    bundle = parse(with_payload(version=8, day="2027-02-28", announced=[], policies=[]))
    assert (bundle.version, bundle.day, bundle.announced) == (8, date(2027, 2, 28), ())


def test_a_fingerprint_is_read_as_people_write_it() -> None:
    text = trust.fingerprint_text(FINGERPRINT)
    assert len(text.split(" ")) == 16
    for spelled in (text, text.upper(), text.replace(" ", ":"), FINGERPRINT.hex()):
        assert trust.parse_fingerprint(spelled) == FINGERPRINT


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "0g" * 32, "\u0660" * 64])
def test_what_is_no_fingerprint_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        trust.parse_fingerprint(text)


def test_a_city_on_this_machine_may_have_a_port() -> None:
    assert city.make(issuer="http://127.0.0.1:8080").trust.issuer == "http://127.0.0.1:8080"
    assert city.make(issuer="http://[::1]:8080/city").trust.issuer == "http://[::1]:8080/city"
