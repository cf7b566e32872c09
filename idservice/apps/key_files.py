"""Keys as files that nobody but their owner can read, and public files; all whole or absent.

DESIGN, section 8 (`init`): a key file is made with mode 0600, never overwritten, and refused when
it is read with any other access. PKCS #8 in PEM, without a passphrase: a process must start by
itself; a BBS key, for which PKCS #8 has no name, is its 32 octets and nothing else. A city that
wants its keys in hardware lends a `Signer` instead. Which keys there are stands in `founding` and
`keys`.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from crypto.bbs import signature
from crypto.bbs.signature import SecretKey
from crypto.bls.group import SigningUnavailable
from crypto.errors import Malformed
from idservice.apps.settings import UnusableSettings

OWNER_ONLY: Final = 0o600
PUBLIC: Final = 0o644
LARGEST_KEY: Final = 4096
"""Octets."""

_FOREIGN_ACCESS = 0o177
_UNFINISHED = ".unfinished"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class UnusableKey(UnusableSettings):
    """A key file is missing, open to others, or holds something else."""


def create(path: Path, content: bytes) -> None:
    """Write a new secret file with mode 0600; its content is on disk when this returns.

    It gets its name when it is whole, so that a crash leaves no key that cannot be read.

    Raises:
        UnusableKey: there is a file already; it is left as it is.
    """
    descriptor, name = tempfile.mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, OWNER_ONLY)
            _write_through(file.fileno(), content)
        path.hardlink_to(unfinished)
    except FileExistsError as error:
        raise UnusableKey(f"{path.name} exists already and is never overwritten") from error
    finally:
        unfinished.unlink()
    _sync_folder(path.parent)


def create_key(path: Path, key: PrivateKey) -> None:
    """Write a new private key; otherwise as `create`."""
    create(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read(path: Path) -> bytes:
    """Read a secret file.

    Raises:
        UnusableKey: missing, no plain file, too large, or somebody but its owner has access.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UnusableKey(f"{path.name} cannot be read") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_KEY:
            raise UnusableKey(f"{path.name} is not a key file")
        if stat.S_IMODE(status.st_mode) & _FOREIGN_ACCESS:
            raise UnusableKey(f"{path.name} must have mode 0600: nobody else may read a key")
        return os.read(descriptor, LARGEST_KEY)
    finally:
        os.close(descriptor)


def read_p256(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 key; raises as `read`, and for any other content."""
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise UnusableKey(f"{path.name} does not hold a P-256 key")
    return key


def read_ed25519(path: Path) -> ed25519.Ed25519PrivateKey:
    """Read an Ed25519 key; raises as `read`, and for any other content."""
    key = _load(path)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UnusableKey(f"{path.name} does not hold an Ed25519 key")
    return key


def read_bbs(path: Path) -> SecretKey:
    """Read a BBS key; raises as `read`, for any other content, and where nothing can sign."""
    content = read(path)
    try:
        return signature.load_secret_key(content)
    except Malformed as error:
        raise UnusableKey(f"{path.name} does not hold a BBS key") from error
    except SigningUnavailable as error:
        raise UnusableKey(str(error)) from error


def publish(path: Path, content: bytes) -> None:
    """Write or replace a public file: whoever reads it gets the old or the new one, whole."""
    unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PUBLIC)
    with os.fdopen(descriptor, "wb") as file:
        _write_through(file.fileno(), content)
    unfinished.replace(path)
    _sync_folder(path.parent)


def _load(path: Path) -> object:
    content = read(path)
    try:
        return load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise UnusableKey(f"{path.name} does not hold a private key") from error


def _write_through(descriptor: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.write(descriptor, content[written:])
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
