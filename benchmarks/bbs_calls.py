"""What a BBS block asks of the curve library: recorded once, then played with nothing around it.

The floor of a verification is the very calls into blst that it made, on the very octets, with
none of the Python in between; so the floor cannot drift from what it is the floor of, and a group
operation too many would show in absolute times only. Also here: a block with nothing but its
Python, and a block on the other library.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from benchmarks.rounds import Block
from crypto.bbs import generators
from crypto.bbs import proof as proofs
from crypto.bbs.proof import Settlement
from crypto.bls import curve
from crypto.bls.arkworks import Arkworks
from crypto.bls.group import Backend

PAIRING: Final = ("blst_miller_loop_lines", "blst_fp12_finalverify")

_Call = tuple[Callable[..., Any], tuple[Any, ...]]


class _Recorder:
    """The C library, each call of which is noted with its answer."""

    def __init__(self, c: Any) -> None:
        self._c = c
        self.calls: list[tuple[str, _Call, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._c, name)

        def call(*arguments: Any) -> Any:
            answer = function(*arguments)
            if not name.endswith("_sizeof"):
                self.calls.append((name, (function, arguments), answer))
            return answer

        return call


def floor(block: Block, *, without: Collection[str] = ()) -> Block:
    """Return what plays again the calls that `block` makes, those of some names left out.

    The buffers are the recorded ones; each answer is compared once with what it was.
    """
    blst = curve.secret()
    plain = blst._c  # noqa: SLF001 - the one place that all calls pass
    recorder = _Recorder(plain)
    with _own_generators():
        blst._c = recorder  # noqa: SLF001 - as above
        try:
            block()  # lays tables out, which is no part of the floor
            recorder.calls.clear()
            block()
        finally:
            blst._c = plain  # noqa: SLF001 - as above
    kept = [(call, answer) for name, call, answer in recorder.calls if name not in without]
    calls = [call for call, _ in kept]
    assert calls
    assert [function(*given) for function, given in calls] == [answer for _, answer in kept]

    def play() -> None:
        for function, given in calls:
            function(*given)

    return play


class _Nothing:
    """A C library that does nothing, and whose checks all pass."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answer = 0 if name == "blst_p1_uncompress" else 1

        def call(*_: Any) -> int:
            return answer

        setattr(self, name, call)
        return call


def stubbed(block: Block) -> Block:
    """Return the same block with every call into the curve library doing nothing.

    The challenge comes out otherwise then, so its comparison is left out too.
    """
    blst, nothing, made = curve.secret(), _Nothing(), list[Any]()
    plain, answered = blst._c, proofs.answered  # noqa: SLF001 - as above
    create, domain = generators._create, generators.domain  # noqa: SLF001 - as above

    def collecting(*given: Any) -> Any:
        made.append(create.__wrapped__(*given))
        return made[-1]

    own = (lru_cache(maxsize=None)(collecting), _anew(domain))
    _use(curve.BACKEND, *own)
    try:
        block()
    finally:
        _use(curve.BACKEND, create, domain)
    holders = [blst, *(each.table for each in made)]

    def switch(library: Any, check: Any) -> None:
        for holder in holders:
            holder._c = library  # noqa: SLF001 - as above
        proofs.answered = check

    def play() -> None:
        _use(curve.BACKEND, *own)
        switch(nothing, lambda proof, _c: Settlement(*proof.points[:2]))
        try:
            block()
        finally:
            switch(plain, answered)
            _use(curve.BACKEND, create, domain)

    return play


@contextmanager
def _own_generators() -> Iterator[None]:
    """Let generators and domains be made anew, and bring back those that were there."""
    kept = generators._create, generators.domain  # noqa: SLF001 - tables belong to one library
    _use(curve.BACKEND, *map(_anew, kept))
    try:
        yield
    finally:
        _use(curve.BACKEND, *kept)


def on_arkworks(make: Callable[[], Block]) -> Block:
    """Return a block that runs on arkworks; `make` runs there too, to load keys and parse."""
    ours = (curve.BACKEND, generators._create, generators.domain)  # noqa: SLF001 - as above
    theirs = (Arkworks(), *map(_anew, ours[1:]))
    _use(*theirs)
    try:
        block = make()
    finally:
        _use(*ours)

    def play() -> None:
        _use(*theirs)
        try:
            block()
        finally:
            _use(*ours)

    return play


def _anew(kept: Any) -> Any:
    """Return the same function with nothing kept."""
    return lru_cache(maxsize=None)(kept.__wrapped__)


def _use(backend: Backend, create: Any, domain: Any) -> None:
    curve.BACKEND = backend  # type: ignore[misc]  # final for everybody else
    generators._create, generators.domain = create, domain  # noqa: SLF001 - as above
