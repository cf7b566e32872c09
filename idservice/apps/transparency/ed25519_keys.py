"""Ed25519 keys of logs and witnesses as files: the private half, and the vkey that goes with it.

How a key file is protected stands in `apps/key_files.py`.
"""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.log import ed25519
from crypto.log.ed25519 import Signer
from crypto.log.note import SignatureType, VerifierKey
from idservice.apps import key_files
from idservice.apps.settings import UnusableSettings

_SEED_LENGTH: Final = 32


def create(path: Path, *, name: str, kind: SignatureType, random_bytes: RandomBytes) -> VerifierKey:
    """Make a key under a name, and return its public half.

    Raises:
        UnusableSettings: there is a file already, or no key can have this name.
    """
    seed = random_bytes(_SEED_LENGTH)
    key = _public(seed, name, kind)
    key_files.create_key(path, Ed25519PrivateKey.from_private_bytes(seed))
    return key


def read(path: Path, *, name: str, kind: SignatureType) -> tuple[VerifierKey, Signer]:
    """Read a key: what others check with, and what signs.

    Raises:
        UnusableSettings: missing, open to others, or something else.
    """
    seed = key_files.read_ed25519(path).private_bytes_raw()
    return _public(seed, name, kind), ed25519.signer(seed)


def _public(seed: bytes, name: str, kind: SignatureType) -> VerifierKey:
    try:
        return VerifierKey(name, kind, ed25519.public_key(seed))
    except CryptoError as error:
        raise UnusableSettings(str(error)) from error
