"""A register from outside: its counter over HTTP, and all of it checked before it is believed.

DESIGN section 5. `read` takes entry 0 from the counter, holds it against the pinned SHA-256, and
believes everything else by the log alone: keys and witnesses come from the charter. What entries
mean is folded by `idservice.register`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Expired, Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, note, partial, tree
from crypto.log.checkpoint import SignedCheckpoint
from crypto.log.note import Note
from idservice.clients.exchange import Exchanges, NoAnswer
from idservice.register import entry, fold, wire
from idservice.register.entry import CharterEntry, Digest
from idservice.register.fold import Register
from idservice.register.state import InForce
from idservice.transparency import monitor
from idservice.transparency.model import Contradiction
from idservice.transparency.monitor import Expected
from idservice.transparency.ports import Resources

TIME_LIMIT: Final = 30.0
"""Seconds that an exchange may take; an answer waits for witnesses."""

LARGEST: Final = 8 << 20
"""Octets of an answer."""

FRESH: Final = 86_400
"""Seconds that the witnesses' quorum may be old."""

_JSON: Final = "application/json"


class Unreachable(Exception):
    """Nobody answers there, or not as a register does."""


class NotTaken(Exception):
    """The register did not take what was sent, and said why in a word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """A register that was read as a whole and checked; only `read` makes it."""

    register: Register
    entries: tuple[bytes, ...]
    head: SignedCheckpoint
    in_force: InForce


class HttpRegister:
    """The counter of a register."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._exchanges = Exchanges(seconds=TIME_LIMIT)

    def __enter__(self) -> Self:
        """Keep one connection open."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self._exchanges.close()

    def get(self, path: str) -> JsonObject:
        """Fetch a JSON object.

        Raises:
            Unreachable: nobody answers, or something else.
            NotTaken: there is no such thing.
        """
        return self._send("GET", path, None, {})

    def post(self, path: str, body: bytes, *, desk_key: str | None = None) -> JsonObject:
        """Send a JSON object; `desk_key` for what only the desk may do.

        Raises:
            Unreachable: nobody answers, or something else.
            NotTaken: it was refused.
        """
        headers = {"Content-Type": _JSON}
        if desk_key is not None:
            headers["Authorization"] = f"Bearer {desk_key}"
        return self._send("POST", path, body, headers)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> JsonObject:
        try:
            answer = self._exchanges.send(
                method, self._address + path, headers=headers, body=body, limit=LARGEST
            )
            found = canonical_json.parse_object(answer.body)
        except (NoAnswer, Malformed) as error:
            raise Unreachable from error
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return found
        raise NotTaken(_word(found.get("reason")) or _word(found.get("code")) or "refused")


def _word(value: object) -> str | None:
    """Take a word of a closed list, whatever else stands there."""
    plain = isinstance(value, str) and value.replace("_", "").isalpha() and value.isascii()
    return str(value) if plain else None


def read(
    counter: HttpRegister,
    log: Resources,
    *,
    pin: Digest,
    seen: Note | None,
    now: UnixSeconds,
) -> Believed:
    """Read the whole register and check it.

    Args:
        counter: for entry 0 only, which `pin` vouches for.
        log: the published log.
        pin: SHA-256 of entry 0.
        seen: the newest checkpoint that this reader has seen before.
        now: the reader's time.

    Raises:
        Unreachable, Absent: something is missing there.
        Contradiction: the log is not what it was when `seen` was seen.
        CryptoError: anything does not hold, too few or too old witnesses included.
    """
    first = _first(counter, pin)
    entries: list[bytes] = []
    checked = monitor.check(
        log,
        expected=Expected(log=first.charter.log, policy=None, most_seconds=1),
        seen=None,
        now=now,
        visit=lambda _number, octets: entries.append(octets),
    )
    if seen is not None:
        _check_seen(seen, checked.signed, entries)
    register = fold.fold(entries, pin=pin)
    in_force = register.in_force(checked.signed, now=now)
    if in_force.current + FRESH < now:
        raise Expired("the witnesses' quorum is too old: perhaps something is withheld")
    return Believed(
        register=register, entries=tuple(entries), head=checked.signed, in_force=in_force
    )


def _first(counter: HttpRegister, pin: Digest) -> CharterEntry:
    text = counter.get("/v1/entries/0").get("entry")
    octets = text.encode() if isinstance(text, str) else b""
    if entry.entry_digest(octets) != pin:
        raise Refused("another charter than the one pinned")
    first = wire.parse(octets)
    if not isinstance(first, CharterEntry):
        raise Refused("entry 0 is no charter")
    return first


def _check_seen(seen: Note, signed: SignedCheckpoint, entries: list[bytes]) -> None:
    """Check that what was seen before is the beginning of what is there now."""
    before = checkpoint.verify(seen, log=_key_of(entries))
    head = before.checkpoint.head
    if head.size > len(entries):
        raise Contradiction(first=seen, second=signed.note)
    if partial.whole(map(tree.leaf_hash, entries[: head.size])).head(head.size) != head:
        raise Contradiction(first=seen, second=signed.note)


def _key_of(entries: list[bytes]) -> note.VerifierKey:
    first = wire.parse(entries[0])
    if not isinstance(first, CharterEntry):
        raise Refused("entry 0 is no charter")
    return first.charter.log
