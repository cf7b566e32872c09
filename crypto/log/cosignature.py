"""A witness's timestamped signature over a checkpoint, and how many of them are enough.

Carries out C2SP tlog-cosignature v1.0.1, `cosignature/v1` with Ed25519. A quorum counts
witnesses, not lines: known ones only, each once. Leaves out ML-DSA-44 cosignatures, how witnesses
decide (C2SP tlog-witness, an office's affair) and nested groups of C2SP tlog-policy.
"""

from dataclasses import dataclass
from typing import Final

from crypto.errors import Expired, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log import ed25519, note
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.ed25519 import Signer
from crypto.log.note import Signature, SignatureType, VerifierKey

SKEW: Final = 300
"""Seconds that a witness's clock may be ahead of the reader's."""

LATEST: Final = (1 << 63) - 1

_TIME_LENGTH: Final = 8
_LENGTH: Final = _TIME_LENGTH + ed25519.SIGNATURE_LENGTH


@dataclass(frozen=True, slots=True)
class Cosignature:
    """That a witness, at a time, knew no larger tree of this log; only `verify` makes it."""

    witness: VerifierKey
    time: UnixSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of these witnesses, so many are enough."""

    witnesses: tuple[VerifierKey, ...]
    threshold: int

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= len(self.witnesses):
            raise Malformed("a quorum is at least one and at most all witnesses")
        if any(key.type is not SignatureType.COSIGNATURE for key in self.witnesses):
            raise Malformed("a witness's key is of type 0x04 (C2SP tlog-cosignature, Format)")
        # A signature does not say whose it is but by its key: one key is one witness.
        if len({key.public_key for key in self.witnesses}) != len(self.witnesses):
            raise Malformed("two witnesses with one key (C2SP tlog-policy, Defining a witness)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A signed checkpoint that a quorum cosigned; only `verify_quorum` makes it.

    `cosignatures` are all that count, perhaps several of one witness.
    """

    signed: SignedCheckpoint
    policy: Policy
    cosignatures: tuple[Cosignature, ...]

    @property
    def earliest(self) -> UnixSeconds:
        """The earliest time of all that count: when at least one had seen it."""
        return min(each.time for each in self.cosignatures)

    @property
    def latest(self) -> UnixSeconds:
        """The latest time of all that count: by then, each one here had seen it."""
        return max(each.time for each in self.cosignatures)

    @property
    def current(self) -> UnixSeconds:
        """The latest time at which a whole quorum knew no larger tree."""
        newest: dict[VerifierKey, UnixSeconds] = {}
        for each in self.cosignatures:
            newest[each.witness] = max(each.time, newest.get(each.witness, each.time))
        return sorted(newest.values(), reverse=True)[self.policy.threshold - 1]


def sign(
    signed: SignedCheckpoint, *, witness: VerifierKey, signer: Signer, now: UnixSeconds
) -> Signature:
    """Cosign a checkpoint.

    Spec: C2SP tlog-cosignature, "Ed25519 signed message".

    Args:
        signed: must extend each head of this log that this witness ever cosigned; see Not
            checked.
        witness: the witness's key, of type 0x04.
        signer: the private half.
        now: when; after 1970 and before 2^63.

    Raises:
        ValueError: the key is of another type, or the time is out of range.
        BadSignature: the signer has another private half.

    Not checked: consistency with what this witness cosigned before. The caller must have checked
        and recorded it.
    """
    if witness.type is not SignatureType.COSIGNATURE or not 0 < now <= LATEST:
        raise ValueError("a key of type 0x04 and a time after 1970")
    message = _message(signed.note.text, now)
    signature = signer(message)
    ed25519.verify(message=message, signature=signature, key=witness.public_key)
    octets = now.to_bytes(_TIME_LENGTH) + signature
    return Signature(name=witness.name, key_id=witness.key_id, signature=octets)


def verify(signed: SignedCheckpoint, *, witness: VerifierKey) -> tuple[Cosignature, ...]:
    """Check each cosignature under a checkpoint that says it is this witness's.

    Spec: C2SP tlog-cosignature; C2SP signed-note, "Signatures".

    Args:
        signed: with the cosignatures among its note's signatures.
        witness: the witness's key, of type 0x04.

    Returns:
        What it said, in the order of the lines; empty if it said nothing.

    Raises:
        Malformed: one has not 72 octets, or a time outside 1 to 2^63 - 1.
        BadSignature: one does not verify: then the whole note is refused.
        ValueError: the key is of another type.

    Not checked: the times.
    """
    if witness.type is not SignatureType.COSIGNATURE:
        raise ValueError("a witness's key is of type 0x04")
    return tuple(
        Cosignature(witness, _verify_one(signed.note.text, octets, witness))
        for octets in note.matching(signed.note, witness)
    )


def verify_quorum(signed: SignedCheckpoint, *, policy: Policy, now: UnixSeconds) -> Witnessed:
    """Check that enough known witnesses cosigned a checkpoint.

    Spec: C2SP tlog-cosignature; C2SP tlog-policy.

    Args:
        signed: with the cosignatures among its note's signatures; unknown ones are ignored.
        policy: who is known and how many of them are enough.
        now: a cosignature more than `SKEW` seconds later does not count.

    Raises:
        Malformed: a known witness's line has not the length or the time of a cosignature.
        BadSignature: a known witness's line does not verify.
        Refused: too few distinct witnesses.

    Not checked: how old the cosignatures are; see `check_current`.
    """
    note.check_distinct(policy.witnesses)
    counting = tuple(
        cosignature
        for witness in policy.witnesses
        for cosignature in verify(signed, witness=witness)
        if cosignature.time <= now + SKEW
    )
    if len({each.witness for each in counting}) < policy.threshold:
        raise Refused("too few witnesses cosigned")
    return Witnessed(signed=signed, policy=policy, cosignatures=counting)


def check_current(witnessed: Witnessed, *, now: UnixSeconds, most_seconds: int) -> None:
    """Check that a whole quorum knew no larger tree a short while ago.

    Args:
        witnessed: from `verify_quorum`.
        now: the reader's time.
        most_seconds: how old the quorum may be.

    Raises:
        Expired: it is older: perhaps somebody withholds what came since.
    """
    if witnessed.current + most_seconds < now:
        raise Expired("the witnesses' quorum is too old")


def _verify_one(text: str, octets: bytes, witness: VerifierKey) -> UnixSeconds:
    if len(octets) != _LENGTH:
        raise Malformed("a cosignature has 72 octets (C2SP tlog-cosignature, Format)")
    time = UnixSeconds(int.from_bytes(octets[:_TIME_LENGTH]))
    if not 0 < time <= LATEST:
        raise Malformed("a cosignature's time is 1 to 2^63 - 1 (C2SP tlog-cosignature, Format)")
    ed25519.verify(
        message=_message(text, time), signature=octets[_TIME_LENGTH:], key=witness.public_key
    )
    return time


def _message(text: str, time: UnixSeconds) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
