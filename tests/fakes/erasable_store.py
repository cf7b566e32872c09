"""The register's erasable store in memory; passes the same contract as the one on SQL."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from idservice.governance.model import Comment, ComplaintKey, CountedComplaint, Digest


class MemoryErasable:
    def __init__(self) -> None:
        self.kept: dict[Digest, Comment] = {}
        self.counted: Counter[ComplaintKey] = Counter()

    def keep(self, comment: Comment) -> None:
        self.kept[comment.digest] = comment

    def comments(self, digests: Collection[Digest]) -> Mapping[Digest, Comment]:
        return {each: self.kept[each] for each in digests if each in self.kept}

    def digests(self) -> frozenset[Digest]:
        return frozenset(self.kept)

    def erase(self, digests: Collection[Digest]) -> None:
        for each in digests:
            self.kept.pop(each, None)

    def count(self, complaint: ComplaintKey) -> None:
        self.counted[complaint] += 1

    def complaints(self) -> Sequence[CountedComplaint]:
        def order(each: CountedComplaint) -> tuple[str, str, str]:
            return each.key.verifier, each.key.policy, each.key.excess

        found = [CountedComplaint(key=key, number=number) for key, number in self.counted.items()]
        return sorted(sorted(found, key=order), key=lambda each: each.key.quarter, reverse=True)
