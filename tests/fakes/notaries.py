"""A log and witnesses with keys that everybody may know."""

from crypto.instant import UnixSeconds
from crypto.log import checkpoint, cosignature, ed25519
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.ed25519 import Signer
from crypto.log.note import SignatureType, VerifierKey
from crypto.log.tree import TreeHead

ORIGIN = "log.example/register"


def seed(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")[:32]


def log_key(name: str = ORIGIN) -> VerifierKey:
    return VerifierKey(name, SignatureType.ED25519, ed25519.public_key(seed(name)))


def witness_key(name: str) -> VerifierKey:
    return VerifierKey(name, SignatureType.COSIGNATURE, ed25519.public_key(seed(name)))


def signer(name: str = ORIGIN) -> Signer:
    return ed25519.signer(seed(name))


def signed(head: TreeHead, *, name: str = ORIGIN) -> SignedCheckpoint:
    return checkpoint.sign(head, log=log_key(name), signer=signer(name))


def cosigned(by: SignedCheckpoint, *witnesses: tuple[str, int]) -> SignedCheckpoint:
    """Add cosignatures of these witnesses at these times."""
    lines = [
        cosignature.sign(by, witness=witness_key(name), signer=signer(name), now=UnixSeconds(time))
        for name, time in witnesses
    ]
    return by.with_signatures(lines)
