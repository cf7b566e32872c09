"""The issuer's keys, as its process finds them: the announced ones, each with its file.

DESIGN, section 3: per period and type there is exactly one key, announced in the trust bundle.
A key is used only if its file fits the certificate, or for BBS the public key, that the bundle
announces. The city root's
key is not among them: the issuer's process never sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.errors import CryptoError
from crypto.jose import jwk, jws
from crypto.jose.jws import Signer
from crypto.x509 import chain, x5c
from idservice.apps import key_files
from idservice.apps.key_files import UnusableKey
from idservice.issuer.model import BbsIssuingKey, IssuingKey
from idservice.issuer.schedule import StatusKey
from idservice.period import Period
from idservice.verification import trust
from idservice.verification.trust import Announced, AnnouncedBbs, TrustBundle

NONCE_KEY_LENGTH: Final = 32

BUNDLE: Final = "bundle.json"
FOLDER: Final = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataKey:
    """The key that signs what the issuer says of itself, and its path to the city root."""

    x5c: tuple[str, ...]
    sign: Signer = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeys:
    """All of them, and the bundle that announces them."""

    bundle: bytes = field(repr=False)
    """As published."""
    trust: TrustBundle = field(repr=False)
    issuing_keys: tuple[IssuingKey, ...] = field(repr=False)
    bbs_keys: tuple[BbsIssuingKey, ...] = field(repr=False)
    status: StatusKey = field(repr=False)
    metadata: MetadataKey = field(repr=False)
    nonce_key: bytes = field(repr=False)

    def issuing(self, period: Period, configuration: str) -> IssuingKey | None:
        """Return the key of a period, None where none is announced."""
        for key in self.issuing_keys:
            if (key.announced.period, key.announced.configuration) == (period, configuration):
                return key
        return None

    def issuing_bbs(self, period: Period, configuration: str) -> BbsIssuingKey | None:
        """Return the BBS key of a period, None where none is announced."""
        for key in self.bbs_keys:
            if (key.announced.period, key.announced.configuration) == (period, configuration):
                return key
        return None

    def announced(self) -> Sequence[IssuingKey]:
        """Return all announced keys of the format that has status lists."""
        return self.issuing_keys


def load(folder: Path, *, issuer: str) -> IssuerKeys:
    """Read bundle and keys from the issuer's folder.

    Args:
        folder: the city's `issuer` folder.
        issuer: the base address that the bundle must be for.

    Raises:
        UnusableKey: a file is missing, open to others, or does not fit the bundle.
    """
    bundle = read_bundle(folder / BUNDLE)
    announced = trust.parse(bundle, root_fingerprint=None, at_least_version=None)
    if announced.issuer != issuer:
        raise UnusableKey("bundle.json is for another base address")
    where = folder / FOLDER
    status_path, status_signer = _with_certificate(where, "status")
    metadata_path, metadata_signer = _with_certificate(where, "metadata")
    nonce_key = key_files.read(where / "nonce.key")
    if len(nonce_key) != NONCE_KEY_LENGTH:
        raise UnusableKey("nonce.key has 32 octets")
    return IssuerKeys(
        bundle=bundle,
        trust=announced,
        issuing_keys=tuple(_issuing(where, announced, each) for each in announced.announced),
        bbs_keys=tuple(_issuing_bbs(where, announced, each) for each in announced.announced_bbs),
        status=StatusKey(x5c=status_path, sign=status_signer),
        metadata=MetadataKey(x5c=metadata_path, sign=metadata_signer),
        nonce_key=nonce_key,
    )


def read_bundle(path: Path) -> bytes:
    """Read a bundle from the city's own disk, and see that it is one.

    Raises:
        UnusableKey: missing, or not a bundle signed by the root in it.
    """
    try:
        bundle = path.read_bytes()
        trust.parse(bundle, root_fingerprint=None, at_least_version=None)
    except OSError as error:
        raise UnusableKey(f"{path.name} cannot be read") from error
    except CryptoError as error:
        raise UnusableKey(f"{path.name} is not a trust bundle") from error
    return bundle


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate in PEM; anything else is an `UnusableKey`."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UnusableKey(f"{path.name} is not a certificate") from error


def file_name(configuration: str, period: Period) -> str:
    """Return the name, without suffix, of the files of one configuration and period."""
    return f"{configuration}-{period}"


def _issuing(where: Path, bundle: TrustBundle, announced: Announced) -> IssuingKey:
    name = file_name(announced.configuration, announced.period)
    key = key_files.read_p256(where / f"{name}.key")
    try:
        certificate = chain.load(announced.x5c[0])
    except CryptoError as error:
        raise UnusableKey("bundle.json announces something that is no certificate") from error
    _check_fits(name, key, certificate)
    return IssuingKey(
        issuer=bundle.issuer,
        announced=announced,
        public_jwk={**jwk.public_jwk(key.public_key())},
        sign=jws.es256_signer(key),
    )


def _issuing_bbs(where: Path, bundle: TrustBundle, announced: AnnouncedBbs) -> BbsIssuingKey:
    name = file_name(announced.configuration, announced.period)
    key = key_files.read_bbs(where / f"{name}.key")
    if key.public.octets != announced.public_key:
        raise UnusableKey(f"{name}.key does not fit the bundle")
    return BbsIssuingKey(issuer=bundle.issuer, announced=announced, secret_key=key)


def _with_certificate(where: Path, name: str) -> tuple[tuple[str, ...], Signer]:
    key = key_files.read_p256(where / f"{name}.key")
    certificate = read_certificate(where / f"{name}.crt")
    _check_fits(name, key, certificate)
    return tuple(map(str, x5c.encode([certificate]))), jws.es256_signer(key)


def _check_fits(name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    if certificate.public_key() != key.public_key():
        raise UnusableKey(f"{name}.key does not fit its certificate")
