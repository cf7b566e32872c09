"""Certificates with any one thing wrong: extensions are listed freely, nothing is checked."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from crypto.instant import UnixSeconds
from crypto.x509 import issue, profile
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role

NOW = UnixSeconds(1_800_000_000)
BASE = "https://issuer.example"
VALIDITY = Validity(not_before=UnixSeconds(NOW - 1000), not_after=UnixSeconds(NOW + 1000))


def p256(label: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(label.encode()).digest(), "big")
    return ec.derive_private_key(number >> 1, ec.SECP256R1())


def ed(label: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(label.encode()).digest())


def root(label: str = "root", validity: Validity = VALIDITY) -> Authority:
    key = ed(label)
    certificate = issue.root_certificate(
        key=key, common_name="Exampleton root", validity=validity, serial=1
    )
    return Authority(certificate=certificate, key=key)


def intermediate(above: Authority, validity: Validity = VALIDITY) -> Authority:
    key = p256("intermediate")
    certificate = issue.intermediate_certificate(
        public_key=key.public_key(),
        root=above,
        common_name="Exampleton office",
        validity=validity,
        serial=2,
    )
    return Authority(certificate=certificate, key=key)


def leaf(
    authority: Authority, role: Role = Role.ISSUER, validity: Validity = VALIDITY
) -> x509.Certificate:
    names = Names(uris=(BASE,)) if role is not Role.VERIFIER else Names(dns_names=("bar.example",))
    return issue.leaf_certificate(
        role=role,
        public_key=p256("leaf").public_key(),
        authority=authority,
        common_name="Exampleton issuer",
        names=names,
        validity=validity,
        serial=3,
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


Extension = tuple[x509.ExtensionType, bool]


def leaf_extensions(role: Role = Role.ISSUER) -> dict[str, Extension]:
    return {
        "basic": (x509.BasicConstraints(ca=False, path_length=None), True),
        "usage": (profile.usage("digital_signature"), True),
        "purpose": (x509.ExtendedKeyUsage([profile.EXTENDED_KEY_USAGE[role]]), True),
        "names": (Names(uris=(BASE,)).extension(), False),
    }


def authority_extensions(path_length: int | None) -> dict[str, Extension]:
    return {
        "basic": (x509.BasicConstraints(ca=True, path_length=path_length), True),
        "usage": (profile.usage("key_cert_sign"), True),
    }


def sign(
    extensions: Iterable[Extension],
    authority: Authority,
    *,
    key: object,
    algorithm: hashes.HashAlgorithm | None = None,
    issuer: x509.Name | None = None,
    validity: Validity = VALIDITY,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anybody")]))
        .issuer_name(issuer or authority.certificate.subject)
        .serial_number(9)
        .not_valid_before(datetime.fromtimestamp(validity.not_before, UTC))
        .not_valid_after(datetime.fromtimestamp(validity.not_after, UTC))
        .public_key(key)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    if algorithm is None and isinstance(authority.key, ec.EllipticCurvePrivateKey):
        algorithm = hashes.SHA256()
    return builder.sign(authority.key, algorithm)
