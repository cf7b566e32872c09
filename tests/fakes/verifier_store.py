"""The verifier's store in memory; passes the same contract as the one on SQL."""

import threading

from idservice.verifier.ports import StoredAnswer


class MemoryStore:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: dict[bytes, tuple[bytes, int]] = {}
        self.answers: dict[bytes, tuple[StoredAnswer, int]] = {}

    def open(
        self,
        *,
        request_key: bytes,
        request: bytes,
        request_slot: int,
        answer_key: bytes,
        place: bytes,
        answer_slot: int,
    ) -> None:
        with self._lock:
            self.requests[request_key] = (request, request_slot)
            self.answers[answer_key] = (StoredAnswer(place, answered=False), answer_slot)

    def request(self, key: bytes) -> bytes | None:
        found = self.requests.get(key)
        return None if found is None else found[0]

    def replace(self, key: bytes, *, old: bytes, new: bytes) -> bool:
        with self._lock:
            found = self.requests.get(key)
            if found is None or found[0] != old:
                return False
            self.requests[key] = (new, found[1])
            return True

    def conclude(self, key: bytes, *, answer_key: bytes, sealed: bytes, answer_slot: int) -> bool:
        with self._lock:
            if self.requests.pop(key, None) is None:
                return False
            if answer_key in self.answers:
                self.answers[answer_key] = (StoredAnswer(sealed, answered=True), answer_slot)
            return True

    def answer(self, key: bytes) -> StoredAnswer | None:
        found = self.answers.get(key)
        return None if found is None else found[0]

    def take(self, key: bytes) -> bool:
        with self._lock:
            found = self.answers.get(key)
            if found is None or not found[0].answered:
                return False
            del self.answers[key]
            return True

    def reap(self, *, slot: int) -> None:
        with self._lock:
            self.requests = {k: v for k, v in self.requests.items() if v[1] > slot}
            self.answers = {k: v for k, v in self.answers.items() if v[1] > slot}
