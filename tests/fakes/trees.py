"""A tree computed as RFC 9162, section 2.1.1, writes it down: slow, and hard to get wrong."""

from functools import cache
from hashlib import sha256

from crypto.log import tree
from crypto.log.tree import Hash, TreeHead


def entry(number: int) -> bytes:
    return b"entry %d" % number


@cache
def leaf(number: int) -> Hash:
    return tree.leaf_hash(entry(number))


@cache
def mth(begin: int, end: int) -> Hash:
    """MTH(D[begin:end])."""
    n = end - begin
    if n == 0:
        return Hash(sha256(b"").digest())
    if n == 1:
        return Hash(sha256(b"\x00" + entry(begin)).digest())
    k = 1
    while k * 2 < n:
        k *= 2
    return Hash(sha256(b"\x01" + mth(begin, begin + k) + mth(begin + k, end)).digest())


def node(level: int, index: int) -> Hash:
    """Read a full node."""
    return mth(index << level, (index + 1) << level)


def head(size: int) -> TreeHead:
    return TreeHead(size=size, root=mth(0, size))
