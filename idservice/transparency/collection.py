"""A log asks its witnesses to cosign, and waits until there are enough.

C2SP tlog-witness, the client's side. All are asked at once; whoever knows a smaller tree than we
thought says so and is asked again. What an answer is worth is decided by `crypto.log.cosignature`;
an answer that does not verify is as good as none.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Final

from crypto.errors import CryptoError, Refused
from crypto.instant import UnixSeconds
from crypto.log import cosignature
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.cosignature import Policy, Witnessed
from crypto.log.note import Signature, VerifierKey
from crypto.log.proof import ConsistencyProof
from idservice.clock import Clock
from idservice.transparency import protocol
from idservice.transparency.model import NoQuorum, NotCosigned, Reason
from idservice.transparency.ports import Absent, Witness
from idservice.transparency.protocol import AddCheckpoint

Prove = Callable[[int, int], ConsistencyProof]
"""Makes the proof between two sizes of our tree."""

PATIENCE: Final = 10.0
"""Seconds after which a round is given up."""

_TRIES: Final = 2

_AT_ONCE: Final = 2
"""Questions that one witness may have open: a slow one is asked again, a dead one not for ever."""


class Collector:
    """The witnesses of one policy, and how far each of them has followed."""

    def __init__(
        self, policy: Policy, *, witnesses: Mapping[VerifierKey, Witness], clock: Clock
    ) -> None:
        self._policy = policy
        self._witnesses = {key: witnesses[key] for key in policy.witnesses if key in witnesses}
        if len(self._witnesses) < policy.threshold:
            raise ValueError("fewer witnesses can be asked than must answer")
        self._clock = clock
        self._known: dict[VerifierKey, int] = {}
        self._asked: dict[VerifierKey, list[Future[tuple[Signature, ...]]]] = {
            key: [] for key in self._witnesses
        }
        threads = _AT_ONCE * len(self._witnesses)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="witness")

    def close(self) -> None:
        """Wait for nobody any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def collect(self, signed: SignedCheckpoint, *, guess: int, prove: Prove) -> Witnessed:
        """Ask every witness that is not busy with earlier questions.

        Args:
            signed: with the log's own signature.
            guess: the size that a witness probably knows, where nothing better is known.
            prove: makes proofs up to this checkpoint's size.

        Raises:
            NoQuorum: too few answered as they should.
        """
        asked: list[Future[tuple[Signature, ...]]] = []
        for key in self._witnesses:
            open_questions = [each for each in self._asked[key] if not each.done()]
            if len(open_questions) < _AT_ONCE:
                asked.append(self._pool.submit(self._ask, key, signed, guess, prove))
                self._asked[key] = [*open_questions, asked[-1]]
        together = signed
        try:
            for answer in as_completed(asked, timeout=PATIENCE):
                together = together.with_signatures(answer.result())
                witnessed = self._enough(together)
                if witnessed is not None:
                    return witnessed
        except TimeoutError:
            pass
        raise NoQuorum

    def _enough(self, signed: SignedCheckpoint) -> Witnessed | None:
        try:
            return cosignature.verify_quorum(signed, policy=self._policy, now=self._clock.now())
        except CryptoError:
            return None

    def _ask(
        self, key: VerifierKey, signed: SignedCheckpoint, guess: int, prove: Prove
    ) -> tuple[Signature, ...]:
        """Ask one witness, twice if we did not know how far it has followed."""
        new = signed.checkpoint.head.size
        old = min(self._known.get(key, guess), new)
        for _ in range(_TRIES):
            body = AddCheckpoint(old=old, proof=prove(old, new), signed=signed.note)
            try:
                answer = self._witnesses[key].add_checkpoint(protocol.write_request(body))
                lines = _believed(answer, signed=signed, witness=key, now=self._clock.now())
            except NotCosigned as refused:
                if refused.reason is not Reason.CONFLICT or not _follows(refused.size, new):
                    return ()
                old = self._known[key] = refused.size or 0
            except (Absent, CryptoError):
                return ()
            else:
                self._known[key] = new
                return lines
        return ()


def _believed(
    answer: bytes, *, signed: SignedCheckpoint, witness: VerifierKey, now: UnixSeconds
) -> tuple[Signature, ...]:
    """Keep the one line of this witness, if it verifies and its clock is not far from ours.

    What is published stays: one clock that is years ahead would end every notice and every vote.
    """
    lines = protocol.parse_answer(answer)
    mine = tuple(
        each for each in lines if (each.name, each.key_id) == (witness.name, witness.key_id)
    )
    said = cosignature.verify(signed.with_signatures(mine), witness=witness)
    if len(said) != 1 or abs(said[0].time - now) > cosignature.SKEW:
        raise Refused("not one cosignature of this moment")
    return mine


def _follows(size: int | None, new: int) -> bool:
    """Say whether the witness may be behind us; one that is ahead knows another log than ours."""
    return size is not None and size <= new
