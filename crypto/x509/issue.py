"""Certificates made: the city root, intermediates and leaves.

RFC 5280, section 4. The counterpart of `profile`: what is made here is accepted there. Who may
have one is decided by the city (`idservice init admit`), who asks for one does it in `request`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from crypto.instant import UnixSeconds
from crypto.x509 import profile
from crypto.x509.profile import Names, Role

AuthorityKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From the first second to the last, both included."""

    not_before: UnixSeconds
    not_after: UnixSeconds

    def __post_init__(self) -> None:
        if self.not_before > self.not_after:
            raise ValueError("a certificate ends after it begins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who signs: a root or an intermediate with its key."""

    certificate: x509.Certificate
    key: AuthorityKey


def root_certificate(
    *, key: ed25519.Ed25519PrivateKey, common_name: str, validity: Validity, serial: int
) -> x509.Certificate:
    """Make a city root that signs itself.

    Args:
        key: the one Ed25519 key of the city root.
        common_name: at most 64 characters.
        validity: how long it holds.
        serial: positive, below 2^159, not used before.
    """
    name = _name(common_name)
    builder = _builder(name, validity, serial).issuer_name(name).public_key(key.public_key())
    return _authority(builder, Role.CITY_ROOT).sign(key, None)


def intermediate_certificate(
    *,
    public_key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey,
    root: Authority,
    common_name: str,
    validity: Validity,
    serial: int,
) -> x509.Certificate:
    """Make an intermediate authority, which signs leaves only."""
    builder = _builder(_name(common_name), validity, serial)
    builder = builder.issuer_name(root.certificate.subject).public_key(public_key)
    return _sign(_authority(builder, Role.INTERMEDIATE), root.key)


def leaf_certificate(
    *,
    role: Role,
    public_key: ec.EllipticCurvePublicKey,
    authority: Authority,
    common_name: str,
    names: Names,
    validity: Validity,
    serial: int,
) -> x509.Certificate:
    """Make the certificate of a key that signs messages.

    Args:
        role: what the key is for; no authority.
        public_key: on P-256.
        authority: the root or an intermediate.
        common_name: at most 64 characters, shown to people and compared with nothing.
        names: as `profile.names` demands for the role.
        validity: how long it holds.
        serial: positive, below 2^159, not used before by this authority.
    """
    usage = x509.ExtendedKeyUsage([profile.EXTENDED_KEY_USAGE[role]])
    builder = (
        _builder(_name(common_name), validity, serial)
        .issuer_name(authority.certificate.subject)
        .public_key(public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(profile.usage(*profile.LEAF_USAGE), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(names.extension(), critical=False)
    )
    return _sign(builder, authority.key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, validity: Validity, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .serial_number(serial)
        .not_valid_before(datetime.fromtimestamp(validity.not_before, UTC))
        .not_valid_after(datetime.fromtimestamp(validity.not_after, UTC))
    )


def _authority(builder: x509.CertificateBuilder, role: Role) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=profile.PATH_LENGTH[role])
    return builder.add_extension(constraints, critical=True).add_extension(
        profile.usage(*profile.AUTHORITY_USAGE[0]), critical=True
    )


def _sign(builder: x509.CertificateBuilder, key: AuthorityKey) -> x509.Certificate:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return builder.sign(key, None)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
