"""The path from a leaf certificate to the city root.

RFC 5280, section 6, cut down to what the project uses: the leaf first, at most one intermediate,
the root known beforehand and never taken from the message. What each certificate must say stands
in `profile`. Left out: name constraints, policies and revocation lists.

The answer carries the time window of the whole path, so that a caller may keep it and look at
the window again at each use.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import SignatureAlgorithmOID

from crypto.errors import Expired, Malformed, NotYetValid, Untrusted
from crypto.instant import UnixSeconds
from crypto.x509 import profile
from crypto.x509.profile import Role

LONGEST_PATH: Final = 2
"""Certificates in a message: the leaf and at most one intermediate."""

LARGEST_CERTIFICATE: Final = 4096
"""Octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A key that belongs to its role, as far as the city root says so."""

    public_key: ec.EllipticCurvePublicKey
    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    not_before: UnixSeconds
    """The latest beginning on the path."""
    not_after: UnixSeconds
    """The earliest end on the path, itself still valid."""
    der_sha256: bytes


def load(der: bytes) -> x509.Certificate:
    """Parse one certificate.

    Raises:
        Malformed: larger than `LARGEST_CERTIFICATE`, not a certificate, or from the year 0.
    """
    if len(der) > LARGEST_CERTIFICATE:
        raise Malformed("certificate too large")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _window(certificate)  # read only when asked for
    except (ValueError, x509.InvalidVersion, CryptographyDeprecationWarning) as error:
        raise Malformed("not a certificate (RFC 5280, 4.1)") from error
    # the library lets the last octet of the signature leave bits unused: a second spelling
    if not der.endswith(b"\0" + certificate.signature):
        raise Malformed("a signature has whole octets (X.690, 8.6.2)")
    return certificate


def load_root(der: bytes) -> x509.Certificate:
    """Parse a city root: an Ed25519 key that signs itself.

    Raises:
        Malformed: not a certificate.
        Untrusted: not a city root by its profile, or not signed by itself.

    Not checked: whether it is the right one; compare its SHA-256 with the fingerprint known.
    """
    root = load(der)
    profile.check(root, role=Role.CITY_ROOT)
    _check_issued(root, root)
    return root


def verify(x5c: tuple[bytes, ...], *, root: x509.Certificate, role: Role, now: UnixSeconds) -> Leaf:
    """Follow the path from the leaf to the root, and return what the leaf says.

    Spec: RFC 5280, section 6.1; RFC 7515, section 4.1.6.

    Args:
        x5c: DER certificates, the leaf first, then at most one intermediate; the root is not
            among them.
        root: from `load_root`, its fingerprint compared.
        role: what the leaf's key must be for; no authority.
        now: compared with every certificate on the path, the root included.

    Raises:
        Malformed: a certificate does not parse.
        Untrusted: a wrong number of certificates, another root, a broken signature, or a
            certificate that does not fit its role.
        NotYetValid: one of them is not yet valid.
        Expired: one of them is no longer valid.

    Not checked: whether the names are those that the message claims for its sender.
    """
    if role in profile.AUTHORITIES:
        raise ValueError("a leaf has the role of a leaf")
    if not 1 <= len(x5c) <= LONGEST_PATH:
        raise Untrusted("a path has one or two certificates")
    path = [*map(load, x5c), root]
    roles = [role, *(Role.INTERMEDIATE,) * (len(x5c) - 1), Role.CITY_ROOT]
    for certificate, its_role in zip(path, roles, strict=True):
        profile.check(certificate, role=its_role)
    for certificate, issuer in pairwise(path):
        _check_issued(certificate, issuer)
    names = profile.names(path[0], role=role)
    public_key = path[0].public_key()
    if not profile.is_on_p256(public_key):  # pragma: no cover
        raise Untrusted("profile.check lets no other key pass")
    begins, ends = zip(*map(_window, path), strict=True)
    leaf = Leaf(
        public_key=public_key,
        uris=names.uris,
        dns_names=names.dns_names,
        not_before=UnixSeconds(max(begins)),
        not_after=UnixSeconds(min(ends)),
        der_sha256=hashlib.sha256(x5c[0]).digest(),
    )
    check_time(leaf, now=now)
    return leaf


def check_time(leaf: Leaf, *, now: UnixSeconds) -> None:
    """Check that `now` lies in the time window of the leaf's whole path.

    Spec: RFC 5280, section 4.1.2.5: both ends belong to the window.

    Raises:
        NotYetValid: before the window.
        Expired: after it.
    """
    if now < leaf.not_before:
        raise NotYetValid("a certificate is not yet valid (RFC 5280, 4.1.2.5)")
    if now > leaf.not_after:
        raise Expired("a certificate is no longer valid (RFC 5280, 4.1.2.5)")


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    on_p256 = profile.is_on_p256(issuer.public_key())
    expected = SignatureAlgorithmOID.ECDSA_WITH_SHA256 if on_p256 else SignatureAlgorithmOID.ED25519
    if certificate.signature_algorithm_oid != expected:
        raise Untrusted("signed by another algorithm than the issuer's")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise Untrusted("not signed by the next on the path (RFC 5280, 6.1.3)") from error


def _window(certificate: x509.Certificate) -> tuple[int, int]:
    """Read both ends, in seconds; ValueError for a year that no `datetime` has."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return int(begin.timestamp()), int(end.timestamp())
