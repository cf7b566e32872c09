"""Requests for a certificate: made by who has the key, read by the city.

RFC 2986 (PKCS #10) in PEM. Read from it are key, common name and alternative names only; what a
certificate says beyond that follows from the role and not from the wishes of who asks. Which
names somebody may have is not decided here.
"""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crypto.errors import Malformed, Refused
from crypto.x509 import profile
from crypto.x509.profile import Names

LARGEST_REQUEST: Final = 8192
"""Octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A key that its sender has, and the names wished for."""

    public_key: ec.EllipticCurvePublicKey
    common_name: str
    names: Names


def make(*, key: ec.EllipticCurvePrivateKey, common_name: str, names: Names) -> bytes:
    """Ask for a certificate for the public half of `key`, in PEM.

    Spec: RFC 2986, section 4.

    Args:
        key: on P-256.
        common_name: 1 to 64 characters.
        names: whom the certificate shall name.

    Secret: `key`; OpenSSL signs, deterministically (RFC 6979).
    """
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .add_extension(names.extension(), critical=False)
    )
    request = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return request.public_bytes(serialization.Encoding.PEM)


def parse(pem: bytes) -> Request:
    """Read a request and check that its sender has the key.

    Spec: RFC 2986, section 4.

    Args:
        pem: at most `LARGEST_REQUEST` octets.

    Raises:
        Malformed: not a request, not exactly one common name, or names badly spelled.
        Refused: the key is not on P-256, or did not sign the request.

    Not checked: whether the names belong to the sender; length and characters of the common name.
    """
    if len(pem) > LARGEST_REQUEST:
        raise Malformed("certificate request too large")
    try:
        request = x509.load_pem_x509_csr(pem)
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        public_key = request.public_key()
        common_names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UnsupportedAlgorithm as error:
        raise Refused("such a key is not used here") from error
    except (
        ValueError,
        TypeError,
        x509.InvalidVersion,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise Malformed("not a certificate request (RFC 2986, 4)") from error
    if not profile.is_on_p256(public_key):
        raise Refused("such a key is not used here")
    if not request.is_signature_valid:
        raise Refused("not signed by the key that it is for (RFC 2986, 3)")
    if len(common_names) != 1 or not isinstance(common_names[0].value, str):
        raise Malformed("exactly one common name is expected")
    return Request(
        public_key=public_key,
        common_name=common_names[0].value,
        names=Names.of(extension.value),
    )
