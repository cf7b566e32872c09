import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crypto.errors import Malformed, Refused
from crypto.x509 import request
from crypto.x509.profile import Names
from tests.fakes import certificates

KEY = certificates.p256("bar")
NAMES = Names(uris=("http://127.0.0.1:8002",), dns_names=("bar.example",))


def test_a_request_is_read_back() -> None:
    pem = request.make(key=KEY, common_name="The Bar", names=NAMES)
    asked = request.parse(pem)
    assert asked.public_key == KEY.public_key()
    assert (asked.common_name, asked.names) == ("The Bar", NAMES)
    assert pem == request.make(key=KEY, common_name="The Bar", names=NAMES)


def test_a_request_changed_on_its_way_is_refused() -> None:
    pem = request.make(key=KEY, common_name="The Bar", names=NAMES)
    octets = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    changed = octets.replace(b"bar.example", b"bank.exampl")
    with pytest.raises(Refused):
        request.parse(_pem(changed))


def _pem(octets: bytes) -> bytes:
    return x509.load_der_x509_csr(octets).public_bytes(serialization.Encoding.PEM)


def _request(
    key: ec.EllipticCurvePrivateKey, *, subject: x509.Name, names: Names | None = NAMES
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names is not None:
        builder = builder.add_extension(names.extension(), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The Bar")])


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
        b"x" * (request.LARGEST_REQUEST + 1),
        _request(KEY, subject=x509.Name([])),
        _request(KEY, subject=x509.Name([*NAME, *NAME])),
        _request(KEY, subject=NAME, names=None),
    ],
    ids=["empty", "nothing inside", "too large", "no name", "two names", "no alternative name"],
)
def test_what_is_no_request_is_malformed(pem: bytes) -> None:
    with pytest.raises(Malformed):
        request.parse(pem)


def test_a_key_on_another_curve_is_refused() -> None:
    key = ec.derive_private_key(7, ec.SECP384R1())
    with pytest.raises(Refused):
        request.parse(_request(key, subject=NAME))


def test_a_key_on_a_curve_that_nobody_knows_is_refused() -> None:
    pem = request.make(key=KEY, common_name="The Bar", names=NAMES)
    octets = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    prime239v3 = bytes.fromhex("06082a8648ce3d030106")
    changed = octets.replace(bytes.fromhex("06082a8648ce3d030107"), prime239v3)
    assert changed != octets
    with pytest.raises(Refused):
        request.parse(_pem(changed))
