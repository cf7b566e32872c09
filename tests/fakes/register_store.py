"""What stands beside the register's log, in memory; passes the contract of the one on SQL."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from crypto.log.note import Note
from idservice.governance import model
from idservice.governance.model import Comment, ComplaintKey, CountedComplaint, Digest


class MemoryRegister:
    def __init__(self) -> None:
        self.kept: dict[Digest, Comment] = {}
        self.texts: dict[Digest, str] = {}
        self.notes: dict[bytes, tuple[int, Note]] = {}
        self.counted: Counter[ComplaintKey] = Counter()

    def keep(self, comment: Comment) -> None:
        self.kept[comment.digest] = comment

    def comment(self, digest: Digest) -> Comment | None:
        return self.kept.get(digest)

    def comments(self) -> Mapping[Digest, Comment]:
        return dict(self.kept)

    def erase(self, digests: Collection[Digest]) -> None:
        for each in digests:
            self.kept.pop(each, None)

    def keep_document(self, text: str) -> Digest:
        digest = model.document_digest(text)
        self.texts[digest] = text
        return digest

    def documents(self) -> Mapping[Digest, str]:
        return dict(self.texts)

    def drop_documents(self, digests: Collection[Digest]) -> None:
        for each in digests:
            self.texts.pop(each, None)

    def keep_checkpoint(self, signed: Note, *, size: int) -> None:
        self.notes[hashlib.sha256(signed.octets()).digest()] = size, signed

    def checkpoints(self) -> Sequence[Note]:
        return [self.notes[key][1] for key in sorted(self.notes, key=self._order)]

    def _order(self, key: bytes) -> tuple[int, bytes]:
        return self.notes[key][0], key

    def count(self, complaint: ComplaintKey) -> None:
        self.counted[complaint] += 1

    def complaints(self) -> Sequence[CountedComplaint]:
        def order(each: CountedComplaint) -> tuple[str, str, str]:
            return each.key.verifier, each.key.policy, each.key.excess

        found = [CountedComplaint(key=key, number=number) for key, number in self.counted.items()]
        return sorted(sorted(found, key=order), key=lambda each: each.key.quarter, reverse=True)
