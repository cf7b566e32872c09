"""What the certificate of each role must say.

The project's own profile of RFC 5280 (section 4.2): basic constraints, key usage, extended key
usage and names are demanded role by role, because a general verifier permits too much (a
certificate for a web server would do) and refuses too much (leaves without DNS name). A critical
extension that the role does not know is refused; a non-critical one says nothing here. How a
path is built stands in `chain`; revocation of certificates has no place in this project: they
are replaced in the trust bundle.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeGuard, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from crypto.errors import Malformed, Untrusted


class Role(Enum):
    """What a certificate's key is for."""

    CITY_ROOT = "city root"
    INTERMEDIATE = "intermediate"
    ISSUER = "issuer"
    STATUS = "status"
    VERIFIER = "verifier"
    METADATA = "metadata"
    """Signs what an issuer says of itself; a key that lasts longer than those of a period."""


AUTHORITIES: Final = frozenset({Role.CITY_ROOT, Role.INTERMEDIATE})

EXTENDED_KEY_USAGE: Final = {
    Role.ISSUER: ObjectIdentifier("2.25.217451023022518389341778185524290538095"),
    Role.STATUS: ObjectIdentifier("2.25.215776551423734119635764699723405821112"),
    Role.VERIFIER: ObjectIdentifier("2.25.124931139601474262669998052427109283938"),
    Role.METADATA: ObjectIdentifier("2.25.145352110146347965114193665218400010011"),
}
"""One purpose for each kind of leaf, under UUIDs drawn for this project (ITU-T X.667)."""

PATH_LENGTH: Final = {Role.CITY_ROOT: 1, Role.INTERMEDIATE: 0}
"""How many intermediates may follow."""

LEAF_USAGE: Final = frozenset({"digital_signature"})
AUTHORITY_USAGE: Final = (
    frozenset({"key_cert_sign"}),
    frozenset({"key_cert_sign", "crl_sign"}),
)

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_KNOWN_TO_AUTHORITIES = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
_KNOWN_TO_LEAVES = _KNOWN_TO_AUTHORITIES | {
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_URI = re.compile(r"https?://[!-~]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Whom a leaf is for: the subject alternative name, spelled in one way only."""

    uris: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(_URI.fullmatch(uri) for uri in self.uris):
            raise Malformed("an http(s) URI is expected (RFC 5280, 4.2.1.6)")
        if not all(_DNS_NAME.fullmatch(name) for name in self.dns_names):
            raise Malformed("a lower-case DNS name without wildcard is expected (RFC 6125, 6.4)")

    @classmethod
    def of(cls, extension: x509.SubjectAlternativeName) -> "Names":
        """Read the extension; names of a foreign kind are `Malformed`."""
        uris = tuple(extension.get_values_for_type(x509.UniformResourceIdentifier))
        dns_names = tuple(extension.get_values_for_type(x509.DNSName))
        if len(list(extension)) != len(uris) + len(dns_names):
            raise Malformed("an alternative name of a foreign kind (RFC 5280, 4.2.1.6)")
        return cls(uris=uris, dns_names=dns_names)

    def extension(self) -> x509.SubjectAlternativeName:
        """Write the extension."""
        found: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns_names]
        found.extend(x509.UniformResourceIdentifier(uri) for uri in self.uris)
        return x509.SubjectAlternativeName(found)


def check(certificate: x509.Certificate, *, role: Role) -> None:
    """Check that everything in `certificate` except names, times and signature fits its role.

    Spec: RFC 5280, sections 4.1.2 and 4.2.1; the demands are this project's own.

    Raises:
        Malformed: the extensions do not parse, or one stands there twice.
        Untrusted: something that the role demands is missing, or something is said that the
            role may not say.

    Not checked: who signed it and when it is valid (`chain.verify`), whom it names (`names`).
    """
    extensions = _extensions(certificate)
    if certificate.version is not x509.Version.v3:
        raise Untrusted("not a version 3 certificate (RFC 5280, 4.1.2.1)")
    if certificate.serial_number <= 0:
        raise Untrusted("the serial number is not positive (RFC 5280, 4.1.2.2)")
    known = _KNOWN_TO_AUTHORITIES if role in AUTHORITIES else _KNOWN_TO_LEAVES
    if any(extension.critical and extension.oid not in known for extension in extensions):
        raise Untrusted("unknown critical extension (RFC 5280, 4.2)")
    _check_key(certificate, role)
    _check_basic_constraints(extensions, role)
    _check_key_usage(extensions, role)
    _check_extended_key_usage(extensions, role)


def names(certificate: x509.Certificate, *, role: Role) -> Names:
    """Return whom a leaf certificate names, if that is what its role must name.

    An issuer, status or metadata leaf names exactly one URI, the base address of the issuer; a
    verifier leaf at least one DNS name or URI. Nothing else may stand there.

    Raises:
        Malformed: a name of a foreign kind, or not spelled as `Names` demands.
        Untrusted: no subject alternative name, or not those that the role must have.
    """
    found = Names.of(_one(_extensions(certificate), x509.SubjectAlternativeName))
    counts = len(found.uris), len(found.dns_names)
    if counts == (0, 0) or (role is not Role.VERIFIER and counts != (1, 0)):
        raise Untrusted("the role names other parties (RFC 5280, 4.2.1.6)")
    return found


def is_on_p256(key: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    """Say whether `key` is a public key on the one curve used for leaves."""
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def usage(*allowed: str) -> x509.KeyUsage:
    """Return the key usage that allows what is listed and nothing else."""
    told = {name: name in allowed for name in _USAGES}
    return x509.KeyUsage(**told, encipher_only=False, decipher_only=False)


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Malformed("the extensions do not parse (RFC 5280, 4.2)") from error


def _one(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound as error:
        raise Untrusted("an extension is missing that the role demands") from error


def _check_key(certificate: x509.Certificate, role: Role) -> None:
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed("the public key does not parse") from error
    if role is Role.CITY_ROOT:
        fits = isinstance(key, ed25519.Ed25519PublicKey)
    elif role is Role.INTERMEDIATE:
        fits = isinstance(key, ed25519.Ed25519PublicKey) or is_on_p256(key)
    else:
        fits = is_on_p256(key)
    if not fits:
        raise Untrusted("the role does not use such a key")


def _check_basic_constraints(extensions: x509.Extensions, role: Role) -> None:
    constraints = _one(extensions, x509.BasicConstraints)
    if constraints.ca is not (role in AUTHORITIES):
        raise Untrusted("authority and leaf are confused (RFC 5280, 4.2.1.9)")
    if role in AUTHORITIES:
        _demand_critical(extensions, ExtensionOID.BASIC_CONSTRAINTS)
        if constraints.path_length != PATH_LENGTH[role]:
            raise Untrusted("wrong path length (RFC 5280, 4.2.1.9)")


def _check_key_usage(extensions: x509.Extensions, role: Role) -> None:
    told = _one(extensions, x509.KeyUsage)
    _demand_critical(extensions, ExtensionOID.KEY_USAGE)
    allowed = frozenset(name for name in _USAGES if getattr(told, name))
    if allowed not in (AUTHORITY_USAGE if role in AUTHORITIES else (LEAF_USAGE,)):
        raise Untrusted("wrong key usage (RFC 5280, 4.2.1.3)")


def _check_extended_key_usage(extensions: x509.Extensions, role: Role) -> None:
    if role in AUTHORITIES:
        if any(extension.oid == ExtensionOID.EXTENDED_KEY_USAGE for extension in extensions):
            raise Untrusted("an authority has no extended key usage here (RFC 5280, 4.2.1.12)")
        return
    told: Iterable[ObjectIdentifier] = _one(extensions, x509.ExtendedKeyUsage)
    if list(told) != [EXTENDED_KEY_USAGE[role]]:
        raise Untrusted("wrong extended key usage (RFC 5280, 4.2.1.12)")


def _demand_critical(extensions: x509.Extensions, oid: ObjectIdentifier) -> None:
    if not extensions.get_extension_for_oid(oid).critical:
        raise Untrusted("an extension must be critical here (RFC 5280, 4.2)")
